use mqttguard_common::event_flags;

use crate::case::Case;
use crate::frame::Frame;
use crate::maps::{PROCESSOR, RULES};
use crate::processor::{case, cell, now_ns, reset};
use crate::reject::Reset;
use crate::subject::Subject;

/// What becomes of a frame of which was told.
pub(crate) enum Told<'a> {
    Pass,
    Drop,
    /// Dropped, with this sent back in its place.
    Answer(&'a Reset),
}

/// Tells the daemon of a frame's reason, and makes the answer to it, as the program before this one
/// has ordered.
#[inline(always)]
pub(crate) fn tell<'a>(frame: &Frame) -> Told<'a> {
    match try_tell(frame) {
        Some(told) => told,
        None => Told::Drop,
    }
}

#[inline(always)]
fn try_tell<'a>(frame: &Frame) -> Option<Told<'a>> {
    let rules = RULES.get(0)?;
    let own = PROCESSOR.get_ptr_mut(0)?;
    let frame = &frame.forgotten(cell(own));
    let packet = &Case::packet(case(own));
    let orders = Case::orders(case(own));
    let reset = if orders & Case::ANSWERS != 0 {
        Reset::answer(frame, packet, reset(own), cell(own))
    } else {
        None
    };
    let mut flags = if orders & Case::DROPS != 0 {
        event_flags::DROPPED
    } else {
        0
    };
    if reset.is_some() {
        flags |= event_flags::REJECTED;
    }
    if orders & Case::DUE != 0 {
        let now_ns = now_ns(own);
        if let Some(mut subject) = Subject::again(frame, rules, now_ns, own) {
            subject.tell(frame, packet, own, now_ns, flags);
        }
    }
    Some(match reset {
        Some(reset) => Told::Answer(reset),
        None if orders & Case::DROPS != 0 => Told::Drop,
        None => Told::Pass,
    })
}
