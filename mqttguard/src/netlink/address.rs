//! Addresses of this machine.

use std::io;
use std::net::IpAddr;

use super::message::{address, attributes};
use super::socket::{Family, Socket};

// linux/rtnetlink.h, linux/if_addr.h
const RTM_NEWADDR: u16 = 20;
const RTM_GETADDR: u16 = 22;
const IFA_ADDRESS: u16 = 1;
const IFA_LOCAL: u16 = 2;
/// struct ifaddrmsg.
const IFADDRMSG: usize = 8;

/// Every address of this machine, on all interfaces: each once, IPv4 before IPv6, in ascending order,
/// so that two answers can be compared.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let take = |kind, body: &[u8]| parse(body).filter(|_| kind == RTM_NEWADDR);
    let (addresses, _) = Socket::open(Family::Route)?.table(RTM_GETADDR, &[0; IFADDRMSG], take)?;
    Ok(in_order(addresses))
}

fn in_order(mut addresses: Vec<IpAddr>) -> Vec<IpAddr> {
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// This machine's address in a message.
fn parse(body: &[u8]) -> Option<IpAddr> {
    let family = *body.first()?;
    let (mut local, mut other) = (None, None);
    for (kind, value) in attributes(body.get(IFADDRMSG..)?) {
        match kind {
            IFA_LOCAL => local = address(family, value),
            // On a point-to-point link it is the other end's.
            IFA_ADDRESS => other = address(family, value),
            _ => {}
        }
    }
    local.or(other)
}

#[cfg(test)]
mod tests {
    use super::super::message::push;
    use super::*;

    fn message(list: &[(u16, [u8; 4])]) -> Vec<u8> {
        let mut body = vec![libc::AF_INET as u8, 32, 0, 0, 1, 0, 0, 0];
        for (kind, value) in list {
            push(&mut body, *kind, value).unwrap();
        }
        body
    }

    #[test]
    fn the_near_end_of_a_link_is_taken() {
        let (near, far) = ([192, 0, 2, 1], [192, 0, 2, 2]);
        let both = message(&[(IFA_ADDRESS, far), (IFA_LOCAL, near)]);
        assert_eq!(parse(&both), Some(near.into()));
        assert_eq!(parse(&message(&[(IFA_ADDRESS, far)])), Some(far.into()));
        assert_eq!(parse(&message(&[])), None);
    }

    #[test]
    fn two_answers_can_be_compared_and_ipv4_stands_in_front() {
        let address = |text: &str| text.parse::<IpAddr>().unwrap();
        let told = ["fe80::1", "192.168.1.1", "::1", "fe80::1", "127.0.0.1"].map(address);
        let expected = ["127.0.0.1", "192.168.1.1", "::1", "fe80::1"].map(address);
        assert_eq!(in_order(told.into()), expected);
    }

    #[test]
    fn no_bytes_make_the_parser_fail() {
        super::super::tests::garble(&message(&[(IFA_LOCAL, [192, 0, 2, 1])]), |body| {
            let _ = parse(body);
        });
    }

    #[test]
    fn loopback_is_among_this_machines_addresses() {
        let addresses = local_addresses().unwrap();
        assert!(addresses.contains(&[127, 0, 0, 1].into()), "{addresses:?}");
    }
}
