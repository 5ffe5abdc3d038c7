//! CONNECTs that the standard forbids, with the reason code of each.

use super::packets::{Connect, packet, text};
use super::rig::Rig;

const MALFORMED: u8 = 0x81;
const PROTOCOL: u8 = 0x82;
const TOPIC_NAME: u8 = 0x90;

/// Sends a CONNECT that is wrong: the reason code, or `None` for silence.
fn refused(bytes: &[u8]) -> Option<u8> {
    let mut rig = Rig::new();
    let code = rig.try_connect(bytes);
    assert_ne!(code, Some(0), "{bytes:02x?} was taken");
    code
}

/// CONNECT with these flags, for the level given.
fn flags(level: u8, flags: u8, rest: &[u8]) -> Vec<u8> {
    let name = if level == 3 {
        text("MQIsdp")
    } else {
        text("MQTT")
    };
    let none: &[u8] = if level == 5 { &[0] } else { &[] };
    packet(
        0x10,
        &[&name[..], &[level, flags, 0, 0], none, rest].concat(),
    )
}

#[test]
fn mqtt_3_1_2_bad_connect_flags() {
    let will5 = b"\0\x01c\0\0\x01w\0\0";
    let will4 = b"\0\x01c\0\x01w\0\0";
    for (level, will) in [(4, &will4[..]), (5, &will5[..])] {
        let want = (level == 5).then_some(MALFORMED);
        for (bits, rest) in [
            (0x03, &b"\0\x01c"[..]),
            (0x1E, will),
            (0x0A, b"\0\x01c"),
            (0x22, b"\0\x01c"),
            (0x02, b"\0\x01c\0"),
            (0x82, b"\0\x01c"),
            (0xC2, b"\0\x01c\0\x01u"),
        ] {
            assert_eq!(refused(&flags(level, bits, rest)), want, "{bits:02x}");
        }
    }
    // MQTT 3.1.1: MQTT-3.1.2-22. MQTT 5 allows a password alone.
    assert_eq!(refused(&flags(4, 0x42, b"\0\x01c\0\x01p")), None);
    let mut rig = Rig::new();
    assert_eq!(rig.try_connect(&flags(5, 0x42, b"\0\x01c\0\x01p")), Some(0));
}

#[test]
fn bad_connect_fields() {
    let name = |name: &str| packet(0x10, &[&text(name)[..], &[4, 2, 0, 0, 0, 1, b'c']].concat());
    for bad in ["MQTt", "", "MQTTX", "HTTP"] {
        assert_eq!(refused(&name(bad)), None, "{bad}");
    }
    assert_eq!(refused(&flags(4, 2, b"\0\x01\0")), None);
    assert_eq!(refused(&flags(5, 2, b"\0\x01\0")), Some(MALFORMED));
    assert_eq!(refused(&flags(5, 2, b"\0\x02\xC0\x80")), Some(MALFORMED));
    assert_eq!(
        refused(&Connect::new(5, "a\u{1b}[2J").bytes()),
        Some(MALFORMED)
    );
    let will = |topic: &str| Connect::new(5, "c").will(topic, 0, false, &[]).bytes();
    assert_eq!(refused(&will("a/#")), Some(TOPIC_NAME));
    assert_eq!(refused(&will("")), Some(TOPIC_NAME));
    for (property, code) in [
        (&[0x21, 0, 0][..], PROTOCOL),
        (&[0x27, 0, 0, 0, 0], PROTOCOL),
        (&[0x17, 2], PROTOCOL),
        (&[0x19, 2], PROTOCOL),
        (b"\x16\0\x01x", PROTOCOL),
        (&[0x23, 0, 1], MALFORMED),
        (&[0x11, 0, 0, 0, 1, 0x11, 0, 0, 0, 1], PROTOCOL),
        (&[0x18, 0, 0, 0, 1], MALFORMED),
        (&[0x99], MALFORMED),
        (&[0x11, 0], MALFORMED),
    ] {
        let connect = Connect::new(5, "c").prop(property).bytes();
        assert_eq!(refused(&connect), Some(code), "{property:02x?}");
    }
    let list: &[&[u8]] = &[&[0x11, 0, 0, 0, 0]];
    let connect = Connect::new(5, "c").will("w", 0, false, list).bytes();
    assert_eq!(refused(&connect), Some(MALFORMED));
}

#[test]
fn a_connect_that_is_too_large_is_refused_by_its_header() {
    let mut rig = Rig::new();
    for header in [
        &[0x10, 0xFF, 0xFF, 0xFF, 0x7F][..],
        &[0x10, 0x80, 0x80, 0x01],
    ] {
        let conn = rig.open();
        rig.send(conn, header);
        assert!(rig.is_closed(conn) && rig.has_limit("connect_size"));
        assert_eq!(rig.got(conn), []);
    }
}
