use std::net::{IpAddr, UdpSocket};

use mqttguard_common::Mac;
use serde_json::Value;

use crate::daemon::snippets;
use crate::daemon::wiring::Daemon;
use crate::json::json;
use crate::naming::Firmware;
use crate::registry::Device;

/// The answer to `enrol`: the only time that the password is shown.
pub(in crate::daemon) fn credential(
    daemon: &Daemon,
    mac: Mac,
    username: &str,
    password: &str,
) -> Value {
    let device = daemon.registry.device(mac);
    let mut out = json!({
        "mac": mac.to_string(),
        "name": device.map(|device| device.name.as_str()),
        "username": username,
        "password": password,
        "profile": device.map(|device| daemon.registry.profile_name(device)),
    });
    add_server(daemon, mac, &mut out);
    if let Some(out) = out.as_object_mut() {
        let state = device.map(|device| device.state().name());
        out.insert("state".to_owned(), json!(state));
        let firmware = device
            .and_then(Device::probable_firmware)
            .map(Firmware::name);
        out.insert("firmware".to_owned(), json!(firmware));
        let snippets = snippets::report(daemon, mac, None, Some(password));
        out.insert("snippets".to_owned(), json!(snippets));
    }
    out
}

/// Where a device finds the broker, and what it knows it by.
pub(in crate::daemon) fn add_server(daemon: &Daemon, mac: Mac, out: &mut Value) {
    let device = daemon.registry.device(mac);
    let listener = daemon.configuration.settings.tls_listener();
    let main = &daemon.configuration.settings.main;
    let server = json!({
        "server": main.hostname,
        "address": device.and_then(|device| router_address(daemon, device)),
        "port": listener.map(|listener| listener.port),
        "ca_file": main.data_dir.join("ca.crt"),
    });
    if let (Some(out), Value::Object(server)) = (out.as_object_mut(), server) {
        out.extend(server);
    }
}

/// The router's address as the device sees it: the one that the kernel would answer it from.
fn router_address(daemon: &Daemon, device: &Device) -> Option<IpAddr> {
    let toward = |address: &IpAddr| {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any).ok()?;
        // Connecting a UDP socket only looks up the route.
        socket.connect((*address, 9)).ok()?;
        socket.local_addr().ok().map(|local| local.ip())
    };
    let first_private = || {
        let private = |address: &&IpAddr| matches!(address, IpAddr::V4(v4) if v4.is_private());
        daemon.guard.addresses().iter().find(private).copied()
    };
    // Every firmware can do IPv4, and the person at the keyboard types it more easily.
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = device
        .addresses
        .iter()
        .rev()
        .partition(|address| address.is_ipv4());
    let seen = v4.iter().chain(&v6);
    seen.filter_map(toward).next().or_else(first_private)
}
