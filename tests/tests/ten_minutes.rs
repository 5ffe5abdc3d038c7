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
use std::sync::{Mutex, PoisonError};
use std::thread::{self, sleep};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use mqttguard_lab::traffic::flood;
use mqttguard_lab::{Credential, Device, Guard, Lab, Means, PLAIN_MQTT_PORT, address};
use mqttguard_tests::bus::ForeignObject;
use mqttguard_tests::house::assert_nothing_leaked;
use mqttguard_tests::luci::{Luci, check_with};
use serde_json::{Value, json};

/// What the plug has been set up with long ago.
const USER: &str = "plug";
const PASSWORD: &str = "1234";
/// How often the plug says something, or tries to.
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

/// What the owner has the devices do, away from the router: at the plug's own page, and with a camera
/// that goes mad at the right moment.
#[derive(Default)]
struct Orders {
    /// The certificate that the plug is given.
    ca: Mutex<Option<String>>,
    /// The server that is typed into it.
    server: Mutex<Option<(String, u16)>>,
    floods: AtomicBool,
    ends: AtomicBool,
}

impl Orders {
    fn take(&self, order: &Value) -> Result<()> {
        let text = |name: &str| order.get(name).and_then(Value::as_str);
        match (text("device"), text("trusts"), text("address")) {
            (Some("kitchen-plug"), Some(ca), None) => *lock(&self.ca) = Some(ca.to_owned()),
            (Some("kitchen-plug"), None, Some(address)) => {
                let port = order.get("port").and_then(Value::as_u64).context("port")?;
                *lock(&self.server) = Some((address.to_owned(), u16::try_from(port)?));
            }
            (Some("camera"), None, None) => self.floods.store(true, Ordering::Relaxed),
            _ => bail!("nobody does {order} here"),
        }
        Ok(())
    }

    fn end(&self) -> bool {
        self.ends.load(Ordering::Relaxed)
    }
}

fn lock<T>(held: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    held.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A plug that talks in the clear to its maker's server, until its owner sets it up anew.
fn plug(device: &Device, orders: &Orders) {
    let maker = device.plain_client(address::CLOUD, PLAIN_MQTT_PORT);
    let maker = maker.login(USER, PASSWORD).limit(AGAIN / 2);
    let (address, port) = loop {
        if orders.end() {
            return;
        }
        if let Some(server) = lock(&orders.server).clone() {
            break server;
        }
        let _ = maker.publish("tele/kitchen-plug/STATE", "{\"POWER\":\"ON\"}", 1);
        sleep(AGAIN);
    };
    let ca_file = device.dir().join("ca.crt");
    fs::write(&ca_file, lock(&orders.ca).as_deref().unwrap()).unwrap();
    let client = device.client(&Credential {
        username: USER.to_owned(),
        password: PASSWORD.to_owned(),
        ca_file,
        address,
        port,
    });
    let got_in = || client.publish("stat/kitchen-plug/POWER", "ON", 1);
    while !got_in().is_ok_and(|outcome| outcome.succeeded()) {
        if orders.end() {
            return;
        }
        sleep(AGAIN);
    }
    let _commands = client.subscribe("cmnd/kitchen-plug/#", 1000).unwrap();
    for at in 0_u32.. {
        if orders.end() {
            return;
        }
        let energy = format!("{{\"Power\":{},\"Total\":0.{at:03}}}", 40 + at % 7);
        let _ = client.publish("tele/kitchen-plug/SENSOR", &energy, 0);
        sleep(AGAIN);
    }
}

/// A camera that goes mad when it is told, and is quiet again once it was cut off.
fn camera(device: &Device, guard: &Guard, orders: &Orders) {
    while !orders.floods.load(Ordering::Relaxed) {
        if orders.end() {
            return;
        }
        sleep(AGAIN / 10);
    }
    let everybody = "239.255.255.250:1900".parse().unwrap();
    while guard
        .state(device.name())
        .is_ok_and(|state| state != "quarantined")
        && !orders.end()
    {
        flood(device, everybody, FLOOD, 64, Duration::from_secs(1)).unwrap();
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
    let orders = Orders::default();
    let seen = thread::scope(|scope| {
        scope.spawn(|| plug(lab.device(0), &orders));
        scope.spawn(|| camera(lab.device(1), &guard, &orders));
        let seen = check_with(&luci, &["ten-minutes"], |order| orders.take(order));
        orders.ends.store(true, Ordering::Relaxed);
        seen
    });
    seen.unwrap_or_else(|error| panic!("{error:#}\n{}", guard.log()));

    // What the browser showed is what was done, and nothing has left the house in the clear.
    let plug = guard.device("kitchen-plug").unwrap();
    assert_eq!(plug["state"], "enrolled", "{plug}");
    assert_eq!(plug["username"], USER);
    assert_eq!(plug.pointer("/credential/weak"), Some(&Value::Bool(true)));
    assert_eq!(guard.state("camera").unwrap(), "new");
    assert_nothing_leaked(&lab);
}
