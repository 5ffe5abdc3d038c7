//! A bridge: a wire between a session of the local [`crate::Broker`] and a session of another
//! server, with topics renamed on the way.
//!
//! Both ends are clients. A message keeps its packet identifier and its acknowledgements pass
//! through, so that QoS 1 and 2 hold from end to end, Receive Maximum holds the faster side
//! back, and what cannot go now waits in the local session, within the bounds of any session. The
//! bridge itself keeps no message.
//!
//! Like the core it does no I/O: bytes, events and the time in; bytes, [`BridgeAction`]s and
//! [`BridgeNotice`]s out.
//!
//! # How the caller drives it
//!
//! 1. [`Bridge::tick`] at once and no later than [`Bridge::deadline`].
//! 2. After every call it does what [`Bridge::next_action`] asks for, in order: it reports by
//!    [`Bridge::connected`] or [`Bridge::lost`] what came of [`BridgeAction::Dial`].
//! 3. It passes on what [`Bridge::to_upstream`] and [`Bridge::to_local`] hold, and hands in what
//!    comes back by [`Bridge::from_upstream`] and [`Bridge::from_local`], but only what
//!    [`Bridge::takes_upstream`] and [`Bridge::takes_local`] ask for. [`Bridge::work`] goes on with
//!    what had to wait for room.
//!
//! # Sessions and packet identifiers
//!
//! Packet identifiers pass through, so each must mean the same at both ends. Three rules see to
//! it. If one connection is lost, the other is closed: both ends start again from their sessions.
//! If the server has lost its session, the local one forgets which QoS 2 messages it has had from
//! it ([`crate::SessionView::unreleased`]). If the local one is lost and QoS 2 goes out, the
//! server's is started anew. The bridge's own SUBSCRIBE goes under the one identifier that the
//! core never uses.
//!
//! # Loops
//!
//! No Local is set on the local subscriptions, so what came from the server never goes back to
//! it. The server is told likewise not to send the bridge its own messages: by No Local in MQTT
//! 5, by mosquitto's bridge flag in MQTT 3.1.1. Where it takes neither, a bridge whose topics
//! overlap in both directions stays down.

mod clock;
mod link;
mod packets;
mod relay;
mod topics;

use std::collections::VecDeque;
use std::sync::Arc;

use crate::{Time, Version};
use clock::{Backoff, Pulse};
use topics::Route;
pub use topics::overlap;

/// Client identifiers that begin with this are the bridges' own in the local broker.
pub const CLIENT_ID_PREFIX: &str = "$bridge/";

/// The bridge's own packets go under this identifier ([`crate::Broker`] never uses it).
const OWN_ID: u16 = 65_535;
/// With so much waiting for one side, nothing more is taken from the other.
const HIGH: usize = 64 * 1024;
/// Notices that wait to be told.
const NOTICES: usize = 16;
/// Bytes that a packet may grow by besides its topic: a longer Remaining Length, an empty set of
/// properties.
const GROWTH: u32 = 8;

/// What a bridge is to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeConfig {
    /// Its name; the local client identifier is [`CLIENT_ID_PREFIX`] and this.
    pub name: String,
    /// The client identifier on the server.
    pub client_id: String,
    /// The user name on the server.
    pub username: Option<String>,
    /// Begin with MQTT 5. Otherwise with MQTT 3.1.1.
    pub v5: bool,
    /// Keep Alive, in seconds.
    pub keep_alive_s: u16,
    /// The highest QoS in either direction, 0 to 2.
    pub qos: u8,
    /// Topic filters, without prefix, of what goes to the server.
    pub outward: Vec<String>,
    /// Topic filters, without prefix, of what comes from the server.
    pub inward: Vec<String>,
    /// What topic names begin with here, and not on the server.
    pub local_prefix: String,
    /// What topic names begin with on the server, and not here.
    pub remote_prefix: String,
    /// Largest packet in either direction, in bytes.
    pub packet_size: u32,
    /// QoS 1 and 2 messages under way at the same time, in each direction.
    pub in_flight: u16,
    /// Seconds that the sessions at both ends outlive their connections.
    pub session_expiry_s: u32,
}

impl BridgeConfig {
    /// Filters of the topics it takes here.
    pub fn local_out(&self) -> Vec<String> {
        self.outward_route().filters
    }

    /// Filters of the topics it publishes to here.
    pub fn local_in(&self) -> Vec<String> {
        self.inward_route().images().collect()
    }

