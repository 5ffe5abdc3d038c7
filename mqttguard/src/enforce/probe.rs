use std::io;
use std::net::Ipv6Addr;
use std::os::fd::AsRawFd;

use mqttguard_common::Mac;

use super::links::Link;
use super::tap::{address, packet_socket};

const ETH_P_IPV6: u16 = 0x86dd;
/// All nodes on the link (RFC 4291, 2.7.1), and their Ethernet address (RFC 2464, 7).
const ALL_NODES: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 1);
const ALL_NODES_MAC: [u8; 6] = [0x33, 0x33, 0, 0, 0, 1];
const ICMPV6: u8 = 58;
const ECHO_REQUEST: u8 = 128;
const IDENTIFIER: [u8; 2] = *b"mg";

/// Asks everybody on an interface for an answer, so that something arrives to be seen. An IPv6
/// echo request to all nodes: whoever answers has to ask for our link-local address first, if
/// nothing else.
pub(super) fn send(link: &Link) -> io::Result<()> {
    let Some(mac) = link.mac else {
        return Ok(());
    };
    let socket = packet_socket()?;
    let frame = echo_request(mac);
    let to = address(link, 0);
    // SAFETY: frame and address live until the call returns, and their lengths are given.
    let sent = unsafe {
        libc::sendto(
            socket.as_raw_fd(),
            frame.as_ptr().cast(),
            frame.len(),
            libc::MSG_DONTWAIT,
            (&raw const to).cast(),
            size_of::<libc::sockaddr_ll>() as libc::socklen_t,
        )
    };
    if sent < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}

fn echo_request(mac: Mac) -> Vec<u8> {
    let mut icmp = vec![ECHO_REQUEST, 0, 0, 0];
    icmp.extend(IDENTIFIER);
    icmp.extend([0, 1]);
    let source = link_local(mac).octets();
    let sum = checksum(&[
        &source,
        &ALL_NODES.octets(),
        &(icmp.len() as u32).to_be_bytes(),
        &[0, 0, 0, ICMPV6],
        &icmp,
    ]);
    if let Some(field) = icmp.get_mut(2..4) {
        field.copy_from_slice(&sum.to_be_bytes());
    }
    let mut frame = Vec::with_capacity(62);
    frame.extend(ALL_NODES_MAC);
    frame.extend(mac.0);
    frame.extend(ETH_P_IPV6.to_be_bytes());
    frame.extend([0x60, 0, 0, 0]);
    frame.extend((icmp.len() as u16).to_be_bytes());
    frame.extend([ICMPV6, 255]);
    frame.extend(source);
    frame.extend(ALL_NODES.octets());
    frame.extend(icmp);
    frame
}

/// The link-local address that goes with a MAC (RFC 4291, appendix A).
fn link_local(Mac([a, b, c, d, e, f]): Mac) -> Ipv6Addr {
    Ipv6Addr::from([
        0xfe,
        0x80,
        0,
        0,
        0,
        0,
        0,
        0,
        a ^ 2,
        b,
        c,
        0xff,
        0xfe,
        d,
        e,
        f,
    ])
}

/// The Internet checksum (RFC 1071) of these parts, each of even length.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            if let [high, low] = *pair {
                sum += u32::from(u16::from_be_bytes([high, low]));
            }
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_checksum_of_the_request_with_its_checksum_is_zero() {
        let frame = echo_request(Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1]));
        assert_eq!(frame.len(), 14 + 40 + 8);
        let sum = checksum(&[
            &frame[22..54],
            &8u32.to_be_bytes(),
            &[0, 0, 0, ICMPV6],
            &frame[54..],
        ]);
        assert_eq!(sum, 0);
        assert_eq!(
            link_local(Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1])).to_string(),
            "fe80::c1:1eff:fe17:1"
        );
    }
}
