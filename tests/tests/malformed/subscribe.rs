//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5 sections 3.8 and 3.10).

use mqttguard_tests::mqtt::packet::{Subscribe, Version, packet, text, unsubscribe};
use mqttguard_tests::mqtt::props;

use super::table::{MALFORMED, PROTOCOL, Table, Want};

pub(crate) fn filters() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for filter in [
            "",
            "a#",
            "#/a",
            "a/#/b",
            "##",
            "a/##",
            "#/",
            "a+",
            "+a",
            "a+/b",
            "a/b+",
            "++",
            "+#",
            "a/+b/c",
            "#+",
            "$share/g",
            "$share//a",
            "$share/+/a",
            "$share/#/a",
            "$share/g+/a",
            "$share/g#/a",
            "$share/g/",
            "$share/",
            "$share/g/a#",
            "$share/g/a+",
            "$share/g/#/a",
            "a\u{1}",
            "\u{7f}",
            "a\u{9f}",
        ] {
            for filters in [vec![filter], vec!["good", filter], vec![filter, "good"]] {
                let mut packet = Subscribe::new(1);
                for filter in &filters {
                    packet = packet.to(filter, 0);
                }
                let name = format!("SUBSCRIBE to {filters:?}");
                table.ends(version, name, &packet.bytes(version), MALFORMED);
                let name = format!("UNSUBSCRIBE of {filters:?}");
                table.ends(version, name, &unsubscribe(version, 1, &filters), MALFORMED);
            }
        }
        for filter in [
            "#",
            "+",
            "/",
            "//",
            "+/+",
            "/+",
            "+/#",
            "a/+/#",
            "$SYS/#",
            "$share/g/a",
            "$share/g/#",
            "$share/g/+",
            "$share/g//",
            "$share/$share/$share",
            "$shared/a",
            "$shareg/a",
            "$share",
            " ",
            "é",
            "\u{feff}",
            "$",
            "$x/+",
        ] {
            let packet = Subscribe::new(1).to(filter, 0).bytes(version);
            table.taken(version, format!("SUBSCRIBE to {filter:?}"), &packet);
            let packet = unsubscribe(version, 1, &[filter]);
            table.taken(version, format!("UNSUBSCRIBE of {filter:?}"), &packet);
        }
        let none = Subscribe::new(1).bytes(version);
        table.ends(version, "SUBSCRIBE to nothing", &none, PROTOCOL);
        table.ends(
            version,
            "UNSUBSCRIBE of nothing",
            &unsubscribe(version, 1, &[]),
            PROTOCOL,
        );
        let zero = Subscribe::new(0).to("a", 0).bytes(version);
        table.ends(
            version,
            "SUBSCRIBE with packet identifier 0",
            &zero,
            PROTOCOL,
        );
        let zero = unsubscribe(version, 0, &["a"]);
        table.ends(
            version,
            "UNSUBSCRIBE with packet identifier 0",
            &zero,
            PROTOCOL,
        );
    }
    table
}

/// Each of the 256 bytes of subscription options.
pub(crate) fn options() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for options in 0..=255u8 {
            let bytes = Subscribe::new(1).to("options", options).bytes(version);
            let name = format!("options {options:02x}");
            let reserved = match version {
                Version::V5 => options & 0xC0 != 0,
                _ => options & 0xFC != 0,
            };
            let values = options & 0x03 == 3 || options & 0x30 == 0x30;
            if reserved {
                table.ends(version, name, &bytes, MALFORMED);
            } else if values {
                table.ends(version, name, &bytes, PROTOCOL);
            } else {
                table.taken(version, name, &bytes);
            }
        }
    }
    let v5 = Version::V5;
    for options in [0x04, 0x05, 0x06, 0x0C, 0x24] {
        let bytes = Subscribe::new(1).to("$share/g/a", options).bytes(v5);
        table.ends(
            v5,
            format!("No Local and shared, {options:02x}"),
            &bytes,
            PROTOCOL,
        );
    }
    table
}

pub(crate) fn cuts() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        let v5 = version == Version::V5;
        let list = match v5 {
            true => props::list(
                &[
                    props::integer(props::SUBSCRIPTION_ID, 300),
                    props::user("n", "v"),
                ]
                .concat(),
            ),
            false => Vec::new(),
        };
        let start = [&[0, 1][..], &list].concat();
        let one = [text("a/b"), vec![1]].concat();
        let body = [&start[..], &one, &one].concat();
        let (empty, first) = (start.len(), start.len() + one.len());
        let ended = |code| match v5 {
            true => Want::Disconnect(code),
            false => Want::Closed,
        };
        table.cut(version, "SUBSCRIBE", 0x82, &body, |left| match left {
            left if left == empty => Some(ended(PROTOCOL)),
            left if left == first => Some(Want::Taken),
            _ => None,
        });
        let list = match v5 {
            true => props::list(&props::user("n", "v")),
            false => Vec::new(),
        };
        let start = [&[0, 1][..], &list].concat();
        let body = [&start[..], &text("a/b"), &text("c")].concat();
        let (empty, first) = (start.len(), start.len() + 5);
        table.cut(version, "UNSUBSCRIBE", 0xA2, &body, |left| match left {
            left if left == empty => Some(ended(PROTOCOL)),
            left if left == first => Some(Want::Taken),
            _ => None,
        });
        // A filter that claims to be longer than the packet.
        for claimed in [2u16, 255, 65_535] {
            let field = [&claimed.to_be_bytes()[..], b"a"].concat();
            let body = [&[0, 1][..], version.no_properties(), &field].concat();
            let name = format!("a filter of one byte that claims {claimed}");
            table.ends(
                version,
                format!("SUBSCRIBE, {name}"),
                &packet(0x82, &body),
                MALFORMED,
            );
            table.ends(
                version,
                format!("UNSUBSCRIBE, {name}"),
                &packet(0xA2, &body),
                MALFORMED,
            );
        }
    }
    table
}
