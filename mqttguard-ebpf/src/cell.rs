//! What the verifier is not to know.

use core::arch::asm;

/// A word to put something into and take it out again.
#[repr(transparent)]
pub(crate) struct Cell(u64);

/// Makes the verifier forget what it knows about a value, apart from the mask. It follows every
/// path on which it knows something different to its end, and there are more of them through
/// the headers of a packet times those through the rules than it has patience for. What comes
/// out of a map is unknown to it.
#[inline(always)]
pub(crate) fn forget(cell: *mut Cell, value: u64, mask: u64) -> u64 {
    put(cell, value);
    take(cell) & mask
}

/// The first half of [`forget`]: what is decided between both leaves no trace, unless it is
/// [`add`]ed.
#[inline(always)]
pub(crate) fn put(cell: *mut Cell, value: u64) {
    // SAFETY: this processor's own, and aligned, as map values are.
    unsafe { (&raw mut (*cell).0).write_volatile(value) }
}

/// Sets more bits of what was [`put`].
#[inline(always)]
pub(crate) fn add(cell: *mut Cell, bits: u64) {
    put(cell, take(cell) | bits);
}

/// The second half of [`forget`].
#[inline(always)]
pub(crate) fn take(cell: *mut Cell) -> u64 {
    // SAFETY: as in `put`.
    unsafe { (&raw const (*cell).0).read_volatile() }
}

/// The same value, of which the compiler knows nothing: it turns "not beyond the end" into
/// "before the end" for a single byte, which old verifiers do not take for an answer.
#[inline(always)]
pub(crate) fn opaque(mut value: u64) -> u64 {
    // SAFETY: a comment.
    unsafe { asm!("/* {} */", inout(reg) value, options(pure, nomem, nostack)) };
    value
}
