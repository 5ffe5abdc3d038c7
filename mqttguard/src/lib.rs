//! The mqttguard daemon and its command line: all I/O of the project lives in this crate.
//!
//! # Layout
//!
//! - [`config`]: UCI in, validated [`config::Settings`] out. The only place that knows UCI.
//! - [`discovery`]: where devices are seen: ubus (dnsmasq, odhcpd), the lease file, the
//!   neighbour table. Emits sightings, knows nothing else.
//! - [`naming`]: what a device may be, by what it shows.
//! - [`mud`]: what makers say that their devices need: fetched, verified, read.
//! - [`registry`]: devices: identity, state, credential, profile. The heart.
//! - [`broker`]: sockets and TLS around the sans-I/O core of `mqttguard-broker`, and
//!   authentication against the registry's [`registry::Directory`].
//! - [`enforce`]: loads, attaches, pins and feeds the kernel program; reads its events.
//! - [`report`]: the house held against security baselines.
//! - `upstream`: connections to servers elsewhere, over TLS, for bridges and uplift.
//! - [`uplift`]: takes devices' plaintext connections over and carries them on over TLS.
//! - [`netlink`]: what the kernel is asked about links, addresses, neighbours and routes. Knows
//!   nobody.
//! - `http`: one bounded request over HTTP, for external checks, MUD and push.
//! - `json`: JSON from literals.
//! - `kept`: files of the daemon's own, replaced as a whole.
//! - `push`: settings onto devices, over their own web interfaces.
//! - [`pki`]: the router's certificate authority and the broker's certificate.
//! - `der`: the encoding of certificates and signatures, read strictly.
//! - [`ubus`]: the `mqttguard` object on the bus.
//! - `trees`: topic trees that many devices share.
//! - [`calendar`]: times as people write them.
//! - [`hidden`]: text that is never shown.
//! - [`events`]: one enum of everything worth telling.
//! - [`history`]: the last hour by the minute.
//! - [`coded`]: sentences that have a code, for who says them in another language.
//! - [`cli`]: one file a subcommand, a thin client of the ubus object.
//! - [`daemon`]: wires the above together; start, reload, stop.
//!
//! Data flows one way round: discovery -> registry -> {broker, enforce}; broker and enforce ->
//! events -> {registry, ubus, log}.

pub mod broker;
pub mod calendar;
pub mod cli;
pub mod coded;
pub mod config;
pub mod daemon;
mod der;
pub mod discovery;
pub mod enforce;
pub mod events;
pub mod files;
pub mod hidden;
pub mod history;
mod http;
mod json;
mod kept;
pub mod mosquitto;
pub mod mud;
pub mod naming;
pub mod netlink;
pub mod outlet;
pub mod pki;
mod push;
pub mod registry;
pub mod report;
pub mod text;
mod trees;
pub mod ubus;
pub mod uplift;
mod upstream;
