//! Connections to other MQTT servers.

use std::path::PathBuf;

/// A `bridge` section: another MQTT server that topics go to and come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bridge {
    /// The section's name.
    pub name: String,
    /// The server's name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// None: in the clear.
    pub tls: Option<BridgeTls>,
    /// The user name there.
    pub username: Option<String>,
    /// Where the password is.
    pub password_file: Option<PathBuf>,
    /// The client identifier there. None: one of this router's own.
    pub client_id: Option<String>,
    /// The version of MQTT to begin with.
    pub protocol: BridgeProtocol,
    /// Keep Alive, in seconds.
    pub keep_alive_s: u16,
    /// Topic filters, without prefix, of what goes there.
    pub outward: Vec<String>,
    /// Topic filters, without prefix, of what comes from there.
    pub inward: Vec<String>,
    /// What topics begin with here, and not there.
    pub local_prefix: String,
    /// What topics begin with there, and not here.
    pub remote_prefix: String,
    /// The highest QoS, 0 to 2.
    pub qos: u8,
    /// What it may use here.
    pub limits: mqttguard_broker::Limits,
}

/// How a bridge does TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BridgeTls {
    /// Certificates that are trusted, in PEM.
    pub ca: PathBuf,
    /// The client's own certificate and its key, in PEM.
    pub identity: Option<(PathBuf, PathBuf)>,
}

/// The version of MQTT that a bridge begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BridgeProtocol {
    /// MQTT 5.0.
    V5,
    /// MQTT 3.1.1.
    V311,
}
