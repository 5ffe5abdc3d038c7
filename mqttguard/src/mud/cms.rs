//! The signature of a MUD file (RFC 8520 section 13): a detached CMS signature (RFC 5652) in DER.
//!
//! It is read here, by hand: one signer, no attribute certificates, no countersignatures, and the
//! algorithms that the TLS library has. What the signature and the chain of certificates are
//! verified with is that library's own verifier.

use ring::digest;
use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor, UnixTime};
use serde::{Deserialize, Serialize};
use webpki::{EndEntityCert, KeyUsage};

use super::certificate::{Certificate, subject};
use crate::der::{
    CONTEXT_0, CONTEXT_1, CONTEXT_2, Element, INTEGER, OBJECT, OCTET_STRING, Reader, SEQUENCE, SET,
};

/// What is known of who signed a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "kebab-case", deny_unknown_fields)]
pub enum Signature {
    /// Signed, by one whom a trusted authority vouches for.
    Valid {
        /// The subject of the signer's certificate.
        signer: String,
    },
    /// Signed, by one whom nobody trusted vouches for.
    Unknown {
        /// The subject of the signer's certificate: its own word.
        signer: String,
        /// Why that is not to be relied on.
        why: String,
    },
    /// The file names no signature.
    Absent,
    /// There is none, it is not of this file, or its signer's time is over.
    Invalid {
        /// What is wrong.
        why: String,
    },
}

impl Signature {
    /// As ubus shows it: `valid`, `unknown`, `absent` or `invalid`.
    pub fn state(&self) -> &'static str {
        match self {
            Signature::Valid { .. } => "valid",
            Signature::Unknown { .. } => "unknown",
            Signature::Absent => "absent",
            Signature::Invalid { .. } => "invalid",
        }
    }

    /// Who signed, as far as that is known.
    pub fn signer(&self) -> Option<&str> {
        match self {
            Signature::Valid { signer } | Signature::Unknown { signer, .. } => Some(signer),
            Signature::Absent | Signature::Invalid { .. } => None,
        }
    }

    /// Why it is not valid.
    pub fn why(&self) -> Option<&str> {
        match self {
            Signature::Unknown { why, .. } | Signature::Invalid { why } => Some(why),
            Signature::Absent => Some("the file names no signature (mud-signature)"),
            Signature::Valid { .. } => None,
        }
    }
}

/// 1.2.840.113549.1.7.1 and .2
const DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 1];
const SIGNED_DATA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 7, 2];
/// 1.2.840.113549.1.9.3 and .4
const CONTENT_TYPE: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 3];
const MESSAGE_DIGEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 9, 4];
/// 2.16.840.1.101.3.4.2.1 to .3
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];
const SHA384: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 2];
const SHA512: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3];
/// 1.2.840.113549.1.1.1, .11, .12, .13
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];
const RSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 11];
const RSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 12];
const RSA_SHA512: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 13];
/// 1.2.840.113549.1.1.10
const RSA_PSS: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 10];
/// 1.3.101.112
const ED25519: &[u8] = &[0x2b, 0x65, 0x70];
/// 1.2.840.10045.4.3.2 and .3
const ECDSA_SHA256: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 2];
const ECDSA_SHA384: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 4, 3, 3];
/// 1.3.6.1.5.5.7.3.4, emailProtection: what S/MIME, and so `openssl cms -verify`, asks for if a
/// certificate names purposes at all. One that is for web servers does not make its holder a signer.
const SIGNING: KeyUsage = KeyUsage::required_if_present(&[0x2b, 6, 1, 5, 5, 7, 3, 4]);

/// Certificates in a signature, and attributes of a signer.
const MAX_CERTIFICATES: usize = 8;
const MAX_ATTRIBUTES: usize = 16;
/// `[0]`, primitive.
const KEY_IDENTIFIER: u8 = 0x80;

type Algorithms = Vec<&'static dyn SignatureVerificationAlgorithm>;

/// What a signature says, before any of it is verified.
struct Signed<'a> {
    certificates: Vec<Element<'a>>,
    signer: Signer<'a>,
}

