use std::sync::Arc;

use super::packets::{self, Connect};
use super::rig::{Rig, brief, config, grants, limits};
use crate::{ConnId, Limits};

fn member(rig: &mut Rig, name: &str, filter: &str, qos: u8) -> ConnId {
    let conn = rig.connect(&Connect::new(5, name).resume().expiry(100));
    assert_eq!(rig.subscribe(conn, &[(filter, qos)]), [qos]);
    conn
}

#[test]
fn mqtt_4_8_2_each_message_goes_to_one_member_in_turn() {
    let mut rig = Rig::new();
    let members: Vec<_> = (0..3)
        .map(|n| member(&mut rig, &format!("m{n}"), "$share/g/a/+", 0))
        .collect();
    let other = member(&mut rig, "other", "$share/h/a/+", 0);
    let plain = member(&mut rig, "plain", "a/b", 0);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for n in 0..9 {
        rig.publish(publisher, 0, "a/b", &n.to_string());
    }
    for conn in members {
        assert_eq!(rig.messages(conn).len(), 3);
    }
    assert_eq!(
        (rig.messages(other).len(), rig.messages(plain).len()),
        (9, 9)
    );
}

#[test]
fn members_that_cannot_be_sent_to_are_passed_over() {
    let mut rig = Rig::new();
    let away = member(&mut rig, "away", "$share/g/a", 1);
    let slow = member(&mut rig, "slow", "$share/g/a", 1);
    let quick = member(&mut rig, "quick", "$share/g/a", 1);
    rig.lose(away);
    let publisher = rig.connect(&Connect::new(5, "p"));
    let mut seen = 0;
    for _ in 0..60 {
        rig.publish(publisher, 2, "a", "");
        for message in rig.messages(quick) {
            seen += 1;
            rig.send(quick, &packets::ack(0x40, message.id));
        }
    }
    // The slow one took what its Receive Maximum allows.
    assert_eq!((seen, rig.messages(slow).len()), (50, 10));
    rig.lose(slow);
    rig.lose(quick);
    // With nobody there it waits for one of them.
    rig.publish(publisher, 2, "a", "late");
    assert!(rig.broker.stats().held_bytes > 0);
}

#[test]
fn mqtt_3_8_4_shared_subscriptions_get_no_retained_messages_at_once() {
    let mut rig = Rig::new();
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.publish(publisher, 1, "a", "x");
    let conn = member(&mut rig, "m", "$share/g/a", 0);
    assert_eq!(rig.got(conn), []);
    assert_eq!(
        rig.unsubscribe(conn, &["$share/h/a", "a", "$share/g/a"]),
        [0x11, 0x11, 0]
    );
    rig.publish(publisher, 0, "a", "y");
    assert_eq!(rig.got(conn), []);
    assert_eq!(rig.broker.stats().subscriptions, 0);
}

