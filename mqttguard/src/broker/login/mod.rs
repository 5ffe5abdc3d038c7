//! Who a client is: what it proves itself with, and what the registry says to that.
//!
//! [`checker`] does the work, on a thread of its own ([`worker`]); [`auth`] decides.

pub(super) mod auth;
mod checker;
pub(crate) mod grants;
pub(super) mod http_auth;
pub mod imported;
pub mod password;
#[cfg(test)]
mod profiles;
pub mod scram;
pub mod secret;
pub(super) mod token;
pub(super) mod verdict;
mod weak;
pub(super) mod worker;
