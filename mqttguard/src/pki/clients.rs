//! Client certificates: whose are believed, which are revoked, and whom they name.
//!
//! A certificate is refused if any CA of its chain has revoked it, and, once there are revocation
//! lists at all, if one of them has no list here: what cannot be looked up is not believed. A list
//! past its next update still counts: it revokes what it revokes, and refusing the whole house for
//! a forgotten renewal would protect nobody.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::HandshakeSignatureValid;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, CertificateRevocationListDer, UnixTime};

use super::{PkiError, crypto_provider, store};
use crate::config::ClientCertificates;
use crate::der::{IA5_STRING, OBJECT, PRINTABLE_STRING, Reader, SEQUENCE, SET, UTF8_STRING};
use crate::text::clip;

/// The believed CAs and the revocation lists of one listener.
#[derive(Debug)]
pub struct ClientVerifier {
    /// Of the router's own client CA.
    own: Option<Arc<dyn ClientCertVerifier>>,
    /// Of the CAs that the owner brings.
    brought: Option<Arc<dyn ClientCertVerifier>>,
    subjects: Vec<DistinguishedName>,
    required: bool,
    /// Of all that it was made from.
    digest: Vec<u8>,
    /// The common name in the last certificate that was refused: rustls does not keep it.
    refused: Mutex<Option<String>>,
}

impl ClientVerifier {
    /// Reads the files. `own` is the certificate of the router's own client CA in PEM.
    ///
    /// # Errors
    ///
    /// When one cannot be read, is larger than 1 MiB, has nothing of its kind in it or something
    /// that is damaged.
    pub fn load(
        options: &ClientCertificates,
        own: Option<&str>,
    ) -> Result<ClientVerifier, PkiError> {
        let mut digest = ring::digest::Context::new(&ring::digest::SHA256);
        digest.update(&[u8::from(options.required)]);
        let mut read = |path: &Path| {
            let missing = || PkiError::unusable(path, "there is no such file");
            let text = store::read_large(path)?.ok_or_else(missing)?;
            digest.update(text.as_bytes());
            // Between two files.
            digest.update(&[0]);
            Ok(text)
        };
        let brought = match &options.ca {
            None => None,
            Some(path) => {
                let text = read(path)?;
                let builder = WebPkiClientVerifier::builder_with_provider(
                    roots(path, &text)?,
                    crypto_provider(),
                );
                let mut lists = Vec::new();
                for path in &options.crls {
                    let text = read(path)?;
                    let before = lists.len();
                    for list in CertificateRevocationListDer::pem_slice_iter(text.as_bytes()) {
                        lists.push(list.map_err(|error| PkiError::unusable(path, error))?);
                    }
                    if lists.len() == before {
                        return Err(PkiError::unusable(path, "no X509 CRL in PEM"));
                    }
                }
                // Only a list can be wrong by now.
                let blamed = options.crls.first().unwrap_or(path);
                let built = builder.with_crls(lists).allow_unauthenticated().build();
                Some(built.map_err(|error| PkiError::unusable(blamed, error))?)
            }
        };
        digest.update(own.unwrap_or_default().as_bytes());
        let own = own.map(|pem| -> Result<_, PkiError> {
            let path = Path::new("client-ca.crt");
            let roots = roots(path, pem)?;
            let builder = WebPkiClientVerifier::builder_with_provider(roots, crypto_provider());
            let built = builder.allow_unauthenticated().build();
            built.map_err(|error| PkiError::unusable(path, error))
        });
        let own = own.transpose()?;
        let all = own.iter().chain(&brought);
        let subjects = all.flat_map(|one| one.root_hint_subjects().to_vec());
        Ok(ClientVerifier {
            subjects: subjects.collect(),
            own,
            brought,
            required: options.required,
            digest: digest.finish().as_ref().to_vec(),
            refused: Mutex::new(None),
        })
    }

