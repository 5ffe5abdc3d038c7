//! The will (MQTT 5 sections 3.1.2.5 and 3.1.3).

use std::time::{Duration, Instant};

use mqttguard_tests::mqtt::packet::{Connect, Version, disconnect};
use mqttguard_tests::mqtt::{End, props};

use super::{client, connect, name};

/// v5: [MQTT-3.1.2-7] [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.14.4-3]
/// v3: [MQTT-3.1.2-8] [MQTT-3.1.2-10] [MQTT-3.1.2-12] [MQTT-3.14.4-3]
#[test]
fn a_will_is_published_once_when_the_connection_is_lost_and_not_when_it_is_left() {
    for version in Version::ALL {
        let topic = name("will/t", version);
        let mut watcher = client(version, &name("will-watcher", version));
        watcher.subscribe(&topic, 0);
        let id = name("will", version);
        let with_will = Connect::new(version, &id).will(&topic, 0, false);
        connect(&with_will).leave();
        watcher.quiet();
        connect(&with_will).lose();
        assert_eq!(watcher.delivery().payload, b"gone");
        // It went with that connection.
        connect(&Connect::new(version, &id)).lose();
        watcher.quiet();
        // A fault of the client's loses the connection too.
        let mut faulty = connect(&with_will);
        faulty.send([0xC0, 1, 0]);
        faulty.end();
        assert_eq!(watcher.delivery().payload, b"gone");
    }
}

/// v5: [MQTT-3.1.2-8] [MQTT-3.14.4-3]
#[test]
fn disconnect_with_another_reason_publishes_the_will() {
    let mut watcher = client(Version::V5, "will-reason-watcher");
    watcher.subscribe("will-reason/t", 0);
    for (code, published) in [(0x00, false), (0x04, true), (0x82, true), (0x98, true)] {
        let asked = Connect::new(Version::V5, "will-reason").will("will-reason/t", 0, false);
        let mut client = connect(&asked);
        client.send(disconnect(code, &[]));
        assert_eq!(client.end(), End::Silent);
        if published {
            assert_eq!(watcher.delivery().payload, b"gone");
        } else {
            watcher.quiet();
        }
    }
}

/// v5: [MQTT-3.1.2-14] [MQTT-3.1.2-15] [MQTT-3.1.2-12]
/// v3: [MQTT-3.1.2-16] [MQTT-3.1.2-17] [MQTT-3.1.2-14] [MQTT-3.1.2-9]
#[test]
fn a_will_has_its_qos_and_is_retained_if_it_says_so() {
    for version in Version::ALL {
        for qos in [0, 1, 2] {
            for retain in [false, true] {
                let topic = format!("will-retain/{}/{qos}/{retain}", version as u8);
                let mut watcher = client(version, &name("will-retain-watcher", version));
                watcher.subscribe(&topic, 2);
                let asked = Connect::new(version, name("will-retain", version));
                connect(&asked.will(&topic, qos, retain)).lose();
                let delivery = watcher.receive();
                assert_eq!((delivery.qos, delivery.retain), (qos, false));
                let mut late = client(version, &name("will-retain-late", version));
                late.subscribe(&topic, 2);
                if retain {
                    let kept = late.receive();
                    assert_eq!((kept.qos, kept.retain), (qos, true));
                } else {
                    late.quiet();
                }
            }
        }
    }
}

/// v5: [MQTT-3.1.3-9] [MQTT-3.1.2-8]
#[test]
fn a_delayed_will_waits_and_is_dropped_if_the_client_comes_back() {
    let mut watcher = client(Version::V5, "delay-watcher");
    watcher.subscribe("delay/#", 0);
    let with_will = |id: &str, topic: &str, expiry| {
        Connect::new(Version::V5, id)
            .expiry(expiry)
            .resume()
            .will(topic, 0, false)
            .will_with(props::four(props::WILL_DELAY, 3))
    };
    let start = Instant::now();
    connect(&with_will("delay-stays", "delay/stays", 60)).lose();
    connect(&with_will("delay-back", "delay/back", 60)).lose();
    // Its session ends before its delay, and with it the wait.
    connect(&with_will("delay-ends", "delay/ends", 0)).lose();
    assert_eq!(watcher.delivery().topic, "delay/ends");
    let _back = connect(&Connect::new(Version::V5, "delay-back").resume());
    assert_eq!(watcher.delivery().topic, "delay/stays");
    assert!(start.elapsed() >= Duration::from_millis(2900));
    watcher.quiet();
}

/// v5: [MQTT-3.1.3-10]
#[test]
fn the_properties_of_a_will_go_with_it_in_their_order() {
    let mut watcher = client(Version::V5, "will-properties-watcher");
    watcher.subscribe("will-properties/t", 0);
    let asked = Connect::new(Version::V5, "will-properties")
        .will("will-properties/t", 0, false)
        .will_with(props::user("b", "1"))
        .will_with(props::string(props::CONTENT_TYPE, "text"))
        .will_with(props::user("a", "2"))
        .will_with(props::string(props::RESPONSE_TOPIC, "r"))
        .will_with(props::user("b", "1"));
    connect(&asked).lose();
    let delivery = watcher.delivery();
    assert_eq!(delivery.props.users(), [("b", "1"), ("a", "2"), ("b", "1")]);
    assert_eq!(delivery.props.text(props::CONTENT_TYPE), Some("text"));
    assert_eq!(delivery.props.text(props::RESPONSE_TOPIC), Some("r"));
    assert!(!delivery.props.has(props::WILL_DELAY));
}
