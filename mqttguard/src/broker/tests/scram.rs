//! SCRAM against the running broker: by scramp's client (PyPI), and by bare packets where a client
//! is to misbehave.

use std::path::PathBuf;
use std::process::{Command, Output};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};
use ring::{hmac, pbkdf2};

use super::client::{Client, connect_with, packet};
use super::*;

/// An AUTH or the properties of a CONNECT: method and data.
fn properties(method: &str, data: &[u8]) -> Vec<u8> {
    let text = |text: &[u8]| [&u16::try_from(text.len()).unwrap().to_be_bytes()[..], text].concat();
    [&[0x15][..], &text(method.as_bytes()), &[0x16], &text(data)].concat()
}

fn hello(method: &str, data: &str) -> Vec<u8> {
    connect_with(&properties(method, data.as_bytes()), "c", None)
}

fn auth(reason: u8, method: &str, data: &str) -> Vec<u8> {
    let found = properties(method, data.as_bytes());
    let length = u8::try_from(found.len()).unwrap();
    assert!(length < 128);
    packet(0xf0, &[&[reason, length][..], &found].concat())
}

/// The Python that `cargo xtask setup` installs scramp for, below cargo's target directory.
fn python() -> PathBuf {
    let program = std::env::current_exe().unwrap();
    let mut pythons = program
        .ancestors()
        .map(|directory| directory.join("tools/python/bin/python"));
    pythons
        .find(|python| python.exists())
        .expect("scramp is missing: run `cargo xtask setup`")
}

impl Rig {
    fn scramp(&self, method: &str, username: &str, passwords: &[&str]) -> Output {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/src/broker/tests/scram_client.py"
        );
        let output = Command::new(python())
            .arg(script)
            .arg(self.tls.port().to_string())
            .arg(self.dir.path().join("ca.crt"))
            .args([method, username])
            .args(passwords)
            .output()
            .expect("Python");
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(!told.contains("No module"), "{told}");
        output
    }

    fn refused_login(&self) -> (Denial, Option<String>) {
        self.event(|event| match &event.kind {
            BrokerEventKind::LoginRefused { username, why } => Some((*why, username.clone())),
            _ => None,
        })
    }
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

#[test]
fn scramps_client_logs_in_and_again_and_the_server_proves_itself() {
    let rig = Rig::new();
    for method in ["SCRAM-SHA-256", "SCRAM-SHA-512"] {
        let output = rig.scramp(method, "lamp", &[PASSWORD, PASSWORD, PASSWORD]);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let all = [
            "AUTH 0x18",
            "CONNACK 0x0",
            "AUTH 0x18",
            "AUTH 0x0",
            "AUTH 0x18",
            "AUTH 0x0",
        ];
        assert_eq!(lines(&output), all);
        let identity = rig.event(|event| match event.kind {
            BrokerEventKind::Connected { .. } => Some(event.identity.clone()),
            _ => None,
        });
        assert_eq!(identity.as_deref(), Some("lamp"));
    }
    let logins = rig.handle.stats().unwrap().logins;
    assert_eq!((logins.scram, logins.password, logins.refused), (6, 0, 0));
}

#[test]
fn a_wrong_password_a_stranger_and_an_old_credential_look_alike() {
    let mut house = household();
    let mut old = account("old", LAMP);
    old.scram.clear();
    house.push(old);
    let rig = Rig::with(directory(house), bounds(10_000));
    for (username, password, why) in [
        ("lamp", "wrong", Denial::WrongPassword),
        ("ghost", PASSWORD, Denial::UnknownUser),
        ("old", PASSWORD, Denial::NoVerifier),
    ] {
        let output = rig.scramp("SCRAM-SHA-256", username, &[password]);
        assert_eq!(lines(&output), ["AUTH 0x18", "CONNACK 0x86"], "{username}");
        assert_eq!(rig.refused_login(), (why, Some(username.to_owned())));
    }
}

#[test]
fn a_failed_re_authentication_ends_the_session_and_counts_as_a_guess() {
    let rig = Rig::new();
    let output = rig.scramp("SCRAM-SHA-512", "lamp", &[PASSWORD, "wrong"]);
    let all = ["AUTH 0x18", "CONNACK 0x0", "AUTH 0x18", "DISCONNECT 0x87"];
    assert_eq!(lines(&output), all);
    let (why, username) = rig.refused_login();
    assert_eq!(
        (why, username.as_deref()),
        (Denial::WrongPassword, Some("lamp"))
    );
    assert!(why.is_guess());
}

#[test]
fn a_right_proof_from_another_device_is_refused_like_a_wrong_one() {
    // The script comes from the lamp's address, and the account is the camera's.
    let rig = Rig::with(directory([account("lamp", CAMERA)]), bounds(10_000));
    let output = rig.scramp("SCRAM-SHA-256", "lamp", &[PASSWORD]);
    assert_eq!(lines(&output), ["AUTH 0x18", "CONNACK 0x86"]);
    assert_eq!(rig.refused_login().0, Denial::OtherDevice);
}

