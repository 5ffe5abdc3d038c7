//! One bridge, and what it holds of sockets and of the core.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::Token;
use mqttguard_broker::bridge::{Bridge, BridgeConfig};
use mqttguard_broker::{ConnId, Decision, Grants, Limits, Time};

use super::dial::{Attempt, Prepared};
use crate::config::{self, BridgeProtocol};
use crate::upstream::link::Link;

/// Bridges are this and their name to the core. No account is called so: their names have no `/`.
const IDENTITY: &str = "bridge/";
/// How long one address may take for TCP and TLS.
pub(super) const CONNECT: Duration = Duration::from_secs(10);
/// How long names and files may take.
pub(super) const PREPARE: Duration = Duration::from_secs(40);

/// One bridge.
pub(super) struct Uplink {
    pub(super) config: config::Bridge,
    pub(super) machine: Bridge,
    pub(super) identity: Arc<str>,
    /// Of its socket; its own as long as it lives.
    pub(super) token: Token,
    grants: Arc<Grants>,
    limits: Arc<Limits>,
    pub(super) local: Option<Local>,
    pub(super) far: Far,
    /// Why the addresses tried so far did not do.
    pub(super) failures: String,
}

/// The connection to the core.
pub(super) struct Local {
    pub(super) id: ConnId,
    /// The core has something to say.
    pub(super) named: bool,
    /// The core takes nothing before then.
    pub(super) pause: Pause,
}

/// Whether the core is to be given bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pause {
    No,
    UntilNamed,
    Until(Time),
}

/// The connection to the server.
pub(super) enum Far {
    None,
    Preparing(Attempt, Time),
    Connecting {
        link: Link,
        by: Time,
        prepared: Prepared,
        /// Addresses not yet tried.
        left: Vec<SocketAddr>,
    },
    Open(Link),
}

impl Uplink {
    pub(super) fn new(config: config::Bridge, client_id: &str, token: Token, seed: u64) -> Uplink {
        let wire = wire(&config, client_id);
        let (grants, limits) = rights(&config, &wire);
        Uplink {
            identity: format!("{IDENTITY}{}", config.name).into(),
            token,
            machine: Bridge::new(wire, seed),
            grants,
            limits,
            config,
            local: None,
            far: Far::None,
            failures: String::new(),
        }
    }

    pub(super) fn is_local(&self, id: ConnId) -> bool {
        self.local.as_ref().is_some_and(|local| local.id == id)
    }

    pub(super) fn decision(&self) -> Decision {
        Decision::Accept {
            identity: Arc::clone(&self.identity),
            grants: Arc::clone(&self.grants),
            limits: Arc::clone(&self.limits),
            data: None,
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        let pause = self.local.as_ref().and_then(|local| match local.pause {
            Pause::Until(time) => Some(time),
            Pause::No | Pause::UntilNamed => None,
        });
        let far = match &self.far {
            Far::Preparing(_, by) | Far::Connecting { by, .. } => Some(*by),
            Far::None | Far::Open(_) => None,
        };
        let all = [self.machine.deadline(), pause, far];
        all.into_iter().flatten().min()
    }

    /// The server as people write it.
    pub(super) fn server(&self) -> String {
        let (host, port) = (&self.config.host, self.config.port);
        match host.contains(':') {
            true => format!("[{host}]:{port}"),
            false => format!("{host}:{port}"),
        }
    }

    /// Where the trusted authorities are, for messages.
    pub(super) fn ca(&self) -> String {
        let tls = self.config.tls.as_ref();
        tls.map_or_else(String::new, |tls| tls.ca.display().to_string())
    }
}

/// What the bridge's session here may do and use.
fn rights(config: &config::Bridge, wire: &BridgeConfig) -> (Arc<Grants>, Arc<Limits>) {
    let grants = Grants {
        publish: wire.local_in(),
        subscribe: wire.local_out(),
        deny: Vec::new(),
    };
    let limits = Limits {
        // Each packet grows by its prefix. A server of MQTT 3.1.1 cannot be told how many it
        // may have in flight.
        packet_size: wire.local_packet_size(),
        in_flight: u16::MAX,
        ..config.limits.clone()
    };
    (Arc::new(grants), Arc::new(limits))
}

/// The same for a session that was restored; None if it is none of a bridge's.
pub(in crate::broker) fn rights_of(
    bridges: &[config::Bridge],
    identity: &str,
    client_id: &str,
) -> Option<(Arc<Grants>, Arc<Limits>)> {
    let name = identity.strip_prefix(IDENTITY)?;
    let config = bridges.iter().find(|bridge| bridge.name == name)?;
    Some(rights(config, &wire(config, client_id)))
}

fn wire(config: &config::Bridge, client_id: &str) -> BridgeConfig {
    BridgeConfig {
        name: config.name.clone(),
        client_id: client_id.to_owned(),
        username: config.username.clone(),
        v5: config.protocol == BridgeProtocol::V5,
        keep_alive_s: config.keep_alive_s,
        qos: config.qos,
        outward: config.outward.clone(),
        inward: config.inward.clone(),
        local_prefix: config.local_prefix.clone(),
        remote_prefix: config.remote_prefix.clone(),
        packet_size: config.limits.packet_size,
        in_flight: config.limits.in_flight,
        session_expiry_s: config.limits.session_expiry_s,
    }
}
