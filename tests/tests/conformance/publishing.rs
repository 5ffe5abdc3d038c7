//! PUBLISH and its flags, aliases and overlapping subscriptions (MQTT 5 section 3.3).

use mqttguard_tests::mqtt::packet::{Connect, Publish, Subscribe, Version};
use mqttguard_tests::mqtt::props::{self, two};
use mqttguard_tests::mqtt::{Answer, End, Value};

use super::{client, connect, name};

/// v5: [MQTT-3.3.1-3] [MQTT-4.3.2-2] [MQTT-4.3.3-2] [MQTT-3.3.1-2] [MQTT-4.3.1-1] [MQTT-2.2.1-2]
/// v3: [MQTT-3.3.1-2] [MQTT-3.3.1-3] [MQTT-4.3.1-1]
#[test]
fn dup_is_not_passed_on() {
    for version in Version::ALL {
        let topic = name("dup/t", version);
        let mut reader = client(version, &name("dup-reader", version));
        reader.subscribe(&topic, 2);
        let mut writer = client(version, &name("dup", version));
        writer.publish(Publish::new(&topic, "0"), 0);
        writer.publish(Publish::new(&topic, "1").dup(), 1);
        writer.publish(Publish::new(&topic, "2").dup(), 2);
        for qos in [0, 1, 2] {
            let delivery = reader.receive();
            assert_eq!((delivery.qos, delivery.dup), (qos, false));
        }
    }
}

/// v5: [MQTT-3.3.4-2] [MQTT-3.3.4-3] [MQTT-3.3.4-4] [MQTT-3.3.4-5]
/// v3: [MQTT-3.3.5-1]
#[test]
fn overlapping_subscriptions_give_one_copy_at_the_highest_qos() {
    for version in Version::ALL {
        let base = name("overlap", version);
        let mut reader = client(version, &name("overlap-reader", version));
        for (filter, qos, number) in [
            (format!("{base}/#"), 0, Some(300)),
            (format!("{base}/+"), 2, Some(7)),
            (format!("{base}/t"), 1, None),
        ] {
            let id = reader.id();
            let mut subscribe = Subscribe::new(id).to(&filter, qos);
            if let Some(number) = number {
                subscribe = subscribe.with(props::integer(props::SUBSCRIPTION_ID, number));
            }
            assert_eq!(reader.subscribe_with(subscribe, id), [qos]);
        }
        let mut writer = client(version, &name("overlap-writer", version));
        writer.publish(Publish::new(format!("{base}/t"), "x"), 2);
        let delivery = reader.receive();
        assert_eq!(delivery.qos, 2);
        if version == Version::V5 {
            let ids = delivery.props.all(props::SUBSCRIPTION_ID);
            let mut ids: Vec<_> = ids.cloned().collect();
            ids.sort_by_key(|id| format!("{id:?}"));
            assert_eq!(ids, [Value::Number(300), Value::Number(7)]);
        }
        reader.quiet();
    }
}

/// v5: [MQTT-3.3.2-7] [MQTT-3.3.2-12]
#[test]
fn aliases_of_the_client_hold_for_its_connection() {
    let mut reader = client(Version::V5, "alias-reader");
    reader.subscribe("alias/#", 0);
    let asked = Connect::new(Version::V5, "alias").lasting();
    let mut writer = connect(&asked);
    let most = writer.connack.number(props::TOPIC_ALIAS_MAXIMUM).unwrap();
    let most = u16::try_from(most).unwrap();
    assert!(most > 0);
    for alias in 1..=most {
        let set = Publish::new(format!("alias/{alias}"), "set");
        writer.publish(set.with(two(props::TOPIC_ALIAS, alias)), 0);
    }
    for alias in (1..=most).rev() {
        let by_alias = Publish::new("", "used").with(two(props::TOPIC_ALIAS, alias));
        writer.publish(by_alias, 1);
    }
    let changed = Publish::new("alias/new", "set").with(two(props::TOPIC_ALIAS, 1));
    writer.publish(changed, 0);
    writer.publish(Publish::new("", "used").with(two(props::TOPIC_ALIAS, 1)), 0);
    let up = (1..=most).map(|alias| format!("alias/{alias}"));
    let down = (1..=most).rev().map(|alias| format!("alias/{alias}"));
    let new = ["alias/new", "alias/new"].map(str::to_owned);
    for topic in up.chain(down).chain(new) {
        assert_eq!(reader.delivery().topic, topic);
    }
    writer.lose();
    let mut writer = connect(&asked.resume());
    assert!(writer.present);
    writer.send(
        Publish::new("", "x")
            .with(two(props::TOPIC_ALIAS, 1))
            .bytes(Version::V5),
    );
    assert_eq!(writer.end(), End::Disconnect(0x82));
}

