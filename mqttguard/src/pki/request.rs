//! Certificate requests (PKCS #10, RFC 2986): whoever makes one has the private key, and shows it by
//! signing. Only the public key is taken from it; what the certificate says is the router's word.

use std::fmt;

use rcgen::{
    PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, PublicKeyData,
    SignatureAlgorithm,
};
use ring::signature::{self, VerificationAlgorithm};
use rustls_pki_types::CertificateSigningRequestDer;
use rustls_pki_types::pem::PemObject;

use crate::der::{BIT_STRING, CONTEXT_0, INTEGER, OBJECT, Reader, SEQUENCE};

/// Longest request, in bytes of PEM. One with a key of RSA 4096 and some extensions takes 2 KiB.
pub(super) const MAX_PEM: usize = 16 * 1024;
/// Modulus of an RSA key, in bits. ring checks signatures from the one on; the other keeps a
/// handshake from costing the broker's thread too much.
const RSA_BITS: std::ops::RangeInclusive<usize> = 2048..=4096;

/// id-ecPublicKey (RFC 5480 section 2.1.1), secp256r1, secp384r1.
const EC_PUBLIC_KEY: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const SECP256R1: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
const SECP384R1: &[u8] = &[0x2b, 0x81, 0x04, 0x00, 0x22];
/// rsaEncryption (RFC 8017 appendix A.1).
const RSA_ENCRYPTION: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01];
/// id-Ed25519 (RFC 8410 section 3): of keys and of signatures.
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// ecdsa-with-SHA256, ecdsa-with-SHA384 (RFC 5758 section 3.2).
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x02];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x03, 0x03];
/// sha256WithRSAEncryption, sha384..., sha512... (RFC 8017 appendix C).
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0b];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0c];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x0d];

/// What a request is to be, for those that are not.
const KEYS: &str = "ECDSA P-256 or P-384, Ed25519, or RSA of 2048 to 4096 bits";

/// Why a text is no request that can be signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// It is longer than [`MAX_PEM`].
    #[error("csr: found {0} bytes, expected at most {MAX_PEM}")]
    Long(usize),
    /// It is no PEM with a request in it.
    #[error("csr: found no PEM with BEGIN CERTIFICATE REQUEST, expected one")]
    Pem,
    /// The request is not as RFC 2986 has it.
    #[error("csr: found a damaged request, expected PKCS #10 (RFC 2986) in DER")]
    Format,
    /// Its key is of a kind that no client is let in by.
    #[error("csr: found {0}, expected {KEYS}")]
    Key(String),
    /// It is signed in a way that does not go with the key, or by an outdated hash.
    #[error(
        "csr: found a signature of another algorithm, expected ECDSA, RSA (PKCS #1) or Ed25519, as \
         the key is, with SHA-256 or better"
    )]
    Algorithm,
    /// Whoever made it has not the key.
    #[error("csr: its signature is not by its own key; was it changed?")]
    Signature,
}

/// A public key whose private half somebody has shown to have.
#[derive(Clone)]
pub struct ProvenKey {
    algorithm: &'static SignatureAlgorithm,
    key: Vec<u8>,
}

/// Shows no more than its kind.
impl fmt::Debug for ProvenKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.algorithm;
        f.debug_tuple("ProvenKey").field(kind).finish()
    }
}

impl PublicKeyData for ProvenKey {
    fn der_bytes(&self) -> &[u8] {
        &self.key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        self.algorithm
    }
}

impl ProvenKey {
    /// The key of a request in PEM. Other things in the text are passed over, as openssl does.
    ///
    /// # Errors
    ///
    /// When it is none, of a kind that will not do, or not signed by its own key.
    pub fn from_request(pem: &str) -> Result<ProvenKey, RequestError> {
        if pem.len() > MAX_PEM {
            return Err(RequestError::Long(pem.len()));
        }
        let der = CertificateSigningRequestDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| RequestError::Pem)?;
        let request = Request::read(&der).ok_or(RequestError::Format)?;
        let key = Key::read(request.key_algorithm, request.key)?;
        let by = key
            .signed_by(request.signature_algorithm)
            .ok_or(RequestError::Algorithm)?;
        signature::UnparsedPublicKey::new(by, request.key)
            .verify(request.signed, request.signature)
            .map_err(|_| RequestError::Signature)?;
        Ok(ProvenKey {
            algorithm: key.algorithm(),
            key: request.key.to_vec(),
        })
    }
}