struct Signer<'a> {
    name: Name<'a>,
    digest: &'static digest::Algorithm,
    attributes: Option<Element<'a>>,
    algorithms: Algorithms,
    signature: &'a [u8],
}

/// How a signer's certificate is named (RFC 5652 section 5.3).
enum Name<'a> {
    IssuerAndSerial(&'a [u8], &'a [u8]),
    Key(&'a [u8]),
}

/// Verifies a detached signature of `content`: the signature itself, then who made it.
pub(super) fn verify(
    content: &[u8],
    signature: &[u8],
    anchors: &[TrustAnchor<'_>],
    now: UnixTime,
) -> Signature {
    check(content, signature, anchors, now).unwrap_or_else(|why| Signature::Invalid { why })
}

fn check(
    content: &[u8],
    signature: &[u8],
    anchors: &[TrustAnchor<'_>],
    now: UnixTime,
) -> Result<Signature, String> {
    let signed = read(signature)?;
    let is_it = |der: &&Element<'_>| {
        Certificate::read(der.whole).is_some_and(|found| signed.signer.name.is_of(&found))
    };
    let der = signed.certificates.iter().find(is_it);
    let der = der.ok_or("the signer's certificate is not in the signature")?;
    let own = CertificateDer::from(der.whole);
    let certificate = EndEntityCert::try_from(&own)
        .map_err(|error| format!("the signer's certificate is not one: {error}"))?;
    signed.signer.verify(content, &certificate)?;

    let signer = subject(certificate.subject());
    // RFC 8520 section 13.2 wants it present, and set.
    if !Certificate::read(der.whole).is_some_and(|found| found.may_sign()) {
        let why = "its certificate is not for digital signatures (keyUsage)".to_owned();
        return Ok(Signature::Unknown { signer, why });
    }
    let others = signed.certificates.iter();
    let others = others.filter(|other| other.whole != der.whole);
    let others: Vec<_> = others
        .map(|other| CertificateDer::from(other.whole))
        .collect();
    let path = certificate.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        anchors,
        &others,
        now,
        SIGNING,
        None,
        None,
    );
    match path {
        Ok(_) => Ok(Signature::Valid { signer }),
        Err(webpki::Error::CertExpired { .. }) => {
            Err("the signer's certificate has expired".into())
        }
        Err(webpki::Error::InvalidCertValidity) => {
            Err("the signer's certificate ends before it begins".into())
        }
        Err(webpki::Error::CertNotValidYet { .. }) => {
            Err("the signer's certificate is not valid yet: does this router know the time?".into())
        }
        Err(webpki::Error::UnknownIssuer) => Ok(Signature::Unknown {
            signer,
            why: "its certificate is from no authority that this router trusts".into(),
        }),
        Err(error) => Ok(Signature::Unknown {
            signer,
            why: format!("its certificate does not prove who it is: {error}"),
        }),
    }
}

fn read(signature: &[u8]) -> Result<Signed<'_>, String> {
    let damaged = || "the signature is no CMS in DER".to_owned();
    let mut outer = Reader::new(signature);
    let mut info = outer.take(SEQUENCE).ok_or_else(damaged)?.parts();
    if !outer.is_empty() {
        return Err("the signature has something behind its end".into());
    }
    let kind = info.take(OBJECT).ok_or_else(damaged)?;
    if kind.content != SIGNED_DATA {
        return Err("the signature is CMS of another kind than signed data".into());
    }
    let mut explicit = info.take(CONTEXT_0).ok_or_else(damaged)?.parts();
    let mut data = explicit.take(SEQUENCE).ok_or_else(damaged)?.parts();
    data.take(INTEGER).ok_or_else(damaged)?;
    data.take(SET).ok_or_else(damaged)?;
    let mut content = data.take(SEQUENCE).ok_or_else(damaged)?.parts();
    let kind = content.take(OBJECT).ok_or_else(damaged)?;
    if kind.content != DATA || !content.is_empty() {
        return Err("the signature is not a detached one of data".into());
    }
    let certificates = data.take(CONTEXT_0).map(|found| found.parts());
    let certificates = certificates.unwrap_or(Reader::new(&[]));
    let certificates = certificates.all(MAX_CERTIFICATES).ok_or_else(|| {
        format!("the signature's certificates are no DER, or more than {MAX_CERTIFICATES}")
    })?;
    // Revocation lists; the owner's word is what takes a file back.
    data.take(CONTEXT_1);
    let mut signers = data.take(SET).ok_or_else(damaged)?.parts();
    let signer = signers.take(SEQUENCE);
    let signer = signer.ok_or("the signature has no signer")?;
    if !signers.is_empty() {
        return Err("the signature has several signers, expected one".into());
    }
    Ok(Signed {
        certificates,
        signer: read_signer(signer.parts())?,
    })
}

