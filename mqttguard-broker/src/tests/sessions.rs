use super::packets::{self, Connect, In};
use super::rig::{Rig, brief, config, limits};
use crate::Limits;

#[test]
fn mqtt_3_1_2_5_a_session_is_resumed_with_what_it_missed() {
    for level in [4, 5] {
        let mut rig = Rig::new();
        let sleeper = Connect::new(level, "s").resume();
        let sleeper = if level == 5 {
            sleeper.expiry(100)
        } else {
            sleeper
        };
        let (conn, present) = rig.connect_with(&sleeper);
        assert!(!present);
        rig.subscribe(conn, &[("a", 2)]);
        rig.lose(conn);
        let publisher = rig.connect(&Connect::new(level, "p"));
        for qos in 0..3 {
            rig.publish(publisher, qos << 1, "a", &qos.to_string());
        }
        let (conn, present) = rig.connect_with(&sleeper);
        assert!(present);
        let want = [("a".into(), "1".into()), ("a".into(), "2".into())];
        assert_eq!(brief(&rig.messages(conn)), want);
    }
}

#[test]
fn mqtt_3_1_2_4_clean_start_ends_the_session_of_before() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "s").expiry(100));
    rig.subscribe(conn, &[("a", 1)]);
    rig.lose(conn);
    assert_eq!(rig.broker.stats().sessions, 1);
    let (_, present) = rig.connect_with(&Connect::new(5, "s"));
    assert!(!present);
    assert_eq!(
        (
            rig.broker.stats().sessions,
            rig.broker.stats().subscriptions
        ),
        (1, 0)
    );
}

#[test]
fn mqtt_4_4_0_1_what_is_in_flight_is_sent_again_with_its_identifiers_in_order() {
    for level in [4, 5] {
        let mut rig = Rig::new();
        let sleeper = Connect::new(level, "s").resume();
        let sleeper = if level == 5 {
            sleeper.expiry(100)
        } else {
            sleeper
        };
        let conn = rig.connect(&sleeper);
        rig.subscribe(conn, &[("a", 2)]);
        let publisher = rig.connect(&Connect::new(level, "p"));
        for (n, qos) in [1, 2, 2, 1].into_iter().enumerate() {
            rig.publish(publisher, qos << 1, "a", &n.to_string());
        }
        let first: Vec<_> = rig.messages(conn).iter().map(|p| p.id).collect();
        assert_eq!(first, [1, 2, 3, 4]);
        rig.send(conn, &packets::ack(0x50, 2));
        rig.send(conn, &packets::ack(0x40, 1));
        rig.got(conn);
        rig.lose(conn);
        let conn = rig.connect(&sleeper);
        let got = rig.got(conn);
        assert_eq!(got[0], In::Ack(0x62, 2, 0));
        let [_, In::Publish(third), In::Publish(fourth)] = &got[..] else {
            panic!("{got:?}")
        };
        assert_eq!(
            (third.id, third.dup, &third.payload[..]),
            (3, true, &b"2"[..])
        );
        assert_eq!(
            (fourth.id, fourth.dup, &fourth.payload[..]),
            (4, true, &b"3"[..])
        );
        // A new message does not take an identifier that is in use.
        rig.publish(publisher, 2, "a", "new");
        assert_eq!(rig.messages(conn)[0].id, 5);
        rig.send(conn, &packets::ack(0x70, 2));
        rig.send(conn, &packets::ack(0x50, 3));
        rig.send(conn, &packets::ack(0x70, 3));
        rig.send(conn, &packets::ack(0x40, 4));
        rig.send(conn, &packets::ack(0x40, 5));
        assert_eq!(rig.broker.stats().held_bytes, 0);
    }
}

