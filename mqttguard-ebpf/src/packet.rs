mod parse;

use mqttguard_common::FlowKey;

use crate::frame::Frame;
use crate::header::{Arp, ETH_IPV4, Ipv4, Ipv6};

/// What a frame carries, as offsets into it: addresses are read again when they are needed,
/// which few frames do.
///
/// It is packed into a word, so that the way from frame to packet, with all its branches, can
/// end in one [`forget`](crate::cell::forget).
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Packet {
    place: u64,
    ports: u64,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    /// Not even IP.
    None = 0,
    Tcp = 1,
    Udp = 2,
    /// Made to hide what is above IP: a first fragment that leaves its ports or what it says
    /// first to others, a later one that reaches into them, or a chain of extension headers
    /// that is longer than any honest one.
    Hidden = 3,
    /// Another protocol, a later fragment, or too damaged for any stack to accept.
    Other = 4,
}

// Bits of `Packet::place`. Offsets fit, and the masks tell the verifier so.
const TRANSPORT: u64 = 0x7;
const V6: u64 = 0x8;
const OPENS: u64 = 0x10;
const SYN: u64 = 0x20;
const ARP: u64 = 0x40;
const GOES_ON: u64 = 0x80;
const NETWORK_SHIFT: u32 = 8;
/// Two VLAN tags and PPPoE behind Ethernet, and always even.
pub(crate) const NETWORK: u64 = 0x1e;
const PAYLOAD_SHIFT: u32 = 16;
const PAYLOAD: u64 = 0x7fff;
const END_SHIFT: u32 = 32;
const END: u64 = 0x1_ffff;

/// The furthest that headers reach; what is behind is not looked at.
pub(crate) const HEADERS: usize = 0x7000;

/// An IPv6 or IPv4-mapped address in network order.
pub(crate) type Address = [u16; 8];

impl Packet {
    /// Whether this is what it carries.
    #[inline(always)]
    pub(crate) fn is(&self, transport: Transport) -> bool {
        self.place & TRANSPORT == transport as u64
    }

    /// TCP or UDP source port; 0 if it shows none.
    #[inline(always)]
    pub(crate) fn source_port(&self) -> u16 {
        (self.ports >> 16) as u16
    }

    /// TCP or UDP destination port; 0 if it shows none.
    #[inline(always)]
    pub(crate) fn port(&self) -> u16 {
        self.ports as u16
    }

    /// Opens a TCP connection: SYN without ACK.
    #[inline(always)]
    pub(crate) fn opens(&self) -> bool {
        self.place & OPENS != 0
    }

    /// A TCP segment that carries the number before its sender's first byte: SYN, whoever
    /// opened the connection.
    #[inline(always)]
    pub(crate) fn is_syn(&self) -> bool {
        self.place & SYN != 0
    }

    /// The first fragment of several.
    #[inline(always)]
    pub(crate) fn goes_on(&self) -> bool {
        self.place & GOES_ON != 0
    }

    /// Sequence number of the first byte of its TCP payload.
    #[inline(always)]
    pub(crate) fn sequence(&self) -> u32 {
        let number = (self.ports >> 32) as u32;
        if self.is_syn() {
            number.wrapping_add(1)
        } else {
            number
        }
    }

    /// Where the beginning of its TCP stream is kept.
    #[inline(always)]
    pub(crate) fn flow(&self, frame: &Frame) -> Option<FlowKey> {
        let network = self.network();
        let (source, destination) = if self.is_v6() {
            let header = frame.at::<Ipv6>(network)?;
            (last(&header.source), last(&header.destination))
        } else {
            let header = frame.at::<Ipv4>(network)?;
            (last(&header.source), last(&header.destination))
        };
        Some(FlowKey::new(source, destination, self.ports as u32))
    }

    /// Where the IP header starts.
    #[inline(always)]
    pub(crate) fn network(&self) -> usize {
        (self.place >> NETWORK_SHIFT & NETWORK) as usize
    }

    /// Where the TCP payload starts.
    #[inline(always)]
    pub(crate) fn payload(&self) -> usize {
        (self.place >> PAYLOAD_SHIFT & PAYLOAD) as usize
    }

    /// Where the IP packet ends, which may be before the frame does.
    #[inline(always)]
    pub(crate) fn end(&self) -> usize {
        (self.place >> END_SHIFT & END) as usize
    }

    /// Whether it is IPv6.
    #[inline(always)]
    pub(crate) fn is_v6(&self) -> bool {
        self.place & V6 != 0
    }

    /// Whether it is ARP, which is [`Transport::None`].
    #[inline(always)]
    pub(crate) fn is_arp(&self) -> bool {
        self.place & ARP != 0
    }

    /// Sender's and target's address, if it is ARP for IPv4 (RFC 826), in network order.
    #[inline(always)]
    pub(crate) fn arp(&self, frame: &Frame) -> Option<([u16; 2], [u16; 2])> {
        let arp = frame.at::<Arp>(self.network())?;
        let known = self.is_arp()
            && arp.hardware == 1u16.to_be()
            && arp.protocol == ETH_IPV4.to_be()
            && arp.lengths == [6, 4];
        known.then_some((arp.sender, arp.target))
    }

    /// The IPv4 address it comes from, of ARP the sender's, as a word in the order in which it lies
    /// in memory; 0 if it shows none.
    #[inline(always)]
    pub(crate) fn v4_source(&self, frame: &Frame) -> u32 {
        if self.is(Transport::None) {
            return match self.arp(frame) {
                Some((sender, _)) => word(sender),
                None => 0,
            };
        }
        match frame.at::<Ipv4>(self.network()) {
            Some(header) if !self.is_v6() => word(header.source),
            _ => 0,
        }
    }

    /// Its source and destination address, whatever it is; all zero if it shows none.
    #[inline(always)]
    pub(crate) fn ends(&self, frame: &Frame) -> (Address, Address) {
        let ends = if self.is(Transport::None) {
            self.arp(frame)
                .map(|(sender, target)| (mapped(sender), mapped(target)))
        } else {
            self.addresses(frame)
        };
        ends.unwrap_or_default()
    }

    /// The source and destination address of an IP packet.
    #[inline(always)]
    pub(crate) fn addresses(&self, frame: &Frame) -> Option<(Address, Address)> {
        let network = self.network();
        if self.is_v6() {
            let header = frame.at::<Ipv6>(network)?;
            Some((header.source, header.destination))
        } else {
            let header = frame.at::<Ipv4>(network)?;
            Some((mapped(header.source), mapped(header.destination)))
        }
    }

    /// Its destination address.
    #[inline(always)]
    pub(crate) fn destination(&self, frame: &Frame) -> Option<Address> {
        Some(self.addresses(frame)?.1)
    }
}

/// An IPv4 address as a word, in the order in which it lies in memory.
#[inline(always)]
fn word(address: [u16; 2]) -> u32 {
    // SAFETY: same size, any bits are valid.
    unsafe { core::mem::transmute(address) }
}

/// The last four bytes of an address.
#[inline(always)]
fn last(address: &[u16]) -> u32 {
    match address {
        [.., high, low] => u32::from(u16::from_be(*high)) << 16 | u32::from(u16::from_be(*low)),
        _ => 0,
    }
}

/// An IPv4 address mapped into IPv6 (RFC 4291, 2.5.5.2).
#[inline(always)]
pub(crate) const fn mapped(v4: [u16; 2]) -> Address {
    [0, 0, 0, 0, 0, 0xffff, v4[0], v4[1]]
}
