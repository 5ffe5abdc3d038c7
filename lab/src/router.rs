use std::path::{Path, PathBuf};

use anyhow::Result;
use serde_json::Value;

use crate::dhcp::{self, DhcpServer};
use crate::home::Home;
use crate::process::Process;
use crate::ubus_client::Bus;
use crate::{Netns, address};

/// The router: `br-lan` with a port per device, a WAN link, dnsmasq and a ubus broker.
#[derive(Debug)]
pub struct Router {
    netns: Netns,
    leases: PathBuf,
    hotplug: PathBuf,
    bus: Bus,
    _ubusd: Process,
    _dhcp: DhcpServer,
}

impl Router {
    /// Brings up the router in `netns`, whose links are there already.
    pub(crate) fn start(netns: Netns, home: &Home) -> Result<Self> {
        let leases = home.dir().join("dhcp.leases");
        let dhcp = DhcpServer::start(&netns, home.dir(), &leases)?;
        let (bus, ubusd) = Bus::start(&netns, home.dir())?;
        Ok(Self {
            netns,
            leases,
            hotplug: home.dir().join(dhcp::HOTPLUG),
            bus,
            _ubusd: ubusd,
            _dhcp: dhcp,
        })
    }

    /// Addresses and forwarding, before anything runs in it.
    pub(crate) fn configure(netns: &Netns) -> Result<()> {
        netns.sysctl("net/ipv4/ip_forward", "1")?;
        netns.sysctl("net/ipv6/conf/all/forwarding", "1")?;
        netns.ip_batch(&format!(
            "link set br-lan up\n\
             link set wan up\n\
             address add {}/24 dev br-lan\n\
             address add {}/64 dev br-lan\n\
             address add {}/24 dev wan\n\
             address add {}/64 dev wan\n",
            address::ROUTER,
            address::ROUTER6,
            address::WAN,
            address::WAN6
        ))
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// Its bus.
    pub fn bus(&self) -> &Bus {
        &self.bus
    }

    /// dnsmasq's lease file.
    pub fn leases(&self) -> &Path {
        &self.leases
    }

    /// The directory of its hotplug scripts for leases: dnsmasq's events come to those in it.
    pub fn hotplug(&self) -> &Path {
        &self.hotplug
    }

    /// Calls `method` of the `mqttguard` object.
    pub fn ubus(&self, method: &str, arguments: &Value) -> Result<Value> {
        self.bus.call("mqttguard", method, arguments)
    }
}
