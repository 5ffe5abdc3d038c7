//! Packets that the standard forbids, class by class, with the reason code of each.

use super::packets::{self, Connect, In, packet, props, text};
use super::rig::Rig;
use crate::NoticeKind;

const MALFORMED: u8 = 0x81;
const PROTOCOL: u8 = 0x82;
const TOPIC_NAME: u8 = 0x90;
const TOO_LARGE: u8 = 0x95;

/// Sends a packet on a new connection and answers the reason code of the DISCONNECT.
fn ends_with(level: u8, bytes: &[u8]) -> Option<u8> {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(level, "c"));
    rig.send(conn, bytes);
    assert!(rig.is_closed(conn), "level {level}: {bytes:02x?} was taken");
    let told = |k: &NoticeKind| {
        matches!(
            k,
            NoticeKind::ProtocolError { .. } | NoticeKind::Limit { .. }
        )
    };
    assert!(
        rig.notices.iter().any(told),
        "nobody was told of {bytes:02x?}"
    );
    match rig.got(conn)[..] {
        [In::Disconnect(code)] => Some(code),
        [] => None,
        ref other => panic!("{other:?}"),
    }
}

fn all(level: u8, cases: &[(&[u8], u8)]) {
    for (bytes, code) in cases {
        let want = (level == 5).then_some(*code);
        assert_eq!(ends_with(level, bytes), want, "level {level}: {bytes:02x?}");
    }
}

/// A property in each packet that has properties, behind what comes before them.
fn with_property(property: &[u8]) -> [(&'static str, Vec<u8>); 5] {
    let list = props(&[property]);
    let join = |parts: &[&[u8]]| parts.concat();
    [
        ("PUBLISH", packet(0x30, &join(&[&text("t"), &list]))),
        (
            "SUBSCRIBE",
            packet(0x82, &join(&[&[0, 1], &list, &text("t"), &[0]])),
        ),
        (
            "UNSUBSCRIBE",
            packet(0xA2, &join(&[&[0, 1], &list, &text("t")])),
        ),
        ("PUBACK", packet(0x40, &join(&[&[0, 1, 0], &list]))),
        ("DISCONNECT", packet(0xE0, &join(&[&[0], &list]))),
    ]
}

#[test]
fn mqtt_2_1_3_1_reserved_flags() {
    for level in [3, 4, 5] {
        for first in 0..=255u8 {
            let good = match first >> 4 {
                // Their flags mean something; only QoS 3 and DUP with QoS 0 are reserved.
                3 => first & 6 != 6 && first & 0x0E != 8,
                4 | 5 | 7 | 12 | 14 | 15 => first & 0x0F == 0,
                // MQTT 3.1 lets a client repeat itself with DUP.
                6 | 8 | 10 => first & 0x0F == 2 || (level == 3 && first & 0x0F == 0x0A),
                _ => false,
            };
            if good {
                continue;
            }
            let code = match first >> 4 {
                1 | 2 | 9 | 11 | 13 => PROTOCOL,
                _ => MALFORMED,
            };
            // The first byte alone is enough.
            all(level, &[(&[first], code)]);
        }
    }
}

#[test]
fn mqtt_3_1_0_1_connect_is_first() {
    let mut rig = Rig::new();
    for first in (0..=255u8).filter(|first| *first != 0x10) {
        let conn = rig.open();
        rig.send(conn, &[first]);
        assert!(rig.is_closed(conn), "{first:02x}");
        assert_eq!(rig.got(conn), []);
    }
}

#[test]
fn mqtt_3_1_0_2_a_second_connect() {
    all(
        5,
        &[
            (&Connect::new(5, "c").bytes(), PROTOCOL),
            (&[0x10], PROTOCOL),
        ],
    );
    all(4, &[(&Connect::new(4, "c").bytes(), PROTOCOL)]);
}

#[test]
fn bad_remaining_lengths() {
    for level in [3, 4, 5] {
        all(level, &[(&[0x30, 0xFF, 0xFF, 0xFF, 0xFF], MALFORMED)]);
        all(level, &[(&[0x30, 0xFF, 0xFF, 0xFF, 0x7F], TOO_LARGE)]);
    }
    // MQTT-1.5.5-1: not in the shortest form. MQTT 3 does not ask for that.
    all(5, &[(&[0xC0, 0x80, 0x00], MALFORMED)]);
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(4, "c"));
    rig.send(conn, &[0xC0, 0x80, 0x00]);
    assert_eq!(rig.got(conn), [In::PingResp]);
}

