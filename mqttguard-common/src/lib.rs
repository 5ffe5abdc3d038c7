//! What the kernel program and the daemon share: map keys and values, event records and
//! the reasons of a verdict. Nothing else lives here.
//!
//! Every type that crosses the boundary is `#[repr(C)]`, without implicit padding, and valid
//! for every bit pattern, so that both sides may read it from raw bytes.
#![no_std]

mod bucket;
mod device;
mod event;
mod flow;
mod mac;
mod places;
mod reason;
mod rules;
mod station;

pub use bucket::{Bucket, Charge, Level};
pub use device::{Counters, Levels, MacKey, Policy, Stranger, Told, policy_flags};
pub use event::{EventRecord, event_flags};
pub use flow::{Flow, FlowKey, Reading, flow_flags};
pub use mac::{Mac, ParseMacError};
pub use places::Places;
pub use reason::{Reason, UnknownReason};
pub use rules::{ExceptionRule, Exceptions, PortWord, Rules, V4_PREFIX, address_key, rule_flags};
pub use station::Station;

/// Counts up whenever a type of this crate that lies in a map, or a map's size, changes. Maps
/// are pinned under this number, since the kernel would hand a map of the old shape to a new
/// program without complaint.
pub const LAYOUT_VERSION: u32 = 5;

/// The most devices the daemon can name to the kernel program.
pub const MAX_DEVICES: u32 = 1024;

/// The most MAC addresses the kernel program remembers that the daemon has not named. The least
/// recently seen one makes room.
pub const MAX_STRANGERS: u32 = 1024;

/// New strangers that get an entry of their own, by interface and second. The others share one,
/// and with it the limits of one stranger. An access point that comes up brings some dozens.
pub const NEWCOMERS_PER_S: u64 = 100;

/// Entries that strangers without their own share: an interface has the one at its index modulo
/// this.
pub const SHARED: u32 = 16;

/// The most addresses of the router itself.
pub const MAX_LOCAL: u32 = 256;

/// The most addresses, interfaces and VLANs by which the router takes frames in.
pub const MAX_STATIONS: u32 = 1024;

/// The most destination prefixes with exceptions.
pub const MAX_PREFIXES: u32 = 256;

/// The most exceptions that apply to one destination.
pub const MAX_EXCEPTIONS: usize = 16;

/// Bytes of the event ring buffer: a power of two and a multiple of every page size in use.
pub const EVENT_BYTES: u32 = 64 * 1024;

/// Length of the array of frame counters by interface: an interface counts at its index modulo
/// this.
pub const FRAME_SLOTS: u32 = 1024;

/// The least time between two events of one device for one reason, in nanoseconds.
pub const EVENT_GAP_NS: u64 = 1_000_000_000;

/// Length of a row that has a place for each [`Reason`]. Every row of every device pays for a place
/// to spare.
pub const REASON_SLOTS: usize = Reason::COUNT;

#[cfg(feature = "user")]
mod user {
    use super::*;

    macro_rules! plain {
        ($($type:ty),* $(,)?) => {$(
            // SAFETY: `#[repr(C)]`, no padding (asserted beside the type), any bits are valid.
            unsafe impl aya::Pod for $type {}
        )*};
    }

    plain!(
        Counters, Exceptions, Flow, Level, Levels, MacKey, Places, Policy, PortWord, Reading,
        Rules, Station, Stranger, Told
    );
}
