//! The owner blocks a device, and it is cut off.

use std::time::{Duration, Instant};

use mqttguard_lab::packet::UDP;
use mqttguard_lab::traffic::{flood, web_request};
use mqttguard_lab::until;
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded};
use serde_json::json;

#[test]
fn a_blocked_device_is_cut_off_within_a_second() {
    let (lab, guard) = guarded(&["plug", "lamp"]);
    let plug = lab.device(0);
    web_request(plug, cloud(80)).unwrap();
    let start = Instant::now();
    let device = guard
        .ubus("block", &json!({ "device": "plug", "why": "a test" }))
        .unwrap();
    assert_eq!(device.get("state").unwrap(), "blocked", "{device}");
    let second = Duration::from_secs(1);
    std::thread::sleep(second.saturating_sub(start.elapsed()));
    // Each of these frames is sent more than a second after the call.
    flood(plug, cloud(9), 500, 64, Duration::from_millis(500)).unwrap();
    let source = plug.address().unwrap().into();
    assert_eq!(lab.cloud.witness().tally(source, UDP, 9).unwrap().frames, 0);
    assert!(guard.dropped("plug", "blocked").unwrap() > 0);
    web_request(lab.device(1), cloud(80)).unwrap();
}

#[test]
fn a_blocked_devices_session_ends_and_its_login_is_refused() {
    let (lab, guard) = guarded(&["plug"]);
    let credential = enrol(&guard, "plug");
    let client = lab.device(0).client(&credential);
    let _session = client.subscribe("plug/#", 1).unwrap();
    let connected = || {
        let device = guard.device("plug").unwrap();
        device.get("connected").unwrap().as_array().unwrap().len()
    };
    assert!(until(PATIENCE, || connected() == 1));
    guard
        .ubus("block", &json!({ "device": lab.device(0).mac_text() }))
        .unwrap();
    assert!(until(PATIENCE, || connected() == 0));
    let outcome = client
        .limit(IN_VAIN)
        .publish("plug/state", "on", 1)
        .unwrap();
    assert!(!outcome.succeeded(), "{outcome:?}");
}

#[test]
fn an_unblocked_device_is_as_it_was() {
    let (lab, guard) = guarded(&["plug"]);
    let credential = enrol(&guard, "plug");
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    lab.device(0).connect(cloud(80), IN_VAIN).unwrap_err();
    let device = guard.ubus("unblock", &json!({ "device": "plug" })).unwrap();
    assert_eq!(device.get("state").unwrap(), "enrolled", "{device}");
    web_request(lab.device(0), cloud(80)).unwrap();
    let outcome = lab
        .device(0)
        .client(&credential)
        .publish("plug/state", "on", 1)
        .unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}
