//! Every row of [`crate::BOUNDS`]: met, answered as it says, told and counted.

use super::packets::{self, Connect, In, auth, text};
use super::rig::{Rig, config, limits};
use crate::{BOUNDS, Config, ConnId, Decision, Flow, Limits, OverRate};

fn limited(change: impl FnOnce(&mut Limits)) -> Rig {
    let mut limits = limits();
    change(&mut limits);
    Rig::with(config(), limits)
}

fn configured(change: impl FnOnce(&mut Config)) -> Rig {
    let mut config = config();
    change(&mut config);
    Rig::with(config, limits())
}

fn client(rig: &mut Rig) -> ConnId {
    rig.connect(&Connect::new(5, "c"))
}

/// A session that is away, and wants everything at QoS 1.
fn sleeper(rig: &mut Rig) {
    let conn = rig.connect(&Connect::new(5, "sleeper").expiry(1_000));
    rig.subscribe(conn, &[("#", 1)]);
    rig.lose(conn);
}

/// Publishes until it is refused.
fn publish_on(rig: &mut Rig, flags: u8) -> u8 {
    let conn = client(rig);
    let payload = "x".repeat(900);
    let mut codes = (0..100).map(|n| rig.publish(conn, flags, &format!("t/{n}"), &payload));
    codes.find(|code| *code >= 0x80).expect("refused")
}

fn disconnected(rig: &mut Rig, conn: ConnId) -> u8 {
    match rig.got(conn)[..] {
        [In::Disconnect(code)] => code,
        ref other => panic!("{other:?}"),
    }
}

/// Meets the bound. Answers what the client was told.
fn meet(name: &str) -> (Rig, Option<u8>) {
    let mut rig;
    let code = match name {
        "queue_messages" | "queue_bytes" => {
            rig = limited(|limits| match name {
                "queue_messages" => limits.queue_messages = 2,
                _ => limits.queue_bytes = 2_000,
            });
            sleeper(&mut rig);
            let conn = client(&mut rig);
            for _ in 0..3 {
                assert_eq!(rig.publish(conn, 2, "a", &"x".repeat(900)), 0);
            }
            assert_eq!(rig.broker.stats().messages_dropped, 1);
            None
        }
        "messages_per_s" => {
            rig = limited(|limits| {
                limits.messages_per_s = 10;
                limits.over_rate = OverRate::Refuse;
            });
            Some(publish_on(&mut rig, 2))
        }
        "bytes_per_s" => {
            rig = limited(|limits| limits.bytes_per_s = 100);
            let conn = client(&mut rig);
            let flow = rig.send(conn, &packets::publish(0, "a", 0, Some(&[]), &[0; 500]));
            assert!(matches!(flow, Flow::Pause(Some(_))), "{flow:?}");
            None
        }
        "memory" => {
            rig = configured(|config| config.memory = 50_000);
            sleeper(&mut rig);
            Some(publish_on(&mut rig, 2))
        }
        "connect_timeout_ms" => {
            rig = configured(|config| config.connect_timeout_ms = 10);
            let conn = rig.open();
            rig.pass(10);
            assert!(rig.is_closed(conn));
            None
        }
        "connect_size" => {
            rig = configured(|config| config.connect_size = 100);
            // The fixed header alone.
            assert_eq!(rig.try_connect(&[0x10, 0xFF, 0x01]), None);
            None
        }
        "packet_size" => {
            rig = limited(|limits| limits.packet_size = 100);
            let conn = client(&mut rig);
            rig.send(conn, &[0x30, 0xFF, 0x01]);
            Some(disconnected(&mut rig, conn))
        }
        "user_properties" => {
            rig = limited(|limits| limits.user_properties = 2);
            let conn = client(&mut rig);
            let three: &[u8] = &b"\x26\0\x01a\0\x01b".repeat(3);
            rig.send(conn, &packets::publish(2, "a", 77, Some(&[three]), b""));
            let will = Connect::new(5, "w").will("a", 0, false, &[three]);
            assert_eq!(rig.try_connect(&will.bytes()), Some(0x97));
            rig.ack(conn, 0x40)
        }
        "topic_length" | "topic_levels" => {
            rig = limited(|limits| match name {
                "topic_length" => limits.topic_length = 3,
                _ => limits.topic_levels = 3,
            });
            let conn = client(&mut rig);
            let long = "////";
            assert_eq!(rig.subscribe(conn, &[(long, 0)]), [0x8F]);
            let will = Connect::new(5, "w").will(long, 0, false, &[]);
            assert_eq!(rig.try_connect(&will.bytes()), Some(0x90));
            Some(rig.publish(conn, 2, long, ""))
        }
        "topic_alias_bytes" => {
            rig = Rig::new();
            let conn = client(&mut rig);
            for alias in 1..=3 {
                let alias: &[&[u8]] = &[&[0x23, 0, alias]];
                let topic = "x".repeat(3_000);
                rig.send(conn, &packets::publish(0, &topic, 0, Some(alias), b""));
            }
            Some(disconnected(&mut rig, conn))
        }
        "subscriptions" => {
            rig = limited(|limits| limits.subscriptions = 1);
            let conn = client(&mut rig);
            rig.subscribe(conn, &[("a", 0), ("b", 0)]).pop()
        }
        "filters_per_subscribe" => {
            rig = Rig::new();
            let conn = client(&mut rig);
            let codes = rig.subscribe(conn, &[("a", 0); 1_001]);
            assert!(codes[..1_000].iter().all(|code| *code == 0));
            codes.last().copied()
        }
        "in_flight" => {
            rig = limited(|limits| limits.in_flight = 1);
            let conn = client(&mut rig);
            for id in [1, 2] {
                rig.send(conn, &packets::publish(4, "a", id, Some(&[]), b""));
            }
            let code = |found: &In| match found {
                In::Disconnect(code) => Some(*code),
                _ => None,
            };
            rig.pick(conn, code)
        }
        "will_size" => {
            rig = limited(|limits| limits.will_size = 4);
            let will = Connect::new(5, "w").will("a", 0, false, &[]);
            rig.try_connect(&will.bytes())
        }
        "retained_messages" | "retained_bytes" => {
            rig = limited(|limits| match name {
                "retained_messages" => limits.retained_messages = 2,
                _ => limits.retained_bytes = 2_500,
            });
            Some(publish_on(&mut rig, 3))
        }
        "retained_messages_total" | "retained_bytes_total" => {
            rig = configured(|config| match name {
                "retained_messages_total" => config.retained_messages_total = 2,
                _ => config.retained_bytes_total = 2_500,
            });
            let other = rig.connect(&Connect::new(5, "o").user("other"));
            assert_eq!(rig.publish(other, 3, "other", &"x".repeat(900)), 0x10);
            Some(publish_on(&mut rig, 3))
        }
        "connections" => {
            rig = limited(|limits| limits.connections = 1);
            client(&mut rig);
            rig.try_connect(&Connect::new(5, "d").bytes())
        }
        "sessions" => {
            rig = configured(|config| config.sessions = 1);
            client(&mut rig);
            rig.try_connect(&Connect::new(5, "d").bytes())
        }
        "authentication_steps" => {
            rig = Rig::new();
            let method = [vec![0x15], text("M")].concat();
            let conn = rig.connect(&Connect::new(5, "c").prop(&method));
            rig.door = Box::new(|_| Decision::Continue { data: vec![] });
            for step in 0..=8 {
                let reason = if step == 0 { 0x19 } else { 0x18 };
                rig.got(conn);
                rig.send(conn, &auth(reason, &[&method]));
            }
            Some(disconnected(&mut rig, conn))
        }
        other => panic!("no test of the bound `{other}`"),
    };
    (rig, code)
}

