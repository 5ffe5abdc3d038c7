//! What TLS serves with: the certificate that a client can verify, and the rest of the
//! configuration.

use std::sync::{Arc, PoisonError, RwLock};

use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{NamedGroup, ServerConfig};

use super::{ClientVerifier, PkiError, Shown, crypto_provider, fingerprint};

/// What encryption adds to a record at most: with AES-GCM in TLS 1.2 an explicit nonce of 8
/// bytes and a tag of 16 (RFC 5288 section 3).
const ENCRYPTION: usize = 24;

/// The broker's certificates. All configurations share them, so that new ones hold for all
/// listeners at once and no connection notices.
#[derive(Debug)]
pub(super) struct Leaves(RwLock<Pair>);

#[derive(Clone, Debug)]
struct Pair {
    ecdsa: Arc<CertifiedKey>,
    rsa: Option<Arc<CertifiedKey>>,
}

impl Leaves {
    pub(super) fn new(ecdsa: CertifiedKey, rsa: Option<CertifiedKey>) -> Leaves {
        Leaves(RwLock::new(Pair {
            ecdsa: Arc::new(ecdsa),
            rsa: rsa.map(Arc::new),
        }))
    }

    /// Serves with those of `other` from now on.
    pub(super) fn replace(&self, other: Leaves) {
        let new = other.0.into_inner().unwrap_or_else(PoisonError::into_inner);
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = new;
    }

    pub(super) fn have_rsa(&self) -> bool {
        self.pair().rsa.is_some()
    }

    pub(super) fn fingerprints(&self) -> (String, Option<String>) {
        let of = |key: &CertifiedKey| key.cert.first().map(|der| fingerprint(der));
        let pair = self.pair();
        let ecdsa = of(&pair.ecdsa).unwrap_or_default();
        (ecdsa, pair.rsa.as_deref().and_then(of))
    }

    pub(super) fn shown(&self) -> (Option<Shown>, Option<Shown>) {
        let of = |key: &CertifiedKey| key.cert.first().map(|der| Shown::of(der));
        let pair = self.pair();
        (of(&pair.ecdsa), pair.rsa.as_deref().and_then(of))
    }

    fn pair(&self) -> Pair {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl ResolvesServerCert for Leaves {
    /// ECDSA where the client can verify it, as it is cheaper for both. rustls has left of the
    /// signature schemes those that a cipher suite of both sides can use.
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let Pair { ecdsa, rsa } = self.pair();
        let verifies =
            |key: &CertifiedKey| key.key.choose_scheme(hello.signature_schemes()).is_some();
        // In TLS 1.2 the groups hold for the certificate too: RFC 8422 section 5.1.
        let has_curve = hello
            .named_groups()
            .is_none_or(|groups| groups.contains(&NamedGroup::secp256r1));
        match rsa {
            Some(rsa) if !(has_curve && verifies(&ecdsa)) && verifies(&rsa) => Some(rsa),
            // Whether or not: rustls has the right words for a client that can verify neither.
            _ => Some(ecdsa),
        }
    }
}

/// A configuration whose records, the handshake's too, are at most `record_size` bytes long with
/// all that belongs to them: whichever way a client counts, they fit its buffer.
pub(super) fn config(
    leaves: &Arc<Leaves>,
    tickets: &Arc<dyn ProducesTickets>,
    record_size: u32,
    clients: Option<&Arc<ClientVerifier>>,
) -> Result<Arc<ServerConfig>, PkiError> {
    let provider: Arc<CryptoProvider> = crypto_provider();
    let builder = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| PkiError::crypto("a TLS configuration", error))?;
    let builder = match clients {
        Some(clients) => builder.with_client_cert_verifier(Arc::clone(clients) as _),
        None => builder.with_no_client_auth(),
    };
    let mut config = builder.with_cert_resolver(Arc::clone(leaves) as _);
    config.ticketer = Arc::clone(tickets);
    config.session_storage = Arc::new(NoServerSessionStorage {});
    config.send_tls13_tickets = 1;
    let record_size = usize::try_from(record_size).unwrap_or(usize::MAX);
    config.max_fragment_size = Some(record_size.saturating_sub(ENCRYPTION));
    Ok(Arc::new(config))
}
