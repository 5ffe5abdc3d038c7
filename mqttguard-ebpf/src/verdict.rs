use mqttguard_common::{Rules, rule_flags};

use crate::case::Case;
use crate::frame::Frame;
use crate::packet::Packet;
use crate::processor::{Processor, case};
use crate::reason::{DROPS, REJECTED, is_carried_out};
use crate::step::Step;
use crate::subject::Subject;

/// Counts a frame under its reason, by its number, and says what becomes of it.
#[inline(always)]
pub(crate) fn conclude(
    frame: &Frame,
    packet: &Packet,
    subject: &mut Subject<'_>,
    reason: usize,
    rules: &Rules,
    now_ns: u64,
    own: *mut Processor,
) -> Step {
    subject.count(frame, reason);
    if DROPS & 1 << reason == 0 {
        return Step::Pass;
    }
    let drops = is_carried_out(rules, reason);
    let mut orders = if drops { Case::DROPS } else { 0 };
    if drops && rules.flags & rule_flags::REJECT != 0 && REJECTED & 1 << reason != 0 {
        orders |= Case::ANSWERS;
    }
    if subject.is_due(frame, reason, now_ns) {
        orders |= Case::DUE;
    }
    if orders & (Case::ANSWERS | Case::DUE) == 0 {
        return if drops { Step::Drop } else { Step::Pass };
    }
    Case::set_packet(case(own), *packet);
    Case::set_row(case(own), subject.row());
    Case::set_reason(case(own), reason as u32);
    Case::set_orders(case(own), orders);
    Step::Tell(drops)
}
