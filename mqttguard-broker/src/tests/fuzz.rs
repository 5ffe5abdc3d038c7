//! Random and mutated input, cut anywhere: nothing panics, every bound holds, and what is left
//! at the end is nothing. Seeded, so that a failure comes again.

use super::packets::{self, Connect};
use super::rig::{Rig, config, limits};
use crate::{ConnId, Flow, Limits, Transmit};

/// A small generator (xorshift64*), good enough to shake things.
pub(super) struct Dice(u64);

impl Dice {
    pub(super) fn new(seed: u64) -> Dice {
        // Not 0, and seeds that are near one another do not start alike.
        Dice(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    pub(super) fn below(&mut self, n: usize) -> usize {
        (self.next() >> 16) as usize % n.max(1)
    }

    pub(super) fn of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.below(list.len())]
    }
}

const TOPICS: [&str; 8] = ["a", "a/b", "a/b/c", "b", "/", "b//c", "$SYS/x", "ü/ß"];
const FILTERS: [&str; 12] = [
    "#",
    "a",
    "a/#",
    "+/b",
    "a/+/c",
    "+",
    "$share/g/a/#",
    "$share/g/+/b",
    "$share/h/#",
    "$SYS/#",
    "b//c",
    "/+",
];

pub(super) fn connect(dice: &mut Dice, level: u8) -> Vec<u8> {
    let mut connect = Connect::new(level, dice.of(&["", "one", "two", "three"]));
    connect.clean = dice.below(2) == 0;
    connect.keep_alive = dice.of(&[0, 1, 30]);
    if level == 5 {
        connect = connect
            .expiry(dice.of(&[0, 5, u32::MAX]))
            .prop(&[0x21, 0, dice.of(&[1, 3, 40])]);
        connect = connect.prop(&[0x27, 0, 0, 0, dice.of(&[20, 255])]);
        connect = connect.prop(&[0x22, 0, dice.of(&[0, 2, 200])]);
    }
    if dice.below(2) == 0 {
        let delay: &[&[u8]] = &[&[0x18, 0, 0, 0, dice.of(&[0, 3])]];
        let qos = dice.of(&[0, 1, 2]);
        connect = connect.will(dice.of(&TOPICS), qos, dice.below(2) == 0, delay);
    }
    if dice.below(3) == 0 {
        connect = connect.user(dice.of(&["x", "y"]));
    }
    connect.bytes()
}

pub(super) fn some_packet(dice: &mut Dice, level: u8) -> Vec<u8> {
    let id = dice.below(6) as u16;
    let seconds = dice.of(&[0, 1, 60]);
    let expiry = [2, 0, 0, 0, seconds];
    let alias = [0x23, 0, dice.of(&[0, 1, 2, 16, 17])];
    let user = *b"\x26\0\x01n\0\x01v";
    let pick: [&[&[u8]]; 5] = [
        &[],
        &[&expiry],
        &[&alias],
        &[&user, &expiry],
        &[&alias, &user],
    ];
    let list = (level == 5).then(|| dice.of(&pick));
    let none: Option<&[&[u8]]> = (level == 5).then_some(&[]);
    match dice.below(12) {
        0..=4 => {
            let flags = dice.of(&[0, 1, 2, 3, 4, 5, 0x0C]);
            let payload = vec![7; dice.of(&[0, 3, 200])];
            let topic = if dice.below(9) == 0 {
                ""
            } else {
                dice.of(&TOPICS)
            };
            packets::publish(flags, topic, id, list, &payload)
        }
        5 | 6 => {
            let options = if level == 5 {
                dice.below(0x30) as u8 & !3
            } else {
                0
            };
            let qos = dice.of(&[0, 1, 2]);
            packets::subscribe(
                id,
                none,
                &[(dice.of(&FILTERS), options | qos), (dice.of(&FILTERS), qos)],
            )
        }
        7 => packets::unsubscribe(id, level == 5, &[dice.of(&FILTERS)]),
        8..=10 => packets::ack(dice.of(&[0x40, 0x50, 0x62, 0x70]), id),
        _ => dice
            .of(&[
                &packets::PINGREQ[..],
                &packets::PINGREQ,
                &packets::DISCONNECT,
            ])
            .to_vec(),
    }
}

fn mutate(dice: &mut Dice, bytes: &mut Vec<u8>) {
    for _ in 0..=dice.below(2) {
        let place = dice.below(bytes.len());
        match dice.below(4) {
            0 if !bytes.is_empty() => bytes[place] ^= 1 << dice.below(8),
            1 if !bytes.is_empty() => bytes[place] = dice.next() as u8,
            2 => bytes.insert(place, dice.next() as u8),
            _ => bytes.truncate(place),
        }
    }
}

struct Client {
    conn: ConnId,
    level: u8,
    reads: bool,
}

