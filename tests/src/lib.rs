//! End-to-end tests on real namespaces, packets, clients and a real bus; see `tests/`.

pub mod bpf;
pub mod bus;
pub mod frames;
pub mod net;
