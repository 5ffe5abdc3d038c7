//! End-to-end tests on real namespaces, packets, clients and a real bus; see `tests/`.

// Tests may take the short way, and so may what only they use.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod bpf;
pub mod bus;
pub mod frames;
pub mod net;
pub mod watch;
