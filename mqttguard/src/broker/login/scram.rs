//! SCRAM-SHA-256 and SCRAM-SHA-512 (RFC 5802, RFC 7677), the server's side: the password never
//! crosses the wire, and what is stored lets nobody log in.
//!
//! PBKDF2 is the client's work here; the server makes three HMACs a login. Without channel
//! binding: TLS has authenticated the server by the router's own CA.
//!
//! User names of the registry are ASCII letters and digits. Verifiers are made of passwords of
//! printable ASCII only, which SASLprep (RFC 4013) leaves as they are.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::{digest, hmac, pbkdf2};
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

use super::password::{ITERATIONS, MAX_ITERATIONS, NoRandom};
use crate::hidden::Hidden;

/// Longest message of a client, in bytes.
const MAX_MESSAGE: usize = 1024;
/// Nonces of the client are longer than the one and shorter than the other, in characters.
const CLIENT_NONCE: std::ops::RangeInclusive<usize> = 8..=256;
/// Random bytes of the server's part of the nonce.
const NONCE_LEN: usize = 18;
const SALT_LEN: usize = 16;
const MAX_SALT_LEN: usize = 64;

/// A SCRAM mechanism, by its hash function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// `SCRAM-SHA-256`.
    Sha256,
    /// `SCRAM-SHA-512`.
    Sha512,
}

impl Mechanism {
    /// All there are.
    pub const ALL: [Mechanism; 2] = [Mechanism::Sha256, Mechanism::Sha512];

    /// The registered name, which is also MQTT's Authentication Method.
    pub const fn name(self) -> &'static str {
        match self {
            Mechanism::Sha256 => "SCRAM-SHA-256",
            Mechanism::Sha512 => "SCRAM-SHA-512",
        }
    }

    /// The mechanism of this name.
    pub fn named(name: &str) -> Option<Mechanism> {
        Self::ALL
            .into_iter()
            .find(|mechanism| mechanism.name() == name)
    }

    fn hmac(self) -> hmac::Algorithm {
        match self {
            Mechanism::Sha256 => hmac::HMAC_SHA256,
            Mechanism::Sha512 => hmac::HMAC_SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Mechanism::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Mechanism::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }

    fn len(self) -> usize {
        self.hmac().digest_algorithm().output_len()
    }

    fn mac(self, key: &[u8], message: &[u8]) -> hmac::Tag {
        hmac::sign(&hmac::Key::new(self.hmac(), key), message)
    }

    fn hash(self, bytes: &[u8]) -> digest::Digest {
        digest::digest(self.hmac().digest_algorithm(), bytes)
    }
}

/// What a password is proven against: nobody can log in with it, nor find the password but by
/// trying. Written as PostgreSQL does: `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>`.
#[derive(Clone, PartialEq, Eq)]
pub struct Verifier {
    mechanism: Mechanism,
    iterations: NonZeroU32,
    salt: Vec<u8>,
    stored_key: Vec<u8>,
    server_key: Vec<u8>,
}

/// A text is no [`Verifier`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("SCRAM verifier: expected <mechanism>$<iterations>:<salt>$<StoredKey>:<ServerKey>")]
pub struct NoVerifier;

/// Verifiers of a password for all mechanisms, as they are stored; none if it is not printable
/// ASCII.
///
/// # Errors
///
/// When the system has no random numbers.
pub fn verifiers(password: &str) -> Result<Vec<Hidden>, NoRandom> {
    if !password.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
        return Ok(Vec::new());
    }
    let make = |mechanism| Verifier::new(mechanism, password.as_bytes(), ITERATIONS);
    let all = Mechanism::ALL.into_iter().map(make);
    all.map(|made| made.map(|verifier| verifier.to_string().into()))
        .collect()
}

impl Verifier {
    /// The verifier of a password of printable ASCII, under a fresh salt.
    ///
    /// # Errors
    ///
    /// When the system has no random numbers.
    pub fn new(
        mechanism: Mechanism,
        password: &[u8],
        iterations: NonZeroU32,
    ) -> Result<Verifier, NoRandom> {
        let mut salt = vec![0; SALT_LEN];
        SystemRandom::new().fill(&mut salt).map_err(|_| NoRandom)?;
        Ok(Verifier::derive(mechanism, password, iterations, salt))
    }

    /// The mechanism that it is for.
    pub fn mechanism(&self) -> Mechanism {
        self.mechanism
    }