/// The parts of a CertificationRequest (RFC 2986 section 4) that matter here.
struct Request<'a> {
    /// The CertificationRequestInfo, which is signed.
    signed: &'a [u8],
    /// Content of the key's AlgorithmIdentifier.
    key_algorithm: &'a [u8],
    key: &'a [u8],
    /// Content of the signature's AlgorithmIdentifier.
    signature_algorithm: &'a [u8],
    signature: &'a [u8],
}

impl<'a> Request<'a> {
    fn read(der: &'a [u8]) -> Option<Request<'a>> {
        let mut request = Reader::new(der).last(SEQUENCE)?.parts();
        let signed = request.take(SEQUENCE)?;
        let signature_algorithm = request.take(SEQUENCE)?.content;
        let signature = request.last(BIT_STRING)?.bytes()?;
        let mut info = signed.parts();
        let version = info.take(INTEGER)?.content;
        let _subject = info.take(SEQUENCE)?;
        let mut key = info.take(SEQUENCE)?.parts();
        let key_algorithm = key.take(SEQUENCE)?.content;
        let key = key.last(BIT_STRING)?.bytes()?;
        // openssl writes an empty one, others leave it out.
        let _attributes = info.take(CONTEXT_0);
        (version == [0] && info.is_empty()).then_some(Request {
            signed: signed.whole,
            key_algorithm,
            key,
            signature_algorithm,
            signature,
        })
    }
}

#[derive(Clone, Copy)]
enum Key {
    EcdsaP256,
    EcdsaP384,
    Ed25519,
    Rsa,
}

impl Key {
    fn read(algorithm: &[u8], key: &[u8]) -> Result<Key, RequestError> {
        let mut algorithm = Reader::new(algorithm);
        let kind = algorithm.take(OBJECT).ok_or(RequestError::Format)?;
        match kind.content {
            EC_PUBLIC_KEY => match algorithm.last(OBJECT).map(|curve| curve.content) {
                Some(SECP256R1) => Ok(Key::EcdsaP256),
                Some(SECP384R1) => Ok(Key::EcdsaP384),
                _ => Err(RequestError::Key("an ECDSA key of another curve".into())),
            },
            ED25519 => Ok(Key::Ed25519),
            RSA_ENCRYPTION => match modulus_bits(key).ok_or(RequestError::Format)? {
                bits if RSA_BITS.contains(&bits) => Ok(Key::Rsa),
                bits => Err(RequestError::Key(format!("an RSA key of {bits} bits"))),
            },
            _ => Err(RequestError::Key("a key of another kind".into())),
        }
    }

    /// What a certificate says the key is for.
    fn algorithm(self) -> &'static SignatureAlgorithm {
        match self {
            Key::EcdsaP256 => &PKCS_ECDSA_P256_SHA256,
            Key::EcdsaP384 => &PKCS_ECDSA_P384_SHA384,
            Key::Ed25519 => &PKCS_ED25519,
            Key::Rsa => &PKCS_RSA_SHA256,
        }
    }

    /// How a signature of this AlgorithmIdentifier is checked; None if it is of another key.
    fn signed_by(self, algorithm: &[u8]) -> Option<&'static dyn VerificationAlgorithm> {
        let kind = Reader::new(algorithm).take(OBJECT)?;
        Some(match (self, kind.content) {
            (Key::EcdsaP256, ECDSA_SHA256) => &signature::ECDSA_P256_SHA256_ASN1,
            (Key::EcdsaP256, ECDSA_SHA384) => &signature::ECDSA_P256_SHA384_ASN1,
            (Key::EcdsaP384, ECDSA_SHA256) => &signature::ECDSA_P384_SHA256_ASN1,
            (Key::EcdsaP384, ECDSA_SHA384) => &signature::ECDSA_P384_SHA384_ASN1,
            (Key::Ed25519, ED25519) => &signature::ED25519,
            (Key::Rsa, RSA_SHA256) => &signature::RSA_PKCS1_2048_8192_SHA256,
            (Key::Rsa, RSA_SHA384) => &signature::RSA_PKCS1_2048_8192_SHA384,
            (Key::Rsa, RSA_SHA512) => &signature::RSA_PKCS1_2048_8192_SHA512,
            _ => return None,
        })
    }
}

