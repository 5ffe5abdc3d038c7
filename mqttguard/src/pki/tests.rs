use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime};

use super::*;

const ECDSA: KeyKind = KeyKind::EcdsaP256;

fn names() -> Names {
    Names {
        hostname: "mqttguard.lan".into(),
        addresses: vec![
            "192.168.1.1".parse().unwrap(),
            "fd77::1".parse().unwrap(),
            "192.168.1.1".parse().unwrap(),
        ],
    }
}

fn read(dir: &Path, file: &str) -> String {
    fs::read_to_string(dir.join(file)).unwrap()
}

fn openssl(args: &[&str], dir: &Path) -> String {
    let output = Command::new("openssl")
        .args(args)
        .current_dir(dir)
        .output()
        .expect("openssl");
    let both = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&both).into_owned()
}

#[test]
fn files_have_their_modes_and_nothing_else_lies_there() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path().join("etc");
    Pki::open_or_create(&dir, &names()).unwrap();
    let mut files: Vec<(String, u32)> = fs::read_dir(&dir)
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().permissions().mode() & 0o777;
            (entry.file_name().into_string().unwrap(), mode)
        })
        .collect();
    files.sort();
    let expected = [
        ("ca.crt", 0o644),
        ("ca.key", 0o600),
        ("client-ca.crt", 0o644),
        ("client-ca.key", 0o600),
        ("server.crt", 0o644),
        ("server.key", 0o600),
    ];
    assert_eq!(files, expected.map(|(name, mode)| (name.to_owned(), mode)));
}

/// By another implementation: the chain, the purpose, the names and the dates.
#[test]
fn openssl_accepts_the_chain_under_every_name() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Pki::open_or_create(dir, &names()).unwrap();
    for check in [
        ["-verify_hostname", "mqttguard.lan"],
        ["-verify_hostname", "localhost"],
        ["-verify_ip", "192.168.1.1"],
        ["-verify_ip", "fd77::1"],
        // A client without a clock that believes in 2021.
        ["-attime", "1609459200"],
    ] {
        let base = ["verify", "-x509_strict", "-purpose", "sslserver"];
        let args = [&base[..], &check, &["-CAfile", "ca.crt", "server.crt"]].concat();
        let said = openssl(&args, dir);
        assert!(said.contains("server.crt: OK"), "{check:?}: {said}");
    }
    let other = ["verify", "-CAfile", "ca.crt", "-verify_ip", "192.168.1.2"];
    let said = openssl(&[&other[..], &["server.crt"]].concat(), dir);
    assert!(said.contains("IP address mismatch"), "{said}");
}

#[test]
fn a_second_start_changes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let first = Pki::open_or_create(dir, &names()).unwrap();
    let files = ["ca.crt", "ca.key", "server.crt", "server.key"];
    let before = files.map(|file| read(dir, file));
    let mut second = Pki::open_or_create(dir, &names()).unwrap();
    assert_eq!(before, files.map(|file| read(dir, file)));
    assert_eq!(first.ca_fingerprint(), second.ca_fingerprint());
    assert_eq!(second.ca_pem(), before[0]);
    let said = openssl(
        &["x509", "-in", "ca.crt", "-noout", "-fingerprint", "-sha256"],
        dir,
    );
    assert!(said.contains(&second.ca_fingerprint()), "{said}");
    assert!(!second.renew(&names()).unwrap());
}

#[test]
fn other_names_renew_the_certificate_with_the_same_key() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut pki = Pki::open_or_create(dir, &names()).unwrap();
    let (ca, key, certificate) = (
        read(dir, "ca.crt"),
        read(dir, "server.key"),
        read(dir, "server.crt"),
    );
    let public = |dir: &Path| openssl(&["x509", "-in", "server.crt", "-noout", "-pubkey"], dir);
    let serial = |dir: &Path| openssl(&["x509", "-in", "server.crt", "-noout", "-serial"], dir);
    let (public_before, serial_before) = (public(dir), serial(dir));
    let mut moved = names();
    moved.addresses = (0..40).map(|host| [10, 0, 0, host].into()).collect();
    assert!(pki.renew(&moved).unwrap());
    assert!(
        !pki.renew(&moved).unwrap(),
        "renewed although nothing changed"
    );
    assert_ne!(read(dir, "server.crt"), certificate);
    assert_eq!(read(dir, "server.key"), key);
    assert_eq!(read(dir, "ca.crt"), ca);
    assert_eq!(public(dir), public_before);
    assert_ne!(serial(dir), serial_before);
    // An address that is no longer the router's leaves the certificate.
    let said = openssl(&["x509", "-in", "server.crt", "-noout", "-text"], dir);
    assert!(said.contains("IP Address:10.0.0.39") && !said.contains("192.168.1.1"));
}

#[test]
fn the_last_year_renews() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    store::create_dir(dir).unwrap();
    let authority = Authority::open_or_create(dir).unwrap();
    let year = Duration::from_secs(365 * 24 * 3600);
    let now = SystemTime::now();
    authority.leaf(ECDSA, &names(), now).unwrap();
    assert!(
        authority
            .leaf_is_good(ECDSA, &names(), now + 7 * year)
            .unwrap()
    );
    let late = now + 19 * year / 2;
    assert!(!authority.leaf_is_good(ECDSA, &names(), late).unwrap());
    authority.leaf(ECDSA, &names(), late).unwrap();
    assert!(authority.leaf_is_good(ECDSA, &names(), late).unwrap());
}