    /// Filters of the topics it publishes to on the server.
    pub fn remote_out(&self) -> Vec<String> {
        self.outward_route().images().collect()
    }

    /// Filters of the topics it takes on the server.
    pub fn remote_in(&self) -> Vec<String> {
        self.inward_route().filters
    }

    /// The first `in` and `out` pattern that have a topic in common.
    pub fn overlapping(&self) -> Option<(&str, &str)> {
        let pairs = self
            .inward
            .iter()
            .flat_map(|i| self.outward.iter().map(move |o| (i.as_str(), o.as_str())));
        pairs.into_iter().find(|(i, o)| overlap(i, o))
    }

    /// The largest packet that the local broker may get from it, in bytes.
    pub fn local_packet_size(&self) -> u32 {
        self.packet_size
            .saturating_add(prefix_len(&self.local_prefix))
            .saturating_add(GROWTH)
    }

    fn outward_route(&self) -> Route {
        Route::new(&self.outward, &self.local_prefix, &self.remote_prefix)
    }

    fn inward_route(&self) -> Route {
        Route::new(&self.inward, &self.remote_prefix, &self.local_prefix)
    }
}

fn prefix_len(prefix: &str) -> u32 {
    u32::try_from(prefix.len()).unwrap_or(u32::MAX)
}

/// What the caller is to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeAction {
    /// Open a connection of the local broker and call [`Bridge::local_opened`].
    OpenLocal,
    /// That connection is over ([`crate::Broker::lost`]), after what waits for it was handed over.
    CloseLocal,
    /// Reach the server; then [`Bridge::connected`], or [`Bridge::lost`].
    Dial,
    /// Close the connection to the server, after what waits for it was sent as far as it goes.
    HangUp,
}

/// Something worth telling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BridgeNotice {
    /// Messages pass.
    Up {
        /// The protocol that the server speaks.
        version: Version,
    },
    /// Messages do not pass. Comes when they cease to, and when the reason changes.
    Down {
        /// Why, in words.
        why: String,
    },
    /// The server refused a subscription.
    Refused {
        /// The filter.
        filter: String,
        /// Why, in words.
        why: &'static str,
    },
    /// A message was dropped. At most one such notice in ten seconds.
    Dropped {
        /// From the server, or to it.
        inward: bool,
        /// Its topic; from the server hostile text.
        topic: String,
        /// Why, in words.
        why: &'static str,
    },
}

/// How a bridge does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeStatus {
    /// The protocol in use and since when, while messages pass.
    pub up: Option<(Version, Time)>,
    /// Why the last connection ended or could not be had.
    pub last_error: Option<Arc<str>>,
    /// Filters that the server refused.
    pub refused: Vec<String>,
    /// Messages from the server, without those dropped.
    pub messages_in: u64,
    /// Messages to the server, without those dropped.
    pub messages_out: u64,
    /// Messages dropped on their way, in either direction.
    pub messages_dropped: u64,
}

/// What the two ends agree to speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    V5,
    /// MQTT 3.1.1 with mosquitto's bridge flag.
    V311Bridge,
    V311,
}

impl Dialect {
    fn version(self) -> Version {
        match self {
            Dialect::V5 => Version::V5,
            Dialect::V311Bridge | Dialect::V311 => Version::V311,
        }
    }

    fn lower(self) -> Option<Dialect> {
        match self {
            Dialect::V5 => Some(Dialect::V311Bridge),
            Dialect::V311Bridge => Some(Dialect::V311),
            Dialect::V311 => None,
        }
    }
}

/// What a bridge is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Until it tries.
    Waiting(Time),
    /// The local session is made, so that it keeps messages while there is no server.
    Priming,
    Dialling,
    /// CONNECT went to the server; its CONNACK is due by then.
    Greeting(Time),
    /// CONNECT went to the local broker.
    Joining,
    Up(Time),
}

/// One of the two connections.
struct End {
    open: bool,
    version: Version,
    /// What came and was not yet taken.
    input: Vec<u8>,
    /// What waits to go.
    output: Vec<u8>,
    /// There may be whole packets in `input`: they wait for room on the other side.
    held: bool,
    pulse: Pulse,
    /// Bytes of a packet too large that are still to come, and to be passed over.
    skip: usize,
    /// Subscriptions that were asked for, so far.
    subscribed: usize,
    awaits_suback: bool,
}

