//! Packets that are well-formed and excessive.

use std::time::{Duration, Instant};

use mqttguard_tests::mqtt::packet::{self, Connect, Publish, Subscribe, Version, ack};
use mqttguard_tests::mqtt::{Answer, Client, End, props};

use super::Scene;

/// Five bytes each, the smallest property that may come again and again.
fn empty_properties() -> Vec<u8> {
    props::user("", "").repeat(200_000)
}

#[test]
fn a_megabyte_of_empty_user_properties() {
    let scene = Scene::new();
    let mut reader = scene.client("properties-reader");
    reader.subscribe("properties/t", 1);
    let mut writer = scene.client("properties");
    for _ in 0..5 {
        let publish = Publish::new("properties/t", "x").with(empty_properties());
        assert_eq!(writer.publish(publish, 1), 0x97);
    }
    reader.quiet();
    let id = writer.id();
    let subscribe = Subscribe::new(id)
        .to("properties/other", 0)
        .with(empty_properties());
    assert_eq!(writer.subscribe_with(subscribe, id), [0]);
    // Before it is known who that is, there is no room for so many.
    let connect = Connect::new(Version::V5, "properties-first").with(empty_properties());
    let mut stranger = Client::open(scene.broker.plain, Version::V5);
    stranger.send(connect.bytes());
    assert_eq!(stranger.end(), End::Silent);
    scene.held();
}

#[test]
fn a_topic_of_65535_slashes() {
    let scene = Scene::new();
    let slashes = "/".repeat(65_535);
    let mut client = scene.client("slashes");
    for _ in 0..100 {
        let publish = Publish::new(&slashes, "x").retain();
        assert_eq!(client.publish(publish, 1), 0x90);
        assert_eq!(client.subscribe(&slashes, 0), 0x8F);
        let wild = format!("{}+", "+/".repeat(32_000));
        assert_eq!(client.subscribe(&wild, 0), 0x8F);
        assert_eq!(client.unsubscribe(&[&slashes]), [0x11]);
    }
    scene.held();
}

/// Sixteen aliases for names of 60 kB are a megabyte that nobody asked for.
#[test]
fn every_alias_with_a_topic_of_60_kilobytes() {
    let scene = Scene::new();
    let mut ends = Vec::new();
    for n in 0..50 {
        let mut client = scene.client(&format!("aliases-{n}"));
        for alias in 1..=16 {
            let topic = format!("{alias}{}", "x".repeat(60_000));
            let publish = Publish::new(topic, "").with(props::two(props::TOPIC_ALIAS, alias));
            client.send(publish.bytes(Version::V5));
        }
        assert_eq!(client.end(), End::Disconnect(0x97));
        ends.push(client);
    }
    scene.held();
}

#[test]
fn sixty_five_thousand_qos_2_publishes_that_are_never_released() {
    let scene = Scene::new();
    let mut client = scene.client("unreleased");
    let mut bytes = Vec::new();
    for id in 1..=u16::MAX {
        bytes.extend(
            Publish::new("unreleased/t", "x")
                .qos(2, id)
                .bytes(Version::V5),
        );
    }
    client.send(bytes);
    let mut recs = 0;
    let code = loop {
        match client.take() {
            Answer::Ack(rec) => {
                assert_eq!(rec.first, packet::PUBREC);
                recs += 1;
            }
            Answer::Disconnect(code, _) => break code,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((recs, code), (20, 0x93));
    scene.held();
}

#[test]
fn the_same_qos_2_packet_a_hundred_thousand_times() {
    let scene = Scene::new();
    let mut reader = scene.client("same-reader");
    reader.subscribe("same/t", 2);
    let mut client = scene.client("same");
    let one = Publish::new("same/t", "x")
        .qos(2, 7)
        .dup()
        .bytes(Version::V5);
    let many = one.repeat(1000);
    for _ in 0..100 {
        client.send(&many);
        for _ in 0..1000 {
            assert_eq!(client.expect_ack(packet::PUBREC, 7), 0);
        }
    }
    assert_eq!(reader.receive().payload, b"x");
    reader.quiet();
    scene.held();
}

#[test]
fn a_hundred_thousand_acknowledgements_of_nothing() {
    let scene = Scene::new();
    let mut client = scene.client("nothing");
    for first in [packet::PUBACK, packet::PUBCOMP] {
        let mut bytes = Vec::new();
        for id in 1..=50_000 {
            bytes.extend(ack(first, id));
        }
        client.send(bytes);
        assert_eq!(client.ping(), []);
    }
    scene.held();
}

#[test]
fn a_publisher_at_full_speed() {
    let scene = Scene::new();
    let mut client = scene.client("loud");
    let many = Publish::new("loud/t", [b'x'; 100])
        .bytes(Version::V5)
        .repeat(1000);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(2) {
        client.send(&many);
    }
    client.ping();
    scene.held();
}
