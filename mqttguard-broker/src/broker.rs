mod admin;
mod admit;
mod authenticate;
#[cfg(any(test, feature = "fuzzing"))]
mod check;
mod connect;
#[cfg(test)]
mod durable;
mod input;
mod journal;
mod lifecycle;
mod memory;
mod notices;
mod partial;
mod publish;
mod published;
mod route;
mod subscribe;
mod transmit;
mod view;
mod watch;

pub(crate) use notices::shorten;
pub use view::SessionView;

use std::collections::VecDeque;

pub use memory::Pressure;

use crate::bound::Met;
use crate::codec::Malformed;
use crate::connection::{Connection, State};
use crate::delivery::Delivery;
use crate::identity::Identities;
use crate::journal::Journal;
use crate::message::Gauge;
use crate::outbound::Held;
use crate::reason::Reason;
use crate::retained::Retained;
use crate::session::Sessions;
use crate::slots::Slots;
use crate::subscriptions::Subscriptions;
use crate::timers::{Timer, Timers};
use crate::watch::Watching;
use crate::{AuthRequest, Notice, Time, Version};

/// A connection, unique over the broker's life: a slot is used again, but with another serial.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// Index that the caller may keep its own per-connection state at. Small, used again.
    pub slot: u32,
    /// Tells the connections of one slot apart.
    pub serial: u32,
}

/// Bounds that hold before anybody is known, and for all together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Connections at the same time, in all.
    pub connections: u32,
    /// Time from [`Broker::open`] to a complete CONNECT, and for all that the client has to say in
    /// enhanced authentication before its CONNACK, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Largest CONNECT packet, and AUTH packet before the CONNACK, in bytes.
    pub connect_size: u32,
    /// Sessions, connected or not, in all.
    pub sessions: u32,
    /// Retained messages, in all.
    pub retained_messages_total: u32,
    /// Bytes of them.
    pub retained_bytes_total: u64,
    /// Bytes in all: of messages, queued or retained, and of the sessions, subscriptions and
    /// connections themselves with their buffers. Packets that have come in part and
    /// CONNECTs not decided on take a quarter of it at most. See [`Pressure`] for what happens before it is reached.
    pub memory: u64,
}

/// No room for another connection ([`Config::connections`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Whether to go on reading from a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Read,
    /// The client is above its rate, or waits for a decision: do not read from it before
    /// [`Broker::next_ready`] names it again or the time is come.
    Pause(Option<Time>),
    /// Read no more: [`Broker::transmit`] what is left and close.
    Close,
}

/// What [`Broker::transmit`] left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transmit {
    /// Nothing more to send now.
    Drained,
    /// The room was used up and more is waiting; call again when the transport has taken this.
    More,
    /// Nothing more will come: close once this is sent.
    Close,
}

/// Why the caller has clients cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kick {
    /// Blocked or quarantined (MQTT 5 DISCONNECT 0x98, administrative action).
    Banned,
    /// The credential is no longer valid (0x87).
    Revoked,
    /// The broker stops (0x8B).
    ShuttingDown,
    /// What the client proved itself with has expired (0xA0, maximum connect time).
    Expired,
}

/// Counters since the start and levels of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now, authenticated or not.
    pub connections: u64,
    /// Sessions now, connected or not.
    pub sessions: u64,
    /// Sessions with a connection now, and the most there were at the same time.
    pub connected: u64,
    /// See [`Stats::connected`].
    pub connected_max: u64,
    /// Sessions that came to their end without a connection.
    pub sessions_expired: u64,
    /// Connections opened.
    pub opened: u64,
    /// CONNECT packets received.
    pub connects: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Shared subscriptions among them, each member counted.
    pub subscriptions_shared: u64,
    /// Retained messages now, without the broker's own ([`Broker::publish_internal`]).
    pub retained: u64,
    /// Messages held now: retained, and queued or in flight, those once for each session.
    pub stored: u64,
    /// Bytes of messages held now, queued or retained.
    pub held_bytes: u64,
    /// Bytes that count against [`Config::memory`] now.
    pub memory_used: u64,
    /// How short memory is.
    pub memory_pressure: Pressure,
    /// PUBLISH packets received.
    pub messages_in: u64,
    /// PUBLISH packets sent.
    pub messages_out: u64,
    /// Bytes of the payloads received in them.
    pub payload_in: u64,
    /// Bytes of the payloads sent in them.
    pub payload_out: u64,
    /// Packets of any type received.
    pub packets_in: u64,
    /// Packets of any type sent.
    pub packets_out: u64,
    /// Bytes received.
    pub bytes_in: u64,
    /// Bytes sent.
    pub bytes_out: u64,
    /// Messages dropped because a queue or quota was full.
    pub messages_dropped: u64,
    /// Publishes and subscriptions refused for want of a grant.
    pub refused: u64,
}

