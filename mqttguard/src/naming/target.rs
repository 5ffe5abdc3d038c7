//! Where a device is to go, and as whom: what snippets and `push` set on it.

use mqttguard_common::Mac;

/// Stands for the password where it cannot be shown any more.
pub const PASSWORD: &str = "THE-PASSWORD";

/// Where a device is to go, and as whom.
#[derive(Clone, Copy)]
pub struct Target<'a> {
    /// The device's name: the topic that its profile grants it.
    pub name: &'a str,
    /// The router's name, which its certificate is for.
    pub server: &'a str,
    /// The port with TLS, if there is one that takes passwords.
    pub tls: Option<u16>,
    /// The port of the island: the listener without TLS, if it is on.
    pub island: Option<u16>,
    /// Whether the device may use the island.
    pub plaintext: bool,
    /// The device's MAC address.
    pub mac: Mac,
    /// The user name.
    pub username: &'a str,
    /// The password, or [`PASSWORD`].
    pub password: &'a str,
    /// The router's CA certificate, in PEM; empty if it cannot be read.
    pub ca: &'a str,
    /// The router's keys by [`super::fingerprint`], RSA first; those that it has.
    pub keys: &'a [String],
}

/// Where a device is to go: a [`Target`] but for who it is.
#[derive(Clone, Debug)]
pub struct Place {
    /// The router's name, which its certificate is for.
    pub server: String,
    /// As in [`Target`].
    pub tls: Option<u16>,
    /// As in [`Target`].
    pub island: Option<u16>,
    /// As in [`Target`].
    pub plaintext: bool,
    /// The device's MAC address.
    pub mac: Mac,
    /// As in [`Target`].
    pub ca: String,
    /// As in [`Target`].
    pub keys: Vec<String>,
}

impl Place {
    /// With who the device is.
    pub fn target<'a>(&'a self, name: &'a str, username: &'a str, password: &'a str) -> Target<'a> {
        Target {
            name,
            server: &self.server,
            tls: self.tls,
            island: self.island,
            plaintext: self.plaintext,
            mac: self.mac,
            username,
            password,
            ca: &self.ca,
            keys: &self.keys,
        }
    }
}
