use std::net::IpAddr;

use mqttguard_common::Mac;

use super::payload::beginning;
use super::{Generator, MACS, length, v4_octets, v6_octets};
use crate::frames::ROUTER;

/// A TCP stream that somebody opens or has opened.
pub(super) struct Stream {
    mac: Mac,
    from: IpAddr,
    to: IpAddr,
    ports: (u16, u16),
    /// Sequence number of its SYN.
    number: u32,
    /// Its first bytes.
    bytes: Vec<u8>,
    /// As many of them were sent in order.
    sent: usize,
}

impl Generator {
    /// A segment of a stream: in order or out of order, once more, with other bytes than last
    /// time, reaching back before the start, far behind it or before it.
    pub(super) fn piece(&mut self) -> Vec<u8> {
        if self.streams.len() < 8 || self.random.once_in(12) {
            self.open();
        }
        let random = &mut self.random;
        let index = random.below(self.streams.len());
        let stream = &mut self.streams[index];
        if random.once_in(60) {
            stream.number = random.word() as u32;
        }
        let (flags, at, payload): (u8, i64, Vec<u8>) = match random.below(16) {
            0 | 1 => (random.one_of(&[0x02, 0x02, 0x12]), -1, Vec::new()),
            2 => {
                let keep = random.below(stream.bytes.len() + 1);
                (0x02, -1, stream.bytes[..keep].to_vec())
            }
            3 => {
                let before = random.one_of(&[1, 2, 5, 13, 300]);
                let mut bytes = random.bytes(before);
                let keep = random.below(stream.bytes.len() + 1);
                bytes.extend(&stream.bytes[..keep]);
                (0x10, -(before as i64), bytes)
            }
            4 => {
                let far = random.one_of(&[14, 15, 1_000, 70_000, 1 << 31, -1, -14, -70_000]);
                let keep = random.below(6).min(stream.bytes.len());
                (0x10, far, stream.bytes[..keep].to_vec())
            }
            8..=15 => {
                // On from there, now and then leaving bytes out, sending some again or others in
                // their place.
                let from = match random.below(14) {
                    0 => stream.sent.saturating_sub(1 + random.below(20)),
                    1 => stream.sent + 1 + random.below(20),
                    _ => stream.sent,
                };
                let from = from.min(stream.bytes.len());
                let length = random.one_of(&[1, 1, 2, 5, 16, 40, 200, 1_460]);
                let end = (from + length).min(stream.bytes.len());
                let mut bytes = stream.bytes[from..end].to_vec();
                if random.once_in(30) && !bytes.is_empty() {
                    let changed = random.below(bytes.len());
                    bytes[changed] = random.byte();
                }
                if from <= stream.sent {
                    stream.sent = stream.sent.max(end);
                }
                (0x18, from as i64, bytes)
            }
            kind => {
                let at = random.one_of(&[0, 0, 0, 1, 2, 3, 7, 12, 13, 14]);
                let at = at.min(stream.bytes.len());
                let length = random.one_of(&[1, 1, 2, 3, 9, 13, 14, 40]);
                let end = (at + length).min(stream.bytes.len());
                let mut bytes = stream.bytes[at..end].to_vec();
                if kind == 5 && !bytes.is_empty() {
                    let changed = random.below(bytes.len());
                    bytes[changed] = random.byte();
                }
                (0x18, at as i64, bytes)
            }
        };
        // Position -1 is that of the SYN.
        let number = stream.number.wrapping_add((at + 1) as u32);
        let mut body = Vec::with_capacity(40 + payload.len());
        body.extend(stream.ports.0.to_be_bytes());
        body.extend(stream.ports.1.to_be_bytes());
        body.extend(number.to_be_bytes());
        body.extend([0, 0, 0, 0, 5 << 4, flags, 0xff, 0xff, 0, 0, 0, 0]);
        body.extend(payload);
        let (mac, from, to) = (stream.mac, stream.from, stream.to);
        let mut frame = Vec::with_capacity(128);
        frame.extend(ROUTER.0);
        frame.extend(mac.0);
        if from.is_ipv4() {
            frame.extend([0x08, 0x00, 0x45, 0]);
            frame.extend(length(random, 20 + body.len()).to_be_bytes());
            frame.extend([0, 0, 0x40, 0, 64, 6, 0, 0]);
            frame.extend(v4_octets(from));
            frame.extend(v4_octets(to));
        } else {
            frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
            frame.extend(length(random, body.len()).to_be_bytes());
            frame.extend([6, 64]);
            frame.extend(v6_octets(from));
            frame.extend(v6_octets(to));
        }
        frame.extend(body);
        self.trailer(&mut frame);
        frame
    }

    /// Begins another stream; the oldest of a few makes room.
    fn open(&mut self) {
        if self.streams.len() >= 24 {
            self.streams.remove(0);
        }
        let v4 = self.random.once_in(2);
        let (from, to) = (self.address(v4), self.address(v4));
        let (from, to) = match (from, to) {
            (IpAddr::V4(_), IpAddr::V4(_)) | (IpAddr::V6(_), IpAddr::V6(_)) => (from, to),
            _ => (self.addresses[1], self.addresses[2]),
        };
        let (port, bytes) = (self.port(), beginning(&mut self.random));
        let random = &mut self.random;
        self.streams.push(Stream {
            mac: random.one_of(&MACS),
            from,
            to,
            ports: (random.one_of(&[50_000, 50_001, 50_002]), port),
            number: random.one_of(&[0, u32::MAX, u32::MAX - 5, 1 << 31, 77]),
            bytes,
            sent: 0,
        });
    }
}
