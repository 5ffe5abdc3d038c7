use std::path::Path;
use std::process::Command;

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

/// A signature of [`FILE`] by openssl, and the authority that vouches for the signer.
fn signed(dir: &Path) -> (Vec<u8>, CertificateDer<'static>) {
    std::fs::write(dir.join("file"), FILE).unwrap();
    std::fs::write(dir.join("ext"), "keyUsage=digitalSignature").unwrap();
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
    openssl(
        dir,
        &format!("req -x509 {key} -subj /CN=ca -keyout ca.key -out ca.crt"),
    );
    openssl(
        dir,
        &format!("req -new {key} -subj /CN=signer -keyout key -out csr"),
    );
    openssl(
        dir,
        "x509 -req -in csr -CA ca.crt -CAkey ca.key -CAcreateserial -extfile ext -out crt",
    );
    openssl(
        dir,
        "cms -sign -binary -in file -signer crt -inkey key -outform DER -out p7s",
    );
    let signature = std::fs::read(dir.join("p7s")).unwrap();
    let ca = CertificateDer::from_pem_file(dir.join("ca.crt")).unwrap();
    (signature, ca)
}

#[test]
fn no_other_bytes_are_a_signature_of_the_file() {
    let dir = tempfile::tempdir().unwrap();
    let (signature, ca) = signed(dir.path());
    let anchors = [webpki::anchor_from_trusted_cert(&ca).unwrap()];
    let now = UnixTime::now();
    let verified = |content: &[u8], signature: &[u8]| verify(content, signature, &anchors, now);
    let valid = Signature::Valid {
        signer: "CN=signer".to_owned(),
    };
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
