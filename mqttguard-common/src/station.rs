use crate::Mac;

/// How a frame is addressed that the router takes in itself, to route it, and does not pass on to
/// another port of a bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(C)]
pub struct Station {
    /// Index of the interface where it comes in; 0 where the driver does not tell.
    pub ifindex: u32,
    /// The IEEE 802.1Q VLAN of its only tag; 0: it has none.
    pub vlan: u16,
    /// The destination MAC.
    pub mac: Mac,
}

const _: () = assert!(size_of::<Station>() == 12);
