use std::process::{Child, Command, Output, Stdio};

use super::client::{Client, socket, tls, tls_config};
use super::*;

impl Rig {
    pub(super) fn tls_client(&self, from: Ipv4Addr, v5: bool) -> Client {
        let config = tls_config(self.pki.ca_pem(), rustls::ALL_VERSIONS);
        let socket = socket(from, self.tls);
        Client::new(tls(&config, "router.lan", socket).unwrap(), v5)
    }

    pub(super) fn plain_client(&self, from: Ipv4Addr, v5: bool) -> Client {
        Client::new(socket(from, self.plain), v5)
    }

    /// A client that is in, over TLS.
    pub(super) fn member(&self, username: &str, client_id: &str, v5: bool) -> Client {
        let mut client = self.tls_client(LAMP_IP, v5);
        assert_eq!(client.login(client_id, Some((username, PASSWORD))), 0);
        client
    }

    fn mosquitto(&self, program: &str, version: &str, args: &[&str]) -> Child {
        Command::new(program)
            .args(["-h", "localhost", "-p", &self.tls.port().to_string()])
            .args(["-V", version, "-u", "lamp", "-P", PASSWORD, "--cafile"])
            .arg(self.dir.path().join("ca.crt"))
            .args(args)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("Debian's mosquitto-clients")
    }
}

fn finished(child: Child) -> Output {
    let output = child.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {told}", output.status);
    output
}

#[test]
fn mosquittos_clients_talk_over_tls() {
    let rig = Rig::new();
    for version in ["mqttv31", "mqttv311", "mqttv5"] {
        let subscriber = rig.mosquitto(
            "mosquitto_sub",
            version,
            &[
                "-t", "lamp/+", "-q", "1", "-C", "1", "-W", "5", "-F", "%t %p",
            ],
        );
        rig.until(|stats| stats.core.subscriptions == 1);
        let args = ["-t", "lamp/state", "-m", "on", "-q", "1"];
        finished(rig.mosquitto("mosquitto_pub", version, &args));
        let output = finished(subscriber);
        assert_eq!(output.stdout, b"lamp/state on\n", "{version}");
        rig.until(|stats| stats.clients.is_empty() && stats.core.subscriptions == 0);
    }
}

#[test]
fn who_does_not_belong_is_refused_with_the_right_code() {
    let mut quarantined = (*directory(household())).clone();
    let mut banned = account("banned", Mac([2, 0, 0, 0, 0, 9]));
    banned.roaming = true;
    quarantined.standings.insert(banned.mac, Standing::Blocked);
    let mut broken = account("broken", LAMP);
    broken.hash = "$7$9999999999$AAAA$AAAA".into();
    for account in [banned, broken] {
        let name = account.username.to_string();
        quarantined.accounts.insert(name, Arc::new(account));
    }
    let quarantined = Arc::new(quarantined);
    let cases = [
        (LAMP_IP, Some(("lamp", PASSWORD)), None, 0, 0),
        (
            LAMP_IP,
            Some(("lamp", "wrong")),
            Some(Denial::WrongPassword),
            4,
            0x86,
        ),
        (
            LAMP_IP,
            Some(("ghost", PASSWORD)),
            Some(Denial::UnknownUser),
            4,
            0x86,
        ),
        (LAMP_IP, None, Some(Denial::NoCredentials), 4, 0x86),
        (
            CAMERA_IP,
            Some(("lamp", PASSWORD)),
            Some(Denial::OtherDevice),
            4,
            0x86,
        ),
        (
            NOBODY_IP,
            Some(("lamp", PASSWORD)),
            Some(Denial::UnknownDevice),
            4,
            0x86,
        ),
        (NOBODY_IP, Some(("hub", PASSWORD)), None, 0, 0),
        (
            LAMP_IP,
            Some(("banned", PASSWORD)),
            Some(Denial::Blocked),
            4,
            0x86,
        ),
        (
            LAMP_IP,
            Some(("broken", PASSWORD)),
            Some(Denial::DamagedHash),
            3,
            0x88,
        ),
    ];
    for v5 in [false, true] {
        // A new one: the delays of failures grow.
        let rig = Rig::with(Arc::clone(&quarantined), bounds(10_000));
        for (from, login, denial, code, code_v5) in cases {
            let mut client = rig.tls_client(from, v5);
            let answer = client.login("c", login);
            assert_eq!(
                answer,
                if v5 { code_v5 } else { code },
                "{login:?} from {from}"
            );
            let Some(denial) = denial else { continue };
            client.expect_end();
            // Denials that are no guesses are told once a second for one address.
            if denial.is_guess() {
                let (mac, username, why) = rig.event(|event| match &event.kind {
                    BrokerEventKind::LoginRefused { username, why } if *why == denial => {
                        assert_eq!(event.address, Some(from.into()));
                        Some((event.mac, username.clone(), *why))
                    }
                    _ => None,
                });
                assert_eq!(mac, Some(LAMP));
                assert_eq!(username.as_deref(), login.map(|(username, _)| username));
                assert_eq!(why, denial);
            }
        }
    }
}

