use core::mem::align_of;

use aya_ebpf::bindings::{__sk_buff, xdp_md};
use aya_ebpf::helpers::generated::bpf_skb_load_bytes;
use aya_ebpf::programs::{TcContext, XdpContext};

use crate::cell::{Cell, forget, opaque};
use crate::header::{ETH_VLAN, Ethernet, Tag};

/// Bytes of a frame that must lie in the linear part of a socket buffer to be judged: more
/// than two VLAN tags, an IPv6 header with extensions, TCP with options and the first bytes of
/// a CONNECT take.
/// A longer chain is taken for one that is made to hide what follows.
const LINEAR: u32 = 256;

/// The most that one packet of an ordinary link takes, with two VLAN tags. XDP in generic mode
/// sees merged packets without being told so; longer ones are taken for several.
const FULL_FRAME: u32 = 1522;

/// Where the network header starts in a frame without tags.
const UNTAGGED: usize = size_of::<Ethernet>();
/// The identifier of a VLAN in its tag (IEEE 802.1Q, 9.6).
const VLAN: u16 = 0xfff;

/// A frame on its way in, wherever it was caught.
#[derive(Clone, Copy)]
pub(crate) struct Frame {
    context: Context,
    start: usize,
    end: usize,
    /// How many bytes it has, of which only the first may lie between `start` and `end`. Kept for
    /// every frame, not only with a socket buffer: the compiler reads what only one of two ways
    /// sets before it asks which it was, and 5.15 refuses to read what was not written.
    length: u32,
    /// Whether the frame goes on where the program cannot see it.
    pub(crate) is_partial: bool,
    /// Length on the wire from the Ethernet header on.
    pub(crate) bytes: u32,
    /// How many packets it was on the wire, before the kernel merged them.
    pub(crate) packets: u32,
    /// The interface it came in on; 0 where the driver does not tell.
    pub(crate) ifindex: u32,
}

/// What the kernel hands to the program.
#[derive(Clone, Copy)]
enum Context {
    Xdp(*mut xdp_md),
    Skb(*mut __sk_buff),
}

impl Frame {
    /// The same, of which the verifier knows nothing yet. It tells apart how far a frame was found
    /// to reach, and follows what comes for each of the lengths there are.
    #[inline(always)]
    pub(crate) fn afresh(&self) -> Self {
        // SAFETY: the kernel hands a valid context to the program.
        let (start, end) = unsafe {
            match self.context {
                Context::Xdp(context) => (
                    (&raw const (*context).data).read_volatile(),
                    (&raw const (*context).data_end).read_volatile(),
                ),
                Context::Skb(context) => (
                    (&raw const (*context).data).read_volatile(),
                    (&raw const (*context).data_end).read_volatile(),
                ),
            }
        };
        Frame {
            start: start as usize,
            end: end as usize,
            ..*self
        }
    }

    /// The same, without a trace of how it was found out what it holds.
    #[inline(always)]
    pub(crate) fn forgotten(&self, cell: *mut Cell) -> Self {
        let known = u64::from(self.packets) | u64::from(self.is_partial) << 32;
        let known = forget(cell, known, 0x1_ffff_ffff);
        Frame {
            is_partial: known >> 32 != 0,
            packets: known as u32,
            ..*self
        }
    }

    #[inline(always)]
    pub(crate) fn of_xdp(context: &XdpContext) -> Self {
        let (start, end) = (context.data(), context.data_end());
        let bytes = (end - start) as u32;
        let packets = if bytes > FULL_FRAME {
            bytes / FULL_FRAME + 1
        } else {
            1
        };
        Frame {
            context: Context::Xdp(context.ctx),
            start,
            end,
            length: bytes,
            is_partial: false,
            bytes,
            packets,
            ifindex: context.ingress_ifindex() as u32,
        }
    }

    #[inline(always)]
    pub(crate) fn of_skb(context: &TcContext) -> Self {
        let len = context.len();
        let linear = (context.data_end() - context.data()) as u32;
        if linear < LINEAR && linear < len {
            // Failure leaves the frame as it was, to be judged by what can be seen.
            let _ = context.pull_data(if len < LINEAR { len } else { LINEAR });
        }
        let skb = context.skb.skb;
        // SAFETY: the kernel hands a valid context to the program.
        let (wire_len, gso_segs, gso_size, ifindex) = unsafe {
            (
                (*skb).wire_len,
                (*skb).gso_segs,
                (*skb).gso_size,
                (*skb).ifindex,
            )
        };
        let packets = if gso_segs > 0 {
            gso_segs
        } else if gso_size > 0 {
            len / gso_size + 1
        } else {
            1
        };
        Frame {
            context: Context::Skb(skb),
            start: context.data(),
            end: context.data_end(),
            length: len,
            is_partial: ((context.data_end() - context.data()) as u32) < len,
            bytes: if wire_len > len { wire_len } else { len },
            packets,
            ifindex,
        }
    }

    /// The `T` that starts `offset` bytes into the frame, if the frame reaches that far.
    ///
    /// `T` is a header of bytes and 16-bit words, and `offset` even unless it is all bytes:
    /// network drivers align frames to 2 bytes, and the verifier insists on alignment where the
    /// processor does.
    #[inline(always)]
    pub(crate) fn at<T: Copy>(&self, offset: usize) -> Option<&T> {
        const { assert!(align_of::<T>() <= 2) };
        let start = self.start + offset;
        if start + size_of::<T>() > self.end {
            return None;
        }
        // SAFETY: in bounds as just checked, aligned as promised, and any bytes are a `T`.
        Some(unsafe { &*(start as *const T) })
    }

