//! The CA of the devices' client certificates: another one than the broker's own, so that no
//! client certificate can ever stand for the broker, nor the broker's for a client.
//!
//! | file | mode | content |
//! |---|---|---|
//! | `client-ca.crt` | 0644 | its certificate, valid for 20 years |
//! | `client-ca.key` | 0600 | its key, ECDSA P-256 |
//!
//! What it has issued is good only while the registry lists its serial number: there is no
//! revocation list that could be out of date or missing.

use std::path::Path;
use std::time::{Duration, SystemTime};

use rcgen::{CertificateParams, ExtendedKeyUsagePurpose, Issuer, KeyPair, KeyUsagePurpose};
use rcgen::{PKCS_ECDSA_P256_SHA256, date_time_ymd};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use zeroize::Zeroizing;

use super::authority::{
    FIRST_YEAR, KeyKind, belong_together, ca_params, common_name, create_key, open_key,
    serial_number, unix,
};
use super::{PkiError, ProvenKey, store};

const CA_NAME: &str = "mqttguard client CA";

/// The CA, opened.
pub(super) struct ClientAuthority {
    pem: String,
    key: KeyPair,
}

/// A certificate that was just made, and the only copy of its key, if that was made too.
pub struct IssuedCertificate {
    /// The certificate in PEM.
    pub certificate: String,
    /// Its key in PKCS #8 PEM; None if whoever asked for it has it.
    pub key: Option<Zeroizing<String>>,
    /// Its serial number, in lower case hexadecimal.
    pub serial: String,
    /// When it expires.
    pub until: SystemTime,
}

impl ClientAuthority {
    pub(super) fn open_or_create(dir: &Path) -> Result<ClientAuthority, PkiError> {
        let (crt, key_path) = (dir.join("client-ca.crt"), dir.join("client-ca.key"));
        let key = match open_key(&key_path, KeyKind::EcdsaP256)? {
            Some(key) => key,
            None if crt.exists() => {
                let what = "it is missing, but client-ca.crt is there";
                return Err(PkiError::damaged(&key_path, what));
            }
            None => create_key(&key_path)?,
        };
        let pem = match store::read(&crt)? {
            Some(pem) => pem.to_string(),
            None => {
                let pem = ca_params(CA_NAME)?
                    .self_signed(&key)
                    .map_err(|error| PkiError::crypto("the client CA's certificate", error))?
                    .pem();
                store::write(&crt, &pem, store::PUBLIC)?;
                pem
            }
        };
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|error| PkiError::damaged(&crt, format!("no certificate in PEM ({error})")))?;
        if !belong_together(&der, &key) {
            let what = "it is damaged or belongs to another key than client-ca.key";
            return Err(PkiError::damaged(&crt, what));
        }
        Ok(ClientAuthority { pem, key })
    }

    pub(super) fn pem(&self) -> &str {
        &self.pem
    }

    /// Makes a certificate that names the user, for this key or a new one.
    pub(super) fn issue(
        &self,
        username: &str,
        key: Option<&ProvenKey>,
        now: SystemTime,
        time: Duration,
    ) -> Result<IssuedCertificate, PkiError> {
        let until = SystemTime::UNIX_EPOCH + unix(now).saturating_add(time);
        let serial = serial_number()?;
        let mut params = CertificateParams::default();
        params.distinguished_name = common_name(username);
        params.serial_number = Some(serial.clone());
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        // The router may boot without a clock, as for its own certificates.
        params.not_before = date_time_ymd(FIRST_YEAR, 1, 1);
        params.not_after = until.into();
        let failed = |error| PkiError::crypto("a client certificate", error);
        let issuer = Issuer::new(ca_params(CA_NAME)?, &self.key);
        let (certificate, key) = match key {
            Some(key) => (params.signed_by(key, &issuer).map_err(failed)?, None),
            None => {
                let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(failed)?;
                let certificate = params.signed_by(&key, &issuer).map_err(failed)?;
                (certificate, Some(Zeroizing::new(key.serialize_pem())))
            }
        };
        let digits = serial.to_bytes().into_iter();
        Ok(IssuedCertificate {
            certificate: certificate.pem(),
            key,
            serial: digits.map(|byte| format!("{byte:02x}")).collect(),
            until,
        })
    }
}
