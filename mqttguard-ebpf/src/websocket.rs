//! MQTT over a WebSocket that is not encrypted, by either of two signs at the beginning of a
//! segment.
//!
//! One is the request that opens it and asks for MQTT; see [`request`](crate::request). The other
//! is a frame with a CONNECT in it, should the request have gone unnoticed: it asked for nothing,
//! or came in pieces.
//!
//! Nothing is dropped on doubt, since most of what looks like it is web pages. Nothing is
//! remembered either: a sign in pieces is not seen.

use crate::frame::Frame;
use crate::mqtt::{HEAD, begins_connect};
use crate::packet::{HEADERS, Packet, Transport};
use crate::processor::{Processor, forget};
use crate::request::{GET, MQTT, NONE, START, step};

/// As many bytes of a segment are read for a request: all of one on Ethernet.
pub(crate) const SCANNED: usize = 1472;

/// Bytes that are read between two checks whether there are more.
const BLOCK: usize = 16;

/// RFC 6455, 5.2: reserved bits and those of the opcode, of which data frames have up to this.
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const BINARY: u8 = 2;
/// Set in the second byte when the payload is masked.
const MASKED: u8 = 0x80;
/// Lengths from here on stand for the number of bytes that the length takes behind them.
const TWO_MORE: u8 = 126;
const EIGHT_MORE: u8 = 127;

/// What the beginning of a segment shows of a WebSocket.
#[derive(Clone, Copy)]
pub(crate) struct Signs(u64);

impl Signs {
    /// It carries MQTT.
    const MQTT: u64 = 1;

    /// Looks for it.
    #[inline(always)]
    pub(crate) fn of(frame: &Frame, packet: &Packet, own: *mut Processor) -> Self {
        // Of its own: what the verifier learns of it here is nothing to it later.
        let packet = packet.forgotten(own);
        let is_mqtt = is_mqtt(frame, &packet, own);
        Signs(forget(own, u64::from(is_mqtt), Self::MQTT))
    }

    /// Whether it carries MQTT.
    #[inline(always)]
    pub(crate) fn is_mqtt(self) -> bool {
        self.0 & Self::MQTT != 0
    }
}

#[inline(always)]
fn is_mqtt(frame: &Frame, packet: &Packet, own: *mut Processor) -> bool {
    let (payload, end) = (packet.payload(), packet.end());
    if !packet.is(Transport::Tcp) || payload >= end {
        return false;
    }
    match frame.byte(payload) {
        Some(GET) => asks_for_mqtt(frame, payload, end, own),
        Some(first) if first & RESERVED == 0 && first & OPCODE <= BINARY => {
            carries_connect(frame, payload, end, own)
        }
        _ => false,
    }
}

/// Whether a data frame starts at `payload` and a CONNECT with it, its head whole. Clients have
/// to mask what they send (RFC 6455, 5.3); some servers take it unmasked as well.
#[inline(always)]
fn carries_connect(frame: &Frame, payload: usize, end: usize, own: *mut Processor) -> bool {
    let Some(&[_, second]) = frame.at::<[u8; 2]>(payload) else {
        return false;
    };
    let (header, length) = match second & !MASKED {
        TWO_MORE => match frame.at::<[u8; 2]>(payload + 2) {
            Some(&length) => (4, u64::from(u16::from_be_bytes(length))),
            None => return false,
        },
        EIGHT_MORE => match frame.at::<[u8; 8]>(payload + 2) {
            Some(&length) => (10, u64::from_be_bytes(length)),
            None => return false,
        },
        length => (2, u64::from(length)),
    };
    if length < HEAD as u64 {
        return false;
    }
    let at = forget(own, (payload + header) as u64, 0x7fff) as usize;
    let (mask, at) = if second & MASKED == 0 {
        (0, at)
    } else {
        match frame.at::<[u8; 4]>(at) {
            Some(&mask) => (u32::from_be_bytes(mask), at + 4),
            None => return false,
        }
    };
    let mask = forget(own, u64::from(mask), u32::MAX as u64) as u32;
    let at = forget(own, at as u64, 0x7fff) as usize;
    let Some(&masked) = frame.at::<[u8; HEAD]>(at) else {
        return false;
    };
    if at + HEAD > end {
        return false;
    }
    let mut head = masked;
    for (index, byte) in head.iter_mut().enumerate() {
        *byte ^= (mask >> (24 - 8 * (index & 3))) as u8;
    }
    begins_connect(&head)
}

/// Whether a request for MQTT starts at `payload`.
#[inline(always)]
fn asks_for_mqtt(frame: &Frame, payload: usize, end: usize, own: *mut Processor) -> bool {
    let visible = frame.length().min(end);
    if payload > HEADERS || payload >= visible {
        return false;
    }
    let at = forget(own, payload as u64, 0x7fff) as usize;
    let length = forget(own, (visible - payload) as u64, 0x1_ffff) as usize;
    // Once more, so that what the verifier learns of it block by block is not kept behind them.
    let all = forget(own, length as u64, 0x1_ffff) as usize;
    let Some(bytes) = frame.bytes_from(at, length, own) else {
        return false;
    };
    let mut state = forget(own, u64::from(START), 0x3f) as u8;
    let mut done = 0;
    for block in 0..SCANNED / BLOCK {
        if (block + 1) * BLOCK > length || state >= NONE {
            break;
        }
        let Some(block) = bytes.block::<BLOCK>(block * BLOCK) else {
            break;
        };
        for byte in block {
            state = step(state, byte);
        }
        state = forget(own, u64::from(state), 0x3f) as u8;
        done += BLOCK;
    }
    let state = forget(own, u64::from(state), 0x3f) as u8;
    let done = forget(own, done as u64, 0x7ff) as usize;
    let left = forget(own, all.wrapping_sub(done) as u64, 0x1_ffff) as usize;
    if state >= NONE || done >= SCANNED {
        return state == MQTT;
    }
    let rest = bytes.from(done, own);
    let mut state = state;
    for index in 0..BLOCK - 1 {
        if index >= left {
            break;
        }
        let Some(byte) = rest.byte(index) else {
            break;
        };
        state = step(state, &byte);
    }
    state == MQTT
}
