//! From the names of OpenWrt's networks to Linux devices.

use std::path::Path;
use std::time::Duration;

use serde_json::Value;

use crate::ubus::{CallError, call};

/// How long netifd may take to answer.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The Linux device of each of these networks, such as `br-lan` of `lan`, as netifd has it: each
/// network with its device, those left out that netifd does not know or that have none now.
///
/// # Errors
///
/// When the bus or netifd does not answer.
pub fn resolve_networks(
    socket: &Path,
    networks: &[String],
) -> Result<Vec<(String, String)>, CallError> {
    let dump = call(socket, "network.interface", "dump", Value::Null, TIMEOUT)?;
    Ok(devices(&dump, networks))
}

fn devices(dump: &Value, networks: &[String]) -> Vec<(String, String)> {
    let interfaces = dump
        .get("interface")
        .and_then(Value::as_array)
        .map_or(&[][..], Vec::as_slice);
    let device = |network: &String| {
        let named = |interface: &&Value| {
            interface.get("interface").and_then(Value::as_str) == Some(network.as_str())
        };
        let interface = interfaces.iter().find(named)?;
        // A network that is down has no `l3_device`; its `device` is what it will use.
        let device = interface
            .get("l3_device")
            .or_else(|| interface.get("device"))?;
        Some((network.clone(), device.as_str()?.to_owned()))
    };
    networks.iter().filter_map(device).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_the_devices_of_networks() {
        let dump = json!({"interface": [
            {"interface": "lan", "up": true, "l3_device": "br-lan", "proto": "static",
             "device": "br-lan", "ipv4-address": [{"address": "192.168.77.1", "mask": 24}]},
            {"interface": "guest", "up": false, "device": "br-guest", "proto": "static"},
            {"interface": "wan", "up": true, "l3_device": "pppoe-wan", "device": "eth0"},
            {"interface": "vpn", "up": false, "proto": "none"},
        ]});
        let networks = ["lan", "guest", "wan", "vpn", "absent"].map(str::to_owned);
        let pair = |network: &str, device: &str| (network.to_owned(), device.to_owned());
        assert_eq!(
            devices(&dump, &networks),
            [
                pair("lan", "br-lan"),
                pair("guest", "br-guest"),
                pair("wan", "pppoe-wan")
            ]
        );
    }

    #[test]
    fn garbage_has_no_devices() {
        for dump in [
            json!({}),
            json!({"interface": {}}),
            json!({"interface": [1, {}, null]}),
        ] {
            assert_eq!(devices(&dump, &["lan".to_owned()]), []);
        }
    }
}