#[test]
fn anothers_credential_is_told_with_the_mac_that_used_it() {
    let rig = Rig::new();
    let mut client = rig.tls_client(CAMERA_IP, true);
    // The one who has it does not learn that it is right.
    assert_eq!(client.login("c", Some(("lamp", PASSWORD))), 0x86);
    let mac = rig.event(|event| match event.kind {
        BrokerEventKind::LoginRefused {
            why: Denial::OtherDevice,
            ..
        } => Some(event.mac),
        _ => None,
    });
    assert_eq!(mac, Some(CAMERA));
}

#[test]
fn a_device_in_quarantine_is_refused_before_its_password_is_looked_at() {
    let mut house = (*directory(household())).clone();
    house.standings.insert(LAMP, Standing::Quarantined);
    let rig = Rig::with(Arc::new(house), bounds(10_000));
    let mut client = rig.tls_client(LAMP_IP, true);
    assert_eq!(client.login("c", Some(("lamp", "wrong"))), 0x8a);
}

#[test]
fn only_whom_it_is_allowed_may_speak_in_the_clear() {
    let rig = Rig::new();
    for (username, code, code_v5) in [("plug", 0, 0), ("lamp", 4, 0x86)] {
        for v5 in [false, true] {
            let mut client = rig.plain_client(LAMP_IP, v5);
            let answer = client.login("c", Some((username, PASSWORD)));
            assert_eq!(answer, if v5 { code_v5 } else { code }, "{username}");
        }
    }
}

#[test]
fn failures_are_answered_later_and_later() {
    let rig = Rig::new();
    let mut slowest = Duration::ZERO;
    for _ in 0..5 {
        let mut client = rig.tls_client(LAMP_IP, false);
        let start = Instant::now();
        assert_eq!(client.login("c", Some(("lamp", "guess"))), 4);
        slowest = slowest.max(start.elapsed());
    }
    // Another device does not wait for it, whatever the guesser waits for.
    let mut hub = rig.tls_client(CAMERA_IP, false);
    let start = Instant::now();
    assert_eq!(hub.login("h", Some(("hub", PASSWORD))), 0);
    assert!(start.elapsed() < Duration::from_millis(500));
    assert!(slowest >= Duration::from_millis(900), "{slowest:?}");
    assert!(slowest < Duration::from_secs(3), "{slowest:?}");
}

/// Else the half of the time would tell a thief that he has the right one.
#[test]
fn a_right_password_of_another_device_is_answered_no_sooner_than_a_wrong_one() {
    let rig = Rig::new();
    let timed = |password: &str| {
        let mut client = rig.tls_client(CAMERA_IP, true);
        let start = Instant::now();
        assert_eq!(client.login("c", Some(("lamp", password))), 0x86);
        start.elapsed()
    };
    for _ in 0..3 {
        timed("guess");
    }
    // The delay of the fourth failure.
    assert!(timed(PASSWORD) >= Duration::from_millis(500));
}