impl End {
    fn closed() -> End {
        End {
            open: false,
            version: Version::V5,
            input: Vec::new(),
            output: Vec::new(),
            held: false,
            pulse: Pulse::new(Time(0), 0),
            skip: 0,
            subscribed: 0,
            awaits_suback: false,
        }
    }
}

/// What the server said it can do.
#[derive(Clone, Copy)]
struct Server {
    session_present: bool,
    receive_maximum: u16,
    maximum_packet_size: u32,
    maximum_qos: u8,
    retain_available: bool,
}

/// A bridge. See the module's documentation for how to drive it.
pub struct Bridge {
    config: BridgeConfig,
    outward: Route,
    inward: Route,
    phase: Phase,
    dialect: Dialect,
    /// Connections that ended without a word in answer to the CONNECT, one after another.
    silent: u8,
    upstream: End,
    local: End,
    server: Server,
    /// The local session was made.
    primed: bool,
    /// The local session holds nothing of before: it was just made.
    fresh: bool,
    /// Packet identifiers mean the same at both ends, as far as their sessions go back.
    agreed: bool,
    /// What the local session had not released when the server was reached.
    unreleased: Vec<u16>,
    /// PUBCOMPs to come from the local broker that are not for the server.
    own_pubcomps: usize,
    /// The server has had the SUBSCRIBEs, in this life of the bridge and its session.
    known_upstream: bool,
    backoff: Backoff,
    actions: VecDeque<BridgeAction>,
    notices: VecDeque<BridgeNotice>,
    told_drop: Option<Time>,
    status: BridgeStatus,
}

impl Bridge {
    /// A bridge that begins at the first [`Bridge::tick`]. `seed` makes its waits differ from
    /// those of others.
    pub fn new(config: BridgeConfig, seed: u64) -> Bridge {
        Bridge {
            outward: config.outward_route(),
            inward: config.inward_route(),
            phase: Phase::Waiting(Time(0)),
            dialect: first_dialect(&config),
            silent: 0,
            upstream: End::closed(),
            local: End::closed(),
            server: Server {
                session_present: false,
                receive_maximum: 1,
                maximum_packet_size: u32::MAX,
                maximum_qos: 2,
                retain_available: true,
            },
            primed: false,
            fresh: false,
            agreed: true,
            unreleased: Vec::new(),
            own_pubcomps: 0,
            known_upstream: false,
            backoff: Backoff::new(seed),
            actions: VecDeque::new(),
            notices: VecDeque::new(),
            told_drop: None,
            status: BridgeStatus {
                up: None,
                last_error: None,
                refused: Vec::new(),
                messages_in: 0,
                messages_out: 0,
                messages_dropped: 0,
            },
            config,
        }
    }

    /// What it was made with.
    pub fn config(&self) -> &BridgeConfig {
        &self.config
    }

    /// Its client identifier in the local broker.
    pub fn local_client_id(&self) -> String {
        format!("{CLIENT_ID_PREFIX}{}", self.config.name)
    }

    /// How it does.
    pub fn status(&self) -> &BridgeStatus {
        &self.status
    }

    /// The next thing to do.
    pub fn next_action(&mut self) -> Option<BridgeAction> {
        self.actions.pop_front()
    }

    /// The next thing worth telling.
    pub fn next_notice(&mut self) -> Option<BridgeNotice> {
        self.notices.pop_front()
    }

    /// What waits to go to the server.
    pub fn to_upstream(&mut self) -> &mut Vec<u8> {
        &mut self.upstream.output
    }

    /// What waits to go to the local broker.
    pub fn to_local(&mut self) -> &mut Vec<u8> {
        &mut self.local.output
    }

    fn tell(&mut self, notice: BridgeNotice) {
        if self.notices.len() >= NOTICES {
            self.notices.pop_front();
        }
        self.notices.push_back(notice);
    }
}

fn first_dialect(config: &BridgeConfig) -> Dialect {
    match config.v5 {
        true => Dialect::V5,
        false => Dialect::V311Bridge,
    }
}

/// The largest packet that the core may give, so that it fits when its topic is renamed.
fn local_maximum(config: &BridgeConfig, server: &Server) -> u32 {
    let most = config.packet_size.min(server.maximum_packet_size);
    let growth = prefix_len(&config.remote_prefix).saturating_add(GROWTH);
    most.saturating_sub(growth).max(1)
}
