//! The report of a real daemon on a real house: what its devices do shows in it, and what the owner
//! does mends it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Guard, PLAIN_MQTT_PORT, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded};
use serde_json::{Value, json};

/// The verdict on an item, and the devices that it does not hold for.
fn item(guard: &Guard, id: &str) -> (String, Vec<String>) {
    let report = guard.ubus("report", &json!({})).unwrap();
    let items = report["items"].as_array().unwrap();
    let item = items.iter().find(|item| item["id"] == id);
    let item = item.unwrap_or_else(|| panic!("no item {id} in {report}"));
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let devices = item["devices"].as_array().unwrap().iter();
    let devices = devices.map(|device| text(&device["name"])).collect();
    (text(&item["verdict"]), devices)
}

#[test]
fn the_report_follows_what_happens_in_the_house() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let (lamp, plug) = (lab.device(0), lab.device(1));
    let none: Vec<String> = Vec::new();
    let holds = ("holds".to_owned(), none.clone());
    let of = |verdict: &str, device: &str| (verdict.to_owned(), vec![device.to_owned()]);
    assert_eq!(item(&guard, "etsi-5.5-1"), holds);
    assert_eq!(
        item(&guard, "etsi-5.3-1"),
        ("outside".to_owned(), none.clone())
    );

    // A plug that talks in the clear is the only one that speaks MQTT, and does so wrongly.
    plaintext_connect(plug, cloud(PLAIN_MQTT_PORT), IN_VAIN).unwrap_err();
    let told = until(PATIENCE, || {
        item(&guard, "etsi-5.5-1") == of("open", "plug")
    });
    assert!(told, "{:?}", item(&guard, "etsi-5.5-1"));
    assert_eq!(item(&guard, "etsi-5.1-1"), of("open", "plug"));
    // Beside a lamp that does it right, it is one of two.
    let credential = enrol(&guard, "lamp");
    let client = lamp.client(&credential);
    let _session = client.subscribe("lamp/#", 100).unwrap();
    let told = until(PATIENCE, || {
        item(&guard, "etsi-5.5-1") == of("partly", "plug")
    });
    assert!(told, "{:?}", item(&guard, "etsi-5.5-1"));
    assert_eq!(item(&guard, "owasp-i8"), of("partly", "plug"));

    // Allowed out, it is so by name; blocked, it is out of the question.
    let out = json!({ "device": "plug", "for": 3600 });
    guard.ubus("allow", &out).unwrap();
    assert_eq!(item(&guard, "etsi-5.5-6"), of("partly", "plug"));
    guard
        .ubus("disallow", &json!({ "device": "plug" }))
        .unwrap();
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    assert_eq!(item(&guard, "etsi-5.5-1"), holds);
    assert_eq!(item(&guard, "etsi-5.1-1"), holds);

    // Quarantined, it waits for a decision.
    guard
        .ubus("quarantine", &json!({ "device": "lamp" }))
        .unwrap();
    assert_eq!(item(&guard, "etsi-5.9-1"), of("partly", "lamp"));
    guard.ubus("release", &json!({ "device": "lamp" })).unwrap();
    assert_eq!(item(&guard, "etsi-5.9-1"), holds);

    // Only watching, nothing is protected.
    let config = guard.files().uci("\toption mode 'monitor'\n", "");
    guard.write_config(&config).unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(item(&guard, "etsi-5.5-1").0, "open");
    assert_eq!(item(&guard, "owasp-i9").0, "open");
    assert_eq!(item(&guard, "etsi-5.10-1"), holds);
    // Mistakes in the file are told, and change nothing.
    guard
        .write_config("config mqttguard 'main'\n\toption mode 'sleep'\n")
        .unwrap();
    let _ = guard.ubus("reload", &json!({}));
    assert_eq!(item(&guard, "nist-product-configuration-3").0, "open");
}
