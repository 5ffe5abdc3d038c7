//! The house without a guard: what the end-to-end tests take for granted.

use std::net::SocketAddr;
use std::path::Path;
use std::time::{Duration, Instant};

use mqttguard_lab::packet::{Frame, PSH_ACK, ROUTER_MAC, TCP, UDP};
use mqttguard_lab::traffic::{
    CONNECT, ask_name, flood, open_connections, plaintext_connect, say, web_request,
};
use mqttguard_lab::{Lab, ODD_MQTT_PORT, PATIENCE, PLAIN_MQTT_PORT, Witness, address};

fn cloud(port: u16) -> SocketAddr {
    (address::CLOUD, port).into()
}

fn cloud6(port: u16) -> SocketAddr {
    (address::CLOUD6, port).into()
}

#[test]
fn devices_get_addresses_by_dhcp_and_leave_them_in_the_lease_file() {
    let lab = Lab::new(&["lamp", "plug"]).unwrap();
    let leases = std::fs::read_to_string(lab.router.leases()).unwrap();
    for device in lab.devices() {
        let address = device.address().unwrap().to_string();
        let line = leases
            .lines()
            .find(|line| line.contains(&device.mac_text()))
            .unwrap_or_else(|| panic!("{} is not in {leases:?}", device.name()));
        assert!(
            line.contains(&address) && line.contains(device.name()),
            "{line:?}"
        );
    }
    assert_ne!(
        lab.device(0).address().unwrap(),
        lab.device(1).address().unwrap()
    );
}

#[test]
fn traffic_flows_from_devices_to_the_cloud() {
    let lab = Lab::new(&["lamp"]).unwrap();
    let lamp = lab.device(0);
    for to in [cloud(80), cloud6(80)] {
        web_request(lamp, to).unwrap();
    }
    for to in [cloud(443), cloud6(443), cloud(8883), cloud6(8883)] {
        assert_eq!(say(lamp, to, b"hello", PATIENCE).unwrap(), b"hello");
    }
    for to in [cloud(53), cloud6(53)] {
        ask_name(lamp, to).unwrap();
    }
    assert_eq!(lab.cloud.https().told(), b"hellohello");
}

#[test]
fn the_cloud_speaks_plaintext_mqtt_and_the_witness_sees_it() {
    let lab = Lab::new(&["lamp"]).unwrap();
    let lamp = lab.device(0);
    web_request(lamp, cloud(80)).unwrap();
    assert!(lab.cloud.witness().plaintext().unwrap().is_empty());
    for port in [PLAIN_MQTT_PORT, ODD_MQTT_PORT] {
        for to in [cloud(port), cloud6(port)] {
            let before = lab.cloud.witness().plaintext().unwrap().len();
            let answer = plaintext_connect(lamp, to, PATIENCE).unwrap();
            assert_eq!(answer, b"\x20\x02\x00\x00", "CONNACK from {to}");
            assert!(
                lab.cloud.witness().plaintext().unwrap().len() > before,
                "{to}"
            );
        }
    }
}

#[test]
fn real_clients_publish_and_subscribe() {
    let lab = Lab::new(&["lamp", "plug"]).unwrap();
    let subscriber = lab
        .device(1)
        .plain_client(address::CLOUD, ODD_MQTT_PORT)
        .v5();
    let subscription = subscriber.subscribe("home/#", 3).unwrap();
    assert_eq!(subscription.granted(), Some(1));
    let publisher = lab.device(0).plain_client(address::CLOUD, PLAIN_MQTT_PORT);
    assert!(publisher.publish("home/lamp", "on", 1).unwrap().succeeded());
    let rest = ["off".to_owned(), "on".to_owned()];
    assert!(
        publisher
            .publish_all("home/lamp", &rest)
            .unwrap()
            .succeeded()
    );
    assert_eq!(
        subscription.finish().unwrap(),
        ["home/lamp on", "home/lamp off", "home/lamp on"]
    );
    let nobody = lab.device(0).plain_client(address::CLOUD, 18_831);
    let outcome = nobody.publish("home/lamp", "on", 1).unwrap();
    assert!(
        !outcome.succeeded() && !outcome.login_refused(),
        "{outcome:?}"
    );
}

#[test]
fn hand_made_frames_are_routed_and_tagged_frames_reach_the_bridge() {
    let lab = Lab::new(&["lamp"]).unwrap();
    let lamp = lab.device(0);
    let bridge = Witness::start(lab.router.netns(), "br-lan").unwrap();
    let source = lamp.address().unwrap();
    let mut frame = Frame {
        source_mac: lamp.mac(),
        destination_mac: ROUTER_MAC,
        vlans: &[],
        source: (source, 40_000).into(),
        destination: cloud(18_999),
        protocol: TCP,
        flags: PSH_ACK,
        payload: CONNECT,
    };
    let raw = lamp.raw().unwrap();
    raw.send(&frame.bytes()).unwrap();
    assert_eq!(
        lab.cloud
            .witness()
            .tally(source.into(), TCP, 18_999)
            .unwrap()
            .frames,
        1
    );
    frame.vlans = &[7];
    raw.send(&frame.bytes()).unwrap();
    assert_eq!(bridge.tally(source.into(), TCP, 18_999).unwrap().frames, 2);
    assert_eq!(bridge.plaintext().unwrap().len(), 2);
}

#[test]
fn floods_keep_their_rate_and_are_counted() {
    let lab = Lab::new(&["lamp"]).unwrap();
    let lamp = lab.device(0);
    // Neighbours that do not know each other yet lose the first frames of a flood.
    web_request(lamp, cloud(80)).unwrap();
    let start = Instant::now();
    let sent = flood(lamp, cloud(9), 5_000, 64, Duration::from_secs(1)).unwrap();
    let took = start.elapsed();
    assert_eq!(sent, 5_000);
    assert!(took < Duration::from_secs(2), "took {took:?}");
    let source = lamp.address().unwrap().into();
    assert_eq!(
        lab.cloud.witness().tally(source, UDP, 9).unwrap().frames,
        sent
    );
    assert_eq!(open_connections(lamp, cloud(80), 20, PATIENCE).unwrap(), 20);
}

#[test]
fn nothing_of_a_house_is_left_behind() {
    let lab = Lab::new(&["lamp"]).unwrap();
    let dir = lab.dir().to_owned();
    let netns = lab.router.netns().path();
    assert!(dir.exists() && netns.exists());
    drop(lab);
    assert!(!dir.exists() && !netns.exists());
}

#[test]
fn a_house_is_taken_down_when_its_test_panics() {
    let dir = std::panic::catch_unwind(|| {
        let lab = Lab::new(&["lamp"]).unwrap();
        std::panic::panic_any(lab.dir().to_owned());
    })
    .unwrap_err();
    let dir = dir.downcast::<std::path::PathBuf>().unwrap();
    assert!(dir.starts_with(mqttguard_lab::home::ROOT) && !Path::new(&*dir).exists());
}
