//! Crashes: at every frame, within frames, in snapshots, again and again. What is restored is
//! what the broker had to remember, to the last byte.

use std::sync::Arc;

use super::fuzz::{Dice, connect, some_packet};
use super::rig::{Rig, config, grants, limits};
use crate::{Boot, Broker, Clock, Config, ConnId, Flow, Limits, Outcome, Restore, Time, Transmit};

/// Everybody may do everything, as the rig's door has it.
fn restored(
    segments: &[Vec<u8>],
    config: Config,
    limits: &Limits,
    now: Time,
) -> (Broker, Outcome, bool) {
    let mut restore = Restore::new();
    let mut damaged = false;
    for segment in segments {
        // In pieces of any size.
        for piece in segment.chunks(97) {
            restore.feed(piece);
        }
        damaged |= restore.end_segment().damaged;
    }
    let (broker, outcome) = restore.finish(config, now, |_, _| {
        let all = grants(&["#"], &["#", "$SYS/#"]);
        Some((Arc::new(all), Arc::new(limits.clone())))
    });
    broker.check();
    (broker, outcome, damaged)
}

fn same(found: &[String], wanted: &[String], what: &str) {
    let odd = |of: &[String], to: &[String]| -> Vec<String> {
        of.iter()
            .filter(|line| !to.contains(line))
            .cloned()
            .collect()
    };
    let (more, less) = (odd(found, wanted), odd(wanted, found));
    assert!(
        more.is_empty() && less.is_empty(),
        "{what}: found {more:#?}, wanted {less:#?}"
    );
}

/// A broker whose journal is at hand.
struct Journaled {
    rig: Rig,
    config: Config,
    limits: Limits,
    segments: Vec<Vec<u8>>,
    clients: Vec<(ConnId, u8)>,
    /// Crashes, completed snapshots, bytes; so that a test that tests nothing shows.
    counts: [u64; 3],
}

impl Journaled {
    fn new(config: Config, limits: Limits) -> Journaled {
        let mut this = Journaled {
            rig: Rig::with(config.clone(), limits.clone()),
            config,
            limits,
            segments: Vec::new(),
            clients: Vec::new(),
            counts: [0; 3],
        };
        this.restart();
        this
    }

    fn restart(&mut self) {
        let now = self.rig.now;
        let (broker, outcome, damaged) =
            restored(&self.segments, self.config.clone(), &self.limits, now);
        assert!(!damaged);
        assert_eq!((outcome.missing, outcome.disowned), (0, 0), "{outcome:?}");
        self.rig.broker = broker;
        self.clients.clear();
        self.begin();
    }

    fn begin(&mut self) {
        self.rig.broker.begin_segment(Boot::default());
        self.segments.push(Vec::new());
    }

    /// What is written in one turn: how much of the last segment was there before.
    fn write(&mut self) -> usize {
        let clock = Clock {
            now: self.rig.now,
            wall_ms: 0,
        };
        let mut bytes = Vec::new();
        let complete = self.rig.broker.take_journal(clock, &mut bytes);
        let last = self.segments.last_mut().unwrap();
        let before = last.len();
        last.extend_from_slice(&bytes);
        self.counts[2] += bytes.len() as u64;
        if complete {
            self.counts[1] += 1;
            // The crash may come before the old segments are removed.
            self.check("before removal");
            self.segments.drain(..self.segments.len() - 1);
        }
        before
    }

    fn check(&self, what: &str) {
        let now = self.rig.now;
        let (broker, outcome, damaged) =
            restored(&self.segments, self.config.clone(), &self.limits, now);
        assert!(!damaged && outcome.missing == 0, "{what}");
        same(&broker.durable(now), &self.rig.broker.durable(now), what);
    }

    /// The same with the last segment cut or changed behind `whole` bytes.
    fn check_torn(&self, dice: &mut Dice, whole: usize, before: &[String], what: &str) {
        let last = self.segments.last().unwrap();
        if last.len() == whole {
            return;
        }
        let first = u32::from_le_bytes(last[whole..whole + 4].try_into().unwrap()) as usize + 12;
        let mut segments = self.segments.clone();
        let torn = segments.last_mut().unwrap();
        if dice.below(2) == 0 {
            torn.truncate(whole + dice.below(first));
            if last[whole + first - 1] != 0 && dice.below(2) == 0 {
                // Blocks that were reserved and not written.
                torn.resize(torn.len() + dice.below(5000), 0);
            }
        } else {
            torn.truncate(whole + first);
            let at = whole + 12 + dice.below(first - 12);
            torn[at] ^= 1 << dice.below(8);
        }
        let now = self.rig.now;
        let (broker, _, _) = restored(&segments, self.config.clone(), &self.limits, now);
        same(&broker.durable(now), before, what);
    }

