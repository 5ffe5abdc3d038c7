//! Password hashes of mosquitto's password files: `$7$`, PBKDF2 as here, and `$6$`, which older
//! mosquittos and `mosquitto_passwd -H sha512` write: SHA-512 of password and salt, once. That is
//! no more than good enough to know a password again, once: whoever shows it has it hashed anew.

use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest;
use subtle::ConstantTimeEq;

use super::password::{Hash, HashError, ITERATIONS, MAX_SALT_LEN};

/// Most iterations of a hash that is taken over, ten times those of our own: while it waits for its
/// device, anybody on the LAN can have the one login worker compute it, which takes a router of the
/// smaller kind a second.
pub const MAX_ITERATIONS: u32 = 100_000;

/// A password's hash in a password file of mosquitto.
#[derive(Clone, PartialEq, Eq)]
pub enum Imported {
    /// `$7$`: PBKDF2-HMAC-SHA512.
    Pbkdf2(Hash),
    /// `$6$`: SHA-512.
    Sha512(Salted),
}

/// SHA-512 of a password and a salt behind it.
#[derive(Clone, PartialEq, Eq)]
pub struct Salted {
    salt: Vec<u8>,
    key: Vec<u8>,
}

/// Why a text is no [`Imported`]. Never shows it: where no hash is, a password may be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImportedError {
    /// It is neither.
    #[error(
        "password: found no hash, expected $7$... or $6$... ('mosquitto_passwd -U FILE' hashes \
         passwords that are not)"
    )]
    Format,
    /// Another program's hash.
    #[error(
        "password: found a hash of the kind '{0}', expected $7$ (PBKDF2) or $6$ (SHA-512); only \
         the program that wrote it can check it"
    )]
    OtherKind(String),
    /// A `$6$` that is damaged.
    #[error(
        "password: found a damaged hash, expected $6$, a salt of 1 to {MAX_SALT_LEN} bytes, $ and \
         64 bytes, both in base64"
    )]
    Salted,
    /// A `$7$` that takes too long to check.
    #[error(
        "password: found a hash of {0} iterations, expected at most {MAX_ITERATIONS}: every guess \
         would keep other logins waiting; set it anew with fewer"
    )]
    TooCostly(u32),
    /// A `$7$` that is damaged.
    #[error(transparent)]
    Pbkdf2(#[from] HashError),
}

impl Imported {
    /// Whether this is the password. Compares in constant time.
    pub fn verify(&self, password: &[u8]) -> bool {
        match self {
            Imported::Pbkdf2(hash) => hash.verify(password),
            Imported::Sha512(Salted { salt, key }) => {
                let mut context = digest::Context::new(&digest::SHA512);
                context.update(password);
                context.update(salt);
                context.finish().as_ref().ct_eq(key).into()
            }
        }
    }

    /// The iterations of PBKDF2 that it takes to check a password.
    fn iterations(&self) -> u32 {
        match self {
            Imported::Pbkdf2(hash) => hash.iterations().get(),
            Imported::Sha512(_) => 0,
        }
    }

    /// The iterations that a wrong password is still to cost, after it was checked against this, to
    /// have cost as much as that many of ours. One of more iterations than those is found out by
    /// its time.
    pub(super) fn rest(&self, passwords: u32) -> Option<NonZeroU32> {
        let most = ITERATIONS.get().saturating_mul(passwords);
        NonZeroU32::new(most.saturating_sub(self.iterations()))
    }

    /// What it is, in mosquitto's words.
    pub fn kind(&self) -> &'static str {
        match self {
            Imported::Pbkdf2(_) => "sha512-pbkdf2",
            Imported::Sha512(_) => "sha512",
        }
    }
}

impl FromStr for Imported {
    type Err = ImportedError;

    fn from_str(text: &str) -> Result<Imported, ImportedError> {
        if text.starts_with("$7$") {
            let hash: Hash = text.parse().map_err(pbkdf2)?;
            let iterations = hash.iterations().get();
            return match iterations > MAX_ITERATIONS {
                true => Err(ImportedError::TooCostly(iterations)),
                false => Ok(Imported::Pbkdf2(hash)),
            };
        }
        let Some(rest) = text.strip_prefix("$6$") else {
            return Err(other_kind(text));
        };
        let decode = |text: &str| STANDARD.decode(text).ok();
        let read = rest.split_once('$').and_then(|(salt, key)| {
            let salt = decode(salt).filter(|salt| (1..=MAX_SALT_LEN).contains(&salt.len()))?;
            let key = decode(key).filter(|key| key.len() == digest::SHA512_OUTPUT_LEN)?;
            Some(Salted { salt, key })
        });
        read.map(Imported::Sha512).ok_or(ImportedError::Salted)
    }
}

