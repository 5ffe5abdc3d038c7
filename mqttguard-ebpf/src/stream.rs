//! MQTT over a WebSocket that is not encrypted, whatever segments it comes in. Either of two signs
//! is enough: the request that opens it and asks for MQTT, see [`request`](crate::request), and a
//! CONNECT in its first messages, see [`websocket`](crate::websocket).
//!
//! Both are looked for where a segment begins, and where the first of a stream does. What a segment
//! leaves open is kept as a [`Reading`], and the next goes on from there; it has to, since one that
//! leaves bytes out is dropped, and an honest sender repeats both. So the receiver never has more
//! of a request or a message than was read.
//!
//! Most of what is read here is web pages, which all goes through: what is held on doubt are
//! segments out of order within the head of a request, and the first one of a stream if it leaves
//! a request open and others have overtaken it.

use mqttguard_common::{Flow, FlowKey, Reading, Reason, flow_flags, policy_flags, rule_flags};

use crate::binding::Mismatch;
use crate::case::Case;
use crate::cell::forget;
use crate::connect;
use crate::destination::{is_excepted, is_local};
use crate::finding::Mqtt;
use crate::frame::{Frame, SCANNED};
use crate::maps::{FLOWS, PROCESSOR, READINGS, RULES};
use crate::packet::{HEADERS, Packet};
use crate::processor::{Processor, case, cell, now_ns, segment};
use crate::reason::{REASON_MASK, is_carried_out, or_mismatch};
use crate::request::{self, ELSE, MQTT, NONE, START};
use crate::step::{Program, Step};
use crate::subject::Subject;
use crate::verdict::conclude;
use crate::websocket::{self, FIRST};

/// Bytes that are read between two checks whether there are more.
const BLOCK: usize = 16;

/// As many bytes of frames are read at once.
const STEPS: usize = 32;

/// What reading has come to.
#[derive(Clone, Copy)]
enum Found {
    /// This program is to go on.
    More(Program),
    /// The end of what there is to read.
    All(Sign),
}

/// What a segment shows of a WebSocket.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sign {
    /// It ends before that is clear.
    Open = 0,
    /// It was none with MQTT.
    Nothing = 1,
    Mqtt = 2,
    /// It cannot be read without what comes before.
    Gap = 3,
}

impl Sign {
    /// By the state in which reading ended.
    #[inline(always)]
    fn of(state: u8) -> Self {
        match state {
            MQTT => Sign::Mqtt,
            NONE => Sign::Nothing,
            _ => Sign::Open,
        }
    }
}

/// Reads a request, from the beginning of a segment or from where the one before it ended.
#[inline(always)]
pub(crate) fn read_request(frame: &Frame) -> Step {
    match try_read_request(frame) {
        Some(step) => step,
        None => Step::Unread,
    }
}

#[inline(always)]
fn try_read_request(frame: &Frame) -> Option<Step> {
    let own = PROCESSOR.get_ptr_mut(0)?;
    let frame = &frame.forgotten(cell(own));
    let packet = &Case::packet(case(own));
    match request_found(frame, packet, own)? {
        Found::More(program) => Some(Step::Read(program)),
        Found::All(sign) => settle(frame, packet, sign, own),
    }
}

