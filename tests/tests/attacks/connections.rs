//! Connections that come to nothing, and too many of them.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use mqttguard_tests::mqtt::packet::{Connect, Version};
use mqttguard_tests::mqtt::{Client, End};

use super::Scene;

#[test]
fn five_hundred_half_open_connects() {
    let scene = Scene::new();
    let connect = Connect::new(Version::V5, "x".repeat(3000)).bytes();
    let half: Vec<_> = (0..500)
        .map(|_| {
            let mut client = Client::open(scene.broker.plain, Version::V5);
            client.send(&connect[..connect.len() - 1]);
            client
        })
        .collect();
    for n in 0..20 {
        scene.client(&format!("whole-{n}")).ping();
    }
    drop(half);
    scene.held();
}

/// Nobody waits for them: the header is enough.
#[test]
fn first_packets_that_announce_hundreds_of_megabytes() {
    let scene = Scene::new();
    // CONNECT of 200 MB, and a PUBLISH of 100 MB in its place.
    for header in [
        [0x10, 0x80, 0x84, 0xAF, 0x5F],
        [0x30, 0x80, 0xC2, 0xD7, 0x2F],
    ] {
        let mut clients: Vec<_> = (0..100)
            .map(|_| {
                let mut client = Client::open(scene.broker.plain, Version::V5);
                client.send(header);
                client.send([0; 10_000]);
                client
            })
            .collect();
        for client in &mut clients {
            assert_eq!(client.end(), End::Silent);
        }
    }
    scene.held();
}

#[test]
fn fifteen_hundred_connections_from_one_address() {
    let scene = Scene::new();
    let mut crowd: Vec<_> = (0..1500)
        .map(|n| scene.client(&format!("crowd-{n}")))
        .collect();
    for client in &mut crowd {
        client.ping();
    }
    scene.held();
}

#[test]
fn a_client_that_reconnects_in_a_loop() {
    let scene = Scene::new();
    let start = Instant::now();
    let mut count = 0;
    while start.elapsed() < Duration::from_secs(2) {
        let connect = Connect::new(Version::V5, "loop")
            .expiry(60)
            .will("loop/will", 0, true);
        let client = scene.broker.connect(&connect);
        if count % 2 == 0 {
            drop(client);
        }
        count += 1;
    }
    assert!(count > 50, "{count}");
    scene.held();
}

/// TCP alone, thousands of times, each gone at once.
#[test]
fn connections_that_end_before_they_begin() {
    let scene = Scene::new();
    for _ in 0..3000 {
        drop(TcpStream::connect(scene.broker.plain).unwrap());
    }
    scene.held();
}
