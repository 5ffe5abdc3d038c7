//! Enhanced authentication (MQTT 5 sections 3.15 and 4.12), by a made-up method `COUNT`: the client
//! says `1`, `2` and so on, until it has said the number that lets it in.

use super::packets::{self, Connect, DISCONNECT, In, PINGREQ, auth, text};
use super::rig::{Rig, accept, config, grants, limits};
use crate::{AuthRequest, Config, ConnId, Decision, Departure, NoticeKind, Refusal, Stage};

const CONTINUE: u8 = 0x18;
const AGAIN: u8 = 0x19;

fn method(name: &str) -> Vec<u8> {
    [vec![0x15], text(name)].concat()
}

fn data(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    [vec![0x16], text(bytes)].concat()
}

fn hello(method_name: &str, first: &str) -> Connect {
    let connect = Connect::new(5, "c").prop(&method(method_name));
    connect.prop(&data(first))
}

fn step(reason: u8, what: &str) -> Vec<u8> {
    auth(reason, &[&method("COUNT"), &data(what)])
}

/// Lets in, as `c`, whoever counts to `last`.
fn counting(last: u32) -> Rig {
    let mut rig = Rig::new();
    rig.door = Box::new(move |request| count(request, last, "c", "#"));
    rig
}

fn count(request: &AuthRequest, last: u32, identity: &str, publish: &str) -> Decision {
    match request.method.as_deref() {
        Some("COUNT") => {}
        Some(_) => return Decision::Refuse(Refusal::BadMethod),
        None => return accept("plain", grants(&["#"], &["#"]), limits()),
    }
    let said = request.data.as_deref().map_or(&[][..], |said| said);
    match std::str::from_utf8(said).unwrap().parse::<u32>() {
        Ok(number) if number < last => Decision::Continue {
            data: format!("after {number}").into_bytes(),
        },
        Ok(number) if number == last => {
            let mut decision = accept(identity, grants(&[publish], &["#"]), limits());
            if let Decision::Accept { data, .. } = &mut decision {
                *data = Some(b"done".to_vec());
            }
            decision
        }
        _ => Decision::Refuse(Refusal::BadCredentials),
    }
}

/// An AUTH from the broker.
fn said(reason: u8, what: &str) -> In {
    In::Auth(reason, [method("COUNT"), data(what)].concat())
}

/// A client after its CONNECT.
fn begin(rig: &mut Rig) -> ConnId {
    let conn = rig.open();
    rig.send(conn, &hello("COUNT", "1").bytes());
    conn
}

/// A client that has counted to two and is in.
fn member(rig: &mut Rig) -> ConnId {
    let conn = begin(rig);
    rig.send(conn, &step(CONTINUE, "2"));
    let got = rig.got(conn);
    assert!(matches!(got[1], In::ConnAck { code: 0, .. }), "{got:?}");
    conn
}

/// The code of the CONNACK, and nothing but it.
fn connack(rig: &mut Rig, conn: ConnId) -> u8 {
    match &rig.got(conn)[..] {
        [In::ConnAck { code, .. }] => *code,
        other => panic!("{other:?}"),
    }
}

/// A CONNACK that lets in and ends the exchange.
fn is_done(got: &[In]) -> bool {
    let end = [method("COUNT"), data("done")].concat();
    matches!(got, [In::ConnAck { code: 0, props, .. }] if props.ends_with(&end))
}

/// v5: [MQTT-4.12.0-1]
#[test]
fn mqtt_4_12_0_1_an_unsupported_method_is_refused_and_the_connection_closed() {
    let mut rig = counting(1);
    let connect = hello("SCRAM-SHA-1", "x").bytes();
    assert_eq!(rig.try_connect(&connect), Some(0x8C));
}

/// v5: [MQTT-4.12.0-2] [MQTT-4.12.0-3] [MQTT-4.12.0-5]
#[test]
fn mqtt_4_12_0_2_to_5_every_step_of_an_exchange_names_its_method() {
    let mut rig = counting(3);
    let conn = begin(&mut rig);
    assert_eq!(rig.got(conn), [said(CONTINUE, "after 1")]);
    // In pieces, as the network may have it.
    for byte in step(CONTINUE, "2") {
        rig.send(conn, &[byte]);
    }
    assert_eq!(rig.got(conn), [said(CONTINUE, "after 2")]);
    rig.send(conn, &step(CONTINUE, "3"));
    assert!(is_done(&rig.got(conn)));
    rig.send(conn, &PINGREQ);
    assert_eq!(rig.got(conn), [In::PingResp]);
}

