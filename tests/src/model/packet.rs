use std::net::IpAddr;

use mqttguard_common::{Mac, Station};

use super::mqtt::CONNECT_HEAD;
use crate::bpf::INTERFACE;

/// Below this, in units of 8 bytes, no later fragment of a TCP segment may start.
const FIRST_UNITS: u16 = 10;

/// What a frame says about itself above Ethernet.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Where from.
    pub source: IpAddr,
    /// Where to.
    pub destination: IpAddr,
    /// What it carries.
    pub transport: Transport<'a>,
}

/// What is above IP.
#[derive(Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A TCP segment.
    Tcp {
        /// Source port.
        from: u16,
        /// Destination port.
        port: u16,
        /// Has the SYN flag.
        syn: bool,
        /// Sequence number of the first byte of the payload.
        sequence: u32,
        /// The first fragment of several.
        goes_on: bool,
        /// How long the payload is by the length that IP gives, if the frame has all of it.
        claimed: usize,
        /// What is behind the header and its options.
        payload: &'a [u8],
    },
    /// A UDP datagram.
    Udp {
        /// Source port.
        from: u16,
        /// Destination port.
        port: u16,
    },
    /// Arranged so that ports or the first payload are out of sight.
    Hidden,
    /// Anything else.
    Other,
}

impl Packet<'_> {
    /// TCP or UDP destination port; 0 if it shows none.
    pub fn port(&self) -> u16 {
        match self.transport {
            Transport::Tcp { port, .. } | Transport::Udp { port, .. } => port,
            _ => 0,
        }
    }
}

/// The source MAC of a frame.
pub fn source_mac(frame: &[u8]) -> Mac {
    Mac(frame[6..12].try_into().unwrap())
}

/// How a frame is addressed, if it has no more than one VLAN tag, one of IEEE 802.1Q, and is in no
/// PPPoE session.
pub(super) fn station(frame: &[u8]) -> Option<Station> {
    let (kind, vlan) = match word(frame, 12)? {
        0x8100 => (word(frame, 16)?, word(frame, 14)? & 0x0fff),
        kind => (kind, 0),
    };
    let is_ip = matches!(kind, 0x0800 | 0x86dd);
    is_ip.then_some(Station {
        ifindex: INTERFACE,
        vlan,
        mac: Mac(frame[..6].try_into().unwrap()),
    })
}

pub(super) fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// Looks behind Ethernet and up to two VLAN tags: an EtherType, and what it says stands there.
pub(super) fn parse_link(frame: &[u8]) -> Option<(u16, &[u8])> {
    let mut kind = word(frame, 12)?;
    let mut rest = &frame[14..];
    for _ in 0..2 {
        // IEEE 802.1Q and 802.1ad.
        if kind == 0x8100 || kind == 0x88a8 {
            kind = word(rest, 2)?;
            rest = &rest[4..];
        }
    }
    Some((kind, rest))
}

/// The sender's address in ARP (RFC 826), if that is for IPv4 over Ethernet. None: not ARP.
pub(super) fn arp_sender(frame: &[u8]) -> Option<Option<IpAddr>> {
    let (0x0806, arp) = parse_link(frame)? else {
        return None;
    };
    let octets = match arp.get(..28) {
        Some([0, 1, 0x08, 0x00, 6, 4, rest @ ..]) => &rest[8..12],
        _ => return Some(None),
    };
    Some(<[u8; 4]>::try_from(octets).ok().map(IpAddr::from))
}

/// Looks behind Ethernet, up to two VLAN tags and PPPoE. None: not IP.
pub fn parse(frame: &[u8]) -> Option<Packet<'_>> {
    let (mut kind, mut rest) = parse_link(frame)?;
    // A PPPoE session (RFC 2516, 5) with PPP's protocol in two bytes.
    if kind == 0x8864 {
        kind = match word(rest, 6)? {
            0x0021 => 0x0800,
            0x0057 => 0x86dd,
            _ => return None,
        };
        rest = &rest[8..];
    }
    match kind {
        0x0800 => parse_v4(rest),
        0x86dd => parse_v6(rest),
        _ => None,
    }
}

/// What of `bytes` is the packet and not padding behind it. Packets too long for their length
/// field have 0 there (RFC 2675, 3; Linux does the same to merged IPv4 packets).
pub(super) fn cut(bytes: &[u8], length: usize, field: u16) -> &[u8] {
    match field {
        0 => bytes,
        _ => &bytes[..length.min(bytes.len())],
    }
}

/// The length that such a field says.
pub(super) fn claimed(field: u16) -> usize {
    match field {
        0 => 65_536,
        _ => field.into(),
    }
}

