use super::packets::{self, Connect, DISCONNECT};
use super::rig::{Rig, brief, config, limits};
use crate::Limits;

fn topics(rig: &mut Rig, filter: &str) -> Vec<String> {
    let conn = rig.connect(&Connect::new(5, "reader"));
    rig.subscribe(conn, &[(filter, 0)]);
    let got = rig.messages(conn);
    assert!(got.iter().all(|p| p.retain));
    rig.send(conn, &DISCONNECT);
    got.into_iter().map(|p| p.topic).collect()
}

#[test]
fn mqtt_3_3_1_5_the_last_retained_message_of_each_topic_is_sent() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    for topic in ["a", "a/b", "a/b/c", "a!", "b", "a/x/c", ""]
        .iter()
        .filter(|t| !t.is_empty())
    {
        rig.publish(conn, 1, topic, "old");
        rig.publish(conn, 1, topic, "new");
    }
    rig.publish(conn, 0, "b", "not retained");
    assert_eq!(rig.broker.stats().retained, 6);
    assert_eq!(
        topics(&mut rig, "#"),
        ["a", "a!", "a/b", "a/b/c", "a/x/c", "b"]
    );
    assert_eq!(topics(&mut rig, "a/#"), ["a", "a/b", "a/b/c", "a/x/c"]);
    assert_eq!(topics(&mut rig, "a/+"), ["a/b"]);
    assert_eq!(topics(&mut rig, "+"), ["a", "a!", "b"]);
    assert_eq!(topics(&mut rig, "a/+/c"), ["a/b/c", "a/x/c"]);
    assert_eq!(topics(&mut rig, "b"), ["b"]);
    assert_eq!(topics(&mut rig, "c"), [""; 0]);
    let conn = rig.connect(&Connect::new(5, "d"));
    rig.subscribe(conn, &[("b", 0)]);
    assert_eq!(brief(&rig.messages(conn)), [("b".into(), "new".into())]);
}

#[test]
fn mqtt_3_3_1_6_an_empty_retained_message_removes_and_is_delivered() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.publish(conn, 1, "a", "x");
    // MQTT-3.3.1-8: without RETAIN it removes nothing.
    rig.publish(conn, 0, "a", "");
    assert_eq!(rig.broker.stats().retained, 1);
    rig.subscribe(conn, &[("a", 0)]);
    assert_eq!(rig.messages(conn).len(), 1);
    rig.publish(conn, 1, "a", "");
    let got = rig.messages(conn);
    assert_eq!((got.len(), got[0].retain), (1, false));
    assert_eq!(
        (rig.broker.stats().retained, rig.broker.stats().held_bytes),
        (0, 0)
    );
}

#[test]
fn mqtt_3_3_1_9_retain_handling() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.publish(conn, 1, "a", "x");
    for (options, want) in [(0x20, 0), (0x10, 0), (0x00, 1), (0x10, 0), (0x00, 1)] {
        rig.subscribe(conn, &[("a", options)]);
        assert_eq!(rig.messages(conn).len(), want, "{options:02x}");
    }
    rig.unsubscribe(conn, &["a"]);
    rig.subscribe(conn, &[("a", 0x10)]);
    assert_eq!(rig.messages(conn).len(), 1);
}

