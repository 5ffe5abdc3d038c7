//! Passwords at rest: `$7$iterations$salt$hash`, PBKDF2-HMAC-SHA512 (RFC 8018 section 5.2) as
//! mosquitto_passwd writes it, so that files import and export both ways.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::pbkdf2;
use ring::rand::{SecureRandom, SystemRandom};
use zeroize::Zeroizing;

/// Iterations of new hashes. A wrong password and an unknown user cost this much each; on a
/// router of the smaller kind that is a tenth of a second of the login worker.
pub const ITERATIONS: NonZeroU32 = NonZeroU32::new(10_000).unwrap();

/// Most iterations accepted of a hash that is in use.
pub const MAX_ITERATIONS: u32 = 500_000;

/// Longest password accepted at a login, in bytes. HMAC hashes a longer key down anyway.
pub const MAX_PASSWORD: usize = 1024;

const SALT_LEN: usize = 12;
pub(super) const MAX_SALT_LEN: usize = 64;
const KEY_LEN: usize = ring::digest::SHA512_OUTPUT_LEN;

/// Crockford's base 32, small letters: no `i`, `l`, `o` or `u` to be misread from a screen.
const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A password's hash.
#[derive(Clone, PartialEq, Eq)]
pub struct Hash {
    iterations: NonZeroU32,
    salt: Vec<u8>,
    key: [u8; KEY_LEN],
}

/// Why a text is no [`struct@Hash`].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// It does not have the four fields.
    #[error("password hash: expected $7$<iterations>$<salt>$<hash> (mosquitto_passwd's default)")]
    Format,
    /// The iteration count is no number, zero or too high.
    #[error("password hash: {0:?} iterations, expected a number from 1 to {MAX_ITERATIONS}")]
    Iterations(String),
    /// The salt is not base64 or of an odd length.
    #[error("password hash: the salt is not base64 of 1 to {MAX_SALT_LEN} bytes")]
    Salt,
    /// The hash is not base64 of 64 bytes.
    #[error("password hash: the hash is not base64 of {KEY_LEN} bytes")]
    Key,
}

/// The system's source of random numbers failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no random numbers from the system")]
pub struct NoRandom;

impl Hash {
    /// Hashes a password under a fresh salt.
    pub fn new(password: &[u8], iterations: NonZeroU32) -> Result<Hash, NoRandom> {
        let mut salt = vec![0; SALT_LEN];
        SystemRandom::new().fill(&mut salt).map_err(|_| NoRandom)?;
        let mut key = [0; KEY_LEN];
        pbkdf2::derive(
            pbkdf2::PBKDF2_HMAC_SHA512,
            iterations,
            &salt,
            password,
            &mut key,
        );
        Ok(Hash {
            iterations,
            salt,
            key,
        })
    }

    /// How much it costs to check a password.
    pub(super) fn iterations(&self) -> NonZeroU32 {
        self.iterations
    }

    /// What costs this much to check, and is nobody's password.
    pub(super) fn with_iterations(&self, iterations: NonZeroU32) -> Hash {
        Hash {
            iterations,
            ..self.clone()
        }
    }

    /// Whether this is the password. Compares in constant time.
    pub fn verify(&self, password: &[u8]) -> bool {
        pbkdf2::verify(
            pbkdf2::PBKDF2_HMAC_SHA512,
            self.iterations,
            &self.salt,
            password,
            &self.key,
        )
        .is_ok()
    }
}

impl FromStr for Hash {
    type Err = HashError;

    fn from_str(text: &str) -> Result<Hash, HashError> {
        let mut fields = text
            .strip_prefix("$7$")
            .ok_or(HashError::Format)?
            .split('$');
        let (Some(iterations), Some(salt), Some(key), None) =
            (fields.next(), fields.next(), fields.next(), fields.next())
        else {
            return Err(HashError::Format);
        };
        let iterations = iterations
            .parse()
            .ok()
            .filter(|count: &NonZeroU32| count.get() <= MAX_ITERATIONS)
            .ok_or_else(|| HashError::Iterations(iterations.chars().take(20).collect()))?;
        if salt.is_empty() || salt.len() > MAX_SALT_LEN.div_ceil(3) * 4 {
            return Err(HashError::Salt);
        }
        let salt = STANDARD.decode(salt).map_err(|_| HashError::Salt)?;
        if salt.is_empty() || salt.len() > MAX_SALT_LEN {
            return Err(HashError::Salt);
        }
        let key = STANDARD.decode(key).map_err(|_| HashError::Key)?;
        let key = key.try_into().map_err(|_| HashError::Key)?;
        Ok(Hash {
            iterations,
            salt,
            key,
        })
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "$7${}${}${}",
            self.iterations,
            STANDARD.encode(&self.salt),
            STANDARD.encode(self.key)
        )
    }
}

