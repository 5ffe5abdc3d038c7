//! What clients see of a broker that was restored.

use std::sync::Arc;

use super::packets::{self, Connect};
use super::rig::{Rig, brief, config, grants, limits};
use crate::{Boot, Clock, Config, Limits, Outcome, Restore, Segment};

/// A house whose broker can crash.
struct House {
    rig: Rig,
    bytes: Vec<u8>,
}

impl House {
    fn new() -> House {
        let mut house = House {
            rig: Rig::new(),
            bytes: Vec::new(),
        };
        house.crash();
        house
    }

    /// The broker is gone, and comes back with what it had written.
    fn crash(&mut self) -> Outcome {
        self.crash_into(config(), limits(), "all")
    }

    fn crash_into(&mut self, config: Config, limits: Limits, known: &str) -> Outcome {
        self.write();
        let mut restore = Restore::new();
        restore.feed(&self.bytes);
        assert!(!restore.end_segment().damaged);
        let (broker, outcome) = restore.finish(config, self.rig.now, |identity, _| {
            let all = grants(&["#"], &["#"]);
            (identity == known).then(|| (Arc::new(all), Arc::new(limits.clone())))
        });
        self.rig.broker = broker;
        self.rig.broker.begin_segment(Boot::default());
        self.bytes.clear();
        self.rig.broker.check();
        outcome
    }

    fn write(&mut self) {
        let (now, wall_ms) = (self.rig.now, 1);
        let clock = Clock { now, wall_ms };
        while !self.rig.broker.take_journal(clock, &mut self.bytes)
            && self.rig.broker.is_snapshotting()
        {}
    }
}

fn lasting(client_id: &str) -> Connect {
    let mut connect = Connect::new(4, client_id);
    connect.clean = false;
    connect
}

#[test]
fn what_was_in_flight_is_sent_again_with_its_identifier_and_the_rest_in_order() {
    let mut house = House::new();
    let sub = house.rig.connect(&lasting("sub"));
    house.rig.subscribe(sub, &[("t", 2)]);
    let from = house.rig.connect(&Connect::new(4, "pub"));
    house.rig.deaf.push(sub);
    for n in 0..3 {
        house.rig.publish(from, 4, "t", &n.to_string());
    }
    // The first is on its way, the others wait.
    let mut out = Vec::new();
    house.rig.broker.transmit(house.rig.now, sub, &mut out, 1);
    house.crash();
    house.rig.deaf.clear();
    let (sub, present) = house.rig.connect_with(&lasting("sub"));
    assert!(present);
    let got = house.rig.messages(sub);
    let flags: Vec<(u16, bool)> = got.iter().map(|p| (p.id, p.dup)).collect();
    assert_eq!(flags, [(1, true), (2, false), (3, false)]);
    let payloads: Vec<String> = brief(&got)
        .into_iter()
        .map(|(_, payload)| payload)
        .collect();
    assert_eq!(payloads, ["0", "1", "2"]);
}

#[test]
fn a_qos_2_message_that_was_taken_is_not_taken_again() {
    let mut house = House::new();
    let sub = house.rig.connect(&lasting("sub"));
    house.rig.subscribe(sub, &[("t", 1)]);
    house.rig.lose(sub);
    let from = house.rig.connect(&lasting("pub"));
    let publish = |flags| packets::publish(flags, "t", 7, None, b"once");
    house.rig.send(from, &publish(4));
    house.crash();
    let from = house.rig.connect(&lasting("pub"));
    house.rig.send(from, &publish(4 | 8));
    house.rig.send(from, &packets::ack(0x62, 7));
    let sub = house.rig.connect(&lasting("sub"));
    assert_eq!(house.rig.messages(sub).len(), 1);
}

fn with_will(client_id: &str) -> Connect {
    Connect::new(4, client_id).will("t", 1, false, &[])
}

