//! Headers as they lie in a frame, in network order: bytes and 16-bit words, because frames are
//! aligned to no more.

use mqttguard_common::Mac;

pub(crate) const ETH_IPV4: u16 = 0x0800;
/// RFC 826.
pub(crate) const ETH_ARP: u16 = 0x0806;
pub(crate) const ETH_IPV6: u16 = 0x86dd;
/// IEEE 802.1Q.
pub(crate) const ETH_VLAN: u16 = 0x8100;
/// IEEE 802.1ad.
pub(crate) const ETH_QINQ: u16 = 0x88a8;
/// RFC 2516, 5: the session stage.
pub(crate) const ETH_PPPOE: u16 = 0x8864;

/// RFC 1332, 2.
pub(crate) const PPP_IPV4: u16 = 0x0021;
/// RFC 5072, 3.
pub(crate) const PPP_IPV6: u16 = 0x0057;

pub(crate) const IP_HOP_BY_HOP: u8 = 0;
pub(crate) const IP_TCP: u8 = 6;
pub(crate) const IP_UDP: u8 = 17;
pub(crate) const IP_ROUTING: u8 = 43;
pub(crate) const IP_FRAGMENT: u8 = 44;
pub(crate) const IP_AUTHENTICATION: u8 = 51;
pub(crate) const IP_DESTINATION: u8 = 60;
pub(crate) const IP_MOBILITY: u8 = 135;
pub(crate) const IP_HIP: u8 = 139;
pub(crate) const IP_SHIM6: u8 = 140;

pub(crate) const TCP_FIN: u8 = 0x01;
pub(crate) const TCP_SYN: u8 = 0x02;
pub(crate) const TCP_RST: u8 = 0x04;
pub(crate) const TCP_ACK: u8 = 0x10;

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ethernet {
    pub(crate) destination: [u16; 3],
    pub(crate) source: [u8; 6],
    pub(crate) ether_type: u16,
}

impl Ethernet {
    /// Where to.
    #[inline(always)]
    pub(crate) fn destination(&self) -> Mac {
        // SAFETY: same size, any bits are valid.
        unsafe { core::mem::transmute(self.destination) }
    }

    /// To more than one host: broadcast or multicast (IEEE 802, 8.2: the lowest bit of the first
    /// byte).
    #[inline(always)]
    pub(crate) fn is_group(&self) -> bool {
        let [first, ..] = self.destination;
        is_group(first)
    }
}

/// Whether the MAC that starts so is one of a group.
#[inline(always)]
pub(crate) fn is_group(first: u16) -> bool {
    u16::from_be(first) & 0x0100 != 0
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Tag {
    pub(crate) control: u16,
    pub(crate) ether_type: u16,
}

/// PPPoE's header and the PPP protocol behind it.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Session {
    pub(crate) version_type: u8,
    pub(crate) code: u8,
    pub(crate) session: u16,
    pub(crate) length: u16,
    pub(crate) protocol: u16,
}

/// ARP for IPv4 over Ethernet.
#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Arp {
    pub(crate) hardware: u16,
    pub(crate) protocol: u16,
    pub(crate) lengths: [u8; 2],
    pub(crate) operation: u16,
    pub(crate) sender_mac: [u16; 3],
    pub(crate) sender: [u16; 2],
    pub(crate) target_mac: [u16; 3],
    pub(crate) target: [u16; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ipv4 {
    pub(crate) version_ihl: u8,
    pub(crate) service: u8,
    pub(crate) total_length: u16,
    pub(crate) identification: u16,
    pub(crate) fragment: u16,
    pub(crate) ttl: u8,
    pub(crate) protocol: u8,
    pub(crate) checksum: u16,
    pub(crate) source: [u16; 2],
    pub(crate) destination: [u16; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Ipv6 {
    pub(crate) version: u8,
    pub(crate) class: u8,
    pub(crate) flow: u16,
    pub(crate) payload_length: u16,
    pub(crate) next: u8,
    pub(crate) hops: u8,
    pub(crate) source: [u16; 8],
    pub(crate) destination: [u16; 8],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Extension {
    pub(crate) next: u8,
    pub(crate) length: u8,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Fragment {
    pub(crate) next: u8,
    pub(crate) reserved: u8,
    pub(crate) offset: u16,
    pub(crate) identification: [u16; 2],
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Tcp {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) sequence: [u16; 2],
    pub(crate) acknowledgement: [u16; 2],
    pub(crate) data_offset: u8,
    pub(crate) flags: u8,
    pub(crate) window: u16,
    pub(crate) checksum: u16,
    pub(crate) urgent: u16,
}

#[derive(Clone, Copy)]
#[repr(C)]
pub(crate) struct Udp {
    pub(crate) source: u16,
    pub(crate) destination: u16,
    pub(crate) length: u16,
    pub(crate) checksum: u16,
}