/// Bits of the modulus in an RSAPublicKey (RFC 8017 appendix A.1.1).
fn modulus_bits(key: &[u8]) -> Option<usize> {
    let modulus = Reader::new(key).last(SEQUENCE)?.parts().take(INTEGER)?;
    let modulus = modulus.content;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let first = modulus.first().filter(|first| **first != 0)?;
    let unused = usize::try_from(first.leading_zeros()).ok()?;
    modulus.len().checked_mul(8)?.checked_sub(unused)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    /// What openssl makes of a request for a new key, by its own words.
    fn by_openssl(dir: &std::path::Path, words: &[&str]) -> String {
        let made = Command::new("openssl")
            .args([
                "req",
                "-new",
                "-nodes",
                "-subj",
                "/CN=admin/O=somebody else",
            ])
            .args(["-addext", "basicConstraints=critical,CA:TRUE"])
            .args(words)
            .arg("-keyout")
            .arg(dir.join("key"))
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output()
            .expect("openssl");
        assert!(made.status.success(), "{words:?}");
        String::from_utf8(made.stdout).unwrap()
    }

    #[test]
    fn keys_of_all_good_kinds_are_taken_and_others_named() {
        let dir = tempfile::tempdir().unwrap();
        for words in [
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"][..],
            &[
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-256",
                "-sha384",
            ],
            &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-384"],
            &[
                "-newkey",
                "ec",
                "-pkeyopt",
                "ec_paramgen_curve:P-384",
                "-sha384",
            ],
            &["-newkey", "ed25519"],
            &["-newkey", "rsa:2048"],
            &["-newkey", "rsa:2048", "-sha512"],
            &["-newkey", "rsa:3072"],
        ] {
            let pem = by_openssl(dir.path(), words);
            let key = ProvenKey::from_request(&pem);
            assert!(key.is_ok(), "{words:?}: {key:?}");
        }
        for (words, expected) in [
            (&["-newkey", "rsa:1024"][..], "an RSA key of 1024 bits"),
            (
                &["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-521"],
                "another curve",
            ),
            (&["-newkey", "ed448"], "another kind"),
            (&["-newkey", "rsa:2048", "-sha1"], "another algorithm"),
        ] {
            let pem = by_openssl(dir.path(), words);
            let error = ProvenKey::from_request(&pem).unwrap_err().to_string();
            assert!(error.contains(expected), "{words:?}: {error}");
        }
    }

    #[test]
    fn one_that_was_changed_anywhere_is_refused() {
        let key = rcgen::KeyPair::generate().unwrap();
        let params = rcgen::CertificateParams::new(vec!["lamp".to_owned()]).unwrap();
        let good = params.serialize_request(&key).unwrap();
        let pem = |der: &[u8]| {
            use base64::Engine as _;
            let text = base64::engine::general_purpose::STANDARD.encode(der);
            format!(
                "-----BEGIN CERTIFICATE REQUEST-----\n{text}\n-----END CERTIFICATE REQUEST-----\n"
            )
        };
        assert!(ProvenKey::from_request(&pem(good.der())).is_ok());
        for place in 0..good.der().len() {
            let mut bad = good.der().to_vec();
            bad[place] ^= 1;
            assert!(ProvenKey::from_request(&pem(&bad)).is_err(), "byte {place}");
            let cut = &good.der()[..place];
            assert!(ProvenKey::from_request(&pem(cut)).is_err(), "{place} bytes");
        }
        let mut longer = good.der().to_vec();
        longer.push(0);
        assert_eq!(
            ProvenKey::from_request(&pem(&longer)).unwrap_err(),
            RequestError::Format
        );
        assert_eq!(
            ProvenKey::from_request("lamp").unwrap_err(),
            RequestError::Pem
        );
        let long = " ".repeat(MAX_PEM + 1);
        assert_eq!(
            ProvenKey::from_request(&long).unwrap_err(),
            RequestError::Long(MAX_PEM + 1)
        );
    }
}