#[test]
fn a_method_may_need_no_step_beside_the_connect() {
    let mut rig = counting(1);
    let conn = begin(&mut rig);
    assert!(is_done(&rig.got(conn)));
}

/// v5: [MQTT-4.12.0-4]
#[test]
fn mqtt_4_12_0_4_any_step_may_be_refused() {
    let mut rig = counting(3);
    assert_eq!(rig.try_connect(&hello("COUNT", "x").bytes()), Some(0x86));
    let conn = begin(&mut rig);
    assert_eq!(rig.got(conn), [said(CONTINUE, "after 1")]);
    rig.send(conn, &step(CONTINUE, "x"));
    assert_eq!(connack(&mut rig, conn), 0x86);
    assert!(rig.is_closed(conn));
}

/// v5: [MQTT-4.12.0-6]
#[test]
fn mqtt_4_12_0_6_without_a_method_there_is_no_auth_and_no_method_in_the_connack() {
    let mut rig = counting(1);
    let conn = rig.open();
    rig.send(conn, &Connect::new(5, "c").bytes());
    let [In::ConnAck { code: 0, props, .. }] = &rig.got(conn)[..] else {
        panic!()
    };
    // Receive Maximum, Maximum Packet Size, Topic Alias Maximum: no more.
    assert_eq!(props.len(), 3 + 5 + 3, "{props:02x?}");
    // Not even if the one who decides mixes them up.
    for (level, code) in [(4, 5), (5, 0x87)] {
        let mut rig = Rig::new();
        rig.door = Box::new(|_| Decision::Continue { data: vec![1] });
        let connect = Connect::new(level, "c").bytes();
        assert_eq!(rig.try_connect(&connect), Some(code));
    }
}

/// v5: [MQTT-4.12.0-7]
#[test]
fn mqtt_4_12_0_7_without_a_method_an_auth_is_a_protocol_error() {
    for reason in [CONTINUE, AGAIN] {
        let mut rig = counting(1);
        let conn = rig.connect(&Connect::new(5, "c"));
        rig.send(conn, &step(reason, "1"));
        assert_eq!(rig.got(conn), [In::Disconnect(0x82)]);
        assert!(rig.is_closed(conn));
    }
    // Before MQTT 5 the packet type does not exist.
    let mut rig = counting(1);
    let conn = rig.connect(&Connect::new(4, "c"));
    rig.send(conn, &step(AGAIN, "1"));
    assert!(rig.got(conn).is_empty() && rig.is_closed(conn));
}

/// v5: [MQTT-3.1.2-30]
#[test]
fn mqtt_3_1_2_30_nothing_but_auth_and_disconnect_before_the_connack() {
    let others = [
        packets::publish(0, "a", 0, Some(&[]), b"x"),
        packets::subscribe(1, Some(&[]), &[("a", 0)]),
        packets::unsubscribe(1, true, &["a"]),
        packets::ack(0x40, 1),
        PINGREQ.to_vec(),
        hello("COUNT", "1").bytes(),
    ];
    for other in others {
        // After the server's AUTH.
        let mut rig = counting(2);
        let conn = begin(&mut rig);
        rig.got(conn);
        rig.send(conn, &other);
        assert_eq!(connack(&mut rig, conn), 0x82, "{other:02x?}");
        assert!(rig.is_closed(conn));
        // Right behind the CONNECT, and right behind an AUTH.
        let mut rig = counting(1);
        let conn = rig.open();
        rig.send(conn, &[hello("COUNT", "1").bytes(), other.clone()].concat());
        assert_eq!(connack(&mut rig, conn), 0x82, "{other:02x?}");
        let mut rig = counting(2);
        let conn = begin(&mut rig);
        rig.got(conn);
        rig.send(conn, &[step(CONTINUE, "2"), other.clone()].concat());
        assert_eq!(connack(&mut rig, conn), 0x82, "{other:02x?}");
    }
    let mut rig = counting(2);
    let conn = begin(&mut rig);
    rig.got(conn);
    rig.send(conn, &DISCONNECT);
    assert!(rig.got(conn).is_empty() && rig.is_closed(conn));
    assert!(rig.notices.is_empty(), "{:?}", rig.notices);
}

