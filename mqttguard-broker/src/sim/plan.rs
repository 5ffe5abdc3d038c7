//! What a schedule does, as bytes: from a seed, from a fuzzer, or what is left of either after
//! shrinking.

use std::sync::Arc;

use super::topics;
use crate::{Config, Grants, Limits, OverRate};

/// Devices of a simulation.
pub(super) const DEVICES: usize = 5;
/// Identities that the devices belong to.
pub(super) const IDENTITIES: [&str; 2] = ["x", "y"];
/// Longest time a session outlives its connection, in seconds.
pub(super) const SESSION_EXPIRY_S: u32 = 3_600;

pub(super) const TOPICS: [&str; 16] = [
    "a", "a/b", "a/b/c", "b", "b//c", "/", "ü/b", "$d/b", "a", "a/b", "a/b/c", "a/b", "a/x/c", "a",
    "b", "a/b",
];
pub(super) const FILTERS: [&str; 14] = [
    "#",
    "a",
    "a/#",
    "+/b",
    "a/+/c",
    "+",
    "b//c",
    "/+",
    "w/+",
    "$share/g/a/#",
    "$share/g/+",
    "$share/h/#",
    "$share/h/a/b",
    "+/#",
];

/// A schedule: bounds and clients, and what happens one after the other.
#[derive(Clone, Debug)]
pub struct Plan {
    pub(super) setup: [u8; 16],
    pub(super) steps: Vec<[u8; 4]>,
}

impl Plan {
    /// A schedule of this seed's.
    pub fn seeded(seed: u64) -> Plan {
        let mut dice = Dice::new(seed);
        let len = 60 + dice.next() as usize % 240;
        let mut bytes = || (dice.next() >> 24) as u8;
        Plan {
            setup: std::array::from_fn(|_| bytes()),
            steps: (0..len).map(|_| std::array::from_fn(|_| bytes())).collect(),
        }
    }

    /// The schedule that these bytes are; `None` if there are too few of them for one.
    pub fn of_bytes(bytes: &[u8]) -> Option<Plan> {
        let (setup, steps) = bytes.split_at_checked(16)?;
        let steps = steps.chunks_exact(4).take(1_000);
        Some(Plan {
            setup: setup.try_into().ok()?,
            steps: steps.filter_map(|step| step.try_into().ok()).collect(),
        })
    }
}

/// A small generator (xorshift64*), good enough to shake things.
struct Dice(u64);

impl Dice {
    fn new(seed: u64) -> Dice {
        // Not 0, and seeds that are near one another do not start alike.
        let mut dice = Dice((seed ^ 0xD1B5_4A32).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1);
        dice.next();
        dice
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }
}

/// The bounds of one simulation, and its clients.
#[derive(Clone, Debug)]
pub(super) struct Setup {
    /// The broker keeps a journal, and may crash.
    pub(super) journaled: bool,
    pub(super) in_flight: u16,
    pub(super) queue_messages: u32,
    pub(super) connections: u32,
    pub(super) retained_messages: u32,
    pub(super) devices: [Kind; DEVICES],
}

/// What a client is like.
#[derive(Clone, Debug)]
pub(super) struct Kind {
    /// Index into [`IDENTITIES`].
    pub(super) identity: usize,
    pub(super) name: &'static str,
    /// 3, 4 or 5.
    pub(super) level: u8,
    /// Seconds, 0 for none.
    pub(super) keep_alive: u16,
    pub(super) receive_maximum: u16,
    pub(super) maximum_packet_size: u32,
    pub(super) alias_maximum: u16,
    /// Does not wait for the CONNACK.
    pub(super) eager: bool,
}

