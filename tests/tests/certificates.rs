//! Certificates and new passwords by the command line, with real clients.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use mqttguard_lab::{Credential, Device, Guard, tools, until};
use mqttguard_tests::house::{PATIENCE, enrol, guarded, guarded_with};
use serde_json::json;

const LISTENER: &str = "config listener 'tls'\n\toption client_certificate 'optional'\n";

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn prints(guard: &Guard, arguments: &[&str]) -> String {
    let output = guard.run(arguments).unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        text(&output.stderr)
    );
    text(&output.stdout)
}

fn openssl(arguments: &[&str]) -> Output {
    let mut command = Command::new(tools::system("openssl").unwrap());
    command
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

/// Where the router is; the certificate is who the device is.
fn place(guard: &Guard) -> Credential {
    let answer = json!({
        "username": "", "password": "", "port": 8883,
        "ca_file": guard.files().data.join("ca.crt"),
        "address": mqttguard_lab::address::ROUTER.to_string(),
    });
    Credential::from_enrolment(&answer).unwrap()
}

/// A subscription by certificate that is there; then the certificate is revoked, and it is not.
fn works_until_revoked(guard: &Guard, device: &Device, [certificate, key]: [&Path; 2]) {
    let client = || device.client(&place(guard)).certificate(certificate, key);
    let subscription = client().subscribe("plug/#", 2).unwrap();
    assert_eq!(subscription.granted(), Some(1), "{}", certificate.display());
    let outcome = client().publish("plug/x", "1", 1).unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(until(PATIENCE, || subscription.messages() == ["plug/x 1"]));
    prints(guard, &["revoke", "plug"]);
    let mac = device.mac_text();
    guard.wait_event("revoked", Some(&mac)).unwrap();
    guard.wait_event("disconnected", Some(&mac)).unwrap();
    let outcome = client().publish("plug/x", "2", 1).unwrap();
    assert!(!outcome.succeeded(), "{outcome:?}");
    assert_eq!(subscription.messages(), ["plug/x 1"]);
}

#[test]
fn a_certificate_is_a_login_from_its_device_until_it_is_revoked() {
    let (lab, guard) = guarded_with(&["plug", "lamp"], "", LISTENER);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    let told = prints(
        &guard,
        &["certificate", "plug", "--out", out, "--days", "2"],
    );
    let [certificate, key] = ["plug.crt", "plug.key"].map(|name| dir.path().join(name));
    assert!(told.contains(certificate.to_str().unwrap()), "{told}");
    let ca = guard.files().data.join("client-ca.crt");
    let verified = openssl(&[
        "verify",
        "-purpose",
        "sslclient",
        "-CAfile",
        ca.to_str().unwrap(),
        certificate.to_str().unwrap(),
    ]);
    assert!(verified.status.success(), "{}", text(&verified.stderr));
    // Only from its own device, and made once: what is there is not written over.
    let stolen = lab
        .device(1)
        .client(&place(&guard))
        .certificate(&certificate, &key);
    assert!(!stolen.publish("plug/x", "1", 1).unwrap().succeeded());
    let again = guard.run(&["certificate", "plug", "--out", out]).unwrap();
    assert_eq!(again.status.code(), Some(1));
    let held = &guard.device("plug").unwrap()["credential"]["certificates"];
    assert_eq!(held.as_array().map(Vec::len), Some(1));
    works_until_revoked(&guard, lab.device(0), [&certificate, &key]);
}

#[test]
fn the_ca_is_printed_and_the_brokers_certificates_are_renewed_under_it() {
    let (_lab, guard) = guarded_with(&["plug"], "", "");
    let file = guard.files().data.join("ca.crt");
    let ca = std::fs::read_to_string(&file).unwrap();
    assert_eq!(prints(&guard, &["ca"]), ca);
    let shown = || guard.ubus("ca", &json!({})).unwrap();
    let before = shown();
    let told = prints(&guard, &["renew"]);
    let after = shown();
    assert_eq!(before["ca"], after["ca"]);
    let [old, new] =
        [&before, &after].map(|shown| shown["leaves"][0]["sha256"].as_str().unwrap().to_owned());
    assert_ne!(old, new);
    assert!(told.contains(&new) && !told.contains(&old), "{told}");
    let again = guard.run(&["renew"]).unwrap();
    assert_eq!(again.status.code(), Some(1));
    let why = text(&again.stderr);
    assert!(why.contains("once a minute is the limit"), "{why}");
    assert_eq!(after, shown());
}

#[test]
fn a_request_brings_the_devices_own_key_and_nothing_else() {
    let (lab, guard) = guarded_with(&["plug"], "", LISTENER);
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    let kinds: [&[&str]; 4] = [
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-256"],
        &["ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
        &["ed25519"],
        &["rsa:2048"],
    ];
    let out = dir.path().to_str().unwrap();
    let [key, request, certificate] = ["device.key", "device.csr", "plug.crt"].map(path);
    for kind in kinds {
        let mut words = vec!["req", "-new", "-nodes", "-subj", "/CN=admin", "-newkey"];
        words.extend(kind);
        words.extend(["-addext", "subjectAltName=DNS:admin"]);
        words.extend(["-keyout", &key, "-out", &request]);
        let made = openssl(&words);
        assert!(made.status.success(), "{}", text(&made.stderr));
        let told = prints(
            &guard,
            &["certificate", "plug", "--out", out, "--csr", &request],
        );
        assert!(
            told.contains("plug.crt") && !told.contains("plug.key"),
            "{told}"
        );
        assert!(!dir.path().join("plug.key").exists());
        let shown = openssl(&["x509", "-in", &certificate, "-noout", "-text"]);
        let shown = text(&shown.stdout);
        assert!(
            shown.contains("CN = plug") || shown.contains("CN=plug"),
            "{shown}"
        );
        assert!(!shown.contains("admin"), "{shown}");
        works_until_revoked(
            &guard,
            lab.device(0),
            [&PathBuf::from(&certificate), &PathBuf::from(&key)],
        );
        std::fs::remove_file(&certificate).unwrap();
    }
    // One that somebody else has changed, and one that is none.
    let mut pem = std::fs::read_to_string(&request).unwrap();
    let middle = pem.len() / 2;
    let other = if pem.as_bytes()[middle] == b'A' {
        "B"
    } else {
        "A"
    };
    pem.replace_range(middle..=middle, other);
    std::fs::write(&request, pem).unwrap();
    let refused = guard
        .run(&["certificate", "plug", "--out", out, "--csr", &request])
        .unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        text(&refused.stderr).contains("csr: "),
        "{}",
        text(&refused.stderr)
    );
    let refused = guard
        .run(&["certificate", "plug", "--out", out, "--csr", &key])
        .unwrap();
    assert!(text(&refused.stderr).contains("BEGIN CERTIFICATE REQUEST"));
}

#[test]
fn a_device_that_knows_no_ecdsa_gets_a_key_that_it_does() {
    let (lab, guard) = guarded_with(&["plug"], "", LISTENER);
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().to_str().unwrap();
    prints(
        &guard,
        &["certificate", "plug", "--out", out, "--key-type", "rsa"],
    );
    let [certificate, key] = ["plug.crt", "plug.key"].map(|name| dir.path().join(name));
    let shown = openssl(&["pkey", "-in", key.to_str().unwrap(), "-noout", "-text"]);
    assert!(
        text(&shown.stdout).contains("2048 bit"),
        "{}",
        text(&shown.stdout)
    );
    let mode = std::os::unix::fs::MetadataExt::mode(&std::fs::metadata(&key).unwrap());
    assert_eq!(mode & 0o777, 0o600);
    works_until_revoked(&guard, lab.device(0), [&certificate, &key]);
}

/// The reason code of the CONNACK that ends a login by SCRAM.
fn scram(device: &Device, credential: &Credential) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/clients/scram_login.py");
    let mut command = Command::new(tools::system("python3").unwrap());
    command
        .arg(script)
        .args([&credential.address, &credential.port.to_string()])
        .arg(&credential.ca_file)
        .arg(&credential.username)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = device.netns().start(&mut command).unwrap();
    let mut stdin = child.stdin.take().unwrap();
    writeln!(stdin, "{}", credential.password).unwrap();
    drop(stdin);
    let output = child.wait_with_output().unwrap();
    let code = text(&output.stdout).trim().to_owned();
    assert!(!code.is_empty(), "{}", text(&output.stderr));
    assert_eq!(
        output.status.success(),
        code == "0",
        "{}",
        text(&output.stderr)
    );
    code
}

