use std::path::Path;
use std::process::Command;
use std::time::Duration;

use rustls_pki_types::pem::PemObject as _;

use super::*;

const FILE: &[u8] = include_bytes!("../testdata/lamp.json");

fn openssl(dir: &Path, arguments: &str) {
    let output = Command::new("openssl")
        .args(arguments.split(' '))
        .current_dir(dir)
        .output()
        .expect("openssl");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "openssl {arguments}: {error}");
}

const EC: &str = "ec -pkeyopt ec_paramgen_curve:P-256";

/// An authority, and a signer of this kind of key whom it vouches for.
fn signer(dir: &Path, key: &str) -> CertificateDer<'static> {
    std::fs::write(dir.join("file"), FILE).unwrap();
    std::fs::write(dir.join("ext"), "keyUsage=digitalSignature").unwrap();
    openssl(
        dir,
        &format!("req -x509 -newkey {EC} -nodes -subj /CN=ca -keyout ca.key -out ca.crt"),
    );
    openssl(
        dir,
        &format!("req -new -newkey {key} -nodes -subj /CN=signer -keyout key -out csr"),
    );
    openssl(
        dir,
        "x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile ext -out crt",
    );
    CertificateDer::from_pem_file(dir.join("ca.crt")).unwrap()
}

/// A signature of [`FILE`] by openssl, made in this way.
fn sign(dir: &Path, how: &str) -> Vec<u8> {
    let sign = "cms -sign -binary -in file -signer crt -inkey key -outform DER -out p7s";
    openssl(dir, format!("{sign} {how}").trim());
    std::fs::read(dir.join("p7s")).unwrap()
}

fn signed(dir: &Path) -> (Vec<u8>, CertificateDer<'static>) {
    let ca = signer(dir, EC);
    (sign(dir, ""), ca)
}

fn valid() -> Signature {
    Signature::Valid {
        signer: "CN=signer".to_owned(),
    }
}

#[test]
fn rsa_signatures_are_verified_with_either_padding() {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let ca = signer(dir, "rsa:2048");
    let anchors = [webpki::anchor_from_trusted_cert(&ca).unwrap()];
    let verified = |how: &str| verify(FILE, &sign(dir, how), &anchors, UnixTime::now());
    let pss = "-keyopt rsa_padding_mode:pss";
    for how in ["", "-md sha384", "-md sha512 -noattr"] {
        assert_eq!(verified(how), valid(), "{how}");
        let how = format!("{how} {pss} -keyopt rsa_pss_saltlen:digest");
        assert_eq!(verified(how.trim()), valid(), "{how}");
    }
    // As long as there is room, openssl's own choice before 3.1.
    let why = verified(&format!("{pss} -keyopt rsa_pss_saltlen:max"));
    let why = why.why().unwrap().to_owned();
    assert!(why.contains("expected 32 bytes"), "{why}");
    assert_eq!(verified("-md sha1").state(), "invalid");
    // The parameters are no part of what is signed: wrong ones verify nothing.
    let good = sign(dir, &format!("{pss} -keyopt rsa_pss_saltlen:digest"));
    for index in good.len() - 330..good.len() {
        let mut other = good.clone();
        other[index] ^= 1;
        let found = verify(FILE, &other, &anchors, UnixTime::now());
        // Those of the mask generation say nothing that the signature does not.
        assert!(found == valid() || found.state() == "invalid", "{found:?}");
        if index >= good.len() - 256 {
            assert_eq!(found.state(), "invalid", "{index}");
        }
    }
}

/// Made by OpenSSL 4.0, since those before it do it wrongly or not at all: `cms -sign -binary` as
/// above, of keys of `ed25519`.
#[test]
fn ed25519_signatures_are_verified() {
    let ca = CertificateDer::from_pem_slice(include_bytes!("../testdata/ed25519-ca.crt")).unwrap();
    let anchors = [webpki::anchor_from_trusted_cert(&ca).unwrap()];
    let now = UnixTime::since_unix_epoch(Duration::from_secs(1_800_000_000));
    for signature in [
        &include_bytes!("../testdata/ed25519.p7s")[..],
        include_bytes!("../testdata/ed25519-noattr.p7s"),
    ] {
        assert_eq!(verify(FILE, signature, &anchors, now), valid());
        let found = verify(&FILE[1..], signature, &anchors, now);
        assert_eq!(found.state(), "invalid", "{found:?}");
        for index in signature.len() - 64..signature.len() {
            let mut other = signature.to_vec();
            other[index] ^= 1;
            let found = verify(FILE, &other, &anchors, now);
            assert_eq!(found.state(), "invalid", "{index}");
        }
    }
    // RFC 8419 section 3.1 has SHA-512 and no other digest.
    let mut other = include_bytes!("../testdata/ed25519.p7s").to_vec();
    let places = other.windows(SHA512.len()).enumerate();
    let places = places.filter(|(_, bytes)| *bytes == SHA512);
    let last = places.map(|(place, _)| place).next_back().unwrap() + SHA512.len() - 1;
    other[last] = 1;
    let found = verify(FILE, &other, &anchors, now);
    assert!(found.why().unwrap().contains("not SHA-512"), "{found:?}");
}

#[test]
fn no_other_bytes_are_a_signature_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (signature, ca) = signed(dir.path());
    let anchors = [webpki::anchor_from_trusted_cert(&ca).unwrap()];
    let now = UnixTime::now();
    let verified = |content: &[u8], signature: &[u8]| verify(content, signature, &anchors, now);
    let valid = valid();
    assert_eq!(verified(FILE, &signature), valid);
    let nobody = verify(FILE, &signature, &[], now);
    assert_eq!(nobody.state(), "unknown", "{nobody:?}");
    assert_eq!(nobody.signer(), Some("CN=signer"));

    for cut in 0..signature.len() {
        let found = verified(FILE, &signature[..cut]);
        assert_eq!(found.state(), "invalid", "cut at {cut}");
    }
    let longer = [&signature[..], &[0]].concat();
    assert_eq!(verified(FILE, &longer).state(), "invalid");

    // One byte another: what is left valid is not what the signature proves. That is the versions,
    // the list of digests that signers may use, and nulls where an algorithm takes no parameters.
    let mut spared = 0;
    for index in 0..signature.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut other = signature.clone();
            other[index] ^= flip;
            match verified(FILE, &other) {
                found if found == valid => spared += 1,
                found => assert!(found.signer().is_none_or(|_| found.state() == "unknown")),
            }
            let mut file = FILE.to_vec();
            if let Some(byte) = file.get_mut(index) {
                *byte ^= flip;
                assert_eq!(verified(&file, &signature).state(), "invalid", "{index}");
            }
        }
    }
    assert!(spared < 40 * 3, "{spared} changes made no difference");
}

#[test]
fn a_signer_s_name_cannot_drive_a_terminal() {
    let name = |value: &[u8]| {
        let mut attribute = vec![0x06, 3, 0x55, 4, 3, 0x0c, value.len() as u8];
        attribute.extend(value);
        let mut set = vec![
            SET,
            attribute.len() as u8 + 2,
            SEQUENCE,
            attribute.len() as u8,
        ];
        set.extend(attribute);
        subject(&set)
    };
    assert_eq!(name(b"Acme"), "CN=Acme");
    assert_eq!(name(b"a\x1b[2J\nb"), "CN=a[2Jb");
    assert_eq!(name(b"\xff"), "CN=\u{fffd}");
    assert_eq!(subject(&[]), "without a name");
    assert_eq!(subject(&[SET, 200, 1]), "without a name");
}
