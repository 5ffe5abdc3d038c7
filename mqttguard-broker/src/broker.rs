use std::sync::Arc;

use crate::{AuthRequest, Decision, Grants, Limits, Notice, Time};

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
    /// Time from [`Broker::open`] to a complete CONNECT, in milliseconds.
    pub connect_timeout_ms: u64,
    /// Largest CONNECT packet, in bytes.
    pub connect_size: u32,
    /// Sessions, connected or not, in all.
    pub sessions: u32,
    /// Bytes of messages, queued or retained, in all.
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
}

/// Counters since the start and levels of now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Connections now, authenticated or not.
    pub connections: u64,
    /// Sessions now, connected or not.
    pub sessions: u64,
    /// Subscriptions now.
    pub subscriptions: u64,
    /// Retained messages now.
    pub retained: u64,
    /// Bytes of messages held now, queued or retained.
    pub held_bytes: u64,
    /// PUBLISH packets received.
    pub messages_in: u64,
    /// PUBLISH packets sent.
    pub messages_out: u64,
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
pub struct Broker {}

impl Broker {
    /// An empty broker.
    pub fn new(_config: Config) -> Broker {
        todo!()
    }

    /// A transport connection was accepted. The time to CONNECT runs from now.
    pub fn open(&mut self, _now: Time) -> Result<ConnId, Full> {
        todo!()
    }

    /// Bytes from the client, in order, in pieces of any size. An unknown `conn` is ignored
    /// ([`Flow::Close`]). All of `bytes` is taken, whatever the answer.
    pub fn receive(&mut self, _now: Time, _conn: ConnId, _bytes: &[u8]) -> Flow {
        todo!()
    }

    /// The answer to a request of [`Broker::next_request`]. Too late is harmless.
    pub fn decide(&mut self, _now: Time, _conn: ConnId, _decision: Decision) {
        todo!()
    }

    /// The transport is gone, without or after [`Transmit::Close`].
    pub fn lost(&mut self, _now: Time, _conn: ConnId) {
        todo!()
    }

    /// Appends to `out` what the client is to be sent, about `room` bytes at most (a single
    /// packet may exceed it). What was fetched counts as sent.
    pub fn transmit(
        &mut self,
        _now: Time,
        _conn: ConnId,
        _out: &mut Vec<u8>,
        _room: usize,
    ) -> Transmit {
        todo!()
    }

    /// A connection that has something to send, may be read again, or is to be closed. Each is
    /// named once until [`Broker::transmit`] is called for it.
    pub fn next_ready(&mut self) -> Option<ConnId> {
        todo!()
    }

    /// The next CONNECT that waits for [`Broker::decide`].
    pub fn next_request(&mut self) -> Option<(ConnId, AuthRequest)> {
        todo!()
    }

    /// The next thing worth telling. The queue is bounded; the oldest go first when nobody asks.
    pub fn next_notice(&mut self) -> Option<Notice> {
        todo!()
    }

    /// When [`Broker::tick`] has to be called next.
    pub fn deadline(&self) -> Option<Time> {
        todo!()
    }

    /// Does what is due: deadlines, keep-alive, retries, expiry, wills.
    pub fn tick(&mut self, _now: Time) {
        todo!()
    }

    /// Replaces the rights and limits of an identity, for its connections and sessions of now.
    /// Subscriptions that are no longer granted are removed.
    pub fn regrant(
        &mut self,
        _now: Time,
        _identity: &str,
        _grants: Arc<Grants>,
        _limits: Arc<Limits>,
    ) {
        todo!()
    }

    /// Cuts off every connection of an identity. Its sessions stay.
    pub fn kick(&mut self, _now: Time, _identity: &str, _why: Kick) {
        todo!()
    }

    /// Forgets an identity: its connections, sessions and retained messages.
    pub fn forget(&mut self, _now: Time, _identity: &str) {
        todo!()
    }

    /// Counters and levels.
    pub fn stats(&self) -> Stats {
        todo!()
    }
}
