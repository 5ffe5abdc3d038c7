/// What is remembered of one TCP stream: where it starts, and whether its first bytes were seen
/// to be harmless. Made when it is opened; the next stream that falls to the same slot takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Flow {
    /// Tells streams apart that share a slot: [`FlowKey::tag`].
    pub tag: u32,
    /// Sequence number of the first byte, in host order.
    pub start: u32,
    /// When it was opened, in units of [`Flow::TICK_BITS`], never 0. 0: the slot was never used.
    pub since: u32,
    /// [`flow_flags`].
    pub flags: u32,
}

/// Bits of [`Flow::flags`].
pub mod flow_flags {
    /// The first byte went through in a segment that showed the stream not to be MQTT.
    pub const SHOWN: u32 = 1;
    /// `start` is what the device opened the stream with. Without it, that may have been
    /// forgotten, and a later opening made up to move the start.
    pub const SURE: u32 = 2;
    /// A [`Reading`](super::Reading) goes on where the next segment does.
    pub const READ: u32 = 4;
    /// Bytes behind the head of a CONNECT went through before the first byte did.
    pub const OVERTAKEN: u32 = 8;
}

impl Flow {
    /// Slots for streams; a power of two. All take 128 KiB.
    pub const SLOTS: u32 = 8192;

    /// Nanoseconds in a unit of [`Flow::since`], as a power of two: about a second.
    pub const TICK_BITS: u32 = 30;

    /// Units after which a slot counts as long unused: about five minutes. No broker waits that
    /// long for the CONNECT of an open connection.
    pub const STALE: u32 = 280;

    /// [`Flow::since`] of a stream that is opened now.
    #[inline(always)]
    pub const fn since(now_ns: u64) -> u32 {
        (now_ns >> Self::TICK_BITS) as u32 | 1 << 31
    }
}

/// Where a TCP stream's [`Flow`] is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlowKey {
    /// The index of its slot.
    pub slot: u32,
    /// Which of the streams there.
    pub tag: u32,
}

impl FlowKey {
    /// The key of the stream between these ends. Of an address the last four bytes count, which
    /// are all of an IPv4 address and what differs between hosts in IPv6; `ports` are source and
    /// destination port, in host order, in the upper and lower half.
    #[inline(always)]
    pub const fn new(source: u32, destination: u32, ports: u32) -> Self {
        // Multipliers of xxHash; every bit of the input reaches both words of the result.
        let addresses = (source as u64) << 32 | destination as u64;
        let mixed = addresses.wrapping_mul(0x9e37_79b1_85eb_ca87);
        let mixed = (mixed ^ mixed >> 32 ^ ports as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
        let mixed = mixed ^ mixed >> 29;
        FlowKey {
            slot: mixed as u32 & (Flow::SLOTS - 1),
            tag: (mixed >> 32) as u32,
        }
    }
}

/// How far a request for a WebSocket, or the first message in one, was read that comes in several
/// segments. It stands at the slot of its stream's [`Flow`], and means something while that has
/// [`flow_flags::READ`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Reading {
    /// Sequence number of the first byte that was not read, in host order.
    pub next: u32,
    /// The mask of the frame, turned so that its next byte is the uppermost.
    pub mask: u32,
    /// When it was read so far, in units of [`Flow::TICK_BITS`], the lower half.
    pub since: u16,
    /// What is to come next, a number that the kernel program alone knows.
    pub state: u8,
    /// How much of a CONNECT was read, likewise.
    pub name: u8,
    /// Bytes to come of the frame's payload; [`u8::MAX`]: as many or more.
    pub left: u8,
    /// Bytes to come of the frame's length or mask.
    pub count: u8,
    /// The byte of the payload that was looked at last, without its mask.
    pub byte: u8,
    /// Zero.
    pub reserved: u8,
}

impl Reading {
    /// Units of [`Flow::TICK_BITS`] for which bytes that were left out are waited for: about a
    /// minute, as long as web servers wait for a request.
    pub const PATIENCE: u16 = 56;
}

const _: () = {
    assert!(size_of::<Flow>() == 16 && Flow::SLOTS.is_power_of_two());
    assert!(size_of::<Reading>() == 16);
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_spread_over_the_slots() {
        let mut used = [0u16; Flow::SLOTS as usize];
        for device in 0..64u32 {
            for port in 0..256 {
                let key = FlowKey::new(
                    0xc0a8_0100 + device,
                    0xc000_020a,
                    (40_000 + port) << 16 | 443,
                );
                used[key.slot as usize] += 1;
            }
        }
        let most = used.iter().max().unwrap();
        assert!(*most <= 14, "{most} of 16384 streams in one of 8192 slots");
        let empty = used.iter().filter(|&&count| count == 0).count();
        // 8192 / e^2 if they fell at random.
        assert!((900..1400).contains(&empty), "{empty} slots empty");
    }
}
