//! CONNECT and CONNACK (MQTT 5 sections 3.1 and 3.2).

use super::content::Content;
use super::properties::{self, Properties, Property};
use super::reader::Reader;
use super::{Decoded, Malformed, QoS, writer};
use crate::Version;
use crate::reason::Reason;
use crate::topic;

/// What comes before the version is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Known(Version),
    /// MQTT by name, at a level that this broker does not speak.
    Unknown {
        level: u8,
    },
}

/// A CONNECT, after its protocol name and level.
pub(crate) struct Connect<'a> {
    pub(crate) clean_start: bool,
    /// Seconds; 0 is off.
    pub(crate) keep_alive_s: u16,
    /// Seconds, `u32::MAX` never ends. Before MQTT 5 it follows from the Clean Session flag.
    pub(crate) session_expiry_s: u32,
    pub(crate) receive_maximum: u16,
    pub(crate) maximum_packet_size: u32,
    pub(crate) topic_alias_maximum: u16,
    /// Authentication Method (section 3.1.2.11.9).
    pub(crate) method: Option<&'a str>,
    /// Authentication Data, never without a method.
    pub(crate) data: Option<&'a [u8]>,
    pub(crate) client_id: &'a str,
    pub(crate) will: Option<Will<'a>>,
    pub(crate) username: Option<&'a str>,
    pub(crate) password: Option<&'a [u8]>,
}

/// A will message (section 3.1.3.2).
pub(crate) struct Will<'a> {
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
    pub(crate) delay_s: u32,
    pub(crate) content: Content<'a>,
}

/// Reads the protocol name and level. What is not MQTT at all is malformed.
pub(crate) fn protocol(packet: &mut Reader<'_>) -> Decoded<Protocol> {
    let name = packet.binary("protocol name")?;
    let level = packet.u8("protocol level")?;
    match (name, level) {
        (b"MQIsdp", 3) => Ok(Protocol::Known(Version::V31)),
        (b"MQTT", 4) => Ok(Protocol::Known(Version::V311)),
        (b"MQTT", 5) => Ok(Protocol::Known(Version::V5)),
        (b"MQIsdp" | b"MQTT", _) => Ok(Protocol::Unknown { level }),
        // MQTT-3.1.2-1
        _ => Err(Malformed::packet(
            "protocol name",
            "neither `MQTT` nor `MQIsdp`",
        )),
    }
}

/// Reads the rest of a CONNECT.
pub(crate) fn decode<'a>(version: Version, packet: Reader<'a>) -> Decoded<Connect<'a>> {
    let mut packet = packet;
    let flags = Flags::decode(version, packet.u8("connect flags")?)?;
    let keep_alive_s = packet.u16("keep alive")?;
    let mut connect = Connect {
        clean_start: flags.clean,
        keep_alive_s,
        session_expiry_s: 0,
        receive_maximum: u16::MAX,
        maximum_packet_size: u32::MAX,
        topic_alias_maximum: 0,
        method: None,
        data: None,
        client_id: "",
        will: None,
        username: None,
        password: None,
    };
    if version == Version::V5 {
        take_properties(&mut packet, &mut connect)?;
    } else if !flags.clean {
        connect.session_expiry_s = u32::MAX;
    }
    connect.client_id = packet.text("client identifier")?;
    topic::check_characters(connect.client_id)
        .map_err(|what| Malformed::packet("client identifier", what))?;
    if let Some((qos, retain)) = flags.will {
        connect.will = Some(take_will(version, &mut packet, qos, retain)?);
    }
    if flags.username {
        connect.username = Some(packet.text("user name")?);
    }
    if flags.password {
        connect.password = Some(packet.binary("password")?);
    }
    packet.finish()?;
    Ok(connect)
}

struct Flags {
    clean: bool,
    will: Option<(QoS, bool)>,
    username: bool,
    password: bool,
}

impl Flags {
    fn decode(version: Version, flags: u8) -> Decoded<Flags> {
        let malformed = |what| Err(Malformed::packet("connect flags", what));
        // MQTT-3.1.2-3; MQTT 3.1 leaves the bit open.
        if flags & 0b0000_0001 != 0 && version != Version::V31 {
            return malformed("the reserved bit is set");
        }
        let Some(qos) = QoS::from_bits(flags >> 3) else {
            // MQTT-3.1.2-12
            return malformed("Will QoS 3 does not exist");
        };
        let retain = flags & 0b0010_0000 != 0;
        let will = flags & 0b0000_0100 != 0;
        if !will && (retain || qos != QoS::AtMostOnce) {
            // MQTT-3.1.2-11, MQTT-3.1.2-13
            return malformed("Will QoS or Will Retain without a will");
        }
        let username = flags & 0b1000_0000 != 0;
        let password = flags & 0b0100_0000 != 0;
        // MQTT 3.1.1: MQTT-3.1.2-22. MQTT 5 allows it.
        if password && !username && version != Version::V5 {
            return malformed("a password without a user name");
        }
        Ok(Flags {
            clean: flags & 0b0000_0010 != 0,
            will: will.then_some((qos, retain)),
            username,
            password,
        })
    }
}