fn read_signer(mut info: Reader<'_>) -> Result<Signer<'_>, String> {
    let damaged = || "the signature's signer is no DER".to_owned();
    info.take(INTEGER).ok_or_else(damaged)?;
    let name = match info.take(SEQUENCE) {
        Some(name) => {
            let mut name = name.parts();
            let issuer = name.take(SEQUENCE).ok_or_else(damaged)?;
            let serial = name.take(INTEGER).ok_or_else(damaged)?;
            Name::IssuerAndSerial(issuer.whole, serial.content)
        }
        None => Name::Key(info.take(KEY_IDENTIFIER).ok_or_else(damaged)?.content),
    };
    let (digest, _) = algorithm(&mut info).ok_or_else(damaged)?;
    let digest = digest_of(digest)
        .ok_or("the signature's digest is none of SHA-256, SHA-384 and SHA-512")?;
    let attributes = info.take(CONTEXT_0);
    let (algorithm, parameters) = algorithm(&mut info).ok_or_else(damaged)?;
    let algorithms = match algorithm {
        RSA_PSS => pss(parameters, digest)?,
        // RFC 8419 sections 3.1 and 3.2.
        ED25519 if *digest != digest::SHA512 => {
            return Err("the signature's digest is not SHA-512, which Ed25519 has in CMS".into());
        }
        _ => algorithms_of(algorithm, digest).ok_or(
            "the signature's algorithm is none of RSA, Ed25519, and ECDSA with SHA-256 or SHA-384",
        )?,
    };
    let signature = info.take(OCTET_STRING).ok_or_else(damaged)?.content;
    Ok(Signer {
        name,
        digest,
        attributes,
        algorithms,
        signature,
    })
}

/// An algorithm, and its parameters.
fn algorithm<'a>(info: &mut Reader<'a>) -> Option<(&'a [u8], Reader<'a>)> {
    let mut parts = info.take(SEQUENCE)?.parts();
    Some((parts.take(OBJECT)?.content, parts))
}

fn digest_of(oid: &[u8]) -> Option<&'static digest::Algorithm> {
    match oid {
        SHA256 => Some(&digest::SHA256),
        SHA384 => Some(&digest::SHA384),
        SHA512 => Some(&digest::SHA512),
        _ => None,
    }
}

/// What may verify an RSASSA-PSS signature with these parameters (RFC 4055 section 3.1). The TLS
/// library knows those with one digest throughout and a salt as long; whether the mask generation is
/// by that digest too, the signature itself shows.
fn pss(parameters: Reader<'_>, digest: &'static digest::Algorithm) -> Result<Algorithms, String> {
    use webpki::ring as known;
    let mut parameters = parameters.last(SEQUENCE).map(|found| found.parts());
    let mut hash = None;
    let mut salt = None;
    while let Some(one) = parameters.as_mut().and_then(Reader::next) {
        match one.tag {
            CONTEXT_0 => hash = algorithm(&mut one.parts()).and_then(|(oid, _)| digest_of(oid)),
            CONTEXT_2 => salt = one.parts().last(INTEGER).map(|found| found.content),
            _ => {}
        }
    }
    if hash != Some(digest) {
        return Err("the signature's RSA-PSS has another digest than the signature".into());
    }
    let length = digest.output_len();
    if salt.is_none_or(|salt| u8::try_from(length).is_ok_and(|length| *salt != [length])) {
        return Err(format!(
            "the signature's RSA-PSS has a salt of another length, expected {length} bytes as the \
             digest has (openssl cms -keyopt rsa_pss_saltlen:digest)"
        ));
    }
    Ok(if *digest == digest::SHA256 {
        vec![known::RSA_PSS_2048_8192_SHA256_LEGACY_KEY]
    } else if *digest == digest::SHA384 {
        vec![known::RSA_PSS_2048_8192_SHA384_LEGACY_KEY]
    } else {
        vec![known::RSA_PSS_2048_8192_SHA512_LEGACY_KEY]
    })
}