#[test]
fn the_will_of_a_client_that_does_not_come_back_is_published_after_a_grace() {
    let mut house = House::new();
    let sub = house.rig.connect(&lasting("sub"));
    house.rig.subscribe(sub, &[("t", 1)]);
    house.rig.connect(&with_will("lost"));
    house.rig.connect(&with_will("back"));
    house.crash();
    let sub = house.rig.connect(&lasting("sub"));
    house.rig.pass(59_000);
    // It has left its session behind, which was nothing but a will.
    let (back, present) = house.rig.connect_with(&with_will("back"));
    assert!(!present && house.rig.is_open(back));
    // Another crash does not make it any longer.
    assert_eq!(house.rig.messages(sub).len(), 0);
    house.rig.pass(1_500);
    assert_eq!(house.rig.messages(sub).len(), 1);
    house.rig.pass(60_000);
    assert_eq!(house.rig.messages(sub).len(), 0);
}

#[test]
fn lower_limits_lose_nothing_that_was_acknowledged() {
    let mut house = House::new();
    for client in ["one", "two", "three"] {
        let sub = house.rig.connect(&lasting(client));
        house.rig.subscribe(sub, &[("t", 1), ("u", 1)]);
        house.rig.lose(sub);
        house.rig.pass(1_000);
    }
    let from = house.rig.connect(&Connect::new(4, "pub"));
    for n in 0..20 {
        house.rig.publish(from, 3, "t", &n.to_string());
    }
    let less = Limits {
        subscriptions: 1,
        queue_messages: 2,
        queue_bytes: 10,
        retained_messages: 0,
        in_flight: 1,
        ..limits()
    };
    let config = Config {
        sessions: 2,
        ..config()
    };
    let outcome = house.crash_into(config, less.clone(), "all");
    let wanted = Outcome {
        sessions: 2,
        subscriptions: 4,
        queued: 40,
        retained: 1,
        // Told, and the one that was left first.
        crowded_out: 1,
        ..Outcome::default()
    };
    assert_eq!(outcome, wanted);
    house.rig.door =
        Box::new(move |_| super::rig::accept("all", grants(&["#"], &["#"]), less.clone()));
    let three = house.rig.connect(&lasting("three"));
    let mut got = 0;
    loop {
        let messages = house.rig.messages(three);
        if messages.is_empty() {
            break;
        }
        for message in messages {
            got += 1;
            house.rig.send(three, &packets::ack(0x40, message.id));
        }
    }
    assert_eq!(got, 20);
}

#[test]
fn what_belonged_to_somebody_who_is_no_more_is_left_out_and_told() {
    let mut house = House::new();
    let sub = house.rig.connect(&lasting("sub"));
    house.rig.subscribe(sub, &[("t", 1)]);
    house.rig.publish(sub, 3, "t", "kept");
    let outcome = house.crash_into(config(), limits(), "somebody else");
    assert_eq!(
        (outcome.sessions, outcome.retained, outcome.disowned),
        (0, 0, 2)
    );
    assert_eq!(house.rig.broker.stats().held_bytes, 0);
}

#[test]
fn expiries_go_on() {
    let mut house = House::new();
    let expiring = Connect::new(5, "sub").expiry(10);
    let sub = house.rig.connect(&expiring);
    house.rig.lose(sub);
    let from = house.rig.connect(&Connect::new(5, "pub"));
    let properties: &[&[u8]] = &[&[2, 0, 0, 0, 5]];
    house.rig.send(
        from,
        &packets::publish(3, "r", 1, Some(properties), b"short"),
    );
    house.rig.pass(4_000);
    house.crash();
    assert_eq!(house.rig.broker.stats().sessions, 1);
    let reader = house.rig.connect(&Connect::new(5, "reader"));
    house.rig.subscribe(reader, &[("r", 0)]);
    assert_eq!(house.rig.messages(reader).len(), 1);
    house.rig.pass(1_500);
    house.rig.subscribe(reader, &[("r", 0)]);
    assert!(house.rig.messages(reader).is_empty());
    house.rig.pass(5_000);
    house.rig.lose(reader);
    assert_eq!(house.rig.broker.stats().sessions, 0);
}

/// Sessions that end with their connection, and QoS 0, are not written at all.
#[test]
fn what_ends_with_its_connection_costs_nothing() {
    let mut house = House::new();
    house.write();
    let sub = house.rig.connect(&Connect::new(4, "sub"));
    house.rig.subscribe(sub, &[("t", 2)]);
    let away = house.rig.connect(&lasting("away"));
    house.rig.subscribe(away, &[("t", 0)]);
    house.write();
    let before = house.bytes.len();
    let from = house.rig.connect(&Connect::new(4, "pub"));
    for flags in [0, 2, 4] {
        house.rig.publish(from, flags, "t", "x");
    }
    assert_eq!(house.rig.messages(sub).len(), 3);
    house.rig.lose(from);
    house.rig.lose(sub);
    assert_eq!(house.rig.broker.journal_len(), 0);
    house.write();
    assert_eq!(house.bytes.len(), before);
}

