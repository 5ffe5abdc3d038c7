//! Every decision of the kernel program, on the real verifier and JIT, frame by frame and
//! through both hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;

use mqttguard::enforce::Rules;
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, HOOKS, Hook, Kernel, rules};
use mqttguard_tests::frames::{ACK, CLIENT_HELLO, Frame, SYN, connect, tcp};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);

const QINQ: u16 = 0x88a8;
const VLAN: u16 = 0x8100;

fn cloud() -> IpAddr {
    "192.0.2.10".parse().unwrap()
}

fn cloud6() -> IpAddr {
    "2001:db8::10".parse().unwrap()
}

fn router() -> IpAddr {
    "192.168.1.1".parse().unwrap()
}

fn router6() -> IpAddr {
    "fd00::1".parse().unwrap()
}

/// A kernel under these rules with [`DEVICE`] known and in good standing.
fn kernel(rules: &Rules) -> Kernel {
    let mut kernel = Kernel::load(rules);
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    kernel
}

#[test]
fn ordinary_traffic_passes() {
    let mut kernel = kernel(&rules());
    for to in [cloud(), cloud6(), router(), router6()] {
        for frame in [
            Frame::tcp(DEVICE, to, 443, SYN, &[]),
            Frame::tcp(DEVICE, to, 443, ACK, CLIENT_HELLO),
            Frame::tcp(DEVICE, to, 8883, ACK, CLIENT_HELLO),
            Frame::tcp(DEVICE, to, 1884, ACK, b"GET / HTTP/1.1\r\n\r\n"),
            Frame::udp(DEVICE, to, 1883, 53, &[0; 40]),
            Frame::ip(DEVICE, "10.0.0.1".parse().unwrap(), cloud(), 1, vec![8; 64]),
        ] {
            kernel.expect(&frame.bytes(), Reason::Pass);
        }
    }
    let mut arp = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    kernel.expect(&arp, Reason::Pass);
}

#[test]
fn plaintext_ports_are_closed_behind_every_wrapping() {
    let mut kernel = kernel(&rules());
    for to in [cloud(), cloud6()] {
        for tags in [vec![], vec![VLAN], vec![QINQ, VLAN], vec![VLAN, VLAN]] {
            let mut frame = Frame::tcp(DEVICE, to, 1883, SYN, &[]);
            frame.tags = tags;
            kernel.expect(&frame.bytes(), Reason::PlaintextPort);
            frame.body = tcp(443, SYN, &[]);
            kernel.expect(&frame.bytes(), Reason::Pass);
        }
    }
    for options in 1..=10 {
        let mut frame = Frame::tcp(DEVICE, cloud(), 1883, ACK, &[0; 8]);
        frame.options = vec![1; options * 4];
        kernel.expect(&frame.bytes(), Reason::PlaintextPort);
    }
    let header = |length: usize| vec![0u8; length];
    for extensions in [
        vec![(0, header(8))],
        vec![(60, header(8)), (43, header(24)), (60, header(16))],
        vec![(51, header(24))],
        vec![(44, header(8))],
        vec![
            (0, header(8)),
            (60, header(8)),
            (43, header(8)),
            (44, header(8)),
            (51, header(12)),
            (60, header(1024)),
        ],
    ] {
        let mut frame = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
        frame.extensions = extensions.clone();
        kernel.expect(&frame.bytes(), Reason::PlaintextPort);
        frame.body = tcp(443, SYN, &[]);
        kernel.expect(&frame.bytes(), Reason::Pass);
    }
}

#[test]
fn ports_are_what_the_rules_say() {
    let mut kernel = kernel(&Rules {
        plaintext_ports: vec![1, 1883, 1884, 65_535],
        ..rules()
    });
    for port in [1, 1883, 1884, 65_535] {
        let frame = Frame::tcp(DEVICE, cloud(), port, SYN, &[]).bytes();
        kernel.expect(&frame, Reason::PlaintextPort);
    }
    for port in [2, 1882, 1885, 65_534, 63, 64] {
        let frame = Frame::tcp(DEVICE, cloud(), port, SYN, &[]).bytes();
        kernel.expect(&frame, Reason::Pass);
    }
    kernel.tables.set_rules(&rules()).unwrap();
    let frame = Frame::tcp(DEVICE, cloud(), 1884, SYN, &[]).bytes();
    kernel.expect(&frame, Reason::Pass);
}