#[test]
fn a_shared_and_a_plain_subscription_of_one_session_are_two() {
    let mut rig = Rig::new();
    let conn = member(&mut rig, "m", "$share/g/a", 0);
    rig.subscribe(conn, &[("a", 0)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.publish(publisher, 0, "a", "x");
    assert_eq!(rig.messages(conn).len(), 2);
}

#[test]
fn what_a_member_was_not_sent_goes_to_those_who_are_there() {
    let mut rig = Rig::new();
    let one = member(&mut rig, "one", "$share/g/a", 1);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for n in 0..15 {
        rig.publish(publisher, 2, "a", &n.to_string());
    }
    assert_eq!(rig.messages(one).len(), 10);
    let two = member(&mut rig, "two", "$share/g/a", 2);
    rig.lose(one);
    // Ten are in flight to the one that may come back, five have gone to nobody.
    let got: Vec<_> = rig.messages(two).into_iter().map(|p| p.payload).collect();
    assert_eq!(got, [b"10", b"11", b"12", b"13", b"14"]);
    // MQTT-4.8.2-4: it never comes back.
    rig.pass(100_000);
    assert_eq!(rig.messages(two).len(), 5);
    for id in 1..=10 {
        rig.send(two, &packets::ack(0x40, id));
    }
    assert_eq!(rig.messages(two).len(), 5);
}

#[test]
fn mqtt_4_8_2_5_qos_2_in_flight_goes_to_nobody_else() {
    let mut rig = Rig::new();
    let one = member(&mut rig, "one", "$share/g/a", 2);
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.publish(publisher, 4, "a", "x");
    assert_eq!(rig.messages(one).len(), 1);
    let two = member(&mut rig, "two", "$share/g/a", 2);
    rig.lose(one);
    rig.pass(200_000);
    assert_eq!(rig.messages(two), []);
}

#[test]
fn without_others_there_it_waits_in_its_order_for_the_one_that_comes_back() {
    let mut rig = Rig::new();
    let connect = Connect::new(5, "one").resume().expiry(100);
    let one = member(&mut rig, "one", "$share/g/a", 1);
    rig.subscribe(one, &[("b", 1)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    rig.lose(one);
    for topic in ["a", "b", "a", "b"] {
        rig.publish(publisher, 2, topic, "");
    }
    let one = rig.connect(&connect);
    let deaf = rig.connect(&Connect::new(5, "two").resume().expiry(100));
    rig.lose(deaf);
    let topics: Vec<_> = rig.messages(one).into_iter().map(|p| p.topic).collect();
    assert_eq!(topics, ["a", "b", "a", "b"]);
    rig.lose(one);
    // A group of another name that takes the place of one that is gone gets nothing of it.
    let one = rig.connect(&connect);
    rig.messages(one);
    rig.unsubscribe(one, &["$share/g/a"]);
    let other = member(&mut rig, "other", "$share/h/a", 1);
    rig.lose(one);
    rig.pass(200_000);
    assert_eq!(rig.got(other), []);
}

#[test]
fn what_an_absent_member_has_is_not_lost_to_the_full_queue_of_another() {
    let limits = Limits {
        queue_messages: 2,
        in_flight: 1,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let (one, two) = (Connect::new(4, "one").resume(), Connect::new(4, "two"));
    let first = rig.connect(&one);
    rig.subscribe(first, &[("$share/g/a", 1)]);
    let second = rig.connect(&two);
    rig.subscribe(second, &[("b", 1)]);
    let publisher = rig.connect(&Connect::new(4, "p"));
    for _ in 0..3 {
        rig.publish(publisher, 2, "b", "full");
    }
    for n in 0..3 {
        rig.publish(publisher, 2, "a", &n.to_string());
    }
    rig.subscribe(second, &[("$share/g/a", 1)]);
    rig.lose(first);
    assert_eq!(rig.broker.stats().messages_dropped, 0);
    let first = rig.connect(&one);
    let mut got = Vec::new();
    for id in 1..=3 {
        got.extend(brief(&rig.messages(first)).into_iter().map(|(_, p)| p));
        rig.send(first, &packets::ack(0x40, id));
    }
    assert_eq!(got, ["0", "1", "2"]);
}

#[test]
fn what_a_member_may_read_no_more_goes_to_another_that_may() {
    for away in [false, true] {
        let limits = Limits {
            in_flight: 1,
            ..limits()
        };
        let mut rig = Rig::with(config(), limits.clone());
        let of = |name: &str| Connect::new(4, name).resume().user(name);
        let one = rig.connect(&of("one"));
        rig.subscribe(one, &[("$share/g/#", 1)]);
        let publisher = rig.connect(&Connect::new(4, "p"));
        for n in 0..3 {
            rig.publish(publisher, 2, "a", &n.to_string());
        }
        rig.publish(publisher, 2, "b", "mine");
        let two = rig.connect(&of("two"));
        rig.subscribe(two, &[("$share/g/#", 1)]);
        if away {
            rig.lose(two);
        }
        let mut less = grants(&["#"], &["#"]);
        less.deny.push("a".into());
        let (less, limits) = (less.into(), limits.into());
        rig.broker
            .regrant(rig.now, "one", |_| Arc::clone(&less), &limits);
        rig.pump();
        let two = match away {
            true => rig.connect(&of("two")),
            false => two,
        };
        let mut got = Vec::new();
        for id in 1..=3 {
            got.extend(brief(&rig.messages(two)).into_iter().map(|(_, p)| p));
            rig.send(two, &packets::ack(0x40, id));
        }
        assert_eq!(got, ["1", "2"], "away: {away}");
        // What is in flight is the first one's, and so is what it may still read.
        let mut got = Vec::new();
        for id in 1..=2 {
            got.extend(brief(&rig.messages(one)).into_iter().map(|(_, p)| p));
            rig.send(one, &packets::ack(0x40, id));
        }
        got.extend(brief(&rig.messages(one)).into_iter().map(|(_, p)| p));
        assert_eq!(got, ["0", "mine"]);
    }
}
