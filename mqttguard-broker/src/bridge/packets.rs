//! The client's side of MQTT: what a bridge says to a server and hears from one.

use crate::Version;
use crate::codec::reader::Reader;
use crate::codec::{Decoded, Malformed, properties, writer};
use crate::reason::Reason;

/// Set in the protocol level of MQTT 3.1.1 by mosquitto's bridges: the server does not send what
/// the bridge published back to it, and leaves the RETAIN flag as it was published.
const BRIDGE_BIT: u8 = 0x80;

// Properties that only a server sends (MQTT 5 section 2.2.2.2).
const RESPONSE_INFORMATION: u8 = 0x1A;
const SERVER_REFERENCE: u8 = 0x1C;
const MAXIMUM_QOS: u8 = 0x24;
const WILDCARD_AVAILABLE: u8 = 0x28;
const IDENTIFIERS_AVAILABLE: u8 = 0x29;
const SHARED_AVAILABLE: u8 = 0x2A;

/// The bounds of a packet in a stream of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Frame {
    pub(super) first: u8,
    pub(super) header: usize,
    pub(super) total: usize,
}

/// Reads a fixed header; `None` if more bytes are needed.
pub(super) fn frame(bytes: &[u8]) -> Decoded<Option<Frame>> {
    let Some((&first, rest)) = bytes.split_first() else {
        return Ok(None);
    };
    let mut remaining = 0usize;
    for (index, &byte) in rest.iter().take(4).enumerate() {
        remaining |= usize::from(byte & 0x7F) << (7 * index);
        if byte & 0x80 == 0 {
            let header = index + 2;
            let total = header + remaining;
            return Ok(Some(Frame {
                first,
                header,
                total,
            }));
        }
    }
    match rest.len() {
        0..4 => Ok(None),
        _ => Err(Malformed::packet(
            "remaining length",
            "more than four bytes",
        )),
    }
}

/// A CONNECT of a bridge: without a will, and without topic aliases.
pub(super) struct Connect<'a> {
    pub(super) version: Version,
    /// Say that it is a bridge, in mosquitto's way.
    pub(super) bridge_bit: bool,
    pub(super) clean_start: bool,
    pub(super) keep_alive_s: u16,
    pub(super) client_id: &'a str,
    pub(super) username: Option<&'a str>,
    pub(super) password: Option<&'a [u8]>,
    pub(super) session_expiry_s: u32,
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet_size: u32,
}

/// Appends a CONNECT.
pub(super) fn encode_connect(out: &mut Vec<u8>, connect: &Connect<'_>) {
    let mut body = Vec::with_capacity(64);
    writer::binary(&mut body, b"MQTT");
    body.push(match (connect.version, connect.bridge_bit) {
        (Version::V5, _) => 5,
        (_, true) => 4 | BRIDGE_BIT,
        (_, false) => 4,
    });
    let flag = |set: bool, bit: u8| if set { bit } else { 0 };
    body.push(
        flag(connect.clean_start, 0b0000_0010)
            | flag(connect.username.is_some(), 0b1000_0000)
            | flag(connect.password.is_some(), 0b0100_0000),
    );
    body.extend_from_slice(&connect.keep_alive_s.to_be_bytes());
    if connect.version == Version::V5 {
        writer::varint(&mut body, 5 + 3 + 5);
        body.push(properties::SESSION_EXPIRY);
        body.extend_from_slice(&connect.session_expiry_s.to_be_bytes());
        body.push(properties::RECEIVE_MAXIMUM);
        body.extend_from_slice(&connect.receive_maximum.max(1).to_be_bytes());
        body.push(properties::MAXIMUM_PACKET_SIZE);
        body.extend_from_slice(&connect.maximum_packet_size.max(1).to_be_bytes());
    }
    writer::binary(&mut body, connect.client_id.as_bytes());
    if let Some(username) = connect.username {
        writer::binary(&mut body, username.as_bytes());
    }
    if let Some(password) = connect.password {
        writer::binary(&mut body, password);
    }
    out.push(0x10);
    writer::varint(out, body.len());
    out.extend_from_slice(&body);
    // It held the password.
    body.fill(0);
}

/// What a server said to a CONNECT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ConnAck {
    pub(super) session_present: bool,
    /// A reason code of MQTT 5, or a return code of MQTT 3.1.1.
    pub(super) code: u8,
    /// The code is one of MQTT 3.1.1, whatever was asked in.
    pub(super) old: bool,
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet_size: u32,
    pub(super) maximum_qos: u8,
    pub(super) retain_available: bool,
    pub(super) keep_alive_s: Option<u16>,
    pub(super) reason: Option<String>,
}