/// Shows no more than that it is one.
impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hash")
            .field("iterations", &self.iterations)
            .finish_non_exhaustive()
    }
}

/// A new password of 128 random bits, 26 characters that cannot be mistaken for each other.
pub fn issue() -> Result<Zeroizing<String>, NoRandom> {
    let mut bits = Zeroizing::new([0u8; 16]);
    SystemRandom::new()
        .fill(bits.as_mut_slice())
        .map_err(|_| NoRandom)?;
    let mut rest = u128::from_be_bytes(*bits);
    let mut text = Zeroizing::new(String::with_capacity(26));
    for _ in 0..26 {
        let digit = usize::try_from(rest & 31).unwrap_or_default();
        text.push(char::from(ALPHABET.get(digit).copied().unwrap_or(b'0')));
        rest >>= 5;
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    const FEW: NonZeroU32 = NonZeroU32::new(101).unwrap();

    #[test]
    fn verifies_its_own_password_only() {
        let hash = Hash::new(b"correct horse", FEW).unwrap();
        let read: Hash = hash.to_string().parse().unwrap();
        assert!(read == hash);
        assert!(read.verify(b"correct horse"));
        assert!(!read.verify(b"correct horsf"));
        assert!(!read.verify(b""));
        assert!(!format!("{hash:?}").contains("key"));
    }

    #[test]
    fn refuses_what_is_no_hash() {
        let key = STANDARD.encode([0; 64]);
        let cases = [
            (String::new(), HashError::Format),
            ("$6$abc$def".into(), HashError::Format),
            ("$7$1000$c2FsdA==".into(), HashError::Format),
            (format!("$7$1000$c2FsdA==${key}$"), HashError::Format),
            (
                format!("$7$0$c2FsdA==${key}"),
                HashError::Iterations("0".into()),
            ),
            (
                format!("$7$4000000000$c2FsdA==${key}"),
                HashError::Iterations("4000000000".into()),
            ),
            (
                format!("$7$x$c2FsdA==${key}"),
                HashError::Iterations("x".into()),
            ),
            (format!("$7$1000$c2Fsd${key}"), HashError::Salt),
            (format!("$7$1000$${key}"), HashError::Salt),
            ("$7$1000$c2FsdA==$c2FsdA==".into(), HashError::Key),
            (
                format!("$7$1000${}${key}", STANDARD.encode([1; 65])),
                HashError::Salt,
            ),
        ];
        for (text, error) in cases {
            assert_eq!(text.parse::<Hash>().unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn issues_different_passwords_of_26_characters() {
        let first = issue().unwrap();
        assert_eq!(first.len(), 26);
        assert!(first.bytes().all(|byte| ALPHABET.contains(&byte)));
        assert_ne!(*first, *issue().unwrap());
    }

    #[test]
    fn takes_what_mosquitto_passwd_writes() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("passwd");
        let made = Command::new("mosquitto_passwd")
            .args(["-c", "-b"])
            .arg(&file)
            .args(["lamp", "s3cret pass"])
            .stderr(Stdio::null())
            .status()
            .expect("mosquitto_passwd, of Debian's mosquitto package");
        assert!(made.success());
        let line = std::fs::read_to_string(&file).unwrap();
        let text = line.trim().strip_prefix("lamp:").unwrap();
        let hash: Hash = text.parse().unwrap();
        assert!(hash.verify(b"s3cret pass"));
        assert!(!hash.verify(b"s3cret pasS"));
        assert_eq!(hash.to_string(), text);
    }

    #[test]
    fn mosquitto_takes_what_we_write() {
        let dir = tempfile::tempdir().unwrap();
        let passwords = dir.path().join("passwd");
        let hash = Hash::new(b"s3cret pass", ITERATIONS).unwrap();
        std::fs::write(&passwords, format!("lamp:{hash}\n")).unwrap();
        let port = std::net::TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .unwrap()
            .port();
        let config = dir.path().join("conf");
        let lines = format!(
            "user root\nlistener {port} 127.0.0.1\npassword_file {}\n",
            passwords.display()
        );
        std::fs::write(&config, lines).unwrap();
        let mut mosquitto = Command::new("mosquitto")
            .arg("-c")
            .arg(&config)
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's mosquitto");
        let login = |password: &str| {
            let port = port.to_string();
            Command::new("mosquitto_pub")
                .args(["-h", "127.0.0.1", "-p", &port, "-u", "lamp", "-P", password])
                .args(["-t", "x", "-m", "y", "-q", "1"])
                .stderr(Stdio::null())
                .status()
                .is_ok_and(|status| status.success())
        };
        let right = (0..50).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            login("s3cret pass")
        });
        let wrong = login("s3cret pasS");
        mosquitto.kill().unwrap();
        mosquitto.wait().unwrap();
        assert!(right && !wrong, "right: {right}, wrong: {wrong}");
    }
}
