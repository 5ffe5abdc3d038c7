//! The budget that all clients live in, and what gives way when it runs short.

use super::packets::{self, Connect, In};
use super::rig::{Rig, brief, config, limits};
use crate::{Config, ConnId, Limits, NoticeKind, Pressure};

const MEMORY: u64 = 1_000_000;

fn rig() -> Rig {
    let config = Config {
        memory: MEMORY,
        ..config()
    };
    let limits = Limits {
        queue_messages: 10_000,
        queue_bytes: MEMORY as u32,
        ..limits()
    };
    Rig::with(config, limits)
}

fn used(rig: &Rig) -> u64 {
    rig.broker.stats().memory_used
}

/// A session that is away, and wants this at QoS 1.
fn sleeper(rig: &mut Rig, filter: &str) -> Connect {
    let sleeper = Connect::new(5, "sleeper").resume().expiry(1_000);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[(filter, 1)]);
    rig.lose(conn);
    sleeper
}

/// Fills up to so many percent with messages for the sleeper.
fn fill(rig: &mut Rig, publisher: ConnId, percent: u64) {
    while used(rig) < MEMORY / 100 * percent {
        assert_eq!(rig.publish(publisher, 2, "sleeper", &"x".repeat(2_000)), 0);
    }
}

fn told(rig: &Rig) -> Vec<Pressure> {
    let notices = rig.notices.iter();
    let told = notices.filter_map(|kind| match kind {
        NoticeKind::Memory {
            pressure, allowed, ..
        } => {
            assert_eq!(*allowed, MEMORY);
            Some(*pressure)
        }
        _ => None,
    });
    told.collect()
}

#[test]
fn from_80_percent_sessions_and_retained_messages_do_not_grow_and_each_crossing_is_told_once() {
    let mut rig = rig();
    let known = Connect::new(5, "known").resume().expiry(1_000);
    let conn = rig.connect(&known);
    assert_eq!(rig.publish(conn, 3, "kept", "as long"), 0x10);
    let sleeper = sleeper(&mut rig, "sleeper");
    fill(&mut rig, conn, 82);
    // New ones are refused, in the words of each version; those there are go on.
    let new = |level| Connect::new(level, "new").bytes();
    assert_eq!(rig.try_connect(&new(5)), Some(0x89));
    assert_eq!(rig.try_connect(&new(4)), Some(3));
    assert!(rig.has_limit("memory"));
    let (conn, present) = rig.connect_with(&known);
    assert!(present);
    assert_eq!(rig.publish(conn, 3, "more", "x"), 0x97);
    assert_eq!(rig.publish(conn, 3, "kept", "longer than that"), 0x97);
    assert_eq!(rig.publish(conn, 3, "kept", "AS LONG"), 0x10);
    assert_eq!(rig.publish(conn, 3, "kept", ""), 0x10);
    assert_eq!(rig.publish(conn, 2, "sleeper", "still"), 0);
    assert_eq!(rig.subscribe(conn, &[("still", 0)]), [0]);
    assert_eq!(told(&rig), [Pressure::High]);
    // Around the mark it is not told again, well below it is.
    rig.pass(5_000);
    assert_eq!(told(&rig), [Pressure::High]);
    let conn = rig.connect(&sleeper);
    while used(&rig) >= MEMORY / 100 * 77 {
        for message in rig.messages(conn) {
            rig.send(conn, &packets::ack(0x40, message.id));
        }
    }
    rig.pass(1_000);
    assert_eq!(told(&rig), [Pressure::High]);
    while used(&rig) >= MEMORY / 100 * 74 {
        for message in rig.messages(conn) {
            rig.send(conn, &packets::ack(0x40, message.id));
        }
    }
    rig.pass(1_000);
    assert_eq!(told(&rig), [Pressure::High, Pressure::None]);
    assert_eq!(
        rig.broker
            .deadline()
            .filter(|due| due.0 < rig.now.0 + 2_000),
        None
    );
    assert_eq!(rig.try_connect(&new(5)), Some(0));
}

