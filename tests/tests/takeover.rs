//! What is enforced outlives the daemon, but not a stop on purpose.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use mqttguard_lab::packet::{PSH_ACK, TCP, UDP};
use mqttguard_lab::traffic::{flood, plaintext_connect};
use mqttguard_lab::{Guard, ODD_MQTT_PORT, until};
use mqttguard_tests::ender::Ender;
use mqttguard_tests::house::{
    IN_VAIN, PATIENCE, assert_nothing_leaked, cloud, enrol, guarded, guarded_with, kernel_limit,
    syn,
};
use rustix::process::Signal;
use serde_json::{Value, json};

/// Sends plaintext all the while that one daemon is ended by `end` and another one started.
fn not_one_plaintext_frame_passes(end: impl FnOnce(&mut Guard)) {
    let (lab, mut guard) = guarded(&["plug"]);
    let plug = lab.device(0);
    let raw = plug.raw().unwrap();
    // No SYN: those have a rate of their own, and would not all be counted as plaintext.
    let mut frame = syn(plug, cloud(1883), &[]);
    frame.flags = PSH_ACK;
    let frame = frame.bytes();
    let stop = AtomicBool::new(false);
    let sent = thread::scope(|scope| {
        let ender = Ender(&stop);
        let sender = scope.spawn(|| {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                raw.send(&frame).unwrap();
                sent += 1;
                sleep(Duration::from_micros(200));
            }
            sent
        });
        sleep(Duration::from_millis(200));
        end(&mut guard);
        sleep(Duration::from_millis(500));
        guard.start_again().unwrap();
        let taken_over = lab.wait_protected(&mut guard);
        sleep(Duration::from_millis(200));
        ender.end();
        taken_over.unwrap();
        sender.join().unwrap()
    });
    assert_nothing_leaked(&lab);
    assert!(sent > 100, "only {sent} frames were sent");
    assert!(
        until(PATIENCE, || guard
            .dropped("plug", "plaintext-port")
            .unwrap()
            == sent),
        "{} of {sent} frames were counted: {}",
        guard.dropped("plug", "plaintext-port").unwrap(),
        guard.device("plug").unwrap()
    );
}

#[test]
fn not_one_plaintext_frame_passes_while_the_daemon_is_killed_and_replaced() {
    not_one_plaintext_frame_passes(|guard| {
        guard.kill().unwrap();
    });
}

#[test]
fn not_one_plaintext_frame_passes_while_the_daemon_hands_over() {
    not_one_plaintext_frame_passes(hand_over);
}

/// As a restart of the service does.
fn hand_over(guard: &mut Guard) {
    guard.signal(Signal::USR1).unwrap();
    let process = format!("/proc/{}/stat", guard.id());
    let ended = || std::fs::read_to_string(&process).is_ok_and(|stat| stat.contains(") Z "));
    assert!(until(PATIENCE, ended), "{}", guard.log());
    assert!(guard.stop().unwrap().success(), "{}", guard.log());
}

#[test]
fn what_waits_for_the_disk_is_written_before_a_daemon_hands_over() {
    let (lab, mut guard) = guarded_with(&["lamp"], "\toption login_failures '1'\n", "");
    let credential = enrol(&guard, "lamp");
    let wrong = lab.device(0).client(&credential.with_password("wrong"));
    wrong.publish("lamp/state", "on", 1).unwrap();
    assert!(until(PATIENCE, || guard.state("lamp").unwrap() == "quarantined"));
    hand_over(&mut guard);
    let stored = std::fs::read_to_string(guard.files().data.join("registry.json")).unwrap();
    assert!(stored.contains("failed logins"), "{stored}");
}