#[inline(always)]
fn request_found(frame: &Frame, packet: &Packet, own: *mut Processor) -> Option<Found> {
    if Case::at(case(own)) == 0 && begin(frame, packet, own)? {
        return Some(Found::All(Sign::Gap));
    }
    let at = Case::at(case(own)) as usize & 0x1_ffff;
    let visible = frame.length().min(packet.end());
    if at > HEADERS || at >= visible {
        return Some(Found::All(Sign::Gap));
    }
    let state = reading_state(own);
    if state >= FIRST {
        return Some(Found::More(Program::Frames));
    }
    let mut state = forget(cell(own), u64::from(state), 0x3f) as u8;
    let at = forget(cell(own), at as u64, 0x7fff) as usize;
    let length = forget(cell(own), (visible - at) as u64, 0x1_ffff) as usize;
    // Once more, so that what the verifier learns of it block by block is not kept behind them.
    let all = forget(cell(own), length as u64, 0x1_ffff) as usize;
    let bytes = frame.bytes_from(at, length, cell(own), segment(own))?;
    // The state before the last block.
    let mut before = state;
    let mut done = 0;
    for block in 0..SCANNED / BLOCK {
        if (block + 1) * BLOCK > length || state >= ELSE {
            break;
        }
        let Some(block) = bytes.block::<BLOCK>(block * BLOCK) else {
            break;
        };
        before = state;
        for byte in block {
            state = request::step(state, byte);
        }
        state = forget(cell(own), u64::from(state), 0x3f) as u8;
        done += BLOCK;
    }
    let state = forget(cell(own), u64::from(state), 0x3f) as u8;
    let before = forget(cell(own), u64::from(before), 0x3f) as u8;
    let done = forget(cell(own), done as u64, 0x7ff) as usize;
    let left = forget(cell(own), all.wrapping_sub(done) as u64, 0x1_ffff) as usize;
    if state == ELSE {
        return Some(go_back(at + done.wrapping_sub(BLOCK), before, own));
    }
    if state > ELSE || left == 0 {
        set_reading_state(own, state);
        return Some(Found::All(Sign::of(state)));
    }
    if done >= SCANNED {
        set_reading_state(own, state);
        Case::set_at(case(own), (at + SCANNED) as u32);
        return Some(Found::More(Program::Request));
    }
    let rest = bytes.from(done, cell(own));
    let mut last = state;
    for index in 0..BLOCK - 1 {
        if index >= left {
            break;
        }
        let Some(byte) = rest.byte(index) else {
            break;
        };
        last = request::step(last, &byte);
    }
    let last = forget(cell(own), u64::from(last), 0x3f) as u8;
    if last == ELSE {
        return Some(go_back(at + done, state, own));
    }
    set_reading_state(own, last);
    Some(Found::All(Sign::of(last)))
}

/// What comes from here on is read byte by byte.
#[inline(always)]
fn go_back(at: usize, state: u8, own: *mut Processor) -> Found {
    set_reading_state(own, state);
    Case::set_at(case(own), at as u32);
    Found::More(Program::Frames)
}

/// Reads frames, and what may stand before them of a request.
#[inline(always)]
pub(crate) fn read_frames(frame: &Frame) -> Step {
    match try_read_frames(frame) {
        Some(step) => step,
        None => Step::Unread,
    }
}

#[inline(always)]
fn try_read_frames(frame: &Frame) -> Option<Step> {
    let own = PROCESSOR.get_ptr_mut(0)?;
    let frame = &frame.forgotten(cell(own));
    let packet = &Case::packet(case(own));
    match frames_found(frame, packet, own)? {
        Found::More(program) => Some(Step::Read(program)),
        Found::All(sign) => settle(frame, packet, sign, own),
    }
}

#[inline(always)]
fn frames_found(frame: &Frame, packet: &Packet, own: *mut Processor) -> Option<Found> {
    let at = Case::at(case(own)) as usize & 0x1_ffff;
    let visible = frame.length().min(packet.end());
    if at > HEADERS || at >= visible {
        return Some(Found::All(Sign::Gap));
    }
    let at = forget(cell(own), at as u64, 0x7fff) as usize;
    let length = forget(cell(own), (visible - at) as u64, 0x1_ffff) as usize;
    let all = forget(cell(own), length as u64, 0x1_ffff) as usize;
    let bytes = frame.bytes_from(at, length, cell(own), segment(own))?;
    // SAFETY: this processor's own.
    let reading = unsafe { &raw mut (*case(own)).reading };
    for index in 0..STEPS {
        if index >= length {
            break;
        }
        let Some(byte) = bytes.byte(index) else {
            break;
        };
        let mut state = reading_state(own);
        if state < ELSE {
            state = request::step(state, &byte);
            set_reading_state(own, if state == ELSE { FIRST } else { state });
        }
        if state == ELSE || state >= FIRST {
            websocket::step(reading, byte);
        }
    }
    let sign = Sign::of(reading_state(own));
    if sign == Sign::Open && all > STEPS {
        Case::set_at(case(own), (at + STEPS) as u32);
        return Some(Found::More(Program::Frames));
    }
    Some(Found::All(sign))
}

