//! JSON Web Tokens (RFC 7519) as passwords, and over AUTH as OAUTHBEARER (RFC 7628).
//!
//! The key decides the algorithm, never the token: a key of RSA is for RS256 alone, one of P-256
//! for ES256, one of Ed25519 for EdDSA. There is no key for `none` or HMAC.

use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;
use serde_json::{Map, Value};

use crate::config::{Jwt, JwtKeys};
use crate::events::Denial;

/// The Authentication Method for tokens.
pub(in crate::broker) const METHOD: &str = "OAUTHBEARER";
/// Longest token, in bytes.
const MAX_TOKEN: usize = 8 * 1024;
/// Longest file of keys, in bytes, and most keys that are used of it.
const MAX_FILE: u64 = 64 * 1024;
const MAX_KEYS: usize = 16;

/// Whether a password is meant to be a token: three parts, the first a JSON object.
pub(in crate::broker) fn looks_like_one(password: &[u8]) -> bool {
    let dots = password.iter().filter(|byte| **byte == b'.').count();
    password.starts_with(b"eyJ") && dots == 2
}

/// What a token says.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::broker) struct Claims {
    /// The account.
    pub(in crate::broker) username: String,
    /// When it is no longer good, the leeway included.
    pub(in crate::broker) until: SystemTime,
}

/// Which version of a file was read.
type Stamp = (SystemTime, u64, u64);

struct Key {
    id: Option<String>,
    algorithm: Algorithm,
    key: DecodingKey,
}

/// Checks tokens, by a file that is read again when it has changed.
pub(in crate::broker) struct Tokens {
    settings: Jwt,
    stamp: Option<Stamp>,
    /// None: the file cannot be used, which was said.
    keys: Option<Vec<Key>>,
}

impl Tokens {
    pub(in crate::broker) fn new(settings: Jwt) -> Tokens {
        Tokens {
            settings,
            stamp: None,
            keys: None,
        }
    }

    /// Whether this is what they are checked by.
    pub(in crate::broker) fn are_by(&self, settings: &Jwt) -> bool {
        self.settings == *settings
    }

    /// Checks a token.
    pub(in crate::broker) fn check(&mut self, token: &[u8]) -> Result<Claims, Denial> {
        if token.len() > MAX_TOKEN {
            return Err(Denial::BadToken);
        }
        let token = std::str::from_utf8(token).map_err(|_| Denial::BadToken)?;
        self.refresh();
        let keys = self.keys.as_deref().ok_or(Denial::NoTokenKey)?;
        let header = jsonwebtoken::decode_header(token).map_err(|_| Denial::BadToken)?;
        if has_extensions(token) {
            return Err(Denial::BadToken);
        }
        let fits = |key: &&Key| {
            let id_fits = match (&key.id, &header.kid) {
                (Some(id), Some(kid)) => id == kid,
                _ => true,
            };
            id_fits && key.algorithm == header.alg
        };
        let mut denial = Denial::BadToken;
        for key in keys.iter().filter(fits) {
            let validation = self.validation(key.algorithm);
            match jsonwebtoken::decode::<Map<String, Value>>(token, &key.key, &validation) {
                Ok(found) => return self.claims(&found.claims),
                Err(error) => match error.kind() {
                    ErrorKind::InvalidSignature => {}
                    kind => denial = why(kind),
                },
            }
        }
        Err(denial)
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm);
        validation.leeway = self.settings.leeway.as_secs();
        validation.validate_nbf = true;
        validation.set_audience(&self.settings.audience);
        let mut required = vec!["exp", "aud"];
        if let Some(issuer) = &self.settings.issuer {
            validation.set_issuer(&[issuer]);
            required.push("iss");
        }
        validation.set_required_spec_claims(&required);
        validation
    }

    fn claims(&self, claims: &Map<String, Value>) -> Result<Claims, Denial> {
        let text = claims.get(&self.settings.claim).and_then(Value::as_str);
        let username = text.filter(|name| !name.is_empty());
        let username = username.ok_or(Denial::TokenNamesNobody)?.to_owned();
        // A whole number, or one with a fraction (RFC 7519 section 2, NumericDate).
        let exp = claims.get("exp").and_then(Value::as_f64);
        let exp = exp.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
        let until = exp
            .and_then(|exp| exp.checked_add(self.settings.leeway))
            .and_then(|since| SystemTime::UNIX_EPOCH.checked_add(since))
            .ok_or(Denial::BadToken)?;
        Ok(Claims { username, until })
    }

    /// Reads the keys again if their file has changed. What can no longer be read is no longer
    /// trusted.
    fn refresh(&mut self) {
        let path = match &self.settings.keys {
            JwtKeys::Pem(path) | JwtKeys::Jwks(path) => path,
        };
        let found = stamp(path);
        if let Ok(stamp) = &found
            && self.stamp.as_ref() == Some(stamp)
        {
            return;
        }
        let before = self.stamp.take();
        let keys = found.map_err(|error| error.to_string()).and_then(|stamp| {
            self.stamp = Some(stamp);
            read(&self.settings.keys)
        });
        match keys {
            Ok(keys) => self.keys = Some(keys),
            Err(error) => {
                // Once for each state of the file.
                if self.keys.take().is_some() || self.stamp.is_some() || before.is_some() {
                    log::error!("{}: {error}; tokens are refused", path.display());
                }
            }
        }
    }
}

