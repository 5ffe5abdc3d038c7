//! What the broker publishes itself.

use super::packets::Connect;
use super::rig::{Rig, accept, brief, config, grants, limits};
use crate::{Boot, Clock, Restore};

#[test]
fn the_brokers_own_topics_are_read_by_who_is_granted_them_and_written_by_nobody() {
    let mut rig = Rig::new();
    rig.door = Box::new(|request| {
        let grants = match request.client_id.as_str() {
            "reader" => grants(&["#", "$SYS/#"], &["$SYS/#", "#"]),
            _ => grants(&["#", "$SYS/#"], &["#"]),
        };
        accept(&request.client_id, grants, limits())
    });
    rig.broker
        .publish_internal(rig.now, "$SYS/broker/version", b"one", true);
    let reader = rig.connect(&Connect::new(5, "reader"));
    let other = rig.connect(&Connect::new(5, "other"));
    assert_eq!(
        rig.subscribe(reader, &[("$SYS/broker/+", 2), ("#", 0)]),
        [2, 0]
    );
    assert_eq!(
        rig.subscribe(other, &[("$SYS/broker/+", 0), ("#", 0)]),
        [0x87, 0]
    );
    let one = ("$SYS/broker/version".into(), "one".into());
    assert_eq!(brief(&rig.messages(reader)), [one]);
    rig.broker
        .publish_internal(rig.now, "$SYS/broker/version", b"two", true);
    rig.pump();
    let two = ("$SYS/broker/version".into(), "two".into());
    assert_eq!(brief(&rig.messages(reader)), [two]);
    for conn in [reader, other] {
        assert_eq!(rig.publish(conn, 3, "$SYS/broker/version", ""), 0x87);
    }
    assert_eq!(rig.messages(other), []);
    // It is nobody's, and does not show as anybody's.
    let stats = rig.broker.stats();
    assert_eq!((stats.retained, stats.stored), (0, 1));
    rig.broker.forget(rig.now, "reader");
    rig.broker
        .publish_internal(rig.now, "$SYS/broker/version", b"", true);
    rig.lose(other);
    rig.pump();
    assert_eq!(rig.broker.stats().held_bytes, 0);
}

#[test]
fn packets_payloads_and_sessions_are_counted() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    let other = rig.connect(&Connect::new(5, "d").expiry(10));
    rig.subscribe(conn, &[("a", 1), ("$share/g/a", 0)]);
    rig.publish(conn, 2, "a", "12345");
    let stats = rig.broker.stats();
    // CONNECT twice, SUBSCRIBE, PUBLISH; CONNACK twice, SUBACK, PUBACK, PUBLISH twice.
    assert_eq!((stats.packets_in, stats.packets_out), (4, 6));
    assert_eq!((stats.payload_in, stats.payload_out), (5, 10));
    assert_eq!((stats.subscriptions, stats.subscriptions_shared), (2, 1));
    assert_eq!((stats.opened, stats.connects), (2, 2));
    rig.lose(other);
    rig.pass(10_000);
    let stats = rig.broker.stats();
    assert_eq!((stats.connected, stats.connected_max), (1, 2));
    assert_eq!((stats.sessions, stats.sessions_expired), (1, 1));
}

#[test]
fn the_brokers_own_topics_are_not_journaled() {
    let mut rig = Rig::new();
    let (mut broker, _) = Restore::new().finish(config(), rig.now, |_, _| None);
    broker.begin_segment(Boot::default());
    rig.broker = broker;
    let conn = rig.connect(&Connect::new(5, "c").expiry(100));
    rig.subscribe(conn, &[("$SYS/#", 2)]);
    let mut journal = Vec::new();
    while !rig.broker.take_journal(Clock::default(), &mut journal) {}
    assert_eq!(rig.broker.journal_len(), 0);
    for value in [&b"1"[..], b"2", b""] {
        let topic = "$SYS/broker/uptime";
        rig.broker.publish_internal(rig.now, topic, value, true);
        rig.pump();
        assert_eq!(rig.messages(conn).len(), 1);
        assert_eq!(rig.broker.journal_len(), 0);
    }
    assert_eq!(rig.publish(conn, 3, "kept", "x"), 0x10);
    assert!(rig.broker.journal_len() > 0);
}
