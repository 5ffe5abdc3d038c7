//! The external check against a real HTTP server, and one that is none.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

use super::client::Client;
use super::*;
use crate::broker::login::http_auth::HttpLogin;
use crate::config::{HttpAuth, Url};

/// A server that answers each question by a function: None to never answer.
struct Server {
    port: u16,
    asked: Arc<Mutex<Vec<Value>>>,
}

type Say = fn(&Value) -> Option<String>;

impl Server {
    fn new(tls: Option<Arc<ServerConfig>>, say: Say) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&asked);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let (noted, tls) = (Arc::clone(&noted), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, &noted, say),
                    Some(config) => {
                        let connection = ServerConnection::new(config).unwrap();
                        serve(StreamOwned::new(connection, stream), &noted, say)
                    }
                });
            }
        });
        Server { port, asked }
    }

    fn asked(&self) -> Vec<Value> {
        self.asked.lock().unwrap().clone()
    }
}

fn serve(stream: impl Read + Write, noted: &Mutex<Vec<Value>>, say: Say) {
    let mut reader = BufReader::new(stream);
    let mut length = 0;
    let mut first = String::new();
    loop {
        let mut line = String::new();
        // A client that does not trust the certificate goes away.
        if reader.read_line(&mut line).is_err() || line.is_empty() {
            return;
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
        if let Some(found) = line.to_lowercase().strip_prefix("content-length:") {
            length = found.trim().parse().unwrap();
        }
        if line == "\r\n" {
            break;
        }
    }
    assert_eq!(first, "POST /check?x=1 HTTP/1.1\r\n");
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let question: Value = serde_json::from_slice(&body).unwrap();
    noted.lock().unwrap().push(question.clone());
    let mut stream = reader.into_inner();
    match say(&question) {
        // The connection stays open, as a lazy server's does: the length is to tell.
        Some(answer) => {
            let _ = stream.write_all(answer.as_bytes());
            let _ = stream.flush();
            thread::sleep(Duration::from_secs(5));
        }
        None => thread::sleep(Duration::from_secs(30)),
    }
}

fn ok(answer: &Value) -> Option<String> {
    let body = answer.to_string();
    let length = body.len();
    Some(format!(
        "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
    ))
}

/// `guest` with this password, and nobody else.
fn guest_only(question: &Value) -> Option<String> {
    match question["username"] == "guest" && question["password"] == "gu\"est" {
        true => ok(&json!({
            "decision": "allow", "publish": ["guests/%u/#"], "subscribe": ["guests/#"], "more": 1,
        })),
        false => ok(&json!({ "decision": "deny" })),
    }
}

fn settings(rig: &Rig, port: u16, is_tls: bool) -> HttpLogin {
    HttpLogin {
        settings: HttpAuth {
            url: Url {
                is_tls,
                host: "127.0.0.1".into(),
                port,
                path: "/check?x=1".into(),
            },
            timeout: Duration::from_secs(1),
            cache: Duration::from_secs(60),
            ca_file: rig.dir.path().join("ca.crt"),
            profile: None,
            limits: "default".into(),
        },
        profile: Profile::default(),
        limits: limits(),
    }
}

impl Rig {
    fn ask(&self, http: HttpLogin) {
        self.login_by(Logins {
            http: Some(Arc::new(http)),
            ..Logins::default()
        });
    }

    fn guest(&self, client_id: &str, password: &str) -> (Client, u8) {
        let mut client = self.tls_client(NOBODY_IP, true);
        let code = client.login(client_id, Some(("guest", password)));
        (client, code)
    }

    fn told(&self, why: Denial) {
        self.event(|event| {
            let kind = &event.kind;
            matches!(kind, BrokerEventKind::LoginRefused { why: told, .. } if *told == why)
                .then_some(())
        });
    }
}

#[test]
fn who_is_not_known_here_is_asked_about_over_https() {
    let rig = Rig::new();
    let server = Server::new(Some(rig.pki.tls_config(16_384, None).unwrap()), guest_only);
    rig.ask(settings(&rig, server.port, true));
    let (mut guest, code) = rig.guest("g", "gu\"est");
    assert_eq!(code, 0);
    assert_eq!(
        server.asked(),
        [json!({
            "username": "guest", "password": "gu\"est", "client_id": "g",
            "address": "127.0.0.3", "mac": null, "listener": "tls", "protocol": "5.0",
        })]
    );
    // The rights are those of the answer.
    assert_eq!(guest.subscribe("guests/x"), 0);
    assert_eq!(guest.subscribe("lamp/x"), 0x87);
    let profile = rig.event(|event| match &event.kind {
        BrokerEventKind::TopicRefused { profile, .. } => Some(profile.clone()),
        _ => None,
    });
    assert_eq!(profile, "http_auth");
    guest.publish("guests/guest/state", b"on");
    guest.publish("guests/other/state", b"on");
    rig.event(|event| matches!(event.kind, BrokerEventKind::TopicRefused { .. }).then_some(()));
    let stats = rig.until(|stats| stats.clients.len() == 1);
    assert_eq!(&*stats.clients[0].username, "http/guest");
    // The same again is remembered; anything else is not.
    assert_eq!(rig.guest("g", "gu\"est").1, 0);
    assert_eq!(server.asked().len(), 1);
    assert_eq!(rig.guest("h", "gu\"est").1, 0);
    assert_eq!(server.asked().len(), 2);
    assert_eq!(rig.handle.stats().unwrap().logins.http, 3);
}

#[test]
fn a_denial_is_a_wrong_password_and_not_remembered() {
    let rig = Rig::new();
    let server = Server::new(None, guest_only);
    rig.ask(settings(&rig, server.port, false));
    for count in 1..3 {
        assert_eq!(rig.guest("g", "wrong").1, 0x86);
        rig.told(Denial::CheckDenied);
        assert_eq!(server.asked().len(), count);
    }
    assert!(Denial::CheckDenied.is_guess());
}

#[test]
fn those_who_are_known_here_are_not_asked_about() {
    let rig = Rig::new();
    let server = Server::new(None, |_| ok(&json!({ "decision": "allow" })));
    rig.ask(settings(&rig, server.port, false));
    let mut client = rig.tls_client(LAMP_IP, true);
    assert_eq!(client.login("c", Some(("lamp", "wrong"))), 0x86);
    rig.told(Denial::WrongPassword);
    rig.member("lamp", "d", true);
    assert!(server.asked().is_empty());
    // Nor does it let anybody speak in the clear.
    let mut guest = rig.plain_client(LAMP_IP, true);
    assert_eq!(guest.login("g", Some(("guest", "x"))), 0x86);
    rig.told(Denial::PlaintextNotAllowed);
}

#[test]
fn without_a_good_answer_nobody_gets_in() {
    let rig = Rig::new();
    let answers: [Say; 6] = [
        |_| Some("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n".into()),
        |_| Some("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nallow".into()),
        |_| ok(&json!({ "decision": "maybe" })),
        |_| ok(&json!({ "decision": "allow", "publish": ["#/x"] })),
        |_| ok(&json!({ "decision": "allow", "publish": "#" })),
        |_| None,
    ];
    for answer in answers {
        let server = Server::new(None, answer);
        rig.ask(settings(&rig, server.port, false));
        assert_eq!(rig.guest("g", "x").1, 0x88);
        assert_eq!(server.asked().len(), 1);
    }
    rig.told(Denial::CheckFailed);
    // Nobody there.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    rig.ask(settings(&rig, port, false));
    assert_eq!(rig.guest("g", "x").1, 0x88);
    // Somebody there who is not whom the certificates say.
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Pki::open_or_create(elsewhere.path(), &names("router.lan")).unwrap();
    let server = Server::new(Some(other.tls_config(16_384, None).unwrap()), guest_only);
    rig.ask(settings(&rig, server.port, true));
    assert_eq!(rig.guest("g", "gu\"est").1, 0x88);
    assert!(server.asked().is_empty());
}

#[test]
fn a_server_that_hangs_delays_nobody_else() {
    let rig = Rig::new();
    let server = Server::new(None, |question| match question["password"] == "known" {
        true => ok(&json!({ "decision": "allow" })),
        false => None,
    });
    let mut http = settings(&rig, server.port, false);
    http.settings.timeout = Duration::from_secs(2);
    rig.ask(http);
    assert_eq!(rig.guest("g", "known").1, 0);
    let port = rig.tls;
    let config = super::client::tls_config(rig.pki.ca_pem(), rustls::ALL_VERSIONS);
    let start = Instant::now();
    let waiting: Vec<_> = (0..6)
        .map(|number| {
            let config = Arc::clone(&config);
            thread::spawn(move || {
                let socket = super::client::socket(NOBODY_IP, port);
                socket
                    .set_read_timeout(Some(Duration::from_secs(20)))
                    .unwrap();
                let stream = super::client::tls(&config, "router.lan", socket).unwrap();
                Client::new(stream, true).login(&format!("w{number}"), Some(("who", "x")))
            })
        })
        .collect();
    while server.asked().len() < 3 {
        assert!(start.elapsed() < Duration::from_secs(1));
        thread::sleep(Duration::from_millis(5));
    }
    let now = Instant::now();
    rig.member("lamp", "c", true);
    assert_eq!(rig.guest("g", "known").1, 0);
    assert!(
        now.elapsed() < Duration::from_millis(500),
        "{:?}",
        now.elapsed()
    );
    for waiting in waiting {
        assert_eq!(waiting.join().unwrap(), 0x88);
    }
    // Two at a time; those whose turn did not come in time were not asked about.
    assert!(
        start.elapsed() < Duration::from_secs(5),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn who_was_let_in_goes_with_the_check_and_with_its_device() {
    let rig = Rig::new();
    let server = Server::new(None, guest_only);
    rig.ask(settings(&rig, server.port, false));
    let (mut guest, code) = rig.guest("g", "gu\"est");
    assert_eq!(code, 0);
    let mut camera = rig.tls_client(CAMERA_IP, true);
    assert_eq!(camera.login("h", Some(("guest", "gu\"est"))), 0);
    let mut house = (*directory(household())).clone();
    house.standings.insert(CAMERA, Standing::Quarantined);
    rig.handle.set_directory(Arc::new(house));
    assert_eq!(camera.expect_disconnect(), 0x98);
    assert_eq!(guest.subscribe("guests/x"), 0);
    rig.login_by(Logins::default());
    assert_eq!(guest.expect_disconnect(), 0x87);
    rig.until(|stats| stats.core.sessions == 0);
}
