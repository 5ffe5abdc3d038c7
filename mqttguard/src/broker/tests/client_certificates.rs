//! Client certificates in the place of passwords.

use std::io::{Read, Write};

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose,
    RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{ClientConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::client::{Client, connect, socket, tls, tls_builder, tls_config};
use super::*;
use crate::config::ClientCertificates;

/// An owner's own CA.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
}

fn named(name: &str) -> DistinguishedName {
    let mut distinguished_name = DistinguishedName::new();
    distinguished_name.push(DnType::CommonName, name);
    distinguished_name
}

impl Authority {
    fn new(name: &str) -> Authority {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().unwrap();
        let pem = params.self_signed(&key).unwrap().pem();
        Authority {
            issuer: Issuer::new(params, key),
            pem,
        }
    }

    /// A client of the rig's with a certificate of this serial number, valid to the end of a year.
    fn client(
        &self,
        rig: &Rig,
        versions: &[&'static SupportedProtocolVersion],
        (name, serial, until): (&str, u64, i32),
    ) -> Arc<ClientConfig> {
        let mut params = CertificateParams::default();
        params.distinguished_name = named(name);
        params.serial_number = Some(SerialNumber::from(serial));
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(until, 12, 31);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let config = tls_builder(rig.pki.ca_pem(), versions, None)
            .with_client_auth_cert(vec![certificate.der().clone()], key)
            .unwrap();
        Arc::new(config)
    }

    fn crl(&self, serials: &[u64]) -> String {
        let revoked = serials.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2021, 1, 1),
            // Forgotten by its owner, and still in force.
            next_update: date_time_ymd(2022, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).unwrap().pem().unwrap()
    }
}

const YEARS: i32 = 2099;
const ALL: &[&SupportedProtocolVersion] = rustls::ALL_VERSIONS;

/// A rig whose TLS listener knows this CA, and writes its files.
fn rig(authority: &Authority, required: bool, crl: Option<&str>) -> Rig {
    let rig = Rig::new();
    std::fs::write(rig.dir.path().join("clients.crt"), &authority.pem).unwrap();
    if let Some(crl) = crl {
        std::fs::write(rig.dir.path().join("clients.crl"), crl).unwrap();
    }
    rig.ask_for_certificates(required, crl.is_some());
    rig
}

impl Rig {
    /// As a reload does.
    fn ask_for_certificates(&self, required: bool, crl: bool) {
        let mut listeners = listeners();
        let crl = crl.then(|| self.dir.path().join("clients.crl"));
        listeners[0].tls.clients = Some(ClientCertificates {
            ca: Some(self.dir.path().join("clients.crt")),
            crls: crl.into_iter().collect(),
            required,
        });
        // The same port for those who look on only.
        listeners.push(listener("other", ListenerKind::Tls, OTHER_IP, 0));
        self.set_listeners(listeners);
        let stats = self.handle.stats().unwrap();
        assert_eq!(stats.listeners[0].errors, [""; 0]);
    }

    fn with_certificate(&self, from: Ipv4Addr, config: &Arc<ClientConfig>) -> Client {
        Client::new(
            tls(config, "router.lan", socket(from, self.tls)).unwrap(),
            true,
        )
    }

    pub(super) fn denial(&self) -> (Option<String>, Denial) {
        self.event(|event| match &event.kind {
            BrokerEventKind::LoginRefused { username, why } => Some((username.clone(), *why)),
            _ => None,
        })
    }
}

const OTHER_IP: Ipv4Addr = Ipv4Addr::new(127, 0, 1, 2);

#[test]
fn a_certificate_is_a_login() {
    let ca = Authority::new("house");
    let rig = rig(&ca, true, None);
    for versions in [&[&rustls::version::TLS13][..], &[&rustls::version::TLS12]] {
        let config = ca.client(&rig, versions, ("lamp", 1, YEARS));
        // With and without its name, with and without a password that does not count.
        let mut lamp = rig.with_certificate(LAMP_IP, &config);
        assert_eq!(lamp.login("l", None), 0);
        assert_eq!(lamp.subscribe("lamp/x"), 0);
        assert_eq!(lamp.subscribe("hub/x"), 0x87);
        let mut lamp = rig.with_certificate(LAMP_IP, &config);
        assert_eq!(lamp.login("l", Some(("lamp", "whatever"))), 0);
        let stats = rig.until(|stats| stats.clients.len() == 1);
        assert_eq!(*stats.clients[0].username, *"lamp");
        // Resumed, as nothing has changed.
        let stream = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap();
        let kind = stream.conn.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Resumed));
        assert_eq!(Client::new(stream, true).login("l", None), 0);
    }
}

