//! What a device may be called, and what it may be, by what it shows: for the owner to recognise it
//! by, never to decide on.

mod firmware;
pub mod snippet;
mod system;
mod vendors;

pub use firmware::{Evidence, Firmware};
pub use system::system;
pub use vendors::{Makers, Vendors};