#[test]
fn every_one_of_many_retained_messages_reaches_a_slow_subscriber() {
    let limits = Limits {
        retained_messages: 5_000,
        retained_bytes: 10 << 20,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let conn = rig.connect(&Connect::new(5, "c"));
    for n in 0..5_000 {
        rig.publish(conn, 3, &format!("t/{n}"), "x");
    }
    let reader = rig.connect(&Connect::new(5, "r"));
    rig.subscribe(reader, &[("t/#", 1)]);
    let mut seen = 0;
    loop {
        let got = rig.messages(reader);
        if got.is_empty() {
            break;
        }
        assert!(got.len() <= 10);
        for message in got {
            seen += 1;
            rig.send(reader, &packets::ack(0x40, message.id));
        }
    }
    assert_eq!(seen, 5_000);
    // With QoS 0 all of it at once, and nothing is queued for it.
    rig.subscribe(reader, &[("t/#", 0)]);
    rig.pass(1);
    assert_eq!(rig.messages(reader).len(), 5_000);
}

#[test]
fn a_filter_that_matches_few_of_many_yields_to_the_others() {
    let limits = Limits {
        retained_messages: 5_000,
        retained_bytes: 10 << 20,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let conn = rig.connect(&Connect::new(5, "c"));
    for n in 0..4_999 {
        rig.publish(conn, 1, &format!("{n}/t"), "x");
    }
    rig.publish(conn, 1, "z/last", "x");
    rig.subscribe(conn, &[("+/last", 0)]);
    assert_eq!(rig.messages(conn).len(), 0);
    assert!(rig.broker.deadline() <= Some(rig.now));
    rig.pass(0);
    assert_eq!(rig.messages(conn).len(), 1);
    assert_eq!(rig.broker.deadline(), None);
}

#[test]
fn retained_messages_expire() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    for (topic, seconds) in [("a", 5), ("b", 100)] {
        let expiry: &[&[u8]] = &[&[2, 0, 0, 0, seconds]];
        rig.send(conn, &packets::publish(1, topic, 0, Some(expiry), b"x"));
    }
    rig.pass(10_000);
    assert_eq!(topics(&mut rig, "#"), ["b"]);
    rig.pass(50_000);
    assert_eq!(rig.broker.stats().retained, 1);
    rig.pass(60_000);
    assert_eq!(
        (rig.broker.stats().retained, rig.broker.deadline()),
        (0, None)
    );
}

#[test]
fn retained_messages_are_bounded_by_identity() {
    let limits = Limits {
        retained_messages: 3,
        retained_bytes: 1_000,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let one = rig.connect(&Connect::new(5, "one").user("one"));
    let two = rig.connect(&Connect::new(5, "two").user("two"));
    for topic in ["a", "b", "c"] {
        assert_eq!(rig.publish(one, 3, topic, "x"), 0x10);
    }
    assert_eq!(rig.publish(one, 3, "d", "x"), 0x97);
    assert!(rig.has_limit("retained_messages"));
    // A topic that is there already may change, or go.
    assert_eq!(rig.publish(one, 3, "a", "y"), 0x10);
    assert_eq!(rig.publish(one, 3, "a", &"y".repeat(900)), 0x97);
    assert!(rig.has_limit("retained_bytes"));
    assert_eq!(rig.publish(one, 3, "a", ""), 0x10);
    assert_eq!(rig.publish(one, 3, "d", "x"), 0x10);
    // What another writes over counts for the other.
    assert_eq!(rig.publish(two, 3, "d", "x"), 0x10);
    assert_eq!(rig.publish(one, 3, "e", "x"), 0x10);
    rig.broker.forget(rig.now, "one");
    rig.pump();
    assert_eq!(topics(&mut rig, "#"), ["d"]);
}

/// A client that takes one message at a time and is sent the first of two retained ones.
fn slow_reader(rig: &mut Rig) -> (Connect, crate::ConnId) {
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.publish(publisher, 3, "a/1", "one");
    let expiry: &[&[u8]] = &[&[2, 0, 0, 0, 60]];
    rig.send(
        publisher,
        &packets::publish(3, "a/2", 5, Some(expiry), b"two"),
    );
    let reader = Connect::new(5, "reader").resume().expiry(1_000);
    let reader = reader.prop(&[0x21, 0, 1]);
    let conn = rig.connect(&reader);
    rig.subscribe(conn, &[("a/+", 1)]);
    let got = rig.messages(conn);
    assert_eq!(brief(&got), [("a/1".into(), "one".into())]);
    (reader, conn)
}

#[test]
fn mqtt_3_3_2_5_what_expires_while_it_waits_to_be_replayed_is_not_sent() {
    let mut rig = Rig::new();
    let (_, conn) = slow_reader(&mut rig);
    rig.pass(61_000);
    rig.send(conn, &packets::ack(0x40, 1));
    assert_eq!(rig.messages(conn), []);
}

#[test]
fn what_is_retained_after_the_subscription_comes_once() {
    let mut rig = Rig::new();
    let (_, conn) = slow_reader(&mut rig);
    let publisher = rig.connect(&Connect::new(5, "q"));
    rig.publish(publisher, 3, "a/2", "newer");
    rig.publish(publisher, 3, "a/3", "new");
    let mut got = Vec::new();
    for id in 1..=5 {
        rig.send(conn, &packets::ack(0x40, id));
        got.extend(rig.messages(conn));
    }
    let want = [("a/2", "newer"), ("a/3", "new")];
    assert_eq!(brief(&got), want.map(|(t, p)| (t.to_owned(), p.to_owned())));
    assert!(got.iter().all(|message| !message.retain));
}

#[test]
fn retained_messages_that_were_not_yet_sent_outlast_the_connection() {
    let mut rig = Rig::new();
    let (reader, conn) = slow_reader(&mut rig);
    rig.lose(conn);
    let conn = rig.connect(&reader);
    assert_eq!(brief(&rig.messages(conn)), [("a/1".into(), "one".into())]);
    rig.send(conn, &packets::ack(0x40, 1));
    assert_eq!(brief(&rig.messages(conn)), [("a/2".into(), "two".into())]);
}
