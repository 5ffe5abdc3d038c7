//! The owner's first ten minutes with a fresh install, in a real browser: docs/first-ten-minutes.md.
//!
//! The devices live on by themselves meanwhile, as devices do; what the owner does to them on their own
//! pages (another server, TLS) happens when a window is open for them. Nothing is done for the owner: no
//! call, no file, no command.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};
use std::time::Duration;

use mqttguard_lab::traffic::flood;
use mqttguard_lab::{Credential, Device, Guard, Lab, Means, PLAIN_MQTT_PORT, address};
use mqttguard_tests::bus::ForeignObject;
use mqttguard_tests::house::assert_nothing_leaked;
use mqttguard_tests::luci::{Luci, check};
use serde_json::{Value, json};

/// What the plug has been set up with long ago.
const PLUG_PASSWORD: &str = "12345678";
/// How often the plug tries to reach its server.
const AGAIN: Duration = Duration::from_secs(2);
/// Multicast frames a second of a camera that has gone mad: four times what the default limits allow.
const FLOOD: u32 = 20_000;

/// The configuration file of the package, with nothing changed but the places of this house.
fn fresh(guard: &Guard) -> String {
    let package = Path::new(env!("CARGO_MANIFEST_DIR")).join("../openwrt/mqttguard");
    let shipped = fs::read_to_string(package.join("files/mqttguard.config")).unwrap();
    let main = "config mqttguard 'main'\n";
    let places = guard.files().uci("", "");
    let places = places.strip_prefix(main).unwrap();
    let places = places.replace("\tlist device 'br-lan'\n", "");
    let (head, rest) = shipped.split_once(main).unwrap();
    format!("{head}{main}{}\n{rest}", places.trim_end())
}

/// Whether the owner has a window open for the device.
fn is_awaited(guard: &Guard, name: &str) -> bool {
    guard
        .device(name)
        .is_ok_and(|device| device.get("pairing").is_some())
}

fn is_in(guard: &Guard, name: &str, state: &str) -> bool {
    guard.state(name).is_ok_and(|now| now == state)
}

/// The TLS listener of the router, as the owner reads it on the page of the window and types it into
/// the plug.
fn server(guard: &Guard) -> Credential {
    Credential {
        username: "plug".to_owned(),
        password: PLUG_PASSWORD.to_owned(),
        ca_file: guard.files().data.join("ca.crt"),
        address: address::ROUTER.to_string(),
        port: 8883,
    }
}

/// A plug that talks in the clear to its maker's server, until its owner sets it up anew.
fn plug(device: &Device, guard: &Guard, ends: &AtomicBool) {
    let maker = device.plain_client(address::CLOUD, PLAIN_MQTT_PORT);
    let maker = maker.login("plug", PLUG_PASSWORD).limit(AGAIN / 2);
    while !is_awaited(guard, device.name()) {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let _ = maker.publish("tele/kitchen-plug/STATE", "{\"POWER\":\"ON\"}", 1);
        sleep(AGAIN);
    }
    let server = server(guard);
    let client = device.client(&server);
    while !client
        .publish("stat/kitchen-plug/POWER", "ON", 1)
        .is_ok_and(|told| told.succeeded())
    {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        sleep(AGAIN);
    }
    let _commands = client.subscribe("cmnd/kitchen-plug/#", 1000).unwrap();
    for minute in 0.. {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        let energy = format!("{{\"Power\":{},\"Total\":0.{minute:03}}}", 40 + minute % 7);
        let _ = client.publish("tele/kitchen-plug/SENSOR", &energy, 0);
        sleep(AGAIN);
    }
}

/// A camera that begins to flood once the plug is in, and is quiet again after it was cut off.
fn camera(device: &Device, guard: &Guard, ends: &AtomicBool) {
    while !is_in(guard, "kitchen-plug", "enrolled") {
        if ends.load(Ordering::Relaxed) {
            return;
        }
        sleep(AGAIN);
    }
    let everybody = "239.255.255.250:1900".parse().unwrap();
    while !is_in(guard, device.name(), "quarantined") && !ends.load(Ordering::Relaxed) {
        let _ = flood(device, everybody, FLOOD, 64, Duration::from_secs(1));
    }
}

#[test]
fn the_first_ten_minutes_need_no_shell() {
    let lab = Lab::new(&["kitchen-plug", "camera"]).unwrap();
    let networks = json!({"dump": {"interface": [
        {"interface": "lan", "up": true, "l3_device": "br-lan", "device": "br-lan"},
    ]}});
    let _netifd = ForeignObject::new(lab.router.bus().socket(), "network.interface", networks);
    let mut guard = lab.launch_guard(Means::All, "", "").unwrap();
    guard.stop().unwrap();
    guard.write_config(&fresh(&guard)).unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();

    let luci = Luci::start(lab.router.bus().socket(), &guard.files().config).unwrap();
    let ends = AtomicBool::new(false);
    let seen = thread::scope(|scope| {
        scope.spawn(|| plug(lab.device(0), &guard, &ends));
        scope.spawn(|| camera(lab.device(1), &guard, &ends));
        let seen = check(&luci, &["ten-minutes"]);
        ends.store(true, Ordering::Relaxed);
        seen
    });
    seen.unwrap_or_else(|error| panic!("{error}\n{}", guard.log()));

    // What the browser showed is what was done, and nothing else left the house.
    let plug = guard.device("kitchen-plug").unwrap();
    assert_eq!(plug["state"], "enrolled", "{plug}");
    assert_eq!(plug["username"], "plug");
    assert_eq!(plug.pointer("/credential/weak"), Some(&Value::Bool(true)));
    assert_eq!(guard.state("camera").unwrap(), "new");
    assert_nothing_leaked(&lab);
}
