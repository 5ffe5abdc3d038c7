//! The times that a journal has, so that another run, or another boot, can tell them apart.

use crate::Time;

/// The two clocks at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    /// The core's clock.
    pub now: Time,
    /// The wall clock, in milliseconds since the Unix epoch.
    pub wall_ms: u64,
}

/// What the core's clock ran by when a segment was begun.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Boot {
    /// Names the boot of the machine.
    pub id: [u8; 16],
    /// What the caller adds to the machine's clock to make the core's [`Time`], in milliseconds.
    pub offset_ms: i64,
}