#[test]
fn a_connect_is_caught_on_any_port() {
    let mut kernel = kernel(&rules());
    for (name, level) in [
        ("MQTT", 4),
        ("MQTT", 5),
        ("MQIsdp", 3),
        ("MQTT", 0x84),
        ("MQIsdp", 0x83),
    ] {
        // Remaining lengths of one, two and three bytes.
        for more in [0, 120, 700, 1300] {
            let payload = connect(name, level, more);
            for to in [cloud(), cloud6()] {
                let frame = Frame::tcp(DEVICE, to, 443, ACK, &payload).bytes();
                kernel.expect(&frame, Reason::PlaintextConnect);
            }
            let opening = Frame::tcp(DEVICE, cloud(), 80, SYN, &payload).bytes();
            kernel.expect(&opening, Reason::PlaintextConnect);
        }
    }
    // Lengths of three and four bytes, of which a frame shows only the beginning.
    for length in [&[0xff, 0xff, 0x01][..], &[0xff, 0xff, 0xff, 0x7f]] {
        let mut payload = vec![0x10];
        payload.extend(length);
        payload.extend(&connect("MQTT", 4, 100)[2..]);
        let frame = Frame::tcp(DEVICE, cloud(), 8080, ACK, &payload).bytes();
        kernel.expect(&frame, Reason::PlaintextConnect);
    }
}

#[test]
fn what_only_resembles_a_connect_passes() {
    let mut kernel = kernel(&rules());
    let good = connect("MQTT", 4, 10);
    let mut close: Vec<Vec<u8>> = Vec::new();
    for index in 0..9 {
        let mut payload = good.clone();
        payload[index] ^= 0x20;
        if index == 1 {
            // Another length is a CONNECT still; one too short for it is not.
            payload[1] = 11;
        }
        close.push(payload);
    }
    for (name, level) in [("MQTT", 3), ("MQTT", 6), ("MQIsdp", 4), ("MQISDP", 3)] {
        close.push(connect(name, level, 10));
    }
    close.push([&[0x10, 0xff, 0xff, 0xff, 0xff][..], &good[2..]].concat());
    close.push([&[0][..], &good].concat());
    close.push(CLIENT_HELLO.to_vec());
    close.push([&CLIENT_HELLO[..5], &good].concat());
    for payload in close {
        let frame = Frame::tcp(DEVICE, cloud(), 443, ACK, &payload).bytes();
        kernel.expect(&frame, Reason::Pass);
    }
    // Ethernet padding after the IP packet is nobody's payload.
    let mut padded = Frame::tcp(DEVICE, cloud(), 443, ACK, &[]).bytes();
    padded.extend(&good);
    kernel.expect(&padded, Reason::Pass);
    // Nor is UDP TCP.
    let datagram = Frame::udp(DEVICE, cloud(), 5000, 443, &good).bytes();
    kernel.expect(&datagram, Reason::Pass);
}

#[test]
fn detection_of_connects_can_be_off() {
    let mut kernel = kernel(&Rules {
        detect_connect: false,
        ..rules()
    });
    let payload = connect("MQTT", 4, 0);
    let odd = Frame::tcp(DEVICE, cloud(), 443, ACK, &payload).bytes();
    kernel.expect(&odd, Reason::Pass);
    let plain = Frame::tcp(DEVICE, cloud(), 1883, ACK, &payload).bytes();
    kernel.expect(&plain, Reason::PlaintextPort);
}

#[test]
fn mqtt_sn_is_caught_if_the_rules_say_so() {
    let mut kernel = kernel(&rules());
    for to in [cloud(), cloud6()] {
        let frame = Frame::udp(DEVICE, to, 50_000, 1883, &[2, 4]).bytes();
        kernel.expect(&frame, Reason::MqttSn);
    }
    kernel
        .tables
        .set_rules(&Rules {
            mqtt_sn: false,
            ..rules()
        })
        .unwrap();
    let frame = Frame::udp(DEVICE, cloud(), 50_000, 1883, &[2, 4]).bytes();
    kernel.expect(&frame, Reason::Pass);
}

