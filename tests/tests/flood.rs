//! A device that floods is held to its limits, and nobody else is.

use std::thread;
use std::time::Duration;

use mqttguard_lab::packet::UDP;
use mqttguard_lab::traffic::{flood, open_connections, web_request};
use mqttguard_tests::house::{cloud, guarded_with, kernel_limit};

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