#[test]
fn mqtt_4_3_3_exactly_once_across_connections() {
    let mut rig = Rig::new();
    let publisher = Connect::new(4, "p").resume();
    let subscriber = rig.connect(&Connect::new(4, "s"));
    rig.subscribe(subscriber, &[("a", 0)]);
    let conn = rig.connect(&publisher);
    rig.send(conn, &packets::publish(4, "a", 5, None, b"x"));
    rig.lose(conn);
    let conn = rig.connect(&publisher);
    rig.send(conn, &packets::publish(0x0C, "a", 5, None, b"x"));
    assert_eq!(rig.got(conn), [In::Ack(0x50, 5, 0)]);
    rig.send(conn, &packets::ack(0x62, 5));
    rig.lose(conn);
    let conn = rig.connect(&publisher);
    rig.send(conn, &packets::ack(0x62, 5));
    assert_eq!(rig.got(conn), [In::Ack(0x70, 5, 0)]);
    assert_eq!(rig.messages(subscriber).len(), 1);
}

#[test]
fn packet_identifiers_wrap_and_skip_0_and_the_bridges_own() {
    let mut rig = Rig::new();
    let subscriber = rig.connect(&Connect::new(4, "s"));
    rig.subscribe(subscriber, &[("a", 1)]);
    let publisher = rig.connect(&Connect::new(4, "p"));
    let publish = packets::publish(0x02, "a", 1, None, b"").repeat(8);
    let mut want = 0;
    for _ in 0..9_000 {
        rig.send(publisher, &publish);
        for message in rig.messages(subscriber) {
            assert_eq!(message.id, want % 65_534 + 1);
            want = message.id;
            rig.send(subscriber, &packets::ack(0x40, message.id));
        }
    }
    assert_eq!(rig.broker.stats().messages_out, 72_000);
    assert_eq!(rig.broker.stats().held_bytes, 0);
}

#[test]
fn one_message_never_acknowledged_does_not_grow_the_window_for_ever() {
    let mut rig = Rig::new();
    let subscriber = rig.connect(&Connect::new(4, "s"));
    rig.subscribe(subscriber, &[("a", 1)]);
    let publisher = rig.connect(&Connect::new(4, "p"));
    let mut seen = 0;
    for _ in 0..1_000 {
        rig.publish(publisher, 2, "a", "");
        for message in rig.messages(subscriber) {
            seen += 1;
            if message.id > 1 {
                rig.send(subscriber, &packets::ack(0x40, message.id));
            }
        }
    }
    assert_eq!(seen, 80);
    rig.send(subscriber, &packets::ack(0x40, 1));
    assert!(!rig.messages(subscriber).is_empty());
}

#[test]
fn a_session_ends_after_its_expiry() {
    let mut rig = Rig::new();
    let sleeper = Connect::new(5, "s").resume().expiry(10);
    let conn = rig.connect(&sleeper);
    rig.lose(conn);
    rig.pass(9_999);
    assert_eq!(rig.broker.stats().sessions, 1);
    rig.pass(1);
    assert_eq!(rig.broker.stats().sessions, 0);
    // Section 3.1.2.11.2: the bound of ours holds for MQTT 3 too.
    let conn = rig.connect(&Connect::new(4, "t").resume());
    rig.lose(conn);
    rig.pass(3_600_000);
    assert_eq!(rig.broker.stats().sessions, 0);
    // Expiry 0 ends it with the connection.
    let conn = rig.connect(&Connect::new(5, "u").resume());
    rig.lose(conn);
    assert_eq!(rig.broker.stats().sessions, 0);
}

#[test]
fn disconnect_may_change_the_expiry_but_not_raise_it_from_0() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(5, "s").expiry(10));
    rig.send(conn, &packets::packet(0xE0, &[0, 5, 0x11, 0, 0, 0, 0]));
    assert_eq!(rig.broker.stats().sessions, 0);
    let conn = rig.connect(&Connect::new(5, "s"));
    rig.send(conn, &packets::packet(0xE0, &[0, 5, 0x11, 0, 0, 0, 9]));
    assert_eq!(rig.got(conn), [In::Disconnect(0x82)]);
}

#[test]
fn mqtt_3_1_4_3_the_same_client_takes_over() {
    for (level, want) in [(4, vec![]), (5, vec![In::Disconnect(0x8E)])] {
        let mut rig = Rig::new();
        let connect = Connect::new(level, "c").resume();
        let connect = if level == 5 {
            connect.expiry(50)
        } else {
            connect
        };
        let old = rig.connect(&connect);
        rig.subscribe(old, &[("a", 0)]);
        let (new, present) = rig.connect_with(&connect);
        assert!(present && rig.is_closed(old));
        assert_eq!(rig.got(old), want);
        rig.publish(new, 0, "a", "x");
        assert_eq!(rig.messages(new).len(), 1);
        assert_eq!(rig.broker.stats().sessions, 1);
    }
}

