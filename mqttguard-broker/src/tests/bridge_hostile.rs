//! A bridge to a server that is old, odd or hostile.

use super::packets::{self, In, packet, props, text};
use super::wire::{Wire, both_ways, client};
use crate::bridge::{Bridge, BridgeAction, BridgeConfig, BridgeNotice};
use crate::{Time, Version};

/// A bridge that is just reaching its server; the local broker is played by hand.
fn dialling(config: BridgeConfig) -> Bridge {
    let mut bridge = Bridge::new(config, 1);
    bridge.tick(Time(0));
    assert_eq!(bridge.next_action(), Some(BridgeAction::OpenLocal));
    bridge.local_opened(Time(0));
    bridge.to_local().clear();
    bridge.from_local(Time(0), &[0x20, 3, 1, 0, 0]);
    assert_eq!(bridge.next_action(), Some(BridgeAction::CloseLocal));
    assert_eq!(bridge.next_action(), Some(BridgeAction::Dial));
    bridge
}

/// Protocol level and Clean Start of the CONNECT that it sends next.
fn connects(bridge: &mut Bridge, now: u64) -> (u8, bool) {
    bridge.connected(Time(now), Some(b"secret"), Some(Vec::new()));
    let bytes = std::mem::take(bridge.to_upstream());
    assert_eq!(&bytes[..2 + 6], [&bytes[..2], b"\0\x04MQTT"].concat());
    (bytes[8], bytes[9] & 2 != 0)
}

/// Waits out the time until it dials again.
fn again(bridge: &mut Bridge) -> u64 {
    while bridge.next_action().is_some() {}
    let due = bridge.deadline().unwrap();
    bridge.tick(due);
    assert_eq!(bridge.next_action(), Some(BridgeAction::Dial));
    due.0
}

fn last_error(bridge: &Bridge) -> String {
    bridge
        .status()
        .last_error
        .as_deref()
        .unwrap_or_default()
        .to_owned()
}

#[test]
fn a_server_that_refuses_mqtt_5_is_asked_in_3_1_1_with_and_without_the_bridge_flag() {
    // In the words of MQTT 3.1.1 and of MQTT 5 (section 3.1.2.2).
    for refusal in [&[0x20, 2, 0, 1][..], &[0x20, 3, 0, 0x84, 0]] {
        let mut bridge = dialling(both_ways(1));
        assert_eq!(connects(&mut bridge, 0).0, 5);
        bridge.from_upstream(Time(1), refusal);
        let now = again(&mut bridge);
        assert_eq!(now, 1, "at once");
        assert_eq!(connects(&mut bridge, now).0, 0x84);
        bridge.from_upstream(Time(now), &[0x20, 2, 0, 1]);
        let now = again(&mut bridge);
        assert_eq!(connects(&mut bridge, now), (4, false));
        bridge.from_upstream(Time(now), &[0x20, 2, 0, 0]);
        assert_eq!(bridge.next_action(), Some(BridgeAction::OpenLocal));
        bridge.local_opened(Time(now));
        bridge.from_local(Time(now), &[0x20, 3, 1, 0, 0]);
        assert_eq!(bridge.status().up.unwrap().0, Version::V311);
    }
}

#[test]
fn a_server_that_closes_without_a_word_is_asked_in_another_version_the_second_time() {
    let mut bridge = dialling(both_ways(1));
    let mut levels = vec![connects(&mut bridge, 0).0];
    for _ in 0..6 {
        bridge.lost(Time(1), "closed");
        let now = again(&mut bridge);
        levels.push(connects(&mut bridge, now).0);
    }
    assert_eq!(levels, [5, 5, 0x84, 0x84, 4, 4, 5]);
}

