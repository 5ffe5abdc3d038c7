//! Properties (MQTT 5 section 2.2.2), in every packet that has some.

use mqttguard_tests::mqtt::packet::{Version, packet, text, varint};
use mqttguard_tests::mqtt::props::{self, TYPES, Type};

use super::table::{MALFORMED, PROTOCOL, Table, Want};

/// Where properties stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Connect,
    Will,
    Publish,
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    Unsubscribe,
    Disconnect,
}

impl Place {
    pub(crate) const ALL: [Place; 10] = [
        Place::Connect,
        Place::Will,
        Place::Publish,
        Place::PubAck,
        Place::PubRec,
        Place::PubRel,
        Place::PubComp,
        Place::Subscribe,
        Place::Unsubscribe,
        Place::Disconnect,
    ];

    /// Whether the standard lets a client send the property here.
    pub(crate) fn takes(self, id: u8) -> bool {
        let list: &[u8] = match self {
            Place::Connect => &[0x11, 0x15, 0x16, 0x17, 0x19, 0x21, 0x22, 0x26, 0x27],
            Place::Will => &[0x01, 0x02, 0x03, 0x08, 0x09, 0x18, 0x26],
            Place::Publish => &[0x01, 0x02, 0x03, 0x08, 0x09, 0x23, 0x26],
            Place::PubAck | Place::PubRec | Place::PubRel | Place::PubComp => &[0x1F, 0x26],
            Place::Subscribe => &[0x0B, 0x26],
            Place::Unsubscribe => &[0x26],
            Place::Disconnect => &[0x11, 0x1F, 0x26],
        };
        list.contains(&id)
    }

    /// Whether only a server may send the property in this packet.
    fn only_from_a_server(self, id: u8) -> bool {
        matches!(
            (self, id),
            (Place::Publish, props::SUBSCRIPTION_ID) | (Place::Disconnect, props::SERVER_REFERENCE)
        )
    }

    /// The packet with these bytes where its properties stand, their length included.
    fn packet(self, list: &[u8]) -> Vec<u8> {
        let v5 = Version::V5.protocol();
        let parts: (u8, Vec<Vec<u8>>) = match self {
            Place::Connect => (0x10, vec![v5, vec![2, 0, 60], list.to_vec(), text("c")]),
            Place::Will => {
                let topic = [text("properties/will"), text("x")].concat();
                let start = [&[6, 0, 60, 0][..], &text("c")].concat();
                (0x10, vec![v5, start, list.to_vec(), topic])
            }
            Place::Publish => (0x30, vec![text("t"), list.to_vec()]),
            Place::PubAck => (0x40, vec![vec![0, 7, 0], list.to_vec()]),
            Place::PubRec => (0x50, vec![vec![0, 7, 0x80], list.to_vec()]),
            Place::PubRel => (0x62, vec![vec![0, 7, 0], list.to_vec()]),
            Place::PubComp => (0x70, vec![vec![0, 7, 0], list.to_vec()]),
            Place::Subscribe => (0x82, vec![vec![0, 1], list.to_vec(), text("t"), vec![0]]),
            Place::Unsubscribe => (0xA2, vec![vec![0, 1], list.to_vec(), text("t")]),
            Place::Disconnect => (0xE0, vec![vec![0], list.to_vec()]),
        };
        packet(parts.0, &parts.1.concat())
    }

    /// A case in which the bytes where the properties stand, their length included, are wrong.
    fn wrong_list(self, table: &mut Table, name: String, list: &[u8], code: u8) {
        let bytes = self.packet(list);
        match self {
            Place::Connect | Place::Will => table.refused(Version::V5, name, &bytes, code),
            _ => table.ends(Version::V5, name, &bytes, code),
        }
    }

    /// A case with properties that are wrong.
    pub(crate) fn wrong(self, table: &mut Table, name: String, properties: &[u8], code: u8) {
        self.wrong_list(table, name, &props::list(properties), code);
    }

