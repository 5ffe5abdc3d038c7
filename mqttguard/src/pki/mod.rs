//! The router's own certificate authority and the certificate of its broker.
//!
//! | file | mode | content |
//! |---|---|---|
//! | `ca.crt` | 0644 | what clients are given to trust; valid for 20 years |
//! | `ca.key` | 0600 | its key, ECDSA P-256 |
//! | `server.crt` | 0644 | the broker's certificate; valid for 10 years |
//! | `server.key` | 0600 | its key, ECDSA P-256, never replaced |
//! | `server-rsa.crt` | 0644 | the same for clients that know RSA only (ESP8266, Tasmota) |
//! | `server-rsa.key` | 0600 | its key, RSA 2048, never replaced |
//!
//! Small devices are given `ca.crt` or a fingerprint once and are then left alone for a decade;
//! many have no clock. So both certificates live long and began in 2020, before any router that
//! boots without a clock believes it is; and the broker's certificate is renewed, when the
//! router's names or addresses change or its last year begins, *with the same key*, so that
//! pinned keys hold. The chain sent is that one certificate: whoever trusts the CA has it.
//!
//! Making an RSA key takes a small router up to a minute, so that is done beside its work and
//! once in its life; until then clients that know RSA only are not served. Each client gets the
//! ECDSA certificate unless it cannot verify it: [`serve::Leaves`]. Both are signed by the one CA,
//! whose key is ECDSA: what cannot verify ECDSA at all pins the key's or certificate's
//! fingerprint, which is what such firmware does.
//!
//! Certificates of devices are another CA's: `issuing`.
//!
//! A damaged or missing CA is never replaced by a new one: every client would have to be visited.

mod authority;
mod clients;
mod issuing;
mod request;
mod rsa_key;
mod serve;
mod shown;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::server::ProducesTickets;

pub use clients::{ClientVerifier, common_name};
pub use issuing::IssuedCertificate;
pub use request::{ProvenKey, RequestError};
pub use rsa_key::RsaRequest;
pub use shown::Shown;

use authority::{Authority, KeyKind};
use issuing::ClientAuthority;
use rsa_key::RsaKey;
use serve::Leaves;

/// What clients call the broker: all of it goes into the certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The router's name on the LAN, such as `mqttguard.lan`.
    pub hostname: String,
    /// The router's addresses on the LAN.
    pub addresses: Vec<IpAddr>,
}

/// Why there is no certificate to serve with.
#[derive(Debug, thiserror::Error)]
pub enum PkiError {
    /// A file could not be read or written.
    #[error("cannot {action} {path}: {source}")]
    Io {
        /// `read`, `write` and so on.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The system's reason.
        source: io::Error,
    },
    /// A file is not what it should be.
    #[error(
        "{path}: {what}; restore it from a backup, or remove ca.crt, ca.key, server.crt and \
         server.key to begin anew (every client then has to be given the new ca.crt)"
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// A file that the owner brings is not what it should be.
    #[error("{path}: {what}")]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        what: String,
    },
    /// The host name cannot stand in a certificate.
    #[error("hostname {0:?}: expected a DNS name such as mqttguard.lan")]
    Hostname(String),
    /// Making a key or a certificate failed.
    #[error("cannot make {what}: {why}")]
    Crypto {
        /// What was to be made.
        what: &'static str,
        /// The library's reason.
        why: String,
    },
}

impl PkiError {
    fn io(action: &'static str, path: &Path, source: io::Error) -> PkiError {
        PkiError::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }

    fn damaged(path: &Path, what: impl Into<String>) -> PkiError {
        PkiError::Damaged {
            path: path.to_owned(),
            what: what.into(),
        }
    }

    fn unusable(path: &Path, what: impl fmt::Display) -> PkiError {
        PkiError::Unusable {
            path: path.to_owned(),
            what: what.to_string(),
        }
    }

    fn crypto(what: &'static str, why: impl fmt::Display) -> PkiError {
        PkiError::Crypto {
            what,
            why: why.to_string(),
        }
    }
}

/// The CA, the broker's certificates, and the TLS configurations made of them.
pub struct Pki {
    authority: Authority,
    clients: ClientAuthority,
    tickets: Arc<dyn ProducesTickets>,
    leaves: Arc<Leaves>,
    /// An RSA key that is being made.
    rsa_key: Option<RsaKey>,
}

impl Pki {
    /// Opens the files in `dir`, or makes them, but for an RSA key: [`Pki::make_rsa_key`]. Renews
    /// the broker's certificates if they do not carry exactly `names` or are in their last year.
    pub fn open_or_create(dir: &Path, names: &Names) -> Result<Pki, PkiError> {
        store::create_dir(dir)?;
        let authority = Authority::open_or_create(dir)?;
        let clients = ClientAuthority::open_or_create(dir)?;
        // One set of rotating ticket keys over the life of the process, so that clients resume
        // their sessions across a renewal.
        let tickets = provider::Ticketer::new()
            .map_err(|error| PkiError::crypto("session ticket keys", error))?;
        let leaves = certificates(&authority, names)?;
        Ok(Pki {
            authority,
            clients,
            tickets,
            leaves: Arc::new(leaves),
            rsa_key: None,
        })
    }

    /// Begins to make the RSA key, on a thread of its own, if there is none. A later
    /// [`Pki::renew`] finds it made.
    pub fn make_rsa_key(&mut self) {
        let is_there = self.authority.has_key(KeyKind::Rsa2048);
        if self.rsa_key.is_none() && !is_there {
            self.rsa_key = RsaKey::begin()
                .inspect_err(|error| log::error!("no RSA key for old clients: {error}"))
                .ok();
        }
    }

