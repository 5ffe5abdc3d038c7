//! What happens around Manufacturer Usage Descriptions (RFC 8520).

use std::net::IpAddr;

use serde_json::Value;

use crate::json::json;

use super::Severity;

/// What happened to what a maker says of a device. URLs and reasons may hold hostile text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MudChange {
    /// A device announces a URL that it did not before.
    Announced {
        /// Where the file is said to be.
        url: String,
    },
    /// The owner accepted a file.
    Accepted {
        /// Where it is.
        url: String,
        /// Who signed it, if that is proven; else it was accepted for want of better.
        signer: Option<String>,
    },
    /// The owner took that back.
    Forgotten {
        /// Where the file was.
        url: String,
    },
    /// An accepted file is another by now. The one that was accepted stays in force.
    Changed {
        /// Where it is.
        url: String,
    },
    /// An accepted file could not be fetched again. It stays in force.
    Failed {
        /// Where it should be.
        url: String,
        /// Why not.
        why: String,
    },
    /// What an accepted file lets leave leads to other addresses, or a name to none.
    Resolved {
        /// The name.
        host: String,
        /// Its addresses now.
        addresses: Vec<IpAddr>,
    },
    /// The kernel program has no room for what an accepted file lets leave.
    Crowded {
        /// How many destinations are left out.
        count: usize,
    },
    /// The device tried to send unencrypted MQTT, of which its maker says nothing.
    Outside {
        /// Where the file is.
        url: String,
        /// The maker names MQTT over TLS.
        tls_only: bool,
    },
}

impl MudChange {
    pub(super) const fn severity(&self) -> Severity {
        match self {
            MudChange::Accepted { .. }
            | MudChange::Forgotten { .. }
            | MudChange::Announced { .. }
            | MudChange::Changed { .. } => Severity::Notice,
            MudChange::Resolved { .. } => Severity::Info,
            MudChange::Failed { .. } | MudChange::Crowded { .. } | MudChange::Outside { .. } => {
                Severity::Warning
            }
        }
    }

    pub(super) fn sentence(&self, who: &str) -> String {
        match self {
            MudChange::Announced { url } => format!(
                "{who} says that its maker describes it at {url}; 'mqttguard mud' shows what is there"
            ),
            MudChange::Accepted {
                url,
                signer: Some(signer),
            } => format!("what {url} says of {who} is accepted, signed by {signer}"),
            MudChange::Accepted { url, signer: None } => {
                format!("what {url} says of {who} is accepted, though nobody vouches for it")
            }
            MudChange::Forgotten { url } => {
                format!("what {url} says of {who} is not accepted any more")
            }
            MudChange::Changed { url } => format!(
                "{url} says other things of {who} now; what was accepted stays in force until they \
                 are ('mqttguard mud')"
            ),
            MudChange::Failed { url, why } => {
                format!("what {url} says of {who} cannot be read again, and stays in force: {why}")
            }
            MudChange::Resolved { host, addresses } if addresses.is_empty() => {
                format!("{who} may send unencrypted MQTT to {host}, which has no address")
            }
            MudChange::Resolved { host, addresses } => {
                let addresses: Vec<String> = addresses.iter().map(IpAddr::to_string).collect();
                let addresses = addresses.join(", ");
                format!("{who} may send unencrypted MQTT to {host}, which is at {addresses}")
            }
            MudChange::Crowded { count } => format!(
                "the kernel program has no room for {count} destinations that descriptions of devices \
                 ask for: these stay closed"
            ),
            MudChange::Outside {
                url,
                tls_only: true,
            } => format!(
                "{who} tries to send unencrypted MQTT, and its maker ({url}) says that it speaks MQTT \
                 over TLS only: it is not up to date, or not itself"
            ),
            MudChange::Outside {
                url,
                tls_only: false,
            } => format!(
                "{who} tries to send unencrypted MQTT to where its maker ({url}) says nothing of it"
            ),
        }
    }

    /// The fields of its kind.
    pub(super) fn fields(&self) -> Vec<(&'static str, Value)> {
        match self {
            MudChange::Announced { url }
            | MudChange::Forgotten { url }
            | MudChange::Changed { url } => vec![("url", json!(url))],
            MudChange::Accepted { url, signer } => {
                vec![("url", json!(url)), ("signer", json!(signer))]
            }
            MudChange::Failed { url, why } => vec![("url", json!(url)), ("why", json!(why))],
            MudChange::Resolved { host, addresses } => {
                vec![("host", json!(host)), ("addresses", json!(addresses))]
            }
            MudChange::Crowded { count } => vec![("count", json!(count))],
            MudChange::Outside { url, tls_only } => {
                vec![("url", json!(url)), ("tls_only", json!(tls_only))]
            }
        }
    }
}
