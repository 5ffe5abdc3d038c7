//! A bridge between two brokers, on a wire that is cut wherever it hurts.

use super::rig::{Rig, brief, config};
use super::wire::{Wire, both_ways, client, room};
use crate::Version;
use crate::bridge::BridgeConfig;

fn flags(qos: u8) -> u8 {
    qos << 1
}

#[test]
fn messages_pass_both_ways_renamed_at_each_qos_and_version() {
    for (qos, v5) in [
        (0, true),
        (1, true),
        (2, true),
        (0, false),
        (1, false),
        (2, false),
    ] {
        let mut wire = Wire::up(BridgeConfig {
            v5,
            ..both_ways(qos)
        });
        let (lamp, watcher) = (
            client(&mut wire.here, "lamp", "cmnd/#"),
            client(&mut wire.there, "watcher", "#"),
        );
        wire.here.publish(lamp, flags(qos), "tele/lamp", "on");
        wire.here.publish(lamp, flags(qos), "other/lamp", "stays");
        wire.run();
        let got = brief(&wire.there.messages(watcher));
        assert_eq!(got, [("home/tele/lamp".into(), "on".into())], "{qos} {v5}");
        wire.there
            .publish(watcher, flags(qos), "home/cmnd/lamp", "off");
        wire.there
            .publish(watcher, flags(qos), "cmnd/lamp", "elsewhere");
        wire.run();
        let got = brief(&wire.here.messages(lamp));
        assert_eq!(got, [("cmnd/lamp".into(), "off".into())], "{qos} {v5}");
        let status = wire.bridge.status();
        assert_eq!((status.messages_in, status.messages_out), (1, 1));
        let version = if v5 { Version::V5 } else { Version::V311 };
        assert_eq!(status.up.unwrap().0, version);
        assert!(wire.downs().is_empty());
    }
}

/// Numbers that have arrived, in their order.
fn numbers(messages: &[super::packets::Publish]) -> Vec<u32> {
    let text = brief(messages).into_iter().map(|(_, payload)| payload);
    text.map(|payload| payload.parse().unwrap()).collect()
}

/// Sends 40 numbered messages each way over a wire that is cut after every `every` bytes.
fn cut_every(every: usize, qos: u8, v5: bool) -> (Vec<u32>, Vec<u32>, usize) {
    let mut wire = Wire::up(BridgeConfig {
        v5,
        ..both_ways(qos)
    });
    let (lamp, watcher) = (
        client(&mut wire.here, "lamp", "cmnd/#"),
        client(&mut wire.there, "watcher", "home/tele/#"),
    );
    let (mut out, mut back) = (Vec::new(), Vec::new());
    for number in 0..40 {
        wire.here
            .publish(lamp, flags(qos), "tele/lamp", &number.to_string());
        wire.there
            .publish(watcher, flags(qos), "home/cmnd/lamp", &number.to_string());
        wire.budget = wire.budget.min(every);
        wire.run();
        wire.pass(50);
    }
    for _ in 0..400 {
        if wire.budget == usize::MAX {
            wire.budget = every;
        }
        wire.pass(1_000);
        out.extend(numbers(&wire.there.messages(watcher)));
        back.extend(numbers(&wire.here.messages(lamp)));
        if out.contains(&39) && back.contains(&39) {
            break;
        }
    }
    wire.budget = usize::MAX;
    wire.pass(120_000);
    out.extend(numbers(&wire.there.messages(watcher)));
    back.extend(numbers(&wire.here.messages(lamp)));
    (out, back, wire.cuts)
}

#[test]
fn mqtt_4_3_3_at_qos_2_a_cut_wire_loses_nothing_and_doubles_nothing() {
    let all: Vec<u32> = (0..40).collect();
    for v5 in [true, false] {
        let mut cuts = 0;
        for every in (90..600).step_by(7) {
            let (out, back, cut) = cut_every(every, 2, v5);
            assert_eq!(out, all, "out, cut every {every} bytes, v5 {v5}");
            assert_eq!(back, all, "in, cut every {every} bytes, v5 {v5}");
            cuts += cut;
        }
        assert!(cuts > 500, "{cuts}");
    }
}

#[test]
fn mqtt_4_3_2_at_qos_1_a_cut_wire_loses_nothing() {
    for every in (90..600).step_by(31) {
        for (mut got, way) in {
            let (out, back, _) = cut_every(every, 1, true);
            [(out, "out"), (back, "in")]
        } {
            got.sort_unstable();
            got.dedup();
            let all: Vec<u32> = (0..40).collect();
            assert_eq!(got, all, "{way}, cut every {every} bytes");
        }
    }
}

