//! PUBLISH (MQTT 5 section 3.3).

use super::content::Content;
use super::properties::{self, Properties, Property};
use super::reader::Reader;
use super::{Decoded, Malformed, QoS, writer};
use crate::message::Message;
use crate::reason::Reason;
use crate::{Time, Version, topic};

/// A PUBLISH from a client.
#[derive(Debug)]
pub(crate) struct Publish<'a> {
    /// 0 with QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) alias: Option<u16>,
    pub(crate) content: Content<'a>,
}

/// Reads what follows the fixed header.
pub(crate) fn decode<'a>(version: Version, qos: QoS, body: &'a [u8]) -> Decoded<Publish<'a>> {
    let mut packet = Reader::new(body);
    let mut content = Content {
        topic: packet.text("topic name")?,
        ..Content::default()
    };
    let packet_id = if qos == QoS::AtMostOnce {
        0
    } else {
        packet.packet_id()?
    };
    let mut alias = None;
    if version == Version::V5 {
        let mut found = Properties::take(&mut packet, properties::IN_PUBLISH)?;
        content.properties = found.rest();
        while let Some(property) = found.next()? {
            match property {
                Property::TopicAlias(value) => {
                    alias = Some(value);
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
    if content.topic.is_empty() && version == Version::V5 {
        if alias.is_none() {
            return Err(Malformed::protocol(
                "topic name",
                "empty without a Topic Alias",
            ));
        }
    } else {
        topic::check_name(content.topic)
            .map_err(|what| Malformed::with(Reason::TOPIC_NAME_INVALID, "topic name", what))?;
    }
    content.payload = packet.rest();
    Ok(Publish {
        packet_id,
        alias,
        content,
    })
}

/// How one subscriber is to get a message.
pub(crate) struct Outgoing<'a> {
    pub(crate) message: &'a Message,
    pub(crate) qos: QoS,
    pub(crate) dup: bool,
    pub(crate) retain: bool,
    /// 0 with QoS 0.
    pub(crate) packet_id: u16,
    pub(crate) subscription_ids: &'a [u32],
    pub(crate) alias: Option<Alias>,
}

/// A Topic Alias of the server's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Alias {
    pub(crate) number: u16,
    /// The client knows it already: the topic name may stay away.
    pub(crate) known: bool,
}

/// Appends a PUBLISH. `false`, and nothing appended, if the packet would be larger than the
/// client takes (`MQTT-3.1.2-24`).
pub(crate) fn encode(
    out: &mut Vec<u8>,
    now: Time,
    version: Version,
    maximum_packet_size: u32,
    publish: &Outgoing<'_>,
) -> bool {
    let message = publish.message;
    let topic = match publish.alias {
        Some(Alias { known: true, .. }) => &[],
        _ => message.topic_bytes(),
    };
    let with_id = publish.qos != QoS::AtMostOnce;
    let mut remaining = 2 + topic.len() + usize::from(with_id) * 2 + message.payload().len();
    let mut properties_len = 0;
    if version == Version::V5 {
        properties_len = publish.properties_len();
        remaining += writer::varint_len(properties_len) + properties_len;
    }
    let total = 1 + writer::varint_len(remaining) + remaining;
    if remaining > writer::VARINT_MAX || total > maximum_packet_size as usize {
        return false;
    }
    out.reserve(total);
    out.push(
        0x30 | u8::from(publish.dup) << 3 | (publish.qos as u8) << 1 | u8::from(publish.retain),
    );
    writer::varint(out, remaining);
    writer::binary(out, topic);
    if with_id {
        out.extend_from_slice(&publish.packet_id.to_be_bytes());
    }
    if version == Version::V5 {
        writer::varint(out, properties_len);
        publish.encode_properties(out, now);
    }
    out.extend_from_slice(message.payload());
    true
}

impl Outgoing<'_> {
    fn properties_len(&self) -> usize {
        let ids: usize = self
            .subscription_ids
            .iter()
            .map(|&id| 1 + writer::varint_len(id as usize))
            .sum();
        self.message.properties().len()
            + ids
            + if self.alias.is_some() { 3 } else { 0 }
            + if self.message.expires().is_some() {
                5
            } else {
                0
            }
    }

    fn encode_properties(&self, out: &mut Vec<u8>, now: Time) {
        if let Some(alias) = self.alias {
            out.push(properties::TOPIC_ALIAS);
            out.extend_from_slice(&alias.number.to_be_bytes());
        }
        if let Some(expires) = self.message.expires() {
            // MQTT-3.3.2-6: what is left of it.
            let left = expires.0.saturating_sub(now.0).div_ceil(1000);
            out.push(properties::MESSAGE_EXPIRY);
            out.extend_from_slice(&u32::try_from(left).unwrap_or(u32::MAX).to_be_bytes());
        }
        for &id in self.subscription_ids {
            out.push(properties::SUBSCRIPTION_ID);
            writer::varint(out, id as usize);
        }
        out.extend_from_slice(self.message.properties());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::fixed::{self, Kind};
    use crate::message::Gauge;

    /// Decodes a PUBLISH and encodes it again as it would go on to a subscriber.
    fn there_and_back(version: Version, packet: &[u8]) -> Vec<u8> {
        let found = fixed::decode(version, packet).unwrap().unwrap();
        let Kind::Publish { dup, qos, retain } = found.kind else {
            panic!("{found:?}")
        };
        assert_eq!(found.total, packet.len());
        let publish = decode(version, qos, &packet[found.header..]).unwrap();
        let topic = publish.content.topic;
        let message = Message::new(
            &Gauge::default(),
            Time(5),
            topic,
            &publish.content,
            qos,
            retain,
        );
        let outgoing = Outgoing {
            message: &message,
            qos,
            dup,
            retain,
            packet_id: publish.packet_id,
            subscription_ids: &[],
            alias: publish.alias.map(|number| Alias {
                number,
                known: false,
            }),
        };
        let mut out = Vec::new();
        assert!(encode(&mut out, Time(5), version, u32::MAX, &outgoing));
        out
    }

    #[test]
    fn what_is_encoded_is_what_was_decoded() {
        for size in [0, 1, 100, 127, 128, 5_000, 16_384, 3_000_000] {
            let payload = vec![b'x'; size];
            for first in [0x30, 0x31, 0x32, 0x3B, 0x34, 0x3D] {
                for properties in [
                    &b""[..],
                    b"\x23\0\x07\x02\0\0\x01\0",
                    b"\x02\0\0\0\x09\x01\x01\x03\0\x01t\x08\0\x01r\x09\0\x01c\x26\0\x01n\0\x01v",
                    b"\x26\0\x01n\0\x01v\x26\0\x01n\0\x01w",
                ] {
                    let mut body = b"\0\x03t/1".to_vec();
                    if first & 0x06 != 0 {
                        body.extend([0x12, 0x34]);
                    }
                    let plain = [&body[..], &payload].concat();
                    writer::varint(&mut body, properties.len());
                    body.extend_from_slice(properties);
                    let full = [&body[..], &payload].concat();
                    for (version, body) in [(Version::V311, plain), (Version::V5, full)] {
                        let mut packet = vec![first];
                        writer::varint(&mut packet, body.len());
                        packet.extend(body);
                        assert!(
                            there_and_back(version, &packet) == packet,
                            "{first:02x} {size}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn too_large_for_the_client_is_not_encoded_at_all() {
        let content = Content {
            topic: "t",
            payload: b"payload",
            ..Content::default()
        };
        let message = Message::new(
            &Gauge::default(),
            Time(0),
            "t",
            &content,
            QoS::AtMostOnce,
            false,
        );
        let outgoing = Outgoing {
            message: &message,
            qos: QoS::AtMostOnce,
            dup: false,
            retain: false,
            packet_id: 0,
            subscription_ids: &[],
            alias: None,
        };
        let mut out = Vec::new();
        assert!(!encode(&mut out, Time(0), Version::V5, 12, &outgoing));
        assert!(out.is_empty());
        assert!(encode(&mut out, Time(0), Version::V5, 13, &outgoing));
        assert_eq!(out.len(), 13);
    }
}