/// Reads what follows the fixed header of a CONNACK. A server that does not speak MQTT 5 may
/// answer a CONNECT of it in the form of MQTT 3.1.1 (section 3.1.2.2).
pub(super) fn decode_connack(version: Version, body: &[u8]) -> Decoded<ConnAck> {
    let mut packet = Reader::new(body);
    let flags = packet.u8("acknowledge flags")?;
    if flags > 1 {
        return Err(Malformed::packet(
            "acknowledge flags",
            "reserved bits are set",
        ));
    }
    let code = packet.u8("reason code")?;
    let old = version != Version::V5 || (packet.is_empty() && (1..0x80).contains(&code));
    let mut connack = ConnAck {
        session_present: flags == 1,
        code,
        old,
        receive_maximum: u16::MAX,
        maximum_packet_size: u32::MAX,
        maximum_qos: 2,
        retain_available: true,
        keep_alive_s: None,
        reason: None,
    };
    if !old {
        take_properties(&mut packet, &mut connack)?;
    }
    packet.finish()?;
    Ok(connack)
}

fn take_properties(packet: &mut Reader<'_>, connack: &mut ConnAck) -> Decoded<()> {
    let len = packet.varint("property length")?;
    let mut left = Reader::new(packet.take(len as usize, "properties")?);
    let mut seen = 0u64;
    while !left.is_empty() {
        let id = left.u8("property identifier")?;
        if id > SHARED_AVAILABLE {
            return Err(Malformed::packet("property identifier", "unknown"));
        }
        let bit = 1u64 << id;
        if seen & bit != 0 && id != properties::USER_PROPERTY {
            return Err(Malformed::protocol(
                "property identifier",
                "given more than once",
            ));
        }
        seen |= bit;
        match id {
            properties::SESSION_EXPIRY => {
                left.u32("Session Expiry Interval")?;
            }
            properties::RECEIVE_MAXIMUM => {
                connack.receive_maximum = left.u16("Receive Maximum")?;
            }
            properties::MAXIMUM_PACKET_SIZE => {
                connack.maximum_packet_size = left.u32("Maximum Packet Size")?;
            }
            MAXIMUM_QOS => connack.maximum_qos = flag(&mut left, "Maximum QoS")?,
            properties::RETAIN_AVAILABLE => {
                connack.retain_available = flag(&mut left, "Retain Available")? == 1;
            }
            properties::SERVER_KEEP_ALIVE => {
                connack.keep_alive_s = Some(left.u16("Server Keep Alive")?);
            }
            properties::REASON_STRING => {
                connack.reason = Some(left.text("Reason String")?.to_owned());
            }
            properties::TOPIC_ALIAS_MAXIMUM => {
                left.u16("Topic Alias Maximum")?;
            }
            WILDCARD_AVAILABLE | IDENTIFIERS_AVAILABLE | SHARED_AVAILABLE => {
                flag(&mut left, "an available feature")?;
            }
            properties::ASSIGNED_CLIENT_ID
            | RESPONSE_INFORMATION
            | SERVER_REFERENCE
            | properties::AUTHENTICATION_METHOD => {
                left.text("a text property")?;
            }
            properties::AUTHENTICATION_DATA => {
                left.binary("Authentication Data")?;
            }
            properties::USER_PROPERTY => {
                left.text("User Property name")?;
                left.text("User Property value")?;
            }
            _ => {
                return Err(Malformed::protocol(
                    "property identifier",
                    "not allowed in this packet",
                ));
            }
        }
    }
    if connack.receive_maximum == 0 || connack.maximum_packet_size == 0 {
        return Err(Malformed::protocol(
            "Receive Maximum or Maximum Packet Size",
            "0 is not allowed",
        ));
    }
    Ok(())
}

fn flag(left: &mut Reader<'_>, field: &'static str) -> Decoded<u8> {
    match left.u8(field)? {
        value @ (0 | 1) => Ok(value),
        _ => Err(Malformed::protocol(field, "neither 0 nor 1")),
    }
}

/// When a server is to send retained messages (MQTT 5 section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Retained {
    Send = 0,
    SendIfNew = 1,
    DoNotSend = 2,
}

/// Appends a SUBSCRIBE with one filter. In MQTT 5 the server is asked not to send the bridge its
/// own messages (No Local) and to leave the RETAIN flag alone (Retain As Published).
pub(super) fn encode_subscribe(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    filter: &str,
    qos: u8,
    retained: Retained,
) {
    let v5 = version == Version::V5;
    out.push(0x82);
    writer::varint(out, 2 + usize::from(v5) + 2 + filter.len() + 1);
    out.extend_from_slice(&packet_id.to_be_bytes());
    if v5 {
        out.push(0);
    }
    writer::binary(out, filter.as_bytes());
    let options = match v5 {
        true => (retained as u8) << 4 | 0b0000_1100,
        false => 0,
    };
    out.push(options | qos);
}

/// Reads the answer to a SUBSCRIBE with one filter: the packet identifier and the code.
pub(super) fn decode_suback(version: Version, body: &[u8]) -> Decoded<(u16, u8)> {
    let mut packet = Reader::new(body);
    let packet_id = packet.packet_id()?;
    if version == Version::V5 {
        let len = packet.varint("property length")?;
        packet.take(len as usize, "properties")?;
    }
    let code = packet.u8("reason code")?;
    packet.finish()?;
    Ok((packet_id, code))
}