#[test]
fn what_the_next_daemon_would_not_take_over_is_taken_off() {
    let (lab, mut guard) = guarded(&["plug"]);
    plaintext_connect(lab.device(0), cloud(1883), PATIENCE).unwrap_err();
    let off = guard.files().uci("\toption enabled '0'\n", "");
    guard.write_config(&off).unwrap();
    hand_over(&mut guard);
    assert!(!guard.files().bpf.exists());
    plaintext_connect(lab.device(0), cloud(1883), PATIENCE).unwrap();
}

#[test]
fn nftables_stands_in_where_only_the_next_daemon_is_to_guard() {
    let (lab, mut guard) = guarded(&["plug", "lamp"]);
    guard.stop().unwrap();
    let all = guard.files().uci("", "");
    let one = all.replace("list device 'br-lan'", "list device 'lan0'");
    assert_ne!(all, one);
    guard.write_config(&one).unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    plaintext_connect(lab.device(1), cloud(1883), PATIENCE).unwrap();
    guard.kill().unwrap();

    guard.write_config(&all).unwrap();
    guard.start_again().unwrap();
    guard
        .wait_status("nftables beside a predecessor's program", |status| {
            let words = status.pointer("/kernel/error").and_then(Value::as_str);
            words.is_some_and(|words| words.contains("that of the run before stands"))
                && status.get("protection") == Some(&json!("reduced"))
        })
        .unwrap();
    plaintext_connect(lab.device(1), cloud(1883), IN_VAIN).unwrap_err();
    lab.wait_protected(&mut guard).unwrap();
    plaintext_connect(lab.device(1), cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();
}

#[test]
fn a_killed_daemons_limits_and_blocks_stand() {
    let names = ["plug", "camera"];
    let (lab, mut guard) = guarded_with(&names, "", &kernel_limit("packets_per_s", 200));
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    guard.kill().unwrap();
    lab.device(0).connect(cloud(80), IN_VAIN).unwrap_err();
    let begun = Instant::now();
    flood(lab.device(1), cloud(9), 5_000, 64, Duration::from_secs(1)).unwrap();
    let most = 220.0 * (1.0 + begun.elapsed().as_secs_f64());
    let source = lab.device(1).address().unwrap().into();
    let arrived = lab.cloud.witness().tally(source, UDP, 9).unwrap().frames;
    assert!(arrived as f64 <= most, "{arrived} of {most} arrived");
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert_eq!(guard.state("plug").unwrap(), "blocked");
}

#[test]
fn a_killed_daemons_quarantine_stands_though_it_was_not_written_down() {
    let main = "\toption login_failures '1'\n";
    let (lab, mut guard) = guarded_with(&["lamp"], main, "");
    let credential = enrol(&guard, "lamp");
    let wrong = lab.device(0).client(&credential.with_password("wrong"));
    wrong.publish("lamp/state", "on", 1).unwrap();
    assert!(until(PATIENCE, || guard.state("lamp").unwrap() == "quarantined"));
    guard.kill().unwrap();
    let stored = std::fs::read_to_string(guard.files().data.join("registry.json")).unwrap();
    assert!(!stored.contains("quarantine"), "it was written: {stored}");
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert_eq!(guard.state("lamp").unwrap(), "quarantined");
}

#[test]
fn a_killed_daemons_credentials_work_with_the_next() {
    let (lab, mut guard) = guarded(&["lamp"]);
    let credential = enrol(&guard, "lamp");
    guard.kill().unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    let outcome = lab
        .device(0)
        .client(&credential)
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[test]
fn a_stop_on_purpose_detaches() {
    let (lab, mut guard) = guarded(&["plug"]);
    let plug = lab.device(0);
    plaintext_connect(plug, cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();
    let status = guard.stop().unwrap();
    assert!(status.success(), "{status}");
    plaintext_connect(plug, cloud(ODD_MQTT_PORT), PATIENCE).unwrap();
    let source = plug.address().unwrap().into();
    assert!(
        lab.cloud
            .witness()
            .tally(source, TCP, ODD_MQTT_PORT)
            .unwrap()
            .frames
            > 0
    );
}
