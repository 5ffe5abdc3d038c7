//! The first bytes of TCP streams, whatever segments they come in.
//!
//! A receiver can only read a CONNECT if it gets the first byte of the stream. That byte goes
//! through in a segment alone which shows, from it on, that there is no CONNECT: one that is too
//! short to tell is dropped, and comes again from an honest sender, with more bytes or with the
//! same. Until it has gone through, no segment passes that starts where the rest of a CONNECT
//! would stand, since the receiver might put it together with a first byte to come. Nothing is
//! remembered of a segment that is dropped.

use mqttguard_common::{Flow, flow_flags};

use crate::cell::{Cell, forget};
use crate::frame::Frame;
use crate::maps::FLOWS;
use crate::mqtt::{CONNECT, HEAD, is_beginning, is_connect};
use crate::packet::{HEADERS, Packet};
use crate::request::begins_request;
use crate::websocket::begins_frame;

/// What a segment is to its stream, a bit each; none: it is behind the first bytes, before them, or
/// nobody knows where.
#[derive(Clone, Copy)]
pub(crate) struct Place(u64);

impl Place {
    /// It shows that the stream does not start with a CONNECT.
    pub(crate) const SHOWS: u64 = 1;
    /// It may hide one.
    pub(crate) const SPLITS: u64 = 2;
    /// The stream is read on.
    pub(crate) const READ: u64 = 1 << 6;
    /// A request for a WebSocket may begin with it, or a message in one.
    pub(crate) const OPENS: u64 = 1 << 8;
    /// It overtakes the first byte.
    pub(crate) const OVERTAKES: u64 = 1 << 7;

    #[inline(always)]
    pub(crate) fn is(self, any: u64) -> bool {
        self.0 & any != 0
    }
}

/// Finds a segment's place.
///
/// Of a stream whose start is not known (it is older than the program, or others have taken its
/// slot) only what may be the beginning of a CONNECT is held.
#[inline(always)]
pub(crate) fn place(frame: &Frame, packet: &Packet, cell: *mut Cell) -> Place {
    let (payload, end) = (packet.payload(), packet.end());
    if payload >= end {
        return Place(0);
    }
    let Some(byte) = frame.byte(payload) else {
        return Place(0);
    };
    let found = if packet.is_syn() {
        START
    } else {
        locate(frame, packet)
    };
    if found & WITHIN != 0 {
        return Place(found & (Place::READ | Place::OVERTAKES) | opens(byte));
    }
    // Both in one word, for the verifier's sake.
    let word = forget(cell, found, u64::MAX);
    let back = (word >> BACK_SHIFT & 0x1_ffff) as usize;
    let shown = word & SHOWN != 0;
    let at = payload + back;
    let (at, first) = if at > HEADERS {
        (at, None)
    } else {
        // Within what the mask says, whichever of the sum and its parts was compared.
        let at = forget(cell, at as u64, 0x7fff) as usize;
        (at, frame.byte(at))
    };
    let begins = match first {
        Some(CONNECT) => {
            let begins =
                is_beginning(frame, at, end, cell) || (back > 0 && is_connect(frame, at, end));
            forget(cell, u64::from(begins), 1) != 0
        }
        Some(_) => false,
        // Out of sight.
        None => !shown,
    };
    let opens = match first {
        Some(first) => opens(first),
        None => 0,
    };
    let kept = word & (Place::READ | Place::OVERTAKES) | opens;
    if begins || word & EARLY != 0 {
        Place(kept | Place::SPLITS)
    } else if word & START != 0 && !shown {
        Place(kept | Place::SHOWS)
    } else {
        Place(kept)
    }
}

#[inline(always)]
fn opens(first: u8) -> u64 {
    if begins_request(first) || begins_frame(first) {
        Place::OPENS
    } else {
        0
    }
}

// What `locate` finds, a bit each, beside those of `Place`.
/// Behind the first bytes.
const WITHIN: u64 = 16;
/// The stream is not known, or its start not for sure.
const UNKNOWN: u64 = 1;
/// It has the first byte of the stream.
const START: u64 = 2;
/// It starts behind that, where the rest of a CONNECT's head would stand, and nothing is known
/// of the first byte.
const EARLY: u64 = 4;
/// The first byte of the stream has gone through.
const SHOWN: u64 = 8;
/// From here on, by how many bytes it reaches back before the first.
const BACK_SHIFT: u32 = 16;

#[inline(always)]
fn locate(frame: &Frame, packet: &Packet) -> u64 {
    let Some(key) = packet.flow(frame) else {
        return UNKNOWN;
    };
    let Some(flow) = FLOWS.get(key.slot) else {
        return UNKNOWN;
    };
    if flow.since == 0 || flow.tag != key.tag {
        return UNKNOWN;
    }
    let shown = if flow.flags & flow_flags::SHOWN != 0 {
        SHOWN
    } else {
        0
    };
    let read = if flow.flags & flow_flags::READ != 0 {
        Place::READ
    } else {
        0
    };
    // Sequence numbers wrap; the distance is right for half of their range.
    let offset = packet.sequence().wrapping_sub(flow.start) as i32;
    let length = packet.end() as i64 - packet.payload() as i64;
    if offset >= HEAD as i32 || offset as i64 <= -length || (offset > 0 && shown != 0) {
        let overtakes = if offset > 0 && shown == 0 {
            Place::OVERTAKES
        } else {
            0
        };
        if flow.flags & flow_flags::SURE != 0 {
            WITHIN | read | overtakes
        } else {
            UNKNOWN | read | overtakes
        }
    } else if offset > 0 {
        EARLY | read
    } else {
        // If it reaches back: honest only when the numbers have gone round once.
        START | shown | read | (-offset as u64) << BACK_SHIFT
    }
}

/// Remembers a segment that goes through: one that opens a stream, that showed its beginning, or
/// that overtook it.
#[inline(always)]
pub(crate) fn remember(frame: &Frame, packet: &Packet, shows: bool, overtakes: bool, now_ns: u64) {
    let Some(key) = packet.flow(frame) else {
        return;
    };
    let Some(flow) = FLOWS.get_ptr_mut(key.slot) else {
        return;
    };
    // SAFETY: rows of arrays stay where they are. Processors that meet here may mix two streams,
    // which leaves a tag, a start or a flag that fits neither: a start that is not known.
    let flow = unsafe { &mut *flow };
    let known = flow.since != 0 && flow.tag == key.tag;
    let shown = if shows { flow_flags::SHOWN } else { 0 };
    let overtaken = if overtakes { flow_flags::OVERTAKEN } else { 0 };
    if !packet.is_syn() || (known && flow.start == packet.sequence()) {
        if known {
            flow.flags |= shown | overtaken;
        }
        return;
    }
    let since = Flow::since(now_ns);
    let fresh = flow.since == 0 || since.wrapping_sub(flow.since) > Flow::STALE;
    let sure = if fresh { flow_flags::SURE } else { 0 };
    *flow = Flow {
        tag: key.tag,
        start: packet.sequence(),
        since,
        flags: shown | sure,
    };
}
