//! PINGREQ, DISCONNECT and AUTH (MQTT 5 sections 3.12 to 3.15).

use super::properties::{self, Properties, Property};
use super::reader::Reader;
use super::{Decoded, Malformed, writer};
use crate::Version;
use crate::reason::Reason;

/// PINGREQ has nothing but its fixed header.
pub(crate) fn decode_pingreq(body: &[u8]) -> Decoded<()> {
    Reader::new(body).finish()
}

/// Appends a PINGRESP.
pub(crate) fn encode_pingresp(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0xD0, 0]);
}

/// A DISCONNECT from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Disconnect {
    pub(crate) reason: Reason,
    /// Session Expiry Interval in seconds, if it is to change.
    pub(crate) session_expiry_s: Option<u32>,
}

/// Reads what follows the fixed header.
pub(crate) fn decode_disconnect(version: Version, body: &[u8]) -> Decoded<Disconnect> {
    let mut packet = Reader::new(body);
    let mut disconnect = Disconnect {
        reason: Reason::SUCCESS,
        session_expiry_s: None,
    };
    if version == Version::V5 && !packet.is_empty() {
        disconnect.reason = Reason(packet.u8("reason code")?);
        if !matches!(disconnect.reason.0,
            0x00 | 0x04 | 0x80..=0x83 | 0x90 | 0x93..=0x99)
        {
            return Err(Malformed::protocol(
                "reason code",
                "not one that a client sends",
            ));
        }
        if !packet.is_empty() {
            let mut found = Properties::take(&mut packet, properties::IN_DISCONNECT)?;
            while let Some(property) = found.next()? {
                if let Property::SessionExpiry(seconds) = property {
                    disconnect.session_expiry_s = Some(seconds);
                }
            }
        }
    }
    packet.finish()?;
    Ok(disconnect)
}

/// Appends a DISCONNECT from the server; only MQTT 5 has it. `why` becomes the Reason String.
pub(crate) fn encode_disconnect(out: &mut Vec<u8>, reason: Reason, why: &str) {
    if why.is_empty() {
        out.extend_from_slice(&[0xE0, 1, reason.0]);
        return;
    }
    let properties = 1 + 2 + why.len();
    out.push(0xE0);
    writer::varint(out, 1 + writer::varint_len(properties) + properties);
    out.push(reason.0);
    writer::varint(out, properties);
    out.push(properties::REASON_STRING);
    writer::binary(out, why.as_bytes());
}

/// An AUTH from a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Auth<'a> {
    pub(crate) reason: Reason,
    pub(crate) method: &'a str,
    pub(crate) data: Option<&'a [u8]>,
}

/// Reads what follows the fixed header.
pub(crate) fn decode_auth(body: &[u8]) -> Decoded<Auth<'_>> {
    let mut packet = Reader::new(body);
    // Without anything it is one of Success (section 3.15.2.1).
    let reason = match packet.is_empty() {
        true => return Err(not_asked()),
        false => Reason(packet.u8("reason code")?),
    };
    // MQTT-3.15.2-1
    if !matches!(reason.0, 0x00 | 0x18 | 0x19) {
        return Err(Malformed::protocol("reason code", "not one of this packet"));
    }
    let (mut method, mut data) = (None, None);
    let mut found = Properties::take(&mut packet, properties::IN_AUTH)?;
    while let Some(property) = found.next()? {
        match property {
            Property::AuthenticationMethod(name) => method = Some(name),
            Property::AuthenticationData(bytes) => data = Some(bytes),
            _ => {}
        }
    }
    packet.finish()?;
    if reason == Reason::SUCCESS {
        return Err(not_asked());
    }
    // Section 3.15.2.2.2
    let method = method.ok_or(Malformed::protocol("Authentication Method", "missing"))?;
    Ok(Auth {
        reason,
        method,
        data,
    })
}

fn not_asked() -> Malformed {
    Malformed::protocol("reason code", "Success is for the server to say")
}

/// Appends an AUTH from the server.
pub(crate) fn encode_auth(out: &mut Vec<u8>, reason: Reason, method: &str, data: Option<&[u8]>) {
    let mut found = Vec::with_capacity(64);
    properties::authentication(&mut found, method, data);
    out.push(0xF0);
    let len = found.len();
    writer::varint(out, 1 + writer::varint_len(len) + len);
    out.push(reason.0);
    writer::varint(out, len);
    out.extend_from_slice(&found);
}
