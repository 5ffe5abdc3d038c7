use mqttguard_common::Reading;

use crate::packet::Packet;

/// What a program leaves for the next one that it hands a frame to: a tail call takes nothing along
/// but the frame. Each is loaded, and so verified, on its own, and what seldom happens costs the
/// verifier nothing where frames pass.
#[repr(C)]
pub(crate) struct Case {
    packet: Packet,
    /// What is known of it, a bit each: see [`Mqtt`](crate::finding::Mqtt) and
    /// [`Mismatch`](crate::binding::Mismatch).
    known: u64,
    /// The device's row plus one; 0: a stranger.
    row: u32,
    /// The number of the reason.
    reason: u32,
    /// What is to be done about it, a bit each.
    orders: u32,
    /// Where in the frame reading goes on; 0: it has not begun.
    at: u32,
    /// How far the stream was read.
    pub(crate) reading: Reading,
}

/// A word of the case; volatile, so that what the verifier knows about it ends there.
macro_rules! field {
    ($get:ident, $set:ident, $field:ident, $type:ty) => {
        #[inline(always)]
        pub(crate) fn $get(case: *mut Case) -> $type {
            // SAFETY: this processor's own, and aligned, as map values are.
            unsafe { (&raw const (*case).$field).read_volatile() }
        }

        #[inline(always)]
        pub(crate) fn $set(case: *mut Case, value: $type) {
            // SAFETY: likewise.
            unsafe { (&raw mut (*case).$field).write_volatile(value) }
        }
    };
}

impl Case {
    /// The reason is to be told of.
    pub(crate) const DUE: u32 = 1;
    /// The frame is dropped.
    pub(crate) const DROPS: u32 = 2;
    /// And answered.
    pub(crate) const ANSWERS: u32 = 4;

    field!(packet, set_packet, packet, Packet);
    field!(known, set_known, known, u64);
    field!(row, set_row, row, u32);
    field!(reason, set_reason, reason, u32);
    field!(orders, set_orders, orders, u32);
    field!(at, set_at, at, u32);
}