    /// The serial number, in lower case hexadecimal, of a certificate that the router's own client
    /// CA has issued; None if another one has.
    pub fn own_serial(&self, chain: &[CertificateDer<'_>]) -> Option<String> {
        let (own, end_entity) = (self.own.as_ref()?, chain.first()?);
        own.verify_client_cert(end_entity, &[], UnixTime::now())
            .ok()?;
        let certificate = webpki::EndEntityCert::try_from(end_entity).ok()?;
        let digits = certificate.serial().iter();
        Some(digits.map(|byte| format!("{byte:02x}")).collect())
    }

    fn verify(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let unknown = || Error::from(CertificateError::UnknownIssuer);
        let by = |one: &Option<Arc<dyn ClientCertVerifier>>| match one {
            Some(one) => one.verify_client_cert(end_entity, intermediates, now),
            None => Err(unknown()),
        };
        // What is wrong with one of the router's own is not for the other CAs to say.
        match by(&self.own) {
            Err(error) if error == unknown() => by(&self.brought),
            done => done,
        }
    }

    /// Either will do for signatures: they are of the certificate's key.
    fn any(&self) -> Result<&Arc<dyn ClientCertVerifier>, Error> {
        let any = self.own.as_ref().or(self.brought.as_ref());
        any.ok_or_else(|| CertificateError::UnknownIssuer.into())
    }

    /// Whether both were made from the same.
    pub fn is_same(&self, other: &ClientVerifier) -> bool {
        self.digest == other.digest
    }

    /// Whether clients without a certificate are refused.
    pub fn is_required(&self) -> bool {
        self.required
    }

    /// Whether a chain that was good once still is. A session that is resumed brings the chain
    /// of its first handshake, and rustls does not look at it again.
    pub fn check(&self, chain: &[CertificateDer<'_>]) -> Result<(), Error> {
        let Some((end_entity, intermediates)) = chain.split_first() else {
            return Err(Error::NoCertificatesPresented);
        };
        let now = UnixTime::now();
        self.verify(end_entity, intermediates, now).map(|_| ())
    }

    /// Whom the last refused certificate names; hostile text, cut if it is long. To be asked
    /// right after a handshake has failed, on the thread that did it.
    pub fn take_refused(&self) -> Option<String> {
        self.refused
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take()
    }
}

impl ClientCertVerifier for ClientVerifier {
    fn client_auth_mandatory(&self) -> bool {
        self.required
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        &self.subjects
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let verified = self.verify(end_entity, intermediates, now);
        if verified.is_err() {
            let name = common_name(end_entity).map(|name| clip(&name).into_owned());
            *self.refused.lock().unwrap_or_else(PoisonError::into_inner) = name;
        }
        verified
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.any()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        let schemes = |one: &Arc<dyn ClientCertVerifier>| one.supported_verify_schemes();
        self.any().map(schemes).unwrap_or_default()
    }
}

/// The certificates in PEM, to be believed.
fn roots(path: &Path, text: &str) -> Result<Arc<RootCertStore>, PkiError> {
    let mut roots = RootCertStore::empty();
    for der in CertificateDer::pem_slice_iter(text.as_bytes()) {
        let der = der.map_err(|error| PkiError::unusable(path, error))?;
        roots
            .add(der)
            .map_err(|error| PkiError::unusable(path, error))?;
    }
    match roots.is_empty() {
        true => Err(PkiError::unusable(path, "no certificate in PEM")),
        false => Ok(Arc::new(roots)),
    }
}

/// The common name in a certificate's subject (RFC 5280 section 4.1.2.6). None if there is none,
/// more than one, or one that is no text.
pub fn common_name(certificate: &CertificateDer<'_>) -> Option<String> {
    /// 2.5.4.3
    const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];

    let certificate = webpki::EndEntityCert::try_from(certificate).ok()?;
    let mut names = Reader::new(certificate.subject());
    let mut found = None;
    while !names.is_empty() {
        let mut attributes = names.take(SET)?.parts();
        while !attributes.is_empty() {
            let mut attribute = attributes.take(SEQUENCE)?.parts();
            if attribute.take(OBJECT)?.content != COMMON_NAME {
                continue;
            }
            let text = attribute.next()?;
            let is_text = [UTF8_STRING, PRINTABLE_STRING, IA5_STRING].contains(&text.tag);
            if found.is_some() || !is_text {
                return None;
            }
            found = Some(std::str::from_utf8(text.content).ok()?.to_owned());
        }
    }
    found.filter(|name| !name.is_empty())
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, DnValue, KeyPair};

    use super::*;

    fn certificate(names: &[DnValue]) -> CertificateDer<'static> {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params
            .distinguished_name
            .push(DnType::OrganizationName, "x".repeat(200));
        // rcgen keeps one value of a kind: the second goes by its number.
        let kinds = [DnType::CommonName, DnType::CustomDnType(vec![2, 5, 4, 3])];
        for (kind, name) in kinds.into_iter().zip(names) {
            params.distinguished_name.push(kind, name.clone());
        }
        let key = KeyPair::generate().unwrap();
        params.self_signed(&key).unwrap().der().clone()
    }

    #[test]
    fn the_common_name_is_the_only_one_and_text() {
        let utf8 = |text: &str| DnValue::Utf8String(text.into());
        let printable = DnValue::PrintableString("lamp".try_into().unwrap());
        let wide = DnValue::BmpString("lamp".try_into().unwrap());
        for (names, expected) in [
            (vec![utf8("lamp")], Some("lamp")),
            (vec![utf8("Größe 5")], Some("Größe 5")),
            (vec![printable], Some("lamp")),
            (vec![wide], None),
            (vec![], None),
            (vec![utf8("")], None),
            (vec![utf8("lamp"), utf8("admin")], None),
        ] {
            let name = common_name(&certificate(&names));
            assert_eq!(name.as_deref(), expected, "{names:?}");
        }
        assert_eq!(common_name(&CertificateDer::from(vec![0x30, 0x84])), None);
    }
}