#[inline(always)]
fn reading_state(own: *mut Processor) -> u8 {
    // SAFETY: this processor's own.
    unsafe { (&raw const (*case(own)).reading.state).read_volatile() }
}

#[inline(always)]
fn set_reading_state(own: *mut Processor, state: u8) {
    // SAFETY: likewise.
    unsafe { (&raw mut (*case(own)).reading.state).write_volatile(state) }
}

// What is known of a segment that is read, a bit each.
/// Nothing is kept of it: all of it was read before.
const OLD: u32 = 1;
/// It has the first byte of its stream, and others went through before it.
const OVERTAKEN: u32 = 2;

/// Finds where reading begins, and in which state. True if bytes are left out before the segment.
#[inline(always)]
fn begin(frame: &Frame, packet: &Packet, own: *mut Processor) -> Option<bool> {
    let payload = packet.payload();
    let length = frame.length().min(packet.end()) as i64 - payload as i64;
    let key = packet.flow(frame)?;
    let flow = FLOWS.get(key.slot)?;
    // SAFETY: this processor's own.
    let read = unsafe { &raw mut (*case(own)).reading };
    set_words(read, [0; WORDS]);
    let mut at = payload as u64;
    let mut orders = 0;
    if flow.since != 0 && flow.tag == key.tag && !packet.is_syn() {
        let reaches_back = flow.start.wrapping_sub(packet.sequence()) as i32;
        if reaches_back >= 0 && i64::from(reaches_back) < length {
            at += reaches_back as u64;
            let unseen = flow.flags & (flow_flags::OVERTAKEN | flow_flags::SHOWN);
            if unseen == flow_flags::OVERTAKEN {
                orders |= OVERTAKEN;
            }
        }
        if flow.flags & flow_flags::READ != 0 {
            let reading = READINGS.get(key.slot)?;
            let offset = packet.sequence().wrapping_sub(reading.next) as i32;
            let since = Flow::since(now_ns(own)) as u16;
            if offset > 0 {
                if since.wrapping_sub(reading.since) <= Reading::PATIENCE {
                    return Some(true);
                }
            } else if -i64::from(offset) < length {
                at = payload as u64 + (-i64::from(offset)) as u64;
                set_words(read, words(reading));
            } else {
                orders |= OLD;
            }
        }
    }
    Case::set_at(case(own), at as u32);
    Case::set_orders(case(own), orders);
    Some(false)
}

/// Counts a frame that was to be read and cannot be; whether it is dropped.
#[inline(always)]
pub(crate) fn is_unread_dropped(frame: &Frame) -> bool {
    const REASON: usize = Reason::Unread as usize;
    let (Some(rules), Some(own)) = (RULES.get(0), PROCESSOR.get_ptr_mut(0)) else {
        return true;
    };
    // Kernels from 6.13 on take a tail call for one that may change the frame.
    let frame = &frame.afresh();
    if let Some(mut subject) = Subject::again(frame, rules, now_ns(own), own) {
        subject.count(frame, REASON);
    }
    is_carried_out(rules, REASON)
}

