//! What the owner decided, validated. Everything downstream reads these types; nobody but this
//! module's parent knows that they came from UCI.

mod bridge;
mod listener;
mod login;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mqttguard_common::{MAX_EXCEPTIONS, Mac};

pub use bridge::*;
pub use listener::*;
pub use login::*;

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
    pub exceptions: Vec<TimedException>,
    /// Other servers that topics go to and come from.
    pub bridges: Vec<Bridge>,
    /// Devices whose plaintext connections are carried on over TLS.
    pub uplifts: Vec<Uplift>,
    /// The owner's word on single devices.
    pub devices: BTreeMap<Mac, DeviceOverride>,
    /// JSON Web Tokens as passwords. None: they are not taken.
    pub jwt: Option<Jwt>,
    /// The external check. None: the registry's users are all there are.
    pub http_auth: Option<HttpAuth>,
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

    /// The `uplift` section that a device is in.
    pub fn uplift(&self, mac: Mac) -> Option<&Uplift> {
        self.uplifts
            .iter()
            .find(|uplift| uplift.macs.contains(&mac))
    }

    /// The first TLS listener where a password is enough: devices are sent there.
    pub fn tls_listener(&self) -> Option<&Listener> {
        let takes_passwords = |listener: &&Listener| {
            let clients = listener.tls.clients.as_ref();
            listener.kind == ListenerKind::Tls && !clients.is_some_and(|clients| clients.required)
        };
        self.listeners.iter().find(takes_passwords)
    }
}

/// The `mqttguard 'main'` section.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Main {
    /// Off stops the daemon from guarding anything; it then only answers on ubus.
    pub enabled: bool,
    /// Whether verdicts are carried out or only counted.
    pub mode: Mode,
    /// What happens to plaintext MQTT over TCP.
    pub verdict: Verdict,
    /// What happens to devices that the kernel program cannot guard.
    pub on_error: OnError,
    /// What happens to frames from another interface or address than the device's own.
    pub bindings: Bindings,
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
    /// Catch MQTT over a plaintext WebSocket.
    pub detect_websocket: bool,
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
    /// How often the broker's topics below `$SYS/broker/` are brought up to date; zero: never.
    pub sys_interval: Duration,
    /// Whether the owner may look at topics and their values.
    pub live: bool,
    /// Certificates, keys and the registry: kept over reboots and upgrades.
    pub data_dir: PathBuf,
    /// What outlives a crash of the daemon but not of the router, in memory.
    pub run_dir: PathBuf,
    /// Where the broker keeps what outlives a power cut too, on a disk.
    pub persist: Option<PathBuf>,
    /// Where maps and links are pinned, below a BPF file system.
    pub bpf_dir: PathBuf,
    /// dnsmasq's lease file.
    pub lease_file: PathBuf,
    /// The table of makers; see [`crate::naming::Vendors`].
    pub vendor_file: PathBuf,
    /// Who may vouch for the servers of MUD files, and for their signers.
    pub mud_ca: PathBuf,
    /// Who else may vouch for their signers.
    pub mud_signers: Option<PathBuf>,
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

/// What happens to devices that the kernel program cannot guard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnError {
    /// What they send is forwarded, but for what nftables can tell is plaintext MQTT.
    Open,
    /// Nothing that they send is forwarded.
    Closed,
}

/// What happens to plaintext MQTT over TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is dropped, and the device is sent a reset where the hook can.
    Reject,
    /// It is dropped.
    Drop,
}

/// What happens to frames that do not fit where their device is known to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bindings {
    /// Nobody looks.
    Off,
    /// They are told of.
    Report,
    /// They are dropped.
    Drop,
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

/// A `profile` section: topic patterns with `%d` (device name), `%u` (user name), `%c` (client
/// identifier), and the MAC address: whole (`%m`, `%x`) or its end (`%n`, `%y`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Profile {
    /// What may be published.
    pub publish: Vec<String>,
    /// What may be subscribed to.
    pub subscribe: Vec<String>,
    /// What is out of reach although the two above cover it.
    pub deny: Vec<String>,
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

impl Exception {
    /// Whether the kernel program has room for another beside `others`: it looks one destination
    /// up, and has a row of [`MAX_EXCEPTIONS`] for it.
    pub fn fits(&self, others: &[Exception]) -> bool {
        others.iter().chain([self]).all(|inner| {
            let covers = |outer: &&Exception| outer.destination.contains(&inner.destination);
            others.iter().chain([self]).filter(covers).count() <= MAX_EXCEPTIONS
        })
    }
}

/// An exception and until when it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TimedException {
    /// What may leave.
    pub exception: Exception,
    /// Until when, in milliseconds since the Unix epoch; None: for good.
    pub expires_ms: Option<u64>,
}

/// An `uplift` section: devices whose plaintext connections are carried on over TLS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplift {
    /// The section's name.
    pub name: String,
    /// Which devices; none of them is in another section.
    pub macs: Vec<Mac>,
    /// The name or address that the server's certificate has to be for.
    pub host: String,
    /// The server's TCP port for MQTT over TLS.
    pub port: u16,
    /// Certificates that are trusted, in PEM.
    pub ca: PathBuf,
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
    /// Patterns that it may publish to beside its profile's.
    pub publish: Vec<String>,
    /// Patterns that it may subscribe to beside its profile's.
    pub subscribe: Vec<String>,
    /// Blocked by configuration; cannot be unblocked over ubus.
    pub blocked: bool,
    /// May use the plaintext LAN listener.
    pub plaintext: bool,
    /// Its credential is accepted from any MAC (for hosts behind a repeater that hides MACs).
    pub roaming: bool,
    /// The only Linux device that it sends from.
    pub interface: Option<String>,
    /// It may send from any IPv4 address, whatever it leases.
    pub any_address: bool,
}

impl DeviceOverride {
    /// Whether it grants anything beside the profile.
    pub fn grants_anything(&self) -> bool {
        !self.publish.is_empty() || !self.subscribe.is_empty()
    }
}
