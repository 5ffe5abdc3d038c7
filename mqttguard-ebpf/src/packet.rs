use crate::frame::Frame;

const ETH_IPV4: u16 = 0x0800;
const ETH_IPV6: u16 = 0x86dd;
/// IEEE 802.1Q.
const ETH_VLAN: u16 = 0x8100;
/// IEEE 802.1ad.
const ETH_QINQ: u16 = 0x88a8;

const IP_HOP_BY_HOP: u8 = 0;
const IP_TCP: u8 = 6;
const IP_UDP: u8 = 17;
const IP_ROUTING: u8 = 43;
const IP_FRAGMENT: u8 = 44;
const IP_AUTHENTICATION: u8 = 51;
const IP_DESTINATION: u8 = 60;
const IP_MOBILITY: u8 = 135;
const IP_HIP: u8 = 139;
const IP_SHIM6: u8 = 140;

/// VLAN tags that are looked behind.
const TAGS: usize = 2;

/// IPv6 extension headers that are looked behind. RFC 8200, 4.1 knows six orderly ones before
/// the transport header, none of which an ordinary packet has.
const EXTENSIONS: usize = 6;

const TCP_SYN: u8 = 0x02;
const TCP_ACK: u8 = 0x10;

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ethernet {
    destination: [u16; 3],
    pub(crate) source: [u8; 6],
    ether_type: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Tag {
    control: u16,
    ether_type: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Ipv4 {
    version_ihl: u8,
    service: u8,
    total_length: u16,
    identification: u16,
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    source: [u16; 2],
    destination: [u16; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Ipv6 {
    version: u8,
    class: u8,
    flow: u16,
    payload_length: u16,
    next: u8,
    hops: u8,
    source: [u16; 8],
    destination: [u16; 8],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Extension {
    next: u8,
    length: u8,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Fragment {
    next: u8,
    reserved: u8,
    offset: u16,
    identification: [u16; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Tcp {
    source: u16,
    destination: u16,
    sequence: [u16; 2],
    acknowledgement: [u16; 2],
    data_offset: u8,
    flags: u8,
    window: u16,
    checksum: u16,
    urgent: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
struct Udp {
    source: u16,
    destination: u16,
    length: u16,
    checksum: u16,
}

/// An IP packet, as offsets into its frame: addresses are read again when they are needed,
/// which few packets do.
#[derive(Clone, Copy)]
pub(crate) struct Packet {
    /// Where the IP header starts.
    network: usize,
    v6: bool,
    /// What is above IP.
    pub(crate) transport: Transport,
    /// UDP or TCP source port.
    pub(crate) source_port: u16,
    /// UDP or TCP destination port.
    pub(crate) port: u16,
    /// Opens a TCP connection: SYN without ACK.
    pub(crate) opens: bool,
    /// Where the TCP payload starts.
    pub(crate) payload: usize,
    /// Where the IP packet ends, which may be before the frame does.
    pub(crate) end: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Transport {
    Tcp,
    Udp,
    /// A first fragment that leaves its ports to the second, or a chain of extension headers
    /// that is longer than any honest one: made to hide what is above IP.
    Hidden,
    /// Another protocol, a later fragment, or too damaged for any stack to accept.
    Other,
}

/// An IPv6 or IPv4-mapped address in network order.
pub(crate) type Address = [u16; 8];

impl Packet {
    /// Looks through Ethernet, VLAN tags, IP and its extension headers. None: not IP.
    #[inline(always)]
    pub(crate) fn parse(frame: &Frame, ethernet: &Ethernet) -> Option<Self> {
        let mut ether_type = u16::from_be(ethernet.ether_type);
        let mut network = size_of::<Ethernet>();
        for _ in 0..TAGS {
            if ether_type == ETH_VLAN || ether_type == ETH_QINQ {
                ether_type = u16::from_be(frame.at::<Tag>(network)?.ether_type);
                network += size_of::<Tag>();
            }
        }
        match ether_type {
            ETH_IPV4 => Self::parse_v4(frame, network),
            ETH_IPV6 => Self::parse_v6(frame, network),
            _ => None,
        }
    }

    #[inline(always)]
    fn new(network: usize, v6: bool, end: usize) -> Self {
        Packet {
            network,
            v6,
            transport: Transport::Other,
            source_port: 0,
            port: 0,
            opens: false,
            payload: 0,
            end,
        }
    }

    #[inline(always)]
    fn parse_v4(frame: &Frame, network: usize) -> Option<Self> {
        let header = frame.at::<Ipv4>(network)?;
        let total_length = u16::from_be(header.total_length) as usize;
        let mut packet = Self::new(network, false, network + total_length);
        let header_length = ((header.version_ihl & 0x0f) << 2) as usize;
        let fragment = u16::from_be(header.fragment);
        if header.version_ihl >> 4 != 4
            || header_length < size_of::<Ipv4>()
            || fragment & 0x1fff != 0
        {
            return Some(packet);
        }
        let more_fragments = fragment & 0x2000 != 0;
        packet.parse_transport(
            frame,
            header.protocol,
            network + header_length,
            more_fragments,
        );
        Some(packet)
    }

    #[inline(always)]
    fn parse_v6(frame: &Frame, network: usize) -> Option<Self> {
        let header = frame.at::<Ipv6>(network)?;
        let mut offset = network + size_of::<Ipv6>();
        let payload_length = u16::from_be(header.payload_length) as usize;
        let mut packet = Self::new(network, true, offset + payload_length);
        if header.version >> 4 != 6 {
            return Some(packet);
        }
        let mut next = header.next;
        let mut more_fragments = false;
        for _ in 0..EXTENSIONS {
            if !is_extension(next) {
                break;
            }
            let Some(extension) = frame.at::<Extension>(offset) else {
                packet.hide(more_fragments);
                return Some(packet);
            };
            let length = if next == IP_FRAGMENT {
                let Some(fragment) = frame.at::<Fragment>(offset) else {
                    return Some(packet);
                };
                let place = u16::from_be(fragment.offset);
                if place & 0xfff8 != 0 {
                    return Some(packet);
                }
                more_fragments |= place & 1 != 0;
                size_of::<Fragment>()
            } else if next == IP_AUTHENTICATION {
                (extension.length as usize + 2) << 2
            } else {
                (extension.length as usize + 1) << 3
            };
            next = extension.next;
            offset += length;
        }
        if is_extension(next) {
            packet.transport = Transport::Hidden;
        } else {
            packet.parse_transport(frame, next, offset, more_fragments);
        }
        Some(packet)
    }

    #[inline(always)]
    fn parse_transport(&mut self, frame: &Frame, protocol: u8, offset: usize, first: bool) {
        if protocol == IP_TCP {
            let header = match frame.at::<Tcp>(offset) {
                Some(header) if offset + size_of::<Tcp>() <= self.end => header,
                _ => return self.hide(first),
            };
            self.transport = Transport::Tcp;
            self.source_port = u16::from_be(header.source);
            self.port = u16::from_be(header.destination);
            self.opens = header.flags & (TCP_SYN | TCP_ACK) == TCP_SYN;
            self.payload = offset + ((header.data_offset >> 4) << 2) as usize;
        } else if protocol == IP_UDP {
            let header = match frame.at::<Udp>(offset) {
                Some(header) if offset + size_of::<Udp>() <= self.end => header,
                _ => return self.hide(first),
            };
            self.transport = Transport::Udp;
            self.source_port = u16::from_be(header.source);
            self.port = u16::from_be(header.destination);
        }
    }

    /// The headers end early: on purpose if the rest comes in another fragment, by damage if
    /// not.
    #[inline(always)]
    fn hide(&mut self, more_fragments: bool) {
        if more_fragments {
            self.transport = Transport::Hidden;
        }
    }

    /// Its source and destination address.
    #[inline(always)]
    pub(crate) fn addresses(&self, frame: &Frame) -> Option<(Address, Address)> {
        if self.v6 {
            let header = frame.at::<Ipv6>(self.network)?;
            Some((header.source, header.destination))
        } else {
            let header = frame.at::<Ipv4>(self.network)?;
            Some((mapped(header.source), mapped(header.destination)))
        }
    }

    /// Its destination address.
    #[inline(always)]
    pub(crate) fn destination(&self, frame: &Frame) -> Option<Address> {
        Some(self.addresses(frame)?.1)
    }
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

/// An IPv4 address mapped into IPv6 (RFC 4291, 2.5.5.2).
#[inline(always)]
pub(crate) const fn mapped(v4: [u16; 2]) -> Address {
    [0, 0, 0, 0, 0, 0xffff, v4[0], v4[1]]
}
