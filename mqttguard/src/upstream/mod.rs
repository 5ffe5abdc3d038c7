//! Connections to servers elsewhere that have to prove who they are.

/// The connection itself.
pub(crate) mod link;
/// The certificates on both sides.
pub(crate) mod trust;
