//! Ways around the kernel program that somebody might try, one test each, on the real verifier
//! and JIT and through both hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;

use mqttguard::registry::DevicePolicy;
use mqttguard::registry::Standing;
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, Kernel, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN, connect, tcp};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);

/// More fragments follow, in IPv4's header.
const MORE: u16 = 0x2000;

fn clouds() -> [IpAddr; 2] {
    ["192.0.2.10", "2001:db8::10"].map(|address| address.parse().unwrap())
}

fn cloud6() -> IpAddr {
    clouds()[1]
}

fn kernel() -> Kernel {
    let mut kernel = Kernel::load(&rules());
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    kernel
}

/// An IPv6 fragment header of the first fragment, and a short header of destination options.
fn first() -> (u8, Vec<u8>) {
    (44, vec![0, 0, 0, 1, 0, 0, 0, 7])
}

fn options() -> (u8, Vec<u8>) {
    (60, vec![0; 8])
}

#[test]
fn a_connect_in_the_syn_of_tcp_fast_open() {
    let mut kernel = kernel();
    // The cookie's option (RFC 7413, 4.1.1), padded to 12 bytes.
    let cookie = [34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1];
    for to in clouds() {
        let mut frame = Frame::tcp(DEVICE, to, 443, SYN, &connect("MQTT", 4, 10));
        frame.body[20..32].copy_from_slice(&cookie);
        kernel.expect(&frame.bytes(), Reason::PlaintextConnect);
        frame.body[33] = 0;
        kernel.expect(&frame.bytes(), Reason::Pass);
    }
}

#[test]
fn a_connect_behind_every_length_of_ip_and_tcp_options() {
    let mut kernel = kernel();
    let payload = connect("MQTT", 5, 0);
    for tcp_words in 5..=15u8 {
        let mut body = tcp(443, ACK, &[]);
        body.truncate(20);
        body[12] = tcp_words << 4;
        body.resize(usize::from(tcp_words) * 4, 1);
        body.extend(&payload);
        for ip_words in 0..=10 {
            let mut frame = Frame::tcp(DEVICE, clouds()[0], 443, ACK, &[]);
            frame.options = vec![1; ip_words * 4];
            frame.body.clone_from(&body);
            kernel.expect(&frame.bytes(), Reason::PlaintextConnect);
        }
        for headers in 0..=6 {
            let mut frame = Frame::tcp(DEVICE, cloud6(), 443, ACK, &[]);
            frame.extensions = vec![options(); headers];
            frame.body.clone_from(&body);
            kernel.expect(&frame.bytes(), Reason::PlaintextConnect);
        }
    }
}

#[test]
fn a_connect_behind_vlan_tags() {
    let mut kernel = kernel();
    for to in clouds() {
        for tags in [vec![0x8100], vec![0x8100, 0x8100], vec![0x88a8, 0x8100]] {
            let mut frame = Frame::tcp(DEVICE, to, 8080, ACK, &connect("MQIsdp", 3, 1));
            frame.tags = tags;
            kernel.expect(&frame.bytes(), Reason::PlaintextConnect);
        }
    }
}

/// A device that dials on its own, through a router that lets PPPoE through.
#[test]
fn mqtt_in_a_pppoe_session() {
    let mut kernel = kernel();
    for (to, protocol) in clouds().into_iter().zip([0x21, 0x57]) {
        for tags in [vec![], vec![0x8100], vec![0x88a8, 0x8100]] {
            for (port, payload, reason) in [
                (1883, vec![], Reason::PlaintextPort),
                (443, connect("MQTT", 5, 3), Reason::PlaintextConnect),
                (443, vec![0x16; 20], Reason::Pass),
            ] {
                let mut frame = Frame::tcp(DEVICE, to, port, ACK, &payload);
                frame.tags.clone_from(&tags);
                let mut bytes = frame.bytes();
                let kind = 12 + 4 * tags.len();
                let session = [0x88, 0x64, 0x11, 0, 0, 7, 0, 99, 0, protocol];
                bytes.splice(kind..kind + 2, session);
                kernel.expect(&bytes, reason);
            }
        }
    }
}

/// The first fragment has the ports, which are harmless, and leaves the CONNECT to the second.
#[test]
fn a_connect_in_the_second_fragment() {
    let mut kernel = kernel();
    let payload = connect("MQTT", 4, 40);
    for shown in 0..=20 {
        let reason = match shown {
            0..14 => Reason::TinyFragment,
            _ => Reason::PlaintextConnect,
        };
        let mut frame = Frame::tcp(DEVICE, clouds()[0], 443, ACK, &payload[..shown]);
        frame.fragment = MORE;
        kernel.expect(&frame.bytes(), reason);
        let mut frame = Frame::tcp(DEVICE, cloud6(), 443, ACK, &payload[..shown]);
        frame.extensions = vec![first()];
        kernel.expect(&frame.bytes(), reason);
    }
}