/// What may verify a signature of this algorithm; which of them does is up to the key.
fn algorithms_of(oid: &[u8], digest: &'static digest::Algorithm) -> Option<Algorithms> {
    use webpki::ring as known;
    let of_digest = if *digest == digest::SHA256 {
        RSA_SHA256
    } else if *digest == digest::SHA384 {
        RSA_SHA384
    } else {
        RSA_SHA512
    };
    let oid = if oid == RSA { of_digest } else { oid };
    Some(match oid {
        RSA_SHA256 => vec![known::RSA_PKCS1_2048_8192_SHA256],
        RSA_SHA384 => vec![known::RSA_PKCS1_2048_8192_SHA384],
        RSA_SHA512 => vec![known::RSA_PKCS1_2048_8192_SHA512],
        ECDSA_SHA256 => vec![known::ECDSA_P256_SHA256, known::ECDSA_P384_SHA256],
        ECDSA_SHA384 => vec![known::ECDSA_P256_SHA384, known::ECDSA_P384_SHA384],
        ED25519 => vec![known::ED25519],
        _ => return None,
    })
}

impl Name<'_> {
    fn is_of(&self, certificate: &Certificate<'_>) -> bool {
        match self {
            Name::IssuerAndSerial(issuer, serial) => {
                (*issuer, *serial) == (certificate.issuer, certificate.serial)
            }
            Name::Key(key) => certificate.key_identifier() == Some(*key),
        }
    }
}

impl Signer<'_> {
    fn verify(&self, content: &[u8], certificate: &EndEntityCert<'_>) -> Result<(), String> {
        let message = match self.attributes {
            None => content.to_vec(),
            Some(attributes) => {
                self.attest(content, attributes.parts())?;
                // They are signed as the SET that they are, not with the tag that they stand under
                // (RFC 5652 section 5.4).
                let mut message = attributes.whole.to_vec();
                if let Some(tag) = message.first_mut() {
                    *tag = SET;
                }
                message
            }
        };
        let fits = |algorithm: &&dyn SignatureVerificationAlgorithm| {
            certificate
                .verify_signature(*algorithm, &message, self.signature)
                .is_ok()
        };
        match self.algorithms.iter().any(fits) {
            true => Ok(()),
            false => Err("the signature was not made with the signer's key".into()),
        }
    }

    /// That the signed attributes are about `content`.
    fn attest(&self, content: &[u8], attributes: Reader<'_>) -> Result<(), String> {
        let attributes = attributes.all(MAX_ATTRIBUTES);
        let attributes = attributes.ok_or("the signed attributes are no DER, or too many")?;
        let single = |wanted: &[u8]| {
            let mut values = attributes.iter().filter_map(|attribute| {
                let mut parts = attribute.parts();
                let is_it = parts.take(OBJECT)?.content == wanted;
                is_it.then(|| parts.take(SET)).flatten()
            });
            let mut value = values.next()?.parts();
            let found = value.next()?;
            (values.next().is_none() && value.is_empty()).then_some(found)
        };
        let kind = single(CONTENT_TYPE).ok_or("the signed attributes have no content type")?;
        if (kind.tag, kind.content) != (OBJECT, DATA) {
            return Err("the signed attributes are of another kind of content".into());
        }
        let found = single(MESSAGE_DIGEST).ok_or("the signed attributes have no digest")?;
        let expected = digest::digest(self.digest, content);
        if (found.tag, found.content) != (OCTET_STRING, expected.as_ref()) {
            return Err("the signature is of another file".into());
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