#[test]
fn from_95_percent_unread_queues_are_cut_the_largest_first_and_qos_0_before_all() {
    let mut rig = rig();
    let publisher = rig.connect(&Connect::new(5, "p"));
    let slow = rig.connect(&Connect::new(5, "slow"));
    let slower = rig.connect(&Connect::new(5, "slower"));
    let keen = rig.connect(&Connect::new(5, "keen"));
    rig.subscribe(slow, &[("news", 0)]);
    rig.subscribe(slower, &[("news", 0), ("slower", 0)]);
    rig.subscribe(keen, &[("#", 0)]);
    let sleeper = sleeper(&mut rig, "sleeper");
    rig.deaf.extend([slow, slower]);
    for n in 0..20 {
        rig.publish(publisher, 0, "news", &format!("{n} {}", "x".repeat(2_000)));
    }
    for _ in 0..100 {
        rig.publish(publisher, 0, "slower", &"x".repeat(2_000));
    }
    fill(&mut rig, publisher, 94);
    let acknowledged = rig.broker.stats().stored;
    let before = rig.messages(keen).len();
    fill(&mut rig, publisher, 80);
    // Each cut makes room for what QoS 1 still comes; the slower one pays first.
    let mut sent = 0;
    while rig.broker.stats().messages_dropped == 0 {
        assert_eq!(rig.publish(publisher, 2, "sleeper", &"x".repeat(2_000)), 0);
        sent += 1;
        assert!(sent < 20 && acknowledged > 0 && before > 0);
    }
    assert_eq!(rig.broker.stats().messages_dropped, 120);
    assert!(rig.has_limit("memory") && told(&rig).contains(&Pressure::Critical));
    assert_eq!(rig.drained(slower).len(), 0);
    assert_eq!(rig.drained(slow).len(), 20);
    assert!(!rig.is_closed(slow) && !rig.is_closed(slower));
    // Nothing that was acknowledged is gone.
    assert_eq!(rig.messages(keen).len(), sent);
    let mut waits = 0;
    let conn = rig.connect(&sleeper);
    loop {
        let got = rig.messages(conn);
        if got.is_empty() {
            break;
        }
        for message in got {
            waits += 1;
            rig.send(conn, &packets::ack(0x40, message.id));
        }
    }
    assert_eq!(waits, before + sent - 120);
}

#[test]
fn a_client_that_does_not_read_is_cut_off_if_its_queue_goes_with_it_and_only_then() {
    let mut rig = rig();
    let publisher = rig.connect(&Connect::new(5, "p"));
    let fickle = rig.connect(&Connect::new(5, "fickle"));
    rig.subscribe(fickle, &[("fickle", 1)]);
    let steady = Connect::new(5, "steady").resume().expiry(1_000);
    let conn = rig.connect(&steady);
    rig.subscribe(conn, &[("steady", 1)]);
    rig.deaf.extend([fickle, conn]);
    for _ in 0..200 {
        assert_eq!(rig.publish(publisher, 2, "steady", &"x".repeat(2_000)), 0);
        assert_eq!(rig.publish(publisher, 2, "fickle", &"x".repeat(2_000)), 0);
    }
    let mut sent = 200;
    let end = |rig: &Rig, conn| {
        let mut ended = rig.broker.stats().connected < 3;
        ended |= rig.is_closed(conn);
        ended
    };
    while !end(&rig, fickle) {
        assert_eq!(rig.publish(publisher, 2, "steady", &"x".repeat(2_000)), 0);
        sent += 1;
        assert!(sent < 300);
    }
    rig.deaf.retain(|deaf| *deaf != fickle);
    rig.drained(fickle);
    assert!(rig.is_closed(fickle));
    assert_eq!(rig.got(fickle).pop(), None);
    assert!(used(&rig) < MEMORY / 100 * 60, "{}", used(&rig));
    // The one that keeps its session keeps its connection too, and every message.
    assert!(!rig.is_closed(conn));
    let mut waits = rig.drained(conn);
    let mut all = 0;
    while !waits.is_empty() {
        for message in waits {
            all += 1;
            rig.send(conn, &packets::ack(0x40, message.id));
        }
        waits = rig.messages(conn);
    }
    assert_eq!(all, sent);
}

#[test]
fn who_is_cut_off_is_told_0x97_and_new_subscriptions_are_refused() {
    let mut rig = rig();
    let publisher = rig.connect(&Connect::new(5, "p"));
    let fickle = rig.connect(&Connect::new(5, "fickle"));
    rig.subscribe(fickle, &[("fickle", 1)]);
    // It takes what it is sent and acknowledges nothing.
    for _ in 0..20 {
        rig.publish(publisher, 2, "fickle", &"x".repeat(2_000));
    }
    sleeper(&mut rig, "sleeper");
    rig.got(fickle);
    let mut gone = false;
    for _ in 0..600 {
        let code = rig.publish(publisher, 2, "sleeper", &"x".repeat(2_000));
        if !gone && rig.is_closed(fickle) {
            gone = true;
            assert_eq!(rig.got(fickle), [In::Disconnect(0x97)]);
        }
        if code == 0x97 {
            break;
        }
    }
    assert!(gone);
    assert!(used(&rig) <= MEMORY && used(&rig) > MEMORY / 100 * 99);
    assert_eq!(rig.subscribe(publisher, &[("new", 0)]), [0x97]);
    assert_eq!(brief(&rig.messages(publisher)), []);
}

