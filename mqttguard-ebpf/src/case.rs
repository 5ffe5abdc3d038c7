use aya_ebpf::programs::{TcContext, XdpContext};
use mqttguard_common::Reading;

use crate::maps::{TC_CALLS, XDP_CALLS};
use crate::packet::Packet;
use crate::processor::Processor;

/// What a program leaves for the next one that it hands a frame to: a tail call takes nothing along
/// but the frame. Each is loaded, and so verified, on its own, and what seldom happens costs the
/// verifier nothing where frames pass.
#[repr(C)]
pub(crate) struct Case {
    packet: Packet,
    /// What is known of it, a bit each: see [`Mqtt`](crate::decide) and
    /// [`Mismatch`](crate::binding).
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

/// The other programs, by their index in the arrays of a hook.
#[derive(Clone, Copy)]
pub(crate) enum Program {
    /// [`stream::read_request`](crate::stream::read_request).
    Request = 0,
    /// [`stream::read_frames`](crate::stream::read_frames).
    Frames = 1,
    /// [`tell::tell`](crate::tell::tell).
    Tell = 2,
}

impl Program {
    /// Room in an array of them.
    pub(crate) const COUNT: u32 = 3;

    /// Goes on there. It returns only if that fails: the array has lost its programs, which a
    /// program sees that was replaced a moment ago, or there were too many calls.
    #[inline(always)]
    pub(crate) fn call_xdp(self, context: &XdpContext) {
        // SAFETY: nothing is left behind that would have to be dropped.
        unsafe { XDP_CALLS.tail_call(context, self as u32) };
    }

    /// Likewise for a socket buffer.
    #[inline(always)]
    pub(crate) fn call_tc(self, context: &TcContext) {
        // SAFETY: as above.
        unsafe { TC_CALLS.tail_call(context, self as u32) };
    }
}

/// What a program has come to.
#[derive(Clone, Copy)]
pub(crate) enum Step {
    Pass,
    Drop,
    /// The packet is to be read on by this program. If that fails, it is [`Step::Unread`].
    Read(Program),
    /// It cannot be read, which is a reason to drop it: an honest sender repeats it.
    Unread,
    /// There is something to tell, or to answer. The verdict if that fails: whether it is dropped.
    Tell(bool),
}

/// A word of the case; volatile, so that what the verifier knows about it ends there.
macro_rules! field {
    ($get:ident, $set:ident, $field:ident, $type:ty) => {
        #[inline(always)]
        pub(crate) fn $get(own: *mut Processor) -> $type {
            // SAFETY: this processor's own, and aligned, as map values are.
            unsafe { (&raw const (*own).case.$field).read_volatile() }
        }

        #[inline(always)]
        pub(crate) fn $set(own: *mut Processor, value: $type) {
            // SAFETY: likewise.
            unsafe { (&raw mut (*own).case.$field).write_volatile(value) }
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
