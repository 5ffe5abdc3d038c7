//! Which certificate a client gets, and how it is sent: by openssl, another implementation.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::thread::{self, JoinHandle};

use super::*;

/// What `openssl s_client` says of a handshake, which ends at once.
fn s_client(rig: &Rig, to: SocketAddr, args: &[&str]) -> String {
    let output = Command::new("openssl")
        .args(["s_client", "-CAfile", "ca.crt", "-servername", "router.lan"])
        .args([
            "-verify_hostname",
            "router.lan",
            "-connect",
            &to.to_string(),
        ])
        .args(args)
        .current_dir(rig.dir.path())
        .stdin(Stdio::null())
        .output()
        .expect("openssl");
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

impl Rig {
    fn make_rsa_key(&mut self) {
        self.pki.make_rsa_key();
        let end = Instant::now() + Duration::from_secs(120);
        while !self.pki.has_new_key() {
            assert!(Instant::now() < end, "no RSA key in two minutes");
            thread::sleep(Duration::from_millis(10));
        }
        assert!(self.pki.renew(&names("router.lan")).unwrap());
    }
}

#[test]
fn each_client_gets_the_certificate_that_it_can_verify() {
    const RSA: &str = "Peer signature type: RSA";
    const ECDSA: &str = "Peer signature type: ECDSA";
    const FAILURE: &str = "alert handshake failure";
    // A client that speaks TLS 1.2, and knows RSA or ECDSA by suites or by schemes.
    let tasmota = ["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"];
    let ecdsa_suite = ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"];
    let rsa_schemes = ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"];
    let ecdsa_schemes = ["-sigalgs", "ECDSA+SHA256"];
    let other_curve = ["-tls1_2", "-groups", "X25519"];
    let neither = ["-sigalgs", "ed25519"];

    let mut rig = Rig::new();
    let see = |rig: &Rig, args: &[&str], expected: &str| {
        let said = s_client(rig, rig.tls, args);
        assert!(said.contains(expected), "{args:?}: {said}");
        if expected != FAILURE {
            assert!(said.contains("Verify return code: 0 (ok)"), "{said}");
        }
    };
    // Before the RSA key is made the others are served.
    see(&rig, &tasmota, FAILURE);
    see(&rig, &[], ECDSA);
    let client = rig.member("lamp", "l", true);
    rig.make_rsa_key();
    see(&rig, &tasmota, RSA);
    see(&rig, &rsa_schemes, RSA);
    see(&rig, &[&rsa_schemes[..], &["-tls1_2"]].concat(), RSA);
    see(&rig, &other_curve, RSA);
    see(&rig, &[], ECDSA);
    see(&rig, &["-tls1_2"], ECDSA);
    see(&rig, &ecdsa_suite, ECDSA);
    see(&rig, &ecdsa_schemes, ECDSA);
    see(&rig, &neither, FAILURE);
    drop(client);
    // As files and fingerprints have it.
    let (ecdsa, rsa) = rig.pki.fingerprints();
    for (args, fingerprint) in [(&[][..], ecdsa), (&tasmota[..], rsa.unwrap())] {
        let said = s_client(&rig, rig.tls, args);
        let mut x509 = Command::new("openssl")
            .args(["x509", "-noout", "-fingerprint", "-sha256"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("openssl");
        x509.stdin
            .take()
            .unwrap()
            .write_all(said.as_bytes())
            .unwrap();
        let out = x509.wait_with_output().unwrap();
        let out = String::from_utf8_lossy(&out.stdout);
        assert!(out.contains(&fingerprint), "{out} {fingerprint}");
    }
}

/// Passes one connection through, and gives the lengths of the records that the server sent, as
/// they were on the wire.
fn records_between(to: SocketAddr) -> (SocketAddr, JoinHandle<Vec<usize>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    let tap = thread::spawn(move || {
        let (client, _) = listener.accept().unwrap();
        let server = TcpStream::connect(to).unwrap();
        let (mut from_client, mut to_server) =
            (client.try_clone().unwrap(), server.try_clone().unwrap());
        let up = thread::spawn(move || {
            let _ = std::io::copy(&mut from_client, &mut to_server);
            let _ = to_server.shutdown(Shutdown::Write);
        });
        let mut seen = Vec::new();
        let (mut server, mut client) = (BufReader::new(server), client);
        let mut header = [0; 5];
        while server.fill_buf().is_ok_and(|bytes| !bytes.is_empty())
            && server.read_exact(&mut header).is_ok()
        {
            let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
            let mut record = vec![0; length];
            server.read_exact(&mut record).unwrap();
            seen.push(header.len() + length);
            if client.write_all(&[&header[..], &record].concat()).is_err() {
                break;
            }
        }
        let _ = client.shutdown(Shutdown::Both);
        up.join().unwrap();
        seen
    });
    (here, tap)
}

#[test]
fn no_record_is_longer_than_the_listener_may_send() {
    let mut rig = Rig::new();
    rig.make_rsa_key();
    // A long certificate, of many addresses.
    let mut many = names("router.lan");
    many.addresses
        .extend((0..40).map(|host| IpAddr::from([10, 0, 0, host])));
    assert!(rig.pki.renew(&many).unwrap());
    for size in [512, 1024, 4096] {
        let mut small = listener("tls", ListenerKind::Tls, TLS_IP, 0);
        small.tls.record_size = size;
        rig.set_listeners(vec![small]);
        rig.handle.stats().unwrap();
        let tls13 = (rustls::ALL_VERSIONS, None);
        let tls12 = (&[&rustls::version::TLS12][..], None);
        let chacha = Some(rustls::CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256);
        let aes_rsa = Some(rustls::CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256);
        let cases = [tls13, tls12, (tls12.0, chacha), (tls12.0, aes_rsa)];
        for (versions, suite) in cases {
            let (here, tap) = records_between(rig.tls);
            let config = client::tls_config_of(rig.pki.ca_pem(), versions, suite);
            let stream = client::tls(&config, "router.lan", client::socket(LAMP_IP, here)).unwrap();
            let mut lamp = client::Client::new(stream, true);
            assert_eq!(lamp.login("l", Some(("hub", PASSWORD))), 0);
            assert_eq!(lamp.subscribe("hub/x"), 0);
            lamp.publish("hub/x", &[b'x'; 20_000]);
            assert_eq!(lamp.expect_publish("hub/x"), [b'x'; 20_000]);
            drop(lamp);
            let seen = tap.join().unwrap();
            let longest = seen.iter().copied().max().unwrap();
            let size = usize::try_from(size).unwrap();
            // Not much shorter either: records have their price.
            let fits = (size - 24..=size).contains(&longest);
            assert!(fits, "{versions:?} {suite:?} {size}: {seen:?}");
        }
    }
}

/// Over a renewal, and with clients connected all the while, by another implementation.
#[test]
fn openssl_resumes_sessions_over_a_renewal() {
    for version in ["-tls1_2", "-tls1_3"] {
        let mut rig = Rig::new();
        let mut lamp = rig.member("lamp", "l", true);
        // The ticket of TLS 1.3 comes behind the handshake: wait for it.
        let mut client = Command::new("openssl")
            .args(["s_client", "-connect", &rig.tls.to_string(), version])
            .args(["-servername", "router.lan", "-sess_out", "session"])
            .current_dir(rig.dir.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let end = Instant::now() + Duration::from_secs(5);
        let session = rig.dir.path().join("session");
        while std::fs::metadata(&session).map_or(0, |file| file.len()) == 0 {
            assert!(Instant::now() < end, "no ticket");
            thread::sleep(Duration::from_millis(10));
        }
        drop(client.stdin.take());
        client.wait().unwrap();
        let mut moved = names("router.lan");
        moved.addresses.push([10, 0, 0, 1].into());
        for round in 0..2 {
            let said = s_client(&rig, rig.tls, &[version, "-sess_in", "session"]);
            assert!(said.contains("Reused, "), "{version} {round}: {said}");
            assert_eq!(rig.pki.renew(&moved).unwrap(), round == 0);
        }
        let said = s_client(&rig, rig.tls, &[version]);
        assert!(said.contains("New, "), "{said}");
        assert_eq!(lamp.subscribe("lamp/x"), 0);
    }
    // Five times in a row.
    let rig = Rig::new();
    let said = s_client(&rig, rig.tls, &["-tls1_2", "-reconnect"]);
    assert_eq!(said.matches("Reused, ").count(), 5, "{said}");
}
