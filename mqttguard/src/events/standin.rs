//! What nftables does where the kernel program does not stand.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;
use crate::json::json;

/// What nftables does, or fails to do, in the kernel program's place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StandIn {
    /// It drops the plaintext ports on these interfaces, and what cut-off devices send.
    Reduced {
        /// The guarded Linux devices.
        interfaces: Vec<String>,
    },
    /// It forwards nothing from these interfaces.
    Closed {
        /// The guarded Linux devices.
        interfaces: Vec<String>,
    },
    /// It is not needed.
    None,
    /// Somebody has removed or changed its table, which was put back.
    Restored,
    /// It fails, where it has nothing to guard.
    Failing {
        /// What nft says.
        why: String,
    },
    /// It fails where it was to reduce the harm: there is no protection.
    Unprotected {
        /// The guarded Linux devices.
        interfaces: Vec<String>,
        /// What nft says.
        why: String,
    },
    /// It fails where nothing was to be forwarded.
    Unclosed {
        /// The guarded Linux devices.
        interfaces: Vec<String>,
        /// What nft says.
        why: String,
    },
}

impl StandIn {
    /// In one word of five, as the event has it beside the code.
    pub(crate) const fn what(&self) -> &'static str {
        match self {
            StandIn::Reduced { .. } => "reduced",
            StandIn::Closed { .. } => "closed",
            StandIn::None => "none",
            StandIn::Restored => "restored",
            StandIn::Failing { .. } | StandIn::Unprotected { .. } | StandIn::Unclosed { .. } => {
                "failed"
            }
        }
    }

    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<StandIn> {
        let interfaces = vec!["{interfaces}".to_owned()];
        let why = "{why}".to_owned();
        vec![
            StandIn::Reduced {
                interfaces: interfaces.clone(),
            },
            StandIn::Closed {
                interfaces: interfaces.clone(),
            },
            StandIn::None,
            StandIn::Restored,
            StandIn::Failing { why: why.clone() },
            StandIn::Unprotected {
                interfaces: interfaces.clone(),
                why: why.clone(),
            },
            StandIn::Unclosed { interfaces, why },
        ]
    }
}

impl Coded for StandIn {
    fn code(&self) -> &'static str {
        match self {
            StandIn::Reduced { .. } => "reduced",
            StandIn::Closed { .. } => "closed",
            StandIn::None => "none",
            StandIn::Restored => "restored",
            StandIn::Failing { .. } => "nftables-failing",
            StandIn::Unprotected { .. } => "unprotected",
            StandIn::Unclosed { .. } => "unclosed",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            StandIn::None | StandIn::Restored => Vec::new(),
            StandIn::Failing { why } => vec![("why", json!(why))],
            StandIn::Reduced { interfaces } | StandIn::Closed { interfaces } => {
                vec![("interfaces", json!(interfaces))]
            }
            StandIn::Unprotected { interfaces, why } | StandIn::Unclosed { interfaces, why } => {
                vec![("interfaces", json!(interfaces)), ("why", json!(why))]
            }
        }
    }
}

impl fmt::Display for StandIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StandIn::Reduced { interfaces } => write!(
                f,
                "reduced protection: nftables, plaintext ports only, on {}",
                interfaces.join(", ")
            ),
            StandIn::Closed { interfaces } => write!(
                f,
                "closed: nothing is forwarded from {} (on_error 'closed')",
                interfaces.join(", ")
            ),
            StandIn::None => f.write_str("nftables no longer stands in for the kernel program"),
            StandIn::Restored => f.write_str(
                "somebody has removed or changed the nftables table 'inet mqttguard'; it is put back",
            ),
            StandIn::Failing { why } => write!(f, "nftables fails: {why}"),
            StandIn::Unprotected { interfaces, why } => write!(
                f,
                "no protection on {}: nftables does not help either: {why}",
                interfaces.join(", ")
            ),
            StandIn::Unclosed { interfaces, why } => write!(
                f,
                "NO PROTECTION AND NOT CLOSED on {}, against on_error 'closed': {why}",
                interfaces.join(", ")
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = StandIn::samples();
        let codes = samples.iter().map(|one| one.code().to_owned()).collect();
        let source = include_str!("standin.rs");
        assert_eq!(codes_of(source, "impl Coded for StandIn"), codes);
    }
}
