//! What dnsmasq's and odhcpd's objects say about leases.

use std::net::{IpAddr, Ipv6Addr};

use mqttguard_common::Mac;
use serde_json::{Map, Value};

use super::reporter::{MAX_FACTS, hostname};

/// A lease that was given, or given back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease {
    pub(super) mac: Mac,
    pub(super) address: IpAddr,
    pub(super) hostname: Option<String>,
    pub(super) interface: Option<String>,
    /// False when it was released or ran out.
    pub(super) present: bool,
}

/// An address that odhcpd gave to a DHCPv6 client. A DUID tells nothing reliable about a MAC, so
/// none is read out of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Lease6 {
    pub(super) address: Ipv6Addr,
    pub(super) hostname: Option<String>,
    pub(super) interface: String,
}

/// A notification of the `dnsmasq` object:
/// `dhcp.ack {"mac":"02:c1:1e:17:00:01","ip":"192.168.77.149","name":"phone1","interface":"br-lan"}`.
/// `dhcp.ack` comes for renewals and DHCPINFORM too; `name` is absent where the client sent none.
pub(super) fn dnsmasq(notification: &str, data: &Map<String, Value>) -> Option<Lease> {
    let present = match notification {
        "dhcp.ack" => true,
        "dhcp.release" => false,
        _ => return None,
    };
    lease(data, "ip", "name", present)
}

/// A notification of odhcpd's `dhcp` object:
/// `dhcp.lease4 {"interface":"br-lan","ipv4":"192.168.77.147","mac":"02:c1:1e:17:00:01","hostname":"tablet7"}`.
pub(super) fn odhcpd(notification: &str, data: &Map<String, Value>) -> Option<Lease> {
    let present = match notification {
        "dhcp.lease4" => true,
        "dhcp.release4" | "dhcp.expire4" => false,
        _ => return None,
    };
    lease(data, "ipv4", "hostname", present)
}

fn lease(data: &Map<String, Value>, ip: &str, name: &str, present: bool) -> Option<Lease> {
    Some(Lease {
        mac: text(data, "mac")?.parse().ok()?,
        address: text(data, ip)?.parse().ok()?,
        hostname: text(data, name).and_then(hostname),
        interface: text(data, "interface").and_then(hostname),
        present,
    })
}

/// The reply of `dhcp ipv4leases`: leases that are in use, those merely offered or reserved left
/// out.
pub(super) fn ipv4_leases(reply: &Map<String, Value>) -> Vec<Lease> {
    let bound = |entry: &Map<String, Value>| match entry.get("flags") {
        Some(Value::Array(flags)) => flags.iter().any(|flag| flag == "bound"),
        _ => false,
    };
    entries(reply)
        .filter(|(_, entry)| bound(entry))
        .filter_map(|(interface, entry)| {
            let lease = lease(entry, "address", "hostname", true)?;
            Some(Lease {
                interface: hostname(interface),
                ..lease
            })
        })
        .take(MAX_FACTS)
        .collect()
}

/// The reply of `dhcp ipv6leases`: every address that is in use.
pub(super) fn ipv6_leases(reply: &Map<String, Value>) -> Vec<Lease6> {
    let addresses = |entry: &Map<String, Value>| match entry.get("ipv6-addr") {
        Some(Value::Array(addresses)) => addresses
            .iter()
            .filter_map(|address| text(address.as_object()?, "address")?.parse().ok())
            .collect(),
        _ => Vec::<Ipv6Addr>::new(),
    };
    entries(reply)
        .flat_map(|(interface, entry)| {
            addresses(entry).into_iter().map(move |address| Lease6 {
                address,
                hostname: text(entry, "hostname").and_then(hostname),
                interface: interface.to_owned(),
            })
        })
        .take(MAX_FACTS)
        .collect()
}

/// The members of `{"device":{"br-lan":{"leases":[...]}}}`, each with its device.
fn entries(reply: &Map<String, Value>) -> impl Iterator<Item = (&str, &Map<String, Value>)> {
    let devices = reply.get("device").and_then(Value::as_object);
    devices
        .into_iter()
        .flatten()
        .flat_map(|(interface, device)| {
            let leases = device.get("leases").and_then(Value::as_array);
            leases
                .into_iter()
                .flatten()
                .filter_map(move |entry| Some((interface.as_str(), entry.as_object()?)))
        })
}

