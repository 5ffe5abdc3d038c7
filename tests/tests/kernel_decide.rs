//! Every decision of the kernel program, on the real verifier and JIT, frame by frame and
//! through both hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;

use mqttguard::config::{Exception, Mode};
use mqttguard::enforce::{DevicePolicy, Rules};
use mqttguard::registry::Standing;
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, HOOKS, Hook, Kernel, Verdict, rules};
use mqttguard_tests::frames::{ACK, CLIENT_HELLO, Frame, SYN, connect, tcp};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
const OTHER: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 2]);
const STRANGER: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 3]);

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

/// Runs a frame through both hooks: each must count exactly this reason for the frame's source
/// and do what the reason says.
#[track_caller]
fn expect(kernel: &mut Kernel, frame: &[u8], reason: Reason) {
    let mac = Mac(frame[6..12].try_into().unwrap());
    for hook in HOOKS {
        let before = kernel.counters(mac);
        let verdict = kernel.run(hook, frame);
        let after = kernel.counters(mac);
        let counted: Vec<Reason> = Reason::ALL
            .into_iter()
            .filter(|&reason| after.frames[reason as usize] != before.frames[reason as usize])
            .collect();
        assert_eq!(counted, [reason], "{hook:?}");
        let index = reason as usize;
        assert_eq!(after.frames[index] - before.frames[index], 1, "{hook:?}");
        assert_eq!(
            after.bytes[index] - before.bytes[index],
            frame.len() as u64,
            "{hook:?}"
        );
        let expected = if reason.is_drop() {
            Verdict::Drop
        } else {
            Verdict::Pass
        };
        assert_eq!(verdict, expected, "{hook:?}, {}", reason.name());
    }
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
            expect(&mut kernel, &frame.bytes(), Reason::Pass);
        }
    }
    let mut arp = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    expect(&mut kernel, &arp, Reason::Pass);
}

#[test]
fn plaintext_ports_are_closed_behind_every_wrapping() {
    let mut kernel = kernel(&rules());
    for to in [cloud(), cloud6()] {
        for tags in [vec![], vec![VLAN], vec![QINQ, VLAN], vec![VLAN, VLAN]] {
            let mut frame = Frame::tcp(DEVICE, to, 1883, SYN, &[]);
            frame.tags = tags;
            expect(&mut kernel, &frame.bytes(), Reason::PlaintextPort);
            frame.body = tcp(443, SYN, &[]);
            expect(&mut kernel, &frame.bytes(), Reason::Pass);
        }
    }
    for options in 1..=10 {
        let mut frame = Frame::tcp(DEVICE, cloud(), 1883, ACK, &[0; 8]);
        frame.options = vec![1; options * 4];
        expect(&mut kernel, &frame.bytes(), Reason::PlaintextPort);
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
        expect(&mut kernel, &frame.bytes(), Reason::PlaintextPort);
        frame.body = tcp(443, SYN, &[]);
        expect(&mut kernel, &frame.bytes(), Reason::Pass);
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
        expect(&mut kernel, &frame, Reason::PlaintextPort);
    }
    for port in [2, 1882, 1885, 65_534, 63, 64] {
        let frame = Frame::tcp(DEVICE, cloud(), port, SYN, &[]).bytes();
        expect(&mut kernel, &frame, Reason::Pass);
    }
    kernel.tables.set_rules(&rules()).unwrap();
    let frame = Frame::tcp(DEVICE, cloud(), 1884, SYN, &[]).bytes();
    expect(&mut kernel, &frame, Reason::Pass);
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
                expect(&mut kernel, &frame, Reason::PlaintextConnect);
            }
            let opening = Frame::tcp(DEVICE, cloud(), 80, SYN, &payload).bytes();
            expect(&mut kernel, &opening, Reason::PlaintextConnect);
        }
    }
    // Lengths of three and four bytes, of which a frame shows only the beginning.
    for length in [&[0xff, 0xff, 0x01][..], &[0xff, 0xff, 0xff, 0x7f]] {
        let mut payload = vec![0x10];
        payload.extend(length);
        payload.extend(&connect("MQTT", 4, 100)[2..]);
        let frame = Frame::tcp(DEVICE, cloud(), 8080, ACK, &payload).bytes();
        expect(&mut kernel, &frame, Reason::PlaintextConnect);
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
    close.push(good[..13].to_vec());
    close.push([&[0][..], &good].concat());
    close.push(CLIENT_HELLO.to_vec());
    close.push([&CLIENT_HELLO[..5], &good].concat());
    for payload in close {
        let frame = Frame::tcp(DEVICE, cloud(), 443, ACK, &payload).bytes();
        expect(&mut kernel, &frame, Reason::Pass);
    }
    // Ethernet padding after the IP packet is nobody's payload.
    let mut padded = Frame::tcp(DEVICE, cloud(), 443, ACK, &[]).bytes();
    padded.extend(&good);
    expect(&mut kernel, &padded, Reason::Pass);
    // Nor is UDP TCP.
    let datagram = Frame::udp(DEVICE, cloud(), 5000, 443, &good).bytes();
    expect(&mut kernel, &datagram, Reason::Pass);
}