#[test]
fn bytes_left_and_bytes_missing() {
    for level in [3, 4, 5] {
        all(
            level,
            &[
                (&[0xC0, 1, 0], MALFORMED),
                (&[0x40, 1, 0], MALFORMED),
                (&[0x40, 0], MALFORMED),
                (&[0x30, 0], MALFORMED),
                (&[0x30, 1, 0], MALFORMED),
                (&packet(0x30, b"\0\x05abc"), MALFORMED),
                (&packet(0x32, b"\0\x01a\0"), MALFORMED),
                (&packet(0x82, b"\0"), MALFORMED),
            ],
        );
    }
    all(
        4,
        &[
            (&packet(0x40, &[0, 1, 0]), MALFORMED),
            (&packet(0xE0, &[0]), MALFORMED),
            (&packet(0x82, b"\0\x01\0\x01a"), MALFORMED),
        ],
    );
    all(
        5,
        &[
            (&packet(0x40, &[0, 1, 0, 0, 0]), MALFORMED),
            (&packet(0x40, &[0, 1, 0, 5]), MALFORMED),
            (&packet(0xE0, &[0, 0, 0]), MALFORMED),
            (&packet(0x30, b"\0\x01a\x05"), MALFORMED),
            (&packet(0x30, b"\0\x01a\x80\x80\x80\x80\x01"), MALFORMED),
            (&packet(0x30, b"\0\x01a\x80\0"), MALFORMED),
            (&packet(0x82, b"\0\x01\0\0\x01a"), MALFORMED),
        ],
    );
}

#[test]
fn mqtt_2_2_1_3_packet_identifier_0() {
    let id0 = [0, 0];
    all(
        5,
        &[
            (&packets::publish(2, "a", 0, Some(&[]), b""), PROTOCOL),
            (&packets::publish(4, "a", 0, Some(&[]), b""), PROTOCOL),
            (&packets::subscribe(0, Some(&[]), &[("a", 0)]), PROTOCOL),
            (&packets::unsubscribe(0, true, &["a"]), PROTOCOL),
            (&packet(0x40, &id0), PROTOCOL),
            (&packet(0x50, &id0), PROTOCOL),
            (&packet(0x62, &id0), PROTOCOL),
            (&packet(0x70, &id0), PROTOCOL),
        ],
    );
    all(
        4,
        &[
            (&packets::publish(2, "a", 0, None, b""), PROTOCOL),
            (&packet(0x62, &id0), PROTOCOL),
        ],
    );
}

#[test]
fn mqtt_1_5_4_bad_strings_everywhere() {
    let bad: [&[u8]; 7] = [
        b"\0",
        b"a\0b",
        b"\xC0\xAF",
        b"\xE0\x80\xAF",
        b"\xED\xA0\x80",
        b"\xF4\x90\x80\x80",
        b"\xFF",
    ];
    for bad in bad {
        let field = text(bad);
        for level in [3, 4, 5] {
            let none: &[u8] = if level == 5 { &[0] } else { &[] };
            all(
                level,
                &[
                    (&packet(0x30, &[&field[..], none].concat()), MALFORMED),
                    (
                        &packet(0x82, &[&[0, 1], none, &field, &[0]].concat()),
                        MALFORMED,
                    ),
                    (&packet(0xA2, &[&[0, 1], none, &field].concat()), MALFORMED),
                ],
            );
        }
        for property in [
            [&[0x26][..], &field, &text("v")].concat(),
            [&[0x26][..], &text("n"), &field].concat(),
        ] {
            for (name, bytes) in with_property(&property) {
                assert_eq!(ends_with(5, &bytes), Some(MALFORMED), "{name}");
            }
        }
        for id in [0x03, 0x08] {
            let property = [&[id][..], &field].concat();
            all(
                5,
                &[(
                    &packets::publish(0, "t", 0, Some(&[&property]), b""),
                    MALFORMED,
                )],
            );
        }
    }
}

#[test]
fn mqtt_3_3_2_2_wildcards_and_emptiness_in_topic_names() {
    for topic in ["#", "+", "a/#", "a/+/b", "a+", "a\u{7}b"] {
        all(
            5,
            &[(&packets::publish(0, topic, 0, Some(&[]), b""), TOPIC_NAME)],
        );
        all(
            4,
            &[(&packets::publish(0, topic, 0, None, b""), TOPIC_NAME)],
        );
        let property = [&[0x08][..], &text(topic)].concat();
        all(
            5,
            &[(
                &packets::publish(0, "t", 0, Some(&[&property]), b""),
                PROTOCOL,
            )],
        );
    }
    all(4, &[(&packets::publish(0, "", 0, None, b""), TOPIC_NAME)]);
    all(
        5,
        &[(&packets::publish(0, "", 0, Some(&[]), b""), PROTOCOL)],
    );
}

#[test]
fn mqtt_4_7_1_bad_filters() {
    for filter in [
        "",
        "a#",
        "#/a",
        "a/#/b",
        "a+/b",
        "$share/g",
        "$share//a",
        "$share/+/a",
        "a\u{1}",
    ] {
        for level in [4, 5] {
            let none: Option<&[&[u8]]> = if level == 5 { Some(&[]) } else { None };
            all(
                level,
                &[
                    (
                        &packets::subscribe(1, none, &[("good", 0), (filter, 0)]),
                        MALFORMED,
                    ),
                    (
                        &packets::unsubscribe(1, level == 5, &["good", filter]),
                        MALFORMED,
                    ),
                ],
            );
        }
    }
}

