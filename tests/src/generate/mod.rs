//! Frames and policies made up at random, most of them close to something that matters: a
//! frame that is random all over is not even IP.

mod payload;
mod policy;
mod stream;

use std::net::IpAddr;

use mqttguard_common::Mac;

use crate::frames::{ROUTER, connect};
use crate::random::Random;
use payload::payload;
use stream::Stream;

/// Source addresses of all frames: devices first, and some that nobody names.
const MACS: [Mac; 12] = [
    Mac([0x02, 0xc1, 0x1e, 0, 0, 1]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 2]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 3]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 4]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 5]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 6]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 7]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 8]),
    Mac([0x02, 0xc1, 0x1e, 0, 0, 9]),
    Mac([0x02, 0xc1, 0x1e, 0, 1, 1]),
    Mac([0xff; 6]),
    Mac([0; 6]),
];
const NAMED: usize = 8;

/// Addresses, of which random rules make some the router's own.
const ADDRESSES: [&str; 18] = [
    "192.168.1.1",
    "192.168.1.77",
    "192.0.2.10",
    "192.0.2.11",
    "192.0.3.1",
    "10.1.2.3",
    "10.1.2.130",
    "255.255.255.255",
    "0.0.0.0",
    "fd00::1",
    "fd00::77",
    "fe80::1",
    "2001:db8::10",
    "2001:db8:0:1::10",
    "2001:db9::1",
    "ff02::1:2",
    "::ffff:192.0.2.10",
    "::ffff:192.168.1.1",
];

const PORTS: [u16; 20] = [
    0, 1, 63, 64, 67, 68, 80, 443, 546, 547, 1882, 1883, 1884, 2883, 8080, 8883, 8884, 9001,
    65_534, 65_535,
];

/// A source of policies and frames.
pub struct Generator {
    random: Random,
    addresses: Vec<IpAddr>,
    /// What the rules of the moment speak of, which frames are drawn to.
    ports: Vec<u16>,
    router: Vec<IpAddr>,
    /// TCP streams under way, of which a good part of the frames carry pieces.
    streams: Vec<Stream>,
}

impl Generator {
    /// Everything it makes follows from the seed.
    pub fn new(seed: u64) -> Self {
        Generator {
            random: Random::new(seed),
            addresses: ADDRESSES
                .iter()
                .map(|address| address.parse().unwrap())
                .collect(),
            ports: Vec::new(),
            router: Vec::new(),
            streams: Vec::new(),
        }
    }

    /// A frame of at least an Ethernet header.
    pub fn frame(&mut self) -> Vec<u8> {
        let mut frame = match self.random.below(3) {
            0 => self.piece(),
            _ => self.whole(),
        };
        // A test run takes no more than fits a page.
        frame.truncate(3_400);
        let random = &mut self.random;
        if random.once_in(40) {
            // To a group.
            frame[0] |= 1;
        }
        if random.once_in(4) {
            for _ in 0..=random.below(3) {
                let at = 12 + random.below(frame.len() - 12);
                frame[at] = match random.below(3) {
                    0 => random.byte(),
                    1 => frame[at] ^ 1 << random.below(8),
                    _ => random.one_of(&[0, 1, 4, 6, 17, 44, 60, 0x45, 0x7f, 0x80, 0xff]),
                };
            }
        }
        if random.once_in(6) {
            let length = 14 + random.below(frame.len() - 13);
            frame.truncate(length);
        }
        frame
    }

    fn whole(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        let mut frame = Vec::with_capacity(256);
        frame.extend(ROUTER.0);
        frame.extend(random.one_of(&MACS).0);
        let tags = random.one_of(&[0, 0, 0, 0, 1, 1, 2, 3]);
        for _ in 0..tags {
            let kind = match random.below(10) {
                0 => 0x9100u16,
                1..=3 => 0x88a8,
                _ => 0x8100,
            };
            frame.extend(kind.to_be_bytes());
            let control = [random.byte(), random.byte()];
            frame.extend(random.one_of(&[control, [0, 0], [0x20, 10], [0x20, 10], [0, 11]]));
        }
        let family = random.below(20);
        let to = self.address(family < 10);
        let from = self.address(family < 10);
        let random = &mut self.random;
        match family {
            0 if random.once_in(2) => {
                let kind = random.one_of(&[0x0806u16, 0x8864, 0x88cc, 0x05dc]);
                frame.extend(kind.to_be_bytes());
                frame.extend(random.bytes(48));
            }
            0 => {
                frame.extend([0x08, 0x06, 0, 1, 0x08, 0x00, 6, 4, 0, 1]);
                frame.extend(random.bytes(6));
                frame.extend(v4_octets(from));
                frame.extend(random.bytes(6));
                frame.extend(v4_octets(to));
            }
            1..=9 => self.v4(&mut frame, from, to),
            _ => self.v6(&mut frame, from, to),
        }
        if self.random.once_in(12) {
            self.dial(&mut frame, tags);
        }
        self.trailer(&mut frame);
        frame
    }

