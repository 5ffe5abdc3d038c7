//! CONNECT (MQTT 5 section 3.1).

use mqttguard_tests::mqtt::packet::{Connect, Version, packet, text};
use mqttguard_tests::mqtt::props;

use super::table::{MALFORMED, PROTOCOL, TOPIC_NAME, Table, VERSION, Want};

/// Keep alive, and no properties.
fn head(version: Version, flags: u8) -> Vec<u8> {
    [
        &version.protocol()[..],
        &[flags, 0, 60],
        version.no_properties(),
    ]
    .concat()
}

/// Each of the 256 bytes of connect flags, with the fields in the payload that they announce.
pub(crate) fn flags() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for flags in 0..=255u8 {
            let (will, user, password) = (flags & 0x04 != 0, flags & 0x80 != 0, flags & 0x40 != 0);
            let mut body = head(version, flags);
            body.extend(text("flags"));
            if will {
                body.extend(version.no_properties());
                body.extend([text("flags/will"), text("x")].concat());
            }
            for _ in [user, password].into_iter().filter(|there| *there) {
                body.extend(text("secret"));
            }
            let reserved = flags & 1 != 0 && version != Version::V31;
            let bad_will = flags & 0x18 == 0x18 || !will && flags & 0x38 != 0;
            // MQTT-3.1.2-22 of 3.1.1; MQTT 5 has taken that back.
            let alone = password && !user && version != Version::V5;
            let bytes = packet(0x10, &body);
            let name = format!("connect flags {flags:02x}");
            if reserved || bad_will || alone {
                table.refused(version, name, &bytes, MALFORMED);
            } else {
                table.first(version, name, &bytes, Want::Taken);
            }
        }
        // Fields that the flags do not announce, and the other way round.
        let id = text("c");
        for (name, flags, payload) in [
            (
                "a user name without its flag",
                0x02,
                [&id[..], &text("u")].concat(),
            ),
            ("a user name flag without the name", 0x82, id.clone()),
            (
                "a password flag without the password",
                0xC2,
                [&id[..], &text("u")].concat(),
            ),
            ("a will flag without the will", 0x06, id.clone()),
            (
                "a password without its flag",
                0x82,
                [&id[..], &text("u"), &text("p")].concat(),
            ),
            (
                "a byte after the last field",
                0x02,
                [&id[..], &[0]].concat(),
            ),
        ] {
            let bytes = packet(0x10, &[head(version, flags), payload].concat());
            table.refused(version, name, &bytes, MALFORMED);
        }
    }
    table
}

pub(crate) fn protocols() -> Table {
    let mut table = Table::default();
    let rest = [&[2, 0, 60][..], &text("c")].concat();
    // What is not MQTT by its name gets no answer.
    for name in [
        "", "MQTt", "mqtt", "MQT", "MQTTX", "MQIsdP", "MQ", "HTTP", "MQTT\0",
    ] {
        for level in [3, 4, 5] {
            let bytes = packet(0x10, &[&text(name)[..], &[level], &rest].concat());
            let case = format!("protocol name {name:?} of level {level}");
            table.first(Version::V311, case, &bytes, Want::Closed);
        }
    }
    // MQTT-3.1.2-2: a CONNACK in the form that the client most likely knows.
    for (name, level) in [("MQTT", 3), ("MQIsdp", 4), ("MQIsdp", 5), ("MQIsdp", 0)] {
        let bytes = packet(0x10, &[&text(name)[..], &[level], &rest].concat());
        let case = format!("{name} of level {level}");
        table.first(Version::V311, case, &bytes, Want::ConnAck(1));
    }
    for level in [0, 1, 2, 0x83, 0x84, 0xFF] {
        let bytes = packet(0x10, &[&text("MQTT")[..], &[level], &rest].concat());
        let case = format!("MQTT of level {level}");
        table.first(Version::V311, case, &bytes, Want::ConnAck(1));
    }
    for level in [6, 7, 50, 0x7F] {
        let bytes = packet(0x10, &[&text("MQTT")[..], &[level], &rest].concat());
        let case = format!("MQTT of level {level}");
        table.first(Version::V5, case, &bytes, Want::ConnAck(VERSION));
    }
    table
}

pub(crate) fn fields() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        // All fields, cut after each byte.
        let full = Connect::new(version, "client")
            .will("will/topic", 1, false)
            .will_with(props::four(props::WILL_DELAY, 5))
            .with(props::four(props::SESSION_EXPIRY, 5))
            .with(props::user("name", "value"))
            .login("user", "pass")
            .bytes();
        let level_ends = version.protocol().len();
        table.cut(version, "CONNECT", 0x10, &full[2..], |left| {
            // Before the level there is no version to answer in.
            (left < level_ends).then_some(Want::Closed)
        });
        // MQTT 3.1 has no empty client identifier, MQTT 3.1.1 only with a clean session.
        let empty = Connect::new(version, "");
        let resumed = empty.clone().resume();
        let (clean, unclean) = match version {
            Version::V31 => (Want::ConnAck(2), Want::ConnAck(2)),
            Version::V311 => (Want::Taken, Want::ConnAck(2)),
            Version::V5 => (Want::Taken, Want::Taken),
        };
        table.first(version, "no client identifier", &empty.bytes(), clean);
        let name = "no client identifier and no clean session";
        table.first(version, name, &resumed.bytes(), unclean);
        // Control characters are not forbidden, but may be refused (MQTT 5 section 1.5.4).
        let control = Connect::new(version, "a\u{1b}[2J").bytes();
        table.refused(
            version,
            "an escape sequence as client identifier",
            &control,
            MALFORMED,
        );
        for topic in ["", "#", "+", "a/#", "a/+/b", "a#", "a+b", "\u{7f}"] {
            let will = Connect::new(version, "c").will(topic, 0, false).bytes();
            table.refused(version, format!("will topic {topic:?}"), &will, TOPIC_NAME);
        }
        // Any length is a client identifier.
        for length in [1, 23, 24, 256, 4000] {
            let connect = Connect::new(version, "x".repeat(length)).bytes();
            let name = format!("a client identifier of {length}");
            table.first(version, name, &connect, Want::Taken);
        }
    }
    let v5 = Version::V5;
    let data = props::string(props::AUTHENTICATION_DATA, "x");
    let connect = Connect::new(v5, "c").with(data).bytes();
    table.refused(
        v5,
        "Authentication Data without a method",
        &connect,
        PROTOCOL,
    );
    table
}
