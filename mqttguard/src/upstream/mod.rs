//! Connections to servers elsewhere that have to prove who they are.

/// One request and its answer.
pub(crate) mod http;
/// The connection itself.
pub(crate) mod link;
/// The certificates on both sides.
pub(crate) mod trust;
