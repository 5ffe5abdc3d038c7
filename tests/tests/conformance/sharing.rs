//! Shared subscriptions (MQTT 5 section 4.8.2).

use mqttguard_tests::mqtt::packet::{self, Connect, Publish, Version, ack, ack_with};

use super::{client, connect};

/// v5: [MQTT-4.8.2-3]
#[test]
fn each_message_goes_to_one_member_with_the_qos_it_was_granted() {
    let mut members = [0u8, 1, 2].map(|qos| {
        let mut member = client(Version::V5, &format!("share-{qos}"));
        assert_eq!(member.subscribe("$share/group/share/t", qos), qos);
        (qos, member)
    });
    let mut writer = client(Version::V5, "share-writer");
    for _ in 0..30 {
        writer.publish(Publish::new("share/t", "x"), 2);
    }
    let mut counts = Vec::new();
    for (qos, member) in &mut members {
        let mut count = 0;
        for answer in member.rest() {
            let mqttguard_tests::mqtt::Answer::Publish(delivery) = answer else {
                panic!("{answer:?}");
            };
            assert_eq!(delivery.qos, *qos);
            count += 1;
        }
        counts.push(count);
    }
    assert_eq!(counts.iter().sum::<usize>(), 30, "{counts:?}");
    assert!(counts.iter().all(|count| *count > 0), "{counts:?}");
}

/// v5: [MQTT-4.8.2-4] [MQTT-4.8.2-5]
#[test]
fn a_qos_2_message_that_has_begun_goes_to_nobody_else() {
    for ends in [false, true] {
        let topic = format!("begun-share/{ends}");
        let filter = format!("$share/group/{topic}");
        let lasting = Connect::new(Version::V5, format!("begun-share-{ends}")).lasting();
        let mut chosen = connect(&lasting);
        chosen.subscribe(&filter, 2);
        let mut writer = client(Version::V5, "begun-share-writer");
        writer.publish(Publish::new(&topic, "x"), 2);
        let sent = chosen.delivery();
        let mut other = client(Version::V5, "begun-share-other");
        other.subscribe(&filter, 2);
        chosen.lose();
        if ends {
            // Its session ends without another word from it.
            connect(&Connect::new(Version::V5, "begun-share-true")).leave();
            other.quiet();
            continue;
        }
        let mut back = connect(&lasting.resume());
        let again = back.delivery();
        assert_eq!((again.id, again.dup), (sent.id, true));
        back.send(ack(packet::PUBREC, again.id));
        assert_eq!(back.expect_ack(packet::PUBREL, again.id), 0);
        back.send(ack(packet::PUBCOMP, again.id));
        other.quiet();
    }
}

/// v5: [MQTT-4.8.2-6]
#[test]
fn what_a_member_refuses_goes_to_nobody_else() {
    let mut members = ["a", "b"].map(|name| {
        let mut member = client(Version::V5, &format!("share-refuser-{name}"));
        member.subscribe("$share/group/share-refuser/t", 2);
        member
    });
    let mut writer = client(Version::V5, "share-refuser-writer");
    for (qos, first) in [(1, packet::PUBACK), (2, packet::PUBREC)] {
        writer.publish(Publish::new("share-refuser/t", "x"), qos);
        let mut seen = 0;
        for member in &mut members {
            for answer in member.rest() {
                if let mqttguard_tests::mqtt::Answer::Publish(delivery) = answer {
                    seen += 1;
                    member.send(ack_with(first, delivery.id, 0x83));
                }
            }
        }
        assert_eq!(seen, 1);
        for member in &mut members {
            member.quiet();
        }
    }
}