    /// RFC 5802 section 3.
    fn derive(
        mechanism: Mechanism,
        password: &[u8],
        iterations: NonZeroU32,
        salt: Vec<u8>,
    ) -> Verifier {
        let mut salted = Zeroizing::new(vec![0; mechanism.len()]);
        pbkdf2::derive(
            mechanism.pbkdf2(),
            iterations,
            &salt,
            password,
            salted.as_mut_slice(),
        );
        let client_key = mechanism.mac(&salted, b"Client Key");
        Verifier {
            mechanism,
            iterations,
            salt,
            stored_key: mechanism.hash(client_key.as_ref()).as_ref().to_vec(),
            server_key: mechanism.mac(&salted, b"Server Key").as_ref().to_vec(),
        }
    }

    /// What stands in for the verifier of somebody there is none of: always the same for one
    /// name, as a real one is, and no password fits it.
    fn made_up(mechanism: Mechanism, username: &str, secret: &hmac::Key) -> Verifier {
        let of = |what: &str| {
            let message = [mechanism.name(), what, username].join("\0");
            hmac::sign(secret, message.as_bytes())
        };
        let key = |what| mechanism.hash(of(what).as_ref()).as_ref().to_vec();
        let salt = of("salt").as_ref().iter().copied().take(SALT_LEN).collect();
        Verifier {
            mechanism,
            iterations: ITERATIONS,
            salt,
            stored_key: key("stored"),
            server_key: key("server"),
        }
    }
}

impl FromStr for Verifier {
    type Err = NoVerifier;

    fn from_str(text: &str) -> Result<Verifier, NoVerifier> {
        let mut fields = text.split('$');
        let (Some(name), Some(cost), Some(keys), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(NoVerifier);
        };
        let mechanism = Mechanism::named(name).ok_or(NoVerifier)?;
        let (iterations, salt) = cost.split_once(':').ok_or(NoVerifier)?;
        let (stored_key, server_key) = keys.split_once(':').ok_or(NoVerifier)?;
        let iterations: NonZeroU32 = iterations.parse().map_err(|_| NoVerifier)?;
        let decode = |text| STANDARD.decode(text).map_err(|_| NoVerifier);
        let (salt, stored_key, server_key) =
            (decode(salt)?, decode(stored_key)?, decode(server_key)?);
        let fits = iterations.get() <= MAX_ITERATIONS
            && (1..=MAX_SALT_LEN).contains(&salt.len())
            && stored_key.len() == mechanism.len()
            && server_key.len() == mechanism.len();
        fits.then_some(Verifier {
            mechanism,
            iterations,
            salt,
            stored_key,
            server_key,
        })
        .ok_or(NoVerifier)
    }
}

impl fmt::Display for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [salt, stored, server] =
            [&self.salt, &self.stored_key, &self.server_key].map(|bytes| STANDARD.encode(bytes));
        let (name, iterations) = (self.mechanism.name(), self.iterations);
        write!(f, "{name}${iterations}:{salt}${stored}:{server}")
    }
}

/// Shows no more than what it is of.
impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier")
            .field("mechanism", &self.mechanism)
            .finish_non_exhaustive()
    }
}

/// Why an exchange cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) enum Failure {
    /// A message is not as RFC 5802 has it.
    Message,
    /// The client insists on channel binding.
    ChannelBinding,
    /// The client wants to act as another user.
    OtherUser,
    /// The proof is that of another password.
    Proof,
    /// The system has no random numbers.
    NoRandom,
}

/// The client-first-message.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::broker) struct ClientFirst<'a> {
    /// Who wants to log in.
    pub(in crate::broker) username: String,
    gs2_header: &'a str,
    bare: &'a str,
    nonce: &'a str,
}

impl<'a> ClientFirst<'a> {
    /// Reads it.
    pub(in crate::broker) fn read(data: &'a [u8]) -> Result<ClientFirst<'a>, Failure> {
        let text = message(data)?;
        let (binding, rest) = text.split_once(',').ok_or(Failure::Message)?;
        match binding {
            // 'y': the client could, and thinks that the server cannot. It is right.
            "n" | "y" => {}
            _ if binding.starts_with("p=") => return Err(Failure::ChannelBinding),
            _ => return Err(Failure::Message),
        }
        let (authzid, bare) = rest.split_once(',').ok_or(Failure::Message)?;
        let header_len = text.len().saturating_sub(bare.len());
        let gs2_header = text.get(..header_len).ok_or(Failure::Message)?;
        let mut fields = bare.split(',');
        // A mandatory extension `m=` would stand in front, and is not understood.
        let username = fields.next().and_then(|field| field.strip_prefix("n="));
        let username = unescape(username.ok_or(Failure::Message)?)?;
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let nonce = nonce.filter(|nonce| {
            CLIENT_NONCE.contains(&nonce.len()) && nonce.bytes().all(|b| b.is_ascii_graphic())
        });
        let nonce = nonce.ok_or(Failure::Message)?;
        if !authzid.is_empty() {
            let asked = authzid.strip_prefix("a=").ok_or(Failure::Message)?;
            if unescape(asked)? != username {
                return Err(Failure::OtherUser);
            }
        }
        Ok(ClientFirst {
            username,
            gs2_header,
            bare,
            nonce,
        })
    }
}

/// An exchange between its first and its last message.
pub(in crate::broker) struct Exchange {
    /// Who wants to log in.
    pub(in crate::broker) username: String,
    verifier: Verifier,
    gs2_header: String,
    nonce: String,
    /// The client-first-message-bare and the server-first-message.
    messages: String,
}

impl Exchange {
    /// Answers the client-first-message; also returns the server-first-message. Without a
    /// verifier the exchange goes on as with one, and fails in the end.
    pub(in crate::broker) fn begin(
        mechanism: Mechanism,
        first: ClientFirst<'_>,
        verifier: Option<Verifier>,
        secret: &hmac::Key,
    ) -> Result<(Exchange, String), Failure> {
        let mut own = [0; NONCE_LEN];
        SystemRandom::new()
            .fill(&mut own)
            .map_err(|_| Failure::NoRandom)?;
        Ok(Exchange::with_nonce(
            mechanism,
            first,
            verifier,
            secret,
            &STANDARD.encode(own),
        ))
    }

