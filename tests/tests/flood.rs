//! A device that floods is held to its limits, and nobody else is.

use std::thread;
use std::time::Duration;

use mqttguard_lab::packet::UDP;
use mqttguard_lab::traffic::{flood, open_connections, web_request};
use mqttguard_lab::{Guard, Lab, until};
use mqttguard_tests::house::{PATIENCE, cloud, enrol, guarded_with, kernel_limit};
use serde_json::{Value, json};

const TIME: Duration = Duration::from_secs(2);

/// What may pass in [`TIME`] at `rate` a second: a second's worth at once, the rate after that,
/// and a tenth, to which rates are kept.
fn most(rate: u64) -> u64 {
    rate * (TIME.as_secs() + 1) * 11 / 10
}

/// What must pass at the least: the rate, less a tenth.
fn least(rate: u64) -> u64 {
    rate * TIME.as_secs() * 9 / 10
}

#[test]
fn packets_are_held_to_their_rate() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("packets_per_s", 500));
    let sent = flood(lab.device(0), cloud(9), 10_000, 64, TIME).unwrap();
    let source = lab.device(0).address().unwrap().into();
    let arrived = lab.cloud.witness().tally(source, UDP, 9).unwrap().frames;
    assert!(
        (least(500)..=most(500)).contains(&arrived),
        "{arrived} of {sent} arrived"
    );
    assert!(guard.dropped("camera", "flood-packets").unwrap() >= sent - arrived);
}

#[test]
fn bytes_are_held_to_their_rate() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("bytes_per_s", 500_000));
    flood(lab.device(0), cloud(9), 2_000, 1_400, TIME).unwrap();
    let source = lab.device(0).address().unwrap().into();
    let arrived = lab.cloud.witness().tally(source, UDP, 9).unwrap().bytes;
    assert!(
        (least(500_000)..=most(500_000)).contains(&arrived),
        "{arrived} bytes arrived"
    );
    assert!(guard.dropped("camera", "flood-bytes").unwrap() > 0);
}

#[test]
fn new_connections_are_held_to_their_rate() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("connections_per_s", 5));
    let limit = Duration::from_millis(40);
    let open = open_connections(lab.device(0), cloud(443), 50, limit).unwrap();
    // Fifty tries take at most two seconds.
    assert!((5..=15).contains(&open), "{open} of 50 were opened");
    assert!(guard.dropped("camera", "flood-connections").unwrap() > 0);
}

#[test]
fn another_device_passes_untouched_meanwhile() {
    let names = ["camera", "lamp"];
    let (lab, guard) = guarded_with(&names, "", &kernel_limit("packets_per_s", 500));
    let lamp = lab.device(1);
    // So that neighbours know each other before frames are counted.
    web_request(lamp, cloud(80)).unwrap();
    let sent = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(lab.device(0), cloud(9), 20_000, 64, TIME));
        let sent = self::flood(lamp, cloud(9), 100, 64, TIME / 2).unwrap();
        web_request(lamp, cloud(80)).unwrap();
        assert!(
            !flood.is_finished(),
            "the lamp was measured while the camera floods"
        );
        flood.join().unwrap().unwrap();
        sent
    });
    let source = lamp.address().unwrap().into();
    assert_eq!(
        lab.cloud.witness().tally(source, UDP, 9).unwrap().frames,
        sent
    );
    let lamp = guard.device("lamp").unwrap();
    assert_eq!(lamp.pointer("/frames/dropped").unwrap(), 0, "{lamp}");
    assert!(guard.dropped("camera", "flood-packets").unwrap() > 0);
}

#[test]
fn a_device_that_does_not_stop_is_quarantined() {
    let main = "\toption flood_seconds '2'\n";
    let (lab, guard) = guarded_with(&["camera"], main, &kernel_limit("packets_per_s", 100));
    flood(lab.device(0), cloud(9), 2_000, 64, Duration::from_secs(4)).unwrap();
    let event = guard
        .wait_event("state-changed", Some(&lab.device(0).mac_text()))
        .unwrap();
    assert_eq!(guard.state("camera").unwrap(), "quarantined", "{event}");
}

