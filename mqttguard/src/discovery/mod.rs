//! Where devices are seen: ubus (dnsmasq, odhcpd), the lease file, the neighbour table.
//!
//! Emits [`Update`]s into a bounded channel and knows nothing of who reads them. Each source may
//! be absent, appear later, or restart.

use std::net::IpAddr;

use mqttguard_common::Mac;

/// Where a sighting comes from, or what stands behind a status line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Notifications of the `dnsmasq` object.
    Dnsmasq,
    /// Notifications and leases of odhcpd's `dhcp` object.
    Odhcpd,
    /// dnsmasq's lease file.
    LeaseFile,
    /// The kernel's neighbour table.
    Neighbours,
}

impl Source {
    /// As status and events show it.
    pub const fn name(self) -> &'static str {
        match self {
            Source::Dnsmasq => "dnsmasq",
            Source::Odhcpd => "odhcpd",
            Source::LeaseFile => "lease-file",
            Source::Neighbours => "neighbours",
        }
    }
}

/// What a source has to say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Update {
    /// A device was seen, or said goodbye.
    Sighting(Sighting),
    /// The source came or went.
    Source {
        /// Which one.
        source: Source,
        /// Whether it works now.
        up: bool,
        /// What it reads, or why it does not.
        detail: String,
    },
}

/// One look at one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// Who saw it.
    pub source: Source,
    /// Whom.
    pub mac: Mac,
    /// The address it has or had.
    pub address: Option<IpAddr>,
    /// The name it gave itself. Hostile: any bytes that were UTF-8, at most 255 of them.
    pub hostname: Option<String>,
    /// The Linux device or bridge it is behind, such as `br-lan`.
    pub interface: Option<String>,
    /// True when it is there, false when it released its lease or its entry went away.
    pub present: bool,
}
