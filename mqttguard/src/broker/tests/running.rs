//! Changes to a running broker.

use rustls::HandshakeKind;

use super::client::{socket, tls, tls_config};
use super::*;

#[test]
fn an_identity_that_is_gone_is_cut_off_at_once() {
    let rig = Rig::new();
    let mut lamp = rig.member("lamp", "l", true);
    let mut old = rig.member("lamp", "l3", false);
    let mut hub = rig.member("hub", "h", true);
    rig.until(|stats| stats.clients.len() == 3);
    let start = Instant::now();
    let rest = household().into_iter().filter(|a| *a.username != *"lamp");
    rig.handle.set_directory(directory(rest));
    assert_eq!(lamp.expect_disconnect(), 0x87);
    old.expect_end();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(hub.subscribe("hub/x"), 0);
    let stats = rig.until(|stats| stats.clients.len() == 1);
    assert_eq!(*stats.clients[0].username, *"hub");
}

#[test]
fn quarantine_and_new_passwords_cut_off_too() {
    let rig = Rig::new();
    let mut lamp = rig.member("lamp", "l", true);
    let mut plug = rig.member("plug", "p", true);
    rig.until(|stats| stats.clients.len() == 2);
    let mut changed = household();
    changed[1].hash = hash("another");
    rig.handle.set_directory(directory(changed.clone()));
    assert_eq!(plug.expect_disconnect(), 0x87);
    assert_eq!(lamp.subscribe("lamp/x"), 0);
    let mut house = (*directory(changed)).clone();
    house.standings.insert(LAMP, Standing::Quarantined);
    rig.handle.set_directory(Arc::new(house));
    assert_eq!(lamp.expect_disconnect(), 0x98);
    let mut again = rig.tls_client(LAMP_IP, true);
    assert_eq!(again.login("l", Some(("lamp", PASSWORD))), 0x8a);
}

#[test]
fn a_client_that_reads_nothing_is_cut_off_within_seconds_all_the_same() {
    let rig = Rig::new();
    let mut deaf = rig.member("lamp", "deaf", false);
    assert_eq!(deaf.subscribe("lamp/#"), 0);
    let mut loud = rig.member("lamp", "loud", false);
    let packet = loud.publish_packet("lamp/x", &[b'x'; 60_000]);
    for _ in 0..200 {
        loud.send(&packet);
    }
    rig.until(|stats| stats.core.messages_in >= 200);
    rig.handle.set_directory(directory([]));
    rig.until(|stats| stats.core.connections == 0);
}

#[test]
fn new_rights_hold_at_once() {
    let rig = Rig::new();
    let mut lamp = rig.member("lamp", "me", true);
    assert_eq!(lamp.subscribe("by-id/me"), 0);
    assert_eq!(lamp.subscribe("garden/x"), 0x87);
    let mut house = household();
    house[0].profile = Arc::new(Profile {
        publish: vec![],
        subscribe: vec!["garden/#".into(), "by-id/%c".into()],
        deny: Vec::new(),
        limits: "default".into(),
    });
    rig.handle.set_directory(directory(house));
    rig.handle.stats().unwrap();
    assert_eq!(lamp.subscribe("garden/x"), 0);
    assert_eq!(lamp.subscribe("by-id/me"), 0);
    assert_eq!(lamp.subscribe("lamp/x"), 0x87);
    assert_eq!(rig.handle.stats().unwrap().core.subscriptions, 2);
}

#[test]
fn another_certificate_keeps_the_sessions() {
    let mut rig = Rig::new();
    let mut lamp = rig.member("lamp", "l", true);
    let mut moved = names("other.lan");
    moved.addresses.clear();
    assert!(rig.pki.renew(&moved).unwrap());
    assert_eq!(lamp.subscribe("lamp/x"), 0);
    lamp.publish("lamp/x", b"still here");
    assert_eq!(lamp.expect_publish("lamp/x"), b"still here");
    let config = tls_config(rig.pki.ca_pem(), rustls::ALL_VERSIONS);
    tls(&config, "other.lan", socket(LAMP_IP, rig.tls)).unwrap();
    let error = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap_err();
    assert!(error.to_string().contains("not valid for name"), "{error}");
    // The broker says so too: a client that refuses the certificate is worth knowing of.
    let what = rig.event(|event| match &event.kind {
        BrokerEventKind::ProtocolError {
            packet: "TLS",
            what,
        } => Some(what.clone()),
        _ => None,
    });
    assert!(what.contains("Alert") || what.contains("alert"), "{what}");
}

