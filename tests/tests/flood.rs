//! A device that floods is held to its limits, and nobody else is.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use mqttguard_lab::packet::UDP;
use mqttguard_lab::traffic::{flood, open_connections, web_request};
use mqttguard_lab::{Guard, Lab, until};
use mqttguard_tests::ender::Ender;
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded_with, kernel_limit, router};
use serde_json::{Value, json};

const TIME: Duration = Duration::from_secs(2);

/// That a flood of at least [`TIME`] was held to `rate` a second. What must pass at the least: the
/// rate, less a tenth. What may in the time it took: a second's worth at once, the rate after that,
/// and a tenth, to which rates are kept.
#[track_caller]
fn assert_held(rate: u64, begun: Instant, arrived: u64) {
    let (rate, took) = (rate as f64, begun.elapsed().as_secs_f64());
    let least = rate * TIME.as_secs_f64() * 0.9;
    let most = rate * (1.0 + took) * 1.1;
    assert!(
        (least..=most).contains(&(arrived as f64)),
        "{arrived} arrived in {took} s"
    );
}

#[test]
fn packets_are_held_to_their_rate() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("packets_per_s", 500));
    let begun = Instant::now();
    let sent = flood(lab.device(0), cloud(9), 10_000, 64, TIME).unwrap();
    let source = lab.device(0).address().unwrap().into();
    let arrived = lab.cloud.witness().tally(source, UDP, 9).unwrap().frames;
    assert_held(500, begun, arrived);
    assert!(guard.dropped("camera", "flood-packets").unwrap() >= sent - arrived);
}

#[test]
fn bytes_are_held_to_their_rate() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("bytes_per_s", 500_000));
    let begun = Instant::now();
    flood(lab.device(0), cloud(9), 2_000, 1_400, TIME).unwrap();
    let source = lab.device(0).address().unwrap().into();
    let arrived = lab.cloud.witness().tally(source, UDP, 9).unwrap().bytes;
    assert_held(500_000, begun, arrived);
    assert!(guard.dropped("camera", "flood-bytes").unwrap() > 0);
}

#[test]
fn new_connections_are_held_to_their_rate() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("connections_per_s", 5));
    // Less than it takes a device to ask once more.
    let limit = Duration::from_millis(300);
    let begun = Instant::now();
    let open = open_connections(lab.device(0), cloud(443), 20, limit).unwrap();
    let most = 5.0 * (1.0 + begun.elapsed().as_secs_f64()) + 1.0;
    assert!(
        open >= 5 && f64::from(open) <= most,
        "{open} of 20 were opened, at most {most}"
    );
    assert!(guard.dropped("camera", "flood-connections").unwrap() > 0);
}

#[test]
fn another_device_passes_untouched_meanwhile() {
    let names = ["camera", "lamp"];
    let (lab, guard) = guarded_with(&names, "", &kernel_limit("packets_per_s", 500));
    let lamp = lab.device(1);
    // So that neighbours know each other before frames are counted.
    web_request(lamp, cloud(80)).unwrap();
    let stop = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let ender = Ender(&stop);
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                flood(lab.device(0), cloud(9), 20_000, 64, TIME / 8).unwrap();
            }
        });
        let sent = flood(lamp, cloud(9), 100, 64, TIME / 2).unwrap();
        let page = web_request(lamp, cloud(80));
        ender.end();
        page.unwrap();
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
    flood_into_quarantine(&lab, &guard);
    guard
        .wait_event("state-changed", Some(&lab.device(0).mac_text()))
        .unwrap();
}

/// Floods until the device is in quarantine, from a house where two seconds of it are enough.
fn flood_into_quarantine(lab: &Lab, guard: &Guard) {
    assert!(until(PATIENCE, || {
        flood(lab.device(0), cloud(9), 2_000, 64, TIME / 8).unwrap();
        guard.state("camera").unwrap() == "quarantined"
    }));
}

#[test]
fn a_quarantine_ends_by_itself_and_the_device_is_as_it_was() {
    let main = "\toption flood_seconds '2'\n\toption quarantine '10s'\n";
    let (lab, guard) = guarded_with(&["camera"], main, &kernel_limit("packets_per_s", 200));
    let client = lab.device(0).client(&enrol(&guard, "camera"));
    let publish = || client.publish("camera/state", "on", 1);
    assert!(publish().unwrap().succeeded());
    flood_into_quarantine(&lab, &guard);
    lab.device(0).connect(router(8883), IN_VAIN).unwrap_err();
    assert!(guard.dropped("camera", "quarantined").unwrap() > 0);
    // Only MQTT is under suspicion.
    web_request(lab.device(0), cloud(80)).unwrap();

    assert!(until(PATIENCE, || {
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
    let in_vain = || lab.device(0).connect(router(8883), IN_VAIN).unwrap_err();
    flood_into_quarantine(&lab, &guard);
    in_vain();
    let quarantined = guard.dropped("camera", "quarantined").unwrap();
    let flooded = guard.dropped("camera", "flood-packets").unwrap();
    assert!(quarantined > 0 && flooded > 0);

    guard.kill().unwrap();
    in_vain();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert_eq!(guard.state("camera").unwrap(), "quarantined");
    assert!(guard.dropped("camera", "quarantined").unwrap() > quarantined);
    assert!(guard.dropped("camera", "flood-packets").unwrap() >= flooded);
    in_vain();

    guard
        .ubus("unblock", &json!({ "device": "camera" }))
        .unwrap();
    let outcome = client.publish("camera/state", "on", 1).unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[test]
fn limits_change_while_all_goes_on() {
    let (lab, guard) = guarded_with(&["camera"], "", &kernel_limit("packets_per_s", 500));
    let source = lab.device(0).address().unwrap().into();
    let arrived = || lab.cloud.witness().tally(source, UDP, 9).unwrap().frames;
    let begun = Instant::now();
    flood(lab.device(0), cloud(9), 10_000, 64, TIME).unwrap();
    let (slow, dropped) = (arrived(), guard.dropped("camera", "flood-packets").unwrap());
    assert_held(500, begun, slow);

    let wider = guard.files().uci("", &kernel_limit("packets_per_s", 2_000));
    guard.write_config(&wider).unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer.get("ok").unwrap(), true, "{answer}");
    // What was counted is counted still.
    assert!(guard.dropped("camera", "flood-packets").unwrap() >= dropped);
    let begun = Instant::now();
    flood(lab.device(0), cloud(9), 10_000, 64, TIME).unwrap();
    assert_held(2_000, begun, arrived() - slow);
    assert!(guard.dropped("camera", "flood-packets").unwrap() > dropped);
}