#[test]
fn a_certificate_is_worth_no_more_than_a_password() {
    let ca = Authority::new("house");
    let rig = rig(&ca, false, None);
    let lamp = ca.client(&rig, ALL, ("lamp", 1, YEARS));
    let guest = ca.client(&rig, ALL, ("guest", 2, YEARS));
    let hub = ca.client(&rig, ALL, ("hub", 3, YEARS));
    let refused = |from, config: &_, login, code, name: &str, why| {
        let mut client = rig.with_certificate(from, config);
        assert_eq!(client.login("c", login), code, "{why:?}");
        assert_eq!(rig.denial(), (Some(name.to_owned()), why));
        std::thread::sleep(Duration::from_millis(1100));
    };
    refused(CAMERA_IP, &lamp, None, 0x87, "lamp", Denial::OtherDevice);
    let other = Some(("hub", PASSWORD));
    let why = Denial::CertificateOfAnother;
    refused(LAMP_IP, &lamp, other, 0x87, "hub", why);
    let why = Denial::CertificateNoAccount;
    refused(LAMP_IP, &guest, None, 0x87, "guest", why);
    let mut house = (*directory(household())).clone();
    house.standings.insert(LAMP, Standing::Blocked);
    rig.handle.set_directory(Arc::new(house));
    refused(LAMP_IP, &lamp, None, 0x8a, "lamp", Denial::Blocked);
    // Not only those with a certificate, and who roams roams with one too.
    assert_eq!(rig.with_certificate(CAMERA_IP, &hub).login("h", None), 0);
    let plain = tls_config(rig.pki.ca_pem(), ALL);
    let mut hub = rig.with_certificate(CAMERA_IP, &plain);
    assert_eq!(hub.login("h", Some(("hub", PASSWORD))), 0);
}

/// What TLS itself refuses is told with the name in the certificate, and to the client by an
/// alert.
#[test]
fn bad_certificates_are_told_by_name() {
    let (ca, stranger) = (Authority::new("house"), Authority::new("another"));
    let crl = ca.crl(&[7]);
    let rig = rig(&ca, true, Some(&crl));
    let cases = [
        (
            &ca,
            ("lamp", 7, YEARS),
            Denial::CertificateRevoked,
            "CertificateRevoked",
        ),
        (
            &ca,
            ("lamp", 8, 2021),
            Denial::CertificateExpired,
            "CertificateExpired",
        ),
        (
            &stranger,
            ("x\u{202e}y", 9, YEARS),
            Denial::CertificateUnknownIssuer,
            "UnknownCA",
        ),
    ];
    // Each from an address of its own, as one peer is told of but once a second.
    let mut addresses = (1..).map(|host| Ipv4Addr::new(127, 0, 9, host));
    for (authority, certificate, why, alert) in cases {
        for version in ALL {
            let config = authority.client(&rig, &[version], certificate);
            let from = addresses.next().unwrap();
            let error = match tls(&config, "router.lan", socket(from, rig.tls)) {
                Err(error) => error,
                // A client of TLS 1.3 is done before the server has its say.
                Ok(mut stream) => {
                    let _ = stream.write_all(&connect(true, "l", None));
                    stream.read(&mut [0; 9]).unwrap_err()
                }
            };
            assert!(error.to_string().contains(alert), "{error}");
            assert_eq!(rig.denial(), (Some(certificate.0.to_owned()), why));
        }
    }
    let config = tls_config(rig.pki.ca_pem(), &[&rustls::version::TLS12]);
    let error = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap_err();
    assert!(error.to_string().contains("alert"), "{error}");
    assert_eq!(rig.denial(), (None, Denial::NoCertificate));
}

/// Once there are lists, a CA without one could not revoke anything.
#[test]
fn a_ca_without_a_list_is_not_believed() {
    let (ca, other) = (Authority::new("house"), Authority::new("another"));
    let both = Authority {
        pem: ca.pem.clone() + &other.pem,
        issuer: ca.issuer,
    };
    let crl = both.crl(&[]);
    let rig = rig(&both, true, Some(&crl));
    let config = both.client(&rig, ALL, ("lamp", 1, YEARS));
    assert_eq!(rig.with_certificate(LAMP_IP, &config).login("l", None), 0);
    let config = other.client(&rig, ALL, ("lamp", 1, YEARS));
    let mut stream = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap();
    stream.read(&mut [0; 9]).unwrap_err();
    let told = (Some("lamp".to_owned()), Denial::CertificateUnlisted);
    assert_eq!(rig.denial(), told);
}