#[test]
fn while_a_rotation_is_under_way_both_passwords_are_proven_by_scram() {
    let (lab, guard) = guarded(&["lamp"]);
    let device = lab.device(0);
    let old = enrol(&guard, "lamp");
    assert_eq!(scram(device, &old), "0");
    let told = prints(&guard, &["rotate", "lamp", "--overlap", "1h"]);
    let first = told.lines().next().unwrap();
    assert!(
        first.contains("has a new password") && !told.contains("is enrolled"),
        "{told}"
    );
    assert!(
        told.contains("The old password works until the new one was used once"),
        "{told}"
    );
    let field = |name: &str| {
        let mut lines = told.lines().map(str::trim_start);
        let line = lines.find(|line| line.starts_with(name)).unwrap();
        line.rsplit(' ').next().unwrap().to_owned()
    };
    assert_eq!(field("user name"), "lamp");
    let new = old.with_password(&field("password "));
    assert_ne!(new.password, old.password);

    // The one that the device has, as often as it likes.
    assert_eq!(scram(device, &old), "0");
    assert_eq!(scram(device, &old), "0");
    // The new one: a salt had to be named before it was known which is meant, so once in vain.
    assert_eq!(scram(device, &new), "134");
    assert_eq!(scram(device, &new), "0");
    guard.wait_event("rotation-ended", None).unwrap();
    assert_eq!(scram(device, &old), "134");
    assert_eq!(scram(device, &new), "0");
}
