//! What a device may do by its standing, its leave and the owner's exceptions, on the real
//! verifier and JIT, frame by frame and through both hooks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::IpAddr;

use mqttguard::config::{Exception, Mode};
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, HOOKS, Kernel, Verdict, rules};
use mqttguard_tests::frames::{ACK, CLIENT_HELLO, Frame, SYN, connect};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
const OTHER: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 2]);
const STRANGER: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 3]);

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
        kernel.expect(&frame, Reason::Pass);
    }
    for frame in to(OTHER, 0, &payload) {
        kernel.expect(&frame, Reason::PlaintextLocal);
    }
    for mac in [DEVICE, OTHER, STRANGER] {
        for frame in to(mac, 1883, &payload) {
            kernel.expect(&frame, Reason::PlaintextLocal);
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
                kernel.expect(&frame, Reason::LocalPlaintext);
            }
            for mac in [DEVICE, STRANGER] {
                for frame in to(mac, port, payload) {
                    kernel.expect(&frame, Reason::PlaintextLocal);
                }
            }
        }
        // Plaintext to its TLS port is not what it is allowed to do.
        for frame in to(OTHER, 8883, &payload) {
            kernel.expect(&frame, Reason::PlaintextLocal);
        }
        // Nor does the leave reach beyond the router.
        let frame = Frame::tcp(OTHER, cloud(), 1883, ACK, &payload).bytes();
        kernel.expect(&frame, Reason::PlaintextPort);
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
        kernel.expect(&tcp(DEVICE, to, port), Reason::Excepted);
    }
    let sn = Frame::udp(DEVICE, cloud(), 1, 1883, &[2, 4]).bytes();
    kernel.expect(&sn, Reason::Excepted);
    for mac in [OTHER, STRANGER] {
        kernel.expect(&tcp(mac, "192.0.2.10", 8080), Reason::Excepted);
        kernel.expect(&tcp(mac, "192.0.2.10", 1883), Reason::PlaintextPort);
        kernel.expect(&tcp(mac, "192.0.2.11", 8080), Reason::PlaintextConnect);
        kernel.expect(&tcp(mac, "2001:db8::1", 1883), Reason::Excepted);
        kernel.expect(&tcp(mac, "2001:db9::1", 1883), Reason::PlaintextPort);
    }
    kernel.expect(&tcp(DEVICE, "192.0.3.1", 1883), Reason::PlaintextPort);

    // Everything of one family is nothing of the other, and old exceptions are gone.
    kernel
        .tables
        .set_rules(&Rules {
            exceptions: vec![exception("::/0", None, None)],
            ..rules()
        })
        .unwrap();
    kernel.expect(&tcp(OTHER, "2001:db9::1", 1883), Reason::Excepted);
    kernel.expect(&tcp(DEVICE, "192.0.2.10", 1883), Reason::PlaintextPort);
    // An exception is for what leaves, not for the router.
    kernel.expect(&tcp(OTHER, "fd00::1", 1883), Reason::PlaintextLocal);
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
            kernel.expect(&frame.bytes(), Reason::Blocked);
        }
    }
    let mut later = Frame::tcp(DEVICE, cloud(), 443, SYN, &[]);
    later.fragment = 100;
    kernel.expect(&later.bytes(), Reason::Blocked);

    let dhcp = |from, to, address: &str| {
        Frame::udp(DEVICE, address.parse().unwrap(), from, to, &[1; 240]).bytes()
    };
    for address in ["255.255.255.255", "192.168.1.1"] {
        kernel.expect(&dhcp(68, 67, address), Reason::Pass);
    }
    for address in ["ff02::1:2", "fd00::1"] {
        kernel.expect(&dhcp(546, 547, address), Reason::Pass);
    }
    // Not a way out.
    kernel.expect(&dhcp(68, 67, "192.0.2.10"), Reason::Blocked);
    kernel.expect(&dhcp(546, 547, "2001:db8::10"), Reason::Blocked);
    let mut arp = Frame::tcp(DEVICE, cloud(), 1, 0, &[]).bytes();
    arp[12..14].copy_from_slice(&[0x08, 0x06]);
    kernel.expect(&arp, Reason::Pass);

    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    let frame = Frame::tcp(DEVICE, cloud(), 443, SYN, &[]).bytes();
    kernel.expect(&frame, Reason::Pass);
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
        kernel.expect(&frame.bytes(), Reason::Quarantined);
    }
    for frame in [
        Frame::tcp(DEVICE, cloud(), 443, SYN, &[]),
        Frame::tcp(DEVICE, router(), 80, SYN, &[]),
        Frame::tcp(DEVICE, cloud(), 8884, SYN, &[]),
        Frame::tcp(DEVICE, cloud(), 2883, SYN, &[]),
        Frame::udp(DEVICE, router(), 50_000, 53, &[0; 30]),
    ] {
        kernel.expect(&frame.bytes(), Reason::Pass);
    }
    // Nobody else is quarantined.
    let frame = Frame::tcp(OTHER, router(), 8883, SYN, &[]).bytes();
    kernel.expect(&frame, Reason::Pass);
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