#[test]
fn a_clock_at_the_epoch_makes_a_certificate_of_today() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::open_or_create(dir).unwrap();
    authority
        .leaf(ECDSA, &names(), SystemTime::UNIX_EPOCH)
        .unwrap();
    assert!(
        authority
            .leaf_is_good(ECDSA, &names(), SystemTime::now())
            .unwrap()
    );
}

#[test]
fn damage_is_told_with_the_file_and_changes_nothing() {
    for (file, content) in [
        ("ca.crt", Some("rubbish")),
        ("ca.key", Some("rubbish")),
        ("ca.key", None),
        ("server.key", Some("rubbish")),
        ("server.key", None),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let dir = dir.path();
        Pki::open_or_create(dir, &names()).unwrap();
        match content {
            Some(content) => fs::write(dir.join(file), content).unwrap(),
            None => fs::remove_file(dir.join(file)).unwrap(),
        }
        let ca = read(dir, "ca.crt");
        let error = Pki::open_or_create(dir, &names()).unwrap_err().to_string();
        assert!(error.contains(file), "{file}: {error}");
        assert!(error.contains("restore it from a backup"), "{error}");
        assert_eq!(read(dir, "ca.crt"), ca);
    }
}

#[test]
fn anothers_ca_certificate_is_refused() {
    let (dir, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    Pki::open_or_create(dir.path(), &names()).unwrap();
    Pki::open_or_create(other.path(), &names()).unwrap();
    fs::copy(other.path().join("ca.crt"), dir.path().join("ca.crt")).unwrap();
    let error = Pki::open_or_create(dir.path(), &names()).unwrap_err();
    assert!(
        error.to_string().contains("another key than ca.key"),
        "{error}"
    );
}

#[test]
fn what_a_power_cut_leaves_is_mended() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Pki::open_or_create(dir, &names()).unwrap();
    let (ca_key, key) = (read(dir, "ca.key"), read(dir, "server.key"));
    fs::write(dir.join("server.crt.tmp"), "half").unwrap();
    fs::remove_file(dir.join("ca.crt")).unwrap();
    fs::remove_file(dir.join("server.crt")).unwrap();
    Pki::open_or_create(dir, &names()).unwrap();
    assert_eq!(read(dir, "ca.key"), ca_key);
    assert_eq!(read(dir, "server.key"), key);
    assert!(!dir.join("server.crt.tmp").exists());
}

#[test]
fn a_secret_that_others_may_read_is_closed() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Pki::open_or_create(dir, &names()).unwrap();
    let key = dir.join("server.key");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    Pki::open_or_create(dir, &names()).unwrap();
    assert_eq!(
        fs::metadata(&key).unwrap().permissions().mode() & 0o777,
        0o600
    );
}

#[test]
fn a_name_that_is_no_dns_name_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let mut names = names();
    names.hostname = "my router!".into();
    let error = Pki::open_or_create(dir.path(), &names).unwrap_err();
    assert!(error.to_string().contains("my router!"), "{error}");
}

#[test]
fn an_rsa_key_is_made_once_and_kept_over_renewals() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let mut pki = Pki::open_or_create(dir, &names()).unwrap();
    assert_eq!(pki.fingerprints().1, None);
    pki.make_rsa_key();
    while !pki.has_new_key() {
        std::thread::sleep(Duration::from_millis(10));
    }
    assert!(pki.renew(&names()).unwrap());
    assert!(!pki.renew(&names()).unwrap());
    let (key, certificate) = (read(dir, "server-rsa.key"), read(dir, "server-rsa.crt"));
    let said = openssl(&["pkey", "-in", "server-rsa.key", "-check", "-noout"], dir);
    assert!(said.contains("Key is valid"), "{said}");
    let said = openssl(&["x509", "-in", "server-rsa.crt", "-noout", "-text"], dir);
    assert!(said.contains("Public-Key: (2048 bit)"), "{said}");
    let verify = ["verify", "-x509_strict", "-purpose", "sslserver", "-CAfile"];
    let said = openssl(&[&verify[..], &["ca.crt", "server-rsa.crt"]].concat(), dir);
    assert!(said.contains("server-rsa.crt: OK"), "{said}");
    let mode = fs::metadata(dir.join("server-rsa.key")).unwrap();
    assert_eq!(mode.permissions().mode() & 0o777, 0o600);

    // The next start has it, makes no other, and renews both.
    let mut pki = Pki::open_or_create(dir, &names()).unwrap();
    let before = pki.fingerprints();
    assert!(before.1.is_some());
    pki.make_rsa_key();
    assert!(pki.rsa_key.is_none());
    let mut moved = names();
    moved.addresses.clear();
    assert!(pki.renew(&moved).unwrap());
    let after = pki.fingerprints();
    assert!(after.0 != before.0 && after.1 != before.1);
    assert_eq!(read(dir, "server-rsa.key"), key);
    assert_ne!(read(dir, "server-rsa.crt"), certificate);
}

/// One damaged file of a few old clients' is no reason to serve nobody.
#[test]
fn a_damaged_rsa_key_leaves_the_others_served() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    Pki::open_or_create(dir, &names()).unwrap();
    fs::write(dir.join("server-rsa.key"), "rubbish").unwrap();
    let mut pki = Pki::open_or_create(dir, &names()).unwrap();
    assert_eq!(pki.fingerprints().1, None);
    // Nor is it replaced: somebody may have pinned it.
    pki.make_rsa_key();
    assert!(pki.rsa_key.is_none());
    assert_eq!(read(dir, "server-rsa.key"), "rubbish");
}
