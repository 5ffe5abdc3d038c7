use super::packets::{self, Connect, In};
use super::rig::{Rig, brief};

fn pair(rig: &mut Rig, level: u8, qos: u8) -> (crate::ConnId, crate::ConnId) {
    let subscriber = rig.connect(&Connect::new(level, "subscriber"));
    let publisher = rig.connect(&Connect::new(level, "publisher"));
    assert_eq!(rig.subscribe(subscriber, &[("a/+", qos)]), [qos]);
    (subscriber, publisher)
}

#[test]
fn qos_0_is_delivered_in_every_version() {
    for level in [3, 4, 5] {
        let mut rig = Rig::new();
        let (subscriber, publisher) = pair(&mut rig, level, 0);
        rig.publish(publisher, 0, "a/b", "one");
        rig.publish(publisher, 0, "a/c", "two");
        rig.publish(publisher, 0, "b/c", "not for you");
        let got = rig.messages(subscriber);
        assert_eq!(
            brief(&got),
            [("a/b".into(), "one".into()), ("a/c".into(), "two".into())]
        );
        assert!(got.iter().all(|p| p.qos == 0 && !p.retain && !p.dup));
    }
}

#[test]
fn mqtt_4_3_2_qos_1_is_acknowledged_and_delivered() {
    for level in [3, 4, 5] {
        let mut rig = Rig::new();
        let (subscriber, publisher) = pair(&mut rig, level, 1);
        assert_eq!(rig.publish(publisher, 2, "a/b", "one"), 0);
        let got = rig.messages(subscriber);
        assert_eq!((got.len(), got[0].qos, got[0].id), (1, 1, 1));
        rig.send(subscriber, &packets::ack(0x40, 1));
        assert_eq!(rig.broker.stats().held_bytes, 0);
    }
}

#[test]
fn mqtt_4_3_3_qos_2_takes_the_four_steps_both_ways() {
    for level in [3, 4, 5] {
        let mut rig = Rig::new();
        let (subscriber, publisher) = pair(&mut rig, level, 2);
        rig.send(publisher, &packets::publish(4, "a/b", 5, v(level), b"x"));
        assert_eq!(rig.got(publisher), [In::Ack(0x50, 5, 0)]);
        // MQTT-4.3.3-10: the same again is answered and not delivered again.
        rig.send(publisher, &packets::publish(0x0C, "a/b", 5, v(level), b"x"));
        assert_eq!(rig.got(publisher), [In::Ack(0x50, 5, 0)]);
        rig.send(publisher, &packets::ack(0x62, 5));
        assert_eq!(rig.got(publisher), [In::Ack(0x70, 5, 0)]);
        let got = rig.messages(subscriber);
        assert_eq!((got.len(), got[0].qos), (1, 2));
        rig.send(subscriber, &packets::ack(0x50, got[0].id));
        assert_eq!(rig.got(subscriber), [In::Ack(0x62, got[0].id, 0)]);
        assert_eq!(rig.broker.stats().held_bytes, 0);
        rig.send(subscriber, &packets::ack(0x70, got[0].id));
        assert_eq!(rig.got(subscriber), []);
        // MQTT-4.3.3-12: after PUBREL the packet identifier is a new message's.
        rig.send(publisher, &packets::publish(4, "a/b", 5, v(level), b"y"));
        assert_eq!(rig.messages(subscriber).len(), 1);
    }
}

fn v(level: u8) -> Option<&'static [&'static [u8]]> {
    if level == 5 { Some(&[]) } else { None }
}

#[test]
fn mqtt_3_8_4_8_the_lower_qos_counts() {
    let mut rig = Rig::new();
    let (subscriber, publisher) = pair(&mut rig, 5, 1);
    rig.publish(publisher, 4, "a/b", "x");
    rig.publish(publisher, 0, "a/b", "y");
    let qos: Vec<_> = rig.messages(subscriber).iter().map(|p| p.qos).collect();
    assert_eq!(qos, [1, 0]);
}

#[test]
fn order_is_kept_within_and_across_qos() {
    let mut rig = Rig::new();
    let (subscriber, publisher) = pair(&mut rig, 5, 2);
    rig.deaf.push(subscriber);
    for n in 0..9 {
        rig.publish(publisher, (n % 3) << 1, "a/b", &n.to_string());
    }
    rig.deaf.clear();
    rig.broker.tick(rig.now);
    rig.publish(publisher, 0, "a/b", "9");
    // The connection was named before; the caller comes back to it.
    let got: Vec<_> = rig
        .drained(subscriber)
        .into_iter()
        .map(|p| p.payload)
        .collect();
    let want: Vec<_> = (0..10).map(|n| n.to_string().into_bytes()).collect();
    assert_eq!(got, want);
}