/// RFC 791, 3.1.
pub(super) fn parse_v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.get(..20)?;
    let address = |at: usize| {
        let octets: [u8; 4] = header[at..at + 4].try_into().unwrap();
        IpAddr::from(octets)
    };
    let total = word(header, 2)?;
    let packet = cut(bytes, total.into(), total);
    let flags = word(header, 6)?;
    let (more_fragments, offset) = (flags & 0x2000 != 0, flags & 0x1fff);
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let transport = if header[0] >> 4 != 4 || header_length < 20 {
        Transport::Other
    } else if offset != 0 {
        match header[9] {
            6 if offset < FIRST_UNITS => Transport::Hidden,
            _ => Transport::Other,
        }
    } else {
        let body = packet.get(header_length..).unwrap_or_default();
        let claimed = claimed(total).saturating_sub(header_length);
        parse_transport(header[9], body, claimed, more_fragments, usize::MAX)
    };
    Some(Packet {
        source: address(12),
        destination: address(16),
        transport,
    })
}

/// RFC 8200, 3 and 4.
pub(super) fn parse_v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.get(..40)?;
    let address = |at: usize| {
        let octets: [u8; 16] = header[at..at + 16].try_into().unwrap();
        IpAddr::from(octets)
    };
    let payload = word(header, 4)?;
    let body = &cut(bytes, 40 + usize::from(payload), payload)[40..];
    let transport = if header[0] >> 4 != 6 {
        Transport::Other
    } else {
        parse_extensions(header[6], body, claimed(payload))
    };
    Some(Packet {
        source: address(8),
        destination: address(24),
        transport,
    })
}

/// Follows a chain of up to six extension headers.
pub(super) fn parse_extensions(mut next: u8, mut body: &[u8], mut claimed: usize) -> Transport<'_> {
    let mut more_fragments = false;
    let mut seen = 0;
    // How much of the body belongs to the first fragment alone.
    let mut own = usize::MAX;
    // IANA's list of extension headers without those that encrypt or are experiments.
    while matches!(next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
        seen += 1;
        if seen > 6 {
            return Transport::Hidden;
        }
        let (Some(&following), Some(&length)) = (body.first(), body.get(1)) else {
            return missing(more_fragments);
        };
        let length = match next {
            44 => {
                // RFC 8200, 4.5.
                let Some(header) = body.get(..8) else {
                    return missing(more_fragments);
                };
                let offset = u16::from_be_bytes([header[2], header[3]]) >> 3;
                if offset != 0 {
                    return match following {
                        6 | 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140 if offset < FIRST_UNITS => {
                            Transport::Hidden
                        }
                        _ => Transport::Other,
                    };
                }
                if header[3] & 1 != 0 {
                    more_fragments = true;
                    if own == usize::MAX {
                        own = 8 + 8 * usize::from(FIRST_UNITS);
                    }
                }
                8
            }
            // RFC 4302, 2.2: in words of 4 bytes, minus 2.
            51 => (usize::from(length) + 2) * 4,
            // RFC 8200, 4.3: in words of 8 bytes, without the first.
            _ => (usize::from(length) + 1) * 8,
        };
        next = following;
        body = body.get(length..).unwrap_or_default();
        claimed = claimed.saturating_sub(length);
        if own != usize::MAX {
            own = own.saturating_sub(length);
        }
    }
    parse_transport(next, body, claimed, more_fragments, own)
}

pub(super) fn parse_transport(
    protocol: u8,
    body: &[u8],
    claimed: usize,
    more_fragments: bool,
    own: usize,
) -> Transport<'_> {
    match protocol {
        // RFC 9293, 3.1.
        6 => match body.get(..20) {
            Some(header) => {
                let length = usize::from(header[12] >> 4) * 4;
                let payload = body.get(length..).unwrap_or_default();
                if more_fragments && (payload.len() < CONNECT_HEAD || length + CONNECT_HEAD > own) {
                    return Transport::Hidden;
                }
                let syn = header[13] & 0x02 != 0;
                let number = u32::from_be_bytes(header[4..8].try_into().unwrap());
                Transport::Tcp {
                    from: u16::from_be_bytes([header[0], header[1]]),
                    port: u16::from_be_bytes([header[2], header[3]]),
                    syn,
                    // A SYN takes a number of its own.
                    sequence: number.wrapping_add(u32::from(syn)),
                    goes_on: more_fragments,
                    claimed: claimed.saturating_sub(length),
                    payload,
                }
            }
            None => missing(more_fragments),
        },
        // RFC 768.
        17 => match body.get(..8) {
            Some(_) if more_fragments && own < 8 => Transport::Hidden,
            Some(header) => Transport::Udp {
                from: u16::from_be_bytes([header[0], header[1]]),
                port: u16::from_be_bytes([header[2], header[3]]),
            },
            None => missing(more_fragments),
        },
        _ => Transport::Other,
    }
}

/// The packet ends before its headers do: in another fragment, or by damage.
pub(super) fn missing<'a>(more_fragments: bool) -> Transport<'a> {
    if more_fragments {
        Transport::Hidden
    } else {
        Transport::Other
    }
}