    /// Whether an RSA key has been made that [`Pki::renew`] would take up.
    pub fn has_new_key(&self) -> bool {
        self.rsa_key.as_ref().is_some_and(RsaKey::is_made)
    }

    /// Renews the broker's certificates if they do not carry exactly `names` or are in their last
    /// year, and takes up a new RSA key. Returns whether new connections are served with others
    /// now; on an error they are not.
    pub fn renew(&mut self, names: &Names) -> Result<bool, PkiError> {
        let made = self.rsa_key.take_if(|key| key.is_made());
        if let Some(made) = &made {
            self.authority.keep_key(KeyKind::Rsa2048, &made.pem()?)?;
            log::info!("there is an RSA key now, for clients that know no other");
        }
        let new_key = made.is_some();
        let now = SystemTime::now();
        let good = |kind| self.authority.leaf_is_good(kind, names, now);
        let rsa_is_good = !self.leaves.have_rsa() || good(KeyKind::Rsa2048)?;
        if !new_key && rsa_is_good && good(KeyKind::EcdsaP256)? {
            return Ok(false);
        }
        self.leaves.replace(certificates(&self.authority, names)?);
        Ok(true)
    }

    /// Makes the broker's certificates anew, with the keys that they have. New connections are
    /// served with them; on an error they are served as before.
    ///
    /// # Errors
    ///
    /// When a file cannot be read or written, or the library fails.
    pub fn reissue(&mut self, names: &Names) -> Result<(), PkiError> {
        let now = SystemTime::now();
        for kind in [KeyKind::EcdsaP256, KeyKind::Rsa2048] {
            if self.authority.has_key(kind) {
                self.authority.make_leaf(kind, names, now)?;
            }
        }
        self.leaves.replace(certificates(&self.authority, names)?);
        Ok(())
    }

    /// What a listener serves with: TLS 1.2 and 1.3, sessions resumed by stateless tickets, and
    /// whatever certificates [`Pki::renew`] left last. No TLS record is longer than `record_size`
    /// bytes, from 512 to 16384. Clients are asked for a certificate if there is a verifier.
    ///
    /// # Errors
    ///
    /// When the library takes no such configuration.
    pub fn tls_config(
        &self,
        record_size: u32,
        clients: Option<&Arc<ClientVerifier>>,
    ) -> Result<Arc<ServerConfig>, PkiError> {
        serve::config(&self.leaves, &self.tickets, record_size, clients)
    }

    /// The CA's certificate in PEM, for clients.
    pub fn ca_pem(&self) -> &str {
        self.authority.ca_pem()
    }

    /// The certificate of the CA of client certificates, in PEM.
    pub fn client_ca_pem(&self) -> &str {
        self.clients.pem()
    }

    /// Makes a client certificate for a user and this key, or a new one.
    ///
    /// # Errors
    ///
    /// When the library fails to.
    pub fn issue(
        &self,
        username: &str,
        key: Option<&ProvenKey>,
        time: Duration,
    ) -> Result<IssuedCertificate, PkiError> {
        self.clients.issue(username, key, SystemTime::now(), time)
    }

    /// SHA-256 of the CA's certificate, as `AB:CD:..`.
    pub fn ca_fingerprint(&self) -> String {
        fingerprint(self.authority.ca_der())
    }

    /// The CA's certificate, to be compared.
    pub fn ca(&self) -> Shown {
        Shown::of(self.authority.ca_der())
    }

    /// The certificate of the CA of client certificates, to be compared; None if it cannot be read.
    pub fn client_ca(&self) -> Option<Shown> {
        Shown::of_pem(self.client_ca_pem())
    }

    /// The broker's certificates, ECDSA and, if it is there, RSA, to be compared.
    pub fn leaves(&self) -> (Option<Shown>, Option<Shown>) {
        self.leaves.shown()
    }

    /// The public keys of the broker's certificates, RSA first if it is there: each a
    /// `SubjectPublicKeyInfo` in DER (RFC 5280 section 4.1).
    pub fn public_keys(&self) -> Vec<Vec<u8>> {
        self.leaves.public_keys()
    }

    /// SHA-256 of the broker's certificates, ECDSA and, if it is there, RSA.
    pub fn fingerprints(&self) -> (String, Option<String>) {
        self.leaves.fingerprints()
    }
}

/// The broker's certificates. What is wrong with the RSA one leaves the other in use.
fn certificates(authority: &Authority, names: &Names) -> Result<Leaves, PkiError> {
    let now = SystemTime::now();
    let ecdsa = authority.leaf(KeyKind::EcdsaP256, names, now)?;
    let ecdsa = ecdsa.ok_or_else(|| PkiError::crypto("a key", "it was not made"))?;
    let rsa = authority.leaf(KeyKind::Rsa2048, names, now);
    let rsa = rsa.unwrap_or_else(|error| {
        log::error!("clients that know RSA only are not served: {error}");
        None
    });
    Ok(Leaves::new(ecdsa, rsa))
}

/// Shows no keys.
impl fmt::Debug for Pki {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pki")
            .field("ca", &self.ca_fingerprint())
            .finish_non_exhaustive()
    }
}

fn fingerprint(der: &[u8]) -> String {
    digest(&ring::digest::SHA256, der)
}

/// As `AB:CD:..`.
fn digest(algorithm: &'static ring::digest::Algorithm, der: &[u8]) -> String {
    let digest = ring::digest::digest(algorithm, der);
    let bytes: Vec<String> = digest.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    bytes.join(":")
}

fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}
