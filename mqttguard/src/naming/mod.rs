//! What a device may be called, and what it may be, by what it shows: for the owner to recognise it
//! by, never to decide on. And what is set on it, by its firmware.

mod firmware;
mod pin;
pub(crate) mod settings;
pub mod snippet;
mod system;
mod target;
mod vendors;

pub use firmware::{Evidence, Firmware};
pub use pin::fingerprint;
pub use system::system;
pub use target::{PASSWORD, Place, Target};
pub use vendors::{Makers, Vendors};
