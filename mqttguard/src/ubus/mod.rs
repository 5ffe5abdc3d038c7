//! The `mqttguard` object on the bus: methods in, replies and notifications out. Knows the wire,
//! not what a method does.
//!
//! - [`serve`] registers an object and turns calls into [`Call`]s on a bounded channel;
//!   [`UbusHandle::notify`] tells subscribers.
//! - [`call`] and [`subscribe`] are the client side, for the command line.
//! - `connection` is what both share with [`crate::discovery`]: one bus connection on a
//!   descriptor that can be polled.
//!
//! # What a caller sees of an error
//!
//! A ubus status is a number. The text goes before it, as reply data `{"error": "..."}`:
//! `ubus call` prints that object and then its own line for the number, and uhttpd hands LuCI
//! `"result": [2, {"error": "..."}]`, where `rpc.declare` yields the object. Callers that look at
//! the number alone lose only the explanation. Beside the text is a code with values, where that is
//! said in the owner's language.

mod blobmsg;
mod client;
pub(crate) mod connection;
mod method;
mod provider;
mod socket;
mod status;
mod unanswered;
pub(crate) mod wake;

pub use client::{CallError, call, subscribe};
pub use method::{ArgType, Call, MethodError, MethodSpec, Reply};
pub use provider::{OBJECT, State, UbusHandle, serve};
pub use status::Status;
pub(crate) use unanswered::Unanswered;

/// Where OpenWrt's ubusd listens.
pub const DEFAULT_SOCKET: &str = "/var/run/ubus/ubus.sock";