/// Answers how many messages reached a client.
fn round(seed: u64, mutations: usize) -> u64 {
    let mut dice = Dice::new(seed);
    let limits = Limits {
        subscriptions: 6,
        queue_messages: 8,
        queue_bytes: 2_000,
        in_flight: 3,
        retained_messages: 4,
        packet_size: 600,
        connections: 3,
        topic_levels: 4,
        ..limits()
    };
    let config = crate::Config {
        connections: 8,
        sessions: 6,
        memory: 20_000,
        ..config()
    };
    let memory = config.memory;
    let mut rig = Rig::with(config, limits);
    let mut clients: Vec<Client> = Vec::new();
    for _ in 0..300 {
        if clients.len() < 6 && dice.below(4) == 0 {
            let level = dice.of(&[3, 4, 5, 5]);
            let conn = rig.open();
            let bytes = connect(&mut dice, level);
            send(&mut rig, &mut dice, conn, &bytes);
            clients.push(Client {
                conn,
                level,
                reads: dice.below(4) > 0,
            });
        }
        let place = dice.below(clients.len());
        if let Some(client) = clients.get(place) {
            let (conn, level) = (client.conn, client.level);
            let mut bytes = some_packet(&mut dice, level);
            if mutations > 0 && dice.below(mutations) == 0 {
                mutate(&mut dice, &mut bytes);
            }
            send(&mut rig, &mut dice, conn, &bytes);
            if client.reads {
                take(&mut rig, conn, dice.of(&[1, 10, 10_000]));
            }
            if dice.below(40) == 0 {
                rig.broker.lost(rig.now, conn);
            }
        }
        match dice.below(60) {
            0 => rig.broker.regrant(
                rig.now,
                "all",
                |_| super::rig::grants(&["a/#"], &["a/#", "+"]).into(),
                &super::rig::limits().into(),
            ),
            1 => rig.broker.kick(rig.now, "x", crate::Kick::Banned),
            2 => rig.broker.forget(rig.now, "all"),
            _ => {}
        }
        if dice.below(8) == 0 {
            rig.now = crate::Time(rig.now.0 + dice.below(3_000) as u64);
            rig.broker.tick(rig.now);
        }
        settle(&mut rig);
        assert!(
            rig.broker.stats().held_bytes <= memory + 8_000,
            "seed {seed}"
        );
        clients.retain(|client| {
            let open = rig.broker.receive(rig.now, client.conn, &[]) != Flow::Close;
            if !open && dice.below(3) == 0 {
                rig.broker.lost(rig.now, client.conn);
                return false;
            }
            true
        });
    }
    // Everybody leaves, and all sessions end: nothing is left but what is retained.
    for client in clients {
        rig.broker.lost(rig.now, client.conn);
    }
    settle(&mut rig);
    for identity in ["all", "x", "y"] {
        rig.broker.forget(rig.now, identity);
    }
    settle(&mut rig);
    let stats = rig.broker.stats();
    assert_eq!(
        (stats.connections, stats.sessions, stats.retained),
        (0, 0, 0),
        "seed {seed}"
    );
    assert_eq!(stats.held_bytes, 0, "seed {seed}");
    stats.messages_out
}

/// Decides and looks, without taking what is to be sent.
fn settle(rig: &mut Rig) {
    while let Some((conn, request)) = rig.broker.next_request() {
        let decision = (rig.door)(&request);
        rig.broker.decide(rig.now, conn, decision);
    }
    while rig.broker.next_notice().is_some() {}
    rig.broker.check();
}

fn send(rig: &mut Rig, dice: &mut Dice, conn: ConnId, bytes: &[u8]) {
    let mut left = bytes;
    while !left.is_empty() {
        let (piece, rest) = left.split_at(dice.below(left.len()) + 1);
        rig.broker.receive(rig.now, conn, piece);
        left = rest;
        if dice.below(2) == 0 {
            settle(rig);
        }
    }
}

fn take(rig: &mut Rig, conn: ConnId, room: usize) {
    let mut out = Vec::new();
    if rig.broker.transmit(rig.now, conn, &mut out, room) == Transmit::Close {
        rig.broker.lost(rig.now, conn);
    }
    assert!(out.len() <= room + 700);
}

#[test]
fn well_formed_packets_in_any_order() {
    let delivered: u64 = (1..200).map(|seed| round(seed, 0)).sum();
    // It is no test if nobody gets through.
    assert!(delivered > 1_000, "{delivered}");
}

#[test]
fn mutated_packets_in_any_order() {
    let delivered: u64 = (1_000..1_200).map(|seed| round(seed, 12)).sum();
    assert!(delivered > 1_000, "{delivered}");
}

#[test]
fn random_bytes() {
    let mut dice = Dice::new(99);
    for _ in 0..3_000 {
        let mut rig = Rig::new();
        let conn = if dice.below(2) == 0 {
            rig.connect(&Connect::new(dice.of(&[3, 4, 5]), "c"))
        } else {
            rig.open()
        };
        let mut bytes: Vec<u8> = (0..dice.below(60)).map(|_| dice.next() as u8).collect();
        if let Some(first) = bytes.first_mut() {
            *first = dice.of(&[
                0x10, 0x30, 0x32, 0x34, 0x3D, 0x40, 0x62, 0x82, 0xA2, 0xE0, 0xF0,
            ]);
        }
        if let Some(len) = bytes.get_mut(1) {
            *len %= 64;
        }
        send(&mut rig, &mut dice, conn, &bytes);
        settle(&mut rig);
    }
}
