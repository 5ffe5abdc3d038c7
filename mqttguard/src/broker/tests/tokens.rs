//! Tokens as passwords against the running broker.

use serde_json::json;

use super::client::{connect_with, packet};
use super::*;
use crate::broker::login::token::tests::{Signer, now, settings};
use crate::config::JwtKeys;

const CLOSED: u8 = 0xa0;

fn rig() -> (Rig, Signer) {
    let rig = Rig::new();
    let signer = Signer::new(rig.dir.path(), "issuer", "ES256");
    let jwt = settings(JwtKeys::Pem(signer.public.clone()));
    rig.login_by(Logins {
        jwt: Some(jwt),
        ..Logins::default()
    });
    (rig, signer)
}

/// A token that is good for so many seconds; the leeway of 5 is on top.
fn token(signer: &Signer, username: &str, seconds: i64) -> String {
    let exp = now().checked_add_signed(seconds).unwrap();
    signer.sign(&json!({ "sub": username, "aud": "mqtt", "iss": "https://issuer", "exp": exp }))
}

fn bearer(token: &str) -> Vec<u8> {
    let method = b"OAUTHBEARER";
    let data = format!("n,,\x01auth=Bearer {token}\x01\x01");
    let length = |bytes: &[u8]| u16::try_from(bytes.len()).unwrap().to_be_bytes();
    [
        &[0x15][..],
        &length(method),
        method,
        &[0x16],
        &length(data.as_bytes()),
        data.as_bytes(),
    ]
    .concat()
}

impl Rig {
    fn refused_for(&self, why: Denial) {
        self.event(|event| {
            let kind = &event.kind;
            matches!(kind, BrokerEventKind::LoginRefused { why: told, .. } if *told == why)
                .then_some(())
        });
    }
}

#[test]
fn a_token_lets_in_the_device_that_it_names() {
    let (rig, signer) = rig();
    let good = token(&signer, "lamp", 60);
    for (username, v5) in [("lamp", false), ("lamp", true), ("", true)] {
        let mut client = rig.tls_client(LAMP_IP, v5);
        assert_eq!(client.login("c", Some((username, &good))), 0, "{username}");
        assert_eq!(client.subscribe("lamp/x"), 0);
        let stats = rig.until(|stats| stats.clients.len() == 1);
        assert_eq!(&*stats.clients[0].username, "lamp");
    }
    // A password is still a password.
    rig.member("lamp", "p", true);
    let logins = rig.handle.stats().unwrap().logins;
    assert_eq!((logins.token, logins.password), (3, 1));
}

#[test]
fn a_token_is_bound_to_its_device_and_account_like_a_password() {
    let (rig, signer) = rig();
    for (from, username, named, code, why) in [
        (CAMERA_IP, "lamp", "lamp", 0x86, Denial::OtherDevice),
        (LAMP_IP, "plug", "lamp", 0x86, Denial::OtherUser),
        (NOBODY_IP, "", "ghost", 0x86, Denial::TokenNamesNobody),
    ] {
        let good = token(&signer, named, 60);
        let mut client = rig.tls_client(from, true);
        assert_eq!(client.login("c", Some((username, &good))), code, "{why:?}");
        rig.refused_for(why);
    }
    // `hub` roams.
    let mut hub = rig.tls_client(NOBODY_IP, true);
    let good = token(&signer, "hub", 60);
    assert_eq!(hub.login("h", Some(("hub", &good))), 0);
}

#[test]
fn bad_tokens_are_refused_and_said_why() {
    let (rig, signer) = rig();
    let thief = Signer::new(rig.dir.path(), "thief", "ES256");
    for (bad, why) in [
        (token(&thief, "lamp", 60), Denial::BadToken),
        (token(&signer, "lamp", -6), Denial::TokenExpired),
    ] {
        let mut client = rig.tls_client(LAMP_IP, true);
        assert_eq!(client.login("c", Some(("lamp", &bad))), 0x86);
        rig.refused_for(why);
    }
    std::fs::remove_file(&signer.public).unwrap();
    let good = token(&signer, "hub", 60);
    let mut client = rig.tls_client(CAMERA_IP, true);
    assert_eq!(client.login("c", Some(("hub", &good))), 0x88);
    rig.refused_for(Denial::NoTokenKey);
}

#[test]
fn a_session_ends_with_its_token() {
    let (rig, signer) = rig();
    let mut brief = rig.tls_client(LAMP_IP, true);
    let good = token(&signer, "lamp", -4);
    assert_eq!(brief.login("c", Some(("lamp", &good))), 0);
    let mut lasting = rig.member("lamp", "d", true);
    assert_eq!(brief.expect_disconnect(), CLOSED);
    let why = rig.event(|event| match event.kind {
        BrokerEventKind::Disconnected { why } => Some(why),
        _ => None,
    });
    assert_eq!(why, mqttguard_broker::Departure::Expired);
    assert_eq!(lasting.subscribe("lamp/x"), 0);
}

#[test]
fn sessions_by_token_end_when_tokens_are_switched_off() {
    let (rig, signer) = rig();
    let mut by_token = rig.tls_client(LAMP_IP, true);
    let good = token(&signer, "lamp", 60);
    assert_eq!(by_token.login("c", Some(("lamp", &good))), 0);
    let mut by_password = rig.member("lamp", "d", true);
    rig.login_by(Logins::default());
    assert_eq!(by_token.expect_disconnect(), 0x87);
    assert_eq!(by_password.subscribe("lamp/x"), 0);
}

#[test]
fn the_next_token_in_time_keeps_the_session() {
    let (rig, signer) = rig();
    let mut client = rig.tls_client(LAMP_IP, true);
    client.send(&connect_with(
        &bearer(&token(&signer, "lamp", -3)),
        "c",
        None,
    ));
    let (kind, body) = client.receive().unwrap();
    assert_eq!((kind, body[1]), (0x20, 0));
    let again = |token: &str| {
        let properties = packet(0, &bearer(token));
        packet(0xf0, &[&[0x19], &properties[1..]].concat())
    };
    client.send(&again(&token(&signer, "lamp", 60)));
    let (kind, body) = client.receive().unwrap();
    assert_eq!((kind, body[0]), (0xf0, 0));
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(client.subscribe("lamp/x"), 0);
    // Another device's token is none for this session.
    client.send(&again(&token(&signer, "plug", 60)));
    assert_eq!(client.expect_disconnect(), 0x87);
}

#[test]
fn without_the_section_a_token_is_a_wrong_password() {
    let (rig, signer) = rig();
    rig.login_by(Logins::default());
    let good = token(&signer, "lamp", 60);
    let mut client = rig.tls_client(LAMP_IP, true);
    assert_eq!(client.login("c", Some(("lamp", &good))), 0x86);
    rig.refused_for(Denial::WrongPassword);
    let mut client = rig.tls_client(CAMERA_IP, true);
    client.send(&connect_with(&bearer(&good), "c", None));
    let (kind, body) = client.receive().unwrap();
    assert_eq!((kind, body[1]), (0x20, 0x8c));
}
