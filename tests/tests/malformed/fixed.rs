//! The fixed header (MQTT 5 section 2.1).

use mqttguard_tests::mqtt::packet::{Connect, Version, packet};

use super::table::{MALFORMED, PROTOCOL, TOO_LARGE, Table, Want};

/// First bytes of what a client may send, CONNECT aside.
const CLIENT: [(&str, u8); 10] = [
    ("PUBLISH", 0x30),
    ("PUBACK", 0x40),
    ("PUBREC", 0x50),
    ("PUBREL", 0x62),
    ("PUBCOMP", 0x70),
    ("SUBSCRIBE", 0x82),
    ("UNSUBSCRIBE", 0xA2),
    ("PINGREQ", 0xC0),
    ("DISCONNECT", 0xE0),
    ("AUTH", 0xF0),
];

/// Every value of the flags of every packet type that is not the one it must have.
pub(crate) fn reserved_flags() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for first in 0..=255u8 {
            let good = match first >> 4 {
                // QoS 3 and DUP with QoS 0 are wrong, all else means something.
                3 => first & 0x06 != 0x06 && first & 0x0E != 0x08,
                4 | 5 | 7 | 12 | 14 => first & 0x0F == 0,
                15 => first & 0x0F == 0 && version == Version::V5,
                // MQTT 3.1 lets a client repeat these with DUP.
                6 | 8 | 10 => first & 0x0F == 2 || version == Version::V31 && first & 0x0F == 0x0A,
                _ => false,
            };
            if good {
                continue;
            }
            let code = match first >> 4 {
                // A second CONNECT, and what only a server sends, whatever their flags.
                1 | 2 | 9 | 11 | 13 => PROTOCOL,
                _ => MALFORMED,
            };
            let name = format!("first byte {first:02x}");
            table.ends(version, name, &packet(first, &[0, 1, 0]), code);
        }
    }
    table
}

pub(crate) fn remaining_lengths() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for (name, first) in CLIENT {
            let long = [first, 0xFF, 0xFF, 0xFF, 0xFF, 0x01];
            let name5 = format!("{name} with a remaining length of five bytes");
            table.ends(version, name5, &long, MALFORMED);
            if name == "AUTH" && version != Version::V5 {
                continue;
            }
            // Refused by its header: nobody waits for 256 MB.
            let huge = [first, 0xFF, 0xFF, 0xFF, 0x7F];
            table.ends(version, format!("{name} of 256 MB"), &huge, TOO_LARGE);
        }
        // One byte more than the broker has told that it takes.
        let big = [&[0x30][..], &[0xFD, 0xFF, 0x3F]].concat();
        table.ends(version, "PUBLISH of a megabyte and a byte", &big, TOO_LARGE);
        for (name, padded) in [
            ("two", &[0xC0, 0x80, 0x00][..]),
            ("three", &[0xC0, 0x80, 0x80, 0x00]),
            ("four", &[0xC0, 0x80, 0x80, 0x80, 0x00]),
        ] {
            let name = format!("a remaining length of 0 in {name} bytes");
            // MQTT-1.5.5-1 is new in MQTT 5.
            match version {
                Version::V5 => table.ends(version, name, padded, MALFORMED),
                _ => table.taken(version, name, padded),
            }
        }
        let body = &Connect::new(version, "padded").bytes()[2..];
        let padded = [&[0x10, 0x80 | body.len() as u8, 0][..], body].concat();
        let name = "CONNECT with a remaining length in two bytes";
        match version {
            Version::V5 => table.refused(version, name, &padded, MALFORMED),
            _ => table.first(version, name, &padded, Want::Taken),
        }
    }
    table
}

/// What comes before a CONNECT, or instead of one, gets no answer: there is no version yet.
pub(crate) fn first_packets() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        for high in (0..=15u8).filter(|high| *high != 1) {
            for flags in [0, 2] {
                let first = high << 4 | flags;
                let bytes = packet(first, &[0, 1, 0]);
                let name = format!("{first:02x} before CONNECT");
                table.first(version, name, &bytes, Want::Closed);
            }
        }
        for flags in 1..=15u8 {
            let mut bytes = Connect::new(version, "flags").bytes();
            bytes[0] |= flags;
            let name = format!("CONNECT with flags {flags:x}");
            table.first(version, name, &bytes, Want::Closed);
        }
        for (name, bytes) in [
            (
                "CONNECT with five bytes of length",
                &[0x10, 0xFF, 0xFF, 0xFF, 0xFF, 0x01][..],
            ),
            ("CONNECT of 256 MB", &[0x10, 0xFF, 0xFF, 0xFF, 0x7F]),
            ("HTTP", b"GET / HTTP/1.1\r\nHost: broker\r\n\r\n"),
            ("TLS", &[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3]),
            ("a CONNECT of nothing", &[0x10, 0]),
        ] {
            table.first(version, name, bytes, Want::Closed);
        }
    }
    table
}
