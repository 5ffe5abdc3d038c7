//! PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5 sections 3.4 to 3.7).

use mqttguard_tests::mqtt::packet::{Version, ack_with, packet};
use mqttguard_tests::mqtt::props;

use super::table::{MALFORMED, PROTOCOL, Table, Want};

const PACKETS: [(&str, u8, &[u8]); 4] = [
    ("PUBACK", 0x40, &PUBLISHED),
    ("PUBREC", 0x50, &PUBLISHED),
    ("PUBREL", 0x62, &RELEASED),
    ("PUBCOMP", 0x70, &RELEASED),
];
/// Reason codes of PUBACK and PUBREC.
const PUBLISHED: [u8; 9] = [0x00, 0x10, 0x80, 0x83, 0x87, 0x90, 0x91, 0x97, 0x99];
/// Reason codes of PUBREL and PUBCOMP.
const RELEASED: [u8; 2] = [0x00, 0x92];

pub(crate) fn all() -> Table {
    let mut table = Table::default();
    for version in Version::ALL {
        let v5 = version == Version::V5;
        for (name, first, _) in PACKETS {
            table.ends(
                version,
                format!("{name} for 0"),
                &packet(first, &[0, 0]),
                PROTOCOL,
            );
            table.taken(
                version,
                format!("{name} for nothing"),
                &packet(first, &[0, 7]),
            );
            for body in [&[][..], &[0]] {
                let name = format!("{name} of {} bytes", body.len());
                table.ends(version, name, &packet(first, body), MALFORMED);
            }
            if !v5 {
                let long = packet(first, &[0, 7, 0]);
                table.ends(version, format!("{name} of three bytes"), &long, MALFORMED);
            }
        }
    }
    let v5 = Version::V5;
    for (name, first, codes) in PACKETS {
        for code in 0..=255u8 {
            let bytes = ack_with(first, 7, code);
            let case = format!("{name} with reason code {code:02x}");
            if codes.contains(&code) {
                table.taken(v5, case, &bytes);
            } else {
                table.ends(v5, case, &bytes, PROTOCOL);
            }
        }
        let list = [
            props::string(props::REASON_STRING, "why"),
            props::user("n", "v"),
            props::user("n", "v"),
        ]
        .concat();
        let body = [&[0, 7, 0][..], &props::list(&list)].concat();
        // Reason code and properties may both be left out.
        table.cut(v5, name, first, &body, |left| {
            matches!(left, 2 | 3).then_some(Want::Taken)
        });
        table.taken(v5, format!("{name}, whole"), &packet(first, &body));
        let more = [&body[..], &[0]].concat();
        table.ends(
            v5,
            format!("{name} and a byte"),
            &packet(first, &more),
            MALFORMED,
        );
    }
    table
}