impl Setup {
    pub(super) fn of(bytes: &[u8; 16]) -> Setup {
        // The first and the last share a client identifier, and not an identity.
        let names = ["one", "two", "three", "four", "one"];
        let devices = std::array::from_fn(|n| {
            let (a, b) = (bytes[4 + 2 * n], bytes[5 + 2 * n]);
            let level = [3, 4, 4, 5, 5, 5, 5, 5][usize::from(a & 7)];
            let v5 = level == 5;
            Kind {
                identity: usize::from(n >= 3),
                name: names[n],
                level,
                keep_alive: [0, 0, 0, 7][usize::from(a >> 3 & 3)],
                receive_maximum: if v5 {
                    [u16::MAX, 1, 2, 5][usize::from(b & 3)]
                } else {
                    u16::MAX
                },
                maximum_packet_size: if v5 && b >> 2 & 3 == 3 { 60 } else { u32::MAX },
                alias_maximum: if v5 {
                    [0, 2, 40, 0][usize::from(b >> 4 & 3)]
                } else {
                    0
                },
                eager: b >> 6 == 3,
            }
        });
        Setup {
            journaled: bytes[0] & 0x10 != 0,
            in_flight: [1, 2, 4, 10][usize::from(bytes[0] & 3)],
            queue_messages: if bytes[1] & 3 == 3 { 4 } else { 10_000 },
            connections: if bytes[2] & 3 == 3 { 2 } else { 100 },
            retained_messages: if bytes[3] & 3 == 3 { 2 } else { 1_000 },
            devices,
        }
    }

    /// Whether a quota on retained messages may be met.
    pub(super) fn few_retained(&self) -> bool {
        self.retained_messages < 100
    }

    pub(super) fn config(&self) -> Config {
        Config {
            connections: 1_000,
            connect_timeout_ms: 5_000,
            connect_size: 4_096,
            sessions: 1_000,
            memory: 64 << 20,
            retained_messages_total: 1_000_000,
            retained_bytes_total: 32 << 20,
        }
    }

    pub(super) fn limits(&self) -> Arc<Limits> {
        Arc::new(Limits {
            packet_size: 64 << 10,
            messages_per_s: 1_000_000,
            bytes_per_s: 1_000_000_000,
            over_rate: OverRate::Pace,
            burst_ms: 1_000,
            connections: self.connections,
            subscriptions: 100,
            topic_length: 65_535,
            topic_levels: 16,
            user_properties: 64,
            will_size: 64 << 10,
            in_flight: self.in_flight,
            queue_messages: self.queue_messages,
            queue_bytes: 1 << 24,
            retained_messages: self.retained_messages,
            retained_bytes: 1 << 24,
            session_expiry_s: SESSION_EXPIRY_S,
        })
    }
}

/// What a variant of grants lets publish and subscribe, and what it denies all the same.
pub(super) struct Granted {
    publish: &'static [&'static str],
    subscribe: &'static [&'static str],
    deny: &'static [&'static str],
}

pub(super) fn granted(variant: usize) -> Granted {
    let (publish, subscribe, deny): (&[_], &[_], &[_]) = match variant {
        0 => (&["#"], &["#"], &[]),
        1 => (&["a/#"], &["a/#", "+/b"], &[]),
        2 => (&["#"], &["#"], &["a/b/c", "+"]),
        _ => (&["#"], &["+", "b//c", "a/b/+"], &[]),
    };
    Granted {
        publish,
        subscribe,
        deny,
    }
}

impl Granted {
    fn denies(&self, topic: &str) -> bool {
        self.deny
            .iter()
            .any(|filter| topics::matches(filter, topic))
    }

    pub(super) fn may_publish(&self, topic: &str) -> bool {
        let covered = self
            .publish
            .iter()
            .any(|grant| topics::matches(grant, topic));
        covered && !topic.starts_with('$') && !self.denies(topic)
    }

    pub(super) fn may_read(&self, topic: &str) -> bool {
        let covered = self
            .subscribe
            .iter()
            .any(|grant| topics::matches(grant, topic));
        covered && !self.denies(topic)
    }

    /// The reason code that a filter is refused with, or 0.
    pub(super) fn refuses(&self, filter: &str) -> u8 {
        if self
            .deny
            .iter()
            .any(|denied| topics::covers(denied, filter))
        {
            return 0x80;
        }
        let covered = self
            .subscribe
            .iter()
            .any(|grant| topics::covers(grant, filter));
        if covered { 0 } else { 0x87 }
    }
}

pub(super) fn grants(variant: usize) -> Arc<Grants> {
    let own = |list: &[&str]| list.iter().map(|&filter| filter.to_owned()).collect();
    let granted = granted(variant);
    Arc::new(Grants {
        publish: own(granted.publish),
        subscribe: own(granted.subscribe),
        deny: own(granted.deny),
    })
}
