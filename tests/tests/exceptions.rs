//! Plaintext MQTT that may leave, for a time.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mqttguard::{calendar, ubus};
use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Guard, Lab, PLAIN_MQTT_PORT, address, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, assert_nothing_leaked, cloud, guarded};
use serde_json::{Value, json};

fn leaves(lab: &Lab, index: usize) -> bool {
    plaintext_connect(lab.device(index), cloud(PLAIN_MQTT_PORT), PATIENCE).is_ok()
}

fn stays(lab: &Lab, index: usize) -> bool {
    plaintext_connect(lab.device(index), cloud(PLAIN_MQTT_PORT), IN_VAIN).is_err()
}

/// The exceptions that `status` shows.
fn exceptions(guard: &Guard) -> Vec<Value> {
    let status = guard.ubus("status", &json!({})).unwrap();
    let exceptions = status.get("exceptions").and_then(Value::as_array);
    exceptions.unwrap().clone()
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    since.as_millis().try_into().unwrap()
}

#[test]
fn a_section_ends_at_its_time() {
    let (lab, guard) = guarded(&["plug"]);
    assert!(stays(&lab, 0));
    let end = now_ms() / 1000 * 1000 + 10_000;
    let section = format!(
        "config exception 'solar'\n\toption destination '{}'\n\toption expires '{}'\n",
        address::CLOUD,
        calendar::utc(end).replace(' ', "T")
    );
    guard
        .write_config(&guard.files().uci("", &section))
        .unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), true, "{answer}");
    assert!(leaves(&lab, 0));
    let shown = exceptions(&guard);
    assert_eq!(shown[0]["section"], "solar", "{shown:?}");
    assert_eq!(shown[0]["until_ms"], end, "{shown:?}");
    assert_eq!(shown[0]["holds"], true, "{shown:?}");

    std::thread::sleep(Duration::from_millis(end.saturating_sub(now_ms())));
    // The daemon looks once a second.
    assert!(until(PATIENCE, || stays(&lab, 0)));
    let event = guard.wait_event("exception-expired", None).unwrap();
    assert_eq!(event["exception"], "solar", "{event}");
    assert!(
        event["message"].as_str().unwrap().contains("'solar'"),
        "{event}"
    );
    assert_eq!(exceptions(&guard)[0]["holds"], false);

    // That its time has passed is no mistake.
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), true, "{answer}");
    assert!(stays(&lab, 0));
}

#[test]
fn the_owner_allows_one_device_something_and_takes_it_back() {
    let (lab, mut guard) = guarded(&["plug", "lamp"]);
    let to = address::CLOUD.to_string();
    let wish = json!({ "device": "plug", "destination": to, "port": PLAIN_MQTT_PORT, "for": 3600 });
    let answer = guard.ubus("allow", &wish).unwrap();
    let left = answer["until_ms"].as_u64().unwrap() - now_ms();
    assert!((3_590_000..=3_600_000).contains(&left), "{answer}");
    assert!(leaves(&lab, 0) && stays(&lab, 1));
    guard
        .wait_event("exception-made", Some(&lab.device(0).mac_text()))
        .unwrap();

    // It outlives the daemon, on the disk and in the kernel.
    guard.kill().unwrap();
    assert!(leaves(&lab, 0));
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert!(leaves(&lab, 0) && stays(&lab, 1));
    let shown = guard.device("plug").unwrap();
    assert_eq!(shown["exceptions"][0]["until_ms"], answer["until_ms"]);

    let other = json!({ "device": "plug", "port": 1884 });
    guard.ubus("disallow", &other).unwrap_err();
    let answer = guard
        .ubus("disallow", &json!({ "device": "plug" }))
        .unwrap();
    assert_eq!(answer["withdrawn"], 1, "{answer}");
    assert!(until(PATIENCE, || stays(&lab, 0)));
    assert_eq!(exceptions(&guard), Vec::<Value>::new());
}

#[test]
fn wishes_that_make_no_sense_are_refused_in_words() {
    let (lab, _guard) = guarded(&["plug"]);
    for (wish, words) in [
        (json!({ "device": "plug" }), "for: found nothing"),
        (json!({ "device": "plug", "for": 59 }), "60 to 2592000"),
        (json!({ "device": "plug", "for": -1 }), "for: found -1"),
        (
            json!({ "device": "plug", "for": 60, "port": 0 }),
            "port: found 0",
        ),
        (
            json!({ "device": "plug", "for": 60, "destination": "mqtt.example" }),
            "destination: found 'mqtt.example'",
        ),
        (json!({ "device": "nobody", "for": 60 }), "nobody"),
    ] {
        let socket = lab.router.bus().socket();
        let called = ubus::call(socket, ubus::OBJECT, "allow", wish.clone(), PATIENCE);
        let error = called.unwrap_err().to_string();
        assert!(error.contains(words), "{wish}: {error}");
    }
    assert!(stays(&lab, 0));
    assert_nothing_leaked(&lab);
}