    fn right(self, table: &mut Table, name: String, properties: &[u8]) {
        let bytes = self.packet(&props::list(properties));
        match self {
            Place::Connect | Place::Will => {
                table.first(Version::V5, name, &bytes, Want::Taken);
            }
            Place::Disconnect => table.sent(Version::V5, name, &bytes, Want::Closed),
            _ => table.taken(Version::V5, name, &bytes),
        }
    }
}

/// The property with a value that is right.
fn good(id: u8, kind: Type) -> Vec<u8> {
    match kind {
        // 0 is a value of each of these.
        Type::Byte => vec![id, 0],
        Type::Two => props::two(id, 1),
        Type::Four if id == props::MAXIMUM_PACKET_SIZE => props::four(id, 1000),
        // A DISCONNECT may not raise it.
        Type::Four if id == props::SESSION_EXPIRY => props::four(id, 0),
        Type::Four => props::four(id, 1),
        Type::Varint => props::integer(id, 1),
        Type::Text | Type::Data => props::string(id, "ab"),
        Type::Pair => props::user("ab", "cd"),
    }
}

/// Authentication is another test's: here a method would be refused for what it is.
fn of_authentication(id: u8) -> bool {
    [props::AUTHENTICATION_METHOD, props::AUTHENTICATION_DATA].contains(&id)
}

/// Every property in every packet: taken where it belongs, malformed elsewhere (section 2.2.2.2).
pub(crate) fn misplaced() -> Table {
    let mut table = Table::default();
    for place in Place::ALL {
        for (id, kind) in TYPES {
            let property = good(id, kind);
            let name = format!("property {id:02x} in {place:?}");
            if place.only_from_a_server(id) {
                place.wrong(&mut table, name, &property, PROTOCOL);
            } else if !place.takes(id) {
                place.wrong(&mut table, name, &property, MALFORMED);
            } else if !of_authentication(id) {
                place.right(&mut table, name, &property);
            }
        }
    }
    table
}

pub(crate) fn unknown() -> Table {
    let mut table = Table::default();
    for place in Place::ALL {
        for id in [
            0x00, 0x04, 0x07, 0x0A, 0x0C, 0x10, 0x14, 0x1B, 0x1D, 0x20, 0x2B, 0x3F, 0x40, 0x41,
            0x7F,
        ] {
            let name = format!("unknown property {id:02x} in {place:?}");
            place.wrong(&mut table, name, &[id, 0], MALFORMED);
        }
        // The identifier is a variable byte integer.
        for id in [
            &[0x80, 0x01][..],
            &[0xA6, 0x00],
            &[0xFF, 0xFF, 0xFF, 0xFF, 0x01],
            &[0x80],
        ] {
            let name = format!("unknown property {id:02x?} in {place:?}");
            let property = [id, &[0, 0]].concat();
            place.wrong(&mut table, name, &property, MALFORMED);
        }
    }
    table
}

pub(crate) fn repeated() -> Table {
    let mut table = Table::default();
    for place in Place::ALL {
        for (id, kind) in TYPES.into_iter().filter(|(id, _)| place.takes(*id)) {
            let twice = good(id, kind).repeat(2);
            let name = format!("property {id:02x} twice in {place:?}");
            if id == props::USER_PROPERTY {
                place.right(&mut table, name, &twice);
                continue;
            }
            place.wrong(&mut table, name, &twice, PROTOCOL);
            let apart = [good(id, kind), props::user("n", "v"), good(id, kind)].concat();
            let name = format!("property {id:02x} twice, apart, in {place:?}");
            place.wrong(&mut table, name, &apart, PROTOCOL);
        }
    }
    table
}