#[test]
fn the_client_identifier_stands_for_itself_in_grants() {
    let rig = Rig::new();
    let mut client = rig.member("lamp", "one", true);
    assert_eq!(client.subscribe("by-id/one"), 0);
    assert_eq!(client.subscribe("by-id/two"), 0x87);
    let refused = rig.event(|event| match &event.kind {
        BrokerEventKind::TopicRefused { topic, profile, .. } => {
            Some((topic.clone(), profile.clone(), event.mac))
        }
        _ => None,
    });
    assert_eq!(refused, ("by-id/two".into(), "default".into(), Some(LAMP)));
    // A client identifier that is a wildcard does not become one.
    let mut client = rig.member("lamp", "+", true);
    assert_eq!(client.subscribe("by-id/+"), 0x87);
}

#[test]
fn a_full_login_queue_refuses_and_does_not_wait() {
    let (release, gate) = sync_channel::<()>(0);
    let gate = std::sync::Mutex::new(gate);
    let resolve: Arc<Resolve> = Arc::new(move |_| {
        let _ = gate.lock().unwrap().recv();
        None
    });
    let poll = mio::Poll::new().unwrap();
    let waker = Arc::new(Waker::new(poll.registry(), mio::Token(0)).unwrap());
    let worker = login::worker::Worker::start(resolve, waker).unwrap();
    let house = directory([]);
    let mut busy = 0;
    for slot in 0..300 {
        let id = mqttguard_broker::ConnId { slot, serial: 0 };
        let request = mqttguard_broker::AuthRequest {
            stage: mqttguard_broker::Stage::Connect,
            version: mqttguard_broker::Version::V5,
            client_id: String::new(),
            username: None,
            password: None,
            method: None,
            data: None,
        };
        let job = login::verdict::Job {
            conn: id,
            request,
            certificate: None,
            address: LAMP_IP.into(),
            listener: "tls".into(),
            kind: crate::config::ListenerKind::Tls,
            directory: Arc::clone(&house),
            logins: Arc::default(),
            exchange: None,
        };
        if let Some(verdict) = worker.submit(job) {
            let refusal = login::auth::refusal(&verdict, Denial::Busy);
            assert_eq!(refusal, mqttguard_broker::Refusal::Unavailable);
            assert_eq!(verdict.proof.err(), Some(Denial::Busy));
            busy += 1;
        }
    }
    assert!(busy > 0 && busy < 60, "{busy}");
    drop(release);
}

#[test]
fn what_a_device_presents_in_its_window_lets_it_in_once_the_registry_has_it() {
    let mut open = (*directory([])).clone();
    open.pairings.insert(LAMP, Arc::new(account("", LAMP)));
    let rig = Rig::with(Arc::new(open), bounds(10_000));
    let mut other = rig.tls_client(CAMERA_IP, true);
    assert_eq!(other.login("c", Some(("tasmota", "long enough"))), 0x86);
    let mut anonymous = rig.tls_client(LAMP_IP, true);
    assert_eq!(anonymous.login("c", None), 0x86);
    std::thread::scope(|scope| {
        let (ca, to) = (rig.pki.ca_pem(), rig.tls);
        let login = scope.spawn(move || {
            let config = tls_config(ca, rustls::ALL_VERSIONS);
            let stream = tls(&config, "router.lan", socket(LAMP_IP, to)).unwrap();
            Client::new(stream, true).login("c", Some(("tasmota", "long enough")))
        });
        let presented = rig.event(|event| match &event.kind {
            BrokerEventKind::Paired {
                username,
                verifiers,
                weak: false,
                claim: None,
            } => Some((username.to_string(), verifiers.clone())),
            _ => None,
        });
        assert_eq!(presented.0, "tasmota");
        let mut paired = account("tasmota", LAMP);
        paired.hash = presented.1.hash;
        paired.scram = presented.1.scram;
        rig.handle.set_directory(directory([paired]));
        assert_eq!(login.join().unwrap(), 0);
    });
    let mut again = rig.tls_client(LAMP_IP, true);
    assert_eq!(again.login("c", Some(("tasmota", "long enough"))), 0);
}
