//! What a hostile client may try, and what it gets.

use super::packets::{self, Connect, In};
use super::rig::{Rig, accept, brief, config, grants, limits};
use crate::{Config, Flow, Limits, NoticeKind};

#[test]
fn a_client_above_its_message_rate_is_paused_and_loses_nothing() {
    let mut rig = Rig::with(
        config(),
        Limits {
            messages_per_s: 100,
            ..limits()
        },
    );
    let conn = rig.connect(&Connect::new(4, "c"));
    let mut taken = 0;
    let mut flow = Flow::Read;
    while flow == Flow::Read {
        flow = rig.send(conn, &packets::publish(2, "a", 1, None, b""));
        taken += 1;
    }
    assert!((100..=102).contains(&taken), "{taken}");
    let Flow::Pause(Some(until)) = flow else {
        panic!("{flow:?}")
    };
    assert!(until.0 - rig.now.0 <= 20);
    assert!(rig.has_limit("messages_per_s"));
    // In the long run the rate holds.
    let start = rig.now;
    while rig.now.since(start).as_secs() < 10 {
        match rig.send(conn, &packets::publish(2, "a", 1, None, b"")) {
            Flow::Pause(Some(until)) => rig.now = until,
            Flow::Read => {}
            other => panic!("{other:?}"),
        }
        taken += 1;
    }
    assert!((1_080..=1_120).contains(&taken), "{taken}");
    assert_eq!(rig.got(conn).len(), taken);
}

#[test]
fn a_client_above_its_byte_rate_is_paused_and_not_taken_for_silent() {
    let mut rig = Rig::with(
        config(),
        Limits {
            bytes_per_s: 1_000,
            ..limits()
        },
    );
    let conn = rig.connect(&Connect::new(4, "c").keep_alive(2));
    let flow = rig.send(conn, &packets::publish(0, "a", 0, None, &[0; 20_000]));
    let Flow::Pause(Some(until)) = flow else {
        panic!("{flow:?}")
    };
    assert_eq!((until.0 - rig.now.0) / 1_000, 19);
    rig.pass(until.0 - rig.now.0);
    assert!(!rig.is_closed(conn));
    rig.pass(3_000);
    assert!(rig.is_closed(conn));
}

#[test]
fn a_client_that_does_not_read_its_answers_is_not_read_from() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(4, "c"));
    rig.deaf.push(conn);
    let mut sent = 0;
    while rig.send(conn, &packets::PINGREQ) == Flow::Read {
        sent += 1;
        assert!(sent < 100_000);
    }
    rig.drained(conn);
    assert_eq!(rig.send(conn, &packets::PINGREQ), Flow::Read);
}

#[test]
fn a_subscriber_that_does_not_read_costs_its_own_queue_only() {
    let mut rig = Rig::new();
    let slow = rig.connect(&Connect::new(4, "slow"));
    let good = rig.connect(&Connect::new(4, "good"));
    rig.subscribe(slow, &[("#", 2)]);
    rig.subscribe(good, &[("#", 2)]);
    rig.deaf.push(slow);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for n in 0..500 {
        assert_eq!(rig.publish(publisher, 0, "a", &n.to_string()), 0);
    }
    assert_eq!(rig.messages(good).len(), 500);
    assert_eq!(rig.broker.stats().messages_dropped, 400);
    assert!(rig.has_limit("queue_messages"));
    // QoS 0 makes way for QoS 1, and QoS 1 for nothing.
    for n in 0..120 {
        assert_eq!(rig.publish(publisher, 2, "a", &format!("one {n}")), 0);
        for message in rig.messages(good) {
            rig.send(good, &packets::ack(0x40, message.id));
        }
    }
    assert_eq!(rig.broker.stats().messages_dropped, 400 + 100 + 20);
    let got = rig.drained(slow);
    assert_eq!(got.len(), 10);
    assert_eq!(brief(&got)[0].1, "one 0");
}

#[test]
fn what_expires_in_a_full_queue_makes_room_each_in_its_time() {
    let mut rig = Rig::with(
        config(),
        Limits {
            queue_messages: 3,
            ..limits()
        },
    );
    let sleeper = Connect::new(5, "s").resume().expiry(1_000);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("#", 1)]);
    rig.lose(conn);
    let publisher = rig.connect(&Connect::new(5, "p"));
    let mut publish = |after_s: u64, payload: u8, expiry_s: u8| {
        rig.pass(after_s * 1_000);
        let expiry: &[&[u8]] = &[&[2, 0, 0, 0, expiry_s]];
        let packet = packets::publish(2, "a", 1, Some(expiry), &[payload]);
        rig.send(publisher, &packet);
    };
    publish(0, b'1', 30);
    publish(0, b'2', 10);
    publish(0, b'3', 200);
    publish(5, b'4', 200);
    // The second is gone, then the first.
    publish(6, b'5', 200);
    publish(1, b'6', 200);
    publish(20, b'7', 200);
    publish(1, b'8', 200);
    let conn = rig.connect(&sleeper);
    let got: Vec<u8> = rig.messages(conn).iter().map(|m| m.payload[0]).collect();
    assert_eq!(got, b"357");
}

