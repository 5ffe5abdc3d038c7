//! What a device is bound to, and what is taken over of one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::net::{IpAddr, Ipv4Addr};

use mqttguard::config::{Exception, KernelLimits, Mode};
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{Mac, Reason, Station, event_flags};
use mqttguard_tests::bpf::{GOOD, HOOKS, Hook, INTERFACE, Kernel, STATION, Verdict, WIDE, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN, connect};

const DEVICE: Mac = Mac([0x02, 0xc1, 0x1e, 0, 0, 1]);
/// The source of all frames to IPv4.
const OWN: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 77);
const OTHER: Ipv4Addr = Ipv4Addr::new(192, 168, 1, 78);

fn cloud() -> IpAddr {
    "192.0.2.10".parse().unwrap()
}

fn cloud6() -> IpAddr {
    "2001:db8::10".parse().unwrap()
}

fn kernel(rules: &Rules, policy: DevicePolicy) -> Kernel {
    let mut kernel = Kernel::load(rules);
    kernel.tables.set_device(DEVICE, &policy).unwrap();
    kernel
}

fn dropping() -> Rules {
    Rules {
        drop_mismatch: true,
        ..rules()
    }
}

fn at(address: Ipv4Addr) -> DevicePolicy {
    DevicePolicy {
        address: Some(address),
        ..GOOD
    }
}

fn on(interface: u32) -> DevicePolicy {
    DevicePolicy {
        interface: Some(interface),
        ..GOOD
    }
}

fn ordinary(to: IpAddr) -> Vec<u8> {
    Frame::tcp(DEVICE, to, 443, SYN, &[]).bytes()
}

/// Who has the router's address, tells a device that says it has this one.
fn arp(sender: Ipv4Addr, tags: &[u16]) -> Vec<u8> {
    let mut frame = vec![0xff; 6];
    frame.extend(DEVICE.0);
    for tag in tags {
        frame.extend(tag.to_be_bytes());
        frame.extend([0, 42]);
    }
    frame.extend([0x08, 0x06, 0, 1, 0x08, 0, 6, 4, 0, 1]);
    frame.extend(DEVICE.0);
    frame.extend(sender.octets());
    frame.extend([0; 6]);
    frame.extend([192, 168, 1, 1]);
    frame
}

fn dhcp(source: Ipv4Addr, to: &str) -> Vec<u8> {
    let mut frame = Frame::udp(DEVICE, to.parse().unwrap(), 68, 67, &[1; 240]);
    frame.source = source.into();
    frame.bytes()
}

#[test]
fn what_fits_passes() {
    let policy = DevicePolicy {
        interface: Some(INTERFACE),
        ..at(OWN)
    };
    let mut kernel = kernel(&dropping(), policy);
    for frame in [
        ordinary(cloud()),
        ordinary(cloud6()),
        arp(OWN, &[]),
        arp(OWN, &[0x8100]),
        // As they speak who have no address yet.
        arp(Ipv4Addr::UNSPECIFIED, &[]),
        dhcp(Ipv4Addr::UNSPECIFIED, "255.255.255.255"),
        dhcp(OWN, "192.168.1.1"),
    ] {
        kernel.expect(&frame, Reason::Pass);
    }
}

#[test]
fn another_address_is_dropped() {
    let mut kernel = kernel(&dropping(), at(OTHER));
    let mut tagged = Frame::tcp(DEVICE, cloud(), 443, ACK, &[0x17; 30]);
    tagged.tags = vec![0x88a8, 0x8100];
    let mut fragment = Frame::tcp(DEVICE, cloud(), 443, ACK, &[0; 64]);
    fragment.fragment = 185;
    for frame in [
        ordinary(cloud()),
        tagged.bytes(),
        fragment.bytes(),
        Frame::ip(DEVICE, OWN.into(), cloud(), 1, vec![8; 64]).bytes(),
        // Plaintext is nothing more than what does not fit.
        Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes(),
        arp(OWN, &[]),
        arp(OWN, &[0x8100]),
        arp(OWN, &[0x88a8, 0x8100]),
    ] {
        kernel.expect(&frame, Reason::AddressMismatch);
    }
    // It is IPv4 that is bound.
    kernel.expect(&ordinary(cloud6()), Reason::Pass);
    // Renewing an old address, or any, gets through.
    kernel.expect(&dhcp(OWN, "255.255.255.255"), Reason::Pass);
    kernel.expect(&dhcp(OWN, "192.168.1.1"), Reason::Pass);
    // Not to a server of its own choice.
    kernel.expect(&dhcp(OWN, "192.0.2.1"), Reason::AddressMismatch);
}