fn stamp(path: &Path) -> io::Result<Stamp> {
    let found = fs::metadata(path)?;
    Ok((found.modified()?, found.len(), found.ino()))
}

fn read(keys: &JwtKeys) -> Result<Vec<Key>, String> {
    let (JwtKeys::Pem(path) | JwtKeys::Jwks(path)) = keys;
    let mut text = Vec::new();
    File::open(path)
        .and_then(|file| file.take(MAX_FILE.saturating_add(1)).read_to_end(&mut text))
        .map_err(|error| error.to_string())?;
    if u64::try_from(text.len()).is_ok_and(|len| len > MAX_FILE) {
        return Err(format!("found more than {MAX_FILE} bytes"));
    }
    match keys {
        JwtKeys::Pem(_) => from_pem(&text).map(|key| vec![key]),
        JwtKeys::Jwks(_) => from_jwks(&text),
    }
}

/// A public key in PEM (`-----BEGIN PUBLIC KEY-----`).
fn from_pem(text: &[u8]) -> Result<Key, String> {
    const EXPECTED: &str = "expected a PEM public key of RSA, P-256 or Ed25519";
    const ED25519: &[u8] = b"\x30\x05\x06\x03\x2b\x65\x70";
    const P256: &[u8] =
        b"\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07";
    const RSA: &[u8] = b"\x30\x0d\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00";
    let der = SubjectPublicKeyInfoDer::from_pem_slice(text)
        .map_err(|error| format!("{EXPECTED}, found none: {error:?}"))?;
    // RFC 5280 section 4.1: SEQUENCE { algorithm SEQUENCE, subjectPublicKey BIT STRING }.
    let body = element(&der, 0x30).ok_or(EXPECTED)?;
    let known = [
        (ED25519, Algorithm::EdDSA),
        (P256, Algorithm::ES256),
        (RSA, Algorithm::RS256),
    ];
    let found = known
        .into_iter()
        .find_map(|(prefix, algorithm)| Some((body.strip_prefix(prefix)?, algorithm)));
    let (rest, algorithm) = found.ok_or(EXPECTED)?;
    let bits = element(rest, 0x03).and_then(|bits| bits.strip_prefix(b"\0"));
    let bits = bits.ok_or(EXPECTED)?;
    let key = match algorithm {
        Algorithm::EdDSA => DecodingKey::from_ed_der(bits),
        Algorithm::ES256 => DecodingKey::from_ec_der(bits),
        _ => DecodingKey::from_rsa_der(bits),
    };
    Ok(Key {
        id: None,
        algorithm,
        key,
    })
}