#[test]
fn data_without_a_method_is_a_protocol_error() {
    let mut rig = counting(1);
    let connect = Connect::new(5, "c").prop(&data("1"));
    assert_eq!(rig.try_connect(&connect.bytes()), Some(0x82));
}

/// v5: [MQTT-3.15.1-1] [MQTT-3.15.2-1]
#[test]
fn mqtt_3_15_1_1_and_3_15_2_1_an_auth_is_read_strictly() {
    let named = method("COUNT");
    let malformed: [(u8, Vec<u8>); 11] = [
        // MQTT-3.15.1-1
        (0x81, packets::packet(0xF1, &step(CONTINUE, "2")[2..])),
        // MQTT-3.15.2-1; Success is the server's, also where it is left out.
        (0x82, packets::packet(0xF0, &[])),
        (0x82, auth(0x00, &[&named])),
        (0x82, auth(0x17, &[&named])),
        (0x82, auth(0x87, &[&named])),
        // Section 3.15.2.2.2: a method, and one.
        (0x82, auth(CONTINUE, &[])),
        (0x82, auth(CONTINUE, &[&named, &named])),
        // Section 3.15.2.2.3
        (0x82, auth(CONTINUE, &[&named, &data("2"), &data("2")])),
        // Section 3.15.2.2: no other properties (section 2.2.2.2).
        (0x81, auth(CONTINUE, &[&named, &[0x21, 0, 1]])),
        (0x81, packets::packet(0xF0, &[CONTINUE])),
        (0x81, [auth(CONTINUE, &[&named]), vec![0]].concat()),
    ];
    for (code, mut packet) in malformed {
        // The last one is longer than it says.
        packet[1] = (packet.len() - 2) as u8;
        for inside in [false, true] {
            let mut rig = counting(2);
            let conn = if inside {
                member(&mut rig)
            } else {
                begin(&mut rig)
            };
            rig.got(conn);
            rig.send(conn, &packet);
            match &rig.got(conn)[..] {
                [In::Disconnect(found)] if inside => assert_eq!(*found, code, "{packet:02x?}"),
                [In::ConnAck { code: found, .. }] if !inside => {
                    assert_eq!(*found, code, "{packet:02x?}");
                }
                other => panic!("{other:?} to {packet:02x?}"),
            }
            assert!(rig.is_closed(conn));
        }
    }
    // Reason String and User Property are taken.
    let mut rig = counting(2);
    let conn = begin(&mut rig);
    rig.got(conn);
    let why = [&[0x1F][..], &text("why")].concat();
    let user = [&[0x26][..], &text("k"), &text("v")].concat();
    rig.send(conn, &auth(CONTINUE, &[&named, &data("2"), &why, &user]));
    assert!(is_done(&rig.got(conn)));
}

/// v5: [MQTT-4.12.1-1]
#[test]
fn mqtt_4_12_1_1_another_method_than_that_of_connect_is_refused() {
    let mut rig = counting(2);
    let conn = begin(&mut rig);
    rig.got(conn);
    rig.send(conn, &auth(CONTINUE, &[&method("OTHER"), &data("2")]));
    assert_eq!(connack(&mut rig, conn), 0x8C);
    assert!(rig.is_closed(conn));
    let mut rig = counting(2);
    let conn = member(&mut rig);
    rig.send(conn, &auth(AGAIN, &[&method("OTHER"), &data("1")]));
    assert_eq!(rig.got(conn), [In::Disconnect(0x8C)]);
    assert!(rig.is_closed(conn));
}