#[test]
fn unknown_acknowledgements_are_answered_as_the_standard_says() {
    let mut rig = Rig::new();
    let client = rig.connect(&Connect::new(5, "c"));
    rig.send(client, &packets::ack(0x40, 7));
    rig.send(client, &packets::ack(0x70, 7));
    assert_eq!(rig.got(client), []);
    rig.send(client, &packets::ack(0x50, 7));
    assert_eq!(rig.got(client), [In::Ack(0x62, 7, 0x92)]);
    rig.send(client, &packets::ack(0x62, 7));
    assert_eq!(rig.got(client), [In::Ack(0x70, 7, 0x92)]);
    let old = rig.connect(&Connect::new(4, "d"));
    rig.send(old, &packets::ack(0x62, 7));
    assert_eq!(rig.got(old), [In::Ack(0x70, 7, 0)]);
}

#[test]
fn an_acknowledgement_of_the_wrong_kind_ends_the_connection() {
    let mut rig = Rig::new();
    let (subscriber, publisher) = pair(&mut rig, 5, 1);
    rig.publish(publisher, 2, "a/b", "x");
    rig.got(subscriber);
    rig.send(subscriber, &packets::ack(0x50, 1));
    assert_eq!(rig.got(subscriber), [In::Disconnect(0x82)]);
}

#[test]
fn mqtt_3_3_2_17_properties_are_forwarded_in_their_order() {
    let mut rig = Rig::new();
    let (subscriber, publisher) = pair(&mut rig, 5, 0);
    let list: &[&[u8]] = &[
        b"\x26\0\x01a\0\x011",
        b"\x01\x01",
        b"\x02\0\0\0\x0A",
        b"\x08\0\x01r",
        b"\x26\0\x01b\0\x012",
        b"\x09\0\x02\0\xFF",
        b"\x03\0\x04text",
    ];
    rig.send(publisher, &packets::publish(0, "a/b", 0, Some(list), b"x"));
    let got = rig.messages(subscriber);
    let want = b"\x02\0\0\0\x0A\x26\0\x01a\0\x011\x01\x01\x08\0\x01r\x26\0\x01b\0\x012\x09\0\x02\0\xFF\x03\0\x04text";
    assert_eq!(got[0].props, want);
}

#[test]
fn mqtt_3_3_2_6_message_expiry_runs_while_the_message_waits() {
    let mut rig = Rig::new();
    let sleeper = Connect::new(5, "sleeper").resume().expiry(1_000);
    let conn = rig.connect(&sleeper);
    rig.subscribe(conn, &[("a", 1)]);
    rig.lose(conn);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for seconds in [5u8, 60] {
        let expiry: &[&[u8]] = &[&[2, 0, 0, 0, seconds]];
        rig.send(
            publisher,
            &packets::publish(2, "a", 1, Some(expiry), &[seconds]),
        );
    }
    rig.pass(10_000);
    let conn = rig.connect(&sleeper);
    let got = rig.messages(conn);
    assert_eq!(got.len(), 1);
    assert_eq!(
        (&got[0].payload[..], &got[0].props[..]),
        (&[60][..], &[2, 0, 0, 0, 50][..])
    );
}

#[test]
fn mqtt_3_3_2_topic_aliases_of_the_client() {
    let mut rig = Rig::new();
    let (subscriber, publisher) = pair(&mut rig, 5, 0);
    let alias: &[&[u8]] = &[&[0x23, 0, 3]];
    rig.send(publisher, &packets::publish(0, "a/b", 0, Some(alias), b"1"));
    rig.send(publisher, &packets::publish(0, "", 0, Some(alias), b"2"));
    rig.send(publisher, &packets::publish(0, "a/c", 0, Some(alias), b"3"));
    rig.send(publisher, &packets::publish(0, "", 0, Some(alias), b"4"));
    let topics: Vec<_> = rig
        .messages(subscriber)
        .into_iter()
        .map(|p| p.topic)
        .collect();
    assert_eq!(topics, ["a/b", "a/b", "a/c", "a/c"]);
    for (alias, code) in [([0, 0], 0x94), ([0, 17], 0x94), ([0, 9], 0x82)] {
        let conn = rig.connect(&Connect::new(5, "x"));
        let list: &[&[u8]] = &[&[0x23, alias[0], alias[1]]];
        rig.send(conn, &packets::publish(0, "", 0, Some(list), b""));
        assert_eq!(rig.got(conn), [In::Disconnect(code)]);
    }
}

