//! PINGREQ, DISCONNECT, AUTH and a second CONNECT.

use mqttguard_tests::mqtt::packet::{Connect, Version, disconnect, packet};
use mqttguard_tests::mqtt::props;

use super::table::{MALFORMED, PROTOCOL, Table, Want};

/// Reason codes of a DISCONNECT that a client may send (section 3.14.2.1).
const CLIENT: [u8; 14] = [
    0x00, 0x04, 0x80, 0x81, 0x82, 0x83, 0x90, 0x93, 0x94, 0x95, 0x96, 0x97, 0x98, 0x99,
];

pub(crate) fn all() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        let again = Connect::new(version, "matrix").bytes();
        table.ends(version, "a second CONNECT", &again, PROTOCOL);
        let other = Connect::new(version, "another").bytes();
        table.ends(
            version,
            "a second CONNECT, another client",
            &other,
            PROTOCOL,
        );
        table.ends(version, "a second CONNECT, cut", &[0x10, 0], PROTOCOL);
        table.ends(version, "PINGREQ with a byte", &[0xC0, 1, 0], MALFORMED);
        table.taken(version, "PINGREQ", &[0xC0, 0]);
        table.sent(version, "DISCONNECT", &[0xE0, 0], Want::Closed);
        if version != Version::V5 {
            table.ends(version, "DISCONNECT with a byte", &[0xE0, 1, 0], MALFORMED);
            table.ends(version, "AUTH", &[0xF0, 0], MALFORMED);
        }
    }
    let v5 = Version::V5;
    for code in 0..=255u8 {
        let bytes = packet(0xE0, &[code]);
        let name = format!("DISCONNECT with reason code {code:02x}");
        if CLIENT.contains(&code) {
            table.sent(v5, name, &bytes, Want::Closed);
        } else {
            table.ends(v5, name, &bytes, PROTOCOL);
        }
    }
    let list = [
        props::string(props::REASON_STRING, "why"),
        props::user("n", "v"),
    ]
    .concat();
    let body = [&[0][..], &props::list(&list)].concat();
    table.cut(v5, "DISCONNECT", 0xE0, &body, |left| {
        matches!(left, 0 | 1).then_some(Want::Closed)
    });
    let more = [&body[..], &[0]].concat();
    table.ends(v5, "DISCONNECT and a byte", &packet(0xE0, &more), MALFORMED);
    // Section 3.14.2.2.2: the matrix connects with an expiry of 0.
    let raised = props::four(props::SESSION_EXPIRY, 5);
    let bytes = disconnect(0, &[&raised]);
    table.ends(
        v5,
        "DISCONNECT that raises the expiry from 0",
        &bytes,
        PROTOCOL,
    );
    let same = props::four(props::SESSION_EXPIRY, 0);
    let bytes = disconnect(0, &[&same]);
    table.sent(
        v5,
        "DISCONNECT that leaves the expiry at 0",
        &bytes,
        Want::Closed,
    );
    // MQTT-4.12.0-7: there was no Authentication Method in the CONNECT.
    let method = props::string(props::AUTHENTICATION_METHOD, "SCRAM-SHA-256");
    for code in [0x00, 0x18, 0x19] {
        let body = [&[code][..], &props::list(&method)].concat();
        let name = format!("AUTH {code:02x} without a method in CONNECT");
        table.ends(v5, name, &packet(0xF0, &body), PROTOCOL);
    }
    table.ends(v5, "AUTH with nothing", &[0xF0, 0], PROTOCOL);
    for code in [0x01, 0x17, 0x1A, 0x80, 0xFF] {
        let body = [&[code][..], &props::list(&method)].concat();
        let name = format!("AUTH with reason code {code:02x}");
        table.ends(v5, name, &packet(0xF0, &body), PROTOCOL);
    }
    table
}