    /// The byte at `offset`.
    #[inline(always)]
    pub(crate) fn byte(&self, offset: usize) -> Option<u8> {
        let start = opaque((self.start + offset) as u64) as usize;
        if opaque((start + 1) as u64) as usize > self.end {
            return None;
        }
        // SAFETY: in bounds as just checked.
        Some(unsafe { *(start as *const u8) })
    }

    /// The IEEE 802.1Q VLAN of the frame's only tag, 0 of none; None if the network header, which
    /// starts at `network`, stands behind anything else. Of tags, TC has the outer one not in the
    /// frame but beside it.
    #[inline(always)]
    pub(crate) fn vlan(&self, network: usize) -> Option<u16> {
        if let Context::Skb(skb) = self.context {
            // SAFETY: the kernel hands a valid context to the program.
            let (is_tagged, protocol, control) = unsafe {
                (
                    (&raw const (*skb).vlan_present).read_volatile(),
                    (&raw const (*skb).vlan_proto).read_volatile(),
                    (&raw const (*skb).vlan_tci).read_volatile(),
                )
            };
            if is_tagged != 0 {
                let is_only = network == UNTAGGED && protocol as u16 == ETH_VLAN.to_be();
                return is_only.then_some(control as u16 & VLAN);
            }
        }
        if network == UNTAGGED {
            return Some(0);
        }
        let [protocol, control] = *self.at::<[u16; 2]>(UNTAGGED - size_of::<u16>())?;
        let is_only = network == UNTAGGED + size_of::<Tag>() && protocol == ETH_VLAN.to_be();
        is_only.then_some(u16::from_be(control) & VLAN)
    }

    /// How many bytes the frame has, wherever they lie.
    #[inline(always)]
    pub(crate) fn length(&self) -> usize {
        self.length as usize
    }

    /// The first [`SCANNED`] of the `length` bytes from `offset` on, which are at least one and
    /// which the frame has.
    #[inline(always)]
    pub(crate) fn bytes_from(
        &self,
        offset: usize,
        length: usize,
        cell: *mut Cell,
        segment: *mut Segment,
    ) -> Option<Bytes<'_>> {
        let Context::Skb(buffer) = self.context else {
            return Some(Bytes::Frame(*self, offset));
        };
        // The verifier has to see that it is neither none nor too many.
        let more = forget(cell, length as u64 - 1, 0x1_ffff).min(SCANNED as u64 - 1) as u32;
        // SAFETY: this processor's own.
        let copy = unsafe { &mut *segment };
        // SAFETY: the kernel's own context, and room for as many bytes.
        let error = unsafe {
            bpf_skb_load_bytes(
                buffer.cast(),
                offset as u32,
                copy.as_mut_ptr().cast(),
                more + 1,
            )
        };
        if error == 0 {
            Some(Bytes::Copy(copy, 0))
        } else {
            None
        }
    }
}

/// As many bytes of a frame are read at once: all of a segment on Ethernet.
pub(crate) const SCANNED: usize = 1472;

/// Room for a copy: for every index that the verifier takes for possible.
const ROOM: usize = 0x7ff + 16;

/// Room for the bytes of a segment that the program cannot reach where they are.
pub(crate) type Segment = [u8; ROOM];

/// Bytes of a frame.
#[derive(Clone, Copy)]
pub(crate) enum Bytes<'a> {
    /// Where they are, from this offset on.
    Frame(Frame, usize),
    /// In a copy, from this index on.
    Copy(&'a Segment, usize),
}

impl<'a> Bytes<'a> {
    /// The same from `index` on, below [`SCANNED`]. The verifier forgets what it knew about them.
    #[inline(always)]
    pub(crate) fn from(self, index: usize, cell: *mut Cell) -> Self {
        match self {
            Bytes::Frame(frame, start) => {
                Bytes::Frame(frame, forget(cell, (start + index) as u64, 0x7fff) as usize)
            }
            Bytes::Copy(bytes, start) => {
                Bytes::Copy(bytes, forget(cell, (start + index) as u64, 0x7ff) as usize)
            }
        }
    }

    /// The first `N` of them from `index` on, which together are no more than [`SCANNED`], or no
    /// more than 16 behind [`from`](Self::from).
    #[inline(always)]
    pub(crate) fn block<const N: usize>(&self, index: usize) -> Option<&[u8; N]> {
        match *self {
            Bytes::Frame(ref frame, start) => frame.at(start + index),
            // SAFETY: within `ROOM`, as promised.
            Bytes::Copy(bytes, start) => {
                Some(unsafe { &*bytes.as_ptr().add(start + index).cast::<[u8; N]>() })
            }
        }
    }

    /// The one at `index`, likewise.
    #[inline(always)]
    pub(crate) fn byte(&self, index: usize) -> Option<u8> {
        match self {
            Bytes::Frame(frame, start) => frame.byte(start + index),
            Bytes::Copy(..) => self.block::<1>(index).map(|[byte]| *byte),
        }
    }
}