#[test]
fn mqtt_3_1_2_26_topic_aliases_of_the_server() {
    let mut rig = Rig::new();
    let subscriber = rig.connect(&Connect::new(5, "s").prop(&[0x22, 0, 1]));
    rig.subscribe(subscriber, &[("#", 0)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for topic in ["a", "b", "a"] {
        rig.publish(publisher, 0, topic, "");
    }
    let got = rig.messages(subscriber);
    let seen: Vec<_> = got
        .iter()
        .map(|p| (p.topic.as_str(), p.props.as_slice()))
        .collect();
    assert_eq!(
        seen,
        [("a", &[0x23, 0, 1][..]), ("b", &[]), ("", &[0x23, 0, 1])]
    );
}

#[test]
fn mqtt_3_1_2_24_too_large_for_the_client_is_dropped_as_if_sent() {
    let mut rig = Rig::new();
    let connect = Connect::new(5, "s")
        .prop(&[0x27, 0, 0, 0, 40])
        .prop(&[0x22, 0, 9]);
    let subscriber = rig.connect(&connect);
    rig.subscribe(subscriber, &[("#", 1)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for _ in 0..20 {
        rig.publish(publisher, 2, "a", &"x".repeat(60));
    }
    rig.publish(publisher, 2, "a", "small");
    let got = rig.messages(subscriber);
    assert_eq!(brief(&got), [("a".into(), "small".into())]);
    assert_eq!(rig.broker.stats().messages_dropped, 20);
}

#[test]
fn what_fits_only_without_an_alias_is_sent_without() {
    let mut rig = Rig::new();
    let connect = Connect::new(5, "s")
        .prop(&[0x27, 0, 0, 0, 40])
        .prop(&[0x22, 0, 9]);
    let subscriber = rig.connect(&connect);
    rig.subscribe(subscriber, &[("#", 0)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    // 6 bytes besides the payload, 9 to make an alias known, 8 to use it.
    let mut seen = Vec::new();
    for len in [34, 34, 20, 32, 33, 34, 35, 20] {
        rig.publish(publisher, 0, "a", &"x".repeat(len));
        let got = rig.messages(subscriber).into_iter();
        seen.push(Vec::from_iter(got.map(|p| (p.topic, p.payload.len()))));
    }
    let one = |topic: &str, len| vec![(topic.to_owned(), len)];
    let want = [
        one("a", 34),
        one("a", 34),
        one("a", 20),
        one("", 32),
        one("a", 33),
        one("a", 34),
        vec![],
        one("", 20),
    ];
    assert_eq!(seen, want);
}

#[test]
fn mqtt_4_9_the_receive_maximum_of_the_client_is_respected() {
    let mut rig = Rig::new();
    let subscriber = rig.connect(&Connect::new(5, "s").prop(&[0x21, 0, 2]));
    rig.subscribe(subscriber, &[("#", 2)]);
    let publisher = rig.connect(&Connect::new(5, "p"));
    for n in 0..5 {
        rig.publish(publisher, 2, "a", &n.to_string());
    }
    assert_eq!(rig.messages(subscriber).len(), 2);
    // MQTT-4.9.0-3: QoS 0 goes on.
    rig.publish(publisher, 0, "a", "zero");
    assert_eq!(
        brief(&rig.messages(subscriber)),
        [("a".into(), "zero".into())]
    );
    rig.send(subscriber, &packets::ack(0x40, 1));
    assert_eq!(brief(&rig.messages(subscriber)), [("a".into(), "2".into())]);
    rig.send(subscriber, &packets::ack(0x40, 3));
    assert_eq!(brief(&rig.messages(subscriber)), [("a".into(), "3".into())]);
}

#[test]
fn mqtt_3_3_4_9_more_than_our_receive_maximum_is_refused() {
    for (level, want) in [(5, vec![In::Disconnect(0x93)]), (4, vec![])] {
        let mut rig = Rig::new();
        let client = rig.connect(&Connect::new(level, "c"));
        for id in 1..=10 {
            rig.send(client, &packets::publish(4, "a", id, v(level), b""));
        }
        assert_eq!(rig.got(client).len(), 10);
        rig.send(client, &packets::publish(4, "a", 11, v(level), b""));
        assert_eq!(rig.got(client), want);
        assert!(rig.is_closed(client) && rig.has_limit("in_flight"));
    }
}

#[test]
fn mqtt_3_1_lets_a_client_repeat_itself_with_dup() {
    let mut rig = Rig::new();
    let conn = rig.connect(&Connect::new(3, "c"));
    let mut bytes = packets::subscribe(9, None, &[("a", 2)]);
    bytes[0] |= 8;
    rig.send(conn, &bytes);
    assert_eq!(rig.got(conn), [In::SubAck(9, vec![2])]);
    rig.send(conn, &packets::publish(4, "a", 5, None, b""));
    rig.got(conn);
    rig.send(conn, &packets::ack(0x6A, 5));
    rig.send(conn, &packets::ack(0x6A, 5));
    assert_eq!(rig.got(conn), [In::Ack(0x70, 5, 0), In::Ack(0x70, 5, 0)]);
    let mut bytes = packets::unsubscribe(9, false, &["a"]);
    bytes[0] |= 8;
    rig.send(conn, &bytes);
    assert_eq!(rig.got(conn), [In::UnsubAck(9, vec![])]);
}
