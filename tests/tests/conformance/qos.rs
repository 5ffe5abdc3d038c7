//! The delivery protocols of the three QoS (MQTT 5 sections 4.3 to 4.6).

use mqttguard_tests::mqtt::packet::{self, Connect, Publish, Version, ack, ack_with};

use mqttguard_tests::mqtt::Answer;

use super::{client, connect, name};

/// v5: [MQTT-2.2.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1] [MQTT-4.3.1-1] [MQTT-4.3.2-2] [MQTT-4.3.3-2]
/// v3: [MQTT-2.3.1-2] [MQTT-2.3.1-4] [MQTT-4.3.1-1] [MQTT-4.3.2-1] [MQTT-4.3.3-1]
#[test]
fn packet_identifiers_in_use_are_not_given_again() {
    for version in Version::ALL {
        let topic = name("ids/t", version);
        let mut reader = client(version, &name("ids-reader", version));
        reader.subscribe(&topic, 2);
        let mut writer = client(version, &name("ids", version));
        let mut in_use = Vec::new();
        for round in 0..10 {
            writer.publish(Publish::new(&topic, "x"), 1 + round % 2);
            let delivery = reader.delivery();
            assert!(!delivery.dup && !in_use.contains(&delivery.id));
            in_use.push(delivery.id);
        }
    }
}

/// v5: [MQTT-4.3.2-4] [MQTT-4.3.2-5]
/// v3: [MQTT-4.3.2-2]
#[test]
fn with_qos_1_every_publish_is_a_message() {
    for version in Version::ALL {
        let topic = name("one/t", version);
        let mut reader = client(version, &name("one-reader", version));
        reader.subscribe(&topic, 1);
        let mut writer = client(version, &name("one", version));
        for dup in [false, true, true] {
            let publish = Publish::new(&topic, "x").qos(1, 5);
            let publish = if dup { publish.dup() } else { publish };
            writer.send(publish.bytes(version));
            assert_eq!(writer.expect_ack(packet::PUBACK, 5), 0);
            assert_eq!(reader.receive().payload, b"x");
        }
    }
}

/// v5: [MQTT-4.3.3-4] [MQTT-4.3.3-8] [MQTT-4.3.3-10] [MQTT-4.3.3-11] [MQTT-4.3.3-12]
/// [MQTT-2.2.1-5]
/// v3: [MQTT-4.3.3-1] [MQTT-4.3.3-2] [MQTT-2.3.1-6]
#[test]
fn with_qos_2_a_message_is_delivered_once_until_it_is_released() {
    for version in Version::ALL {
        let topic = name("two/t", version);
        let mut reader = client(version, &name("two-reader", version));
        reader.subscribe(&topic, 2);
        let asked = Connect::new(version, name("two", version))
            .lasting()
            .resume();
        let mut writer = connect(&asked);
        let publish = Publish::new(&topic, "first").qos(2, 5);
        writer.send(publish.bytes(version));
        assert_eq!(writer.expect_ack(packet::PUBREC, 5), 0);
        // Again, and again on the next connection.
        writer.send(publish.clone().dup().bytes(version));
        assert_eq!(writer.expect_ack(packet::PUBREC, 5), 0);
        writer.lose();
        let mut writer = connect(&asked);
        writer.send(publish.dup().bytes(version));
        assert_eq!(writer.expect_ack(packet::PUBREC, 5), 0);
        for _ in 0..2 {
            // The second time there is nothing left to release.
            writer.send(ack(packet::PUBREL, 5));
            writer.expect_ack(packet::PUBCOMP, 5);
        }
        assert_eq!(reader.receive().payload, b"first");
        reader.quiet();
        writer.send(Publish::new(&topic, "second").qos(2, 5).bytes(version));
        assert_eq!(writer.expect_ack(packet::PUBREC, 5), 0);
        assert_eq!(reader.receive().payload, b"second");
    }
}

/// v5: [MQTT-3.6.2-1] [MQTT-3.7.2-1]
#[test]
fn acknowledgements_of_nothing_are_answered_as_such() {
    let mut client = client(Version::V5, "nothing");
    client.send(ack(packet::PUBREC, 77));
    assert_eq!(client.expect_ack(packet::PUBREL, 77), 0x92);
    client.send(ack(packet::PUBREL, 78));
    assert_eq!(client.expect_ack(packet::PUBCOMP, 78), 0x92);
    client.send(ack(packet::PUBACK, 79));
    client.send(ack(packet::PUBCOMP, 80));
    assert_eq!(client.ping(), []);
}

/// v5: [MQTT-4.3.3-9]
#[test]
fn after_a_refused_qos_2_publish_its_identifier_is_free() {
    let mut reader = client(Version::V5, "free-reader");
    reader.subscribe("free/t", 2);
    let mut writer = client(Version::V5, "free");
    // Nobody may publish there.
    writer.send(Publish::new("$SYS/free", "x").qos(2, 5).bytes(Version::V5));
    assert_eq!(writer.expect_ack(packet::PUBREC, 5), 0x87);
    writer.send(Publish::new("free/t", "x").qos(2, 5).bytes(Version::V5));
    assert_eq!(writer.expect_ack(packet::PUBREC, 5), 0);
    assert_eq!(reader.receive().payload, b"x");
}

/// v5: [MQTT-4.4.0-2]
#[test]
fn what_a_client_refuses_is_not_sent_again() {
    let lasting = Connect::new(Version::V5, "refuser").lasting().resume();
    let mut reader = connect(&lasting);
    reader.subscribe("refuser/t", 2);
    let mut writer = client(Version::V5, "refuser-writer");
    for (qos, first) in [(1, packet::PUBACK), (2, packet::PUBREC)] {
        writer.publish(Publish::new("refuser/t", "x"), qos);
        let delivery = reader.delivery();
        reader.send(ack_with(first, delivery.id, 0x97));
    }
    reader.quiet();
    reader.lose();
    let mut reader = connect(&lasting);
    reader.quiet();
}

/// v5: [MQTT-4.6.0-5] [MQTT-4.6.0-6]
/// v3: [MQTT-4.6.0-5] [MQTT-4.6.0-6]
#[test]
fn messages_of_a_topic_keep_their_order() {
    for version in Version::ALL {
        for qos in [0, 1, 2] {
            let topic = format!("order/{}/{qos}", version as u8);
            let mut reader = client(version, &name("order-reader", version));
            reader.subscribe(&topic, qos);
            let mut writer = client(version, &name("order", version));
            for id in 1..=200u16 {
                let publish = Publish::new(&topic, id.to_string()).qos(qos, id);
                writer.send(publish.bytes(version));
                if qos == 2 {
                    writer.send(ack(packet::PUBREL, id));
                }
            }
            let mut found = Vec::new();
            while found.len() < 200 {
                match reader.take() {
                    Answer::Publish(delivery) => {
                        match delivery.qos {
                            0 => {}
                            1 => reader.send(ack(packet::PUBACK, delivery.id)),
                            _ => reader.send(ack(packet::PUBREC, delivery.id)),
                        }
                        found.push(String::from_utf8(delivery.payload).unwrap());
                    }
                    Answer::Ack(release) => reader.send(ack(packet::PUBCOMP, release.id)),
                    other => panic!("{other:?}"),
                }
            }
            let expected: Vec<_> = (1..=200).map(|id: u16| id.to_string()).collect();
            assert_eq!(found, expected);
        }
    }
}
