//! The way from frame to packet.

use super::{
    ARP, END_SHIFT, GOES_ON, HEADERS, NETWORK, NETWORK_SHIFT, OPENS, PAYLOAD, PAYLOAD_SHIFT,
    Packet, SYN, TRANSPORT, Transport, V6,
};
use crate::cell::{Cell, forget};
use crate::frame::Frame;
use crate::header::{
    ETH_ARP, ETH_IPV4, ETH_IPV6, ETH_PPPOE, ETH_QINQ, ETH_VLAN, Ethernet, Extension, Fragment,
    IP_AUTHENTICATION, IP_DESTINATION, IP_FRAGMENT, IP_HIP, IP_HOP_BY_HOP, IP_MOBILITY, IP_ROUTING,
    IP_SHIM6, IP_TCP, IP_UDP, Ipv4, Ipv6, PPP_IPV4, PPP_IPV6, Session, TCP_ACK, TCP_SYN, Tag, Tcp,
    Udp,
};
use crate::mqtt::HEAD;

/// VLAN tags that are looked behind.
const TAGS: usize = 2;

/// IPv6 extension headers that are looked behind. RFC 8200, 4.1 knows six orderly ones before
/// the transport header, none of which an ordinary packet has.
const EXTENSIONS: usize = 6;

/// As many bytes of what is fragmented belong to the first fragment alone: the longest TCP header
/// and the head of a CONNECT, rounded up to where a fragment may start. Links carry more
/// (RFC 791, 3.2: 68 bytes with a header of 20; in practice 576, and 1280 in IPv6), so that no
/// honest fragment starts below. RFC 1858 and RFC 3128 have the idea, for the header alone;
/// RFC 5722 and Linux forbid all overlaps, but other receivers do not.
const FIRST: usize = 80;

/// The limit of a packet that is not fragmented.
const NO_LIMIT: usize = 0x7ffe;

impl Packet {
    /// Looks through Ethernet, VLAN tags, PPPoE, IP and its extension headers.
    #[inline(always)]
    pub(crate) fn parse(frame: &Frame, ethernet: &Ethernet, cell: *mut Cell) -> Self {
        let packet = match Self::parse_network(frame, ethernet, cell) {
            Some(packet) => packet,
            None => Packet { place: 0, ports: 0 },
        };
        Packet {
            place: forget(cell, packet.place, u64::MAX),
            ports: forget(cell, packet.ports, u64::MAX),
        }
    }

    #[inline(always)]
    fn parse_network(frame: &Frame, ethernet: &Ethernet, cell: *mut Cell) -> Option<Self> {
        let mut ether_type = u16::from_be(ethernet.ether_type);
        let mut network = size_of::<Ethernet>();
        for _ in 0..TAGS {
            if ether_type == ETH_VLAN || ether_type == ETH_QINQ {
                ether_type = u16::from_be(frame.at::<Tag>(network)?.ether_type);
                network += size_of::<Tag>();
            }
        }
        if ether_type == ETH_PPPOE {
            ether_type = match u16::from_be(frame.at::<Session>(network)?.protocol) {
                PPP_IPV4 => ETH_IPV4,
                PPP_IPV6 => ETH_IPV6,
                _ => return None,
            };
            network += size_of::<Session>();
        }
        let network = forget(cell, network as u64, NETWORK) as usize;
        match ether_type {
            ETH_IPV4 => Self::parse_v4(frame, network),
            ETH_IPV6 => Self::parse_v6(frame, network, cell),
            ETH_ARP => Some(Packet {
                place: (network as u64) << NETWORK_SHIFT | ARP,
                ports: 0,
            }),
            _ => None,
        }
    }

    #[inline(always)]
    fn new(network: usize, end: usize) -> Self {
        Packet {
            place: (network as u64) << NETWORK_SHIFT
                | (end as u64) << END_SHIFT
                | Transport::Other as u64,
            ports: 0,
        }
    }

    #[inline(always)]
    fn parse_v4(frame: &Frame, network: usize) -> Option<Self> {
        let header = frame.at::<Ipv4>(network)?;
        let packet = Self::new(network, network + length(header.total_length));
        let header_length = ((header.version_ihl & 0x0f) << 2) as usize;
        let fragment = u16::from_be(header.fragment);
        if header.version_ihl >> 4 != 4 || header_length < size_of::<Ipv4>() {
            return Some(packet);
        }
        let place = (fragment & 0x1fff) << 3;
        if place != 0 {
            return Some(packet.later(header.protocol == IP_TCP, place));
        }
        let out_of_sight = fragment & 0x2000 != 0 || frame.is_partial;
        let offset = network + header_length;
        let mut packet = packet;
        if fragment & 0x2000 != 0 {
            packet.place |= GOES_ON;
        }
        Some(packet.with_transport(frame, header.protocol, offset, out_of_sight, NO_LIMIT))
    }

