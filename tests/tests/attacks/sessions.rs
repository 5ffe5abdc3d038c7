//! Sessions, queues and retained messages that nobody comes for.

use mqttguard_tests::mqtt::packet::{Connect, Publish, Version};
use mqttguard_tests::mqtt::{Answer, Client, packet};

use super::Scene;

/// Publishes without waiting for each answer; how many of them were not taken.
fn flood(client: &mut Client, count: u32, publish: impl Fn(u32) -> Publish) -> u32 {
    let mut refused = 0;
    for start in (0..count).step_by(10) {
        let end = count.min(start + 10);
        for n in start..end {
            let id = u16::try_from(n % 60_000).unwrap() + 1;
            client.send(publish(n).qos(1, id).bytes(Version::V5));
        }
        for _ in start..end {
            match client.take() {
                Answer::Ack(ack) => refused += u32::from(ack.code >= 0x80),
                other => panic!("{other:?}"),
            }
        }
    }
    refused
}

#[test]
fn a_flood_of_retained_messages() {
    let scene = Scene::new();
    let mut client = scene.client("retained");
    let kilobyte = [b'x'; 1000];
    let refused = flood(&mut client, 30_000, |n| {
        Publish::new(format!("retained/{n}"), kilobyte).retain()
    });
    // The bytes of one identity end before the number does.
    assert!((15_000..30_000).contains(&refused), "{refused}");
    // What was kept is there; what is given back may be used again.
    let mut reader = scene.client("retained-reader");
    reader.subscribe("retained/0", 0);
    assert_eq!(reader.receive().payload, kilobyte);
    client.publish(Publish::new("retained/0", "").retain(), 1);
    assert!(client.publish(Publish::new("retained/new", kilobyte).retain(), 1) < 0x80);
    scene.held();
}

#[test]
fn the_queue_of_a_session_that_is_away() {
    let scene = Scene::new();
    let away = Connect::new(Version::V5, "away").expiry(3600).resume();
    let mut client = scene.broker.connect(&away);
    client.subscribe("away/t", 1);
    client.lose();
    let mut writer = scene.client("away-writer");
    flood(&mut writer, 50_000, |n| {
        Publish::new("away/t", format!("{n:01000}"))
    });
    let mut client = scene.broker.connect(&away);
    // The oldest that was acknowledged to the writer is there.
    assert_eq!(client.receive().payload, format!("{:01000}", 0).as_bytes());
    scene.held();
}

#[test]
fn a_subscriber_that_never_acknowledges() {
    let scene = Scene::new();
    let mut deaf = scene.client("deaf");
    deaf.subscribe("deaf/t", 2);
    let mut writer = scene.client("deaf-writer");
    flood(&mut writer, 50_000, |_| {
        Publish::new("deaf/t", [b'x'; 1000])
    });
    let delivered = deaf.rest();
    assert_eq!(delivered.len(), 20, "more than its window");
    // It is not cut off for that, and the window moves when it does acknowledge.
    let Answer::Publish(first) = &delivered[0] else {
        panic!("{:?}", delivered[0]);
    };
    deaf.send(packet::ack(packet::PUBACK, first.id));
    deaf.delivery();
    scene.held();
}

#[test]
fn twenty_thousand_abandoned_sessions() {
    let scene = Scene::new();
    for n in 0..20_000 {
        let connect = Connect::new(Version::V5, format!("abandoned-{n}")).expiry(u32::MAX);
        let mut client = Client::open(scene.broker.plain, Version::V5);
        client.send(connect.bytes());
        match client.take() {
            // What there is no room for is refused as such.
            Answer::ConnAck { code, .. } => assert!(matches!(code, 0 | 0x97), "{code:02x}"),
            other => panic!("{other:?}"),
        }
    }
    scene.held();
}