    /// Puts a packet into a PPPoE session.
    fn dial(&mut self, frame: &mut Vec<u8>, tags: usize) {
        let kind = 12 + 4 * tags;
        let protocol: u16 = match (self.random.below(8), &frame[kind..kind + 2]) {
            (0, _) => 0xc021,
            (_, [0x08, 0x00]) => 0x0021,
            (_, _) => 0x0057,
        };
        let length = (frame.len() - kind) as u16;
        let mut session = vec![0x88, 0x64, 0x11, 0, 0, 7];
        session.extend(length.to_be_bytes());
        session.extend(protocol.to_be_bytes());
        frame.splice(kind..kind + 2, session);
    }

    /// What stands behind a packet is nobody's business, least of all when it looks like the
    /// next header.
    fn trailer(&mut self, frame: &mut Vec<u8>) {
        let random = &mut self.random;
        match random.below(8) {
            0 => frame.resize(frame.len().max(60), 0),
            1 => {
                frame.extend([random.one_of(&[6, 17, 44, 59, 60]), 0, 0, 0, 0, 0, 0, 0]);
                let segment = self.tcp();
                frame.extend(segment);
            }
            2 => frame.extend(connect("MQTT", 4, 4)),
            3 if random.once_in(50) => frame.extend(random.bytes(1600)),
            _ => {}
        }
    }

    fn v4(&mut self, frame: &mut Vec<u8>, from: IpAddr, to: IpAddr) {
        let (protocol, body) = self.above();
        let random = &mut self.random;
        let options = match random.below(3) {
            0 => random.below(11),
            _ => 0,
        };
        let header = 20 + 4 * options;
        let fragment: u16 = match random.below(16) {
            0 => 0x2000,
            1 => 0x2000 | random.one_of(&[1, 2, 9, 10, 185, 0x1fff]),
            2 => random.one_of(&[1, 3, 9, 10, 0x1fff]),
            3 => 0x8000,
            _ => 0x4000,
        };
        frame.extend([0x08, 0x00, 0x40 | (header / 4) as u8, 0]);
        let length = length(random, header + body.len());
        frame.extend(length.to_be_bytes());
        frame.extend([0x12, 0x34]);
        frame.extend(fragment.to_be_bytes());
        frame.extend([64, protocol, 0, 0]);
        frame.extend(v4_octets(from));
        frame.extend(v4_octets(to));
        frame.extend(random.bytes(4 * options));
        frame.extend(body);
    }

    fn v6(&mut self, frame: &mut Vec<u8>, from: IpAddr, to: IpAddr) {
        let (protocol, body) = self.above();
        let random = &mut self.random;
        let count = random.one_of(&[0, 0, 0, 1, 1, 2, 3, 5, 6, 7]);
        let kinds: Vec<u8> = (0..count)
            .map(|_| random.one_of(&[0, 43, 44, 44, 44, 51, 60, 60, 135, 139, 140, 50]))
            .chain([protocol])
            .collect();
        let mut above = Vec::new();
        for pair in kinds.windows(2) {
            let [kind, next] = *pair else { continue };
            above.push(next);
            match kind {
                44 => {
                    let place = random.one_of(&[0u16, 0, 1, 1, 1, 6, 8, 9, 72, 73, 80, 0xfff8]);
                    above.push(random.byte());
                    above.extend(place.to_be_bytes());
                    above.extend([0, 0, 0, 7]);
                }
                51 => {
                    let words = random.one_of(&[1u8, 4, 4, 5]);
                    above.push(words);
                    above.extend(random.bytes(4 * (usize::from(words) + 2) - 2));
                }
                _ => {
                    let words = random.one_of(&[0u8, 0, 0, 1, 3]);
                    above.push(words);
                    above.extend(random.bytes(8 * (usize::from(words) + 1) - 2));
                }
            }
        }
        // A fragment may end anywhere, also between or within the headers.
        above.extend(body);
        if random.once_in(4) {
            let keep = random.below(above.len() + 1);
            above.truncate(keep);
        }
        frame.extend([0x86, 0xdd, 0x60, 0, 0, 0]);
        let length = length(random, above.len());
        frame.extend(length.to_be_bytes());
        frame.extend([kinds[0], 64]);
        frame.extend(v6_octets(from));
        frame.extend(v6_octets(to));
        frame.extend(above);
    }

