//! Frames byte by byte, honest and odd ones.

#![allow(clippy::indexing_slicing)]

use std::net::IpAddr;

use mqttguard_common::Mac;

/// The router's MAC, where all these frames go.
pub const ROUTER: Mac = Mac([0x02, 0, 0, 0, 0, 0xfe]);

/// TCP flags.
pub const SYN: u8 = 0x02;
/// TCP flags.
pub const ACK: u8 = 0x10;

/// How a frame is put together, from the outside in.
#[derive(Clone, Debug)]
pub struct Frame {
    /// The source MAC.
    pub mac: Mac,
    /// EtherTypes of VLAN tags, outermost first.
    pub tags: Vec<u16>,
    /// The source address.
    pub source: IpAddr,
    /// The destination address, of the same family.
    pub destination: IpAddr,
    /// IPv4: bytes of options, a multiple of 4.
    pub options: Vec<u8>,
    /// IPv6: extension headers, as (type, body): the body with its first two bytes to be filled
    /// in for the next header and, but for a fragment header, the length.
    pub extensions: Vec<(u8, Vec<u8>)>,
    /// IPv4: the flags and fragment offset word.
    pub fragment: u16,
    /// The protocol above IP.
    pub protocol: u8,
    /// What is above IP.
    pub body: Vec<u8>,
}

impl Frame {
    /// An IP packet of this protocol.
    pub fn ip(mac: Mac, source: IpAddr, destination: IpAddr, protocol: u8, body: Vec<u8>) -> Self {
        Frame {
            mac,
            tags: Vec::new(),
            source,
            destination,
            options: Vec::new(),
            extensions: Vec::new(),
            fragment: 0,
            protocol,
            body,
        }
    }

    /// A TCP segment.
    pub fn tcp(mac: Mac, destination: IpAddr, port: u16, flags: u8, payload: &[u8]) -> Self {
        Self::ip(
            mac,
            source_for(destination),
            destination,
            6,
            tcp(port, flags, payload),
        )
    }

    /// A UDP datagram.
    pub fn udp(mac: Mac, destination: IpAddr, from: u16, to: u16, payload: &[u8]) -> Self {
        let mut body = Vec::new();
        body.extend(from.to_be_bytes());
        body.extend(to.to_be_bytes());
        body.extend((8 + payload.len() as u16).to_be_bytes());
        body.extend([0; 2]);
        body.extend(payload);
        Self::ip(mac, source_for(destination), destination, 17, body)
    }

    /// The bytes on the wire, checksums left out.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend(ROUTER.0);
        bytes.extend(self.mac.0);
        for tag in &self.tags {
            bytes.extend(tag.to_be_bytes());
            bytes.extend([0, 42]);
        }
        match (self.source, self.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                bytes.extend(0x0800u16.to_be_bytes());
                let header = 20 + self.options.len();
                bytes.push(0x40 | (header / 4) as u8);
                bytes.push(0);
                bytes.extend(((header + self.body.len()) as u16).to_be_bytes());
                bytes.extend([0x12, 0x34]);
                bytes.extend(self.fragment.to_be_bytes());
                bytes.extend([64, self.protocol, 0, 0]);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
                bytes.extend(&self.options);
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let mut above = Vec::new();
                for (index, (kind, body)) in self.extensions.iter().enumerate() {
                    let mut body = body.clone();
                    body[0] = self
                        .extensions
                        .get(index + 1)
                        .map_or(self.protocol, |next| next.0);
                    match *kind {
                        44 => {}
                        51 => body[1] = (body.len() / 4 - 2) as u8,
                        _ => body[1] = (body.len() / 8 - 1) as u8,
                    }
                    above.extend(body);
                }
                bytes.extend(0x86ddu16.to_be_bytes());
                bytes.extend([0x60, 0, 0, 0]);
                bytes.extend(((above.len() + self.body.len()) as u16).to_be_bytes());
                bytes.push(
                    self.extensions
                        .first()
                        .map_or(self.protocol, |first| first.0),
                );
                bytes.push(64);
                bytes.extend(source.octets());
                bytes.extend(destination.octets());
                bytes.extend(above);
            }
            _ => unreachable!("source and destination of one family"),
        }
        bytes.extend(&self.body);
        bytes
    }
}

/// A TCP segment with 12 bytes of options.
pub fn tcp(port: u16, flags: u8, payload: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend(50_000u16.to_be_bytes());
    body.extend(port.to_be_bytes());
    body.extend([0; 8]);
    body.push(8 << 4);
    body.push(flags);
    body.extend([0; 6]);
    body.extend([1; 12]);
    body.extend(payload);
    body
}

/// A CONNECT of this protocol name and level, with an empty client identifier and `more` bytes
/// of user name behind it to make its length take more bytes.
pub fn connect(name: &str, level: u8, more: usize) -> Vec<u8> {
    let mut body = Vec::new();
    body.extend((name.len() as u16).to_be_bytes());
    body.extend(name.as_bytes());
    body.extend([level, 0x02, 0, 60]);
    if level == 5 {
        body.push(0);
    }
    body.extend([0, 0]);
    body.extend(std::iter::repeat_n(b'x', more));
    let mut packet = vec![0x10];
    let mut length = body.len();
    loop {
        let byte = (length & 0x7f) as u8;
        length >>= 7;
        packet.push(if length > 0 { byte | 0x80 } else { byte });
        if length == 0 {
            break;
        }
    }
    packet.extend(body);
    packet
}

/// The first bytes of a TLS 1.3 ClientHello.
pub const CLIENT_HELLO: &[u8] = &[
    0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03, 0x10, 0x0e, 0x00, 0x04, b'M',
    b'Q', b'T', b'T', 0x04,
];

fn source_for(destination: IpAddr) -> IpAddr {
    match destination {
        IpAddr::V4(_) => IpAddr::from([192, 168, 1, 77]),
        IpAddr::V6(_) => IpAddr::from([0xfd00, 0, 0, 0, 0, 0, 0, 0x77]),
    }
}