#[test]
fn queued_bytes_are_bounded() {
    let mut rig = Rig::with(
        config(),
        Limits {
            queue_bytes: 10_000,
            ..limits()
        },
    );
    let sleeper = Connect::new(4, "s").resume();
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("#", 1)]);
    rig.lose(conn);
    let publisher = rig.connect(&Connect::new(4, "p"));
    for _ in 0..50 {
        rig.publish(publisher, 2, "a", &"x".repeat(900));
    }
    assert!(rig.broker.stats().held_bytes < 11_000);
    assert!(rig.has_limit("queue_bytes"));
    let conn = rig.connect(&sleeper);
    let got = rig.messages(conn).len();
    assert!((8..=10).contains(&got), "{got}");
}

#[test]
fn at_the_memory_cap_nothing_is_acknowledged_that_is_not_kept() {
    let config = Config {
        memory: 60_000,
        ..config()
    };
    let mut rig = Rig::with(config, limits());
    let old = rig.connect(&Connect::new(4, "old"));
    let sleeper = Connect::new(5, "s").resume().expiry(100);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("#", 1)]);
    rig.lose(conn);
    let new = rig.connect(&Connect::new(5, "new"));
    let codes: Vec<_> = (0..80)
        .map(|_| rig.publish(new, 2, "a", &"x".repeat(900)))
        .collect();
    let kept = codes.iter().filter(|&&code| code == 0).count();
    assert!((45..=58).contains(&kept), "{kept}");
    assert!(codes[kept..].iter().all(|&code| code == 0x97));
    assert!(rig.broker.stats().memory_used <= 60_000);
    assert!(rig.has_limit("memory"));
    // A client of MQTT 3 is cut off rather than told that all is well.
    rig.send(old, &packets::publish(2, "a", 1, None, &[0; 900]));
    assert!(rig.is_closed(old));
    assert_eq!(rig.got(old), []);
    let conn = rig.connect(&sleeper);
    let mut seen = 0;
    loop {
        let got = rig.messages(conn);
        if got.is_empty() {
            break;
        }
        for message in got {
            seen += 1;
            rig.send(conn, &packets::ack(0x40, message.id));
        }
    }
    assert_eq!(seen, kept);
    assert_eq!(rig.broker.stats().held_bytes, 0);
}

#[test]
fn packets_that_never_become_whole_are_bounded_together() {
    let config = Config {
        memory: 400_000,
        ..config()
    };
    let mut rig = Rig::with(config, limits());
    let begin = &packets::publish(0, "a", 0, Some(&[]), &[0; 40_000])[..30_000];
    let conns: Vec<_> = (0..20)
        .map(|n| rig.connect(&Connect::new(5, &n.to_string())))
        .collect();
    for conn in &conns {
        rig.send(*conn, begin);
    }
    let closed = conns.iter().filter(|conn| rig.is_closed(**conn)).count();
    assert_eq!(closed, 17);
    assert_eq!(rig.got(conns[3]), [In::Disconnect(0x89)]);
    for conn in conns {
        rig.lose(conn);
    }
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.send(conn, begin);
    assert!(!rig.is_closed(conn));
}

#[test]
fn packets_above_the_size_are_refused_by_their_header() {
    let mut rig = Rig::with(
        config(),
        Limits {
            packet_size: 1_000,
            ..limits()
        },
    );
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.send(conn, &packets::publish(0, "a", 0, Some(&[]), &[0; 990]));
    assert!(!rig.is_closed(conn));
    rig.send(conn, &[0x30, 0xE6, 0x07]);
    assert_eq!(rig.got(conn), [In::Disconnect(0x95)]);
    assert!(rig.has_limit("packet_size"));
}

#[test]
fn connections_of_one_identity_are_bounded() {
    let mut rig = Rig::with(
        config(),
        Limits {
            connections: 2,
            ..limits()
        },
    );
    let one = rig.connect(&Connect::new(4, "1"));
    rig.connect(&Connect::new(4, "2"));
    assert_eq!(rig.try_connect(&Connect::new(4, "3").bytes()), Some(3));
    assert_eq!(rig.try_connect(&Connect::new(5, "3").bytes()), Some(0x97));
    assert!(rig.has_limit("connections"));
    // Another identity has room, a take-over needs none, and one that left makes some.
    rig.connect(&Connect::new(4, "3").user("other"));
    rig.connect(&Connect::new(4, "2"));
    rig.lose(one);
    rig.connect(&Connect::new(4, "4"));
}

