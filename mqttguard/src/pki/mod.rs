//! The router's own certificate authority and the certificate of its broker.
//!
//! | file | mode | content |
//! |---|---|---|
//! | `ca.crt` | 0644 | what clients are given to trust; valid for 20 years |
//! | `ca.key` | 0600 | its key, ECDSA P-256 |
//! | `server.crt` | 0644 | the broker's certificate; valid for 10 years |
//! | `server.key` | 0600 | its key, ECDSA P-256, never replaced |
//!
//! Small devices are given `ca.crt` or a fingerprint once and are then left alone for a decade;
//! many have no clock. So both certificates live long and began in 2020, before any router that
//! boots without a clock believes it is; and the broker's certificate is renewed, when the
//! router's names or addresses change or its last year begins, *with the same key*, so that
//! pinned keys hold. The chain sent is that one certificate: whoever trusts the CA has it.
//!
//! A damaged or missing CA is never replaced by a new one: every client would have to be visited.

mod authority;
mod store;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring as provider};
use rustls::server::{NoServerSessionStorage, ProducesTickets};

use authority::Authority;

/// Largest TLS record sent, header included. rustls does not negotiate RFC 6066's maximum
/// fragment length, so the size has to suit the smallest receiver: mbedTLS builds with 4 KiB
/// input buffers are common on ESP32. Costs a large transfer under one percent.
const MAX_RECORD: usize = 4096;

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

    fn crypto(what: &'static str, why: impl fmt::Display) -> PkiError {
        PkiError::Crypto {
            what,
            why: why.to_string(),
        }
    }
}

/// The CA, the broker's certificate, and the TLS configuration made of them.
pub struct Pki {
    authority: Authority,
    tickets: Arc<dyn ProducesTickets>,
    tls: Arc<ServerConfig>,
}

impl Pki {
    /// Opens the files in `dir`, or makes them. Renews the broker's certificate if it does not
    /// carry exactly `names` or is in its last year.
    pub fn open_or_create(dir: &Path, names: &Names) -> Result<Pki, PkiError> {
        store::create_dir(dir)?;
        let authority = Authority::open_or_create(dir)?;
        // One set of rotating ticket keys over the life of the process, so that clients resume
        // their sessions across a renewal.
        let tickets = provider::Ticketer::new()
            .map_err(|error| PkiError::crypto("session ticket keys", error))?;
        let tls = serve(&authority, names, &tickets)?;
        Ok(Pki {
            authority,
            tickets,
            tls,
        })
    }

    /// Renews the broker's certificate if it does not carry exactly `names` or is in its last
    /// year. Returns whether [`Pki::tls_config`] is another one now; on an error it is not.
    pub fn renew(&mut self, names: &Names) -> Result<bool, PkiError> {
        if self.authority.leaf_is_good(names, SystemTime::now())? {
            return Ok(false);
        }
        self.tls = serve(&self.authority, names, &self.tickets)?;
        Ok(true)
    }

    /// What the broker serves with: TLS 1.2 and 1.3, sessions resumed by stateless tickets.
    pub fn tls_config(&self) -> Arc<ServerConfig> {
        Arc::clone(&self.tls)
    }

    /// The CA's certificate in PEM, for clients.
    pub fn ca_pem(&self) -> &str {
        self.authority.ca_pem()
    }

    /// SHA-256 of the CA's certificate, as `AB:CD:..`.
    pub fn ca_fingerprint(&self) -> String {
        fingerprint(self.authority.ca_der())
    }
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
    let digest = ring::digest::digest(&ring::digest::SHA256, der);
    let bytes: Vec<String> = digest.as_ref().iter().map(|b| format!("{b:02X}")).collect();
    bytes.join(":")
}

fn crypto_provider() -> Arc<CryptoProvider> {
    Arc::new(provider::default_provider())
}

fn serve(
    authority: &Authority,
    names: &Names,
    tickets: &Arc<dyn ProducesTickets>,
) -> Result<Arc<ServerConfig>, PkiError> {
    let leaf = authority.leaf(names, SystemTime::now())?;
    let unusable = |error| PkiError::crypto("a TLS configuration", error);
    let mut config = ServerConfig::builder_with_provider(crypto_provider())
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(vec![leaf.certificate], leaf.key)
        .map_err(unusable)?;
    config.ticketer = Arc::clone(tickets);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    config.max_fragment_size = Some(MAX_RECORD);
    Ok(Arc::new(config))
}