fn take_properties<'a>(packet: &mut Reader<'a>, connect: &mut Connect<'a>) -> Decoded<()> {
    let mut found = Properties::take(packet, properties::IN_CONNECT)?;
    while let Some(property) = found.next()? {
        match property {
            Property::SessionExpiry(seconds) => connect.session_expiry_s = seconds,
            Property::ReceiveMaximum(maximum) => connect.receive_maximum = maximum,
            Property::MaximumPacketSize(maximum) => connect.maximum_packet_size = maximum,
            Property::TopicAliasMaximum(maximum) => connect.topic_alias_maximum = maximum,
            Property::AuthenticationMethod(method) => connect.method = Some(method),
            Property::AuthenticationData(data) => connect.data = Some(data),
            _ => {}
        }
    }
    if connect.data.is_some() && connect.method.is_none() {
        return Err(Malformed::protocol(
            "Authentication Data",
            "without an Authentication Method",
        ));
    }
    Ok(())
}

fn take_will<'a>(
    version: Version,
    packet: &mut Reader<'a>,
    qos: QoS,
    retain: bool,
) -> Decoded<Will<'a>> {
    let mut content = Content::default();
    let mut delay_s = 0;
    if version == Version::V5 {
        let mut found = Properties::take(packet, properties::IN_WILL)?;
        content.properties = found.rest();
        while let Some(property) = found.next()? {
            match property {
                Property::WillDelay(seconds) => {
                    delay_s = seconds;
                    content.verbatim = false;
                }
                Property::MessageExpiry(seconds) => {
                    content.expiry_s = Some(seconds);
                    content.verbatim = false;
                }
                _ => {}
            }
        }
        content.user_properties = found.user_properties();
    }
    content.topic = packet.text("will topic")?;
    topic::check_name(content.topic)
        .map_err(|what| Malformed::with(Reason::TOPIC_NAME_INVALID, "will topic", what))?;
    content.payload = packet.binary("will payload")?;
    Ok(Will {
        qos,
        retain,
        delay_s,
        content,
    })
}

/// A CONNACK that lets the client in.
pub(crate) struct Accepted<'a> {
    pub(crate) session_present: bool,
    pub(crate) properties: &'a AcceptedProperties<'a>,
}

/// What MQTT 5 has the CONNACK tell (section 3.2.2.3).
pub(crate) struct AcceptedProperties<'a> {
    /// Only if it is not what the client asked for.
    pub(crate) session_expiry_s: Option<u32>,
    pub(crate) receive_maximum: u16,
    pub(crate) retain_available: bool,
    pub(crate) maximum_packet_size: u32,
    pub(crate) assigned_client_id: Option<&'a str>,
    pub(crate) topic_alias_maximum: u16,
    /// Server Keep Alive, if it is not what the client asked for.
    pub(crate) keep_alive_s: Option<u16>,
    /// Authentication Method and Data, if the client uses enhanced authentication.
    pub(crate) authentication: Option<(&'a str, Option<&'a [u8]>)>,
}

/// Appends a CONNACK with return code 0.
pub(crate) fn encode_accepted(out: &mut Vec<u8>, version: Version, connack: &Accepted<'_>) {
    let present = u8::from(connack.session_present);
    match version {
        // MQTT 3.1 has no Session Present flag.
        Version::V31 => out.extend_from_slice(&[0x20, 2, 0, 0]),
        Version::V311 => out.extend_from_slice(&[0x20, 2, present, 0]),
        Version::V5 => {
            let mut found = Vec::with_capacity(32);
            encode_properties(&mut found, connack.properties);
            out.push(0x20);
            let len = found.len();
            writer::varint(out, 2 + writer::varint_len(len) + len);
            out.extend_from_slice(&[present, 0]);
            writer::varint(out, len);
            out.extend_from_slice(&found);
        }
    }
}

fn encode_properties(out: &mut Vec<u8>, connack: &AcceptedProperties<'_>) {
    if let Some(seconds) = connack.session_expiry_s {
        out.push(properties::SESSION_EXPIRY);
        out.extend_from_slice(&seconds.to_be_bytes());
    }
    out.push(properties::RECEIVE_MAXIMUM);
    out.extend_from_slice(&connack.receive_maximum.to_be_bytes());
    if !connack.retain_available {
        out.extend_from_slice(&[properties::RETAIN_AVAILABLE, 0]);
    }
    out.push(properties::MAXIMUM_PACKET_SIZE);
    out.extend_from_slice(&connack.maximum_packet_size.to_be_bytes());
    if let Some(client_id) = connack.assigned_client_id {
        out.push(properties::ASSIGNED_CLIENT_ID);
        writer::binary(out, client_id.as_bytes());
    }
    if connack.topic_alias_maximum > 0 {
        out.push(properties::TOPIC_ALIAS_MAXIMUM);
        out.extend_from_slice(&connack.topic_alias_maximum.to_be_bytes());
    }
    if let Some(seconds) = connack.keep_alive_s {
        out.push(properties::SERVER_KEEP_ALIVE);
        out.extend_from_slice(&seconds.to_be_bytes());
    }
    if let Some((method, data)) = connack.authentication {
        properties::authentication(out, method, data);
    }
}

/// Appends a CONNACK that turns the client away.
pub(crate) fn encode_refused(out: &mut Vec<u8>, version: Version, reason: Reason) {
    match version {
        Version::V31 | Version::V311 => {
            out.extend_from_slice(&[0x20, 2, 0, reason.connack_v3()]);
        }
        Version::V5 => out.extend_from_slice(&[0x20, 3, 0, reason.0, 0]),
    }
}
