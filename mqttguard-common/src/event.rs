use crate::{Mac, Reason, UnknownReason};

/// One record of the ring buffer: the kernel program decided against a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct EventRecord {
    /// Frames of this device and reason since the last record, this one included.
    pub count: u64,
    /// Source address in network order, IPv4 mapped into IPv6.
    pub source: [u8; 16],
    /// Destination address likewise.
    pub destination: [u8; 16],
    /// Index of the interface it came in on.
    pub ifindex: u32,
    /// The source MAC.
    pub mac: Mac,
    /// TCP or UDP destination port, in host order; 0 if the frame shows none.
    pub port: u16,
    /// The number of the [`Reason`].
    pub reason: u8,
    /// [`event_flags`].
    pub flags: u8,
    /// Zero.
    pub reserved: [u8; 2],
}

/// Bits of [`EventRecord::flags`].
pub mod event_flags {
    /// The frame was dropped; without it, it would have been, or a mismatch is only told.
    pub const DROPPED: u8 = 1;
    /// And the device was sent a TCP reset.
    pub const REJECTED: u8 = 2;
}

impl EventRecord {
    /// Length in bytes.
    pub const SIZE: usize = size_of::<Self>();

    /// Reads a record as the ring buffer holds it; None if it is too short.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let (count, rest) = bytes.split_first_chunk::<8>()?;
        let (source, rest) = rest.split_first_chunk::<16>()?;
        let (destination, rest) = rest.split_first_chunk::<16>()?;
        let (ifindex, rest) = rest.split_first_chunk::<4>()?;
        let (mac, rest) = rest.split_first_chunk::<6>()?;
        let (port, rest) = rest.split_first_chunk::<2>()?;
        let (&[reason, flags, a, b], _) = rest.split_first_chunk::<4>()?;
        Some(EventRecord {
            count: u64::from_ne_bytes(*count),
            source: *source,
            destination: *destination,
            ifindex: u32::from_ne_bytes(*ifindex),
            mac: Mac(*mac),
            port: u16::from_ne_bytes(*port),
            reason,
            flags,
            reserved: [a, b],
        })
    }

    /// The reason.
    ///
    /// # Errors
    ///
    /// A number that this version does not know.
    pub fn reason(&self) -> Result<Reason, UnknownReason> {
        Reason::try_from(self.reason)
    }
}

const _: () = assert!(EventRecord::SIZE == 56);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_lies_in_memory() {
        let mut bytes = [0u8; EventRecord::SIZE];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = index as u8;
        }
        let record = EventRecord::from_bytes(&bytes).unwrap();
        // SAFETY: every bit pattern is a valid record of that size.
        let same: EventRecord = unsafe { core::ptr::read_unaligned(bytes.as_ptr().cast()) };
        assert_eq!(record, same);
        assert_eq!(EventRecord::from_bytes(&bytes[1..]), None);
    }
}
