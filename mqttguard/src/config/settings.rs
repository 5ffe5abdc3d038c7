//! What the owner decided, validated. Everything downstream reads these types; nobody but this
//! module's parent knows that they came from UCI.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mqttguard_common::Mac;

/// The whole configuration, valid as a whole: every name that is referred to exists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The `main` section.
    pub main: Main,
    /// The broker's listeners, by section name.
    pub listeners: Vec<Listener>,
    /// What devices may do in MQTT, by profile name. Always has [`Main::profile`].
    pub profiles: BTreeMap<String, Profile>,
    /// What devices may use, by name.
    pub limits: BTreeMap<String, Limits>,
    /// The limits named `default`: what holds where nothing else is said.
    pub default_limits: Limits,
    /// Destinations that plaintext MQTT may go to.
    pub exceptions: Vec<Exception>,
    /// The owner's word on single devices.
    pub devices: BTreeMap<Mac, DeviceOverride>,
}

impl Settings {
    /// The limits of this name, or else the default ones.
    pub fn limits(&self, name: Option<&str>) -> &Limits {
        name.and_then(|name| self.limits.get(name))
            .unwrap_or(&self.default_limits)
    }

    /// What the kernel holds devices to that the daemon has not named: those of the default
    /// profile.
    pub fn stranger_limits(&self) -> KernelLimits {
        let profile = self.profiles.get(&self.main.profile);
        self.limits(profile.map(|profile| &*profile.limits)).kernel
    }

    /// The first TLS listener, where devices are sent to.
    pub fn tls_listener(&self) -> Option<&Listener> {
        self.listeners
            .iter()
            .find(|listener| listener.kind == ListenerKind::Tls)
    }
}

/// The `mqttguard 'main'` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Main {
    /// Off stops the daemon from guarding anything; it then only answers on ubus.
    pub enabled: bool,
    /// Whether verdicts are carried out or only counted.
    pub mode: Mode,
    /// OpenWrt networks to guard (`lan`), resolved to devices through `network.interface`.
    pub networks: Vec<String>,
    /// Linux devices to guard (`br-lan`), beside those of [`Main::networks`]. A bridge stands
    /// for its ports.
    pub devices: Vec<String>,
    /// Where the kernel program attaches.
    pub hook: Hook,
    /// Profile of devices that have no other.
    pub profile: String,
    /// TCP ports that are plaintext MQTT whatever is said on them.
    pub plaintext_ports: Vec<u16>,
    /// Whether a CONNECT is caught on every other TCP port too.
    pub detect_connect: bool,
    /// Whether MQTT-SN (UDP 1883) is caught.
    pub mqtt_sn: bool,
    /// How long a quarantine lasts.
    pub quarantine: Duration,
    /// Failed logins in a minute that quarantine a device.
    pub login_failures: u32,
    /// Seconds with flood drops, within a minute, that quarantine a device. None: never.
    pub flood_seconds: Option<u32>,
    /// A device not seen for this long is gone.
    pub forget_after: Duration,
    /// Certificates, keys and the registry: kept over reboots and upgrades.
    pub data_dir: PathBuf,
    /// Where maps and links are pinned, below a BPF file system.
    pub bpf_dir: PathBuf,
    /// dnsmasq's lease file.
    pub lease_file: PathBuf,
    /// The name under which devices reach the router; goes into its certificate, beside its
    /// addresses.
    pub hostname: String,
}

/// Whether verdicts are carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Drop what is to be dropped.
    Enforce,
    /// Let it pass, and tell.
    Monitor,
}

/// Where the kernel program attaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// Native XDP where the driver has it, else TC.
    Auto,
    /// Native XDP only.
    Xdp,
    /// Generic XDP.
    XdpGeneric,
    /// TC ingress.
    Tc,
}

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
}

impl ListenerKind {
    /// As the configuration and status write it.
    pub const fn name(self) -> &'static str {
        match self {
            ListenerKind::Tls => "tls",
            ListenerKind::Plain => "plain",
        }
    }
}

/// What is spoken on a listener.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListenerKind {
    /// MQTT over TLS.
    Tls,
    /// MQTT in the clear, for devices on the LAN that cannot do TLS and have `plaintext` set.
    Plain,
}

/// A `profile` section: topic patterns with `%d` (device name), `%u` (user name) and `%c`
/// (client identifier).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What may be published.
    pub publish: Vec<String>,
    /// What may be subscribed to.
    pub subscribe: Vec<String>,
    /// Name of the [`Limits`]; `default` if the profile names none.
    pub limits: String,
}

/// A `limits` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// What the kernel holds the device to.
    pub kernel: KernelLimits,
    /// What the broker holds the device to.
    pub broker: mqttguard_broker::Limits,
}

/// What the kernel holds one device to. A burst is one second's worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KernelLimits {
    /// Packets a second.
    pub packets_per_s: u32,
    /// Bytes a second, Ethernet header included.
    pub bytes_per_s: u64,
    /// New TCP connections a second.
    pub connections_per_s: u32,
    /// UDP packets a second.
    pub udp_per_s: u32,
    /// Broadcast and multicast frames a second.
    pub broadcasts_per_s: u32,
}

/// An `exception` section: plaintext MQTT that may leave.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The section's name.
    pub name: String,
    /// Only this device; None: all.
    pub mac: Option<Mac>,
    /// Where to.
    pub destination: IpNet,
    /// Only this TCP or UDP port; None: all.
    pub port: Option<u16>,
}

/// A `device` section: the owner's word on one device.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DeviceOverride {
    /// The name shown, and `%d` in profiles.
    pub name: Option<String>,
    /// Its profile.
    pub profile: Option<String>,
    /// Its limits, over the profile's.
    pub limits: Option<String>,
    /// Blocked by configuration; cannot be unblocked over ubus.
    pub blocked: bool,
    /// May use the plaintext LAN listener.
    pub plaintext: bool,
    /// Its credential is accepted from any MAC (for hosts behind a repeater that hides MACs).
    pub roaming: bool,
}
