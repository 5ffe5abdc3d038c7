//! What there is to see of a certificate.

use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use super::digest;
use crate::calendar;
use crate::der::{CONTEXT_0, GENERALIZED_TIME, INTEGER, Reader, SEQUENCE, UTC_TIME};

/// A certificate as its owner compares it with what a device shows. Nothing of it is secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    /// SHA-256 of it, as `AB:CD:..`.
    pub sha256: String,
    /// SHA-1 of it, as firmware for small chips pins certificates by.
    pub sha1: String,
    /// The end of its validity, in milliseconds since the Unix epoch; None if it cannot be told.
    pub until_ms: Option<u64>,
}

impl Shown {
    pub(super) fn of(der: &[u8]) -> Shown {
        Shown {
            sha256: digest(&SHA256, der),
            sha1: digest(&SHA1_FOR_LEGACY_USE_ONLY, der),
            until_ms: until(der),
        }
    }

    /// Of the first certificate in PEM; None if there is none.
    pub(super) fn of_pem(pem: &str) -> Option<Shown> {
        let der = CertificateDer::from_pem_slice(pem.as_bytes()).ok()?;
        Some(Shown::of(&der))
    }
}

/// `notAfter` of the validity: RFC 5280 section 4.1.2.5.
fn until(der: &[u8]) -> Option<u64> {
    let mut certificate = Reader::new(der).take(SEQUENCE)?.parts();
    let mut signed = certificate.take(SEQUENCE)?.parts();
    let _version = signed.take(CONTEXT_0);
    let _serial = signed.take(INTEGER)?;
    let _algorithm = signed.take(SEQUENCE)?;
    let _issuer = signed.take(SEQUENCE)?;
    let mut validity = signed.take(SEQUENCE)?.parts();
    let _not_before = validity.next()?;
    let not_after = validity.next()?;
    let text = std::str::from_utf8(not_after.content).ok()?;
    let text = match (not_after.tag, text.len()) {
        (GENERALIZED_TIME, 15) => text.to_owned(),
        // Two digits of the year: those from 50 are of the last century.
        (UTC_TIME, 13) if text < "5" => format!("20{text}"),
        (UTC_TIME, 13) => format!("19{text}"),
        _ => return None,
    };
    let part = |range| text.get(range);
    calendar::moment(&format!(
        "{}-{}-{}T{}:{}:{}Z",
        part(0..4)?,
        part(4..6)?,
        part(6..8)?,
        part(8..10)?,
        part(10..12)?,
        part(12..14)?,
    ))
}

#[cfg(test)]
mod tests {
    use super::super::authority;
    use super::*;

    fn ends(year: i32) -> Option<u64> {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut params = authority::ca_params("a CA").unwrap();
        params.not_after = rcgen::date_time_ymd(year, 2, 1);
        Shown::of(params.self_signed(&key).unwrap().der()).until_ms
    }

    #[test]
    fn the_end_of_validity_in_both_kinds_of_time() {
        // X.509 has UTCTime until 2049 and GeneralizedTime from 2050.
        for (year, moment) in [
            (2024, "2024-02-01T00:00Z"),
            (2049, "2049-02-01T00:00Z"),
            (2050, "2050-02-01T00:00Z"),
            (2121, "2121-02-01T00:00Z"),
        ] {
            assert_eq!(ends(year), calendar::moment(moment), "{year}");
            assert!(ends(year).is_some());
        }
    }

    #[test]
    fn what_is_no_certificate_has_no_end() {
        for der in [&[][..], &[0x30], &[0x30, 0x02, 0x30, 0x00], b"certificate"] {
            assert_eq!(Shown::of(der).until_ms, None, "{der:?}");
        }
        assert_eq!(Shown::of_pem("-----BEGIN NONSENSE-----"), None);
    }

    #[test]
    fn fingerprints_are_as_openssl_writes_them() {
        let shown = Shown::of(b"abc");
        assert_eq!(
            shown.sha1,
            "A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D"
        );
        assert!(shown.sha256.starts_with("BA:78:16:BF:8F:01:CF:EA:"));
    }
}
