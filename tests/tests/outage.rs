//! Parts of the router that the daemon relies on come and go; the guard stays.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::time::Duration;

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Guard, Lab, ODD_MQTT_PORT, until};
use mqttguard_tests::bus::ForeignObject;
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, guarded};
use serde_json::json;

/// The configuration with the network `lan` in place of its device.
fn by_network(guard: &Guard) -> String {
    let files = guard.files();
    files
        .uci("", "")
        .replace("list device 'br-lan'", "list network 'lan'")
}

fn netifd(lab: &Lab) -> ForeignObject {
    let dump = json!({"dump": {"interface": [
        {"interface": "lan", "up": true, "l3_device": "br-lan", "device": "br-lan"},
    ]}});
    ForeignObject::new(lab.router.bus().socket(), "network.interface", dump)
}

fn assert_guarded(lab: &Lab) {
    plaintext_connect(lab.device(0), cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();
}

#[test]
fn a_netifd_that_goes_away_takes_no_protection_along() {
    let (lab, mut guard) = guarded(&["plug"]);
    guard.write_config(&by_network(&guard)).unwrap();
    let answering = netifd(&lab);
    guard.kill().unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    drop(answering);
    // Longer than it takes to notice.
    std::thread::sleep(Duration::from_secs(8));
    assert_guarded(&lab);
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protected").unwrap(), true, "{status}");

    // Nor does it need to be there when a daemon is replaced.
    guard.kill().unwrap();
    guard.start_again().unwrap();
    assert!(until(PATIENCE, || guard.ubus("status", &json!({})).is_ok()));
    std::thread::sleep(Duration::from_secs(4));
    assert_guarded(&lab);
    let _answering = netifd(&lab);
    lab.wait_protected(&mut guard).unwrap();
    assert_guarded(&lab);
}

#[test]
fn a_start_switched_off_takes_off_what_a_killed_daemon_left() {
    let (lab, mut guard) = guarded(&["plug"]);
    assert_guarded(&lab);
    guard.kill().unwrap();
    assert_guarded(&lab);
    let off = guard.files().uci("\toption enabled '0'\n", "");
    guard.write_config(&off).unwrap();
    guard.start_again().unwrap();
    assert!(until(PATIENCE, || guard.ubus("status", &json!({})).is_ok()));
    plaintext_connect(lab.device(0), cloud(ODD_MQTT_PORT), PATIENCE).unwrap();
}

#[test]
fn a_registry_that_cannot_be_read_is_told_and_kept_and_the_house_is_guarded() {
    const DAMAGED: &str = "{\"version\": 1, \"devi";
    let (lab, mut guard) = guarded(&["plug"]);
    guard.kill().unwrap();
    let file = guard.files().data.join("registry.json");
    std::fs::write(&file, DAMAGED).unwrap();
    let _ = std::fs::remove_file(guard.files().data.join("registry.json.old"));
    guard.start_again().unwrap();
    let status = || guard.ubus("status", &json!({}));
    assert!(until(PATIENCE, || status().is_ok()));
    assert_guarded(&lab);
    let told = status().unwrap();
    assert_eq!(told.get("protected").unwrap(), false, "{told}");
    assert!(told.to_string().contains("registry.json"), "{told}");
    let answer = guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    assert!(answer.get("warning").is_some(), "{answer}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), DAMAGED);
}

#[test]
fn a_broker_without_a_place_for_its_keys_is_told_and_the_house_is_guarded() {
    let (lab, mut guard) = guarded(&["plug"]);
    guard.kill().unwrap();
    let data = guard.files().data.clone();
    std::fs::remove_dir_all(&data).unwrap();
    std::fs::write(&data, "a file where a directory should be").unwrap();
    guard.start_again().unwrap();
    let status = || guard.ubus("status", &json!({}));
    assert!(until(PATIENCE, || status().is_ok()));
    assert_guarded(&lab);
    let told = status().unwrap();
    assert_eq!(told.get("protected").unwrap(), false, "{told}");
    assert!(
        told.to_string().contains("the broker is not running"),
        "{told}"
    );
}
