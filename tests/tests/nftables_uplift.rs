//! A device's plaintext MQTT goes to a proxy on the router, which learns where it was going; the
//! device's other connections and other devices do not notice.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener};
use std::process::Command;
use std::thread;

use mqttguard::enforce::nft::{Ruleset, Uplift, apply};
use mqttguard_common::Mac;
use mqttguard_lab::traffic::{plaintext_connect, say, web_request};
use mqttguard_lab::{Device, Lab, tools};
use mqttguard_tests::house::{PATIENCE, assert_nothing_leaked, cloud, cloud6, router};
use rustix::net::sockopt::{ip_original_dst, ipv6_original_dst};

const LISTENER: u16 = 18_884;

/// A house, and a proxy on its router that says where each connection was going; the plug's port
/// 1883 is taken over.
fn uplifted() -> Lab {
    let lab = Lab::new(&["plug", "lamp"]).unwrap();
    let listener = lab
        .router
        .netns()
        .run(|| Ok(TcpListener::bind((Ipv6Addr::UNSPECIFIED, LISTENER))?))
        .unwrap();
    // Ends with the process.
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let is_ipv4 = stream.peer_addr().unwrap().ip().to_canonical().is_ipv4();
            let to = match is_ipv4 {
                true => SocketAddr::V4(ip_original_dst(&stream).unwrap()),
                false => SocketAddr::V6(ipv6_original_dst(&stream).unwrap()),
            };
            let mut said = [0; 1024];
            let length = stream.read(&mut said).unwrap_or(0);
            // A device that has given up is its own affair.
            let _ = stream.write_all(format!("{to} after {length}").as_bytes());
        }
    });
    let ruleset = Ruleset {
        uplift: vec![Uplift {
            mac: Mac(lab.device(0).mac().0),
            ports: vec![1883],
            listener: LISTENER,
        }],
        ..Ruleset::default()
    };
    let applied = lab.router.netns().run(|| Ok(apply(&ruleset)?)).unwrap();
    let stands = || {
        lab.router
            .netns()
            .run(|| Ok(applied.is_standing()))
            .unwrap()
    };
    assert!(stands());
    lab
}

fn refusal(device: &Device, to: SocketAddr) -> ErrorKind {
    let error = device.connect(to, PATIENCE).unwrap_err();
    error.downcast::<std::io::Error>().unwrap().kind()
}

#[test]
fn the_proxy_learns_where_the_device_was_going() {
    let lab = uplifted();
    let (plug, lamp) = (lab.device(0), lab.device(1));
    for to in [cloud(1883), cloud6(1883)] {
        let answer = plaintext_connect(plug, to, PATIENCE).unwrap();
        let answer = String::from_utf8(answer).unwrap();
        assert_eq!(answer, format!("{to} after 17"));
    }
    assert_nothing_leaked(&lab);
    let answer = plaintext_connect(lamp, cloud(1883), PATIENCE).unwrap();
    assert_eq!(answer, b"\x20\x02\x00\x00", "the lamp's is its own affair");
    web_request(plug, cloud(80)).unwrap();
    assert_eq!(
        say(plug, cloud(8883), b"hello", PATIENCE).unwrap(),
        b"hello"
    );
}

#[test]
fn nobody_reaches_the_proxy_directly() {
    let lab = uplifted();
    for device in lab.devices() {
        let kind = refusal(device, router(LISTENER));
        assert_eq!(kind, ErrorKind::ConnectionRefused, "{}", device.name());
    }
    // What goes to the router stays there, and nobody listens on its port 1883.
    assert_eq!(
        refusal(lab.device(0), router(1883)),
        ErrorKind::ConnectionRefused
    );
}

#[test]
fn without_the_redirection_nothing_leaves() {
    let lab = uplifted();
    let mut flush = Command::new(tools::system("nft").unwrap());
    flush.args(["flush", "chain", "inet", "mqttguard", "takeover"]);
    let output = lab.router.netns().output(&mut flush).unwrap();
    assert!(output.status.success());
    for to in [cloud(1883), cloud6(1883)] {
        assert_eq!(refusal(lab.device(0), to), ErrorKind::ConnectionRefused);
    }
    assert_nothing_leaked(&lab);
}
