//! A configuration is read anew while all goes on; a bad one is refused as a whole.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::net::SocketAddr;

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Guard, ODD_MQTT_PORT, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, assert_nothing_leaked, cloud, enrol, guarded};
use rustix::process::Signal;
use serde_json::{Value, json};

fn odd() -> SocketAddr {
    cloud(ODD_MQTT_PORT)
}

/// The mistakes that `status` tells.
fn mistakes(guard: &Guard) -> Vec<String> {
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protected").unwrap(), true, "{status}");
    let errors = status
        .pointer("/config/errors")
        .and_then(Value::as_array)
        .unwrap();
    errors
        .iter()
        .map(|error| error.as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn a_bad_file_is_refused_by_file_section_and_option_and_the_last_good_one_stays() {
    let (lab, guard) = guarded(&["plug"]);
    let files = guard.files();
    let bad = files.uci(
        "\toption mode 'monitor'\n",
        "config listener 'tls'\n\toption port '99999'\n",
    );
    guard.write_config(&bad).unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), false, "{answer}");
    let told = mistakes(&guard).join("\n");
    for part in [files.config.to_str().unwrap(), "'tls'", "port", "99999"] {
        assert!(told.contains(part), "{part:?} is not in {told:?}");
        assert!(
            answer.to_string().contains(part),
            "{part:?} is not in {answer}"
        );
    }
    // Had the good part of the file been taken, this would pass.
    plaintext_connect(lab.device(0), odd(), IN_VAIN).unwrap_err();
    assert_nothing_leaked(&lab);
    guard.wait_event("config-refused", None).unwrap();

    guard.write_config(&files.uci("", "")).unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), true, "{answer}");
    assert_eq!(mistakes(&guard), [""; 0]);
}

#[test]
fn a_good_file_takes_force_on_sighup_and_sessions_go_on() {
    let (lab, guard) = guarded(&["plug", "lamp"]);
    let credential = enrol(&guard, "lamp");
    let client = lab.device(1).client(&credential);
    let session = client.subscribe("lamp/#", 1).unwrap();
    plaintext_connect(lab.device(0), odd(), IN_VAIN).unwrap_err();
    guard
        .write_config(&guard.files().uci("\toption mode 'monitor'\n", ""))
        .unwrap();
    guard.signal(Signal::HUP).unwrap();
    assert!(until(PATIENCE, || {
        plaintext_connect(lab.device(0), odd(), IN_VAIN).is_ok()
    }));
    assert!(client.publish("lamp/state", "on", 1).unwrap().succeeded());
    assert_eq!(session.finish().unwrap(), ["lamp/state on"]);
}

#[test]
fn a_missing_file_is_refused_too() {
    let (lab, guard) = guarded(&["plug"]);
    std::fs::remove_file(&guard.files().config).unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), false, "{answer}");
    let told = mistakes(&guard).join("\n");
    assert!(
        told.contains(guard.files().config.to_str().unwrap()),
        "{told:?}"
    );
    plaintext_connect(lab.device(0), odd(), IN_VAIN).unwrap_err();
}
