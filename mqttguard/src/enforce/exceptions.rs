use std::collections::BTreeMap;

use ipnet::IpNet;
use mqttguard_common::address_key;
use mqttguard_common::{ExceptionRule, Exceptions, MAX_EXCEPTIONS, MAX_PREFIXES, V4_PREFIX};

use super::EnforceError;
use crate::config::Exception;

/// A prefix as the kernel's trie holds it: its length in bits and its address.
pub(super) type Prefix = (u32, [u8; 16]);

/// What to put into the kernel's trie for these exceptions. It finds the longest prefix only,
/// so every prefix also carries the exceptions of those that cover it.
///
/// IPv4 lies inside IPv6's `::/0` there, so IPv4's own root always gets an entry: no IPv6
/// exception is found for an IPv4 address.
///
/// # Errors
///
/// More prefixes, or more exceptions for one destination, than there is room for.
pub(super) fn table(
    exceptions: &[Exception],
) -> Result<BTreeMap<Prefix, Exceptions>, EnforceError> {
    let mut table = BTreeMap::new();
    table.insert(V4_ROOT, Exceptions::default());
    for exception in exceptions {
        table.insert(prefix(exception.destination), Exceptions::default());
    }
    if table.len() > MAX_PREFIXES as usize {
        return Err(EnforceError::Room {
            what: "different destinations of exceptions".into(),
            found: table.len(),
            room: MAX_PREFIXES as usize,
        });
    }
    for (&place, row) in &mut table {
        let rules: Vec<ExceptionRule> = exceptions
            .iter()
            .filter(|exception| covers(prefix(exception.destination), place))
            .map(|exception| ExceptionRule {
                mac: exception.mac.map_or([0; 6], |mac| mac.0),
                port: exception.port.unwrap_or(0),
            })
            .collect();
        if rules.len() > MAX_EXCEPTIONS {
            return Err(EnforceError::Room {
                what: "exceptions that apply to one destination".into(),
                found: rules.len(),
                room: MAX_EXCEPTIONS,
            });
        }
        row.count = rules.len() as u64;
        for (to, from) in row.rules.iter_mut().zip(rules) {
            *to = from;
        }
    }
    Ok(table)
}

/// All of IPv4.
const V4_ROOT: Prefix = (
    V4_PREFIX,
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, 0, 0],
);

fn prefix(net: IpNet) -> Prefix {
    let offset = match net {
        IpNet::V4(_) => V4_PREFIX,
        IpNet::V6(_) => 0,
    };
    (
        offset + u32::from(net.prefix_len()),
        address_key(net.network()),
    )
}

fn covers(outer: Prefix, inner: Prefix) -> bool {
    contains(outer, inner) && contains(V4_ROOT, outer) == contains(V4_ROOT, inner)
}

fn contains(outer: Prefix, inner: Prefix) -> bool {
    let common = (u128::from_be_bytes(outer.1) ^ u128::from_be_bytes(inner.1)).leading_zeros();
    outer.0 <= inner.0 && common >= outer.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use mqttguard_common::Mac;

    fn exception(destination: &str, mac: Option<u8>, port: Option<u16>) -> Exception {
        Exception {
            name: "test".into(),
            mac: mac.map(|last| Mac([2, 0, 0, 0, 0, last])),
            destination: destination.parse().unwrap(),
            port,
        }
    }

    fn ports(table: &BTreeMap<Prefix, Exceptions>, net: &str) -> Vec<u16> {
        let row = table[&prefix(net.parse().unwrap())];
        let mut ports: Vec<u16> = row.rules[..row.count as usize]
            .iter()
            .map(|rule| rule.port)
            .collect();
        ports.sort_unstable();
        ports
    }

    #[test]
    fn a_longer_prefix_carries_the_exceptions_of_shorter_ones() {
        let table = table(&[
            exception("10.0.0.0/8", None, Some(1)),
            exception("10.1.0.0/16", None, Some(2)),
            exception("10.1.0.0/16", Some(3), Some(3)),
            exception("10.1.2.3/32", None, Some(4)),
            exception("11.0.0.0/8", None, Some(5)),
        ])
        .unwrap();
        assert_eq!(ports(&table, "10.0.0.0/8"), [1]);
        assert_eq!(ports(&table, "10.1.0.0/16"), [1, 2, 3]);
        assert_eq!(ports(&table, "10.1.2.3/32"), [1, 2, 3, 4]);
        assert_eq!(ports(&table, "11.0.0.0/8"), [5]);
    }

    #[test]
    fn everything_of_one_family_is_nothing_of_the_other() {
        let table = table(&[
            exception("::/0", None, Some(6)),
            exception("0.0.0.0/0", None, Some(4)),
            exception("192.0.2.1/32", None, Some(5)),
            exception("2001:db8::/32", None, Some(7)),
        ])
        .unwrap();
        assert_eq!(ports(&table, "::/0"), [6]);
        assert_eq!(ports(&table, "0.0.0.0/0"), [4]);
        assert_eq!(ports(&table, "192.0.2.1/32"), [4, 5]);
        assert_eq!(ports(&table, "2001:db8::/32"), [6, 7]);
    }

    #[test]
    fn ipv4_has_its_root_even_without_exceptions() {
        let table = table(&[exception("::/0", None, None)]).unwrap();
        assert_eq!(ports(&table, "0.0.0.0/0"), [0u16; 0]);
    }

    #[test]
    fn host_bits_do_not_make_another_prefix() {
        let table = table(&[exception("10.1.2.3/8", None, Some(1))]).unwrap();
        assert_eq!(ports(&table, "10.0.0.0/8"), [1]);
    }

    #[test]
    fn too_many_for_one_destination_is_an_error() {
        let many: Vec<_> = (0..17)
            .map(|port| exception("10.0.0.0/8", None, Some(port + 1)))
            .collect();
        assert!(table(&many[..16]).is_ok());
        assert!(matches!(
            table(&many),
            Err(EnforceError::Room { found: 17, .. })
        ));
    }
}