    fn settle(&mut self) {
        let rig = &mut self.rig;
        while let Some((conn, request)) = rig.broker.next_request() {
            let decision = (rig.door)(&request);
            rig.broker.decide(rig.now, conn, decision);
        }
        while rig.broker.next_notice().is_some() {}
        rig.broker.check();
    }

    /// One random thing happens.
    fn step(&mut self, dice: &mut Dice) {
        let now = self.rig.now;
        if self.clients.len() < 6 && dice.below(4) == 0 {
            let level = dice.of(&[3, 4, 5, 5]);
            let conn = self.rig.broker.open(now).unwrap();
            let bytes = connect(dice, level);
            self.rig.broker.receive(now, conn, &bytes);
            self.clients.push((conn, level));
        } else if let Some(&(conn, level)) = self.clients.get(dice.below(self.clients.len())) {
            match dice.below(30) {
                0 => self.rig.broker.lost(now, conn),
                1..=12 => {
                    let mut out = Vec::new();
                    let room = dice.of(&[1, 60, 10_000]);
                    if self.rig.broker.transmit(now, conn, &mut out, room) == Transmit::Close {
                        self.rig.broker.lost(now, conn);
                    }
                }
                _ => {
                    let bytes = some_packet(dice, level);
                    self.rig.broker.receive(now, conn, &bytes);
                }
            }
        }
        match dice.below(80) {
            0 => self.rig.broker.kick(now, "x", crate::Kick::Banned),
            1 => self.rig.broker.forget(now, "y"),
            _ => {}
        }
        if dice.below(8) == 0 {
            self.rig.now = Time(now.0 + dice.below(3_000) as u64);
            self.rig.broker.tick(self.rig.now);
        }
        self.settle();
        let (now, broker) = (self.rig.now, &mut self.rig.broker);
        self.clients.retain(|&(conn, _)| {
            let open = broker.receive(now, conn, &[]) != Flow::Close;
            if !open {
                broker.lost(now, conn);
            }
            open
        });
    }
}

fn small() -> (Config, Limits) {
    let limits = Limits {
        subscriptions: 6,
        queue_messages: 8,
        queue_bytes: 2_000,
        in_flight: 3,
        retained_messages: 6,
        packet_size: 600,
        connections: 3,
        topic_levels: 4,
        ..limits()
    };
    let config = Config {
        connections: 8,
        sessions: 6,
        memory: 40_000,
        ..config()
    };
    (config, limits)
}

#[test]
fn a_crash_at_any_place_loses_nothing_and_brings_nothing_back() {
    let mut totals = [0; 3];
    for seed in 1..30 {
        let mut dice = Dice::new(seed);
        let (config, limits) = small();
        let mut house = Journaled::new(config, limits);
        house.write();
        for step in 0..300 {
            let what = format!("seed {seed}, step {step}");
            let before = house.rig.broker.durable(house.rig.now);
            let then = house.rig.now;
            house.step(&mut dice);
            let kept = house.segments.len();
            let whole = house.write();
            house.check(&what);
            if house.rig.now == then && house.segments.len() == kept {
                house.check_torn(&mut dice, whole, &before, &what);
            }
            match dice.below(40) {
                0 => house.begin(),
                1 => {
                    house.counts[0] += 1;
                    // A tear that the next run does not write behind.
                    let last = house.segments.last_mut().unwrap();
                    last.extend_from_slice(&vec![0x40; dice.below(12)]);
                    house.restart();
                }
                _ => {}
            }
        }
        for (total, count) in totals.iter_mut().zip(house.counts) {
            *total += count;
        }
    }
    let [crashes, snapshots, bytes] = totals;
    assert!(
        crashes > 50 && snapshots > 50 && bytes > 250_000,
        "{totals:?}"
    );
}