#[test]
fn what_is_not_scram_as_it_should_be_is_refused() {
    let rig = Rig::new();
    let nonce = "r=0123456789abcdef";
    let cases = [
        ("PLAIN", "n,,n=lamp".to_owned(), 0x8c, Denial::UnknownMethod),
        (
            "SCRAM-SHA-256",
            format!("p=tls-exporter,,n=lamp,{nonce}"),
            0x8c,
            Denial::ChannelBinding,
        ),
        (
            "SCRAM-SHA-256",
            format!("n,a=hub,n=lamp,{nonce}"),
            0x86,
            Denial::OtherUser,
        ),
        (
            "SCRAM-SHA-256",
            "hello".to_owned(),
            0x86,
            Denial::BadExchange,
        ),
    ];
    for (method, first, code, why) in cases {
        let mut client: Client = rig.tls_client(LAMP_IP, true);
        client.send(&hello(method, &first));
        let (kind, body) = client.receive().unwrap();
        assert_eq!((kind, body[1]), (0x20, code), "{first}");
        client.expect_end();
        // Those that are no guesses are told once a second for one address.
        if why.is_guess() {
            rig.event(|event| {
                let refused = &event.kind;
                matches!(refused, BrokerEventKind::LoginRefused { why: told, .. } if *told == why)
                    .then_some(())
            });
        }
    }
    // The user name of CONNECT is that of the exchange, if there is one.
    for (given, expected) in [("hub", 0x20), ("lamp", 0xf0)] {
        let mut client = rig.tls_client(LAMP_IP, true);
        let found = properties("SCRAM-SHA-256", format!("n,,n=lamp,{nonce}").as_bytes());
        client.send(&connect_with(&found, "c", Some((given, "unused"))));
        assert_eq!(client.receive().unwrap().0, expected, "{given}");
    }
}

/// The last message of one exchange does not end another.
#[test]
fn a_proof_cannot_be_played_again() {
    let rig = Rig::new();
    let mut client = rig.tls_client(LAMP_IP, true);
    client.send(&hello("SCRAM-SHA-256", "n,,n=lamp,r=0123456789abcdef"));
    assert_eq!(client.receive().unwrap().0, 0xf0);
    let last = format!("c=biws,r=0123456789abcdef,p={}=", "A".repeat(43));
    client.send(&auth(0x18, "SCRAM-SHA-256", &last));
    let (kind, body) = client.receive().unwrap();
    assert_eq!((kind, body[1]), (0x20, 0x86));
    client.expect_end();
    assert_eq!(rig.refused_login().0, Denial::BadExchange);
}

#[test]
fn a_password_login_gives_an_old_credential_its_verifiers() {
    let mut old = account("lamp", LAMP);
    old.scram.clear();
    let rig = Rig::with(directory([old.clone()]), bounds(10_000));
    let verifiers = |rig: &Rig| {
        rig.member("lamp", "c", true);
        rig.event(|event| match &event.kind {
            BrokerEventKind::Verified { verifiers } => {
                assert_eq!(event.identity.as_deref(), Some("lamp"));
                Some(verifiers.clone())
            }
            _ => None,
        })
    };
    let found = verifiers(&rig);
    assert_eq!(found.hash, old.hash);
    old.scram = found.scram;
    rig.handle.set_directory(directory([old]));
    let output = rig.scramp("SCRAM-SHA-512", "lamp", &[PASSWORD]);
    assert_eq!(lines(&output), ["AUTH 0x18", "CONNACK 0x0"]);
}

/// The last message of a client that knows the password.
fn client_final(password: &str, first_bare: &str, server_first: &str) -> String {
    let field = |name: &str| {
        let mut fields = server_first.split(',');
        fields.find_map(|field| field.strip_prefix(name)).unwrap()
    };
    let mac =
        |key: &[u8], message: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message);
    let salt = STANDARD.decode(field("s=")).unwrap();
    let mut salted = [0; 32];
    let rounds = field("i=").parse().unwrap();
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, rounds, &salt, password.as_bytes(), &mut salted);
    let client_key = mac(&salted, b"Client Key");
    let stored_key = digest(&SHA256, client_key.as_ref());
    let without_proof = format!("c=biws,r={}", field("r="));
    let message = format!("{first_bare},{server_first},{without_proof}");
    let signature = mac(stored_key.as_ref(), message.as_bytes());
    let pairs = client_key.as_ref().iter().zip(signature.as_ref());
    let proof: Vec<u8> = pairs.map(|(a, b)| a ^ b).collect();
    format!("{without_proof},p={}", STANDARD.encode(proof))
}

/// Whoever has begun with the old password does not end as somebody who has the new one.
#[test]
fn a_credential_that_changes_within_an_exchange_ends_it() {
    for changes in [false, true] {
        let rig = Rig::new();
        let mut client = rig.tls_client(LAMP_IP, true);
        let first = "n=lamp,r=0123456789abcdef";
        client.send(&hello("SCRAM-SHA-256", &format!("n,,{first}")));
        let (kind, body) = client.receive().unwrap();
        assert_eq!(kind, 0xf0);
        let body = String::from_utf8_lossy(&body).into_owned();
        let server_first = &body[body.find("r=").unwrap()..];
        if changes {
            let mut house = household();
            house[0].hash = hash("another one");
            house[0].scram = verifiers("another one");
            rig.handle.set_directory(directory(house));
            rig.handle.stats().unwrap();
        }
        let last = client_final(PASSWORD, first, server_first);
        client.send(&auth(0x18, "SCRAM-SHA-256", &last));
        let (kind, body) = client.receive().unwrap();
        assert_eq!((kind, body[1]), (0x20, if changes { 0x86 } else { 0 }));
    }
}
