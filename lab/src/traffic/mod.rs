//! What a device can send.

mod flood;
mod raw;
mod web;

pub use flood::{flood, open_connections};
pub use raw::RawSender;
pub(crate) use raw::packet_socket;
pub use web::{CONNECT, ask_name, plaintext_connect, say, web_request};
