//! What the owner decided, validated. Everything downstream reads these types; nobody but this
//! module's parent knows that they came from UCI.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mqttguard_common::{MAX_EXCEPTIONS, Mac};

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

/// The `jwt` section: what a JSON Web Token has to be for its bearer to be let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwt {
    /// What it is signed with.
    pub keys: JwtKeys,
    /// One of these has to be in its `aud`.
    pub audience: Vec<String>,
    /// Its `iss`, if that matters.
    pub issuer: Option<String>,
    /// The claim that is the user name.
    pub claim: String,
    /// How wrong a clock may be, for `exp` and `nbf`.
    pub leeway: Duration,
}

/// Where the keys are that tokens are checked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JwtKeys {
    /// One public key in PEM.
    Pem(PathBuf),
    /// A JSON Web Key Set.
    Jwks(PathBuf),
}

/// The `http_auth` section: who else is asked about users that the registry does not know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAuth {
    /// Where to.
    pub url: Url,
    /// How long the answer may take.
    pub timeout: Duration,
    /// How long a good answer is remembered.
    pub cache: Duration,
    /// Who may sign the server's certificate, in PEM.
    pub ca_file: PathBuf,
    /// What those may do whose answer does not say it; None: nothing.
    pub profile: Option<String>,
    /// Name of the [`Limits`] of each.
    pub limits: String,
}

/// A URL of HTTP or HTTPS.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Url {
    /// HTTPS.
    pub is_tls: bool,
    /// A name or address, an IPv6 address without its brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// With the query, if there is one. Begins with `/`.
    pub path: String,
}

impl Url {
    /// Host and port, as in a Host header.
    pub fn authority(&self) -> String {
        match self.host.contains(':') {
            true => format!("[{}]:{}", self.host, self.port),
            false => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.is_tls { "https" } else { "http" };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
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