#[test]
fn detection_of_connects_can_be_off() {
    let mut kernel = kernel(&Rules {
        detect_connect: false,
        ..rules()
    });
    let payload = connect("MQTT", 4, 0);
    let odd = Frame::tcp(DEVICE, cloud(), 443, ACK, &payload).bytes();
    expect(&mut kernel, &odd, Reason::Pass);
    let plain = Frame::tcp(DEVICE, cloud(), 1883, ACK, &payload).bytes();
    expect(&mut kernel, &plain, Reason::PlaintextPort);
}

#[test]
fn mqtt_sn_is_caught_if_the_rules_say_so() {
    let mut kernel = kernel(&rules());
    for to in [cloud(), cloud6()] {
        let frame = Frame::udp(DEVICE, to, 50_000, 1883, &[2, 4]).bytes();
        expect(&mut kernel, &frame, Reason::MqttSn);
    }
    kernel
        .tables
        .set_rules(&Rules {
            mqtt_sn: false,
            ..rules()
        })
        .unwrap();
    let frame = Frame::udp(DEVICE, cloud(), 50_000, 1883, &[2, 4]).bytes();
    expect(&mut kernel, &frame, Reason::Pass);
}

#[test]
fn the_plaintext_listener_takes_whom_it_may() {
    let mut kernel = kernel(&rules());
    let allowed = DevicePolicy {
        plaintext: true,
        ..GOOD
    };
    kernel.tables.set_device(OTHER, &allowed).unwrap();
    let to = |mac, port, payload: &[u8]| -> [Vec<u8>; 2] {
        [router(), router6()].map(|to| Frame::tcp(mac, to, port, ACK, payload).bytes())
    };
    let payload = connect("MQTT", 4, 0);

    // The listener is off, which is not the same as on port 0.
    for frame in to(OTHER, 0, &[]) {
        expect(&mut kernel, &frame, Reason::Pass);
    }
    for frame in to(OTHER, 0, &payload) {
        expect(&mut kernel, &frame, Reason::PlaintextLocal);
    }
    for mac in [DEVICE, OTHER, STRANGER] {
        for frame in to(mac, 1883, &payload) {
            expect(&mut kernel, &frame, Reason::PlaintextLocal);
        }
    }
    for port in [1883, 2883] {
        kernel
            .tables
            .set_rules(&Rules {
                local_plaintext_port: Some(port),
                ..rules()
            })
            .unwrap();
        for payload in [&payload[..], &[0xc0, 0]] {
            for frame in to(OTHER, port, payload) {
                expect(&mut kernel, &frame, Reason::LocalPlaintext);
            }
            for mac in [DEVICE, STRANGER] {
                for frame in to(mac, port, payload) {
                    expect(&mut kernel, &frame, Reason::PlaintextLocal);
                }
            }
        }
        // Plaintext to its TLS port is not what it is allowed to do.
        for frame in to(OTHER, 8883, &payload) {
            expect(&mut kernel, &frame, Reason::PlaintextLocal);
        }
        // Nor does the leave reach beyond the router.
        let frame = Frame::tcp(OTHER, cloud(), 1883, ACK, &payload).bytes();
        expect(&mut kernel, &frame, Reason::PlaintextPort);
    }
}