#[test]
fn a_new_list_cuts_off_who_is_in_and_who_resumes() {
    for version in ALL {
        let ca = Authority::new("house");
        let rig = rig(&ca, false, Some(&ca.crl(&[])));
        let config = ca.client(&rig, &[version], ("lamp", 1, YEARS));
        let mut lamp = rig.with_certificate(LAMP_IP, &config);
        assert_eq!(lamp.login("l", None), 0);
        let mut by_password = rig.member("lamp", "p", true);
        // Its handshake is done, and so would be the look at its certificate.
        let mut waiting = rig.with_certificate(CAMERA_IP, &config);
        let mut hub = rig.with_certificate(CAMERA_IP, &tls_config(rig.pki.ca_pem(), ALL));
        assert_eq!(hub.login("h", Some(("hub", PASSWORD))), 0);
        std::fs::write(rig.dir.path().join("clients.crl"), ca.crl(&[1])).unwrap();
        rig.ask_for_certificates(false, true);
        assert_eq!(lamp.expect_disconnect(), 0x87);
        waiting.expect_end();
        let told = (Some("lamp".to_owned()), Denial::CertificateRevoked);
        assert_eq!([rig.denial(), rig.denial()], [told.clone(), told]);
        // TLS resumes, as it looks at certificates only once; the broker looks again.
        let stream = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap();
        let kind = stream.conn.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Resumed), "{version:?}");
        assert_eq!(Client::new(stream, true).login("l", None), 0x87);
        let why = rig.denial().1;
        assert_eq!(why, Denial::CertificateRevoked);
        // Nobody else has noticed.
        assert_eq!(by_password.subscribe("lamp/x"), 0);
        assert_eq!(hub.subscribe("hub/x"), 0);
    }
}

/// One set of ticket keys serves all listeners: a session from one that asks for no certificate
/// is not to get by at one that does.
#[test]
fn a_session_of_another_listener_is_no_certificate() {
    for version in ALL {
        let ca = Authority::new("house");
        let rig = rig(&ca, true, None);
        let stats = rig.handle.stats().unwrap();
        let other = stats
            .listeners
            .iter()
            .find(|l| *l.name == *"other")
            .unwrap();
        let config = tls_config(rig.pki.ca_pem(), &[version]);
        let login = Some(("lamp", PASSWORD));
        let stream = tls(&config, "router.lan", socket(LAMP_IP, other.addresses[0])).unwrap();
        assert_eq!(Client::new(stream, true).login("l", login), 0);
        let stream = tls(&config, "router.lan", socket(LAMP_IP, rig.tls)).unwrap();
        let kind = stream.conn.handshake_kind();
        assert_eq!(kind, Some(rustls::HandshakeKind::Resumed), "{version:?}");
        assert_eq!(Client::new(stream, true).login("l", login), 0x87);
        assert_eq!(
            rig.denial(),
            (Some("lamp".to_owned()), Denial::NoCertificate)
        );
    }
}

#[test]
fn a_listener_whose_ca_cannot_be_read_does_not_listen() {
    let ca = Authority::new("house");
    let rig = rig(&ca, true, None);
    std::fs::remove_file(rig.dir.path().join("clients.crt")).unwrap();
    let mut listeners = listeners();
    listeners[0].tls.clients = Some(ClientCertificates {
        ca: Some(rig.dir.path().join("clients.crt")),
        crls: Vec::new(),
        required: true,
    });
    rig.set_listeners(listeners);
    let stats = rig.handle.stats().unwrap();
    assert_eq!(stats.listeners[0].addresses, []);
    let error = &stats.listeners[0].errors[0];
    assert!(
        error.contains("clients.crt: there is no such file"),
        "{error}"
    );
    std::net::TcpStream::connect(rig.tls).unwrap_err();
}

