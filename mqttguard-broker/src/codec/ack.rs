//! PUBACK, PUBREC, PUBREL and PUBCOMP (MQTT 5 sections 3.4 to 3.7).

use super::properties::{self, Properties};
use super::reader::Reader;
use super::{Decoded, Malformed};
use crate::Version;
use crate::reason::Reason;

/// First bytes, reserved flags included.
pub(crate) const PUBACK: u8 = 0x40;
pub(crate) const PUBREC: u8 = 0x50;
pub(crate) const PUBREL: u8 = 0x62;
pub(crate) const PUBCOMP: u8 = 0x70;

/// An acknowledgement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) packet_id: u16,
    pub(crate) reason: Reason,
}

/// Reads what follows the fixed header. `first` is the packet's first byte.
pub(crate) fn decode(version: Version, first: u8, body: &[u8]) -> Decoded<Ack> {
    let mut packet = Reader::new(body);
    let packet_id = packet.packet_id()?;
    let mut reason = Reason::SUCCESS;
    if version == Version::V5 && !packet.is_empty() {
        reason = Reason(packet.u8("reason code")?);
        if !known(first, reason) {
            return Err(Malformed::protocol("reason code", "not one of this packet"));
        }
        if !packet.is_empty() {
            Properties::take(&mut packet, properties::IN_ACK)?.check()?;
        }
    }
    packet.finish()?;
    Ok(Ack { packet_id, reason })
}

fn known(first: u8, reason: Reason) -> bool {
    match first {
        PUBREL | PUBCOMP => {
            matches!(
                reason,
                Reason::SUCCESS | Reason::PACKET_IDENTIFIER_NOT_FOUND
            )
        }
        _ => matches!(
            reason.0,
            0x00 | 0x10 | 0x80 | 0x83 | 0x87 | 0x90 | 0x91 | 0x97 | 0x99
        ),
    }
}

/// Appends an acknowledgement. Before MQTT 5 there is no place for the reason.
pub(crate) fn encode(out: &mut Vec<u8>, version: Version, first: u8, ack: Ack) {
    let [high, low] = ack.packet_id.to_be_bytes();
    if version == Version::V5 && ack.reason != Reason::SUCCESS {
        out.extend_from_slice(&[first, 3, high, low, ack.reason.0]);
    } else {
        out.extend_from_slice(&[first, 2, high, low]);
    }
}
