use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_ns};

use crate::case::Case;
use crate::frame::ROOM;
use crate::reject::Reset;

/// What each processor keeps for itself. Programs do not interrupt each other, so while one
/// runs nobody else touches it.
#[repr(C)]
pub(crate) struct Processor {
    /// A word to put something into and take it out again.
    cell: u64,
    /// The tick in which the clock was last read.
    tick: u64,
    /// What it said.
    now_ns: u64,
    /// What the programs that share a frame know of it.
    pub(crate) case: Case,
    /// What is sent back in place of the frame.
    pub(crate) reset: Reset,
    /// Room for the bytes of a segment that the program cannot reach where they are.
    pub(crate) segment: [u8; ROOM],
}

/// Makes the verifier forget what it knows about a value, apart from the mask. It follows every
/// path on which it knows something different to its end, and there are more of them through
/// the headers of a packet times those through the rules than it has patience for. What comes
/// out of a map is unknown to it.
#[inline(always)]
pub(crate) fn forget(own: *mut Processor, value: u64, mask: u64) -> u64 {
    put(own, value);
    take(own) & mask
}

/// The first half of [`forget`]: what is decided between both leaves no trace, unless it is
/// [`add`]ed.
#[inline(always)]
pub(crate) fn put(own: *mut Processor, value: u64) {
    // SAFETY: this processor's own, and aligned, as map values are.
    unsafe { (&raw mut (*own).cell).write_volatile(value) }
}

/// Sets more bits of what was [`put`].
#[inline(always)]
pub(crate) fn add(own: *mut Processor, bits: u64) {
    put(own, take(own) | bits);
}

/// The second half of [`forget`].
#[inline(always)]
pub(crate) fn take(own: *mut Processor) -> u64 {
    // SAFETY: as in `put`.
    unsafe { (&raw const (*own).cell).read_volatile() }
}

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
