//! MQTT in the clear does not leave the house, and nothing else is in its way.

use mqttguard_lab::packet::{PSH_ACK, TCP, UDP};
use mqttguard_lab::traffic::{CONNECT, ask_name, plaintext_connect, say, web_request};
use mqttguard_lab::{ODD_MQTT_PORT, Witness};
use mqttguard_tests::house::{
    IN_VAIN, PATIENCE, assert_nothing_leaked, cloud, cloud6, guarded, guarded_with, router, syn,
};

/// An MQTT 3.1 CONNECT, under the protocol's old name, with the client identifier `lab`.
const OLD_CONNECT: &[u8] = b"\x10\x11\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x03lab";

#[test]
fn port_1883_is_closed_to_the_cloud_over_ipv4_and_ipv6() {
    let (lab, guard) = guarded(&["plug"]);
    for to in [cloud(1883), cloud6(1883)] {
        let before = guard.dropped("plug", "plaintext-port").unwrap();
        lab.device(0).connect(to, IN_VAIN).unwrap_err();
        assert!(
            guard.dropped("plug", "plaintext-port").unwrap() > before,
            "{to}"
        );
    }
    assert_nothing_leaked(&lab);
}

#[test]
fn a_connect_on_an_odd_port_is_caught_over_ipv4_and_ipv6() {
    let (lab, guard) = guarded(&["plug"]);
    for to in [cloud(ODD_MQTT_PORT), cloud6(ODD_MQTT_PORT)] {
        for connect in [CONNECT, OLD_CONNECT] {
            let before = guard.dropped("plug", "plaintext-connect").unwrap();
            say(lab.device(0), to, connect, IN_VAIN).unwrap_err();
            assert!(
                guard.dropped("plug", "plaintext-connect").unwrap() > before,
                "{to}"
            );
        }
    }
    assert_nothing_leaked(&lab);
}

#[test]
fn a_server_behind_an_odd_port_is_told_nothing() {
    let (lab, _guard) = guarded(&["plug"]);
    let sink = lab.cloud.sink(2_883).unwrap();
    plaintext_connect(lab.device(0), cloud(2_883), IN_VAIN).unwrap_err();
    assert_eq!(sink.told(), b"");
    // The same server hears what is no MQTT: it was the CONNECT that was held back.
    say(lab.device(0), cloud(2_883), b"hello", PATIENCE).unwrap();
    assert_eq!(sink.told(), b"hello");
}

#[test]
fn a_vlan_tag_hides_nothing() {
    let (lab, guard) = guarded(&["plug"]);
    let plug = lab.device(0);
    let raw = plug.raw().unwrap();
    let bridge = Witness::start(lab.router.netns(), "br-lan").unwrap();
    let source = plug.address().unwrap().into();
    for to in [cloud(1883), cloud6(1883)] {
        raw.send(&syn(plug, to, &[7]).bytes()).unwrap();
    }
    let mut connect = syn(plug, cloud(ODD_MQTT_PORT), &[7]);
    (connect.flags, connect.payload) = (PSH_ACK, CONNECT);
    raw.send(&connect.bytes()).unwrap();
    // What is allowed comes through the same way, so the witness would have seen the rest.
    raw.send(&syn(plug, cloud(8883), &[7]).bytes()).unwrap();
    assert_eq!(bridge.tally(source, TCP, 8883).unwrap().frames, 1);
    assert_eq!(bridge.plaintext().unwrap(), [""; 0]);
    assert_eq!(guard.dropped("plug", "plaintext-port").unwrap(), 2);
    assert_eq!(guard.dropped("plug", "plaintext-connect").unwrap(), 1);
}

#[test]
fn mqtt_over_tls_https_web_and_dns_pass_over_ipv4_and_ipv6() {
    let (lab, guard) = guarded(&["plug"]);
    let plug = lab.device(0);
    for to in [cloud(8883), cloud6(8883), cloud(443), cloud6(443)] {
        assert_eq!(
            say(plug, to, b"\x16\x03\x01hello", PATIENCE).unwrap(),
            b"\x16\x03\x01hello"
        );
    }
    for to in [cloud(80), cloud6(80)] {
        web_request(plug, to).unwrap();
    }
    for to in [cloud(53), cloud6(53)] {
        ask_name(plug, to).unwrap();
    }
    let device = guard.device("plug").unwrap();
    assert_eq!(device.pointer("/frames/dropped").unwrap(), 0, "{device}");
}

#[test]
fn mqtt_sn_is_caught() {
    let (lab, guard) = guarded(&["plug"]);
    lab.device(0)
        .udp(cloud(1883))
        .unwrap()
        .send(b"\x08\x04\x04\x01\x00\x3clb")
        .unwrap();
    assert_nothing_leaked(&lab);
    let source = lab.device(0).address().unwrap().into();
    assert_eq!(
        lab.cloud.witness().tally(source, UDP, 1883).unwrap().frames,
        0
    );
    assert_eq!(guard.dropped("plug", "mqtt-sn").unwrap(), 1);
}

#[test]
fn the_router_is_reachable_over_tls_and_not_in_the_clear() {
    let (lab, guard) = guarded(&["plug"]);
    lab.device(0).connect(router(8883), PATIENCE).unwrap();
    lab.device(0).connect(router(1883), IN_VAIN).unwrap_err();
    assert!(guard.dropped("plug", "plaintext-local").unwrap() > 0);
}

#[test]
fn an_exception_lets_one_port_of_one_destination_out() {
    let (lab, _guard) = guarded_with(
        &["plug"],
        "",
        "config exception 'maker'\n\toption destination '203.0.113.10'\n\toption port '1883'\n",
    );
    let answer = plaintext_connect(lab.device(0), cloud(1883), PATIENCE).unwrap();
    assert_eq!(answer, b"\x20\x02\x00\x00");
    plaintext_connect(lab.device(0), cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();
    lab.device(0).connect(cloud6(1883), IN_VAIN).unwrap_err();
}

#[test]
fn monitor_mode_lets_pass_and_tells() {
    let (lab, guard) = guarded_with(&["plug"], "\toption mode 'monitor'\n", "");
    plaintext_connect(lab.device(0), cloud(1883), PATIENCE).unwrap();
    assert!(guard.dropped("plug", "plaintext-port").unwrap() > 0);
    let event = guard
        .wait_event("frame-would-drop", Some(&lab.device(0).mac_text()))
        .unwrap();
    assert_eq!(event.get("dropped").unwrap(), false, "{event}");
}
