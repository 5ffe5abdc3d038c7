//! Reasons by their number: the sets that a verdict depends on.

use mqttguard_common::{Reason, Rules, rule_flags};

/// As many bits as the number of a reason takes.
pub(crate) const REASON_MASK: u64 = Reason::COUNT.next_power_of_two() as u64 - 1;

/// The reasons to drop, a bit each.
pub(crate) const DROPS: u64 = {
    let mut bits = 0;
    let mut index = 0;
    while index < Reason::COUNT {
        if Reason::ALL[index].is_drop() {
            bits |= 1 << index;
        }
        index += 1;
    }
    bits
};

/// Those to drop if the rules drop what does not fit a device's bindings.
const MISMATCHES: u64 = 1 << Reason::InterfaceMismatch as u32 | 1 << Reason::AddressMismatch as u32;

/// Those to answer, if the rules do: plaintext MQTT of a device that may use the network. Not the
/// pieces of a stream's first bytes, which an honest sender repeats with more of them.
pub(crate) const REJECTED: u64 = 1 << Reason::PlaintextPort as u32
    | 1 << Reason::PlaintextConnect as u32
    | 1 << Reason::PlaintextLocal as u32
    | 1 << Reason::PlaintextWebSocket as u32;

/// Whether a reason to drop is one under these rules.
#[inline(always)]
pub(crate) fn is_carried_out(rules: &Rules, reason: usize) -> bool {
    let mut needed = rule_flags::ENFORCE;
    if MISMATCHES & 1 << reason != 0 {
        needed |= rule_flags::DROP_MISMATCH;
    }
    rules.flags & needed == needed
}

/// The number of a reason, or of the mismatch that is told instead of one that lets a frame pass.
#[inline(always)]
pub(crate) fn or_mismatch(reason: u64, mismatch: Option<Reason>) -> u64 {
    match mismatch {
        Some(mismatch) if DROPS & 1 << reason == 0 => mismatch as u64,
        _ => reason,
    }
}