/// Reads the reason code of a server's DISCONNECT, which only MQTT 5 has.
pub(super) fn decode_disconnect(body: &[u8]) -> Decoded<(u8, Option<String>)> {
    let mut packet = Reader::new(body);
    if packet.is_empty() {
        return Ok((0, None));
    }
    let code = packet.u8("reason code")?;
    let mut reason = None;
    if !packet.is_empty() {
        let len = packet.varint("property length")?;
        let mut left = Reader::new(packet.take(len as usize, "properties")?);
        while !left.is_empty() {
            match left.u8("property identifier")? {
                properties::REASON_STRING => reason = Some(left.text("Reason String")?.to_owned()),
                SERVER_REFERENCE => {
                    left.text("Server Reference")?;
                }
                properties::USER_PROPERTY => {
                    left.text("User Property name")?;
                    left.text("User Property value")?;
                }
                _ => {
                    return Err(Malformed::protocol(
                        "property identifier",
                        "not allowed in this packet",
                    ));
                }
            }
        }
    }
    packet.finish()?;
    Ok((code, reason))
}

/// Appends a PINGREQ.
pub(super) fn encode_pingreq(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xC0, 0]);
}

/// Appends a client's DISCONNECT.
pub(super) fn encode_disconnect(out: &mut Vec<u8>, version: Version, reason: Reason) {
    match (version, reason) {
        (Version::V5, reason) if reason != Reason::SUCCESS => {
            out.extend_from_slice(&[0xE0, 1, reason.0]);
        }
        _ => out.extend_from_slice(&[0xE0, 0]),
    }
}

/// Appends a PUBLISH. `properties` are as they came, without their length.
#[allow(clippy::too_many_arguments, reason = "the parts of one packet")]
pub(super) fn encode_publish(
    out: &mut Vec<u8>,
    version: Version,
    first: u8,
    topic: (&str, &str),
    packet_id: u16,
    properties: &[u8],
    payload: &[u8],
) {
    let v5 = version == Version::V5;
    let topic_len = topic.0.len() + topic.1.len();
    let properties_len = match v5 {
        true => writer::varint_len(properties.len()) + properties.len(),
        false => 0,
    };
    let id_len = if packet_id == 0 { 0 } else { 2 };
    let remaining = 2 + topic_len + id_len + properties_len + payload.len();
    out.reserve(5 + remaining);
    out.push(first);
    writer::varint(out, remaining);
    let len = u16::try_from(topic_len).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(topic.0.as_bytes());
    out.extend_from_slice(topic.1.as_bytes());
    if packet_id != 0 {
        out.extend_from_slice(&packet_id.to_be_bytes());
    }
    if v5 {
        writer::varint(out, properties.len());
        out.extend_from_slice(properties);
    }
    out.extend_from_slice(payload);
}

/// What a code in a CONNACK says.
pub(super) fn connack_words(connack: &ConnAck) -> &'static str {
    match (connack.old, connack.code) {
        (true, 1) => "it does not speak this version of MQTT",
        (true, 2) => "it does not take the client identifier",
        (true, 3) => "it is unavailable",
        (true, 4) => "wrong user name or password",
        (true, 5) => "not authorized",
        (true, _) => "a return code that does not exist",
        (false, code) => words(code),
    }
}

/// What a reason code of MQTT 5 says (section 2.4), as far as it ends a connection or refuses a
/// subscription.
pub(super) fn words(code: u8) -> &'static str {
    match code {
        0x00 => "normal disconnection",
        0x80 => "unspecified error",
        0x81 => "malformed packet",
        0x82 => "protocol error",
        0x83 => "implementation specific error",
        0x84 => "it does not speak this version of MQTT",
        0x85 => "it does not take the client identifier",
        0x86 => "wrong user name or password",
        0x87 => "not authorized",
        0x88 => "it is unavailable",
        0x89 => "it is busy",
        0x8A => "banned",
        0x8B => "it is shutting down",
        0x8C => "bad authentication method",
        0x8D => "keep alive timeout",
        0x8E => "another client uses the same client identifier",
        0x8F => "topic filter invalid",
        0x90 => "topic name invalid",
        0x91 => "packet identifier in use",
        0x93 => "receive maximum exceeded",
        0x94 => "topic alias invalid",
        0x95 => "packet too large",
        0x96 => "message rate too high",
        0x97 => "quota exceeded",
        0x98 => "administrative action",
        0x99 => "payload format invalid",
        0x9A => "it does not retain messages",
        0x9B => "it does not support the QoS",
        0x9C => "use another server",
        0x9D => "the server has moved",
        0x9E => "it has no shared subscriptions",
        0x9F => "connection rate exceeded",
        0xA0 => "maximum connect time",
        0xA1 => "it has no subscription identifiers",
        0xA2 => "it has no wildcard subscriptions",
        _ => "a reason code that does not exist",
    }
}
