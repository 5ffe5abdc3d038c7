//! Sockets and TLS around the sans-I/O core of `mqttguard-broker`; authentication and
//! authorization against the registry's [`crate::registry::Directory`].

mod grants;
pub mod password;
