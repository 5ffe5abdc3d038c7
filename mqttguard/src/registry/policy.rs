use std::net::Ipv4Addr;

use crate::config::KernelLimits;

/// How a device stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Standing {
    /// Nothing against it.
    #[default]
    Good,
    /// In quarantine: no login, no MQTT.
    Quarantined,
    /// Blocked by the owner: nothing at all.
    Blocked,
}

/// What the kernel program is to hold one device to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DevicePolicy {
    /// How it stands.
    pub standing: Standing,
    /// May use the plaintext LAN listener.
    pub plaintext: bool,
    /// Its plaintext MQTT to other hosts is taken over by the router.
    pub uplift: bool,
    /// Index of the only interface it is to send from.
    pub interface: Option<u32>,
    /// The only IPv4 address it is to send from.
    pub address: Option<Ipv4Addr>,
    /// What it is held to.
    pub limits: KernelLimits,
}
