//! What goes on with a message to its subscribers (MQTT 5 section 3.3.2.3).

use std::thread::sleep;
use std::time::Duration;

use mqttguard_tests::mqtt::packet::{self, Connect, Publish, Version};
use mqttguard_tests::mqtt::{Value, props};

use super::{client, connect};

/// v5: [MQTT-3.3.2-4] [MQTT-3.3.2-15] [MQTT-3.3.2-16] [MQTT-3.3.2-17] [MQTT-3.3.2-18]
/// [MQTT-3.3.2-20] [MQTT-2.2.2-1]
#[test]
fn properties_are_passed_on_unaltered_and_in_their_order() {
    let mut reader = client(Version::V5, "forward-reader");
    let mut old = client(Version::V311, "forward-old");
    for reader in [&mut reader, &mut old] {
        reader.subscribe("forward/t", 2);
    }
    let mut writer = client(Version::V5, "forward");
    let data: Vec<u8> = (0..=255).collect();
    for (qos, format) in [(0, 0), (1, 1), (2, 1)] {
        let publish = Publish::new("forward/t", "é")
            .with(props::user("z", "1"))
            .with([props::PAYLOAD_FORMAT, format])
            .with(props::string(props::CORRELATION_DATA, &data))
            .with(props::user("a", ""))
            .with(props::string(props::RESPONSE_TOPIC, "answer/to"))
            .with(props::user("z", "1"))
            .with(props::string(props::CONTENT_TYPE, "text/ü"));
        writer.publish(publish, qos);
        let delivery = reader.receive();
        let props = &delivery.props;
        assert_eq!(props.users(), [("z", "1"), ("a", ""), ("z", "1")]);
        assert_eq!(props.number(props::PAYLOAD_FORMAT), Some(format.into()));
        assert_eq!(props.text(props::RESPONSE_TOPIC), Some("answer/to"));
        assert_eq!(props.text(props::CONTENT_TYPE), Some("text/ü"));
        let found = props.all(props::CORRELATION_DATA).next();
        assert_eq!(found, Some(&Value::Data(data.clone())));
        assert_eq!(old.receive().brief(), ("forward/t", "é".as_bytes()));
    }
    // None are none.
    writer.publish(Publish::new("forward/t", "plain"), 0);
    assert_eq!(reader.receive().props.0, []);
}

/// v5: [MQTT-3.3.2-5] [MQTT-3.3.2-6] [MQTT-4.3.3-7] [MQTT-4.3.3-13]
#[test]
fn messages_expire_while_they_wait_and_not_once_they_are_sent() {
    let lasting = |id: &str| Connect::new(Version::V5, id).lasting().resume();
    let mut away = connect(&lasting("expire-away"));
    away.subscribe("expire/t", 2);
    away.lose();
    let mut half = connect(&lasting("expire-half"));
    half.subscribe("expire/t", 2);
    let mut writer = client(Version::V5, "expire");
    let expiring = |payload: &str, seconds| {
        Publish::new("expire/t", payload).with(props::four(props::MESSAGE_EXPIRY, seconds))
    };
    writer.publish(expiring("short", 1), 2);
    writer.publish(expiring("long", 100), 1);
    // The last step of this one comes after it has expired.
    writer.send(expiring("mine", 1).qos(2, 999).bytes(Version::V5));
    assert_eq!(writer.expect_ack(packet::PUBREC, 999), 0);
    for payload in ["short", "long", "mine"] {
        assert_eq!(half.delivery().payload, payload.as_bytes());
    }
    half.lose();
    sleep(Duration::from_millis(2100));
    writer.send(packet::ack(packet::PUBREL, 999));
    assert_eq!(writer.expect_ack(packet::PUBCOMP, 999), 0);
    let mut away = connect(&lasting("expire-away"));
    let delivery = away.receive();
    assert_eq!(delivery.payload, b"long");
    let left = delivery.props.number(props::MESSAGE_EXPIRY).unwrap();
    assert!((90..=98).contains(&left), "{left}");
    away.quiet();
    // What was sent is sent again, expired or not.
    let mut half = connect(&lasting("expire-half"));
    for payload in ["short", "long", "mine"] {
        let delivery = half.delivery();
        assert_eq!(delivery.payload, payload.as_bytes());
        assert!(delivery.dup);
    }
}