#[test]
fn what_is_published_while_there_is_no_server_waits_from_the_start_on() {
    let mut wire = Wire::new(both_ways(2));
    wire.reachable = false;
    wire.run();
    assert_eq!(wire.downs(), ["unreachable"]);
    let lamp = client(&mut wire.here, "lamp", "");
    let watcher = client(&mut wire.there, "watcher", "home/#");
    for number in 0..50 {
        wire.here
            .publish(lamp, flags(1), "tele/lamp", &number.to_string());
    }
    wire.pass(600_000);
    assert_eq!(wire.downs(), ["unreachable"], "told once");
    let view = wire.here.broker.session("all", "$bridge/cloud").unwrap();
    assert_eq!(view.queued, 50);
    wire.reachable = true;
    wire.pass(60_000);
    assert!(wire.is_up());
    let all: Vec<u32> = (0..50).collect();
    assert_eq!(numbers(&wire.there.messages(watcher)), all);
}

#[test]
fn what_is_published_there_while_the_wire_is_cut_waits_there() {
    let mut wire = Wire::up(both_ways(1));
    let lamp = client(&mut wire.here, "lamp", "cmnd/#");
    let watcher = client(&mut wire.there, "watcher", "");
    wire.reachable = false;
    wire.cut();
    wire.pass(5_000);
    wire.there
        .publish(watcher, flags(1), "home/cmnd/lamp", "late");
    wire.reachable = true;
    wire.pass(60_000);
    let got = brief(&wire.here.messages(lamp));
    assert_eq!(got, [("cmnd/lamp".into(), "late".into())]);
}

#[test]
fn retained_messages_go_both_ways_with_their_flag_and_not_again_at_each_connection() {
    for v5 in [true, false] {
        let mut wire = Wire::new(BridgeConfig { v5, ..both_ways(1) });
        let lamp = client(&mut wire.here, "lamp", "cmnd/#");
        let watcher = client(&mut wire.there, "watcher", "home/tele/#");
        wire.here.publish(lamp, 1 | flags(1), "tele/lamp", "here");
        wire.there
            .publish(watcher, 1 | flags(1), "home/cmnd/lamp", "there");
        wire.run();
        let payloads = |messages: &[_]| -> Vec<String> {
            brief(messages)
                .into_iter()
                .map(|(_, payload)| payload)
                .collect()
        };
        assert_eq!(payloads(&wire.there.messages(watcher)), ["here"]);
        assert_eq!(payloads(&wire.here.messages(lamp)), ["there"]);
        // Retained on the other side too.
        let late = client(&mut wire.there, "late", "home/tele/#");
        let got = wire.there.messages(late);
        assert!(got.len() == 1 && got[0].retain, "{got:?}");
        let late = client(&mut wire.here, "late", "cmnd/#");
        assert!(wire.here.messages(late)[0].retain);
        for _ in 0..3 {
            wire.cut();
            wire.pass(60_000);
            assert!(wire.is_up());
        }
        assert!(wire.there.messages(watcher).is_empty(), "v5 {v5}");
        assert!(wire.here.messages(lamp).is_empty(), "v5 {v5}");
        // What changes goes on, and what is cleared is cleared there.
        wire.here.publish(lamp, 1 | flags(1), "tele/lamp", "");
        wire.run();
        let later = client(&mut wire.there, "later", "home/tele/#");
        assert!(wire.there.messages(later).is_empty());
    }
}

#[test]
fn a_server_that_lost_its_session_is_given_what_is_retained_and_what_waits() {
    let mut wire = Wire::up(both_ways(2));
    let lamp = client(&mut wire.here, "lamp", "cmnd/#");
    wire.here.publish(lamp, 1 | flags(1), "tele/lamp", "kept");
    wire.run();
    wire.reachable = false;
    wire.cut();
    wire.here.publish(lamp, flags(2), "tele/plug", "waits");
    wire.there = Rig::with(config(), room());
    wire.there.now = wire.here.now;
    let watcher = client(&mut wire.there, "watcher", "home/#");
    wire.reachable = true;
    wire.pass(60_000);
    let mut got = brief(&wire.there.messages(watcher));
    got.sort();
    let want = [("home/tele/lamp", "kept"), ("home/tele/plug", "waits")];
    assert_eq!(got, want.map(|(t, p)| (t.to_owned(), p.to_owned())));
}

