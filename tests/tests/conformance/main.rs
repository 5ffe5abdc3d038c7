//! What the standards say a server must do, statement by statement, over a real socket against
//! the broker process.
//!
//! The lines `v5:` and `v3:` above a test name the statements of MQTT 5.0 and 3.1.1 that it
//! covers; docs/conformance.md is generated from them. That every packet which the broker sends
//! is well-formed - flags, identifiers, strings, properties, reason codes - is checked by the
//! reader below all of them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod connecting;
mod docs;
mod forwarding;
mod limits;
mod publishing;
mod qos;
mod retaining;
mod sessions;
mod sharing;
mod subscribing;
mod topics;
mod wills;

use mqttguard_tests::mqtt::packet::{Connect, Version};
use mqttguard_tests::mqtt::{Client, open_broker};

/// A client with a clean session.
fn client(version: Version, client_id: &str) -> Client {
    open_broker().client(version, client_id)
}

/// Connects as asked for.
fn connect(connect: &Connect) -> Client {
    open_broker().connect(connect)
}

/// A name of this test's own, so that tests do not meet on the broker that they share.
fn name(test: &str, version: Version) -> String {
    format!("{test}-{}", version as u8)
}