fn text<'a>(data: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    data.get(name).and_then(Value::as_str)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("not an object: {other}"),
        }
    }

    fn expected(address: [u8; 4], name: Option<&str>, present: bool) -> Lease {
        Lease {
            mac: Mac([0x02, 0xc1, 0x1e, 0x17, 0x00, 0x01]),
            address: IpAddr::from(address),
            hostname: name.map(str::to_owned),
            interface: Some("br-lan".to_owned()),
            present,
        }
    }

    #[test]
    fn reads_dnsmasq() {
        let ack = object(json!({
            "mac": "02:c1:1e:17:00:01", "ip": "192.168.77.149", "name": "phone1",
            "interface": "br-lan",
        }));
        let there = expected([192, 168, 77, 149], Some("phone1"), true);
        assert_eq!(dnsmasq("dhcp.ack", &ack), Some(there));
        let release = object(json!({
            "mac": "02:c1:1e:17:00:01", "ip": "192.168.77.149", "interface": "br-lan",
        }));
        let gone = expected([192, 168, 77, 149], None, false);
        assert_eq!(dnsmasq("dhcp.release", &release), Some(gone));
        assert_eq!(dnsmasq("dhcp.other", &ack), None);
    }

    #[test]
    fn reads_odhcpd() {
        let data = object(json!({
            "interface": "br-lan", "ipv4": "192.168.77.147", "mac": "02:c1:1e:17:00:01",
            "hostname": "tablet7",
        }));
        let lease = expected([192, 168, 77, 147], Some("tablet7"), true);
        assert_eq!(odhcpd("dhcp.lease4", &data), Some(lease.clone()));
        let gone = Some(Lease {
            present: false,
            ..lease
        });
        assert_eq!(odhcpd("dhcp.release4", &data), gone);
        assert_eq!(odhcpd("dhcp.expire4", &data), gone);
    }

    #[test]
    fn reads_lease_tables() {
        let reply = object(json!({"device": {"br-lan": {"leases": [
            {"mac": "02c11e170001", "hostname": "tablet7", "accept-reconf": false,
             "flags": ["bound"], "address": "192.168.77.147", "valid": 43199},
            {"mac": "02c11e170002", "hostname": "", "accept-reconf": false,
             "flags": ["static"], "address": "192.168.77.148", "valid": 43199},
        ]}}}));
        let lease = expected([192, 168, 77, 147], Some("tablet7"), true);
        assert_eq!(ipv4_leases(&reply), [lease]);
        assert_eq!(ipv4_leases(&object(json!({"device": {}}))), []);
        let reply = object(json!({"device": {"br-lan": {"leases": [
            {"duid": "0001000130a1b2c302c11e170001", "iaid": 1, "hostname": "tablet7",
             "accept-reconf": false, "assigned": 2, "flags": ["bound"],
             "ipv6-addr": [{"address": "fd77:77:77::2", "preferred-lifetime": 100,
                            "valid-lifetime": 200}], "valid": 200},
        ]}}}));
        let lease = Lease6 {
            address: "fd77:77:77::2".parse().unwrap(),
            hostname: Some("tablet7".to_owned()),
            interface: "br-lan".to_owned(),
        };
        assert_eq!(ipv6_leases(&reply), [lease]);
    }

    #[test]
    fn garbage_is_no_lease() {
        for data in [
            json!({}),
            json!({"mac": 1, "ip": "192.168.77.149"}),
            json!({"mac": "02:c1:1e:17:00", "ip": "192.168.77.149"}),
            json!({"mac": "02:c1:1e:17:00:01", "ip": "192.168.77"}),
            json!({"mac": "02:c1:1e:17:00:01"}),
        ] {
            assert_eq!(dnsmasq("dhcp.ack", &object(data.clone())), None, "{data}");
        }
        for reply in [
            json!({}),
            json!({"device": []}),
            json!({"device": {"br-lan": []}}),
            json!({"device": {"br-lan": {"leases": {}}}}),
            json!({"device": {"br-lan": {"leases": [1, {"flags": 1}, {"flags": ["bound"]}]}}}),
        ] {
            assert_eq!(ipv4_leases(&object(reply.clone())), [], "{reply}");
            assert_eq!(ipv6_leases(&object(reply.clone())), [], "{reply}");
        }
    }
}
