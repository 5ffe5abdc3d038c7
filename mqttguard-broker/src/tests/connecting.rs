use super::packets::{self, Connect, DISCONNECT, In, PINGREQ};
use super::rig::{Rig, accept, config, grants, limits};
use crate::{Decision, Departure, Flow, Full, NoticeKind, Refusal, Time, Transmit};

#[test]
fn every_version_gets_its_connack() {
    for (level, want) in [
        (3, &[0x20, 2, 0, 0][..]),
        (4, &[0x20, 2, 0, 0]),
        (5, b"\x20\x0E\0\0\x0B\x21\0\x0A\x27\0\x01\0\0\x22\0\x10"),
    ] {
        let mut rig = Rig::new();
        let conn = rig.broker.open(rig.now).unwrap();
        let flow = rig
            .broker
            .receive(rig.now, conn, &Connect::new(level, "c").bytes());
        assert_eq!(flow, Flow::Pause(None));
        let (asked, request) = rig.broker.next_request().unwrap();
        assert_eq!((asked, request.client_id.as_str()), (conn, "c"));
        let accept = accept("i", grants(&[], &[]), limits());
        rig.broker.decide(rig.now, conn, accept);
        assert_eq!(rig.broker.next_ready(), Some(conn));
        assert_eq!(rig.broker.next_ready(), None);
        let mut out = Vec::new();
        assert_eq!(
            rig.broker.transmit(rig.now, conn, &mut out, 1_000),
            Transmit::Drained
        );
        assert_eq!(out, want);
        let told = rig.broker.next_notice().unwrap();
        assert_eq!(told.identity.as_deref(), Some("i"));
        assert!(matches!(
            told.kind,
            NoticeKind::Connected {
                session_present: false,
                ..
            }
        ));
    }
}

#[test]
fn a_refusal_has_the_code_of_its_version() {
    for (refusal, v3, v5) in [
        (Refusal::BadCredentials, 4, 0x86),
        (Refusal::NotAuthorized, 5, 0x87),
        (Refusal::Banned, 5, 0x8A),
        (Refusal::Unavailable, 3, 0x88),
    ] {
        for (level, code) in [(3, v3), (4, v3), (5, v5)] {
            let mut rig = Rig::new();
            rig.door = Box::new(move |_| Decision::Refuse(refusal));
            assert_eq!(
                rig.try_connect(&Connect::new(level, "c").bytes()),
                Some(code)
            );
        }
    }
}

#[test]
fn mqtt_3_1_2_2_other_levels_are_refused() {
    let connect = |level| Connect::new(level, "c").bytes();
    let mut rig = Rig::new();
    assert_eq!(rig.try_connect(&connect(6)), Some(0x84));
    assert_eq!(rig.try_connect(&connect(2)), Some(1));
    // The mark of a mosquitto bridge.
    assert_eq!(rig.try_connect(&connect(0x84)), Some(1));
}

#[test]
fn a_client_identifier_is_assigned_where_the_version_has_that() {
    let mut rig = Rig::new();
    let (first, _) = rig.connect_with(&Connect::new(4, ""));
    let (second, _) = rig.connect_with(&Connect::new(4, ""));
    assert!(!rig.is_closed(first) && !rig.is_closed(second));
    // MQTT 3.1.1: MQTT-3.1.3-8
    assert_eq!(
        rig.try_connect(&Connect::new(4, "").resume().bytes()),
        Some(2)
    );
    assert_eq!(rig.try_connect(&Connect::new(3, "").bytes()), Some(2));
    let conn = rig.open();
    rig.send(conn, &Connect::new(5, "").resume().bytes());
    let [In::ConnAck { code: 0, props, .. }] = &rig.got(conn)[..] else {
        panic!()
    };
    // MQTT-3.2.2-16
    let at = props
        .windows(8)
        .position(|w| w == b"\x12\0\x0Dauto-")
        .expect("assigned");
    assert_eq!(&props[at + 3..at + 16], b"auto-00000003");
}

#[test]
fn mqtt_3_2_2_what_is_not_as_asked_for_is_told() {
    let limits = crate::Limits {
        session_expiry_s: 60,
        retained_messages: 0,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let conn = rig.open();
    rig.send(conn, &Connect::new(5, "c").expiry(u32::MAX).bytes());
    let [In::ConnAck { code: 0, props, .. }] = &rig.got(conn)[..] else {
        panic!()
    };
    assert_eq!(&props[..5], &[0x11, 0, 0, 0, 60]);
    assert!(props.windows(2).any(|w| w == [0x25, 0]));
    // MQTT-3.2.2-14
    rig.send(conn, &packets::publish(1, "a", 0, Some(&[]), b"x"));
    assert_eq!(rig.got(conn), [In::Disconnect(0x9A)]);
}

#[test]
fn mqtt_3_1_2_22_silence_of_one_and_a_half_keep_alives_ends_it() {
    for (level, want) in [(4, vec![]), (5, vec![In::Disconnect(0x8D)])] {
        let mut rig = Rig::new();
        let conn = rig.connect(&Connect::new(level, "c").keep_alive(10));
        for _ in 0..5 {
            rig.pass(14_000);
            rig.send(conn, &PINGREQ);
            assert_eq!(rig.got(conn), [In::PingResp]);
        }
        rig.pass(14_999);
        assert!(!rig.is_closed(conn));
        rig.pass(1);
        assert!(rig.is_closed(conn));
        assert_eq!(rig.got(conn), want);
    }
}

#[test]
fn keep_alive_0_is_off() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(4, "c"));
    rig.pass(1_000_000_000);
    assert!(!rig.is_closed(conn));
    assert_eq!(rig.broker.deadline(), None);
}

