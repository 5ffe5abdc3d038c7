//! Properties (MQTT 5 section 2.2.2): each at most once, each only where it belongs.

use super::reader::Reader;
use super::{Decoded, Malformed, writer};
use crate::topic;

pub(crate) const PAYLOAD_FORMAT: u8 = 0x01;
pub(crate) const MESSAGE_EXPIRY: u8 = 0x02;
pub(crate) const CONTENT_TYPE: u8 = 0x03;
pub(crate) const RESPONSE_TOPIC: u8 = 0x08;
pub(crate) const CORRELATION_DATA: u8 = 0x09;
pub(crate) const SUBSCRIPTION_ID: u8 = 0x0B;
pub(crate) const SESSION_EXPIRY: u8 = 0x11;
pub(crate) const ASSIGNED_CLIENT_ID: u8 = 0x12;
pub(crate) const SERVER_KEEP_ALIVE: u8 = 0x13;
pub(crate) const AUTHENTICATION_METHOD: u8 = 0x15;
pub(crate) const AUTHENTICATION_DATA: u8 = 0x16;
pub(crate) const REQUEST_PROBLEM_INFORMATION: u8 = 0x17;
pub(crate) const WILL_DELAY: u8 = 0x18;
pub(crate) const REQUEST_RESPONSE_INFORMATION: u8 = 0x19;
pub(crate) const SERVER_REFERENCE: u8 = 0x1C;
pub(crate) const REASON_STRING: u8 = 0x1F;
pub(crate) const RECEIVE_MAXIMUM: u8 = 0x21;
pub(crate) const TOPIC_ALIAS_MAXIMUM: u8 = 0x22;
pub(crate) const TOPIC_ALIAS: u8 = 0x23;
pub(crate) const RETAIN_AVAILABLE: u8 = 0x25;
pub(crate) const USER_PROPERTY: u8 = 0x26;
pub(crate) const MAXIMUM_PACKET_SIZE: u8 = 0x27;

/// The properties that a packet may have, as sets of identifiers.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    /// From a client.
    client: u64,
    /// From a server alone.
    server: u64,
}

impl Allowed {
    const fn of(ids: &[u8]) -> Allowed {
        Allowed {
            client: bits(ids),
            server: 0,
        }
    }

    const fn and_from_a_server(self, ids: &[u8]) -> Allowed {
        Allowed {
            server: bits(ids),
            ..self
        }
    }
}

const fn bits(ids: &[u8]) -> u64 {
    let mut bits = 0;
    let mut left = ids;
    while let [id, rest @ ..] = left {
        bits |= 1 << *id;
        left = rest;
    }
    bits
}

pub(crate) const IN_CONNECT: Allowed = Allowed::of(&[
    SESSION_EXPIRY,
    RECEIVE_MAXIMUM,
    MAXIMUM_PACKET_SIZE,
    TOPIC_ALIAS_MAXIMUM,
    REQUEST_RESPONSE_INFORMATION,
    REQUEST_PROBLEM_INFORMATION,
    USER_PROPERTY,
    AUTHENTICATION_METHOD,
    AUTHENTICATION_DATA,
]);
pub(crate) const IN_WILL: Allowed = Allowed::of(&[
    WILL_DELAY,
    PAYLOAD_FORMAT,
    MESSAGE_EXPIRY,
    CONTENT_TYPE,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    USER_PROPERTY,
]);
/// A Subscription Identifier only ever comes from a server (`MQTT-3.3.4-6`).
pub(crate) const IN_PUBLISH: Allowed = Allowed::of(&[
    PAYLOAD_FORMAT,
    MESSAGE_EXPIRY,
    TOPIC_ALIAS,
    RESPONSE_TOPIC,
    CORRELATION_DATA,
    USER_PROPERTY,
    CONTENT_TYPE,
])
.and_from_a_server(&[SUBSCRIPTION_ID]);
/// What may stand in a PUBLISH or in a will, when it was checked before.
pub(crate) const IN_FORWARD: Allowed = Allowed {
    client: IN_PUBLISH.client | IN_WILL.client,
    server: 0,
};
pub(crate) const IN_ACK: Allowed = Allowed::of(&[REASON_STRING, USER_PROPERTY]);
pub(crate) const IN_SUBSCRIBE: Allowed = Allowed::of(&[SUBSCRIPTION_ID, USER_PROPERTY]);
pub(crate) const IN_UNSUBSCRIBE: Allowed = Allowed::of(&[USER_PROPERTY]);
/// A Server Reference only ever comes from a server.
pub(crate) const IN_DISCONNECT: Allowed =
    Allowed::of(&[SESSION_EXPIRY, REASON_STRING, USER_PROPERTY])
        .and_from_a_server(&[SERVER_REFERENCE]);
pub(crate) const IN_AUTH: Allowed = Allowed::of(&[
    AUTHENTICATION_METHOD,
    AUTHENTICATION_DATA,
    REASON_STRING,
    USER_PROPERTY,
]);

/// One property with its value, already checked on its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Property<'a> {
    MessageExpiry(u32),
    SubscriptionId(u32),
    SessionExpiry(u32),
    AuthenticationMethod(&'a str),
    AuthenticationData(&'a [u8]),
    WillDelay(u32),
    ReceiveMaximum(u16),
    TopicAliasMaximum(u16),
    TopicAlias(u16),
    MaximumPacketSize(u32),
    /// Checked, and of no consequence to the broker itself.
    Other,
}

/// The properties of one packet, unread.
pub(crate) struct Properties<'a> {
    left: Reader<'a>,
    allowed: Allowed,
    seen: u64,
    user: u32,
}

