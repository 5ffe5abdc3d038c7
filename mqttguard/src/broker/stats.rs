//! The broker's state, as it is told.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mqttguard_broker::{Stats, Version};
use mqttguard_common::Mac;

use super::bridge::BridgeStatus;
use super::journal::JournalStatus;
use super::listen::ListenerStatus;
use super::login::verdict::LoginStats;

/// The broker's state.
#[derive(Clone, Debug)]
pub struct BrokerStats {
    /// The core's counters and levels.
    pub core: Stats,
    /// All listeners.
    pub listeners: Vec<ListenerStatus>,
    /// All clients that are in.
    pub clients: Vec<ClientStatus>,
    /// How often each bound was met: those of [`mqttguard_broker::BOUNDS`] and of [`crate::config::DOOR`].
    pub limits_met: Vec<(&'static str, u64)>,
    /// All bridges.
    pub bridges: Vec<BridgeStatus>,
    /// How the journal is, if there is one.
    pub journal: Option<JournalStatus>,
    /// Logins, by what they were let in for.
    pub logins: LoginStats,
    /// PUBLISH packets from the clients of each device.
    pub published: HashMap<Mac, u64>,
    /// Events that found their channel full, since the start.
    pub events_lost: u64,
}

/// One client that is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientStatus {
    /// The user name; the broker's identity.
    pub username: Arc<str>,
    /// The MAC address it came from, if known.
    pub mac: Option<Mac>,
    /// The client identifier, cut if it is long.
    pub client_id: Arc<str>,
    /// Where it comes from.
    pub address: IpAddr,
    /// How long it is in.
    pub connected_for: Duration,
    /// The protocol it speaks.
    pub protocol: Version,
    /// The listener it came in by.
    pub listener: Arc<str>,
}