/// What lies behind the end of a first fragment looks like the rest of its header chain, and
/// says that no TCP follows.
#[test]
fn padding_that_looks_like_the_next_header() {
    let mut kernel = kernel();
    let mut frame = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
    frame.extensions = vec![first(), options(), options()];
    let whole = frame.bytes();
    // Ethernet, IPv6, the fragment header and the first of the options.
    let mut short = whole[..14 + 40 + 16].to_vec();
    short[14 + 4..14 + 6].copy_from_slice(&16u16.to_be_bytes());
    kernel.expect(&short, Reason::TinyFragment);
    for next in [59, 58, 17, 44] {
        let mut padded = short.clone();
        padded.extend([next, 0, 0, 8, 0, 0, 0, 0]);
        padded.extend([0; 40]);
        kernel.expect(&padded, Reason::TinyFragment);
    }
}

/// A first fragment that ends within a second fragment header.
#[test]
fn a_fragment_header_cut_in_two() {
    let mut kernel = kernel();
    let mut frame = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
    frame.body.clear();
    for shown in 0..8 {
        frame.extensions = vec![first(), (51, vec![0; 12]), (44, vec![0; 8])];
        let mut bytes = frame.bytes();
        let end = 14 + 40 + 8 + 12 + shown;
        bytes.truncate(end);
        bytes[14 + 4..14 + 6].copy_from_slice(&((end - 54) as u16).to_be_bytes());
        kernel.expect(&bytes, Reason::TinyFragment);
    }
}

/// Linux takes such a packet for as long as its frame: behind a hop-by-hop header always, and
/// in IPv4 when the kernel has merged more than 64 KiB.
#[test]
fn a_length_of_zero() {
    let mut kernel = kernel();
    for (port, reason) in [
        (1883, Reason::PlaintextPort),
        (443, Reason::PlaintextConnect),
    ] {
        let payload = connect("MQTT", 4, 0);
        let mut bytes = Frame::tcp(DEVICE, clouds()[0], port, ACK, &payload).bytes();
        bytes[14 + 2..14 + 4].fill(0);
        kernel.expect(&bytes, reason);
        let mut frame = Frame::tcp(DEVICE, cloud6(), port, ACK, &payload);
        frame.extensions = vec![(0, vec![0; 8])];
        let mut bytes = frame.bytes();
        bytes[14 + 4..14 + 6].fill(0);
        kernel.expect(&bytes, reason);
    }
}

#[test]
fn dhcp_ports_in_the_other_family() {
    let mut kernel = kernel();
    let blocked = DevicePolicy {
        standing: Standing::Blocked,
        ..GOOD
    };
    kernel.tables.set_device(DEVICE, &blocked).unwrap();
    for (to, from, port) in [("192.168.1.1", 546, 547), ("fd00::1", 68, 67)] {
        let frame = Frame::udp(DEVICE, to.parse().unwrap(), from, port, &[0; 20]);
        kernel.expect(&frame.bytes(), Reason::Blocked);
    }
}

/// RFC 1858, 3.2, and RFC 3128: a second fragment at the offset of the first one's TCP flags or
/// payload, for a receiver that lets the later copy overwrite the earlier.
#[test]
fn a_second_fragment_over_the_first() {
    let mut kernel = kernel();
    for units in 1..=12u16 {
        let reason = match units {
            1..10 => Reason::TinyFragment,
            _ => Reason::Pass,
        };
        for more in [0, MORE] {
            let mut frame = Frame::tcp(DEVICE, clouds()[0], 443, ACK, &[0; 64]);
            frame.fragment = units | more;
            kernel.expect(&frame.bytes(), reason);
            // Other protocols say nothing there that decides.
            frame.protocol = 17;
            kernel.expect(&frame.bytes(), Reason::Pass);
        }
        for more in [0, 1] {
            let [high, low] = (units << 3 | more).to_be_bytes();
            let mut frame = Frame::tcp(DEVICE, cloud6(), 443, ACK, &[0; 64]);
            frame.extensions = vec![(44, vec![0, 0, high, low, 0, 0, 0, 7])];
            kernel.expect(&frame.bytes(), reason);
            // Of what was fragmented, options came first.
            frame.protocol = 60;
            kernel.expect(&frame.bytes(), reason);
            frame.protocol = 17;
            kernel.expect(&frame.bytes(), Reason::Pass);
        }
    }
}

/// Options push the TCP header to where a second fragment may start.
#[test]
fn headers_deep_in_the_first_fragment() {
    let mut kernel = kernel();
    for (bytes, reason) in [
        (8, Reason::PlaintextConnect),
        (32, Reason::PlaintextConnect),
        (40, Reason::TinyFragment),
        (160, Reason::TinyFragment),
    ] {
        // 32 bytes of TCP header and 14 of CONNECT.
        let mut frame = Frame::tcp(DEVICE, cloud6(), 443, ACK, &connect("MQTT", 4, 40));
        frame.extensions = vec![first(), (60, vec![0; bytes])];
        kernel.expect(&frame.bytes(), reason);
        // Not if nothing follows, or the options are no part of what was fragmented.
        frame.extensions = vec![(44, vec![0; 8]), (60, vec![0; bytes])];
        kernel.expect(&frame.bytes(), Reason::PlaintextConnect);
        frame.extensions = vec![(60, vec![0; bytes]), first()];
        kernel.expect(&frame.bytes(), Reason::PlaintextConnect);
    }
}
