//! The first bytes of TCP streams, whatever segments they come in.
//!
//! A receiver can only read a CONNECT if it gets the first byte of the stream. That byte goes
//! through in a segment alone which shows, from it on, that there is no CONNECT: one that is too
//! short to tell is dropped, and comes again from an honest sender, with more bytes or with the
//! same. Until it has gone through, no segment passes that starts where the rest of a CONNECT
//! would stand, since the receiver might put it together with a first byte to come. Nothing is
//! remembered of a segment that is dropped.

use mqttguard_common::{Flow, flow_flags};

use crate::frame::Frame;
use crate::maps::FLOWS;
use crate::mqtt::{CONNECT, HEAD, is_beginning, is_connect};
use crate::packet::{HEADERS, Packet};
use crate::processor::{Processor, forget};

/// What a segment is to its stream.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Behind the first bytes, before them, or nobody knows where.
    Elsewhere,
    /// It shows that the stream does not start with a CONNECT.
    Shows,
    /// It may hide one.
    Splits,
}

/// Finds a segment's place.
///
/// Of a stream whose start is not known (it is older than the program, or others have taken its
/// slot) only what may be the beginning of a CONNECT is held.
#[inline(always)]
pub(crate) fn place(frame: &Frame, packet: &Packet, own: *mut Processor) -> Place {
    let (payload, end) = (packet.payload(), packet.end());
    if payload >= end || frame.byte(payload).is_none() {
        return Place::Elsewhere;
    }
    let found = if packet.is_syn() {
        START
    } else {
        locate(frame, packet)
    };
    if found == WITHIN {
        return Place::Elsewhere;
    }
    // Both in one word, for the verifier's sake.
    let word = forget(own, found, u64::MAX);
    let back = (word >> BACK_SHIFT & 0x1_ffff) as usize;
    let shown = word & SHOWN != 0;
    let at = payload + back;
    let (at, first) = if at > HEADERS {
        (at, None)
    } else {
        // Within what the mask says, whichever of the sum and its parts was compared.
        let at = forget(own, at as u64, 0x7fff) as usize;
        (at, frame.byte(at))
    };
    let begins = match first {
        Some(CONNECT) => {
            let begins =
                is_beginning(frame, at, end, own) || (back > 0 && is_connect(frame, at, end));
            forget(own, u64::from(begins), 1) != 0
        }
        Some(_) => false,
        // Out of sight.
        None => !shown,
    };
    if begins || word & EARLY != 0 {
        Place::Splits
    } else if word & START != 0 && !shown {
        Place::Shows
    } else {
        Place::Elsewhere
    }
}

// What `locate` finds, a bit each.
/// Behind the first bytes.
const WITHIN: u64 = 0;
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
    // Sequence numbers wrap; the distance is right for half of their range.
    let offset = packet.sequence().wrapping_sub(flow.start) as i32;
    let length = packet.end() as i64 - packet.payload() as i64;
    if offset >= HEAD as i32 || offset as i64 <= -length || (offset > 0 && shown != 0) {
        if flow.flags & flow_flags::SURE != 0 {
            WITHIN
        } else {
            UNKNOWN
        }
    } else if offset > 0 {
        EARLY
    } else {
        // If it reaches back: honest only when the numbers have gone round once.
        START | shown | (-offset as u64) << BACK_SHIFT
    }
}

/// Remembers a segment that goes through: one that opens a stream, or that showed its beginning.
#[inline(always)]
pub(crate) fn remember(frame: &Frame, packet: &Packet, shows: bool, now_ns: u64) {
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
    if !packet.is_syn() || (known && flow.start == packet.sequence()) {
        if known {
            flow.flags |= shown;
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
