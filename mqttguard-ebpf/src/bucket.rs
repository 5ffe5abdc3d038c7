//! Charging buckets that processors share.

use core::arch::asm;

use mqttguard_common::{Bucket, Charge, Level};

/// Whether the JIT compiler has atomic instructions; written by the loader. The verifier knows
/// the value, and hands the branch that is not taken to no JIT compiler.
#[unsafe(no_mangle)]
static ATOMICS: u8 = 0;

/// Charges `units`, or returns false and leaves the level as it is because the bucket is full.
///
/// Processors that meet here may each see the last room there is, and overdraw by one frame each;
/// the charge is not lost, so the rate holds. Without atomic instructions it may be lost: then the
/// worst case is a limit times the number of processors that a device's frames come in on.
#[inline(always)]
pub(crate) fn admit(bucket: &Bucket, level: &mut Level, now_ns: u64, units: u32) -> bool {
    match bucket.charge(*level, now_ns, units) {
        Charge::Nothing => {}
        Charge::Set(value) => level.0 = value,
        Charge::Full => return false,
        // SAFETY: an initialized byte, which the loader may have changed.
        Charge::Add(cost) if unsafe { (&raw const ATOMICS).read_volatile() } == 0 => {
            level.0 = level.0.wrapping_add(cost);
        }
        // SAFETY: adds to a word that is there and aligned.
        Charge::Add(cost) => unsafe {
            asm!("lock *(u64 *)({} + 0) += {}", in(reg) &raw mut level.0, in(reg) cost);
        },
    }
    true
}