/// Every property where it belongs, its value cut after each byte.
pub(crate) fn cut_short() -> Table {
    let mut table = Table::default();
    for place in Place::ALL {
        for (id, kind) in TYPES.into_iter().filter(|(id, _)| place.takes(*id)) {
            let whole = match kind {
                Type::Varint => props::integer(id, 300_000),
                _ => good(id, kind),
            };
            for length in 1..whole.len() {
                let name = format!("property {id:02x} in {place:?} cut to {length} bytes");
                place.wrong(&mut table, name, &whole[..length], MALFORMED);
            }
        }
    }
    table
}

/// The length of all properties.
pub(crate) fn lengths() -> Table {
    let mut table = Table::default();
    for place in Place::ALL {
        let user = props::user("n", "v");
        for (what, list) in [
            (
                "of five bytes",
                [&[0x80, 0x80, 0x80, 0x80, 0x01][..], &user].concat(),
            ),
            ("of 0 in two bytes", vec![0x80, 0x00]),
            (
                "in one byte too many",
                [&[0x80 | user.len() as u8, 0][..], &user].concat(),
            ),
            ("beyond the packet", [varint(5_000), user.clone()].concat()),
            ("of 256 MB", vec![0xFF, 0xFF, 0xFF, 0x7F]),
            ("one short", [varint(user.len() - 1), user.clone()].concat()),
        ] {
            let name = format!("property length {what} in {place:?}");
            place.wrong_list(&mut table, name, &list, MALFORMED);
        }
        place.right(&mut table, format!("no properties in {place:?}"), &[]);
    }
    table
}

/// Values that the standard excludes.
pub(crate) fn values() -> Table {
    let mut table = Table::default();
    for place in [Place::Publish, Place::Will] {
        for value in [2, 3, 255] {
            // Of the right type, and still not one of the two values.
            let name = format!("Payload Format Indicator {value} in {place:?}");
            place.wrong(&mut table, name, &[props::PAYLOAD_FORMAT, value], PROTOCOL);
        }
        for topic in ["#", "+", "a/#", "a/+/b", "a#"] {
            let name = format!("Response Topic {topic} in {place:?}");
            let property = props::string(props::RESPONSE_TOPIC, topic);
            place.wrong(&mut table, name, &property, PROTOCOL);
        }
        for value in [0, 1] {
            let name = format!("Payload Format Indicator {value} in {place:?}");
            place.right(&mut table, name, &[props::PAYLOAD_FORMAT, value]);
        }
    }
    for id in [
        props::REQUEST_PROBLEM_INFORMATION,
        props::REQUEST_RESPONSE_INFORMATION,
    ] {
        for value in [2, 128, 255] {
            let name = format!("property {id:02x} is {value}");
            Place::Connect.wrong(&mut table, name, &[id, value], PROTOCOL);
        }
        let name = format!("property {id:02x} is 1");
        Place::Connect.right(&mut table, name, &[id, 1]);
    }
    let zero = props::two(props::RECEIVE_MAXIMUM, 0);
    Place::Connect.wrong(&mut table, "Receive Maximum 0".into(), &zero, PROTOCOL);
    let zero = props::four(props::MAXIMUM_PACKET_SIZE, 0);
    Place::Connect.wrong(&mut table, "Maximum Packet Size 0".into(), &zero, PROTOCOL);
    let zero = props::integer(props::SUBSCRIPTION_ID, 0);
    Place::Subscribe.wrong(
        &mut table,
        "Subscription Identifier 0".into(),
        &zero,
        PROTOCOL,
    );
    for (what, value) in [
        ("in five bytes", &[0x80, 0x80, 0x80, 0x80, 0x01][..]),
        ("in one byte too many", &[0x81, 0x00]),
    ] {
        let property = [&[props::SUBSCRIPTION_ID][..], value].concat();
        let name = format!("Subscription Identifier {what}");
        Place::Subscribe.wrong(&mut table, name, &property, MALFORMED);
    }
    for value in [1, 127, 128, 268_435_455] {
        let property = props::integer(props::SUBSCRIPTION_ID, value);
        let name = format!("Subscription Identifier {value}");
        Place::Subscribe.right(&mut table, name, &property);
    }
    table
}