#[test]
fn fragments_cannot_hide_ports() {
    let mut kernel = kernel(&rules());
    let more = 0x2000;
    for (port, reason) in [(443, Reason::Pass), (1883, Reason::PlaintextPort)] {
        let mut first = Frame::tcp(DEVICE, cloud(), port, ACK, &[0; 16]);
        first.fragment = more;
        kernel.expect(&first.bytes(), reason);
    }
    let whole = tcp(1883, SYN, &[]);
    for length in [0, 2, 8, 16, 19] {
        let mut first = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
        first.fragment = more;
        first.body = whole[..length].to_vec();
        kernel.expect(&first.bytes(), Reason::TinyFragment);
        // Padding to the least length of an Ethernet frame does not help.
        let mut padded = first.bytes();
        padded.resize(padded.len().max(60), 0);
        kernel.expect(&padded, Reason::TinyFragment);

        let mut fragment = vec![0; 8];
        fragment[3] = 1;
        let mut first = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
        first.body = whole[..length].to_vec();
        first.extensions = vec![(44, fragment.clone())];
        kernel.expect(&first.bytes(), Reason::TinyFragment);
        // Nor does another header between, whole or cut.
        first.extensions.push((60, vec![0; 8]));
        kernel.expect(&first.bytes(), Reason::TinyFragment);
    }
    let mut udp = Frame::udp(DEVICE, cloud(), 1, 1883, &[]);
    udp.fragment = more;
    udp.body.truncate(4);
    kernel.expect(&udp.bytes(), Reason::TinyFragment);

    for offset in [10, 11, 185, 0x1fff] {
        let mut later = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
        later.fragment = more | offset;
        kernel.expect(&later.bytes(), Reason::Pass);
        let mut fragment = vec![0; 8];
        fragment[2..4].copy_from_slice(&(offset << 3 | 1).to_be_bytes());
        let mut later = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
        later.extensions = vec![(44, fragment)];
        kernel.expect(&later.bytes(), Reason::Pass);
    }
    // Whole packets that are cut short are damage, which no stack accepts.
    let mut cut = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
    cut.body.truncate(12);
    kernel.expect(&cut.bytes(), Reason::Pass);

    // Nor can an endless chain of extension headers.
    let mut chain = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
    chain.extensions = vec![(60, vec![0; 8]); 7];
    kernel.expect(&chain.bytes(), Reason::TinyFragment);
}

/// A frame cut at any place, with every byte wrong in turn, passes or drops and is counted
/// once; and no cut turns a forbidden packet into a crash of the program.
#[test]
fn damaged_frames_do_no_harm() {
    let mut kernel = kernel(&rules());
    let mut tagged = Frame::tcp(DEVICE, cloud6(), 1883, ACK, &connect("MQTT", 5, 20));
    tagged.tags = vec![QINQ, VLAN];
    tagged.extensions = vec![(0, vec![0; 8]), (44, vec![0; 8]), (60, vec![0; 24])];
    let mut optioned = Frame::tcp(DEVICE, cloud(), 443, ACK, &connect("MQIsdp", 3, 0));
    optioned.options = vec![1; 40];
    let mut runs = 0;
    for frame in [tagged.bytes(), optioned.bytes()] {
        for hook in HOOKS {
            // The kernel runs TC programs on nothing that has not room for an IP header.
            let shortest = match hook {
                Hook::Xdp => 14,
                Hook::Tc => 14 + 20,
            };
            for length in shortest..=frame.len() {
                kernel.run(hook, &frame[..length]);
                runs += 1;
            }
            for index in 12..frame.len() {
                for value in [0x00, 0x0f, 0x7f, 0x80, 0xff] {
                    let mut damaged = frame.clone();
                    damaged[index] = value;
                    kernel.run(hook, &damaged);
                    runs += 1;
                }
            }
        }
    }
    let counted: u64 = kernel.counters(DEVICE).frames.iter().sum();
    assert_eq!(counted, runs);
}
