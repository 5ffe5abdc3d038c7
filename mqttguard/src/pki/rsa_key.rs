//! An RSA key, made on a thread of its own.

use std::io;
use std::sync::Arc;
use std::sync::OnceLock;
use std::thread;

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rsa::pkcs8::EncodePrivateKey;
use rsa::rand_core::OsRng;
use rustls_pki_types::PrivatePkcs8KeyDer;
use zeroize::Zeroizing;

use super::PkiError;

/// All that ESP8266-class clients can verify. ring signs with no less.
const BITS: usize = 2048;
/// The lowest priority there is: the router has better things to do.
const NICENESS: i32 = 19;

type Made = Result<Zeroizing<String>, String>;

/// A key in the making.
pub(super) struct RsaKey(Arc<OnceLock<Made>>);

impl RsaKey {
    /// Begins to make one.
    pub(super) fn begin() -> io::Result<RsaKey> {
        let key = RsaKey(Arc::default());
        let place = Arc::clone(&key.0);
        thread::Builder::new()
            .name("rsa-key".into())
            .spawn(move || {
                // On Linux this is the thread's own. At full priority it takes as long or less.
                let _ = rustix::process::setpriority_process(None, NICENESS);
                let _ = place.set(make());
            })?;
        Ok(key)
    }

    pub(super) fn is_made(&self) -> bool {
        self.0.get().is_some()
    }

    /// The key in PKCS #8 PEM, once it is made.
    pub(super) fn pem(&self) -> Result<Zeroizing<String>, PkiError> {
        match self.0.get() {
            Some(Ok(pem)) => Ok(pem.clone()),
            Some(Err(error)) => Err(PkiError::crypto("an RSA key", error)),
            None => Err(PkiError::crypto("an RSA key", "it is not made yet")),
        }
    }
}

/// A new RSA key and a request for a certificate of it. On a small router it takes up to a minute.
pub struct RsaRequest {
    /// The key in PKCS #8 PEM.
    pub key: Zeroizing<String>,
    /// The request in PEM. It names nobody: that is for who signs it.
    pub request: String,
}

impl RsaRequest {
    /// Makes both, on this thread.
    ///
    /// # Errors
    ///
    /// When the system or the library fails.
    pub fn make() -> Result<RsaRequest, PkiError> {
        let failed = |error: rcgen::Error| PkiError::crypto("an RSA key", error);
        let key = make().map_err(|error| PkiError::crypto("an RSA key", error))?;
        let pair = KeyPair::from_pem(&key).map_err(failed)?;
        let mut params = rcgen::CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        let request = params.serialize_request(&pair).map_err(failed)?;
        Ok(RsaRequest {
            key,
            request: request.pem().map_err(failed)?,
        })
    }
}

fn make() -> Made {
    let key = rsa::RsaPrivateKey::new(&mut OsRng, BITS).map_err(|error| error.to_string())?;
    let der = key.to_pkcs8_der().map_err(|error| error.to_string())?;
    let der = PrivatePkcs8KeyDer::from(der.as_bytes());
    // ring looks it over on the way: it is the one to sign with it.
    let key = KeyPair::from_pkcs8_der_and_sign_algo(&der, &PKCS_RSA_SHA256)
        .map_err(|error| error.to_string())?;
    Ok(Zeroizing::new(key.serialize_pem()))
}
