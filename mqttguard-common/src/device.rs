use crate::{Bucket, Level, Mac, REASON_SLOTS};

/// A device, as key of a map: its MAC, widened to a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C, align(8))]
pub struct MacKey {
    /// The source MAC.
    pub mac: Mac,
    zero: [u8; 2],
}

impl MacKey {
    /// The key of this MAC.
    #[inline(always)]
    pub const fn new(mac: Mac) -> Self {
        MacKey { mac, zero: [0; 2] }
    }
}

/// What one device may do. Known devices have one each, strangers share one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Policy {
    /// [`policy_flags`].
    pub flags: u64,
    /// Index of the interface it is bound to; 0: to none.
    pub interface: u32,
    /// The IPv4 address it is bound to, in network order; all zero: to none.
    pub address: [u8; 4],
    /// Packets a second.
    pub packets: Bucket,
    /// Bytes a second, from the Ethernet header on.
    pub bytes: Bucket,
    /// New TCP connections a second.
    pub connections: Bucket,
    /// UDP packets a second.
    pub udp: Bucket,
    /// Frames a second to more than one host: broadcast and multicast, whatever is in them.
    pub broadcasts: Bucket,
}

/// Bits of [`Policy::flags`].
pub mod policy_flags {
    /// Nothing of it passes but DHCP.
    pub const BLOCKED: u64 = 1;
    /// No MQTT of it passes.
    pub const QUARANTINED: u64 = 2;
    /// It may use the router's plaintext listener.
    pub const PLAINTEXT: u64 = 4;
    /// Its plaintext MQTT to the listed ports beyond the router is taken over by the router.
    pub const UPLIFT: u64 = 8;
}

/// The levels of a device's buckets, apart from the [`Policy`] so that new limits leave them
/// as they are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Levels {
    /// Of [`Policy::packets`].
    pub packets: Level,
    /// Of [`Policy::bytes`].
    pub bytes: Level,
    /// Of [`Policy::connections`].
    pub connections: Level,
    /// Of [`Policy::udp`].
    pub udp: Level,
    /// Of [`Policy::broadcasts`].
    pub broadcasts: Level,
}

/// What was counted of one device, by [`crate::Reason`] as index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Counters {
    /// Frames. A merged super-frame counts as the segments it came in, where the hook can tell.
    pub frames: [u64; REASON_SLOTS],
    /// Bytes, from the Ethernet header on.
    pub bytes: [u64; REASON_SLOTS],
}

/// When the daemon was last told of a device, by [`crate::Reason`] as index.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Told {
    /// Nanoseconds of the monotonic clock; 0: never.
    pub at_ns: [u64; REASON_SLOTS],
    /// Frames since.
    pub frames: [u64; REASON_SLOTS],
}

/// All about a device that the daemon has not named. Lives in a map of its own, so that a host
/// which makes up addresses can only push out other such addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Stranger {
    /// Its bucket levels.
    pub levels: Levels,
    /// Its counters, shared by all processors: an increment may get lost when two meet.
    pub counters: Counters,
    /// When it was told of.
    pub told: Told,
}

const _: () = {
    assert!(size_of::<MacKey>() == 8);
    assert!(size_of::<Policy>() == 16 + 5 * 16);
    assert!(size_of::<Levels>() == 5 * 8);
    assert!(size_of::<Counters>() == 2 * 8 * REASON_SLOTS);
    assert!(size_of::<Told>() == 2 * 8 * REASON_SLOTS);
    assert!(size_of::<Stranger>() == 5 * 8 + 4 * 8 * REASON_SLOTS);
};