/// Of a text that is no hash at all, not even a part is to be shown.
fn pbkdf2(why: HashError) -> ImportedError {
    match why {
        HashError::Iterations(found) if !found.bytes().all(|byte| byte.is_ascii_digit()) => {
            HashError::Format.into()
        }
        why => why.into(),
    }
}

/// `$2y$...`, `$argon2id$...`: the marks that name a kind of hash, which are no part of a password.
fn other_kind(text: &str) -> ImportedError {
    let kinds = ["$2a$", "$2b$", "$2y$", "$1$", "$5$", "$argon2", "$scrypt$"];
    match kinds.iter().find(|kind| text.starts_with(**kind)) {
        Some(kind) => ImportedError::OtherKind((*kind).to_owned()),
        None => ImportedError::Format,
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    fn written(kind: &str, password: &str) -> String {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwd");
        let made = Command::new("mosquitto_passwd")
            .args(["-H", kind, "-c", "-b"])
            .arg(&file)
            .args(["lamp", password])
            .stderr(Stdio::null())
            .status()
            .expect("mosquitto_passwd, of Debian's mosquitto package");
        assert!(made.success());
        let line = std::fs::read_to_string(&file).unwrap();
        line.trim().strip_prefix("lamp:").unwrap().to_owned()
    }

    #[test]
    fn both_kinds_that_mosquitto_passwd_writes_are_checked() {
        for kind in ["sha512-pbkdf2", "sha512"] {
            let hash: Imported = written(kind, "s3cret pass").parse().unwrap();
            assert_eq!(hash.kind(), kind);
            assert!(hash.verify(b"s3cret pass"), "{kind}");
            assert!(!hash.verify(b"s3cret pasS"), "{kind}");
            assert!(!hash.verify(b""), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_checked_is_named_and_never_shown() {
        let secret = "open-sesame";
        let error = |text: &str| text.parse::<Imported>().err().unwrap();
        assert_eq!(error(secret), ImportedError::Format);
        assert_eq!(error(""), ImportedError::Format);
        assert_eq!(error("$2y$10$abc"), ImportedError::OtherKind("$2y$".into()));
        let key = STANDARD.encode([0; 64]);
        for damaged in [
            "$6$".to_owned(),
            "$6$c2FsdA==".to_owned(),
            format!("$6$$ {key}"),
            format!("$6$c2FsdA==${}", STANDARD.encode([0; 63])),
            format!("$6$c2FsdA==${key}$"),
            format!("$6${}${key}", STANDARD.encode([0; 65])),
        ] {
            assert_eq!(error(&damaged), ImportedError::Salted, "{damaged}");
        }
        assert_eq!(error("$7$open$sesame$x"), HashError::Format.into());
        let costly = |iterations| format!("$7${iterations}$c2FsdA==${key}");
        let most = costly(MAX_ITERATIONS).parse::<Imported>();
        assert_eq!(most.ok().map(|hash| hash.iterations()), Some(100_000));
        let over = error(&costly(100_001));
        assert_eq!(over, ImportedError::TooCostly(100_001));
        let many = costly(900_000);
        assert!(error(&many).to_string().contains("900000"));
        assert!(matches!(error("$7$1$x$y"), ImportedError::Pbkdf2(_)));
    }

    #[test]
    fn a_name_that_waits_costs_as_much_as_one_that_nobody_has() {
        let (ours, key) = (ITERATIONS.get(), STANDARD.encode([0; 64]));
        let rest = |hash: &str, passwords| {
            let hash: Imported = hash.parse().unwrap();
            hash.rest(passwords).map_or(0, NonZeroU32::get)
        };
        let pbkdf2 = |iterations| format!("$7${iterations}$c2FsdA==${key}");
        assert_eq!(rest(&format!("$6$c2FsdA==${key}"), 1), ours);
        assert_eq!(rest(&pbkdf2(101), 1), ours - 101);
        assert_eq!(rest(&pbkdf2(ours), 1), 0);
        assert_eq!(rest(&pbkdf2(ours), 2), ours);
        assert_eq!(rest(&pbkdf2(MAX_ITERATIONS), 2), 0);
    }
}