#[test]
fn another_interface_is_dropped() {
    let mut kernel = kernel(&dropping(), on(INTERFACE + 1));
    for frame in [
        ordinary(cloud()),
        ordinary(cloud6()),
        arp(OWN, &[]),
        arp(Ipv4Addr::UNSPECIFIED, &[]),
        Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes(),
    ] {
        kernel.expect(&frame, Reason::InterfaceMismatch);
    }
    kernel.expect(&dhcp(OWN, "255.255.255.255"), Reason::Pass);
    let to = "ff02::1:2".parse().unwrap();
    let solicit = Frame::udp(DEVICE, to, 546, 547, &[1; 40]).bytes();
    kernel.expect(&solicit, Reason::Pass);
    // Without EAPOL no device gets into a Wi-Fi, to show what does not fit.
    let mut eapol = arp(OWN, &[]);
    eapol[..6].copy_from_slice(&[2, 0, 0, 0, 0, 0xfe]);
    eapol[12..14].copy_from_slice(&[0x88, 0x8e]);
    kernel.expect(&eapol, Reason::Pass);
}

#[test]
fn a_report_lets_pass_what_would_have_passed_and_nothing_else() {
    for (policy, reason) in [
        (at(OTHER), Reason::AddressMismatch),
        (on(INTERFACE + 1), Reason::InterfaceMismatch),
    ] {
        let mut kernel = kernel(&rules(), policy);
        for frame in [ordinary(cloud()), arp(OWN, &[])] {
            for hook in HOOKS {
                assert_eq!(kernel.run(hook, &frame), Verdict::Pass);
            }
        }
        assert_eq!(kernel.frames(DEVICE, reason), 4);
        assert_eq!(kernel.counters(DEVICE).frames.iter().sum::<u64>(), 4);
        let events = kernel.events();
        assert_eq!(events.len(), 1, "and not for every frame");
        assert_eq!((events[0].reason(), events[0].flags), (Ok(reason), 0));
        assert_eq!(IpAddr::from(events[0].source).to_canonical(), OWN);
        // Each is counted once, under what is worse.
        let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
        kernel.expect(&plain, Reason::PlaintextPort);
        let payload = connect("MQTT", 5, 0);
        let odd = Frame::tcp(DEVICE, cloud(), 443, ACK, &payload).bytes();
        kernel.expect(&odd, Reason::PlaintextConnect);
        let limits = KernelLimits {
            packets_per_s: 1,
            ..WIDE
        };
        let policy = DevicePolicy { limits, ..policy };
        kernel.tables.set_device(DEVICE, &policy).unwrap();
        kernel.run(Hook::Xdp, &ordinary(cloud()));
        kernel.expect(&ordinary(cloud()), Reason::FloodPackets);
    }
}

/// In monitor mode nothing is dropped, whatever the rules would drop.
#[test]
fn monitoring_counts_what_would_have_been_dropped() {
    let rules = Rules {
        mode: Mode::Monitor,
        ..dropping()
    };
    let mut kernel = kernel(&rules, at(OTHER));
    let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    for hook in HOOKS {
        assert_eq!(kernel.run(hook, &plain), Verdict::Pass);
    }
    assert_eq!(kernel.frames(DEVICE, Reason::AddressMismatch), 2);
    assert_eq!(kernel.events()[0].flags, 0);
}

#[test]
fn what_stands_above_a_mismatch_and_what_below() {
    let bound = DevicePolicy {
        standing: Standing::Blocked,
        ..at(OTHER)
    };
    let mut kernel = kernel(&dropping(), bound);
    let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    kernel.expect(&plain, Reason::Blocked);
    kernel.expect(&dhcp(OWN, "255.255.255.255"), Reason::Pass);
    let bound = DevicePolicy {
        standing: Standing::Quarantined,
        ..at(OTHER)
    };
    kernel.tables.set_device(DEVICE, &bound).unwrap();
    kernel.expect(&plain, Reason::AddressMismatch);
}

