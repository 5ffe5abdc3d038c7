//! Why devices come into another state of their lives.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;
use crate::json::json;

/// Why a device's state changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Because {
    /// The owner has said why.
    Note(String),
    /// The owner has blocked it, and said nothing.
    Blocked,
    /// The owner has put it into quarantine, and said nothing.
    Confined,
    /// The owner has let it go.
    Released,
    /// It failed to log in too often.
    Guessed {
        /// How often, within a minute.
        failures: u32,
    },
    /// The kernel held it to its flood limits for too long.
    Flooded {
        /// For how many seconds of a minute.
        seconds: u32,
    },
    /// It was in quarantine when the daemon ended, and that was not written down.
    Resumed,
    /// The time of its quarantine is over.
    Over,
    /// The owner has opened a pairing window for it.
    Pairing,
    /// It was given a credential.
    Enrolled,
    /// What it presented is its credential.
    Paired,
    /// Its credential was taken away.
    Revoked,
    /// The configuration has it so.
    Configured,
}

impl Because {
    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<Because> {
        vec![
            Because::Note("{why}".to_owned()),
            Because::Blocked,
            Because::Confined,
            Because::Released,
            Because::Guessed { failures: 10 },
            Because::Flooded { seconds: 10 },
            Because::Resumed,
            Because::Over,
            Because::Pairing,
            Because::Enrolled,
            Because::Paired,
            Because::Revoked,
            Because::Configured,
        ]
    }
}

impl Coded for Because {
    fn code(&self) -> &'static str {
        match self {
            Because::Note(_) => "note",
            Because::Blocked => "owner-blocked",
            Because::Confined => "owner-confined",
            Because::Released => "owner-released",
            Because::Guessed { .. } => "guessed",
            Because::Flooded { .. } => "flooded",
            Because::Resumed => "resumed",
            Because::Over => "over",
            Because::Pairing => "pairing",
            Because::Enrolled => "owner-enrolled",
            Because::Paired => "paired",
            Because::Revoked => "credential-revoked",
            Because::Configured => "configured",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            Because::Note(why) => vec![("why", json!(why))],
            Because::Guessed { failures } => vec![("failures", json!(failures))],
            Because::Flooded { seconds } => vec![("seconds", json!(seconds))],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for Because {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Because::Note(why) => why,
            Because::Guessed { failures } => {
                return write!(f, "{failures} failed logins within a minute");
            }
            Because::Flooded { seconds } => {
                return write!(f, "flooded in {seconds} seconds of a minute");
            }
            Because::Blocked => "blocked by the owner",
            Because::Confined => "put there by the owner",
            Because::Released => "released by the owner",
            Because::Resumed => "in quarantine when the daemon ended",
            Because::Over => "the quarantine is over",
            Because::Pairing => "the owner opened a pairing window",
            Because::Enrolled => "enrolled by the owner",
            Because::Paired => "paired",
            Because::Revoked => "its credential was revoked",
            Because::Configured => "by the configuration",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = Because::samples();
        let codes = samples.iter().map(|one| one.code().to_owned()).collect();
        let source = include_str!("because.rs");
        assert_eq!(codes_of(source, "impl Coded for Because"), codes);
    }
}