/// A connection keeps the rules that it was accepted by, and a handshake may be put off.
#[test]
fn who_has_not_shook_hands_before_a_revocation_does_not_come_in_after_it() {
    let authority = Authority::new("house");
    let rig = rig(&authority, true, Some(&authority.crl(&[])));
    let lamp = authority.client(&rig, ALL, ("lamp", 7, YEARS));
    let early = socket(LAMP_IP, rig.tls);
    rig.until(|stats| stats.core.connections == 1);
    let crl = rig.dir.path().join("clients.crl");
    std::fs::write(crl, authority.crl(&[7])).unwrap();
    rig.ask_for_certificates(true, true);
    let code = tls(&lamp, "router.lan", early).and_then(|stream| {
        let mut client = Client::new(stream, true);
        client.send(&connect(true, "c", None));
        client.receive().map(|(_, body)| body[1])
    });
    assert!(code.is_err(), "{code:?}");
    // One that nothing is revoked of comes again.
    let hub = authority.client(&rig, ALL, ("hub", 8, YEARS));
    let mut client = rig.with_certificate(CAMERA_IP, &hub);
    assert_eq!(client.login("h", None), 0);
}

/// Once all need one, who came in without goes too.
#[test]
fn who_is_in_without_a_certificate_goes_when_they_are_required() {
    let authority = Authority::new("house");
    let rig = rig(&authority, false, None);
    let hub = authority.client(&rig, ALL, ("hub", 1, YEARS));
    let mut with = rig.with_certificate(CAMERA_IP, &hub);
    assert_eq!(with.login("h", None), 0);
    let plain = tls_config(rig.pki.ca_pem(), ALL);
    let mut without = rig.with_certificate(LAMP_IP, &plain);
    assert_eq!(without.login("l", Some(("lamp", PASSWORD))), 0);
    rig.ask_for_certificates(true, false);
    assert_eq!(without.expect_disconnect(), 0x87);
    assert_eq!(rig.denial().1, Denial::NoCertificate);
    assert_eq!(with.subscribe("hub/x"), 0);
}

/// What `mqttguard certificate` hands out.
fn issued(rig: &Rig, username: &str) -> (Arc<ClientConfig>, String) {
    let day = Duration::from_secs(86_400);
    let issued = rig.pki.issue(username, None, day).unwrap();
    let der = CertificateDer::from_pem_slice(issued.certificate.as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(issued.key.unwrap().as_bytes()).unwrap();
    let config = tls_builder(rig.pki.ca_pem(), ALL, None)
        .with_client_auth_cert(vec![der], key)
        .unwrap();
    (Arc::new(config), issued.serial)
}

#[test]
fn the_routers_own_certificates_are_good_while_their_account_lists_them() {
    let rig = Rig::new();
    let mut listeners = listeners();
    // No CA of the owner's.
    listeners[0].tls.clients = Some(ClientCertificates {
        ca: None,
        crls: Vec::new(),
        required: true,
    });
    rig.set_listeners(listeners);
    let (config, serial) = issued(&rig, "lamp");
    // Issued, but of nobody: as one that was revoked.
    let mut lamp = rig.with_certificate(LAMP_IP, &config);
    assert_eq!(lamp.login("l", None), 0x87);
    assert_eq!(rig.denial().1, Denial::CertificateRevoked);

    let mut lamp_account = account("lamp", LAMP);
    lamp_account.certificates = vec![serial];
    rig.handle.set_directory(directory([lamp_account.clone()]));
    let mut lamp = rig.with_certificate(LAMP_IP, &config);
    assert_eq!(lamp.login("l", None), 0);
    rig.until(|stats| stats.clients.len() == 1);
    // It is bound to its device all the same.
    let mut thief = rig.with_certificate(CAMERA_IP, &config);
    assert_eq!(thief.login("l", None), 0x87);
    // The name of another account does not make it that one's.
    let (of_plug, _) = issued(&rig, "plug");
    let mut plug = rig.with_certificate(LAMP_IP, &of_plug);
    assert_eq!(plug.login("p", None), 0x87);
    // Another CA of the same name.
    let stranger = Authority::new("mqttguard client CA");
    let forged = stranger.client(&rig, ALL, ("lamp", 1, YEARS));
    // With TLS 1.3 the client believes that it is in until it reads.
    if let Ok(mut stream) = tls(&forged, "router.lan", socket(LAMP_IP, rig.tls)) {
        let _ = stream.write_all(&connect(true, "f", None));
        let answer = stream.read(&mut [0; 4]);
        assert!(!matches!(answer, Ok(1..)), "{answer:?}");
    }

    // Revoked: the one that is in is cut off at once.
    lamp_account.certificates.clear();
    rig.handle.set_directory(directory([lamp_account]));
    rig.until(|stats| stats.clients.is_empty());
    let mut lamp = rig.with_certificate(LAMP_IP, &config);
    assert_eq!(lamp.login("l", None), 0x87);
}