/// Judges a segment by what was read of it.
#[inline(always)]
fn settle(frame: &Frame, packet: &Packet, sign: Sign, own: *mut Processor) -> Option<Step> {
    let sign = forget(cell(own), sign as u64, 3);
    let frame = &frame.afresh();
    let rules = RULES.get(0)?;
    let now_ns = now_ns(own);
    let mut subject = Subject::again(frame, rules, now_ns, own)?;
    let orders = Case::orders(case(own));
    let is_open = sign == Sign::Open as u64 && is_within(own);
    let is_held = sign == Sign::Gap as u64
        || is_open && orders & OLD == 0 && (orders & OVERTAKEN != 0 || packet.goes_on());
    let reason = if sign == Sign::Mqtt as u64 || is_held {
        if subject.policy.flags & policy_flags::QUARANTINED != 0 {
            Reason::Quarantined
        } else if is_local(frame, packet) {
            Reason::PlaintextLocal
        } else if rules.flags & rule_flags::EXCEPTIONS != 0
            && is_excepted(frame, packet, subject.mac, cell(own))
        {
            Reason::Excepted
        } else if is_held {
            Reason::PlaintextSplit
        } else {
            Reason::PlaintextWebSocket
        }
    } else {
        Reason::Pass
    };
    let reason = forget(cell(own), reason as u64, REASON_MASK);
    if reason == Reason::Pass as u64 {
        Mqtt(Case::known(case(own))).remember(frame, packet, now_ns);
        if orders & OLD == 0 {
            keep(frame, packet, is_open, now_ns, own);
        }
    } else if reason == Reason::Excepted as u64 || !is_carried_out(rules, reason as usize) {
        // What is not held back is not followed either.
        keep(frame, packet, false, now_ns, own);
    }
    let reason = or_mismatch(reason, Mismatch(Case::known(case(own))).reason());
    let reason = forget(cell(own), reason, REASON_MASK) as usize;
    Some(conclude(
        frame,
        packet,
        &mut subject,
        reason,
        rules,
        now_ns,
        own,
    ))
}

/// Whether a request or a message has begun, so that what comes next cannot be understood without
/// what was read.
#[inline(always)]
fn is_within(own: *mut Processor) -> bool {
    let state = reading_state(own);
    // SAFETY: this processor's own.
    let name = unsafe { (&raw const (*case(own)).reading.name).read_volatile() };
    state != START && (state != FIRST || name != connect::START)
}

/// Keeps how far a stream was read that goes through, or that it is not read on.
#[inline(always)]
fn keep(frame: &Frame, packet: &Packet, is_open: bool, now_ns: u64, own: *mut Processor) {
    let Some(FlowKey { slot, tag }) = packet.flow(frame) else {
        return;
    };
    let (Some(flow), Some(reading)) = (FLOWS.get_ptr_mut(slot), READINGS.get_ptr_mut(slot)) else {
        return;
    };
    // SAFETY: rows of arrays stay where they are; as for what is remembered of streams.
    let flow = unsafe { &mut *flow };
    if flow.since == 0 || flow.tag != tag {
        return;
    }
    if !is_open {
        flow.flags &= !flow_flags::READ;
        return;
    }
    let length = frame
        .length()
        .min(packet.end())
        .wrapping_sub(packet.payload());
    // SAFETY: this processor's own.
    unsafe {
        let read = &raw mut (*case(own)).reading;
        (*read).next = packet.sequence().wrapping_add(length as u32);
        (*read).since = Flow::since(now_ns) as u16;
        set_words(reading, words(read));
    }
    flow.flags |= flow_flags::READ;
}

/// A reading is moved by words: as a whole, that would become a call of `memmove`, and some JIT
/// compilers know no calls between functions.
const WORDS: usize = size_of::<Reading>() / size_of::<u32>();

#[inline(always)]
fn words(reading: *const Reading) -> [u32; WORDS] {
    let word = reading.cast::<u32>();
    // SAFETY: as many words, each aligned, of a row of a map.
    unsafe {
        [
            word.read_volatile(),
            word.add(1).read_volatile(),
            word.add(2).read_volatile(),
            word.add(3).read_volatile(),
        ]
    }
}

#[inline(always)]
fn set_words(reading: *mut Reading, words: [u32; WORDS]) {
    let to = reading.cast::<u32>();
    for (index, word) in words.into_iter().enumerate() {
        // SAFETY: likewise.
        unsafe { to.add(index).write_volatile(word) };
    }
}
