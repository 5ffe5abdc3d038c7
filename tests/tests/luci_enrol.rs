//! Enrol and Settings in a real browser, on a real daemon in a house: see `tests/luci`.

use std::fs;

use anyhow::{Context as _, Result, bail};
use mqttguard_lab::{Credential, Device, Guard, Subscription, address};
use mqttguard_tests::house::guarded_with;
use mqttguard_tests::luci::{Luci, check, check_with};
use serde_json::{Value, json};

/// A user name that is somebody's attempt at the owner's browser.
const HOSTILE: &str = "<img src=x onerror=\"window.hostile = 1\">";

/// What devices do while the owner looks: one that `stays` subscribes to `filter`, another is refused.
fn connect<'a>(
    devices: &[&'a Device],
    guard: &Guard,
    order: &Value,
    stays: &mut Vec<Subscription>,
) -> Result<()> {
    let text = |name: &str| {
        let value = order.get(name).and_then(Value::as_str);
        value.with_context(|| format!("no {name} in {order}"))
    };
    let name = text("device")?;
    let device = devices.iter().find(|device| device.name() == name);
    let device = device.with_context(|| format!("no device {name}"))?;
    let username = match text("username")? {
        "hostile" => HOSTILE,
        username => username,
    };
    let credential = Credential {
        username: username.to_owned(),
        password: text("password")?.to_owned(),
        ca_file: guard.files().data.join("ca.crt"),
        address: address::ROUTER.to_string(),
        port: 8883,
    };
    let client = device.client(&credential);
    match order.get("stays").and_then(Value::as_bool) {
        Some(true) => stays.push(client.subscribe(text("filter")?, 100)?),
        _ => {
            if client.publish("a", "b", 1)?.succeeded() {
                bail!("{name} got in as {username}");
            }
        }
    }
    Ok(())
}

#[test]
fn the_owner_enrols_devices_and_changes_the_settings() {
    let (lab, mut guard) = guarded_with(
        &["tasmota-0a0a0a", "lamp", "plug", "visitor"],
        "\toption login_failures '50'\n",
        "config listener 'tls'\n\toption kind 'tls'\n",
    );
    let devices: Vec<&Device> = (0..4).map(|number| lab.device(number)).collect();
    let config = guard.files().config.clone();
    let luci = Luci::start(lab.router.bus().socket(), &config).unwrap();
    let mut stays = Vec::new();
    check_with(&luci, &["enrol"], |order| {
        connect(&devices, &guard, order, &mut stays)
    })
    .unwrap();

    // What the browser showed is what was done.
    let device = |name: &str| guard.device(name).unwrap();
    assert_eq!(device("tasmota-0a0a0a")["profile"], "tasmota");
    assert_eq!(device("lamp")["username"], "factory");
    let certificates = &device("visitor")["credential"]["certificates"];
    assert_eq!(certificates.as_array().unwrap().len(), 1);
    assert_eq!(device("plug")["state"], "new");
    assert!(device("plug").get("pairing").is_none());

    let before = guard.ubus("ca", &json!({})).unwrap();
    check(&luci, &["settings"]).unwrap();
    let after = guard.ubus("ca", &json!({})).unwrap();
    assert_eq!(before["ca"], after["ca"]);
    assert_ne!(before["leaves"][0]["sha256"], after["leaves"][0]["sha256"]);
    let text = fs::read_to_string(&config).unwrap();
    assert!(text.contains("option mode 'monitor'"), "{text}");
    assert_eq!(guard.ubus("status", &json!({})).unwrap()["mode"], "monitor");

    guard.stop().unwrap();
    check(&luci, &["settings_stopped"]).unwrap();
}