    fn with_nonce(
        mechanism: Mechanism,
        first: ClientFirst<'_>,
        verifier: Option<Verifier>,
        secret: &hmac::Key,
        own: &str,
    ) -> (Exchange, String) {
        let made_up = || Verifier::made_up(mechanism, &first.username, secret);
        let verifier = verifier.unwrap_or_else(made_up);
        let nonce = format!("{}{own}", first.nonce);
        let salt = STANDARD.encode(&verifier.salt);
        let server_first = format!("r={nonce},s={salt},i={}", verifier.iterations);
        let exchange = Exchange {
            username: first.username,
            verifier,
            gs2_header: first.gs2_header.to_owned(),
            nonce,
            messages: format!("{},{server_first}", first.bare),
        };
        (exchange, server_first)
    }

    /// Whether this is the verifier that it was begun with.
    pub(in crate::broker) fn is_with(&self, verifier: &Verifier) -> bool {
        self.verifier == *verifier
    }

    /// Checks the client-final-message. The answer is the server-final-message.
    pub(in crate::broker) fn finish(self, data: &[u8]) -> Result<String, Failure> {
        let text = message(data)?;
        let (without_proof, proof) = text.rsplit_once(",p=").ok_or(Failure::Message)?;
        let mut fields = without_proof.split(',');
        let binding = fields.next().and_then(|field| field.strip_prefix("c="));
        let nonce = fields.next().and_then(|field| field.strip_prefix("r="));
        let (Some(binding), Some(nonce)) = (binding, nonce) else {
            return Err(Failure::Message);
        };
        // Extensions are optional ones here.
        let named = |field: &str| field.as_bytes().get(1) == Some(&b'=');
        if !fields.all(named) || binding != STANDARD.encode(&self.gs2_header) || nonce != self.nonce
        {
            return Err(Failure::Message);
        }
        let proof = STANDARD.decode(proof).map_err(|_| Failure::Message)?;
        let verifier = &self.verifier;
        let mechanism = verifier.mechanism;
        if proof.len() != mechanism.len() {
            return Err(Failure::Message);
        }
        let message = format!("{},{without_proof}", self.messages);
        let signature = mechanism.mac(&verifier.stored_key, message.as_bytes());
        let client_key = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b);
        let client_key = Zeroizing::new(client_key.collect::<Vec<u8>>());
        let found = mechanism.hash(&client_key);
        if !bool::from(found.as_ref().ct_eq(&verifier.stored_key)) {
            return Err(Failure::Proof);
        }
        let signature = mechanism.mac(&verifier.server_key, message.as_bytes());
        Ok(format!("v={}", STANDARD.encode(signature)))
    }
}

fn message(data: &[u8]) -> Result<&str, Failure> {
    if data.len() > MAX_MESSAGE {
        return Err(Failure::Message);
    }
    std::str::from_utf8(data).map_err(|_| Failure::Message)
}

/// A saslname: `,` and `=` are written `=2C` and `=3D`.
fn unescape(name: &str) -> Result<String, Failure> {
    let mut parts = name.split('=');
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (sign, rest) = match (part.strip_prefix("2C"), part.strip_prefix("3D")) {
            (Some(rest), _) => (',', rest),
            (_, Some(rest)) => ('=', rest),
            _ => return Err(Failure::Message),
        };
        out.push(sign);
        out.push_str(rest);
    }
    match out.is_empty() || out.contains('\0') {
        true => Err(Failure::Message),
        false => Ok(out),
    }
}

#[cfg(test)]
mod tests;