#[test]
fn thousands_of_filters_in_one_packet() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    for n in 0..200 {
        rig.publish(conn, 1, &format!("t/{n}"), "x");
    }
    let filters = vec![("+/x", 0); 9_000];
    rig.send(conn, &packets::subscribe(1, Some(&[]), &filters));
    let [In::SubAck(1, codes)] = &rig.got(conn)[..] else {
        panic!()
    };
    assert_eq!(codes.len(), 9_000);
    assert_eq!(rig.broker.stats().subscriptions, 1);
}

#[test]
fn a_megabyte_of_empty_user_properties() {
    let mut rig = Rig::with(
        config(),
        Limits {
            packet_size: 2 << 20,
            user_properties: 1_000_000,
            ..limits()
        },
    );
    let conn = rig.connect(&Connect::new(5, "c"));
    let watcher = rig.connect(&Connect::new(5, "w"));
    rig.subscribe(watcher, &[("#", 0)]);
    let many = b"\x26\0\0\0\0".repeat(200_000);
    rig.send(conn, &packets::publish(0, "a", 0, Some(&[&many]), b""));
    assert_eq!(rig.messages(watcher)[0].props.len(), 1_000_000);
}

#[test]
fn many_overlapping_filters_deliver_once() {
    let limits = Limits {
        subscriptions: 4_096,
        packet_size: 1 << 20,
        ..limits()
    };
    let mut rig = Rig::with(config(), limits);
    let conn = rig.connect(&Connect::new(5, "c"));
    for bits in 0..4_096u16 {
        let level = |n: u16| if bits >> n & 1 == 1 { "+" } else { "a" };
        let filter = (0..12).map(level).collect::<Vec<_>>().join("/");
        let mut property = vec![0x0B];
        packets::varint(&mut property, 1 + usize::from(bits));
        rig.send(
            conn,
            &packets::subscribe(1, Some(&[&property]), &[(&filter, 0)]),
        );
    }
    rig.got(conn);
    rig.publish(conn, 0, &["a"; 12].join("/"), "x");
    let got = rig.messages(conn);
    assert_eq!(got.len(), 1);
    // An identifier byte each, and one or two for the number.
    assert_eq!(got[0].props.len(), 127 * 2 + (4_096 - 127) * 3);
}

#[test]
fn aliases_for_long_topics_are_bounded() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    let topic = "x".repeat(3_000);
    // The same alias again costs nothing.
    for alias in [1, 2, 1] {
        let list: &[&[u8]] = &[&[0x23, 0, alias]];
        rig.send(conn, &packets::publish(0, &topic, 0, Some(list), b""));
    }
    assert!(!rig.is_closed(conn));
    rig.send(
        conn,
        &packets::publish(0, &topic, 0, Some(&[&[0x23, 0, 3]]), b""),
    );
    assert_eq!(rig.got(conn), [In::Disconnect(0x97)]);
    assert!(rig.has_limit("topic_alias_bytes"));
}

#[test]
fn the_same_qos_2_packet_a_hundred_thousand_times() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.subscribe(conn, &[("a", 0)]);
    let bytes = packets::publish(0x0C, "a", 7, Some(&[]), b"x").repeat(1_000);
    let mut delivered = 0;
    for _ in 0..100 {
        rig.send(conn, &bytes);
        delivered += rig.messages(conn).len();
    }
    assert_eq!(delivered, 1);
}

#[test]
fn a_subscriber_that_never_acknowledges_gets_what_its_window_holds() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "c"));
    rig.subscribe(conn, &[("a", 1)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for _ in 0..1_000 {
        rig.publish(publisher, 2, "a", "x");
    }
    assert_eq!(rig.messages(conn).len(), 10);
    assert_eq!(rig.broker.stats().messages_dropped, 890);
}

#[test]
fn acknowledgements_for_nothing_do_nothing() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(4, "c"));
    for id in 1..=u16::MAX {
        rig.broker.receive(rig.now, conn, &packets::ack(0x40, id));
        rig.broker.receive(rig.now, conn, &packets::ack(0x70, id));
    }
    rig.pump();
    assert_eq!(rig.got(conn), []);
    assert!(!rig.is_closed(conn));
}