#[test]
fn mqtt_3_2_2_21_a_keep_alive_of_the_servers() {
    let mut rig = Rig::new();
    rig.broker.set_keep_alive_max(60);
    for (level, asked, told, silence) in [
        (5, 0, true, 90),
        (5, 120, true, 90),
        (5, 60, false, 90),
        (5, 10, false, 15),
        (4, 120, false, 180),
    ] {
        let conn = rig.open();
        rig.send(conn, &Connect::new(level, "c").keep_alive(asked).bytes());
        let [In::ConnAck { code: 0, props, .. }] = &rig.got(conn)[..] else {
            panic!()
        };
        assert_eq!(props.ends_with(&[0x13, 0, 60]), told, "{level} {asked}");
        rig.pass(silence * 1_000 - 1);
        assert!(!rig.is_closed(conn), "{level} {asked}");
        rig.pass(1);
        assert!(rig.is_closed(conn), "{level} {asked}");
    }
}

#[test]
fn single_bytes_of_a_packet_are_no_sign_of_life() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(4, "c").keep_alive(10));
    for byte in packets::publish(0, "a", 0, None, b"0123456789") {
        rig.pass(2_000);
        rig.send(conn, &[byte]);
    }
    assert!(rig.is_closed(conn));
}

#[test]
fn no_connect_in_time_ends_it() {
    let mut rig = Rig::new();
    let conn = rig.open();
    for byte in &Connect::new(4, "c").bytes()[..3] {
        rig.pass(1_600);
        rig.send(conn, &[*byte]);
    }
    assert!(!rig.is_closed(conn));
    rig.pass(1_600);
    assert!(rig.is_closed(conn) && rig.has_limit("connect_timeout_ms"));
    assert_eq!(rig.got(conn), []);
}

#[test]
fn packets_come_in_pieces_of_any_size() {
    let mut bytes = Connect::new(5, "c").bytes();
    bytes.extend(packets::subscribe(9, Some(&[]), &[("#", 0)]));
    bytes.extend(packets::publish(0, "a", 0, Some(&[]), &[7; 300]));
    bytes.extend(PINGREQ);
    for size in [1, 2, 3, 7, 50, 1_000] {
        let mut rig = Rig::new();
        let conn = rig.open();
        for piece in bytes.chunks(size) {
            rig.send(conn, piece);
        }
        let got = rig.got(conn);
        assert!(
            got.contains(&In::SubAck(9, vec![0])) && got.contains(&In::PingResp),
            "{size}"
        );
        assert_eq!(got.len(), 4, "{size}");
    }
}

#[test]
fn what_comes_before_the_decision_waits_and_is_bounded() {
    let mut rig = Rig::new();
    let conn = rig.broker.open(rig.now).unwrap();
    let mut bytes = Connect::new(4, "c").bytes();
    bytes.extend(PINGREQ);
    assert_eq!(rig.broker.receive(rig.now, conn, &bytes), Flow::Pause(None));
    assert_eq!(
        rig.broker.receive(rig.now, conn, &PINGREQ),
        Flow::Pause(None)
    );
    rig.pump();
    let codes: Vec<_> = rig.got(conn);
    assert_eq!(codes[1..], [In::PingResp, In::PingResp]);
    let conn = rig.broker.open(rig.now).unwrap();
    rig.broker
        .receive(rig.now, conn, &Connect::new(5, "d").bytes());
    assert_eq!(
        rig.broker.receive(rig.now, conn, &[0xC0; 5_000]),
        Flow::Close
    );
    // The decision comes too late, which is harmless.
    rig.broker
        .decide(rig.now, conn, accept("i", grants(&[], &[]), limits()));
    rig.pump();
    assert!(rig.is_closed(conn));
}

#[test]
fn connections_are_bounded() {
    let mut rig = Rig::with(
        crate::Config {
            connections: 3,
            ..config()
        },
        limits(),
    );
    let conns: Vec<_> = (0..3).map(|_| rig.open()).collect();
    assert_eq!(rig.broker.open(rig.now), Err(Full));
    rig.lose(conns[1]);
    let again = rig.open();
    assert_eq!(again.slot, conns[1].slot);
    // The old name of the slot means nothing any more.
    assert_eq!(rig.broker.receive(rig.now, conns[1], b"x"), Flow::Close);
    rig.broker.lost(rig.now, conns[1]);
    assert_eq!(rig.broker.receive(rig.now, again, &[]), Flow::Read);
}

#[test]
fn disconnect_ends_it_and_nothing_after_it_is_read() {
    for level in [3, 4, 5] {
        let mut rig = Rig::new();
        let conn = rig.connect(&Connect::new(level, "c"));
        let bytes = [&DISCONNECT[..], &PINGREQ].concat();
        assert_eq!(rig.send(conn, &bytes), Flow::Close);
        assert!(rig.is_closed(conn));
        assert_eq!(rig.got(conn), []);
        let by_client = |k: &NoticeKind| {
            matches!(
                k,
                NoticeKind::Disconnected {
                    why: Departure::Disconnect,
                }
            )
        };
        assert_eq!(rig.notices.iter().filter(|k| by_client(k)).count(), 1);
    }
}

#[test]
fn time_may_stand_still_or_jump() {
    let mut rig = Rig::new();
    rig.now = Time(u64::MAX - 5);
    let conn = rig.connect(&Connect::new(5, "c").keep_alive(u16::MAX).expiry(u32::MAX));
    rig.publish(conn, 2, "a", "x");
    rig.pass(5);
    rig.lose(conn);
}