#[test]
fn another_identity_neither_takes_over_nor_occupies_a_client_identifier() {
    let mut rig = Rig::new();
    let connect = |user: &str| Connect::new(5, "c").resume().expiry(100).user(user);
    let owner = rig.connect(&connect("owner"));
    rig.subscribe(owner, &[("$share/g/a", 1), ("b", 0)]);
    // While it is connected, while it is away, and when it comes back.
    let (squatter, present) = rig.connect_with(&connect("squatter"));
    assert!(!present && !rig.is_closed(owner));
    rig.publish(squatter, 2, "a", "shared");
    rig.publish(squatter, 0, "b", "x");
    assert_eq!(rig.messages(owner).len(), 2);
    rig.lose(owner);
    let again = rig.connect(&connect("squatter"));
    assert!(rig.is_closed(squatter));
    let (owner, present) = rig.connect_with(&connect("owner"));
    assert!(present && !rig.is_closed(again));
    assert_eq!(rig.messages(owner).len(), 1, "what was in flight");
    assert_eq!(rig.broker.stats().sessions, 2);
}

#[test]
fn sessions_of_two_identities_do_not_meet_under_one_client_identifier() {
    let mut rig = Rig::new();
    let connect = |user: &str| Connect::new(5, "c").resume().expiry(100).user(user);
    let conn = rig.connect(&connect("one"));
    rig.subscribe(conn, &[("a", 1)]);
    rig.lose(conn);
    let (conn, present) = rig.connect_with(&connect("two"));
    assert!(!present);
    rig.publish(conn, 2, "a", "for one");
    rig.lose(conn);
    let (conn, present) = rig.connect_with(&connect("one"));
    assert!(present);
    assert_eq!(brief(&rig.messages(conn)), [("a".into(), "for one".into())]);
}

#[test]
fn abandoned_sessions_are_bounded() {
    let mut rig = Rig::with(
        config(),
        Limits {
            connections: 4,
            ..limits()
        },
    );
    for n in 0..50 {
        let conn = rig.connect(&Connect::new(5, &format!("c{n}")).expiry(1_000));
        rig.subscribe(conn, &[("a", 1)]);
        rig.lose(conn);
    }
    assert_eq!(rig.broker.stats().sessions, 8);
    assert!(rig.has_limit("connections"));
    // The latest are still there.
    let (_, present) = rig.connect_with(&Connect::new(5, "c49").resume().expiry(1_000));
    assert!(present);
}

#[test]
fn sessions_in_all_are_bounded() {
    let mut rig = Rig::with(
        crate::Config {
            sessions: 3,
            ..config()
        },
        limits(),
    );
    for n in 0..3 {
        rig.connect(&Connect::new(5, &format!("c{n}")).user(&format!("u{n}")));
    }
    assert_eq!(
        rig.try_connect(&Connect::new(5, "more").user("u9").bytes()),
        Some(0x97)
    );
    assert!(rig.has_limit("sessions"));
}

#[test]
fn mqtt_4_4_a_resumed_session_respects_the_new_receive_maximum() {
    let mut rig = Rig::new();
    let sleeper = Connect::new(5, "s").resume().expiry(100);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("a", 1)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for n in 0..4 {
        rig.publish(publisher, 2, "a", &n.to_string());
    }
    assert_eq!(rig.messages(conn).len(), 4);
    rig.lose(conn);
    let conn = rig.connect(&sleeper.clone().prop(&[0x21, 0, 1]));
    let mut seen = Vec::new();
    while let [message] = &rig.messages(conn)[..] {
        seen.push((message.id, message.dup));
        rig.send(conn, &packets::ack(0x40, message.id));
    }
    assert_eq!(seen, [(1, true), (2, true), (3, true), (4, true)]);
}