/// Whoever uses the address of a device does not spend its limits.
#[test]
fn what_does_not_fit_is_charged_to_nobody() {
    let limits = KernelLimits {
        packets_per_s: 1,
        broadcasts_per_s: 1,
        ..WIDE
    };
    let bound = DevicePolicy {
        limits,
        ..at(OTHER)
    };
    let mut kernel = kernel(&dropping(), bound);
    for _ in 0..10 {
        kernel.expect(&ordinary(cloud()), Reason::AddressMismatch);
        kernel.expect(&arp(OWN, &[]), Reason::AddressMismatch);
    }
    let mut honest = Frame::tcp(DEVICE, cloud(), 443, SYN, &[]);
    honest.source = OTHER.into();
    assert_eq!(kernel.run(Hook::Tc, &honest.bytes()), Verdict::Pass);
}

#[test]
fn events_show_who_arp_speaks_of() {
    let mut kernel = kernel(&dropping(), at(OTHER));
    kernel.run(Hook::Xdp, &arp(OWN, &[0x8100]));
    let events = kernel.events();
    let address = |bytes: [u8; 16]| IpAddr::from(bytes).to_canonical();
    assert_eq!(events.len(), 1);
    assert_eq!(events[0].flags, event_flags::DROPPED);
    assert_eq!(address(events[0].source), OWN);
    assert_eq!(
        address(events[0].destination),
        IpAddr::from([192, 168, 1, 1])
    );
}

fn uplifted() -> DevicePolicy {
    DevicePolicy {
        uplift: true,
        ..GOOD
    }
}

fn uplifting() -> Rules {
    Rules {
        uplift: true,
        reject: true,
        ..rules()
    }
}

#[test]
fn an_uplifted_devices_plaintext_passes_to_be_taken_over() {
    let mut kernel = kernel(&uplifting(), uplifted());
    for to in [cloud(), cloud6()] {
        for (flags, payload) in [
            (SYN, &[][..]),
            (ACK, &[]),
            (ACK, &connect("MQTT", 4, 10)),
            (ACK, &[0x10]),
            (ACK | 1, &[]),
            (4, &[]),
        ] {
            let frame = Frame::tcp(DEVICE, to, 1883, flags, payload).bytes();
            kernel.expect(&frame, Reason::Uplifted);
        }
    }
    assert!(kernel.events().is_empty(), "nothing to tell");
}

#[test]
fn what_is_not_taken_over_does_not_pass() {
    let mut kernel = kernel(&uplifting(), uplifted());
    let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    for (frame, reason) in [
        // The redirect is for the listed ports.
        (
            Frame::tcp(DEVICE, cloud(), 443, ACK, &connect("MQTT", 4, 10)).bytes(),
            Reason::PlaintextConnect,
        ),
        (
            Frame::tcp(DEVICE, "192.168.1.1".parse().unwrap(), 1883, SYN, &[]).bytes(),
            Reason::PlaintextLocal,
        ),
        (
            Frame::udp(DEVICE, cloud(), 1, 1883, &[2, 4]).bytes(),
            Reason::MqttSn,
        ),
    ] {
        for hook in HOOKS {
            let before = kernel.frames(DEVICE, reason);
            assert_ne!(kernel.run(hook, &frame), Verdict::Pass, "{hook:?}");
            assert_eq!(kernel.frames(DEVICE, reason) - before, 1);
        }
    }
    let mut hidden = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]);
    hidden.fragment = 0x2000;
    hidden.body.truncate(16);
    kernel.expect(&hidden.bytes(), Reason::TinyFragment);
    for (standing, reason) in [
        (Standing::Quarantined, Reason::Quarantined),
        (Standing::Blocked, Reason::Blocked),
    ] {
        let policy = DevicePolicy {
            standing,
            ..uplifted()
        };
        kernel.tables.set_device(DEVICE, &policy).unwrap();
        kernel.expect(&plain, reason);
    }
    // Either half alone is none.
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    assert_eq!(kernel.run(Hook::Xdp, &plain), Verdict::Answer);
    kernel.tables.set_device(DEVICE, &uplifted()).unwrap();
    kernel.expect(&plain, Reason::Uplifted);
    kernel.tables.set_rules(&rules()).unwrap();
    kernel.expect(&plain, Reason::PlaintextPort);
}

