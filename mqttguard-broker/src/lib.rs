//! The MQTT broker core: bytes, decisions and time in; bytes, questions and notices out.
//!
//! It knows nothing of sockets, TLS, ubus, eBPF or files, reads no clock and spawns nothing, so
//! that the same inputs always give the same outputs. One [`Broker`] is owned by one thread.
//!
//! # How the caller drives it
//!
//! 1. [`Broker::open`] when a transport connection was accepted.
//! 2. [`Broker::receive`] with bytes as they come, in pieces of any size.
//! 3. After any call: [`Broker::next_request`] for CONNECTs and AUTHs to decide on (answer
//!    with [`Broker::decide`], at once or later), [`Broker::next_ready`] for connections that have
//!    something to say (fetch it with [`Broker::transmit`]), [`Broker::next_notice`] for what is
//!    worth telling.
//! 4. [`Broker::tick`] no later than [`Broker::deadline`].
//! 5. [`Broker::lost`] when the transport is gone.
//!
//! It does well to ask for [`Broker::next_ready`] after every [`Broker::receive`]: queues are
//! bounded, and what one read of many small messages brings waits in them until it is fetched.
//!
//! # Layout
//!
//! - `codec`: bytes to packets and back, strictly; one file a family of packets.
//! - `topic`: names and filters, what matches and what covers what.
//! - `subscriptions`, `retained`: who wants what, and what is kept for those who will.
//! - `message`: a message, once in memory however many wait for it.
//! - `delivery`, `outbound`: a message on its way to one session; the queues and the window of one session.
//! - `session`, `connection`, `identity`: what outlives what: a connection serves a session, a
//!   session belongs to an identity, and quotas are counted there.
//! - `journal`, `restore`: what outlives a crash, to bytes and back.
//! - `broker`: what happens on each packet, and the order in which it does.
//! - `watch`: topics and values for somebody who looks at them.
//! - [`bridge`]: a wire between a session here and one of another server; a client of both.
//!
//! # What is promised
//!
//! - A PUBLISH is acknowledged after it was queued for everybody it is for. A session whose queue
//!   is full does not get it, and that is counted and told; what is queued at QoS 1 or 2 is never
//!   dropped for something newer, while QoS 0 makes way.
//! - A publish that no grant covers is refused with a reason code in MQTT 5; MQTT 3 has none, so
//!   it is acknowledged and dropped. Either way it is told.
//! - At [`Config::memory`] new messages are refused: with a reason code in MQTT 5; a client of
//!   MQTT 3 is cut off with its message unacknowledged. [`Pressure`] says what gives way before.
//! - An identity may leave twice as many sessions as it may have connections; the one abandoned
//!   first makes way for a new one.
//! - Client identifiers are an identity's own: a session is named by both together. Who comes
//!   with another identity's client identifier neither takes its session over nor keeps it out,
//!   connected or not (`MQTT-3.1.4-3` holds within an identity).
#![forbid(unsafe_code)]

mod access;
mod bound;
pub mod bridge;
mod broker;
mod bucket;
mod codec;
mod connection;
mod delivery;
mod identity;
mod journal;
mod message;
mod notice;
mod outbound;
mod reason;
mod restore;
mod retained;
mod session;
mod slots;
mod subscriptions;
mod time;
mod timers;
mod topic;
mod watch;

#[cfg(any(test, feature = "fuzzing"))]
pub mod sim;
#[cfg(test)]
mod tests;

pub use access::{AuthRequest, Decision, Grants, Limits, OverRate, Refusal, Stage, Version};
pub use bound::{BOUNDS, Bound};
pub use broker::{
    Broker, Config, ConnId, Flow, Full, Kick, Pressure, SessionView, Stats, Transmit,
};
pub use journal::{Boot, Clock};
pub use notice::{Access, Departure, Notice, NoticeKind};
pub use restore::{Outcome, Restore, Segment};
pub use time::Time;
pub use watch::{Glance, Sight, Wanted};
