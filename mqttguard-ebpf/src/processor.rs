use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_ns};

use crate::case::Case;
use crate::cell::Cell;
use crate::frame::Segment;
use crate::reject::Reset;

/// What each processor keeps for itself. Programs do not interrupt each other, so while one
/// runs nobody else touches it.
#[repr(C)]
pub(crate) struct Processor {
    cell: Cell,
    /// The tick in which the clock was last read.
    tick: u64,
    /// What it said.
    now_ns: u64,
    /// What the programs that share a frame know of it.
    case: Case,
    /// What is sent back in place of the frame.
    reset: Reset,
    /// A copy of what the program cannot read in place.
    segment: Segment,
}

/// A part of it.
macro_rules! part {
    ($name:ident, $type:ty) => {
        #[inline(always)]
        pub(crate) fn $name(own: *mut Processor) -> *mut $type {
            // SAFETY: within the row.
            unsafe { &raw mut (*own).$name }
        }
    };
}

part!(cell, Cell);
part!(case, Case);
part!(reset, Reset);
part!(segment, Segment);

/// Nanoseconds of the monotonic clock at the first frame of the current tick, of which there
/// are 100 to 1000 a second. Reading the clock for every frame would cost as much as finding
/// the device; the number of the tick is a word of memory, which 64-bit JIT compilers read
/// without a call.
#[inline(always)]
pub(crate) fn now_ns(own: *mut Processor) -> u64 {
    // SAFETY: helpers without arguments; this processor's own.
    unsafe {
        let tick = bpf_jiffies64();
        if (*own).tick != tick {
            (*own).tick = tick;
            (*own).now_ns = bpf_ktime_get_ns();
        }
        (*own).now_ns
    }
}