#[test]
fn exceptions_let_out_what_they_name() {
    let exception = |destination: &str, mac, port| Exception {
        name: "test".into(),
        mac,
        destination: destination.parse().unwrap(),
        port,
    };
    let mut kernel = kernel(&Rules {
        exceptions: vec![
            exception("192.0.2.0/24", Some(DEVICE), None),
            exception("192.0.2.10/32", None, Some(8080)),
            exception("2001:db8::/32", None, Some(1883)),
        ],
        ..rules()
    });
    let payload = connect("MQTT", 5, 0);
    let tcp =
        |mac, to: &str, port| Frame::tcp(mac, to.parse().unwrap(), port, ACK, &payload).bytes();
    // The device's own exception holds in the longer prefix too.
    for (to, port) in [
        ("192.0.2.10", 1883),
        ("192.0.2.11", 1883),
        ("192.0.2.10", 443),
    ] {
        expect(&mut kernel, &tcp(DEVICE, to, port), Reason::Excepted);
    }
    let sn = Frame::udp(DEVICE, cloud(), 1, 1883, &[2, 4]).bytes();
    expect(&mut kernel, &sn, Reason::Excepted);
    for mac in [OTHER, STRANGER] {
        expect(&mut kernel, &tcp(mac, "192.0.2.10", 8080), Reason::Excepted);
        expect(
            &mut kernel,
            &tcp(mac, "192.0.2.10", 1883),
            Reason::PlaintextPort,
        );
        expect(
            &mut kernel,
            &tcp(mac, "192.0.2.11", 8080),
            Reason::PlaintextConnect,
        );
        expect(
            &mut kernel,
            &tcp(mac, "2001:db8::1", 1883),
            Reason::Excepted,
        );
        expect(
            &mut kernel,
            &tcp(mac, "2001:db9::1", 1883),
            Reason::PlaintextPort,
        );
    }
    expect(
        &mut kernel,
        &tcp(DEVICE, "192.0.3.1", 1883),
        Reason::PlaintextPort,
    );

    // Everything of one family is nothing of the other, and old exceptions are gone.
    kernel
        .tables
        .set_rules(&Rules {
            exceptions: vec![exception("::/0", None, None)],
            ..rules()
        })
        .unwrap();
    expect(
        &mut kernel,
        &tcp(OTHER, "2001:db9::1", 1883),
        Reason::Excepted,
    );
    expect(
        &mut kernel,
        &tcp(DEVICE, "192.0.2.10", 1883),
        Reason::PlaintextPort,
    );
    // An exception is for what leaves, not for the router.
    expect(
        &mut kernel,
        &tcp(OTHER, "fd00::1", 1883),
        Reason::PlaintextLocal,
    );
}

#[test]
fn fragments_cannot_hide_ports() {
    let mut kernel = kernel(&rules());
    let more = 0x2000;
    for (port, reason) in [(443, Reason::Pass), (1883, Reason::PlaintextPort)] {
        let mut first = Frame::tcp(DEVICE, cloud(), port, ACK, &[0; 16]);
        first.fragment = more;
        expect(&mut kernel, &first.bytes(), reason);
    }
    let whole = tcp(1883, SYN, &[]);
    for length in [0, 2, 8, 16, 19] {
        let mut first = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
        first.fragment = more;
        first.body = whole[..length].to_vec();
        expect(&mut kernel, &first.bytes(), Reason::TinyFragment);
        // Padding to the least length of an Ethernet frame does not help.
        let mut padded = first.bytes();
        padded.resize(padded.len().max(60), 0);
        expect(&mut kernel, &padded, Reason::TinyFragment);

        let mut fragment = vec![0; 8];
        fragment[3] = 1;
        let mut first = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
        first.body = whole[..length].to_vec();
        first.extensions = vec![(44, fragment.clone())];
        expect(&mut kernel, &first.bytes(), Reason::TinyFragment);
        // Nor does another header between, whole or cut.
        first.extensions.push((60, vec![0; 8]));
        expect(&mut kernel, &first.bytes(), Reason::TinyFragment);
    }
    let mut udp = Frame::udp(DEVICE, cloud(), 1, 1883, &[]);
    udp.fragment = more;
    udp.body.truncate(4);
    expect(&mut kernel, &udp.bytes(), Reason::TinyFragment);

    for offset in [1, 2, 185, 0x1fff] {
        let mut later = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
        later.fragment = more | offset;
        expect(&mut kernel, &later.bytes(), Reason::Pass);
        let mut fragment = vec![0; 8];
        fragment[2..4].copy_from_slice(&(offset << 3 | 1).to_be_bytes());
        let mut later = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
        later.extensions = vec![(44, fragment)];
        expect(&mut kernel, &later.bytes(), Reason::Pass);
    }
    // Whole packets that are cut short are damage, which no stack accepts.
    let mut cut = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
    cut.body.truncate(12);
    expect(&mut kernel, &cut.bytes(), Reason::Pass);

    // Nor can an endless chain of extension headers.
    let mut chain = Frame::tcp(DEVICE, cloud6(), 1883, SYN, &[]);
    chain.extensions = vec![(60, vec![0; 8]); 7];
    expect(&mut kernel, &chain.bytes(), Reason::TinyFragment);
}