    /// A protocol and what it says.
    fn above(&mut self) -> (u8, Vec<u8>) {
        let random = &mut self.random;
        match random.below(10) {
            0 => (
                random.one_of(&[1, 2, 41, 47, 50, 58, 59, 132, 136]),
                random.bytes(24),
            ),
            1..=3 => (17, self.udp()),
            _ => (6, self.tcp()),
        }
    }

    /// Of the right family, unless that is hard to come by.
    fn address(&mut self, v4: bool) -> IpAddr {
        let pool = if self.random.once_in(2) && !self.router.is_empty() {
            &self.router
        } else {
            &self.addresses
        };
        let mut address = self.random.one_of(pool);
        for _ in 0..5 {
            if address.is_ipv4() == v4 {
                break;
            }
            address = self.random.one_of(pool);
        }
        address
    }

    fn port(&mut self) -> u16 {
        match self.random.below(10) {
            0 => self.random.word() as u16,
            1..=4 => self.random.one_of(&PORTS),
            _ => self.random.one_of(&self.ports),
        }
    }

    fn udp(&mut self) -> Vec<u8> {
        let (from, to) = match self.random.below(4) {
            0 => (68, 67),
            1 => (546, 547),
            _ => (self.port(), self.port()),
        };
        let mut body = Vec::new();
        body.extend(from.to_be_bytes());
        body.extend(to.to_be_bytes());
        body.extend([0, 12, 0, 0, 2, 4, 0, 0]);
        cut_short(&mut self.random, &mut body);
        body
    }

    fn tcp(&mut self) -> Vec<u8> {
        let port = self.port();
        let payload = payload(&mut self.random);
        let random = &mut self.random;
        let words = random.one_of(&[5, 5, 5, 8, 8, 6, 15, 4, 0]);
        let mut body = Vec::with_capacity(60 + payload.len());
        body.extend(50_000u16.to_be_bytes());
        body.extend(port.to_be_bytes());
        body.extend(random.bytes(8));
        body.extend([
            words << 4,
            random.one_of(&[0x02, 0x10, 0x18, 0x12, 0x04, 0x14, 0x01, 0x11, 0x00]),
        ]);
        body.extend([0xff, 0xff, 0, 0, 0, 0]);
        body.extend(random.bytes((usize::from(words) * 4).saturating_sub(20)));
        body.extend(payload);
        cut_short(random, &mut body);
        body
    }
}

/// Now and then a body ends early, as in a fragment.
fn cut_short(random: &mut Random, body: &mut Vec<u8>) {
    if random.once_in(5) {
        let keep = random.below(body.len() + 1);
        body.truncate(keep);
    }
}

/// The length field of a packet that is this long.
fn length(random: &mut Random, right: usize) -> u16 {
    let right = right as u16;
    match random.below(24) {
        0 => 0,
        1 => right.saturating_sub(random.below(40) as u16),
        2 => right.saturating_add(random.below(40) as u16),
        3 => random.word() as u16,
        _ => right,
    }
}

fn v4_octets(address: IpAddr) -> [u8; 4] {
    match address {
        IpAddr::V4(v4) => v4.octets(),
        IpAddr::V6(v6) => {
            let [.., a, b, c, d] = v6.octets();
            [a, b, c, d]
        }
    }
}

fn v6_octets(address: IpAddr) -> [u8; 16] {
    match address {
        IpAddr::V4(v4) => v4.to_ipv6_mapped().octets(),
        IpAddr::V6(v6) => v6.octets(),
    }
}
