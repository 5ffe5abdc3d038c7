//! What the broker listens on, and what clients show there.

use std::path::PathBuf;

/// A `listener` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// The section's name.
    pub name: String,
    /// What is spoken on it.
    pub kind: ListenerKind,
    /// Addresses to listen on; empty means all.
    pub addresses: Vec<std::net::IpAddr>,
    /// TCP port.
    pub port: u16,
    /// Connections at the same time.
    pub connections: u32,
    /// What its TLS is like, if it has any.
    pub tls: TlsOptions,
    /// Origins of web pages that may connect beside those of the same host; `*` for all. Only
    /// for [`ListenerKind::Wss`].
    pub origins: Vec<String>,
}

/// What a listener's TLS is like.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsOptions {
    /// Bytes of the longest record sent, all included.
    pub record_size: u32,
    /// Who may log in with a certificate; None: clients are not asked for one.
    pub clients: Option<ClientCertificates>,
}

impl TlsOptions {
    /// rustls does not negotiate RFC 6066's maximum fragment length, so the size has to suit the
    /// smallest common receiver: mbedTLS builds with 4 KiB input buffers are common on ESP32.
    /// Costs a large transfer under one percent.
    const RECORD_SIZE: u32 = 4096;
}

impl Default for TlsOptions {
    fn default() -> TlsOptions {
        TlsOptions {
            record_size: TlsOptions::RECORD_SIZE,
            clients: None,
        }
    }
}

/// Whose certificates clients may log in with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientCertificates {
    /// PEM file with the CAs that the owner brings, beside the router's own client CA.
    pub ca: Option<PathBuf>,
    /// PEM files with revocation lists.
    pub crls: Vec<PathBuf>,
    /// Whether clients without a certificate are refused.
    pub required: bool,
}

impl ListenerKind {
    /// As the configuration and status write it.
    pub const fn name(self) -> &'static str {
        match self {
            ListenerKind::Tls => "tls",
            ListenerKind::Wss => "wss",
            ListenerKind::Plain => "plain",
        }
    }

    /// Whether everything on it goes through TLS.
    pub const fn is_encrypted(self) -> bool {
        match self {
            ListenerKind::Tls | ListenerKind::Wss => true,
            ListenerKind::Plain => false,
        }
    }
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// MQTT over TLS.
    Tls,
    /// MQTT over WebSocket over TLS.
    Wss,
    /// MQTT in the clear, for devices on the LAN that cannot do TLS and have `plaintext` set.
    Plain,
}
