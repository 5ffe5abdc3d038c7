//! SUBSCRIBE, SUBACK, UNSUBSCRIBE and UNSUBACK (MQTT 5 sections 3.8 to 3.11).

use super::properties::{self, Properties, Property};
use super::reader::Reader;
use super::{Decoded, Malformed, QoS, writer};
use crate::reason::Reason;
use crate::{Version, topic};

/// What a SUBSCRIBE asks for with one filter (section 3.8.3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Options {
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    pub(crate) retain_as_published: bool,
    pub(crate) retain_handling: RetainHandling,
}

/// When a subscription is sent the retained messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetainHandling {
    Send,
    SendIfNew,
    DoNotSend,
}

/// A SUBSCRIBE or UNSUBSCRIBE; its filters are read one by one.
pub(crate) struct Filters<'a> {
    version: Version,
    pub(crate) packet_id: u16,
    /// 0 for none.
    pub(crate) subscription_id: u32,
    left: Reader<'a>,
}

/// Reads a SUBSCRIBE up to its filters, after checking all of them.
pub(crate) fn decode<'a>(version: Version, body: &'a [u8]) -> Decoded<Filters<'a>> {
    let filters = start(version, body, properties::IN_SUBSCRIBE)?;
    let mut check = Filters { ..filters };
    while check.next_subscription()?.is_some() {}
    Ok(filters)
}

/// Reads an UNSUBSCRIBE up to its filters, after checking all of them.
pub(crate) fn decode_unsubscribe<'a>(version: Version, body: &'a [u8]) -> Decoded<Filters<'a>> {
    let filters = start(version, body, properties::IN_UNSUBSCRIBE)?;
    let mut check = Filters { ..filters };
    while check.next_filter()?.is_some() {}
    Ok(filters)
}

fn start(version: Version, body: &[u8], allowed: properties::Allowed) -> Decoded<Filters<'_>> {
    let mut packet = Reader::new(body);
    let packet_id = packet.packet_id()?;
    let mut subscription_id = 0;
    if version == Version::V5 {
        let mut found = Properties::take(&mut packet, allowed)?;
        while let Some(property) = found.next()? {
            if let Property::SubscriptionId(id) = property {
                subscription_id = id;
            }
        }
    }
    if packet.is_empty() {
        // MQTT-3.8.3-2, MQTT-3.10.3-2
        return Err(Malformed::protocol("payload", "no topic filter"));
    }
    Ok(Filters {
        version,
        packet_id,
        subscription_id,
        left: packet,
    })
}

impl<'a> Filters<'a> {
    /// The next filter of a SUBSCRIBE, with its options.
    pub(crate) fn next_subscription(&mut self) -> Decoded<Option<(&'a str, Options)>> {
        let Some(filter) = self.next_filter()? else {
            return Ok(None);
        };
        let options = options(self.version, self.left.u8("subscription options")?)?;
        // MQTT-3.8.3-4
        if options.no_local && matches!(topic::split_share(filter), Ok(Some(_))) {
            return Err(Malformed::protocol(
                "No Local",
                "set on a shared subscription",
            ));
        }
        Ok(Some((filter, options)))
    }

    /// The next filter of an UNSUBSCRIBE.
    pub(crate) fn next_filter(&mut self) -> Decoded<Option<&'a str>> {
        if self.left.is_empty() {
            return Ok(None);
        }
        let filter = self.left.text("topic filter")?;
        let malformed = |what| Malformed::packet("topic filter", what);
        topic::check_filter(filter).map_err(malformed)?;
        topic::split_share(filter).map_err(malformed)?;
        Ok(Some(filter))
    }
}

fn options(version: Version, bits: u8) -> Decoded<Options> {
    let malformed = |what| Malformed::packet("subscription options", what);
    let protocol = |what| Malformed::protocol("subscription options", what);
    // MQTT-3.8.3-5: before MQTT 5 all but the QoS bits are reserved.
    let reserved = if version == Version::V5 {
        0b1100_0000
    } else {
        0b1111_1100
    };
    if bits & reserved != 0 {
        return Err(malformed("reserved bits are set"));
    }
    Ok(Options {
        qos: QoS::from_bits(bits).ok_or(protocol("QoS 3 does not exist"))?,
        no_local: bits & 0b0000_0100 != 0,
        retain_as_published: bits & 0b0000_1000 != 0,
        retain_handling: match bits >> 4 & 0b11 {
            0 => RetainHandling::Send,
            1 => RetainHandling::SendIfNew,
            2 => RetainHandling::DoNotSend,
            _ => return Err(protocol("Retain Handling 3 does not exist")),
        },
    })
}

/// Appends a SUBACK with a code for each filter, in their order.
pub(crate) fn encode_suback(out: &mut Vec<u8>, version: Version, packet_id: u16, codes: &[Reason]) {
    start_answer(out, version, 0x90, packet_id, codes.len());
    // Before MQTT 5 there is one code for every failure.
    let failure = |code: Reason| if code.is_error() { 0x80 } else { code.0 };
    match version {
        Version::V5 => out.extend(codes.iter().map(|code| code.0)),
        Version::V31 | Version::V311 => out.extend(codes.iter().map(|&code| failure(code))),
    }
}

/// Appends an UNSUBACK; before MQTT 5 it has no codes.
pub(crate) fn encode_unsuback(
    out: &mut Vec<u8>,
    version: Version,
    packet_id: u16,
    codes: &[Reason],
) {
    match version {
        Version::V5 => {
            start_answer(out, version, 0xB0, packet_id, codes.len());
            out.extend(codes.iter().map(|code| code.0));
        }
        Version::V31 | Version::V311 => start_answer(out, version, 0xB0, packet_id, 0),
    }
}

fn start_answer(out: &mut Vec<u8>, version: Version, first: u8, packet_id: u16, codes: usize) {
    let properties = usize::from(version == Version::V5);
    out.push(first);
    writer::varint(out, 2 + properties + codes);
    out.extend_from_slice(&packet_id.to_be_bytes());
    if version == Version::V5 {
        out.push(0);
    }
}