#[test]
fn a_blocked_device_keeps_only_its_address() {
    let mut kernel = kernel(&rules());
    let blocked = DevicePolicy {
        standing: Standing::Blocked,
        plaintext: true,
        ..GOOD
    };
    kernel.tables.set_device(DEVICE, &blocked).unwrap();
    for to in [cloud(), cloud6(), router(), router6()] {
        for frame in [
            Frame::tcp(DEVICE, to, 443, SYN, &[]),
            Frame::tcp(DEVICE, to, 1883, SYN, &[]),
            Frame::udp(DEVICE, to, 5353, 5353, &[0; 20]),
            Frame::udp(DEVICE, to, 5000, 67, &[0; 20]),
            Frame::ip(DEVICE, cloud(), router(), 1, vec![8; 8]),
        ] {
            expect(&mut kernel, &frame.bytes(), Reason::Blocked);
        }
    }
    let mut later = Frame::tcp(DEVICE, cloud(), 443, SYN, &[]);
    later.fragment = 100;
    expect(&mut kernel, &later.bytes(), Reason::Blocked);

    let dhcp = |from, to, address: &str| {
        Frame::udp(DEVICE, address.parse().unwrap(), from, to, &[1; 240]).bytes()
    };
    for address in ["255.255.255.255", "192.168.1.1"] {
        expect(&mut kernel, &dhcp(68, 67, address), Reason::Pass);
    }
    for address in ["ff02::1:2", "fd00::1"] {
        expect(&mut kernel, &dhcp(546, 547, address), Reason::Pass);
    }
    // Not a way out.
    expect(&mut kernel, &dhcp(68, 67, "192.0.2.10"), Reason::Blocked);
    expect(
        &mut kernel,
        &dhcp(546, 547, "2001:db8::10"),
        Reason::Blocked,
    );
    let mut arp = Frame::tcp(DEVICE, cloud(), 1, 0, &[]).bytes();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    expect(&mut kernel, &arp, Reason::Pass);

    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    let frame = Frame::tcp(DEVICE, cloud(), 443, SYN, &[]).bytes();
    expect(&mut kernel, &frame, Reason::Pass);
}

#[test]
fn a_quarantined_device_speaks_no_mqtt() {
    // Quarantine goes before everything that would let MQTT pass.
    let mut kernel = kernel(&Rules {
        detect_connect: false,
        mqtt_sn: false,
        local_plaintext_port: Some(2883),
        broker_ports: vec![8883, 8884],
        exceptions: vec![Exception {
            name: "all".into(),
            mac: None,
            destination: "0.0.0.0/0".parse().unwrap(),
            port: None,
        }],
        ..rules()
    });
    let quarantined = DevicePolicy {
        standing: Standing::Quarantined,
        plaintext: true,
        ..GOOD
    };
    kernel.tables.set_device(DEVICE, &quarantined).unwrap();
    let payload = connect("MQTT", 4, 0);
    for frame in [
        Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]),
        Frame::tcp(DEVICE, router(), 1883, SYN, &[]),
        Frame::tcp(DEVICE, router6(), 2883, SYN, &[]),
        Frame::tcp(DEVICE, router(), 8883, SYN, &[]),
        Frame::tcp(DEVICE, router(), 8884, ACK, CLIENT_HELLO),
        Frame::tcp(DEVICE, cloud6(), 8883, ACK, CLIENT_HELLO),
        Frame::tcp(DEVICE, cloud(), 9999, ACK, &payload),
        Frame::udp(DEVICE, cloud(), 1, 1883, &[2, 4]),
    ] {
        expect(&mut kernel, &frame.bytes(), Reason::Quarantined);
    }
    for frame in [
        Frame::tcp(DEVICE, cloud(), 443, SYN, &[]),
        Frame::tcp(DEVICE, router(), 80, SYN, &[]),
        Frame::tcp(DEVICE, cloud(), 8884, SYN, &[]),
        Frame::tcp(DEVICE, cloud(), 2883, SYN, &[]),
        Frame::udp(DEVICE, router(), 50_000, 53, &[0; 30]),
    ] {
        expect(&mut kernel, &frame.bytes(), Reason::Pass);
    }
    // Nobody else is quarantined.
    let frame = Frame::tcp(OTHER, router(), 8883, SYN, &[]).bytes();
    expect(&mut kernel, &frame, Reason::Pass);
}

#[test]
fn monitoring_counts_the_same_and_drops_nothing() {
    let mut kernel = kernel(&Rules {
        mode: Mode::Monitor,
        ..rules()
    });
    let blocked = DevicePolicy {
        standing: Standing::Blocked,
        ..GOOD
    };
    kernel.tables.set_device(OTHER, &blocked).unwrap();
    for (frame, reason) in [
        (
            Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]),
            Reason::PlaintextPort,
        ),
        (Frame::tcp(OTHER, cloud(), 443, SYN, &[]), Reason::Blocked),
    ] {
        let frame = frame.bytes();
        let mac = Mac(frame[6..12].try_into().unwrap());
        for hook in HOOKS {
            assert_eq!(kernel.run(hook, &frame), Verdict::Pass);
        }
        assert_eq!(kernel.frames(mac, reason), 2);
    }
    let events = kernel.events();
    assert_eq!(events.len(), 2);
    assert!(events.iter().all(|event| event.flags == 0));
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
