//! SUBSCRIBE and UNSUBSCRIBE (MQTT 5 sections 3.8 to 3.11).

use mqttguard_tests::mqtt::packet::{self, NO_LOCAL, Publish, Subscribe, Version};
use mqttguard_tests::mqtt::{Answer, Connect};

use super::{client, connect, name};

/// v5: [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.8.4-6] [MQTT-3.8.4-7] [MQTT-3.9.3-1]
/// [MQTT-3.9.3-2] [MQTT-2.2.1-6]
/// v3: [MQTT-3.8.4-1] [MQTT-3.8.4-2] [MQTT-3.8.4-4] [MQTT-3.8.4-5] [MQTT-3.9.3-1] [MQTT-3.9.3-2]
/// [MQTT-2.3.1-7]
#[test]
fn suback_has_a_code_for_each_filter_in_their_order() {
    for version in Version::ALL {
        let base = name("suback", version);
        let mut reader = client(version, &base);
        // More levels than anybody may have: refused, and the others are not.
        let deep = "a/".repeat(300) + "b";
        let subscribe = Subscribe::new(4711)
            .to(format!("{base}/2"), 2)
            .to(&deep, 1)
            .to(format!("{base}/0"), 0)
            .to(format!("{base}/1"), 1)
            .to(format!("{base}/2"), 1);
        let codes = reader.subscribe_with(subscribe, 4711);
        let failed = if version == Version::V5 { 0x8F } else { 0x80 };
        assert_eq!(codes, [2, failed, 0, 1, 1]);
        // In their order: the last one has replaced the first.
        let mut writer = client(version, &name("suback-writer", version));
        for (topic, qos) in [("2", 1), ("0", 0), ("1", 1)] {
            writer.publish(Publish::new(format!("{base}/{topic}"), "x"), 2);
            assert_eq!(reader.receive().qos, qos);
        }
        reader.quiet();
    }
}

/// v5: [MQTT-3.8.4-3] [MQTT-3.8.4-4]
/// v3: [MQTT-3.8.4-3]
#[test]
fn the_same_filter_replaces_the_subscription_and_loses_nothing() {
    for version in Version::ALL {
        let topic = name("replace/t", version);
        let mut reader = client(version, &name("replace", version));
        let mut writer = client(version, &name("replace-writer", version));
        reader.subscribe(&topic, 2);
        let mut expected = 0..;
        for qos in [0, 1, 2, 1, 0] {
            let number = expected.next().unwrap();
            writer.publish(Publish::new(&topic, number.to_string()), 2);
            assert_eq!(reader.receive().payload, number.to_string().as_bytes());
            assert_eq!(reader.subscribe(&topic, qos), qos);
            let number = expected.next().unwrap();
            writer.publish(Publish::new(&topic, number.to_string()), 2);
            let delivery = reader.receive();
            assert_eq!(delivery.payload, number.to_string().as_bytes());
            assert_eq!(delivery.qos, qos);
        }
        reader.quiet();
    }
}

/// v5: [MQTT-3.8.4-8]
/// v3: [MQTT-3.8.4-6]
#[test]
fn the_lower_qos_counts() {
    for version in Version::ALL {
        let mut writer = client(version, &name("lower-writer", version));
        for granted in [0, 1, 2] {
            let topic = format!("lower/{}/{granted}", version as u8);
            let mut reader = client(version, &name("lower", version));
            assert_eq!(reader.subscribe(&topic, granted), granted);
            for sent in [0, 1, 2] {
                writer.publish(Publish::new(&topic, "x"), sent);
                assert_eq!(reader.receive().qos, granted.min(sent));
            }
        }
    }
}

/// v5: [MQTT-3.8.3-3]
#[test]
fn no_local_keeps_a_clients_own_messages_away() {
    let mut talker = client(Version::V5, "talker");
    talker.subscribe("talker/t", NO_LOCAL);
    let mut other = client(Version::V5, "talker-other");
    talker.publish(Publish::new("talker/t", "mine"), 1);
    other.publish(Publish::new("talker/t", "yours"), 1);
    assert_eq!(talker.receive().payload, b"yours");
    talker.quiet();
}

/// v5: [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]
/// [MQTT-3.11.3-1] [MQTT-3.11.3-2]
/// v3: [MQTT-3.10.4-1] [MQTT-3.10.4-2] [MQTT-3.10.4-4] [MQTT-3.10.4-5] [MQTT-3.10.4-6]
#[test]
fn unsubscribe_ends_exactly_the_filters_it_names() {
    for version in Version::ALL {
        let base = name("unsub", version);
        let (all, plus, one) = (
            format!("{base}/#"),
            format!("{base}/+"),
            format!("{base}/a"),
        );
        let mut reader = client(version, &base);
        let mut writer = client(version, &name("unsub-writer", version));
        for filter in [&all, &plus] {
            reader.subscribe(filter, 0);
        }
        // Matched by both, named by none.
        let codes = reader.unsubscribe(&[&one, "nobody/has/it"]);
        let expected: &[u8] = if version == Version::V5 {
            &[0x11, 0x11]
        } else {
            &[]
        };
        assert_eq!(codes, expected);
        writer.publish(Publish::new(&one, "x"), 0);
        assert_eq!(reader.receive().payload, b"x");
        let codes = reader.unsubscribe(&[&one, &plus, &all, &plus]);
        let expected: &[u8] = match version {
            Version::V5 => &[0x11, 0x00, 0x00, 0x11],
            _ => &[],
        };
        assert_eq!(codes, expected);
        writer.publish(Publish::new(&one, "x"), 1);
        reader.quiet();
    }
}

/// v5: [MQTT-3.10.4-3]
/// v3: [MQTT-3.10.4-3]
#[test]
fn what_has_begun_is_delivered_after_unsubscribe() {
    for version in Version::ALL {
        let topic = name("begun/t", version);
        let lasting = Connect::new(version, name("begun", version))
            .lasting()
            .resume();
        let mut reader = connect(&lasting);
        reader.subscribe(&topic, 2);
        let mut writer = client(version, &name("begun-writer", version));
        writer.publish(Publish::new(&topic, "1"), 1);
        writer.publish(Publish::new(&topic, "2"), 2);
        let (one, two) = (reader.delivery(), reader.delivery());
        reader.unsubscribe(&[&topic]);
        reader.send(packet::ack(packet::PUBREC, two.id));
        assert_eq!(reader.expect_ack(packet::PUBREL, two.id), 0);
        reader.lose();
        let mut reader = connect(&lasting);
        let again = reader.rest();
        assert!(again.iter().any(|answer| {
            matches!(answer, Answer::Publish(delivery) if delivery.id == one.id)
        }));
        assert!(again.iter().any(|answer| {
            matches!(answer, Answer::Ack(ack) if ack.id == two.id && ack.first == packet::PUBREL)
        }));
        reader.send(packet::ack(packet::PUBACK, one.id));
        reader.send(packet::ack(packet::PUBCOMP, two.id));
        reader.quiet();
    }
}
