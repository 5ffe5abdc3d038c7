//! Enrol and Settings in a real browser, on a real daemon in a house: see `tests/luci`.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mqttguard_lab::{Credential, Device, Guard, Subscription, address, until};
use mqttguard_tests::firmware::{Mqtt, OpenBeken, Served, Shelly, Tasmota};
use mqttguard_tests::house::{IN_VAIN, guarded_with};
use mqttguard_tests::luci::{Luci, check, check_with};
use serde_json::{Value, json};

/// A user name that is somebody's attempt at the owner's browser.
const HOSTILE: &str = "<img src=x onerror=\"window.hostile = 1\">";

/// What devices do while the owner looks: one that `stays` subscribes to `filter`, another is refused.
fn connect(
    devices: &[&Device],
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
    let password = text("password")?;
    let client = match order.get("plain").and_then(Value::as_u64) {
        Some(port) => device
            .plain_client(address::ROUTER, u16::try_from(port)?)
            .login(username, password),
        None => device.client(&Credential {
            username: username.to_owned(),
            password: password.to_owned(),
            ca_file: guard.files().data.join("ca.crt"),
            address: address::ROUTER.to_string(),
            port: 8883,
        }),
    };
    match order.get("stays").and_then(Value::as_bool) {
        Some(true) => stays.push(client.subscribe(text("filter")?, 100)?),
        _ => {
            // Long enough to be refused, and no longer: other orders wait.
            let client = client.limit(IN_VAIN * 5);
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

/// The password of a device's web interface; `checks/setup.mjs` types it.
const WEB_PASSWORD: &str = "web s3cret & more";

/// What a device was set to over its web interface, as an order of its owner to use it: it subscribes
/// to `filter`, with its own topic in the place of `%`.
fn as_set(order: &Value, set: &Mqtt, filter: &str) -> Value {
    let mut out = json!({
        "device": order["device"], "username": set.username, "password": set.password,
        "filter": filter.replace('%', &set.topic), "stays": true,
    });
    if !set.tls {
        out["plain"] = json!(set.port);
    }
    out
}

#[test]
fn the_owner_has_devices_set_up_and_lets_some_on_the_island() {
    let (lab, guard) = guarded_with(
        &[
            "kettle",
            "boiler",
            "wled-0b0b0b",
            "lamp",
            "plug",
            "shellyplus1pm-a8032ab12345",
            "obk7a3f1c2d",
        ],
        "\toption login_failures '50'\n",
        "",
    );
    let has_rsa = || {
        let status = guard.ubus("status", &json!({})).unwrap();
        status
            .pointer("/broker/certificates/rsa")
            .is_some_and(Value::is_string)
    };
    assert!(until(Duration::from_secs(60), has_rsa));
    let devices: Vec<&Device> = (0..7).map(|number| lab.device(number)).collect();
    let kettle = Served::on(devices[0], Tasmota::new(true, Some(WEB_PASSWORD)));
    let boiler = Served::on(devices[1], Tasmota::new(false, None));
    let shelly = Served::on(devices[5], Shelly::new(Some(WEB_PASSWORD)));
    let beken = Served::on(devices[6], OpenBeken::new(true, Some(WEB_PASSWORD)));
    let now = |device: &Value| match device.as_str().unwrap_or_default() {
        "shellyplus1pm-a8032ab12345" => (shelly.now().in_force.clone(), "%/command"),
        "obk7a3f1c2d" => (beken.now().mqtt(), "%/+/set"),
        name => {
            let tasmota = if name == "kettle" { &kettle } else { &boiler };
            // It works its orders off after it has answered.
            let settled = until(Duration::from_secs(10), || {
                tasmota.now().settle();
                tasmota.now().is_settled()
            });
            assert!(settled, "{name}");
            (tasmota.now().set.clone(), "cmnd/%/#")
        }
    };
    let config = guard.files().config.clone();
    let luci = Luci::start(lab.router.bus().socket(), &config).unwrap();
    let mut stays = Vec::new();
    let seen = check_with(&luci, &["setup"], |order| {
        let order = match order.get("set").and_then(Value::as_bool) {
            Some(true) => {
                let (set, filter) = now(&order["device"]);
                as_set(order, &set, filter)
            }
            _ => order.clone(),
        };
        connect(&devices, &guard, &order, &mut stays)
    });
    seen.unwrap_or_else(|error| panic!("{error:#}\n{}", guard.log()));

    // What the browser showed is what was done.
    assert!(kettle.now().set.tls && !boiler.now().set.tls);
    assert_eq!(guard.device("kettle").unwrap()["profile"], "tasmota");
    // These two verify the router by its CA.
    for (set, profile) in [
        (shelly.now().in_force.clone(), "shelly"),
        (beken.now().mqtt(), "openbeken"),
    ] {
        assert!(set.tls && set.ca.contains("BEGIN CERTIFICATE"), "{set:?}");
        assert_eq!(guard.device(&set.username).unwrap()["profile"], profile);
    }
    let text = fs::read_to_string(&config).unwrap();
    assert_eq!(text.matches("option kind 'plain'").count(), 1, "{text}");
    // One of the three that came by the island was sent back.
    assert_eq!(text.matches("option plaintext '1'").count(), 2, "{text}");
    assert!(!guard.log().contains(WEB_PASSWORD));
}
