//! The MQTT broker core: bytes, decisions and time in; bytes, questions and notices out.
//!
//! It knows nothing of sockets, TLS, ubus, eBPF or files, reads no clock and spawns nothing, so
//! that the same inputs always give the same outputs. One [`Broker`] is owned by one thread.
//!
//! # How the caller drives it
//!
//! 1. [`Broker::open`] when a transport connection was accepted.
//! 2. [`Broker::receive`] with bytes as they come, in pieces of any size.
//! 3. After any call: [`Broker::next_request`] for CONNECTs to decide on (answer with
//!    [`Broker::decide`], at once or later), [`Broker::next_ready`] for connections that have
//!    something to say (fetch it with [`Broker::transmit`]), [`Broker::next_notice`] for what is
//!    worth telling.
//! 4. [`Broker::tick`] no later than [`Broker::deadline`].
//! 5. [`Broker::lost`] when the transport is gone.
#![forbid(unsafe_code)]

mod access;
mod broker;
mod bucket;
mod codec;
mod connection;
mod identity;
mod message;
mod notice;
mod outbound;
mod reason;
mod retained;
mod session;
mod slots;
mod subscriptions;
mod time;
mod timers;
mod topic;

#[cfg(test)]
mod tests;

pub use access::{AuthRequest, Decision, Grants, Limits, Refusal, Version};
pub use broker::{Broker, Config, ConnId, Flow, Full, Kick, Stats, Transmit};
pub use notice::{Access, Notice, NoticeKind};
pub use time::Time;
