//! Ethernet frames: made by hand to be sent, and taken apart to be counted.
//!
//! Both are deliberately not mqttguard's own parser: what checks a parser must not share its
//! mistakes.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// TCP's protocol number.
pub const TCP: u8 = 6;
/// UDP's protocol number.
pub const UDP: u8 = 17;
/// TCP flag SYN.
pub const SYN: u8 = 0x02;
/// TCP flags PSH and ACK: what a segment with data carries.
pub const PSH_ACK: u8 = 0x18;

/// A MAC address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Mac(pub [u8; 6]);

impl fmt::Display for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [a, b, c, d, e, g] = self.0;
        write!(f, "{a:02x}:{b:02x}:{c:02x}:{d:02x}:{e:02x}:{g:02x}")
    }
}

/// The MAC address of the router's `br-lan`.
pub const ROUTER_MAC: Mac = Mac([0x02, 0x4d, 0x47, 0x00, 0x00, 0x01]);

/// A frame to be made.
#[derive(Clone, Debug)]
pub struct Frame<'a> {
    /// Source MAC.
    pub source_mac: Mac,
    /// Destination MAC.
    pub destination_mac: Mac,
    /// VLAN tags, outermost first.
    pub vlans: &'a [u16],
    /// Source address and port.
    pub source: SocketAddr,
    /// Destination address and port; of the source's family.
    pub destination: SocketAddr,
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// TCP flags.
    pub flags: u8,
    /// What follows the transport header.
    pub payload: &'a [u8],
}

impl Frame<'_> {
    /// The bytes of the frame, checksums included.
    pub fn bytes(&self) -> Vec<u8> {
        let segment = self.segment();
        let mut frame = Vec::with_capacity(segment.len() + 64);
        frame.extend(self.destination_mac.0);
        frame.extend(self.source_mac.0);
        for vlan in self.vlans {
            frame.extend([0x81, 0x00]);
            frame.extend(vlan.to_be_bytes());
        }
        match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                frame.extend([0x08, 0x00]);
                frame.extend(self.header4(source, destination, segment.len()));
            }
            (source, destination) => {
                frame.extend([0x86, 0xdd]);
                frame.extend([0x60, 0, 0, 0]);
                frame.extend(length(segment.len()));
                frame.extend([self.protocol, 64]);
                frame.extend(octets6(source));
                frame.extend(octets6(destination));
            }
        }
        frame.extend(segment);
        frame
    }

    fn header4(&self, source: Ipv4Addr, destination: Ipv4Addr, payload: usize) -> Vec<u8> {
        let mut header = vec![0x45, 0];
        header.extend(length(payload + 20));
        header.extend([0, 1, 0x40, 0, 64, self.protocol, 0, 0]);
        header.extend(source.octets());
        header.extend(destination.octets());
        let sum = checksum(&[&header]);
        header.splice(10..12, sum.to_be_bytes());
        header
    }

    /// The transport header and the payload.
    fn segment(&self) -> Vec<u8> {
        let mut segment = Vec::with_capacity(self.payload.len() + 20);
        segment.extend(self.source.port().to_be_bytes());
        segment.extend(self.destination.port().to_be_bytes());
        let sum_at = if self.protocol == TCP {
            segment.extend([
                0, 0, 0, 1, 0, 0, 0, 1, 0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0,
            ]);
            16
        } else {
            segment.extend(length(self.payload.len() + 8));
            segment.extend([0, 0]);
            6
        };
        segment.extend(self.payload);
        let (source, destination) = match (self.source.ip(), self.destination.ip()) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                (source.octets().to_vec(), destination.octets().to_vec())
            }
            (source, destination) => (octets6(source).to_vec(), octets6(destination).to_vec()),
        };
        let protocol = [0, self.protocol];
        let sum = checksum(&[
            &source,
            &destination,
            &protocol,
            &length(segment.len()),
            &segment,
        ]);
        segment.splice(sum_at..sum_at + 2, sum.to_be_bytes());
        segment
    }
}

fn octets6(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().octets(),
        IpAddr::V6(address) => address.octets(),
    }
}

fn length(bytes: usize) -> [u8; 2] {
    u16::try_from(bytes).unwrap_or(u16::MAX).to_be_bytes()
}

/// The Internet checksum (RFC 1071) over the parts, of which all but the last have even lengths.
fn checksum(parts: &[&[u8]]) -> u16 {
    let mut sum: u32 = 0;
    for part in parts {
        for pair in part.chunks(2) {
            let word = match *pair {
                [high, low] => u16::from_be_bytes([high, low]),
                [high] => u16::from_be_bytes([high, 0]),
                _ => 0,
            };
            sum += u32::from(word);
        }
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    !u16::try_from(sum).unwrap_or(0)
}

/// A frame that arrived, as far as it was understood: TCP and UDP over IPv4 and IPv6, with up to
/// two VLAN tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// Source address.
    pub source: IpAddr,
    /// Destination address.
    pub destination: IpAddr,
    /// [`TCP`] or [`UDP`].
    pub protocol: u8,
    /// Destination port.
    pub port: u16,
    /// What follows the transport header.
    pub payload: &'a [u8],
}