/// The redirection is a matter of routing: what the router would bridge, or hand to a session or a
/// VLAN that it has no part in, would go on in the clear.
#[test]
fn only_what_the_router_takes_in_is_taken_over() {
    let mut kernel = kernel(&uplifting(), uplifted());
    let mut plain = Frame::tcp(DEVICE, cloud(), 1883, ACK, &connect("MQTT", 4, 10));
    let untagged = plain.bytes();
    let reason = |kernel: &mut Kernel, frame: &[u8], expected: Reason| {
        for hook in HOOKS {
            let before = kernel.frames(DEVICE, expected);
            let verdict = kernel.run(hook, frame);
            assert_eq!(verdict == Verdict::Pass, expected == Reason::Uplifted);
            assert_eq!(kernel.frames(DEVICE, expected) - before, 1, "{hook:?}");
        }
    };
    reason(&mut kernel, &untagged, Reason::Uplifted);

    // To a neighbour on the bridge, to a group.
    for destination in [[2, 0, 0, 0, 0, 0x99], [0xff; 6], [1, 0, 0x5e, 0, 0, 1]] {
        let mut bridged = untagged.clone();
        bridged[..6].copy_from_slice(&destination);
        reason(&mut kernel, &bridged, Reason::PlaintextPort);
    }
    // In a PPPoE session.
    let mut dialled = untagged.clone();
    let length = (untagged.len() - 12) as u16;
    let [high, low] = length.to_be_bytes();
    dialled.splice(12..14, [0x88, 0x64, 0x11, 0, 0, 7, high, low, 0, 0x21]);
    reason(&mut kernel, &dialled, Reason::PlaintextPort);
    // In a VLAN (42) that the router has no part in, and then in one that it has.
    let in_vlan = |plain: &mut Frame, tags: &[u16]| {
        plain.tags = tags.to_vec();
        plain.bytes()
    };
    let tagged = in_vlan(&mut plain, &[0x8100]);
    reason(&mut kernel, &tagged, Reason::PlaintextPort);
    let vlan = Station {
        vlan: 42,
        ..STATION
    };
    kernel.set_stations(&[STATION, vlan].into());
    reason(&mut kernel, &tagged, Reason::Uplifted);
    for tags in [&[0x88a8][..], &[0x8100, 0x8100], &[0x88a8, 0x8100]] {
        let other = in_vlan(&mut plain, tags);
        reason(&mut kernel, &other, Reason::PlaintextPort);
    }
    // On another interface.
    let elsewhere = Station {
        ifindex: INTERFACE + 1,
        ..STATION
    };
    kernel.set_stations(&[elsewhere].into());
    reason(&mut kernel, &untagged, Reason::PlaintextPort);
}

#[test]
fn limits_hold_for_what_is_taken_over() {
    let limits = KernelLimits {
        connections_per_s: 1,
        ..WIDE
    };
    let policy = DevicePolicy {
        limits,
        ..uplifted()
    };
    let mut kernel = kernel(&uplifting(), policy);
    let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    assert_eq!(kernel.run(Hook::Xdp, &plain), Verdict::Pass);
    assert_eq!(kernel.run(Hook::Xdp, &plain), Verdict::Drop);
    assert_eq!(kernel.frames(DEVICE, Reason::FloodConnections), 1);
}

/// The router takes over whatever goes to the port, so that is what is said of it.
#[test]
fn taking_over_comes_before_an_exception() {
    let rules = Rules {
        exceptions: vec![Exception {
            name: "cloud".into(),
            mac: None,
            destination: "192.0.2.0/24".parse().unwrap(),
            port: None,
        }],
        ..uplifting()
    };
    let mut kernel = kernel(&rules, uplifted());
    let plain = Frame::tcp(DEVICE, cloud(), 1883, SYN, &[]).bytes();
    kernel.expect(&plain, Reason::Uplifted);
    kernel.tables.set_device(DEVICE, &GOOD).unwrap();
    kernel.expect(&plain, Reason::Excepted);
}
