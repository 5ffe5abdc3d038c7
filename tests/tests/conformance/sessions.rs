//! Sessions (MQTT 5 sections 3.1.2.4, 3.1.2.11.2 and 4.1).

use std::thread::sleep;
use std::time::Duration;

use mqttguard_tests::mqtt::packet::{self, Connect, Publish, Version, disconnect};
use mqttguard_tests::mqtt::{Answer, props};

use super::{client, connect, name};

/// The versions that tell whether a session was there.
const TELLING: [Version; 2] = [Version::V311, Version::V5];

/// v5: [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.4-4] [MQTT-3.2.2-2] [MQTT-3.2.2-3]
/// [MQTT-3.1.2-23] [MQTT-4.5.0-1]
/// v3: [MQTT-3.1.2-4] [MQTT-3.1.2-5] [MQTT-3.1.2-6] [MQTT-3.1.4-3] [MQTT-3.2.2-1] [MQTT-3.2.2-2]
/// [MQTT-3.2.2-3] [MQTT-4.1.0-1] [MQTT-4.5.0-1]
#[test]
fn a_session_is_begun_resumed_and_discarded() {
    for version in TELLING {
        let id = name("session", version);
        let topic = name("session/t", version);
        let lasting = Connect::new(version, &id).lasting();
        drop(connect(&Connect::new(version, &id)));
        // Asked to resume: there is nothing to resume.
        let mut first = connect(&lasting.clone().resume());
        assert!(!first.present);
        first.subscribe(&topic, 1);
        first.lose();
        // What comes meanwhile is kept.
        let mut other = client(version, &name("session-other", version));
        other.publish(Publish::new(&topic, "missed"), 1);
        let mut second = connect(&lasting.clone().resume());
        assert!(second.present);
        assert_eq!(second.receive().payload, b"missed");
        // The subscription stands.
        other.publish(Publish::new(&topic, "live"), 1);
        assert_eq!(second.receive().payload, b"live");
        second.lose();
        other.publish(Publish::new(&topic, "gone"), 1);
        // A clean start discards all of it.
        let mut third = connect(&Connect::new(version, &id));
        assert!(!third.present);
        other.publish(Publish::new(&topic, "gone too"), 1);
        third.quiet();
        third.leave();
        let fourth = connect(&lasting.resume());
        assert!(
            !fourth.present,
            "a clean session has outlived its connection"
        );
    }
}

/// v3: [MQTT-3.1.2-5]
#[test]
fn mqtt_3_1_resumes_sessions_too() {
    let lasting = Connect::new(Version::V31, "resume-31").resume();
    let mut first = connect(&lasting);
    first.subscribe("resume-31/t", 2);
    first.lose();
    let mut other = client(Version::V31, "resume-31-other");
    other.publish(Publish::new("resume-31/t", "missed"), 2);
    let mut second = connect(&lasting);
    assert_eq!(second.receive().payload, b"missed");
}

/// v5: [MQTT-4.1.0-1] [MQTT-4.1.0-2] [MQTT-3.1.2-23]
/// v3: [MQTT-4.1.0-2]
#[test]
fn a_session_lasts_as_long_as_its_connection_and_its_expiry() {
    let asked = Connect::new(Version::V5, "expiry").expiry(2);
    let mut first = connect(&asked);
    first.subscribe("expiry/t", 0);
    // The expiry runs only without a connection.
    sleep(Duration::from_millis(2500));
    let mut other = client(Version::V5, "expiry-other");
    other.publish(Publish::new("expiry/t", "x"), 0);
    assert_eq!(first.receive().payload, b"x");
    first.lose();
    let second = connect(&asked.clone().resume());
    assert!(second.present);
    second.lose();
    sleep(Duration::from_millis(2500));
    assert!(!connect(&asked.resume()).present);
}

/// v5: [MQTT-3.1.2-23]
#[test]
fn disconnect_may_change_the_expiry() {
    let long = props::four(props::SESSION_EXPIRY, 3600);
    let none = props::four(props::SESSION_EXPIRY, 0);
    let asked = Connect::new(Version::V5, "changed").expiry(10);
    for (expiry, present) in [(&long, true), (&none, false)] {
        let mut client = connect(&asked.clone().resume());
        client.send(disconnect(0, &[expiry]));
        client.end();
        let back = connect(&asked.clone().resume());
        assert_eq!(back.present, present);
        back.leave();
    }
}

/// v5: [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-4.3.3-5] [MQTT-4.3.3-6] [MQTT-4.3.2-3] [MQTT-4.3.3-3]
/// [MQTT-4.6.0-1]
/// v3: [MQTT-4.4.0-1] [MQTT-3.3.1-1] [MQTT-2.3.1-3] [MQTT-2.3.1-4] [MQTT-4.3.2-1] [MQTT-4.3.3-1]
/// [MQTT-4.6.0-1]
#[test]
fn what_was_not_acknowledged_is_sent_again_and_only_then() {
    for version in Version::ALL {
        let topic = name("resend/t", version);
        let lasting = Connect::new(version, name("resend", version))
            .lasting()
            .resume();
        let mut first = connect(&lasting);
        first.subscribe(&topic, 2);
        let mut other = client(version, &name("resend-other", version));
        for (payload, qos) in [("a1", 1), ("b2", 2), ("c2", 2), ("d1", 1)] {
            other.publish(Publish::new(&topic, payload), qos);
        }
        let sent: Vec<_> = (0..4).map(|_| first.delivery()).collect();
        assert!(sent.iter().all(|delivery| !delivery.dup));
        // One of them is half done.
        first.send(packet::ack(packet::PUBREC, sent[1].id));
        assert_eq!(first.expect_ack(packet::PUBREL, sent[1].id), 0);
        // As long as the connection stands nothing is sent again.
        first.quiet();
        first.lose();
        let mut second = connect(&lasting);
        let again = second.rest();
        let mut releases = Vec::new();
        let mut publishes = Vec::new();
        for answer in again {
            match answer {
                Answer::Ack(ack) => releases.push((ack.first, ack.id)),
                Answer::Publish(delivery) => publishes.push(delivery),
                other => panic!("{other:?}"),
            }
        }
        assert_eq!(releases, [(packet::PUBREL, sent[1].id)], "{version:?}");
        let expected = [&sent[0], &sent[2], &sent[3]];
        assert_eq!(publishes.len(), 3);
        for (again, sent) in publishes.iter().zip(expected) {
            assert!(again.dup);
            assert_eq!((again.id, &again.payload), (sent.id, &sent.payload));
        }
    }
}

/// v5: [MQTT-3.3.1-6]
/// v3: [MQTT-3.1.2-7]
#[test]
fn retained_messages_outlive_the_session_that_made_them() {
    for version in Version::ALL {
        let topic = name("outlive/t", version);
        let mut maker = client(version, &name("outlive", version));
        maker.publish(Publish::new(&topic, "kept").retain(), 1);
        maker.leave();
        let mut reader = client(version, &name("outlive-reader", version));
        reader.subscribe(&topic, 0);
        assert_eq!(reader.receive().payload, b"kept");
    }
}