#[test]
fn sessions_resume_in_both_versions_and_across_a_renewal() {
    for version in rustls::ALL_VERSIONS {
        let mut rig = Rig::new();
        let config = tls_config(rig.pki.ca_pem(), &[version]);
        for (round, expected) in [
            HandshakeKind::Full,
            HandshakeKind::Resumed,
            HandshakeKind::Resumed,
        ]
        .into_iter()
        .enumerate()
        {
            let stream = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap();
            assert_eq!(stream.conn.handshake_kind(), Some(expected), "{version:?}");
            // The ticket of TLS 1.3 comes behind the handshake.
            let mut client = client::Client::new(stream, false);
            assert_eq!(client.login("l", Some(("lamp", PASSWORD))), 0);
            if round == 1 {
                let mut more = names("router.lan");
                more.addresses.push([10, 0, 0, 1].into());
                assert!(rig.pki.renew(&more).unwrap());
            }
        }
    }
}

#[test]
fn listeners_come_and_go_without_the_others_noticing() {
    let rig = Rig::new();
    let mut lamp = rig.member("lamp", "l", true);
    let mut plug = rig.plain_client(LAMP_IP, true);
    assert_eq!(plug.login("p", Some(("plug", PASSWORD))), 0);
    let blocker = std::net::TcpListener::bind((PLAIN_IP, 0)).unwrap();
    let taken = blocker.local_addr().unwrap().port();
    let mut changed = listeners();
    changed[1].name = "second".into();
    changed[1].port = taken;
    rig.set_listeners(changed);
    // Its listener is gone, so is the client; the other's is not.
    plug.expect_end();
    assert_eq!(lamp.subscribe("lamp/x"), 0);
    let detail = rig.event(|event| match &event.kind {
        BrokerEventKind::Listening {
            listener,
            up: false,
            detail,
        } if **listener == *"second" => Some(detail.clone()),
        _ => None,
    });
    assert!(detail.contains("cannot listen on 127.0.1.1"), "{detail}");
    assert!(detail.contains("another program has the port"), "{detail}");
    let stats = rig.handle.stats().unwrap();
    assert_eq!(stats.listeners[0].addresses, [rig.tls]);
    assert_eq!(stats.listeners[1].errors, [detail]);
    // Once the port is free it is taken, a few seconds later.
    drop(blocker);
    let end = Instant::now() + Duration::from_secs(8);
    while rig.handle.stats().unwrap().listeners[1]
        .addresses
        .is_empty()
    {
        assert!(Instant::now() < end);
        std::thread::sleep(Duration::from_millis(100));
    }
    let mut plug = client::Client::new(socket(LAMP_IP, (PLAIN_IP, taken).into()), true);
    assert_eq!(plug.login("p", Some(("plug", PASSWORD))), 0);
}

#[test]
fn all_addresses_means_both_families() {
    let rig = Rig::new();
    // A port that is free in one family may be taken in the other.
    let port = (0..10).find_map(|_| {
        let free = std::net::TcpListener::bind("[::1]:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let mut everywhere = listener("all", ListenerKind::Tls, TLS_IP, port);
        everywhere.addresses.clear();
        rig.set_listeners(vec![everywhere]);
        let stats = rig.handle.stats().unwrap();
        (stats.listeners[0].addresses.len() == 2).then_some(port)
    });
    let port = port.expect("a port of both families");
    let config = tls_config(rig.pki.ca_pem(), rustls::ALL_VERSIONS);
    for host in ["[::1]", "127.0.0.1"] {
        let socket = std::net::TcpStream::connect(format!("{host}:{port}")).unwrap();
        tls(&config, "router.lan", socket).unwrap();
    }
}

#[test]
fn stopping_says_goodbye() {
    let rig = Rig::new();
    let mut lamp = rig.member("lamp", "l", true);
    let stats = rig.until(|stats| stats.clients.len() == 1);
    let client = &stats.clients[0];
    assert_eq!((&*client.username, &*client.client_id), ("lamp", "l"));
    assert_eq!((client.mac, client.address), (Some(LAMP), LAMP_IP.into()));
    let start = Instant::now();
    rig.handle.stop();
    assert!(start.elapsed() < Duration::from_secs(1));
    assert_eq!(lamp.expect_disconnect(), 0x8b);
}