impl<'a> Arrived<'a> {
    /// Takes a frame apart; None if it is no TCP or UDP.
    pub fn parse(frame: &'a [u8]) -> Option<Self> {
        let mut rest = frame.get(12..)?;
        let mut kind = take_u16(&mut rest)?;
        for _ in 0..2 {
            if kind == 0x8100 || kind == 0x88a8 {
                take_u16(&mut rest)?;
                kind = take_u16(&mut rest)?;
            }
        }
        let (source, destination, protocol, segment) = match kind {
            0x0800 => parse4(rest)?,
            0x86dd => parse6(rest)?,
            _ => return None,
        };
        let mut ports = segment.get(2..)?;
        let port = take_u16(&mut ports)?;
        let header = match protocol {
            TCP => usize::from(segment.get(12)? >> 4) * 4,
            UDP => 8,
            _ => return None,
        };
        Some(Self {
            source,
            destination,
            protocol,
            port,
            payload: segment.get(header..)?,
        })
    }

    /// What makes this frame MQTT in the clear, if anything does.
    pub fn plaintext_mqtt(&self) -> Option<&'static str> {
        match self.protocol {
            TCP if self.port == 1883 => Some("TCP to port 1883"),
            TCP if is_connect(self.payload) => Some("an MQTT CONNECT"),
            UDP if self.port == 1883 => Some("UDP to port 1883"),
            _ => None,
        }
    }
}

/// Whether a TCP payload starts with the fixed header, a length and the name of an MQTT CONNECT.
fn is_connect(payload: &[u8]) -> bool {
    let start = payload.get(..payload.len().min(13)).unwrap_or_default();
    start.first() == Some(&0x10)
        && (start.windows(6).any(|bytes| bytes == b"\x00\x04MQTT")
            || start.windows(8).any(|bytes| bytes == b"\x00\x06MQIsdp"))
}

type Datagram<'a> = (IpAddr, IpAddr, u8, &'a [u8]);

fn parse4(packet: &[u8]) -> Option<Datagram<'_>> {
    let header = usize::from(packet.first()? & 0x0f) * 4;
    let total = usize::from(u16::from_be_bytes([*packet.get(2)?, *packet.get(3)?]));
    let source: [u8; 4] = packet.get(12..16)?.try_into().ok()?;
    let destination: [u8; 4] = packet.get(16..20)?.try_into().ok()?;
    Some((
        Ipv4Addr::from(source).into(),
        Ipv4Addr::from(destination).into(),
        *packet.get(9)?,
        // An Ethernet frame may be padded.
        packet.get(header..total.min(packet.len()))?,
    ))
}

fn parse6(packet: &[u8]) -> Option<Datagram<'_>> {
    let source: [u8; 16] = packet.get(8..24)?.try_into().ok()?;
    let destination: [u8; 16] = packet.get(24..40)?.try_into().ok()?;
    Some((
        Ipv6Addr::from(source).into(),
        Ipv6Addr::from(destination).into(),
        *packet.get(6)?,
        packet.get(40..)?,
    ))
}

fn take_u16(bytes: &mut &[u8]) -> Option<u16> {
    let (head, rest) = bytes.split_first_chunk::<2>()?;
    *bytes = rest;
    Some(u16::from_be_bytes(*head))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame<'a>(vlans: &'a [u16], payload: &'a [u8], v6: bool) -> Frame<'a> {
        let (source, destination) = if v6 {
            ("[fd77:77:77::101]:40000", "[2001:db8::10]:18830")
        } else {
            ("192.168.77.101:40000", "203.0.113.10:18830")
        };
        Frame {
            source_mac: Mac([2, 0, 0, 0, 0, 1]),
            destination_mac: ROUTER_MAC,
            vlans,
            source: source.parse().unwrap(),
            destination: destination.parse().unwrap(),
            protocol: TCP,
            flags: PSH_ACK,
            payload,
        }
    }

    #[test]
    fn a_frame_is_taken_apart_as_it_was_made() {
        let connect = b"\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00";
        for vlans in [&[][..], &[7], &[7, 8]] {
            for v6 in [false, true] {
                let made = frame(vlans, connect, v6);
                let bytes = made.bytes();
                let arrived = Arrived::parse(&bytes).unwrap();
                assert_eq!(arrived.source, made.source.ip());
                assert_eq!(arrived.destination, made.destination.ip());
                assert_eq!((arrived.port, arrived.payload), (18830, &connect[..]));
                assert_eq!(arrived.plaintext_mqtt(), Some("an MQTT CONNECT"));
            }
        }
    }

    #[test]
    fn only_mqtt_counts_as_mqtt() {
        for (payload, mqtt) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], false),
            (b"\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00", true),
            (b"\x16\x03\x01\x00\x04MQTT", false),
            (b"", false),
        ] {
            let bytes = frame(&[], payload, false).bytes();
            let arrived = Arrived::parse(&bytes).unwrap();
            assert_eq!(arrived.plaintext_mqtt().is_some(), mqtt, "{payload:?}");
        }
    }
}