#[test]
fn only_what_a_write_cannot_have_left_is_called_damage() {
    let mut house = House::new();
    let sub = house.rig.connect(&lasting("sub"));
    house.write();
    let first = house.bytes.len();
    house.rig.subscribe(sub, &[("t", 1)]);
    house.write();
    let whole = house.bytes.clone();
    let read = |bytes: &[u8]| -> Segment {
        let mut restore = Restore::new();
        restore.feed(bytes);
        restore.end_segment()
    };
    assert_eq!((read(&whole).unread, read(&whole).damaged), (0, false));
    for len in first..whole.len() {
        let torn = read(&whole[..len]);
        assert_eq!(
            (torn.read, torn.unread),
            (first as u64, (len - first) as u64)
        );
        assert!(!torn.damaged, "cut at {len}");
    }
    let mut zeros = whole[..first].to_vec();
    zeros.resize(first + 5_000, 0);
    assert_eq!((read(&zeros).unread, read(&zeros).damaged), (5_000, false));
    for at in 0..first {
        let mut changed = whole.clone();
        changed[at] ^= 0x10;
        assert!(read(&changed).damaged, "changed at {at}");
    }
}

#[test]
fn what_ended_while_the_journal_could_not_be_written_does_not_come_back() {
    let mut house = House::new();
    let sub = house.rig.connect(&lasting("sub"));
    house.rig.subscribe(sub, &[("t", 1)]);
    house.rig.publish(sub, 3, "kept", "x");
    house.rig.publish(sub, 3, "gone", "x");
    house.write();
    let old = std::mem::take(&mut house.bytes);
    // What is recorded from here on is given up with the segment.
    house.rig.publish(sub, 3, "gone", "");
    house.rig.lose(sub);
    house.rig.connect(&Connect::new(4, "sub"));
    house.rig.broker.begin_segment(Boot::default());
    house.write();
    let mut restore = Restore::new();
    for segment in [&old, &house.bytes] {
        restore.feed(segment);
        restore.end_segment();
    }
    let (broker, outcome) = restore.finish(config(), house.rig.now, |_, _| {
        Some((Arc::new(grants(&["#"], &["#"])), Arc::new(limits())))
    });
    assert_eq!((outcome.sessions, outcome.retained), (0, 1), "{outcome:?}");
    broker.check();
}

#[test]
fn a_session_that_comes_to_be_kept_brings_its_messages_along() {
    let mut house = House::new();
    house.write();
    let regrant = |house: &mut House, session_expiry_s| {
        let limits = Limits {
            session_expiry_s,
            ..limits()
        };
        let (all, limits) = (Arc::new(grants(&["#"], &["#"])), Arc::new(limits));
        let (rig, all) = (&mut house.rig, |_: &str| Arc::clone(&all));
        rig.broker.regrant(rig.now, "all", all, &limits);
    };
    let late = house.rig.connect(&Connect::new(5, "late").expiry(100));
    house.rig.subscribe(late, &[("t", 1)]);
    regrant(&mut house, 0);
    regrant(&mut house, 1_000);
    let kept = house.rig.connect(&lasting("kept"));
    house.rig.subscribe(kept, &[("t", 1), ("u", 1)]);
    house.rig.deaf.push(late);
    let from = house.rig.connect(&Connect::new(4, "pub"));
    // The journal has it for the one, and then for nobody; what comes next shows that.
    house.rig.publish(from, 2, "t", &"x".repeat(500));
    house.write();
    house.rig.send(kept, &packets::ack(0x40, 1));
    house.rig.publish(from, 2, "u", &"y".repeat(600));
    house.write();
    house
        .rig
        .send(late, &packets::packet(0xE0, b"\0\x05\x11\0\0\0\x64"));
    let outcome = house.crash();
    assert_eq!((outcome.missing, outcome.queued), (0, 2), "{outcome:?}");
}