#[test]
fn reason_codes_at_the_wrong_time_are_protocol_errors() {
    // To do again what was not done yet.
    let mut rig = counting(2);
    let conn = begin(&mut rig);
    rig.got(conn);
    rig.send(conn, &step(AGAIN, "1"));
    assert_eq!(connack(&mut rig, conn), 0x82);
    // To continue what has not begun, to continue before the server has answered, and to begin
    // what is under way.
    for packets in [
        step(CONTINUE, "1"),
        [step(AGAIN, "1"), step(CONTINUE, "2")].concat(),
        [step(AGAIN, "1"), step(AGAIN, "1")].concat(),
    ] {
        let mut rig = counting(2);
        let conn = member(&mut rig);
        rig.send(conn, &packets);
        assert_eq!(rig.got(conn).last(), Some(&In::Disconnect(0x82)));
        assert!(rig.is_closed(conn));
    }
    let mut rig = counting(2);
    let conn = member(&mut rig);
    rig.send(conn, &step(AGAIN, "1"));
    rig.send(conn, &step(AGAIN, "1"));
    assert_eq!(rig.got(conn).last(), Some(&In::Disconnect(0x82)));
}

#[test]
fn mqtt_4_12_1_messages_go_on_while_a_client_authenticates_again() {
    let mut rig = counting(2);
    let conn = member(&mut rig);
    rig.subscribe(conn, &[("a/#", 0)]);
    rig.send(conn, &step(AGAIN, "1"));
    assert_eq!(rig.got(conn), [said(CONTINUE, "after 1")]);
    assert_eq!(rig.publish(conn, 2, "a/1", "meanwhile"), 0);
    assert_eq!(rig.messages(conn).len(), 1);
    // The rights of the new authentication hold from here on.
    rig.door = Box::new(|request| count(request, 2, "c", "b/#"));
    rig.send(conn, &step(CONTINUE, "2"));
    assert_eq!(rig.got(conn), [said(0x00, "done")]);
    assert_eq!(rig.publish(conn, 2, "a/1", "x"), 0x87);
    assert_eq!(rig.publish(conn, 2, "b/1", "x"), 0x10);
    // As often as it likes.
    rig.send(conn, &step(AGAIN, "2"));
    assert_eq!(rig.got(conn), [said(0x00, "done")]);
}

/// v5: [MQTT-4.12.1-2]
#[test]
fn mqtt_4_12_1_2_a_failed_re_authentication_ends_the_connection() {
    for (first, then) in [("x", None), ("1", Some("x"))] {
        let mut rig = counting(2);
        let witness = rig.connect(&Connect::new(5, "w"));
        rig.subscribe(witness, &[("will", 0)]);
        let conn = rig.open();
        let connect = hello("COUNT", "2").will("will", 0, false, &[]);
        rig.send(conn, &connect.bytes());
        assert!(is_done(&rig.got(conn)));
        rig.send(conn, &step(AGAIN, first));
        if let Some(then) = then {
            assert_eq!(rig.got(conn), [said(CONTINUE, "after 1")]);
            rig.send(conn, &step(CONTINUE, then));
        }
        assert_eq!(rig.got(conn), [In::Disconnect(0x87)]);
        assert!(rig.is_closed(conn));
        assert_eq!(rig.messages(witness).len(), 1, "the will");
        let told = |kind: &NoticeKind| {
            matches!(
                kind,
                NoticeKind::Disconnected {
                    why: Departure::Reauthentication
                }
            )
        };
        assert!(rig.notices.iter().any(told));
    }
}

#[test]
fn nobody_becomes_somebody_else_by_authenticating_again() {
    let mut rig = counting(1);
    let conn = begin(&mut rig);
    assert!(is_done(&rig.got(conn)));
    let guest = rig.connect(&Connect::new(5, "guest"));
    rig.door = Box::new(|request| count(request, 1, "plain", "#"));
    rig.send(conn, &step(AGAIN, "1"));
    assert_eq!(rig.got(conn), [In::Disconnect(0x87)]);
    assert!(rig.is_open(guest));
}

#[test]
fn the_time_to_connect_covers_the_whole_exchange() {
    let mut rig = counting(9);
    let conn = begin(&mut rig);
    for number in 2..6 {
        rig.pass(1_000);
        rig.send(conn, &step(CONTINUE, &number.to_string()));
        assert!(!rig.is_closed(conn));
    }
    rig.pass(999);
    assert!(!rig.is_closed(conn));
    rig.pass(1);
    assert!(rig.is_closed(conn) && rig.has_limit("connect_timeout_ms"));
    assert_eq!(rig.broker.stats().connections, 0);
}

