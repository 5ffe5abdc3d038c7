//! CONNECT and CONNACK (MQTT 5 sections 3.1 and 3.2).

use std::time::{Duration, Instant};

use mqttguard_tests::mqtt::packet::{self, Connect, PINGREQ, Publish, Subscribe, Version};
use mqttguard_tests::mqtt::props::{self, string};
use mqttguard_tests::mqtt::{Answer, Client, End, open_broker};

use super::{client, connect, name};

/// v5: [MQTT-3.1.4-5] [MQTT-3.2.0-1] [MQTT-3.2.0-2] [MQTT-3.2.2-1] [MQTT-3.2.2-8] [MQTT-4.12.0-6]
/// [MQTT-4.2-1] [MQTT-2.2.1-6]
/// v3: [MQTT-3.1.4-4] [MQTT-3.2.0-1] [MQTT-2.3.1-7] [MQTT-7.1.1-1] [MQTT-7.0.0-2]
#[test]
fn connack_comes_first_and_once() {
    for version in Version::ALL {
        let mut keeper = client(version, &name("first-keeper", version));
        let topic = name("first/t", version);
        keeper.publish(Publish::new(&topic, "kept").retain(), 1);
        // All at once, before the answer.
        let mut early = Client::open(open_broker().plain, version);
        let bytes = [
            Connect::new(version, name("first", version)).bytes(),
            Subscribe::new(7).to(&topic, 0).bytes(version),
            PINGREQ.to_vec(),
        ];
        early.send(bytes.concat());
        early.expect_connack();
        assert!(!early.connack.has(props::AUTHENTICATION_METHOD));
        let rest = [early.take(), early.take(), early.take()];
        early.quiet();
        assert!(
            matches!(&rest, [
            Answer::SubAck(7, codes, _), Answer::PingResp, Answer::Publish(_)
        ] | [
            Answer::SubAck(7, codes, _), Answer::Publish(_), Answer::PingResp
        ] if codes == &[0]),
            "{rest:?}"
        );
    }
}

/// v5: [MQTT-3.1.3-2] [MQTT-3.1.3-5]
/// v3: [MQTT-3.1.3-2] [MQTT-3.1.3-5]
#[test]
fn a_client_identifier_names_a_session() {
    let alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    for version in [Version::V311, Version::V5] {
        let mut ids: Vec<&str> = vec![&alphabet[..23], &alphabet[23..46], &alphabet[46..]];
        ids.extend(["Q", "q"]);
        for id in &ids {
            connect(&Connect::new(version, id).lasting()).lose();
        }
        for id in ids {
            let back = connect(&Connect::new(version, id).resume());
            assert!(back.present, "{id}");
            back.leave();
            // Its session is one of its own: the end of it is not the end of another.
            drop(connect(&Connect::new(version, id)));
        }
    }
}

/// v5: [MQTT-3.1.3-6] [MQTT-3.1.3-7] [MQTT-3.2.2-16]
/// v3: [MQTT-3.1.3-6]
#[test]
fn a_client_without_an_identifier_is_given_one_of_its_own() {
    let v5 = || connect(&Connect::new(Version::V5, ""));
    let (mut one, two) = (v5(), v5());
    let id = |client: &Client| {
        let id = client.connack.text(props::ASSIGNED_CLIENT_ID);
        id.unwrap().to_owned()
    };
    assert_ne!(id(&one), id(&two));
    // It is its identifier as if it had asked for it.
    let _new = connect(&Connect::new(Version::V5, id(&one)));
    assert_eq!(one.end(), End::Disconnect(0x8E));
    // The same without a place to tell it.
    let v311 = || connect(&Connect::new(Version::V311, ""));
    let (mut one, mut two) = (v311(), v311());
    one.ping();
    two.ping();
    // A named client gets no other name.
    let named = client(Version::V5, "assigned-not");
    assert!(!named.connack.has(props::ASSIGNED_CLIENT_ID));
}

/// v5: [MQTT-3.1.4-3] [MQTT-3.14.2-2] [MQTT-3.14.4-1] [MQTT-3.14.4-2] [MQTT-4.13.2-1]
/// v3: [MQTT-3.1.4-2]
#[test]
fn a_client_that_connects_again_ends_its_old_connection() {
    for old in Version::ALL {
        for new in Version::ALL {
            let id = format!("again-{}-{}", old as u8, new as u8);
            let mut first = client(old, &id);
            let mut second = client(new, &id);
            let told = match old {
                Version::V5 => End::Disconnect(0x8E),
                _ => End::Silent,
            };
            assert_eq!(first.end(), told);
            second.ping();
        }
    }
}

/// v5: [MQTT-4.12.0-1] [MQTT-4.12.0-4]
#[test]
fn an_unknown_authentication_method_ends_the_connection() {
    let method = string(props::AUTHENTICATION_METHOD, "there is none such");
    let connect = Connect::new(Version::V5, "unknown-method").with(method);
    assert_eq!(
        Client::refused(open_broker().plain, &connect),
        End::ConnAck(0x8C)
    );
}