/// The broker. See the crate's documentation for how to drive it.
pub struct Broker {
    config: Config,
    /// [`Broker::set_keep_alive_max`].
    keep_alive_max_s: u16,
    connections: Slots<Connection>,
    /// Of the last connection.
    serial: u32,
    pub(crate) sessions: Sessions,
    pub(crate) identities: Identities,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) retained: Retained,
    timers: Timers,
    /// When expired retained messages are next cleared away.
    sweep: Time,
    gauge: Gauge,
    pub(crate) held: Held,
    pub(crate) journal: Journal,
    /// Bytes kept of packets that are not yet whole.
    partial: u64,
    ready: VecDeque<ConnId>,
    /// Connections whose work was cut short.
    unfinished: Vec<ConnId>,
    requests: VecDeque<(ConnId, AuthRequest)>,
    notices: VecDeque<Notice>,
    stats: Stats,
    met: Met,
    departed: published::Departed,
    watching: Watching,
    /// When the next watch ends.
    watch_at: Time,
    pressure: Pressure,
    /// When memory is looked at next while it is short.
    look_at: Time,
    /// Before this, room is not made again.
    relieve_at: Time,
    /// Bytes of answers not fetched.
    outboxes: u64,
    /// Bytes of CONNECTs that wait for their decisions.
    undecided: Gauge,
    /// Bytes of topic aliases.
    aliases: u64,
    /// [`Broker::set_outside_memory`].
    outside: u64,
    /// Client identifiers assigned so far.
    assigned: u64,
    router: route::Router,
    /// Reason codes of the packet just answered, kept to spare the allocation.
    codes: Vec<Reason>,
    /// The topic name behind an alias just used, likewise.
    name: String,
}

/// Why a connection cannot go on.
#[derive(Clone, Copy)]
enum Fault {
    /// The client broke the protocol.
    Malformed(Malformed),
    /// The client exceeded a bound that cannot be refused in any other way.
    Limit {
        limit: &'static str,
        allowed: u64,
        reason: Reason,
    },
}

impl From<Malformed> for Fault {
    fn from(malformed: Malformed) -> Fault {
        Fault::Malformed(malformed)
    }
}

impl Broker {
    /// An empty broker. It keeps no journal: [`crate::Restore`] makes one that does.
    pub fn new(config: Config) -> Broker {
        Broker::over(config, Gauge::default())
    }

    /// With messages that are there already.
    pub(crate) fn over(config: Config, gauge: Gauge) -> Broker {
        Broker {
            config,
            keep_alive_max_s: 0,
            connections: Slots::new(),
            serial: 0,
            sessions: Sessions::new(),
            identities: Identities::default(),
            subscriptions: Subscriptions::new(),
            retained: Retained::default(),
            timers: Timers::default(),
            sweep: Time::NEVER,
            gauge,
            held: 0,
            journal: Journal::default(),
            partial: 0,
            ready: VecDeque::new(),
            unfinished: Vec::new(),
            requests: VecDeque::new(),
            notices: VecDeque::new(),
            stats: Stats::default(),
            met: Met::default(),
            departed: published::Departed::default(),
            watching: Watching::default(),
            watch_at: Time::NEVER,
            pressure: Pressure::None,
            look_at: Time::NEVER,
            relieve_at: Time(0),
            outboxes: 0,
            undecided: Gauge::default(),
            aliases: 0,
            outside: 0,
            assigned: 0,
            router: route::Router::default(),
            codes: Vec::new(),
            name: String::new(),
        }
    }

    /// Sets the longest Keep Alive that MQTT 5 clients get, in seconds, 0 for any; from the next
    /// CONNECT on. One that asks for more, or for none, is told by Server Keep Alive (MQTT 5
    /// section 3.2.2.3.14). Before MQTT 5 there is no way to tell, and no bound.
    pub fn set_keep_alive_max(&mut self, seconds: u16) {
        self.keep_alive_max_s = seconds;
    }

