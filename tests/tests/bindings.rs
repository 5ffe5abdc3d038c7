//! A device sends from the interface that the owner names for it, and from the address that it
//! leases.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::net::Ipv4Addr;

use mqttguard_lab::packet::{Frame, ROUTER_MAC, UDP};
use mqttguard_lab::traffic::web_request;
use mqttguard_lab::{Device, Guard, Lab, until, wait_for};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, guarded_with};
use serde_json::{Value, json};

const DROP: &str = "\toption bindings 'drop'\n";
/// In the LAN, and nobody's.
const STRAY: Ipv4Addr = Ipv4Addr::new(192, 168, 77, 77);

fn on(interface: &str) -> String {
    // The lab's first device.
    format!("config device\n\toption mac '02:4d:47:00:01:01'\n\toption interface '{interface}'\n")
}

/// What the device is bound to, once it is bound to an address.
fn bound(guard: &Guard, name: &str) -> Value {
    wait_for("a binding", PATIENCE, || {
        let bound = guard.device(name)?.get("bound").cloned();
        Ok(bound.filter(|bound| !bound["address"].is_null()))
    })
    .unwrap()
}

/// Datagrams of the device from an address that is not its own.
fn stray(device: &Device, count: usize) {
    let raw = device.raw().unwrap();
    let frame = Frame {
        source_mac: device.mac(),
        destination_mac: ROUTER_MAC,
        vlans: &[],
        source: (STRAY, 40_000).into(),
        destination: cloud(9),
        protocol: UDP,
        flags: 0,
        payload: b"astray",
    };
    for _ in 0..count {
        raw.send(&frame.bytes()).unwrap();
    }
}

fn arrived(lab: &Lab) -> u64 {
    let tally = lab.cloud.witness().tally(STRAY.into(), UDP, 9);
    tally.unwrap().frames
}

#[test]
fn a_device_is_bound_to_its_lease_and_its_interface() {
    let (lab, guard) = guarded_with(&["plug", "lamp"], "", &on("lan0"));
    let plug = bound(&guard, "plug");
    assert_eq!(
        plug["address"],
        lab.device(0).address().unwrap().to_string()
    );
    assert_eq!(plug["interface"], "lan0");
    assert_eq!(plug["missing"], Value::Null);
    let lamp = bound(&guard, "lamp");
    assert_eq!(
        lamp["address"],
        lab.device(1).address().unwrap().to_string()
    );
    assert_eq!(lamp["interface"], Value::Null);
}

#[test]
fn an_interface_that_is_not_there_binds_to_nothing_and_is_told() {
    let (lab, guard) = guarded_with(&["plug"], DROP, &on("lan9"));
    let mac = lab.device(0).mac_text();
    let event = guard.wait_event("not-bound", Some(&mac)).unwrap();
    assert_eq!(event["interface"], "lan9", "{event}");
    web_request(lab.device(0), cloud(80)).unwrap();
    lab.router
        .netns()
        .ip_batch("link add lan9 type veth peer name lan8\n")
        .unwrap();
    guard.wait_event("bound", Some(&mac)).unwrap();
    let reload = guard.files().uci(DROP, &on("br-lan"));
    guard.write_config(&reload).unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    let device = guard.device("plug").unwrap();
    let missing = device["bound"]["missing"].as_str().unwrap();
    assert!(missing.contains("bridge"), "{device}");
    web_request(lab.device(0), cloud(80)).unwrap();
}

#[test]
fn a_stray_address_is_told_and_let_through_when_bindings_are_reported() {
    let (lab, guard) = guarded_with(&["plug"], "", "");
    let own = bound(&guard, "plug")["address"].clone();
    stray(lab.device(0), 5);
    let mac = lab.device(0).mac_text();
    let event = guard.wait_event("frame-would-drop", Some(&mac)).unwrap();
    assert_eq!(event["reason"], "address-mismatch", "{event}");
    assert_eq!(event["found"], STRAY.to_string(), "{event}");
    assert_eq!(event["expected"], own, "{event}");
    assert!(until(PATIENCE, || arrived(&lab) == 5));
    let device = guard.device("plug").unwrap();
    assert_eq!(device["reported"]["address-mismatch"], 5, "{device}");
    assert_eq!(device["frames"]["dropped"], 0, "{device}");
}

#[test]
fn a_stray_address_is_dropped_when_bindings_are_enforced() {
    let (lab, guard) = guarded_with(&["plug"], DROP, "");
    bound(&guard, "plug");
    stray(lab.device(0), 5);
    assert!(until(PATIENCE, || {
        guard.dropped("plug", "address-mismatch").unwrap() == 5
    }));
    assert_eq!(arrived(&lab), 0);
    web_request(lab.device(0), cloud(80)).unwrap();
    // Whoever asks for an address again has none to ask from.
    let mut lab = lab;
    lab.device_mut(0).request_address().unwrap();
    web_request(lab.device(0), cloud(80)).unwrap();
    drop(guard);
}

#[test]
fn a_device_on_another_port_is_dropped_and_on_its_own_it_passes() {
    let (lab, guard) = guarded_with(&["plug", "lamp"], DROP, &on("lan1"));
    bound(&guard, "plug");
    lab.device(0).connect(cloud(80), IN_VAIN).unwrap_err();
    web_request(lab.device(1), cloud(80)).unwrap();
    assert!(guard.dropped("plug", "interface-mismatch").unwrap() > 0);
    let event = guard.wait_event("frame-dropped", Some(&lab.device(0).mac_text()));
    let event = event.unwrap();
    assert_eq!(
        (&event["found"], &event["expected"]),
        (&json!("lan0"), &json!("lan1"))
    );

    let files = guard.files().uci(DROP, &on("lan0"));
    guard.write_config(&files).unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    // Its ARP was dropped too, and what asked for the router before has yet to give up.
    assert!(until(PATIENCE, || {
        web_request(lab.device(0), cloud(80)).is_ok()
    }));

    // A name that is gone binds to nothing.
    lab.router
        .netns()
        .ip_batch("link set lan0 name lan7\n")
        .unwrap();
    guard
        .wait_event("not-bound", Some(&lab.device(0).mac_text()))
        .unwrap();
    web_request(lab.device(0), cloud(80)).unwrap();
}
