//! UTF-8 strings (MQTT 5 section 1.5.4), wherever a packet has one.

use mqttguard_tests::mqtt::packet::{Version, packet, text};
use mqttguard_tests::mqtt::props;

use super::properties::Place;
use super::table::{MALFORMED, Table};

/// What is not a string of MQTT.
const BAD: [(&str, &[u8]); 18] = [
    ("U+0000", b"\0"),
    ("U+0000 within", b"a\0b"),
    ("U+0000 at the end", b"ab\0"),
    ("U+0000 in two bytes", b"\xC0\x80"),
    ("a slash in two bytes", b"\xC0\xAF"),
    ("a slash in three bytes", b"\xE0\x80\xAF"),
    ("a slash in four bytes", b"\xF0\x80\x80\xAF"),
    ("the first surrogate", b"\xED\xA0\x80"),
    ("the last surrogate", b"\xED\xBF\xBF"),
    ("a pair of surrogates", b"\xED\xA0\xBD\xED\xB8\x80"),
    ("above U+10FFFF", b"\xF4\x90\x80\x80"),
    ("five bytes", b"\xF8\x88\x80\x80\x80"),
    ("FE", b"\xFE"),
    ("FF", b"a\xFF"),
    ("a continuation alone", b"\x80"),
    ("two bytes, cut", b"a\xC3"),
    ("three bytes, cut", b"\xE2\x82"),
    ("four bytes, cut", b"\xF0\x9F\x98"),
];

pub(crate) fn everywhere() -> Table {
    let mut table = Table::default();
    for (what, bad) in BAD {
        let field = text(bad);
        for version in Version::ALL {
            in_fields(&mut table, version, what, &field);
        }
        in_properties(&mut table, what, &field);
    }
    table
}

fn in_fields(table: &mut Table, version: Version, what: &str, field: &[u8]) {
    let none = version.no_properties();
    let connect = |flags: u8, rest: &[&[u8]]| {
        let start = [&version.protocol()[..], &[flags, 0, 60], none].concat();
        packet(0x10, &[start, rest.concat()].concat())
    };
    let id = text("c");
    let (will, topic) = (text("x"), text("t"));
    for (name, bytes) in [
        ("client identifier", connect(0x02, &[field])),
        ("will topic", connect(0x06, &[&id, none, field, &will])),
        ("user name", connect(0x82, &[&id, field])),
    ] {
        table.refused(version, format!("{name}: {what}"), &bytes, MALFORMED);
    }
    for (name, bytes) in [
        ("topic name", packet(0x30, &[field, none].concat())),
        (
            "topic name, QoS 1",
            packet(0x32, &[field, &[0, 1], none].concat()),
        ),
        (
            "SUBSCRIBE",
            packet(0x82, &[&[0, 1], none, field, &[0]].concat()),
        ),
        (
            "the second filter",
            packet(0x82, &[&[0, 1], none, &topic, &[0], field, &[0]].concat()),
        ),
        (
            "UNSUBSCRIBE",
            packet(0xA2, &[&[0, 1], none, field].concat()),
        ),
    ] {
        table.ends(version, format!("{name}: {what}"), &bytes, MALFORMED);
    }
}

fn in_properties(table: &mut Table, what: &str, field: &[u8]) {
    let good = text("x");
    for place in Place::ALL {
        for (which, parts) in [("name", [field, &good]), ("value", [&good, field])] {
            let property = [&[props::USER_PROPERTY][..], &parts.concat()].concat();
            let name = format!("user property {which} in {place:?}: {what}");
            place.wrong(table, name, &property, MALFORMED);
        }
        for id in [
            props::REASON_STRING,
            props::CONTENT_TYPE,
            props::RESPONSE_TOPIC,
            props::AUTHENTICATION_METHOD,
        ] {
            if place.takes(id) {
                let property = [&[id][..], field].concat();
                let name = format!("property {id:02x} in {place:?}: {what}");
                place.wrong(table, name, &property, MALFORMED);
            }
        }
    }
}