#[test]
fn an_exchange_has_a_bounded_number_of_steps() {
    for (reason, code) in [(CONTINUE, 0x87), (AGAIN, 0x87)] {
        let mut rig = counting(1);
        let member = begin(&mut rig);
        rig.door = Box::new(|_| Decision::Continue { data: vec![7] });
        let conn = if reason == AGAIN {
            member
        } else {
            begin(&mut rig)
        };
        rig.got(conn);
        rig.send(conn, &step(reason, "1"));
        for _ in 0..7 {
            rig.send(conn, &step(CONTINUE, "1"));
            assert!(matches!(rig.got(conn).last(), Some(In::Auth(CONTINUE, _))));
        }
        rig.send(conn, &step(CONTINUE, "1"));
        let [In::Disconnect(found) | In::ConnAck { code: found, .. }] = rig.got(conn)[..] else {
            panic!()
        };
        assert_eq!(found, code);
        assert!(rig.is_closed(conn) && rig.has_limit("authentication_steps"));
    }
}

#[test]
fn an_auth_before_the_connack_is_no_larger_than_a_connect_may_be() {
    let mut rig = counting(2);
    let conn = begin(&mut rig);
    rig.got(conn);
    let large = auth(CONTINUE, &[&method("COUNT"), &data([b'x'; 5_000])]);
    assert!(large.len() > config().connect_size as usize);
    // By the fixed header alone.
    rig.send(conn, &large[..3]);
    assert_eq!(connack(&mut rig, conn), 0x95);
    assert!(rig.is_closed(conn) && rig.has_limit("connect_size"));
}

/// v5: [MQTT-3.1.2-24]
#[test]
fn mqtt_3_1_2_24_a_challenge_that_the_client_cannot_take_ends_the_exchange() {
    let mut rig = counting(1);
    rig.door = Box::new(|_| Decision::Continue { data: vec![7; 100] });
    let connect = hello("COUNT", "1").prop(&[0x27, 0, 0, 0, 64]);
    assert_eq!(rig.try_connect(&connect.bytes()), Some(0x95));
}

#[test]
fn the_one_who_decides_is_told_what_each_step_is() {
    let mut rig = counting(2);
    let (tell, stages) = std::sync::mpsc::channel();
    rig.door = Box::new(move |request| {
        let username = request.username.clone();
        tell.send((request.stage, request.client_id.clone(), username))
            .unwrap();
        assert!(!format!("{request:?}").contains("data"), "{request:?}");
        count(request, 2, "c", "#")
    });
    let conn = rig.open();
    rig.send(conn, &hello("COUNT", "1").user("u").bytes());
    rig.send(conn, &step(CONTINUE, "2"));
    rig.send(conn, &step(AGAIN, "2"));
    let seen: Vec<_> = stages.try_iter().collect();
    let expected = [
        (Stage::Connect, "c".to_owned(), Some("u".to_owned())),
        (Stage::Continue, "c".to_owned(), None),
        (Stage::Again, "c".to_owned(), None),
    ];
    assert_eq!(seen, expected);
}

#[test]
fn what_waits_to_be_decided_on_counts_and_has_its_bound() {
    for (memory, fits) in [(1 << 20, true), (160_000, false)] {
        let mut rig = Rig::with(Config { memory, ..config() }, limits());
        rig.door = Box::new(move |request| count(request, 2, "c", "#"));
        let conn = member(&mut rig);
        let before = rig.broker.stats().memory_used;
        let large = step(AGAIN, &"x".repeat(50_000));
        // Nobody decides yet.
        rig.broker.receive(rig.now, conn, &large);
        let more = rig.broker.stats().memory_used.saturating_sub(before);
        assert_eq!((more >= 50_000, rig.is_open(conn)), (fits, fits));
        rig.pump();
        assert!(rig.broker.stats().memory_used < before + 1_000);
        assert_eq!(rig.has_limit("memory"), !fits);
    }
}
