//! What is not allowed, by the ways around it.

use mqttguard_tests::mqtt::packet::{Connect, Publish, Version};
use mqttguard_tests::mqtt::{Broker, Client, End};

use super::Scene;

fn scene() -> Scene {
    let arguments = [
        "--subscribe",
        "open/#",
        "--subscribe",
        "bystander/#",
        "--deny",
        "open/secret/#",
    ];
    Scene::with(Broker::start_with(&arguments))
}

#[test]
fn a_retained_message_is_not_read_without_the_right() {
    let scene = scene();
    let mut owner = scene.client("owner");
    owner.publish(Publish::new("closed/t", "secret").retain(), 1);
    let mut thief = scene.client("thief");
    for filter in [
        "closed/t",
        "closed/#",
        "#",
        "+/t",
        "+/+",
        "$share/g/closed/t",
        "$share/g/#",
        "open/../closed/t",
    ] {
        let code = thief.subscribe(filter, 0);
        assert!(
            code == 0x87 || filter.starts_with("open/") && code == 0,
            "{filter}: {code:02x}"
        );
    }
    owner.publish(Publish::new("closed/t", "secret").retain(), 1);
    thief.quiet();
    scene.held();
}

#[test]
fn a_wider_filter_does_not_reach_a_denied_topic() {
    let scene = scene();
    let mut reader = scene.client("reader");
    assert_eq!(reader.subscribe("open/#", 0), 0);
    let mut writer = scene.client("writer");
    for topic in ["open/secret", "open/secret/t"] {
        assert_eq!(writer.publish(Publish::new(topic, "x").retain(), 1), 0x87);
    }
    assert!(writer.publish(Publish::new("open/secretly", "x"), 1) < 0x80);
    assert_eq!(reader.receive().topic, "open/secretly");
    reader.quiet();
    scene.held();
}

#[test]
fn a_will_to_a_denied_topic_is_refused_when_it_is_made() {
    let scene = scene();
    for topic in ["open/secret/t", "$SYS/broker/version", "$x"] {
        let connect = Connect::new(Version::V5, "will").will(topic, 0, false);
        assert_eq!(
            Client::refused(scene.broker.plain, &connect),
            End::ConnAck(0x87),
            "{topic}"
        );
        let connect = Connect::new(Version::V311, "will").will(topic, 0, false);
        assert_eq!(
            Client::refused(scene.broker.plain, &connect),
            End::ConnAck(5),
            "{topic}"
        );
    }
    scene.held();
}