#[test]
fn every_bound_is_answered_told_and_counted_as_its_row_says() {
    for bound in BOUNDS {
        let (rig, code) = meet(bound.name);
        assert_eq!(code, bound.reason.map(|(_, code)| code), "{}", bound.name);
        assert!(rig.has_limit(bound.name), "{} is not told", bound.name);
        let mut met = rig.broker.limits_met();
        let met = met.find(|(name, _)| *name == bound.name);
        assert!(met.is_some_and(|(_, count)| count > 0), "{}", bound.name);
    }
}

#[test]
fn what_is_told_at_most_a_few_times_is_counted_every_time() {
    let mut rig = limited(|limits| limits.topic_levels = 1);
    let conn = client(&mut rig);
    for _ in 0..1_000 {
        rig.publish(conn, 2, "a/b", "");
    }
    let count = |rig: &Rig| {
        let mut met = rig.broker.limits_met();
        met.find(|(name, _)| *name == "topic_levels").unwrap().1
    };
    assert_eq!(count(&rig), 1_000);
    assert!(rig.notices.len() < 20, "{}", rig.notices.len());
}

#[test]
fn above_its_rate_a_client_is_refused_or_paced_as_its_limits_and_version_say() {
    let refusing = || {
        limited(|limits| {
            limits.messages_per_s = 10;
            limits.over_rate = OverRate::Refuse;
        })
    };
    let mut rig = refusing();
    let conn = client(&mut rig);
    let watcher = rig.connect(&Connect::new(4, "w"));
    rig.subscribe(watcher, &[("#", 0)]);
    let mut taken = 0;
    for n in 0..1_000u16 {
        rig.now.0 += 10;
        let id = n + 1;
        // At QoS 2: what is refused is over, what was taken stays taken.
        let flow = rig.send(conn, &packets::publish(4, "a", id, Some(&[]), b""));
        assert_eq!(flow, Flow::Read);
        let Some(In::Ack(0x50, _, code)) = rig.got(conn).pop() else {
            panic!()
        };
        if code == 0 {
            taken += 1;
            let again = packets::publish(0x0C, "a", id, Some(&[]), b"");
            rig.send(conn, &again);
            assert_eq!(rig.got(conn), [In::Ack(0x50, id, 0)]);
            rig.send(conn, &packets::ack(0x62, id));
            rig.got(conn);
        } else {
            assert_eq!(code, 0x97);
        }
    }
    // Ten seconds at ten a second, and a burst of one.
    assert!((105..=115).contains(&taken), "{taken}");
    assert_eq!(rig.messages(watcher).len(), taken);
    // MQTT 3 cannot be told.
    let mut rig = refusing();
    let old = rig.connect(&Connect::new(4, "old"));
    let flow = (0..100).map(|_| rig.send(old, &packets::publish(2, "a", 1, None, b"")));
    assert!(
        flow.into_iter()
            .any(|flow| matches!(flow, Flow::Pause(Some(_))))
    );
    assert_eq!(rig.broker.stats().messages_dropped, 0);
}
