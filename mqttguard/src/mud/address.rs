//! Which addresses a URL or name that a device chose may lead to: those of the internet, and not
//! the house's own. Else a device could have the router reach what it cannot reach itself.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Whether an address is one of the internet: unicast, of global scope, and neither the router's
/// (`own`) nor, in IPv6, of a network that the router is in.
///
/// The blocks are those of the IANA special-purpose address registries that are not globally
/// reachable. The ones for documentation lead nowhere and are left in.
pub(crate) fn is_outside(address: IpAddr, own: &[IpAddr]) -> bool {
    let is_own = |address: IpAddr| {
        own.iter().any(|mine| match (mine, address) {
            // Hosts of the house have global addresses, in the networks that the router is in.
            (IpAddr::V6(mine), IpAddr::V6(other)) => {
                mine.to_bits() >> 64 == other.to_bits() >> 64 && !mine.is_loopback()
            }
            (mine, other) => *mine == other,
        })
    };
    match address {
        IpAddr::V4(v4) => is_global_v4(v4) && !is_own(address),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => is_outside(IpAddr::V4(v4), own),
            None => is_global_v6(v6) && !is_own(address),
        },
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = match a {
        0 | 10 | 127 | 224.. => true,
        100 => b & 0xc0 == 64,
        169 => b == 254,
        172 => b & 0xf0 == 16,
        192 => (b, c) == (0, 0) || b == 168,
        198 => b & 0xfe == 18,
        _ => false,
    };
    !special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    // 2000::/3 is all that was ever given out for global unicast (RFC 4291 section 2.4).
    address
        .segments()
        .first()
        .is_some_and(|first| first & 0xe000 == 0x2000)
}

/// The IPv4 address that packets to an IPv6 address may end up at: mapped (RFC 4291), by NAT64
/// (RFC 6052), 6to4 (RFC 3056). Teredo's (RFC 4380) is taken for one that is not global.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [a, b, c, d, e, f, g, h] = address.segments();
    let v4 = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match (a, b) {
        (0, 0) if (c, d, e) == (0, 0, 0) && f == 0xffff => Some(v4(g, h)),
        (0x64, 0xff9b) => Some(v4(g, h)),
        (0x2002, _) => Some(v4(b, c)),
        (0x2001, 0) => Some(Ipv4Addr::UNSPECIFIED),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_it(address: &str) -> bool {
        let own = [
            "203.0.113.1",
            "127.0.0.1",
            "2001:db8:77::1",
            "fe80::1",
            "::1",
        ];
        let own = own.map(|address| address.parse().unwrap());
        is_outside(address.parse().unwrap(), &own)
    }

    #[test]
    fn the_internet_is_outside() {
        for address in [
            "1.1.1.1",
            "203.0.113.10",
            "100.63.255.255",
            "100.128.0.0",
            "172.15.0.1",
            "172.32.0.1",
            "192.0.1.1",
            "198.17.0.1",
            "198.20.0.1",
            "223.255.255.254",
            "2606:4700::1111",
            "2001:db8:78::1",
            "2002:101:101::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
        ] {
            assert!(is_it(address), "{address}");
        }
    }

    #[test]
    fn the_house_and_what_is_nowhere_is_not() {
        for address in [
            "0.0.0.0",
            "10.1.2.3",
            "127.0.0.1",
            "127.8.8.8",
            "100.64.0.1",
            "169.254.169.254",
            "172.16.0.1",
            "172.31.255.255",
            "192.0.0.8",
            "192.168.77.1",
            "198.18.0.1",
            "198.19.9.9",
            "224.0.0.1",
            "239.1.1.1",
            "240.0.0.1",
            "255.255.255.255",
            "203.0.113.1",
            "::",
            "::1",
            "fe80::1",
            "fe80::2",
            "fec0::1",
            "fd77:77:77::5",
            "ff02::1",
            "2001:db8:77::beef",
            "::ffff:192.168.77.1",
            "::ffff:127.0.0.1",
            "64:ff9b::c0a8:4d01",
            "2002:c0a8:4d01::1",
            "2001:0:1::1",
            "64:ff9b:1::1",
            "100::1",
        ] {
            assert!(!is_it(address), "{address}");
        }
    }
}