#[test]
fn overlapping_topics_need_a_server_that_does_not_send_them_back() {
    let config = BridgeConfig {
        outward: vec!["a/#".into()],
        inward: vec!["+/b".into()],
        ..both_ways(1)
    };
    let mut bridge = dialling(config);
    connects(&mut bridge, 0);
    bridge.from_upstream(Time(0), &[0x20, 2, 0, 1]);
    let now = again(&mut bridge);
    assert_eq!(connects(&mut bridge, now).0, 0x84);
    bridge.from_upstream(Time(now), &[0x20, 2, 0, 1]);
    let why = last_error(&bridge);
    assert!(why.contains("in '+/b' overlaps out 'a/#'"), "{why}");
    let now = again(&mut bridge);
    assert_eq!(connects(&mut bridge, now).0, 5, "never without protection");
}

#[test]
fn a_refusal_is_told_in_words_and_answered_with_patience() {
    for (connack, words) in [
        (&[0x20, 2, 0, 5][..], "not authorized"),
        (&[0x20, 3, 0, 0x86, 0], "wrong user name or password"),
        (
            &[0x20, 9, 0, 0x97, 6, 0x1F, 0, 3, b'f', b'u', b'l'],
            "quota exceeded (\"ful\")",
        ),
        (&[0x20, 5, 0, 0, 2, 0x24, 0], "set option qos '0'"),
        (
            &[0x20, 2, 2, 0],
            "broke the protocol in CONNACK: acknowledge flags",
        ),
        (&[0x20, 6, 0, 0, 3, 0x21, 0, 0], "0 is not allowed"),
        (&[0x30, 3, 0, 1, b'a'], "not expected from a server now"),
        (&[0x20, 0xFF, 0xFF, 0xFF, 0x7F], "larger than"),
        (&[0x20, 0xFF, 0xFF, 0xFF, 0xFF], "more than four bytes"),
    ] {
        let mut bridge = dialling(both_ways(1));
        connects(&mut bridge, 0);
        bridge.from_upstream(Time(0), connack);
        let why = last_error(&bridge);
        assert!(why.contains(words), "{why}");
        assert_eq!(bridge.next_action(), Some(BridgeAction::HangUp));
        let first = again(&mut bridge);
        assert!((500..=1000).contains(&first), "{first}");
        connects(&mut bridge, first);
        bridge.from_upstream(Time(first), connack);
        assert!(again(&mut bridge) - first > 1000);
        let told = std::iter::from_fn(|| bridge.next_notice());
        assert_eq!(told.count(), 1, "the same reason is told once");
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let mut bridge = dialling(both_ways(1));
    connects(&mut bridge, 0);
    let due = bridge.deadline().unwrap();
    bridge.tick(due);
    assert!(last_error(&bridge).contains("does not answer the CONNECT"));
    let mut wire = Wire::up(both_ways(1));
    // It takes everything and says nothing.
    wire.pass(45_000);
    assert!(wire.is_up(), "PINGREQ is answered");
    let now = wire.here.now.0;
    wire.bridge.tick(Time(now + 60_000));
    wire.bridge.tick(Time(now + 95_000));
    assert_eq!(last_error(&wire.bridge), "it answers no more");
}

/// A bridge whose server is played by hand, and that is up.
fn by_hand(config: BridgeConfig) -> Bridge {
    let mut bridge = dialling(config);
    let v5 = connects(&mut bridge, 0).0 == 5;
    let connack: &[u8] = if v5 {
        &[0x20, 3, 0, 0, 0]
    } else {
        &[0x20, 2, 0, 0]
    };
    bridge.from_upstream(Time(0), connack);
    assert_eq!(bridge.next_action(), Some(BridgeAction::OpenLocal));
    bridge.local_opened(Time(0));
    bridge.from_local(Time(0), &[0x20, 3, 1, 0, 0]);
    assert!(bridge.status().up.is_some());
    let suback: &[u8] = if v5 {
        &[0x90, 4, 0xFF, 0xFF, 0, 1]
    } else {
        &[0x90, 3, 0xFF, 0xFF, 1]
    };
    bridge.from_upstream(Time(0), suback);
    bridge.from_local(Time(0), &[0x90, 4, 0xFF, 0xFF, 0, 1]);
    bridge.to_local().clear();
    bridge.to_upstream().clear();
    bridge
}

#[test]
fn what_no_pattern_covers_is_taken_off_the_servers_hands_and_dropped() {
    let publish = |v5: bool, flags: u8| {
        let none: &[&[u8]] = &[];
        packets::publish(flags, "home/tele/lamp", 7, v5.then_some(none), b"x")
    };
    for (v5, flags, answer) in [
        (true, 0, &[][..]),
        (true, 2, &[0x40, 2, 0, 7]),
        (true, 4, &[0x50, 3, 0, 7, 0x87]),
        (false, 2, &[0x40, 2, 0, 7]),
        (false, 4, &[0x50, 2, 0, 7]),
    ] {
        let mut bridge = by_hand(BridgeConfig { v5, ..both_ways(2) });
        bridge.from_upstream(Time(5), &publish(v5, flags));
        assert_eq!(bridge.to_upstream(), answer, "{v5} {flags}");
        assert!(bridge.to_local().is_empty());
        let status = bridge.status();
        assert_eq!((status.messages_in, status.messages_dropped), (0, 1));
        let told: Vec<_> = std::iter::from_fn(|| bridge.next_notice()).collect();
        assert!(
            told.contains(&BridgeNotice::Dropped {
                inward: true,
                topic: "home/tele/lamp".into(),
                why: "no `in` pattern covers it"
            }),
            "{told:?}"
        );
    }
}

#[test]
fn a_dollar_topic_does_not_come_in() {
    let mut wire = Wire::up(BridgeConfig {
        inward: vec!["#".into()],
        ..both_ways(1)
    });
    let lamp = client(&mut wire.here, "lamp", "$SYS/#");
    let other = client(&mut wire.there, "other", "");
    wire.there.publish(other, 2, "home/$SYS/x", "lies");
    wire.run();
    assert!(wire.here.messages(lamp).is_empty());
    assert!(wire.is_up());
}

#[test]
fn a_message_too_large_cuts_mqtt_5_and_is_passed_over_in_3_1_1() {
    let payload = vec![b'x'; 20_000];
    let large = |v5: bool, flags| {
        let none: &[&[u8]] = &[];
        packets::publish(flags, "home/cmnd/big", 7, v5.then_some(none), &payload)
    };
    let mut bridge = by_hand(both_ways(1));
    bridge.from_upstream(Time(1), &large(true, 2));
    assert!(
        last_error(&bridge).contains("packet_size"),
        "{}",
        last_error(&bridge)
    );
    for flags in [0, 2, 4] {
        let mut bridge = by_hand(BridgeConfig {
            v5: false,
            ..both_ways(2)
        });
        let mut bytes = large(false, flags);
        bytes.extend(packets::publish(2, "home/cmnd/small", 8, None, b"y"));
        for piece in bytes.chunks(11) {
            bridge.from_upstream(Time(1), piece);
        }
        assert!(bridge.status().up.is_some(), "{}", last_error(&bridge));
        let answer = match flags {
            0 => &[][..],
            2 => &[0x40, 2, 0, 7],
            _ => &[0x50, 2, 0, 7],
        };
        assert_eq!(bridge.to_upstream(), answer);
        let small = packets::read(bridge.to_local(), true);
        assert!(matches!(&small[..], [In::Publish(p)] if p.topic == "cmnd/small"));
        assert_eq!(bridge.status().messages_dropped, 1);
    }
}

#[test]
fn what_only_a_broken_server_sends_cuts_the_link() {
    let alias = props(&[&[0x23, 0, 1]]);
    for bytes in [
        vec![0x10, 0],
        vec![0x20, 3, 0, 0, 0],
        vec![0x82, 0],
        vec![0x90, 4, 0xFF, 0xFF, 0, 0],
        vec![0xC0, 0],
        vec![0xD0, 1, 0],
        vec![0xF0, 0],
        vec![0x00, 0],
        vec![0x60, 2, 0, 1],
        vec![0x40, 2, 0, 0],
        vec![0x36, 4, 0, 1, b'a', 0],
        vec![0x38, 4, 0, 1, b'a', 0],
        packet(0x30, &[text("home/cmnd/x"), alias.clone()].concat()),
        packet(0x30, &[text(""), alias].concat()),
        packet(0x30, &[text("home/cmnd/+"), vec![0]].concat()),
        packet(0x30, &[text("home/cmnd/x"), props(&[&[0x0B, 1]])].concat()),
        vec![0xE0, 1, 0x8E],
    ] {
        let mut bridge = by_hand(both_ways(1));
        bridge.from_upstream(Time(9), &bytes);
        assert!(bridge.status().up.is_none(), "{bytes:02x?}");
        let actions: Vec<_> = std::iter::from_fn(|| bridge.next_action()).collect();
        assert_eq!(actions, [BridgeAction::HangUp, BridgeAction::CloseLocal]);
    }
}

#[test]
fn a_flood_of_small_messages_waits_for_the_local_broker_to_take_it() {
    let mut bridge = by_hand(BridgeConfig {
        local_prefix: "a-long-name-of-a-place/".repeat(10),
        ..both_ways(0)
    });
    let one = packets::publish(0, "home/cmnd/x", 0, Some(&[]), b"");
    let flood = one.repeat(64 * 1024 / one.len());
    bridge.from_upstream(Time(1), &flood);
    assert!(!bridge.takes_upstream());
    let mut passed = 0;
    loop {
        let waiting = std::mem::take(bridge.to_local());
        assert!(waiting.len() < 70_000, "{}", waiting.len());
        passed += packets::read(&waiting, true).len();
        if !bridge.work(Time(1)) {
            break;
        }
    }
    assert_eq!(passed, 64 * 1024 / one.len());
    assert!(bridge.takes_upstream());
}

#[test]
fn a_refused_subscription_is_told_and_the_others_stand() {
    let mut bridge = by_hand(BridgeConfig {
        inward: vec!["cmnd/#".into(), "secret/#".into()],
        ..both_ways(1)
    });
    bridge.from_upstream(Time(1), &[0x90, 4, 0xFF, 0xFF, 0, 0x87]);
    assert!(bridge.status().up.is_some());
    assert_eq!(bridge.status().refused, ["home/secret/#"]);
    let told: Vec<_> = std::iter::from_fn(|| bridge.next_notice()).collect();
    let filter = "home/secret/#".to_owned();
    let why = "not authorized";
    assert!(
        told.contains(&BridgeNotice::Refused { filter, why }),
        "{told:?}"
    );
}

#[test]
fn random_packets_from_the_server_never_get_anything_else_into_the_broker() {
    let mut random = 0x1234_5678_9ABC_DEF1u64;
    let mut next = move |below: usize| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        usize::try_from(random >> 8).unwrap() % below
    };
    let (mut downs, mut passed) = (0, 0);
    for round in 0..300 {
        let mut wire = Wire::up(BridgeConfig {
            v5: round % 2 == 0,
            ..both_ways(2)
        });
        let spy = client(&mut wire.here, "spy", "#");
        for _ in 0..20 {
            let mut bytes = match next(6) {
                0 => packets::publish(4, "home/cmnd/x", 1 + next(3) as u16, Some(&[]), b"p"),
                1 => packets::ack([0x40, 0x50, 0x62, 0x70][next(4)], 1 + next(3) as u16),
                2 => packets::publish(2, "home/x", 3, None, b"p"),
                3 => packets::publish(0, "home/cmnd/y", 0, Some(&[&[2, 0, 0, 0, 9]]), b"pp"),
                4 => packets::publish(2, "home/cmnd/z", 9, None, b""),
                _ => vec![0xD0, 0],
            };
            if next(4) == 0 {
                let place = next(bytes.len());
                bytes[place] ^= 1 << next(8);
            }
            let now = wire.here.now;
            wire.bridge.from_upstream(now, &bytes);
            wire.run();
        }
        downs += wire.downs().len();
        for message in wire.here.messages(spy) {
            assert!(message.topic.starts_with("cmnd/"), "{message:?}");
            passed += 1;
        }
    }
    assert!(downs > 100 && passed > 100, "{downs} {passed}");
}