    #[inline(always)]
    fn parse_v6(frame: &Frame, network: usize, cell: *mut Cell) -> Option<Self> {
        let header = frame.at::<Ipv6>(network)?;
        let mut offset = network + size_of::<Ipv6>();
        let mut packet = Self::new(network, offset + length(header.payload_length));
        packet.place |= V6;
        if header.version >> 4 != 6 {
            return Some(packet);
        }
        let mut next = header.next;
        let mut out_of_sight = frame.is_partial;
        let mut limit = NO_LIMIT;
        for _ in 0..EXTENSIONS {
            if !is_extension(next) {
                break;
            }
            let Some(extension) = packet.header::<Extension>(frame, offset) else {
                return Some(packet.cut(out_of_sight));
            };
            let mut length = (extension.length as usize + 1) << 3;
            if next == IP_FRAGMENT {
                let Some(fragment) = packet.header::<Fragment>(frame, offset) else {
                    return Some(packet.cut(out_of_sight));
                };
                let place = u16::from_be(fragment.offset);
                if place & 0xfff8 != 0 {
                    let next = extension.next;
                    return Some(
                        packet.later(next == IP_TCP || is_extension(next), place & 0xfff8),
                    );
                }
                if place & 1 != 0 {
                    out_of_sight = true;
                    if limit == NO_LIMIT {
                        limit = offset + size_of::<Fragment>() + FIRST;
                    }
                }
                length = size_of::<Fragment>();
            } else if next == IP_AUTHENTICATION {
                length = (extension.length as usize + 2) << 2;
            }
            next = extension.next;
            // An even offset and a flag in its lowest bit.
            let known = forget(
                cell,
                (offset + length) as u64 | u64::from(out_of_sight) | (limit as u64) << 32,
                PAYLOAD | PAYLOAD << 32,
            );
            out_of_sight = known & 1 != 0;
            offset = (known & PAYLOAD & !1) as usize;
            limit = (known >> 32) as usize;
        }
        if is_extension(next) {
            return Some(packet.with(Transport::Hidden));
        }
        if limit != NO_LIMIT {
            packet.place |= GOES_ON;
        }
        Some(packet.with_transport(frame, next, offset, out_of_sight, limit))
    }

    /// A fragment that is not the first and starts at `place` of what was fragmented: it may
    /// carry whatever it likes, unless it reaches into what the first one was judged by. Of
    /// UDP that is its header alone, which no other fragment can reach.
    #[inline(always)]
    fn later(self, of_tcp: bool, place: u16) -> Self {
        if of_tcp && (place as usize) < FIRST {
            self.with(Transport::Hidden)
        } else {
            self
        }
    }

    #[inline(always)]
    fn with_transport(
        self,
        frame: &Frame,
        protocol: u8,
        offset: usize,
        out_of_sight: bool,
        limit: usize,
    ) -> Self {
        if offset > HEADERS {
            return self.with(Transport::Hidden);
        }
        if protocol == IP_TCP {
            let Some(header) = self.header::<Tcp>(frame, offset) else {
                return self.cut(out_of_sight);
            };
            let payload = offset + ((header.data_offset >> 4) << 2) as usize;
            if out_of_sight
                && (payload + HEAD > limit || self.header::<[u8; HEAD]>(frame, payload).is_none())
            {
                return self.with(Transport::Hidden);
            }
            let mut packet = self.with(Transport::Tcp);
            packet.place |= (payload as u64) << PAYLOAD_SHIFT;
            if header.flags & (TCP_SYN | TCP_ACK) == TCP_SYN {
                packet.place |= OPENS;
            }
            if header.flags & TCP_SYN != 0 {
                packet.place |= SYN;
            }
            let [high, low] = header.sequence;
            packet.ports = u64::from(u16::from_be(high)) << 48 | u64::from(u16::from_be(low)) << 32;
            packet.with_ports(header.source, header.destination)
        } else if protocol == IP_UDP {
            match self.header::<Udp>(frame, offset) {
                Some(_) if out_of_sight && offset + size_of::<Udp>() > limit => {
                    self.with(Transport::Hidden)
                }
                Some(header) => self
                    .with(Transport::Udp)
                    .with_ports(header.source, header.destination),
                None => self.cut(out_of_sight),
            }
        } else {
            self
        }
    }

    /// The header at `offset`, unless the IP packet ends before it does: what lies behind, to
    /// pad the frame, is no part of it.
    #[inline(always)]
    fn header<'a, T: Copy>(&self, frame: &'a Frame, offset: usize) -> Option<&'a T> {
        if offset + size_of::<T>() > self.end() {
            return None;
        }
        frame.at(offset)
    }

    /// The headers end early: on purpose if there is more of the packet out of sight, by damage
    /// if not.
    #[inline(always)]
    fn cut(self, out_of_sight: bool) -> Self {
        if out_of_sight {
            self.with(Transport::Hidden)
        } else {
            self
        }
    }

    #[inline(always)]
    fn with(self, transport: Transport) -> Self {
        Packet {
            place: self.place & !TRANSPORT | transport as u64,
            ports: self.ports,
        }
    }

    #[inline(always)]
    fn with_ports(self, source: u16, destination: u16) -> Self {
        Packet {
            place: self.place,
            ports: self.ports
                | u64::from(u16::from_be(source)) << 16
                | u64::from(u16::from_be(destination)),
        }
    }
}

/// What a length field says. 0 is said of packets that are too long for it (RFC 2675, 3; Linux
/// does the same to merged IPv4 packets), and taken for the longest that fits plus one.
#[inline(always)]
fn length(field: u16) -> usize {
    u16::from_be(field).wrapping_sub(1) as usize + 1
}

#[inline(always)]
fn is_extension(next: u8) -> bool {
    matches!(
        next,
        IP_HOP_BY_HOP
            | IP_ROUTING
            | IP_FRAGMENT
            | IP_AUTHENTICATION
            | IP_DESTINATION
            | IP_MOBILITY
            | IP_HIP
            | IP_SHIM6
    )
}
