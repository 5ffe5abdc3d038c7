//! Two clients that keep to the protocol over connections that do not hold: what is published
//! at QoS 1 arrives at least once, at QoS 2 exactly once, and all of it in order.

use std::collections::{BTreeSet, VecDeque};

use super::fuzz::Dice;
use super::packets::{self, Connect, In};
use super::rig::{Rig, config, limits};
use crate::{ConnId, Limits};

const MESSAGES: u32 = 300;

/// Where a message of the publisher's is.
struct Unacknowledged {
    id: u16,
    number: u32,
    qos: u8,
    received: bool,
}

impl Unacknowledged {
    fn packet(&self, level: u8, dup: bool) -> Vec<u8> {
        if self.received {
            return packets::ack(0x62, self.id);
        }
        let none: Option<&[&[u8]]> = (level == 5).then_some(&[]);
        let flags = self.qos << 1 | u8::from(dup) << 3;
        packets::publish(flags, "a", self.id, none, &self.number.to_be_bytes())
    }
}

struct Publisher {
    conn: ConnId,
    next: u32,
    id: u16,
    window: VecDeque<Unacknowledged>,
}

impl Publisher {
    fn publish(&mut self, rig: &mut Rig, dice: &mut Dice, level: u8) {
        if self.next == MESSAGES || self.window.len() >= 4 {
            return;
        }
        let message = Unacknowledged {
            id: self.id,
            number: self.next,
            qos: dice.of(&[1, 2]),
            received: false,
        };
        self.next += 1;
        self.id += 1;
        let bytes = message.packet(level, false);
        self.window.push_back(message);
        // Some of it may never arrive.
        let len = if dice.below(10) == 0 {
            dice.below(bytes.len())
        } else {
            bytes.len()
        };
        rig.send(self.conn, &bytes[..len]);
        if len < bytes.len() {
            rig.lose(self.conn);
        }
    }

    fn take(&mut self, rig: &mut Rig, got: In) {
        let In::Ack(first, id, _) = got else {
            panic!("{got:?}")
        };
        let Some(place) = self.window.iter().position(|message| message.id == id) else {
            return;
        };
        if first == 0x50 {
            self.window[place].received = true;
            rig.send(self.conn, &packets::ack(0x62, id));
        } else {
            self.window.remove(place);
        }
    }

    fn resume(&mut self, rig: &mut Rig, level: u8) {
        for message in &self.window {
            rig.send(self.conn, &message.packet(level, true));
        }
    }
}

struct Subscriber {
    conn: ConnId,
    /// QoS 2 packet identifiers received and not released.
    pending: BTreeSet<u16>,
    once: Vec<u32>,
    often: Vec<u32>,
}

impl Subscriber {
    fn take(&mut self, rig: &mut Rig, got: In) {
        let (first, id) = match got {
            In::Publish(message) => {
                let number = u32::from_be_bytes(message.payload.try_into().unwrap());
                if message.qos == 1 {
                    self.often.push(number);
                    (0x40, message.id)
                } else {
                    if self.pending.insert(message.id) {
                        self.once.push(number);
                    }
                    (0x50, message.id)
                }
            }
            In::Ack(0x62, id, _) => {
                self.pending.remove(&id);
                (0x70, id)
            }
            other => panic!("{other:?}"),
        };
        rig.send(self.conn, &packets::ack(first, id));
    }
}

fn run(seed: u64, level: u8) {
    let mut dice = Dice::new(seed);
    let limits = Limits {
        queue_messages: 1_000,
        in_flight: 4,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let client = |name: &str| {
        let connect = Connect::new(level, name).resume();
        if level == 5 {
            connect.expiry(u32::MAX)
        } else {
            connect
        }
    };
    let (publisher, subscriber) = (client("p"), client("s"));
    let conn = rig.connect(&subscriber);
    rig.subscribe(conn, &[("a", 2)]);
    let mut s = Subscriber {
        conn,
        pending: BTreeSet::new(),
        once: vec![],
        often: vec![],
    };
    let conn = rig.connect(&publisher);
    let mut p = Publisher {
        conn,
        next: 0,
        id: 1,
        window: VecDeque::new(),
    };
    let mut qos = Vec::new();
    let mut quiet = 0;
    while quiet < 50 {
        let before = p.next;
        p.publish(&mut rig, &mut dice, level);
        if p.next > before {
            qos.push(p.window.back().unwrap().qos);
        }
        let mut taken = 0;
        for got in rig.got(p.conn) {
            if dice.below(30) == 0 {
                // With everything that is on its way.
                rig.lose(p.conn);
                rig.got(p.conn);
                break;
            }
            p.take(&mut rig, got);
            taken += 1;
        }
        for got in rig.got(s.conn) {
            if dice.below(30) == 0 {
                // With everything that is on its way.
                rig.lose(s.conn);
                rig.got(s.conn);
                break;
            }
            s.take(&mut rig, got);
            taken += 1;
        }
        if !rig.is_open(p.conn) && dice.below(3) == 0 {
            let (conn, present) = rig.connect_with(&publisher);
            assert!(present, "seed {seed}");
            p.conn = conn;
            p.resume(&mut rig, level);
            taken += 1;
        }
        if !rig.is_open(s.conn) && dice.below(3) == 0 {
            let (conn, present) = rig.connect_with(&subscriber);
            assert!(present, "seed {seed}");
            s.conn = conn;
            taken += 1;
        }
        let done = taken == 0 && p.next == MESSAGES;
        quiet = if done && rig.is_open(p.conn) && rig.is_open(s.conn) {
            quiet + 1
        } else {
            0
        };
    }
    assert_eq!((p.window.len(), s.pending.len()), (0, 0), "seed {seed}");
    let of = |wanted: u8| {
        (0u32..)
            .zip(&qos)
            .filter(move |(_, q)| **q == wanted)
            .map(|(n, _)| n)
    };
    assert_eq!(s.once, of(2).collect::<Vec<_>>(), "seed {seed}: QoS 2");
    let mut first = BTreeSet::new();
    s.often.retain(|number| first.insert(*number));
    assert_eq!(s.often, of(1).collect::<Vec<_>>(), "seed {seed}: QoS 1");
    assert_eq!(rig.broker.stats().held_bytes, 0, "seed {seed}");
    assert_eq!(rig.broker.stats().messages_dropped, 0, "seed {seed}");
}

#[test]
fn mqtt_4_3_what_is_promised_is_kept_over_connections_that_do_not_hold() {
    for seed in 1..40 {
        run(seed, 4);
        run(seed, 5);
    }
}
