//! Retained messages (MQTT 5 sections 3.3.1.3 and 3.8.3.1).

use mqttguard_tests::mqtt::packet::{
    NO_RETAINED, Publish, RETAIN_AS_PUBLISHED, RETAINED_IF_NEW, Version,
};

use super::{client, name};

/// v5: [MQTT-3.3.1-5] [MQTT-3.3.1-8] [MQTT-3.3.1-9] [MQTT-3.3.1-12]
/// v3: [MQTT-3.3.1-5] [MQTT-3.3.1-6] [MQTT-3.3.1-7] [MQTT-3.3.1-8] [MQTT-3.3.1-9]
/// [MQTT-3.3.1-12]
#[test]
fn the_last_retained_message_of_each_topic_is_kept() {
    for version in Version::ALL {
        let topic = name("retain/t", version);
        let mut live = client(version, &name("retain-live", version));
        live.subscribe(&topic, 2);
        let mut writer = client(version, &name("retain", version));
        for (payload, qos) in [("one", 1), ("two", 2), ("three", 0), ("four", 1)] {
            writer.publish(Publish::new(&topic, payload).retain(), qos);
            // An old subscriber gets it as any other message.
            let delivery = live.receive();
            assert!(!delivery.retain);
            let mut new = client(version, &name("retain-new", version));
            new.subscribe(&topic, 2);
            let delivery = new.receive();
            assert_eq!(delivery.payload, payload.as_bytes());
            assert_eq!((delivery.qos, delivery.retain), (qos, true));
            new.quiet();
        }
        // What is not retained changes nothing.
        writer.publish(Publish::new(&topic, "passing"), 1);
        writer.publish(Publish::new(&topic, ""), 1);
        let mut new = client(version, &name("retain-new", version));
        new.subscribe(&topic, 2);
        assert_eq!(new.receive().payload, b"four");
    }
}

/// v5: [MQTT-3.3.1-6] [MQTT-3.3.1-7]
/// v3: [MQTT-3.3.1-10] [MQTT-3.3.1-11]
#[test]
fn an_empty_retained_message_is_delivered_and_removes_what_was_kept() {
    for version in Version::ALL {
        let topic = name("unretain/t", version);
        let mut writer = client(version, &name("unretain", version));
        writer.publish(Publish::new(&topic, "kept").retain(), 1);
        let mut live = client(version, &name("unretain-live", version));
        live.subscribe(&topic, 1);
        assert_eq!(live.receive().payload, b"kept");
        for _ in 0..2 {
            writer.publish(Publish::new(&topic, "").retain(), 1);
            let delivery = live.receive();
            assert_eq!((&delivery.payload[..], delivery.retain), (&b""[..], false));
        }
        let mut late = client(version, &name("unretain-late", version));
        late.subscribe(&topic, 1);
        late.quiet();
    }
}

/// v5: [MQTT-3.3.1-9] [MQTT-3.3.1-10] [MQTT-3.3.1-11] [MQTT-3.8.4-4]
#[test]
fn retain_handling_says_when_they_are_sent() {
    let mut writer = client(Version::V5, "handling");
    writer.publish(Publish::new("handling/t", "kept").retain(), 1);
    let mut reader = client(Version::V5, "handling-reader");
    for (options, sent) in [
        (NO_RETAINED, false),
        (RETAINED_IF_NEW, false),
        (0, true),
        (0, true),
        (RETAINED_IF_NEW, false),
        (NO_RETAINED, false),
    ] {
        reader.subscribe("handling/t", options);
        if sent {
            assert_eq!(reader.receive().payload, b"kept");
        }
        reader.quiet();
    }
    reader.unsubscribe(&["handling/t"]);
    reader.subscribe("handling/t", RETAINED_IF_NEW);
    assert_eq!(reader.receive().payload, b"kept");
}

/// v5: [MQTT-3.3.1-12] [MQTT-3.3.1-13]
#[test]
fn retain_as_published_leaves_the_flag_as_it_was() {
    let mut as_published = client(Version::V5, "as-published");
    as_published.subscribe("as-published/t", RETAIN_AS_PUBLISHED);
    let mut cleared = client(Version::V5, "as-published-not");
    cleared.subscribe("as-published/t", 0);
    let mut writer = client(Version::V5, "as-published-writer");
    for retain in [false, true] {
        let publish = Publish::new("as-published/t", "x");
        let publish = if retain { publish.retain() } else { publish };
        writer.publish(publish, 0);
        assert_eq!(as_published.receive().retain, retain);
        assert!(!cleared.receive().retain);
    }
}

/// v3: [MQTT-3.8.4-3]
#[test]
fn before_mqtt_5_a_repeated_subscription_is_sent_them_again() {
    for version in [Version::V31, Version::V311] {
        let topic = name("repeat/t", version);
        let mut writer = client(version, &name("repeat", version));
        writer.publish(Publish::new(&topic, "kept").retain(), 1);
        let mut reader = client(version, &name("repeat-reader", version));
        for qos in [0, 1, 1] {
            assert_eq!(reader.subscribe(&topic, qos), qos);
            let delivery = reader.receive();
            assert_eq!((delivery.qos, delivery.retain), (qos, true));
        }
    }
}
