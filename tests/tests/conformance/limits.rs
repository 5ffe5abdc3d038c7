//! What each side tells the other that it takes (MQTT 5 sections 3.1.2.11, 3.2.2.3 and 4.9).

use mqttguard_tests::mqtt::packet::{self, Connect, Publish, Version, ack, unsubscribe};
use mqttguard_tests::mqtt::props::{self, four, two};
use mqttguard_tests::mqtt::{Ack, Answer, End};

use super::{client, connect};

/// v5: [MQTT-3.1.2-24] [MQTT-3.1.2-25]
#[test]
fn what_is_too_large_for_the_client_is_dropped_as_if_it_were_sent() {
    let asked = Connect::new(Version::V5, "small").with(four(props::MAXIMUM_PACKET_SIZE, 100));
    let mut small = connect(&asked);
    small.subscribe("small/t", 2);
    let mut writer = client(Version::V5, "small-writer");
    for qos in [0, 1, 2].into_iter().cycle().take(60) {
        writer.publish(Publish::new("small/t", [b'x'; 100]), qos);
    }
    // Just small enough: 1 + 1 + 2 + 7 + 2 + 1 bytes around it.
    for size in [86, 87] {
        writer.publish(Publish::new("small/t", vec![b'x'; size]), 1);
    }
    assert_eq!(small.receive().payload.len(), 86);
    small.quiet();
    small.ping();
}

/// v5: [MQTT-3.3.4-7] [MQTT-4.9.0-1]
#[test]
fn more_than_our_receive_maximum_is_refused() {
    let mut eager = client(Version::V5, "eager");
    let most = eager.connack.number(props::RECEIVE_MAXIMUM).unwrap();
    for id in 1..=u16::try_from(most).unwrap() {
        eager.send(Publish::new("eager/t", "x").qos(2, id).bytes(Version::V5));
        eager.expect_ack(packet::PUBREC, id);
    }
    eager.send(Publish::new("eager/t", "x").qos(2, 9999).bytes(Version::V5));
    assert_eq!(eager.end(), End::Disconnect(0x93));
}

/// v5: [MQTT-3.3.4-9] [MQTT-3.3.4-10] [MQTT-4.9.0-1] [MQTT-4.9.0-2] [MQTT-4.9.0-3]
#[test]
fn the_clients_receive_maximum_holds_for_publish_alone() {
    for most in [1u16, 2, 5] {
        let asked = Connect::new(Version::V5, "slow").with(two(props::RECEIVE_MAXIMUM, most));
        let mut slow = connect(&asked);
        slow.subscribe("slow/t", 2);
        let mut writer = client(Version::V5, "slow-writer");
        for number in 0..10u8 {
            writer.publish(Publish::new("slow/t", [number]), 1 + number % 2);
        }
        let mut window: Vec<_> = (0..most).map(|_| slow.delivery()).collect();
        slow.quiet();
        // Everything else goes on.
        slow.ping();
        assert_eq!(slow.subscribe("slow/other", 0), 0);
        writer.publish(Publish::new("slow/other", "free"), 0);
        assert_eq!(slow.receive().payload, b"free");
        slow.send(Publish::new("slow/none", "x").qos(1, 77).bytes(Version::V5));
        slow.expect_ack(packet::PUBACK, 77);
        // Each acknowledgement makes room for one.
        for number in 0..10u8 {
            let first = window.remove(0);
            assert_eq!(first.payload, [number]);
            if first.qos == 1 {
                slow.send(ack(packet::PUBACK, first.id));
            } else {
                slow.send(ack(packet::PUBREC, first.id));
                assert_eq!(slow.expect_ack(packet::PUBREL, first.id), 0);
                slow.quiet();
                slow.send(ack(packet::PUBCOMP, first.id));
            }
            if usize::from(number) + usize::from(most) < 10 {
                window.push(slow.delivery());
            }
        }
        slow.quiet();
    }
}

/// v5: [MQTT-3.1.2-29] [MQTT-3.4.2-2] [MQTT-3.4.2-3] [MQTT-3.5.2-2] [MQTT-3.5.2-3] [MQTT-3.6.2-2]
/// [MQTT-3.6.2-3] [MQTT-3.7.2-2] [MQTT-3.7.2-3] [MQTT-3.9.2-1] [MQTT-3.9.2-2] [MQTT-3.11.2-1]
/// [MQTT-3.11.2-2]
#[test]
fn answers_have_no_texts_for_a_client_that_wants_none_or_has_no_room() {
    for property in [
        vec![props::REQUEST_PROBLEM_INFORMATION, 0],
        four(props::MAXIMUM_PACKET_SIZE, 40),
    ] {
        let mut client = connect(&Connect::new(Version::V5, "terse").with(property));
        let deep = "a/".repeat(300) + "b";
        let forbidden = |qos, id| Publish::new("$SYS/x", "x").qos(qos, id).bytes(Version::V5);
        client.send(forbidden(1, 1));
        client.send(forbidden(2, 2));
        client.send(ack(packet::PUBREC, 3));
        client.send(ack(packet::PUBREL, 4));
        client.send(packet::Subscribe::new(5).to(&deep, 0).bytes(Version::V5));
        client.send(unsubscribe(Version::V5, 6, &["terse/none"]));
        for id in 1..=6 {
            let (found, props) = match client.take() {
                Answer::Ack(Ack { id, props, .. }) => (id, props),
                Answer::SubAck(id, _, props) | Answer::UnsubAck(id, _, props) => (id, props),
                other => panic!("{other:?}"),
            };
            assert_eq!((found, props.0), (id, vec![]));
        }
    }
}

/// v5: [MQTT-3.14.2-3] [MQTT-3.14.2-4] [MQTT-3.2.2-19] [MQTT-3.2.2-20] [MQTT-3.14.2-1]
#[test]
fn a_reason_is_told_in_words_only_where_there_is_room() {
    for (room, told) in [(1000, true), (30, false)] {
        let size = four(props::MAXIMUM_PACKET_SIZE, room);
        let mut client = connect(&Connect::new(Version::V5, "reason").with(size));
        assert!(!client.connack.has(props::REASON_STRING));
        assert_eq!(client.connack.users(), []);
        client.send([0xC0, 1, 0]);
        match client.take() {
            Answer::Disconnect(0x81, props) => {
                assert_eq!(props.has(props::REASON_STRING), told);
                assert_eq!(props.users(), []);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(client.end(), End::Silent);
    }
}

/// v5: [MQTT-3.2.2-15]
#[test]
fn what_is_too_large_for_the_server_is_refused() {
    let mut large = client(Version::V5, "large");
    let most = large.connack.number(props::MAXIMUM_PACKET_SIZE).unwrap() as usize;
    let mut reader = client(Version::V5, "large-reader");
    reader.subscribe("large/t", 0);
    // 1 + 3 + 2 + 7 + 1 bytes around it.
    large.publish(Publish::new("large/t", vec![b'x'; most - 14]), 0);
    assert_eq!(reader.delivery().payload.len(), most - 14);
    large.publish(Publish::new("large/t", vec![b'x'; most - 13]), 0);
    assert_eq!(large.end(), End::Disconnect(0x95));
}
