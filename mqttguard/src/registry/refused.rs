//! What the registry's rules are against.

use mqttguard_common::{MAX_EXCEPTIONS, Mac};
use serde_json::Value;

use crate::coded::Coded;
use crate::json::json;

/// Why the owner's wish cannot be granted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// The registry is full.
    #[error("no room for another device: {0} are known")]
    Full(usize),
    /// The profile is not configured.
    #[error("profile: found '{found}', expected one of: {}", .known.join(", "))]
    NoSuchProfile {
        /// What was asked for.
        found: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The user name cannot be one.
    #[error("username: found '{0}', expected 1 to 63 letters, digits, '.', '_' or '-'")]
    BadUsername(String),
    /// The user name belongs to another device.
    #[error("username: '{username}' is the credential of {owner}")]
    UsernameTaken {
        /// What was asked for.
        username: String,
        /// The device that has it.
        owner: Mac,
    },
    /// The device is blocked.
    #[error("{0} is blocked; 'unblock' it first")]
    Blocked(Mac),
    /// The device has no credential.
    #[error("{0} has no credential; 'enrol' or 'pair' gives it one")]
    NoCredential(Mac),
    /// An account is to wait for a device that has a credential.
    #[error("{mac} has the credential '{username}' already; 'revoke' it first")]
    HasCredential {
        /// The device.
        mac: Mac,
        /// Its user name.
        username: String,
    },
    /// Two accounts are to wait for one device.
    #[error("{0} is named for two accounts, expected one: a device has one credential")]
    TwoAccounts(Mac),
    /// Two accounts have one user name.
    #[error("username: found '{0}' twice")]
    UsernameTwice(String),
    /// There are too many accounts that wait.
    #[error("no room for these accounts: at most {0} can wait for their devices")]
    TooManyClaims(usize),
    /// There are too many pairing windows.
    #[error("no room for another pairing window: {0} are open; cancel one")]
    TooManyPairings(usize),
    /// The configuration blocks the device; only the configuration can let it go.
    #[error("{0} is blocked by its 'device' section in the configuration; remove it there")]
    BlockedByConfig(Mac),
    /// There are notes of too many devices.
    #[error("no room for the notes of another device: {0} devices learn already")]
    TooManyLearning(usize),
    /// There are too many exceptions for a time.
    #[error("no room for another exception: {0} are in force; 'disallow' one, or write a section")]
    TooManyAllowances(usize),
    /// There are too many exceptions for its destination.
    #[error("no room for another exception for this destination: {MAX_EXCEPTIONS} apply to it")]
    NoRoomForAllowance,
}

impl Refused {
    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<Refused> {
        let text = |name: &str| format!("{{{name}}}");
        let mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1]);
        vec![
            Refused::Full(512),
            Refused::NoSuchProfile {
                found: text("found"),
                known: vec![text("known")],
            },
            Refused::BadUsername(text("username")),
            Refused::UsernameTaken {
                username: text("username"),
                owner: mac,
            },
            Refused::Blocked(mac),
            Refused::NoCredential(mac),
            Refused::HasCredential {
                mac,
                username: text("username"),
            },
            Refused::TwoAccounts(mac),
            Refused::UsernameTwice(text("username")),
            Refused::TooManyClaims(64),
            Refused::TooManyPairings(16),
            Refused::BlockedByConfig(mac),
            Refused::TooManyLearning(64),
            Refused::TooManyAllowances(64),
            Refused::NoRoomForAllowance,
        ]
    }
}

impl Coded for Refused {
    fn code(&self) -> &'static str {
        match self {
            Refused::Full(_) => "registry-full",
            Refused::NoSuchProfile { .. } => "no-such-profile",
            Refused::BadUsername(_) => "bad-username",
            Refused::UsernameTaken { .. } => "username-taken",
            Refused::Blocked(_) => "device-blocked",
            Refused::NoCredential(_) => "nothing-held",
            Refused::HasCredential { .. } => "has-credential",
            Refused::TwoAccounts(_) => "two-accounts",
            Refused::UsernameTwice(_) => "username-twice",
            Refused::TooManyClaims(_) => "claims-full",
            Refused::TooManyPairings(_) => "pairings-full",
            Refused::BlockedByConfig(_) => "blocked-by-configuration",
            Refused::TooManyLearning(_) => "learning-full",
            Refused::TooManyAllowances(_) => "allowances-full",
            Refused::NoRoomForAllowance => "destination-full",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            Refused::Full(most)
            | Refused::TooManyClaims(most)
            | Refused::TooManyPairings(most)
            | Refused::TooManyLearning(most)
            | Refused::TooManyAllowances(most) => vec![("most", json!(most))],
            Refused::NoSuchProfile { found, known } => {
                vec![("found", json!(found)), ("known", json!(known))]
            }
            Refused::BadUsername(username) | Refused::UsernameTwice(username) => {
                vec![("username", json!(username))]
            }
            Refused::UsernameTaken { username, owner } => vec![
                ("username", json!(username)),
                ("owner", json!(owner.to_string())),
            ],
            Refused::HasCredential { mac, username } => vec![
                ("mac", json!(mac.to_string())),
                ("username", json!(username)),
            ],
            Refused::Blocked(mac)
            | Refused::NoCredential(mac)
            | Refused::TwoAccounts(mac)
            | Refused::BlockedByConfig(mac) => vec![("mac", json!(mac.to_string()))],
            Refused::NoRoomForAllowance => vec![("most", json!(MAX_EXCEPTIONS))],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = Refused::samples();
        let codes = samples.iter().map(|one| one.code().to_owned()).collect();
        let source = include_str!("refused.rs");
        assert_eq!(codes_of(source, "impl Coded for Refused"), codes);
    }
}