#[test]
fn packet_identifiers_of_a_lost_session_are_not_taken_for_duplicates() {
    // The server has lost its session between PUBREC and PUBREL of the message in front.
    for every in 60..200 {
        let mut wire = Wire::up(both_ways(2));
        let lamp = client(&mut wire.here, "lamp", "cmnd/#");
        let watcher = client(&mut wire.there, "watcher", "");
        wire.budget = every;
        wire.there
            .publish(watcher, flags(2), "home/cmnd/lamp", "first");
        wire.run();
        wire.reachable = false;
        wire.cut();
        wire.there = Rig::with(config(), room());
        wire.there.now = wire.here.now;
        wire.reachable = true;
        wire.pass(60_000);
        assert!(wire.is_up());
        let watcher = client(&mut wire.there, "watcher", "");
        wire.there
            .publish(watcher, flags(2), "home/cmnd/lamp", "second");
        wire.run();
        let got = brief(&wire.here.messages(lamp));
        let second = got.iter().filter(|(_, payload)| payload == "second");
        assert_eq!(second.count(), 1, "cut after {every}: {got:?}");
    }
}

#[test]
fn a_local_session_that_is_lost_does_not_swallow_new_messages() {
    for v5 in [true, false] {
        // The router dies between PUBREC and PUBREL.
        for every in 40..120 {
            let mut wire = Wire::up(BridgeConfig { v5, ..both_ways(2) });
            let watcher = client(&mut wire.there, "watcher", "home/tele/#");
            let lamp = client(&mut wire.here, "lamp", "");
            wire.budget = every;
            wire.here.publish(lamp, flags(2), "tele/lamp", "first");
            wire.run();
            wire.cut();
            let (there, now) = (
                std::mem::replace(&mut wire.there, Rig::new()),
                wire.here.now,
            );
            let mut again = Wire::between(
                Rig::with(config(), room()),
                there,
                BridgeConfig { v5, ..both_ways(2) },
            );
            again.here.now = now;
            again.run();
            assert!(again.is_up());
            let lamp = client(&mut again.here, "lamp", "");
            again.here.publish(lamp, flags(2), "tele/lamp", "second");
            again.run();
            let got = brief(&again.there.messages(watcher));
            let second = got.iter().filter(|(_, payload)| payload == "second");
            assert_eq!(second.count(), 1, "cut after {every}: {got:?}");
            // And the session is one that stays.
            let other = client(&mut again.there, "other", "");
            again.reachable = false;
            again.cut();
            again.there.publish(other, flags(1), "home/cmnd/x", "kept");
            again.reachable = true;
            again.pass(60_000);
            assert!(again.bridge.status().messages_in > 0, "v5 {v5}");
        }
    }
}

#[test]
fn two_bridges_of_the_same_topics_do_not_loop() {
    // Both routers take `t/#` from the cluster and give it. The second router is a bridge whose
    // `there` is the same broker; the brokers take turns.
    let config = |name: &str| BridgeConfig {
        client_id: name.into(),
        outward: vec!["t/#".into()],
        inward: vec!["t/#".into()],
        remote_prefix: String::new(),
        ..both_ways(1)
    };
    let mut one = Wire::up(config("one"));
    let mut two = Wire::new(config("two"));
    let both = |one: &mut Wire, two: &mut Wire| {
        for _ in 0..20 {
            one.run();
            std::mem::swap(&mut one.there, &mut two.there);
            two.run();
            std::mem::swap(&mut one.there, &mut two.there);
        }
    };
    both(&mut one, &mut two);
    assert!(one.is_up() && two.is_up());
    let a = client(&mut one.here, "a", "#");
    let b = client(&mut two.here, "b", "#");
    let c = client(&mut one.there, "c", "#");
    one.here.publish(a, flags(1), "t/x", "1");
    both(&mut one, &mut two);
    two.here.publish(b, flags(1), "t/x", "2");
    both(&mut one, &mut two);
    let want = [("t/x", "1"), ("t/x", "2")].map(|(t, p)| (t.to_owned(), p.to_owned()));
    assert_eq!(brief(&one.here.messages(a)), want);
    assert_eq!(brief(&two.here.messages(b)), want);
    assert_eq!(brief(&one.there.messages(c)), want);
}