/// Floods until the device is in quarantine, from a house where two seconds of it are enough.
fn flood_into_quarantine(lab: &Lab, guard: &Guard) {
    flood(lab.device(0), cloud(9), 2_000, 64, Duration::from_secs(4)).unwrap();
    assert!(until(PATIENCE, || guard.state("camera").unwrap() == "quarantined"));
}

#[test]
fn a_quarantine_ends_by_itself_and_the_device_is_as_it_was() {
    let main = "\toption flood_seconds '2'\n\toption quarantine '10s'\n";
    let (lab, guard) = guarded_with(&["camera"], main, &kernel_limit("packets_per_s", 200));
    let client = lab.device(0).client(&enrol(&guard, "camera"));
    let client = client.limit(PATIENCE);
    let publish = || client.publish("camera/state", "on", 1);
    assert!(publish().unwrap().succeeded());
    flood_into_quarantine(&lab, &guard);
    assert!(!publish().unwrap().succeeded());
    assert!(guard.dropped("camera", "quarantined").unwrap() > 0);
    // Only MQTT is under suspicion.
    web_request(lab.device(0), cloud(80)).unwrap();

    assert!(until(Duration::from_secs(12), || {
        guard.state("camera").unwrap() == "enrolled"
    }));
    let outcome = publish().unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    let events = guard.events().unwrap();
    let is_release = |event: &&Value| {
        event.get("event") == Some(&json!("state-changed"))
            && event.get("from") == Some(&json!("quarantined"))
    };
    let release = events.iter().find(is_release).unwrap();
    assert_eq!(release.get("to").unwrap(), "enrolled", "{release}");
}

#[test]
fn a_quarantine_and_its_counters_outlive_the_daemon() {
    let main = "\toption flood_seconds '2'\n";
    let (lab, mut guard) = guarded_with(&["camera"], main, &kernel_limit("packets_per_s", 200));
    let client = lab.device(0).client(&enrol(&guard, "camera"));
    let client = client.limit(PATIENCE);
    let publish = || client.publish("camera/state", "on", 1);
    flood_into_quarantine(&lab, &guard);
    assert!(!publish().unwrap().succeeded());
    let quarantined = guard.dropped("camera", "quarantined").unwrap();
    let flooded = guard.dropped("camera", "flood-packets").unwrap();
    assert!(quarantined > 0 && flooded > 0);

    guard.kill().unwrap();
    assert!(!publish().unwrap().succeeded());
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert_eq!(guard.state("camera").unwrap(), "quarantined");
    assert!(guard.dropped("camera", "quarantined").unwrap() > quarantined);
    assert!(guard.dropped("camera", "flood-packets").unwrap() >= flooded);
    assert!(!publish().unwrap().succeeded());

    guard
        .ubus("unblock", &json!({ "device": "camera" }))
        .unwrap();
    assert!(publish().unwrap().succeeded());
}

#[test]
fn limits_change_while_all_goes_on() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("packets_per_s", 500));
    let source = lab.device(0).address().unwrap().into();
    let arrived = || lab.cloud.witness().tally(source, UDP, 9).unwrap().frames;
    flood(lab.device(0), cloud(9), 10_000, 64, TIME).unwrap();
    let (slow, dropped) = (arrived(), guard.dropped("camera", "flood-packets").unwrap());
    assert!((least(500)..=most(500)).contains(&slow), "{slow} arrived");

    let wider = guard.files().uci("", &kernel_limit("packets_per_s", 2_000));
    guard.write_config(&wider).unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), true, "{answer}");
    // What was counted is counted still.
    assert!(guard.dropped("camera", "flood-packets").unwrap() >= dropped);
    flood(lab.device(0), cloud(9), 10_000, 64, TIME).unwrap();
    let fast = arrived() - slow;
    assert!(
        (least(2_000)..=most(2_000)).contains(&fast),
        "{fast} arrived"
    );
    assert!(guard.dropped("camera", "flood-packets").unwrap() > dropped);
}