#[test]
fn a_thousand_half_open_connections() {
    let mut rig = Rig::new();
    let half = &Connect::new(4, "c").bytes()[..9];
    for _ in 0..1_000 {
        let conn = rig.open();
        rig.send(conn, half);
    }
    assert!(rig.broker.open(rig.now).is_err());
    rig.pass(5_000);
    assert_eq!(rig.broker.stats().connections, 0);
    assert_eq!(rig.broker.deadline(), None);
    rig.connect(&Connect::new(4, "c"));
}

#[test]
fn zero_limits_refuse_and_do_not_break() {
    let none = Limits {
        packet_size: 0,
        messages_per_s: 0,
        bytes_per_s: 0,
        burst_ms: 0,
        connections: 1,
        subscriptions: 0,
        over_rate: Default::default(),
        topic_length: 0,
        topic_levels: 0,
        user_properties: 0,
        will_size: 0,
        in_flight: 0,
        queue_messages: 0,
        queue_bytes: 0,
        retained_messages: 0,
        retained_bytes: 0,
        session_expiry_s: 0,
    };
    let mut rig = Rig::with(config(), none.clone());
    let conn = rig.connect(&Connect::new(5, "c").resume().expiry(9));
    rig.send(conn, &packets::PINGREQ);
    assert_eq!(rig.got(conn), [In::Disconnect(0x95)]);
    let some = Limits {
        packet_size: 100,
        ..none
    };
    rig.door = Box::new(move |_| accept("i", grants(&["#"], &["#"]), some.clone()));
    let conn = rig.connect(&Connect::new(5, "c"));
    assert_eq!(rig.subscribe(conn, &[("a", 0)]), [0x8F]);
    assert_eq!(rig.publish(conn, 4, "a", "x"), 0x90);
    rig.lose(conn);
    assert_eq!(rig.broker.deadline(), None);
}

#[test]
fn mqtt_3_1_2_24_a_client_that_does_not_take_its_answer_is_cut_off() {
    let filters: Vec<(&str, u8)> = vec![("a", 0); 40];
    let names: Vec<&str> = vec!["a"; 40];
    for packet in [
        packets::subscribe(1, Some(&[]), &filters),
        packets::unsubscribe(1, true, &names),
    ] {
        let mut rig = Rig::new();
        let conn = rig.connect(&Connect::new(5, "c").prop(&[0x27, 0, 0, 0, 30]));
        assert_eq!(rig.subscribe(conn, &[("a", 0)]), [0]);
        rig.send(conn, &packet);
        assert_eq!(rig.got(conn), [In::Disconnect(0x95)]);
        assert!(rig.is_closed(conn) && is_told_of_maximum_packet_size(&rig));
    }
}

#[test]
fn a_client_that_does_not_take_its_connack_is_not_in() {
    let mut rig = Rig::new();
    let watcher = rig.connect(&Connect::new(5, "w"));
    rig.subscribe(watcher, &[("#", 0)]);
    for expiry in [0, 100] {
        let connect = Connect::new(5, "c")
            .prop(&[0x27, 0, 0, 0, 10])
            .expiry(expiry)
            .will("t", 0, true, &[]);
        let conn = rig.open();
        rig.send(conn, &connect.bytes());
        assert_eq!(rig.got(conn), []);
        assert!(rig.is_closed(conn) && is_told_of_maximum_packet_size(&rig));
        rig.notices.clear();
    }
    rig.pass(200_000);
    assert_eq!(rig.messages(watcher), []);
    assert_eq!(
        (rig.broker.stats().sessions, rig.broker.stats().connected),
        (1, 1)
    );
}

fn is_told_of_maximum_packet_size(rig: &Rig) -> bool {
    rig.notices.iter().any(|kind| match kind {
        NoticeKind::ProtocolError { what, .. } => what.starts_with("Maximum Packet Size"),
        _ => false,
    })
}

#[test]
fn a_regrant_tightens_limits_at_once() {
    let mut rig = Rig::new();
    let sleeper = rig.connect(&Connect::new(5, "s").expiry(1_000));
    rig.lose(sleeper);
    let conn = rig.connect(&Connect::new(5, "c"));
    let tight = Limits {
        session_expiry_s: 10,
        packet_size: 50,
        in_flight: 1,
        ..limits()
    };
    rig.broker.regrant(
        rig.now,
        "all",
        |_| grants(&["#"], &["#"]).into(),
        &tight.into(),
    );
    rig.pass(10_000);
    assert_eq!(rig.broker.stats().sessions, 1);
    rig.send(conn, &packets::publish(0, "a", 0, Some(&[]), &[0; 100]));
    assert_eq!(rig.got(conn), [In::Disconnect(0x95)]);
}
