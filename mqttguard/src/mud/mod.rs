//! Manufacturer Usage Descriptions (RFC 8520): what a device's maker says that it needs of the
//! network, at a URL that the device announces or the owner gives.
//!
//! A device chooses its URL, and with it whom the router asks and what the owner is told. So nothing
//! is fetched unless the owner asks, only over HTTPS with a verified certificate and, for a URL that
//! is the device's own word, only from addresses of the internet; and nothing of a file takes force
//! unless the owner accepts it.
//!
//! - `address`: which addresses are of the internet.
//! - `fetch`: the file and its signature.
//! - [`cms`], `certificate`, `der`: who signed it.
//! - [`file`], `reading`: what it says.
//! - [`need`]: what of that mqttguard takes over, and in words why not the rest.
//! - [`topics`]: the topics that it asks for, and which of them it may have.
//! - `names`: addresses of the names that it takes over.
//! - [`store`]: what the owner has accepted, on disk.

mod address;
mod certificate;
pub mod cms;
mod fetch;
pub mod file;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzzing;
mod names;
pub mod need;
mod reading;
pub mod store;
pub mod topics;

pub(crate) use address::is_outside;
pub(crate) use fetch::{Fetched, Wish, fetch};
pub(crate) use names::{Found, look_up};

/// Longest URL of a MUD file, in bytes: what DHCP option 161 can hold (RFC 8520 section 10.1).
pub const URL_BYTES: usize = 255;
