//! Under which names the router's stack sees what comes in on an interface.

use std::collections::BTreeSet;

use super::EnforceError;
use super::links::{Link, Links};

/// The devices that `iifname` may name for packets that arrive on these interfaces: themselves,
/// the bridge that they are ports of, and the VLANs on top of either. Interfaces that are not
/// there stand for themselves: a rule by name holds from the moment that they appear.
///
/// # Errors
///
/// Netlink does not answer.
pub fn routed(interfaces: &[String]) -> Result<Vec<String>, EnforceError> {
    if interfaces.is_empty() {
        return Ok(Vec::new());
    }
    let links = Links::open()
        .and_then(|mut links| links.list())
        .map_err(EnforceError::Netlink)?;
    Ok(above(interfaces, &links))
}

fn above(interfaces: &[String], links: &[Link]) -> Vec<String> {
    let mut names: BTreeSet<&str> = interfaces.iter().map(String::as_str).collect();
    let mut indices: BTreeSet<u32> = BTreeSet::new();
    // Devices stand on each other only so deep: each turn finds one more or is the last.
    loop {
        let before = indices.len();
        for link in links {
            let is_above = link.vlan_of.is_some_and(|lower| indices.contains(&lower));
            if names.contains(link.name.as_str()) || is_above || indices.contains(&link.index) {
                names.insert(&link.name);
                indices.insert(link.index);
                indices.extend(link.master);
            }
        }
        if indices.len() == before {
            return names.into_iter().map(str::to_owned).collect();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, master: Option<u32>, vlan_of: Option<u32>) -> Link {
        Link {
            index,
            name: name.into(),
            master,
            vlan_of,
            is_running: true,
            ..Link::default()
        }
    }

    fn routed_by(interfaces: &[&str]) -> Vec<String> {
        // Higher devices come first, as after a restart of the network.
        let links = [
            link(1, "lo", None, None),
            link(2, "br-lan.10", None, Some(3)),
            link(3, "br-lan", None, None),
            link(4, "lan1", Some(3), None),
            link(5, "lan2", Some(3), None),
            link(6, "br-iot", None, None),
            link(7, "lan3.20", Some(6), Some(8)),
            link(8, "lan3", None, None),
            link(9, "wan", None, None),
            link(10, "pppoe-wan", None, None),
        ];
        let interfaces: Vec<String> = interfaces.iter().map(|name| (*name).into()).collect();
        above(&interfaces, &links)
    }

    #[test]
    fn a_port_is_seen_as_its_bridge_and_the_vlans_on_it() {
        assert_eq!(routed_by(&["lan1"]), ["br-lan", "br-lan.10", "lan1"]);
        assert_eq!(routed_by(&["lan3"]), ["br-iot", "lan3", "lan3.20"]);
    }

    #[test]
    fn what_stands_alone_or_is_not_there_is_itself() {
        assert_eq!(routed_by(&["wan"]), ["wan"]);
        assert_eq!(routed_by(&["br-lan.10"]), ["br-lan.10"]);
        assert_eq!(routed_by(&["usb0"]), ["usb0"]);
        assert_eq!(routed_by(&[]), [""; 0]);
    }
}