#[test]
fn mqtt_3_8_3_no_filters_and_bad_options() {
    all(
        5,
        &[
            (&packets::subscribe(1, Some(&[]), &[]), PROTOCOL),
            (&packets::unsubscribe(1, true, &[]), PROTOCOL),
            (&packets::subscribe(1, Some(&[]), &[("a", 3)]), PROTOCOL),
            (&packets::subscribe(1, Some(&[]), &[("a", 0x30)]), PROTOCOL),
            (&packets::subscribe(1, Some(&[]), &[("a", 0x40)]), MALFORMED),
            (&packets::subscribe(1, Some(&[]), &[("a", 0x80)]), MALFORMED),
            (
                &packets::subscribe(1, Some(&[]), &[("$share/g/a", 4)]),
                PROTOCOL,
            ),
            (
                &packets::subscribe(1, Some(&[&[0x0B, 0]]), &[("a", 0)]),
                PROTOCOL,
            ),
        ],
    );
    for options in [3, 4, 8, 0x10, 0x80] {
        all(
            4,
            &[(&packets::subscribe(1, None, &[("a", options)]), PROTOCOL)],
        );
    }
    all(4, &[(&packets::subscribe(1, None, &[]), PROTOCOL)]);
}

#[test]
fn a_subscribe_with_a_bad_filter_has_no_effect_at_all() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c").expiry(100));
    rig.send(
        conn,
        &packets::subscribe(1, Some(&[]), &[("good", 0), ("a#", 0)]),
    );
    assert_eq!(rig.broker.stats().subscriptions, 0);
}

#[test]
fn mqtt_2_2_2_2_properties_where_they_do_not_belong_or_twice() {
    let every: [(u8, &[u8]); 27] = [
        (0x01, &[0]),
        (0x02, &[0, 0, 0, 1]),
        (0x03, b"\0\x01x"),
        (0x08, b"\0\x01x"),
        (0x09, b"\0\x01x"),
        (0x0B, &[1]),
        (0x11, &[0, 0, 0, 0]),
        (0x12, b"\0\x01x"),
        (0x13, &[0, 1]),
        (0x15, b"\0\x01x"),
        (0x16, b"\0\x01x"),
        (0x17, &[0]),
        (0x18, &[0, 0, 0, 1]),
        (0x19, &[0]),
        (0x1A, b"\0\x01x"),
        (0x1C, b"\0\x01x"),
        (0x1F, b"\0\x01x"),
        (0x21, &[0, 1]),
        (0x22, &[0, 1]),
        (0x23, &[0, 1]),
        (0x24, &[0]),
        (0x25, &[0]),
        (0x26, b"\0\x01n\0\x01v"),
        (0x27, &[0, 0, 1, 0]),
        (0x28, &[0]),
        (0x29, &[0]),
        (0x2A, &[0]),
    ];
    let allowed: [(&str, &[u8]); 5] = [
        ("PUBLISH", &[0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26]),
        ("SUBSCRIBE", &[0x0B, 0x26]),
        ("UNSUBSCRIBE", &[0x26]),
        ("PUBACK", &[0x1F, 0x26]),
        ("DISCONNECT", &[0x11, 0x1F, 0x26]),
    ];
    for (id, value) in every {
        let property = [&[id], value].concat();
        for (name, bytes) in with_property(&property) {
            let (_, ids) = allowed.iter().find(|(packet, _)| *packet == name).unwrap();
            // Section 2.2.2.2, but for what only a server may send in that packet.
            let from_server = matches!((name, id), ("PUBLISH", 0x0B) | ("DISCONNECT", 0x1C));
            let code = if from_server { PROTOCOL } else { MALFORMED };
            if !ids.contains(&id) {
                assert_eq!(ends_with(5, &bytes), Some(code), "{id:02x} in {name}");
            }
        }
        let twice = property.repeat(2);
        for (name, bytes) in with_property(&twice) {
            let (_, ids) = allowed.iter().find(|(packet, _)| *packet == name).unwrap();
            if id != 0x26 && ids.contains(&id) {
                assert_eq!(
                    ends_with(5, &bytes),
                    Some(PROTOCOL),
                    "{id:02x} twice in {name}"
                );
            }
        }
    }
    for id in [0x00u8, 0x04, 0x10, 0x2B, 0x7F, 0xFF] {
        for (name, bytes) in with_property(&[id, 0]) {
            assert_eq!(ends_with(5, &bytes), Some(MALFORMED), "{id:02x} in {name}");
        }
    }
}

#[test]
fn bad_values() {
    let publish = |property: &[u8]| packets::publish(0, "t", 0, Some(&[property]), b"");
    all(
        5,
        &[
            (&publish(&[0x01, 2]), PROTOCOL),
            (&packet(0x40, &[0, 1, 0x55]), PROTOCOL),
            (&packet(0x62, &[0, 1, 0x10]), PROTOCOL),
            (&packet(0xE0, &[0x55]), PROTOCOL),
            // Only a server sends it.
            (&packet(0xE0, &[0x8E]), PROTOCOL),
            (&packet(0xF0, &[0x55, 0]), PROTOCOL),
            (&packet(0xF0, &[0]), MALFORMED),
        ],
    );
}
