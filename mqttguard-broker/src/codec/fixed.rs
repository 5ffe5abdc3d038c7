use super::{Decoded, Malformed, QoS};
use crate::Version;

/// What a client may send, from the first byte of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Connect,
    Publish { dup: bool, qos: QoS, retain: bool },
    PubAck,
    PubRec,
    PubRel,
    PubComp,
    Subscribe,
    Unsubscribe,
    PingReq,
    Disconnect,
    Auth,
}

/// The fixed header (MQTT 5 section 2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Fixed {
    pub(crate) kind: Kind,
    /// Bytes of the fixed header itself.
    pub(crate) header: usize,
    /// Bytes of the whole packet.
    pub(crate) total: usize,
    /// The remaining length used no more bytes than it needs.
    pub(crate) minimal: bool,
}

/// Reads the fixed header; `None` if more bytes are needed. What the first byte already rules
/// out is refused at the first byte.
pub(crate) fn decode(version: Version, bytes: &[u8]) -> Decoded<Option<Fixed>> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let kind = kind(version, first)?;
    let mut remaining = 0usize;
    for (index, &byte) in rest.iter().take(4).enumerate() {
        remaining |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let header = index + 2;
            return Ok(Some(Fixed {
                kind,
                header,
                total: header + remaining,
                minimal: byte != 0 || index == 0,
            }));
        }
    }
    if rest.len() >= 4 {
        return Err(Malformed::packet(
            "remaining length",
            "more than four bytes",
        ));
    }
    Ok(None)
}

/// `MQTT-2.1.3-1`: reserved flag bits have the one value that the standard gives them.
fn kind(version: Version, first: u8) -> Decoded<Kind> {
    let (kind, flags) = match first >> 4 {
        1 => (Kind::Connect, 0),
        3 => return publish(first),
        4 => (Kind::PubAck, 0),
        5 => (Kind::PubRec, 0),
        6 => (Kind::PubRel, 0b0010),
        7 => (Kind::PubComp, 0),
        8 => (Kind::Subscribe, 0b0010),
        10 => (Kind::Unsubscribe, 0b0010),
        12 => (Kind::PingReq, 0),
        14 => (Kind::Disconnect, 0),
        15 => (Kind::Auth, 0),
        0 => return Err(Malformed::packet("packet type", "0 is reserved")),
        _ => return Err(Malformed::protocol("packet type", "only a server sends it")),
    };
    // MQTT 3.1 has a client that repeats itself set DUP (section 2.1 there).
    let again = version == Version::V31 && flags == 0b0010 && first & 0x0F == 0b1010;
    if first & 0x0F != flags && !again {
        return Err(Malformed::packet(
            "fixed header flags",
            "reserved bits are not as they must be",
        ));
    }
    Ok(kind)
}

fn publish(first: u8) -> Decoded<Kind> {
    // MQTT-3.3.1-4
    let qos = QoS::from_bits(first >> 1).ok_or(Malformed::packet(
        "fixed header flags",
        "QoS 3 does not exist",
    ))?;
    let dup = first & 0b1000 != 0;
    // MQTT-3.3.1-2
    if dup && qos == QoS::AtMostOnce {
        return Err(Malformed::packet("fixed header flags", "DUP with QoS 0"));
    }
    Ok(Kind::Publish {
        dup,
        qos,
        retain: first & 1 != 0,
    })
}

impl Fixed {
    /// What the fixed header breaks once the version is known.
    pub(crate) fn check(&self, version: Version) -> Decoded<()> {
        // MQTT 3 does not ask for the shortest form, and there are clients that pad.
        if version == Version::V5 && !self.minimal {
            return Err(Malformed::packet(
                "remaining length",
                "variable byte integer too long",
            ));
        }
        if version != Version::V5 && self.kind == Kind::Auth {
            return Err(Malformed::packet(
                "packet type",
                "15 is reserved before MQTT 5",
            ));
        }
        Ok(())
    }
}

/// The packet's name in the standard, from its first byte.
pub(crate) fn name(first: u8) -> &'static str {
    match first >> 4 {
        1 => "CONNECT",
        2 => "CONNACK",
        3 => "PUBLISH",
        4 => "PUBACK",
        5 => "PUBREC",
        6 => "PUBREL",
        7 => "PUBCOMP",
        8 => "SUBSCRIBE",
        9 => "SUBACK",
        10 => "UNSUBSCRIBE",
        11 => "UNSUBACK",
        12 => "PINGREQ",
        13 => "PINGRESP",
        14 => "DISCONNECT",
        15 => "AUTH",
        _ => "packet",
    }
}