/// v5: [MQTT-3.1.3-8] [MQTT-3.1.4-2] [MQTT-3.1.4-6] [MQTT-3.2.2-6] [MQTT-3.2.2-7] [MQTT-3.14.0-1]
/// v3: [MQTT-3.1.4-5] [MQTT-3.2.2-4] [MQTT-3.2.2-5] [MQTT-3.1.3-8] [MQTT-3.1.3-9]
#[test]
fn nothing_after_a_refused_connect_is_processed() {
    let mut unknown = Connect::new(Version::V5, "refused").bytes();
    unknown[8] = 6;
    let refused = [
        (
            Version::V311,
            Connect::new(Version::V311, "").resume().bytes(),
            0x02,
        ),
        (Version::V31, Connect::new(Version::V31, "").bytes(), 0x02),
        (Version::V5, unknown, 0x84),
    ];
    let mut watcher = client(Version::V5, "refused-watcher");
    watcher.subscribe("refused/#", 0);
    for (version, connect, code) in refused {
        let mut stranger = Client::open(open_broker().plain, version);
        let message = Publish::new("refused/t", "x").retain().bytes(version);
        stranger.send([connect, message].concat());
        assert_eq!(stranger.end(), End::ConnAck(code), "{version:?}");
    }
    watcher.quiet();
}

/// v5: [MQTT-3.1.2-22] [MQTT-3.2.2-22] [MQTT-3.1.2-8]
/// v3: [MQTT-3.1.2-24] [MQTT-3.1.2-8]
#[test]
fn silence_of_one_and_a_half_keep_alives_is_a_lost_connection() {
    let mut watcher = client(Version::V311, "silent-watcher");
    watcher.subscribe("silent/#", 0);
    let start = Instant::now();
    let mut silent = Version::ALL.map(|version| {
        let asked = Connect::new(version, name("silent", version)).keep_alive(1);
        let client = connect(&asked.will("silent/will", 0, false));
        assert!(!client.connack.has(props::SERVER_KEEP_ALIVE));
        (version, client)
    });
    // Not silent: any packet will do.
    let mut alive = connect(&Connect::new(Version::V5, "silent-not").keep_alive(1));
    for _ in 0..3 {
        std::thread::sleep(Duration::from_millis(400));
        alive.send(packet::ack(packet::PUBACK, 9));
    }
    for (version, client) in &mut silent {
        let told = match version {
            Version::V5 => End::Disconnect(0x8D),
            _ => End::Silent,
        };
        assert_eq!(client.end(), told);
    }
    let taken = start.elapsed();
    assert!(taken >= Duration::from_millis(1400), "{taken:?}");
    assert!(taken < Duration::from_secs(10), "{taken:?}");
    for _ in 0..3 {
        assert_eq!(watcher.delivery().topic, "silent/will");
    }
    alive.ping();
}

/// v5: [MQTT-3.1.2-21] [MQTT-3.2.2-21]
#[test]
fn the_server_tells_a_keep_alive_of_its_own() {
    for asked in [0, 61, 65_535] {
        let connect = Connect::new(Version::V5, "told").keep_alive(asked);
        let told = super::connect(&connect);
        assert_eq!(told.connack.number(props::SERVER_KEEP_ALIVE), Some(60));
    }
}

/// v5: [MQTT-3.1.2-28]
#[test]
fn response_information_is_not_pressed_upon_anybody() {
    for asked in [None, Some(0)] {
        let mut connect = Connect::new(Version::V5, "response-information");
        if let Some(asked) = asked {
            connect = connect.with([props::REQUEST_RESPONSE_INFORMATION, asked]);
        }
        let client = super::connect(&connect);
        assert!(!client.connack.has(props::RESPONSE_INFORMATION));
    }
}

/// v5: [MQTT-3.2.2-9] [MQTT-3.2.2-10] [MQTT-3.2.2-12] [MQTT-3.2.2-13]
#[test]
fn every_qos_and_retain_are_there() {
    for qos in [0, 1, 2] {
        let asked = Connect::new(Version::V5, "able").will("able/will", qos, true);
        let mut able = connect(&asked);
        assert!(!able.connack.has(props::MAXIMUM_QOS));
        assert!(!able.connack.has(props::RETAIN_AVAILABLE));
        assert_eq!(able.subscribe("able/t", qos), qos);
        able.leave();
    }
}

/// v5: [MQTT-3.12.4-1]
/// v3: [MQTT-3.12.4-1]
#[test]
fn every_pingreq_is_answered() {
    for version in Version::ALL {
        let mut client = client(version, &name("ping", version));
        client.send(PINGREQ.repeat(100));
        for _ in 0..100 {
            assert_eq!(client.take(), Answer::PingResp);
        }
    }
}
