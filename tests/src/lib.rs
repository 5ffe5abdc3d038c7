//! End-to-end tests on real namespaces, packets, clients and a real bus; see `tests/`.

#![allow(
    clippy::expect_used,
    reason = "a test that cannot be set up has failed"
)]

pub mod bpf;
pub mod frames;
pub mod house;