/// Connections, sessions, subscriptions, aliases and half packets, and what the caller holds.
#[test]
fn everything_counts_and_is_given_back() {
    let mut rig = rig();
    let nothing = used(&rig);
    let mut last = nothing;
    let mut grown = |rig: &Rig, what: &str| {
        let now = used(rig);
        assert!(now > last, "{what}: {now} after {last}");
        last = now;
    };
    let conn = rig.open();
    grown(&rig, "a connection");
    rig.send(conn, &Connect::new(5, "c").bytes()[..9]);
    grown(&rig, "half a packet");
    rig.lose(conn);
    assert_eq!(used(&rig), nothing);
    let will = Connect::new(5, "c").expiry(10).will("a", 0, true, &[]);
    let conn = rig.connect(&will);
    grown(&rig, "a session with a will");
    rig.subscribe(conn, &[("a/b/c/d", 0)]);
    grown(&rig, "a subscription");
    rig.subscribe(conn, &[("$share/g/a/b/c/d", 0)]);
    grown(&rig, "a shared subscription");
    let alias: &[&[u8]] = &[&[0x23, 0, 1]];
    rig.send(conn, &packets::publish(0, "q", 0, Some(alias), b""));
    grown(&rig, "an alias");
    rig.publish(conn, 1, "r", "x");
    grown(&rig, "a retained message");
    rig.deaf.push(conn);
    rig.send(conn, &packets::PINGREQ);
    grown(&rig, "an answer that is not fetched");
    rig.broker.set_outside_memory(100);
    grown(&rig, "what the caller holds");
    rig.broker.set_outside_memory(0);
    rig.lose(conn);
    rig.pass(10_000);
    let conn = rig.connect(&Connect::new(5, "c"));
    for topic in ["r", "a"] {
        rig.publish(conn, 1, topic, "");
    }
    rig.lose(conn);
    assert_eq!(used(&rig), nothing);
}

/// A flood of large CONNECTs while passwords are checked: each waits here and with the caller.
#[test]
fn logins_that_wait_to_be_decided_are_bounded_together() {
    let mut rig = rig();
    let nothing = used(&rig);
    let large = Connect::new(5, &"x".repeat(4_000)).bytes();
    let mut conns = Vec::new();
    for _ in 0..100 {
        let conn = rig.open();
        rig.broker.receive(rig.now, conn, &large);
        conns.push(conn);
    }
    let mut waiting = 0;
    while rig.broker.next_request().is_some() {
        waiting += 1;
    }
    assert!((25..=31).contains(&waiting), "{waiting}");
    assert!(used(&rig) - nothing < MEMORY / 4 + 100 * 2_000);
    rig.pump();
    assert_eq!(
        rig.got(conns[99]),
        [In::ConnAck {
            present: false,
            code: 0x89,
            props: vec![]
        }]
    );
    for conn in conns {
        rig.lose(conn);
    }
    assert_eq!(used(&rig), nothing);
}

#[test]
fn a_client_that_its_own_subscribe_has_cut_off_is_subscribed_to_nothing() {
    let memory = 100_000;
    let mut rig = Rig::with(Config { memory, ..config() }, limits());
    let connect = Connect::new(5, "hog").will("w", 0, false, &[]);
    let hog = rig.connect(&connect);
    rig.subscribe(hog, &[("me", 1)]);
    rig.deaf.push(hog);
    // What its connection holds is given back before its will is published.
    let topic = "x".repeat(8_000);
    rig.send(
        hog,
        &packets::publish(0, &topic, 0, Some(&[&[0x23, 0, 1]]), b""),
    );
    rig.send(hog, &packets::publish(2, "me", 7, Some(&[]), &[0; 20_000]));
    rig.broker
        .set_outside_memory(memory * 19 / 20 + 100 - used(&rig));
    rig.send(
        hog,
        &packets::subscribe(8, Some(&[]), &[("a", 0), ("b", 0)]),
    );
    assert_eq!(rig.broker.stats().sessions, 0);
    assert_eq!(rig.broker.stats().subscriptions, 0);
}
