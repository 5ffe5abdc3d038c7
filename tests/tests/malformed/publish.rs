//! PUBLISH (MQTT 5 section 3.3).

use mqttguard_tests::mqtt::packet::{Publish, Version, packet, text};
use mqttguard_tests::mqtt::props::{self, two};

use super::table::{ALIAS, MALFORMED, PROTOCOL, TOPIC_NAME, Table, Want};

pub(crate) fn topics() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for topic in [
            "#", "+", "/#", "/+", "a/#", "a/+", "a/+/b", "a#", "a+", "#a", "+a", "a/#/b",
        ] {
            for qos in [0, 1, 2] {
                let publish = Publish::new(topic, "x").qos(qos, u16::from(qos));
                let name = format!("PUBLISH to {topic:?} with QoS {qos}");
                table.ends(version, name, &publish.bytes(version), TOPIC_NAME);
            }
        }
        // Control characters may be refused (MQTT 5 section 1.5.4).
        for topic in ["a\u{1}", "\u{1f}", "a\u{7f}b", "\u{85}", "a\nb"] {
            let publish = Publish::new(topic, "x").bytes(version);
            table.ends(
                version,
                format!("PUBLISH to {topic:?}"),
                &publish,
                TOPIC_NAME,
            );
        }
        // MQTT 5 allows no topic name, but then asks for an alias.
        let code = if version == Version::V5 {
            PROTOCOL
        } else {
            TOPIC_NAME
        };
        for qos in [0, 1, 2] {
            let publish = Publish::new("", "x").qos(qos, u16::from(qos));
            let name = format!("PUBLISH without a topic name, QoS {qos}");
            table.ends(version, name, &publish.bytes(version), code);
        }
        for topic in [
            "/",
            "//",
            " ",
            "a b",
            "\u{feff}",
            "é",
            "\u{10ffff}",
            "a/$SYS",
            "$x",
        ] {
            for qos in [0, 1, 2] {
                let publish = Publish::new(topic, "x").qos(qos, u16::from(qos));
                let name = format!("PUBLISH to {topic:?} with QoS {qos}");
                table.taken(version, name, &publish.bytes(version));
            }
        }
        let longest = Publish::new("x".repeat(65_535), "").bytes(version);
        table.taken(version, "the longest topic name", &longest);
    }
    table
}

pub(crate) fn flags_and_identifiers() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for flags in 0..=15u8 {
            let qos = flags >> 1 & 3;
            let mut body = text("t");
            if qos > 0 {
                body.extend([0, 1]);
            }
            body.extend(version.no_properties());
            let bytes = packet(0x30 | flags, &body);
            let name = format!("PUBLISH with flags {flags:x}");
            if qos == 3 || flags & 0x0E == 8 {
                table.ends(version, name, &bytes, MALFORMED);
            } else {
                table.taken(version, name, &bytes);
            }
        }
        for qos in [1, 2] {
            for dup in [false, true] {
                let mut publish = Publish::new("t", "x").qos(qos, 0);
                if dup {
                    publish = publish.dup();
                }
                let name = format!("packet identifier 0, QoS {qos}, DUP {dup}");
                table.ends(version, name, &publish.bytes(version), PROTOCOL);
            }
            let last = Publish::new("t", "x").qos(qos, u16::MAX).bytes(version);
            table.taken(
                version,
                format!("packet identifier 65535, QoS {qos}"),
                &last,
            );
        }
    }
    table
}

pub(crate) fn aliases() -> Table {
    let mut table = Table::default();
    let v5 = Version::V5;
    // 16 is the Topic Alias Maximum of this broker's CONNACK.
    for alias in [0u16, 17, 18, 255, 256, 65_535] {
        for topic in ["t", ""] {
            let publish = Publish::new(topic, "x").with(two(props::TOPIC_ALIAS, alias));
            let name = format!("alias {alias} with topic {topic:?}");
            table.ends(v5, name, &publish.bytes(v5), ALIAS);
        }
    }
    for alias in 1..=16u16 {
        let publish = Publish::new("", "x").with(two(props::TOPIC_ALIAS, alias));
        table.ends(
            v5,
            format!("alias {alias} that was never set"),
            &publish.bytes(v5),
            PROTOCOL,
        );
        let set = Publish::new("t", "x").with(two(props::TOPIC_ALIAS, alias));
        table.taken(v5, format!("alias {alias} set"), &set.bytes(v5));
        let both = [set.bytes(v5), publish.bytes(v5)].concat();
        table.taken(v5, format!("alias {alias} set and used"), &both);
    }
    table
}

/// Everything a PUBLISH can have, cut after each byte.
pub(crate) fn cuts() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for qos in [0u8, 1, 2] {
            let publish = Publish::new("to/pic", "")
                .with(two(props::TOPIC_ALIAS, 1))
                .with(props::four(props::MESSAGE_EXPIRY, 9))
                .with(props::string(props::CONTENT_TYPE, "ct"))
                .with(props::string(props::RESPONSE_TOPIC, "rt"))
                .with(props::string(props::CORRELATION_DATA, "cd"))
                .with(props::byte(props::PAYLOAD_FORMAT, 1))
                .with(props::user("n", "v"));
            let bytes = publish.qos(qos, u16::from(qos)).bytes(version);
            let name = format!("PUBLISH with QoS {qos}");
            table.cut(version, &name, bytes[0], &bytes[2..], |_| None);
            table.sent(version, format!("{name}, whole"), &bytes, Want::Taken);
        }
    }
    table
}