/// The content of the DER element that these bytes are.
fn element(der: &[u8], tag: u8) -> Option<&[u8]> {
    let (&found, rest) = der.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, content) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => {
            let (length, content) = rest.split_first()?;
            (usize::from(*length), content)
        }
        0x82 => {
            let (length, content) = rest.split_first_chunk::<2>()?;
            (usize::from(u16::from_be_bytes(*length)), content)
        }
        _ => return None,
    };
    (found == tag && content.len() == length).then_some(content)
}

/// A JSON Web Key Set (RFC 7517 section 5). Keys of other kinds and uses are passed over.
fn from_jwks(text: &[u8]) -> Result<Vec<Key>, String> {
    let set: Map<String, Value> =
        serde_json::from_slice(text).map_err(|error| format!("JWKS: {error}"))?;
    let all = set.get("keys").and_then(Value::as_array);
    let all = all.ok_or("JWKS: expected an object with an array `keys`")?;
    let keys: Vec<Key> = all.iter().filter_map(from_jwk).take(MAX_KEYS).collect();
    if keys.is_empty() {
        return Err("JWKS: expected a key for RS256, ES256 or EdDSA, found none".to_owned());
    }
    Ok(keys)
}

fn from_jwk(value: &Value) -> Option<Key> {
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    // RFC 7518 section 6, RFC 8037 section 2.
    let (algorithm, name, key) = match (field("kty")?, field("crv")) {
        ("RSA", _) => {
            let key = DecodingKey::from_rsa_components(field("n")?, field("e")?);
            (Algorithm::RS256, "RS256", key)
        }
        ("EC", Some("P-256")) => {
            let key = DecodingKey::from_ec_components(field("x")?, field("y")?);
            (Algorithm::ES256, "ES256", key)
        }
        ("OKP", Some("Ed25519")) => {
            let key = DecodingKey::from_ed_components(field("x")?);
            (Algorithm::EdDSA, "EdDSA", key)
        }
        _ => return None,
    };
    // RFC 7517 section 4.
    let is_meant = value.get("alg").is_none_or(|named| *named == name);
    let signs = value.get("use").is_none_or(|meant| *meant != "enc");
    let id = match value.get("kid") {
        None => None,
        Some(Value::String(id)) => Some(id.clone()),
        Some(_) => return None,
    };
    (is_meant && signs).then_some(Key {
        id,
        algorithm,
        key: key.ok()?,
    })
}

/// Whether the header has extensions that must be understood (RFC 7515 section 4.1.11). None is.
fn has_extensions(token: &str) -> bool {
    let header = token.split('.').next().unwrap_or_default();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap_or_default();
    let header: Option<Map<String, Value>> = serde_json::from_slice(&header).ok();
    header.is_none_or(|header| header.contains_key("crit"))
}

fn why(kind: &ErrorKind) -> Denial {
    match kind {
        ErrorKind::ExpiredSignature => Denial::TokenExpired,
        ErrorKind::ImmatureSignature => Denial::TokenTooEarly,
        ErrorKind::InvalidAudience | ErrorKind::InvalidIssuer => Denial::TokenForOthers,
        ErrorKind::MissingRequiredClaim(claim) if claim != "exp" => Denial::TokenForOthers,
        _ => Denial::BadToken,
    }
}

/// The token in a message of OAUTHBEARER (RFC 7628 section 3.1), and the user that it is to be
/// for, if that is said.
pub(in crate::broker) fn bearer(data: &[u8]) -> Option<(&str, Option<&str>)> {
    let text = std::str::from_utf8(data).ok()?;
    let (header, pairs) = text.split_once('\x01')?;
    let authzid = header.strip_prefix("n,")?.strip_suffix(',')?;
    let authzid = match authzid {
        "" => None,
        named => Some(named.strip_prefix("a=")?),
    };
    let pairs = pairs.strip_suffix("\x01\x01")?;
    let mut tokens = pairs
        .split('\x01')
        .filter_map(|pair| pair.strip_prefix("auth="));
    let (scheme, token) = tokens.next()?.split_once(' ')?;
    let is_bearer = scheme.eq_ignore_ascii_case("bearer") && tokens.next().is_none();
    is_bearer.then_some((token, authzid))
}

#[cfg(test)]
pub(in crate::broker) mod tests;