impl<'a> Properties<'a> {
    /// Takes the property length and that many bytes off the packet.
    pub(crate) fn take(packet: &mut Reader<'a>, allowed: Allowed) -> Decoded<Properties<'a>> {
        let len = packet.varint("property length")?;
        let bytes = packet.take(len as usize, "properties")?;
        Ok(Properties::over(bytes, allowed))
    }

    /// Over bytes that hold properties and nothing else.
    pub(crate) fn over(bytes: &'a [u8], allowed: Allowed) -> Properties<'a> {
        Properties {
            left: Reader::new(bytes),
            allowed,
            seen: 0,
            user: 0,
        }
    }

    /// User Properties among those read.
    pub(crate) fn user_properties(&self) -> u32 {
        self.user
    }

    /// The bytes not yet read.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.left.rest()
    }

    /// The next property, or `None` at the end.
    pub(crate) fn next(&mut self) -> Decoded<Option<Property<'a>>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        // Every identifier of the standard fits one byte of the variable byte integer.
        let id = self.left.u8("property identifier")?;
        let bit = 1u64.checked_shl(id.into()).unwrap_or_default();
        if self.allowed.server & bit != 0 {
            return Err(Malformed::protocol(
                "property identifier",
                "only a server sends it",
            ));
        }
        // Section 2.2.2.2: malformed, whether it belongs elsewhere or is unknown.
        if self.allowed.client & bit == 0 {
            return Err(Malformed::packet(
                "property identifier",
                "unknown or not one of this packet",
            ));
        }
        if self.seen & bit != 0 && id != USER_PROPERTY {
            return Err(Malformed::protocol(
                "property identifier",
                "given more than once",
            ));
        }
        self.seen |= bit;
        if id == USER_PROPERTY {
            self.user = self.user.saturating_add(1);
        }
        self.value(id).map(Some)
    }

    /// Reads to the end for the checks alone.
    pub(crate) fn check(mut self) -> Decoded<()> {
        while self.next()?.is_some() {}
        Ok(())
    }

    fn value(&mut self, id: u8) -> Decoded<Property<'a>> {
        let left = &mut self.left;
        Ok(match id {
            PAYLOAD_FORMAT => {
                flag(left, "Payload Format Indicator")?;
                Property::Other
            }
            MESSAGE_EXPIRY => Property::MessageExpiry(left.u32("Message Expiry Interval")?),
            CONTENT_TYPE => {
                left.text("Content Type")?;
                Property::Other
            }
            RESPONSE_TOPIC => {
                // MQTT-3.3.2-14
                let name = left.text("Response Topic")?;
                topic::check_name(name)
                    .map_err(|what| Malformed::protocol("Response Topic", what))?;
                Property::Other
            }
            CORRELATION_DATA => {
                left.binary("Correlation Data")?;
                Property::Other
            }
            SUBSCRIPTION_ID => match left.varint("Subscription Identifier")? {
                0 => {
                    return Err(Malformed::protocol(
                        "Subscription Identifier",
                        "0 is not allowed",
                    ));
                }
                id => Property::SubscriptionId(id),
            },
            SESSION_EXPIRY => Property::SessionExpiry(left.u32("Session Expiry Interval")?),
            AUTHENTICATION_METHOD => {
                Property::AuthenticationMethod(left.text("Authentication Method")?)
            }
            AUTHENTICATION_DATA => {
                Property::AuthenticationData(left.binary("Authentication Data")?)
            }
            REQUEST_PROBLEM_INFORMATION => {
                flag(left, "Request Problem Information")?;
                Property::Other
            }
            WILL_DELAY => Property::WillDelay(left.u32("Will Delay Interval")?),
            REQUEST_RESPONSE_INFORMATION => {
                flag(left, "Request Response Information")?;
                Property::Other
            }
            REASON_STRING => {
                left.text("Reason String")?;
                Property::Other
            }
            RECEIVE_MAXIMUM => match left.u16("Receive Maximum")? {
                0 => return Err(Malformed::protocol("Receive Maximum", "0 is not allowed")),
                maximum => Property::ReceiveMaximum(maximum),
            },
            TOPIC_ALIAS_MAXIMUM => Property::TopicAliasMaximum(left.u16("Topic Alias Maximum")?),
            TOPIC_ALIAS => Property::TopicAlias(left.u16("Topic Alias")?),
            USER_PROPERTY => {
                left.text("User Property name")?;
                left.text("User Property value")?;
                Property::Other
            }
            MAXIMUM_PACKET_SIZE => match left.u32("Maximum Packet Size")? {
                0 => {
                    return Err(Malformed::protocol(
                        "Maximum Packet Size",
                        "0 is not allowed",
                    ));
                }
                maximum => Property::MaximumPacketSize(maximum),
            },
            _ => return Err(Malformed::packet("property identifier", "unknown")),
        })
    }
}

/// Appends Authentication Method and Authentication Data.
pub(crate) fn authentication(out: &mut Vec<u8>, method: &str, data: Option<&[u8]>) {
    out.push(AUTHENTICATION_METHOD);
    writer::binary(out, method.as_bytes());
    if let Some(data) = data {
        out.push(AUTHENTICATION_DATA);
        writer::binary(out, data);
    }
}

/// A byte that is 0 or 1, anything else is a protocol error.
fn flag(left: &mut Reader<'_>, field: &'static str) -> Decoded<()> {
    match left.u8(field)? {
        0 | 1 => Ok(()),
        _ => Err(Malformed::protocol(field, "neither 0 nor 1")),
    }
}