    /// A transport connection was accepted. The time to CONNECT runs from now.
    pub fn open(&mut self, now: Time) -> Result<ConnId, Full> {
        if self.connections.len() >= self.config.connections as usize {
            return Err(Full);
        }
        self.stats.opened += 1;
        self.serial = self.serial.wrapping_add(1);
        let serial = self.serial;
        let id = ConnId {
            slot: u32::MAX,
            serial,
        };
        let slot = self.connections.insert(Connection::new(now, id));
        let id = ConnId { slot, serial };
        let due = Time(now.0.saturating_add(self.config.connect_timeout_ms));
        if let Some(conn) = self.connections.get_mut(slot) {
            conn.id = id;
            self.timers
                .set(Timer::Connection(slot), &mut conn.timer, due);
        }
        Ok(id)
    }

    /// A connection that has something to send, may be read again, or is to be closed. Each is
    /// named once until [`Broker::transmit`] is called for it.
    pub fn next_ready(&mut self) -> Option<ConnId> {
        loop {
            let id = self.ready.pop_front()?;
            if self.connection(id).is_some() {
                return Some(id);
            }
        }
    }

    /// The next CONNECT or AUTH that waits for [`Broker::decide`].
    pub fn next_request(&mut self) -> Option<(ConnId, AuthRequest)> {
        loop {
            let (id, request) = self.requests.pop_front()?;
            if self.connection(id).is_some() {
                return Some((id, request));
            }
        }
    }

    /// The next thing worth telling. The queue is bounded; the oldest go first when nobody asks.
    pub fn next_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    /// When [`Broker::tick`] has to be called next; it may be in the past.
    pub fn deadline(&self) -> Option<Time> {
        // Work that was cut short goes on at once.
        if self.unfinished.is_empty() && !self.watching.is_behind() {
            self.timers.next()
        } else {
            Some(Time(0))
        }
    }

    /// Counters and levels.
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.connections.len() as u64,
            sessions: self.sessions.len() as u64,
            subscriptions: self.subscriptions.count(),
            subscriptions_shared: self.subscriptions.shared(),
            retained: self.retained.of_clients() as u64,
            stored: self.held.saturating_add(self.retained.len() as u64),
            held_bytes: self.held_bytes(),
            memory_used: self.memory_used(),
            memory_pressure: self.pressure,
            ..self.stats
        }
    }

    /// How often each of [`crate::BOUNDS`] was met, by its name.
    pub fn limits_met(&self) -> impl Iterator<Item = (&'static str, u64)> {
        self.met.iter()
    }

    /// Bytes of messages, and of the entries that queue them.
    fn held_bytes(&self) -> u64 {
        let entries = self.held.saturating_mul(size_of::<Delivery>() as u64);
        entries.saturating_add(self.gauge.bytes() as u64)
    }

    fn connection(&mut self, id: ConnId) -> Option<&mut Connection> {
        self.connections
            .get_mut(id.slot)
            .filter(|conn| conn.id == id)
    }

    /// Whether the client is known to speak MQTT 5, and so has reason codes.
    fn speaks_v5(&self, slot: u32) -> bool {
        self.connections
            .get(slot)
            .is_some_and(|conn| conn.version == Version::V5)
    }

    /// Puts the connection among those the caller is told of.
    fn wake(&mut self, slot: u32) {
        if let Some(conn) = self.connections.get_mut(slot)
            && !conn.ready
        {
            conn.ready = true;
            self.ready.push_back(conn.id);
        }
    }

    /// Appends to what a connection is sent before anything that is queued. False, and nothing
    /// appended, if the client does not take so large a packet.
    fn answer(&mut self, slot: u32, encode: impl FnOnce(&mut Vec<u8>, Version)) -> bool {
        let mut fits = true;
        if let Some(conn) = self.connections.get_mut(slot)
            && !matches!(conn.state, State::Closing)
        {
            let before = conn.outbox.len();
            encode(&mut conn.outbox, conn.version);
            // MQTT-3.1.2-24, MQTT-3.1.2-25
            let len = conn.outbox.len().saturating_sub(before);
            fits = len <= conn.maximum_packet_size as usize;
            if !fits {
                conn.outbox.truncate(before);
            } else {
                self.stats.packets_out += 1;
                self.outboxes += len as u64;
            }
            if !conn.ready {
                conn.ready = true;
                self.ready.push_back(conn.id);
            }
        }
        fits
    }
}

/// A client that does not take the answer it has asked for cannot be gone on with.
const UNANSWERED: Malformed = Malformed::with(
    Reason::PACKET_TOO_LARGE,
    "Maximum Packet Size",
    "smaller than the answer to this",
);
