//! What the kernel program and the daemon share: map keys and values, event records and
//! the reasons of a verdict. Nothing else lives here.
//!
//! Every type that crosses the boundary is `#[repr(C)]`, without implicit padding, and valid
//! for every bit pattern, so that both sides may read it from raw bytes.
#![no_std]

mod mac;
mod reason;

pub use mac::{Mac, ParseMacError};
pub use reason::{Reason, UnknownReason};

/// Devices that the daemon can name at most, and the kernel has a policy for.
pub const MAX_DEVICES: u32 = 1024;
