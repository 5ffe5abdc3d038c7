//! Where devices are seen: ubus (dnsmasq, odhcpd), the lease file, the neighbour table.
//!
//! Emits [`Update`]s into a bounded channel and knows nothing of who reads them. Each source may
//! be absent, appear later, or restart.

mod bus;
mod dhcp;
mod lease_file;
mod leases;
mod neighbours;
mod networks;
mod reporter;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::{io, thread};

use mqttguard_common::Mac;

pub use networks::{NetworkWatch, Networks};

pub use crate::netlink::{Link, link_of, links, local_addresses, neighbour_mac};
use crate::outlet::{Closed, Outlet};
use crate::ubus::wake::Wake;

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
    /// A device gave up an address. It has others, by this source.
    AddressLost {
        /// Who saw it.
        source: Source,
        /// Whose.
        mac: Mac,
        /// The address it no longer has.
        address: IpAddr,
    },
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
    /// True when it is there, by this source; false when the last lease or entry that the source
    /// had of it went away.
    pub present: bool,
}

/// Where to look for devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiscoveryConfig {
    /// ubusd's socket; see [`crate::ubus::DEFAULT_SOCKET`].
    pub ubus_socket: PathBuf,
    /// dnsmasq's lease file; OpenWrt's is `/tmp/dhcp.leases`.
    pub lease_file: PathBuf,
    /// The guarded Linux devices, such as `br-lan`, whose neighbours count.
    pub interfaces: Vec<String>,
}

/// The running sources. Dropping it stops them; each may still send what it has in hand.
#[derive(Debug)]
pub struct Discovery {
    wakes: Vec<Arc<Wake>>,
}

impl Drop for Discovery {
    fn drop(&mut self) {
        // Not waited for: a source may be blocked on a channel that the caller is to read.
        for wake in &self.wakes {
            wake.stop();
        }
    }
}

/// Starts all sources, each a thread of its own in the caller's network namespace. While `out` is
/// full they wait, and nothing is lost. They end when the result is dropped, or `out`'s receiver.
///
/// # Errors
///
/// When the system gives no descriptor or no thread. A source that is absent is no error: it is
/// awaited, and its [`Update::Source`] says so.
pub fn start(config: DiscoveryConfig, out: impl Into<Outlet<Update>>) -> io::Result<Discovery> {
    let out = out.into();
    let mut discovery = Discovery { wakes: Vec::new() };
    let mut wake = || {
        let wake = Arc::new(Wake::new()?);
        discovery.wakes.push(Arc::clone(&wake));
        io::Result::Ok(wake)
    };
    let servers = bus::DhcpServers::new(config.ubus_socket, wake()?, out.clone());
    let lease_file = lease_file::LeaseFile::new(config.lease_file, wake()?, out.clone())?;
    let neighbours = neighbours::Neighbours::new(config.interfaces, wake()?, out);
    spawn("seen-by-dhcp", move || servers.run())?;
    spawn("seen-in-leases", move || lease_file.run())?;
    spawn("seen-nearby", move || neighbours.run())?;
    Ok(discovery)
}

fn spawn(name: &str, run: impl FnOnce() -> Result<(), Closed> + Send + 'static) -> io::Result<()> {
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(run)
        .map(drop)
}