/// v5: [MQTT-3.1.2-26] [MQTT-3.1.2-27] [MQTT-3.3.2-8] [MQTT-3.3.2-11]
#[test]
fn aliases_of_the_server_are_as_many_as_the_client_takes() {
    let mut writer = client(Version::V5, "server-alias-writer");
    for most in [None, Some(0), Some(2), Some(100)] {
        let mut asked = Connect::new(Version::V5, "server-alias");
        if let Some(most) = most {
            asked = asked.with(two(props::TOPIC_ALIAS_MAXIMUM, most));
        }
        let mut reader = connect(&asked);
        reader.subscribe("server-alias/#", 0);
        let topics: Vec<_> = (0..5).map(|n| format!("server-alias/{n}")).collect();
        let mut known = std::collections::BTreeMap::new();
        for topic in topics.iter().cycle().take(20) {
            writer.publish(Publish::new(topic, "x"), 0);
            let delivery = reader.delivery();
            let alias = delivery.props.number(props::TOPIC_ALIAS);
            assert!(alias.is_none_or(|alias| alias <= most.unwrap_or(0).into()));
            let meant = match (alias, delivery.topic) {
                (Some(alias), empty) if empty.is_empty() => known[&alias],
                (Some(alias), found) => {
                    assert_eq!(&found, topic);
                    known.insert(alias, topic);
                    topic
                }
                (None, found) => {
                    assert_eq!(&found, topic);
                    topic
                }
            };
            assert_eq!(meant, topic);
        }
    }
}

/// v5: [MQTT-3.3.4-1] [MQTT-2.2.1-5] [MQTT-3.4.2-1] [MQTT-3.5.2-1]
/// v3: [MQTT-3.3.4-1] [MQTT-2.3.1-6]
#[test]
fn each_qos_has_its_answer() {
    for version in Version::ALL {
        let mut writer = client(version, &name("answer", version));
        for id in [1, 2, 1000, 65_535] {
            writer.send(Publish::new("answer/t", "x").qos(1, id).bytes(version));
            writer.expect_ack(0x40, id);
            writer.send(Publish::new("answer/t", "x").qos(2, id).bytes(version));
            writer.expect_ack(0x50, id);
            writer.send(mqttguard_tests::mqtt::packet::ack(0x62, id));
            writer.expect_ack(0x70, id);
        }
        writer.send(Publish::new("answer/t", "x").bytes(version));
        assert_eq!(writer.ping(), []);
    }
}

/// v3: [MQTT-3.3.5-2]
/// v5: [MQTT-4.7.2-1]
#[test]
fn a_publish_without_the_right_is_acknowledged_and_goes_nowhere() {
    for version in Version::ALL {
        let topic = name("$SYS/forged", version);
        let mut reader = client(version, &name("forged-reader", version));
        reader.subscribe(&topic, 2);
        let mut writer = client(version, &name("forged", version));
        for qos in [0, 1, 2] {
            let code = writer.publish(Publish::new(&topic, "x").retain(), qos);
            // Before MQTT 5 there is no way to say no.
            if version == Version::V5 && qos > 0 {
                assert_eq!(code, 0x87);
            }
        }
        writer.ping();
        reader.quiet();
        let mut late = client(version, &name("forged-late", version));
        late.subscribe(&topic, 0);
        assert!(!late.rest().iter().any(|a| matches!(a, Answer::Publish(_))));
    }
}
