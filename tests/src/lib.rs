//! End-to-end tests on real namespaces, packets, clients and a real bus; see `tests/`.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

pub mod attach;
pub mod bpf;
pub mod bridge;
pub mod bus;
pub mod conformance;
pub mod ender;
pub mod firmware;
pub mod frames;
pub mod generate;
pub mod house;
pub mod luci;
pub mod model;
pub mod mqtt;
pub mod mud;
pub mod net;
pub mod openwrt;
pub mod pcap;
pub mod random;
pub mod reset;
pub mod sniffer;
pub mod uplift;
pub mod watch;
