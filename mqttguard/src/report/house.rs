use mqttguard_common::Mac;

use crate::config::{Bindings, Mode};
use crate::registry::{State, UnixMs};

/// What is known of the house, as far as a standard asks about it.
#[derive(Clone, Debug)]
pub struct House {
    /// When that was.
    pub now_ms: UnixMs,
    /// Whether anything is guarded at all.
    pub enabled: bool,
    /// Whether verdicts are carried out.
    pub mode: Mode,
    /// How much of protection there is.
    pub protection: Protection,
    /// Whether the kernel program sees the frames of all interfaces.
    pub sees: bool,
    /// Why it is not full, in the daemon's words.
    pub problems: Vec<String>,
    /// What is looked for beside the plaintext ports.
    pub detection: Detection,
    /// What happens to frames that do not fit their device.
    pub bindings: Bindings,
    /// Failed logins in a minute that quarantine a device.
    pub login_failures: u32,
    /// Whether floods quarantine a device.
    pub floods_quarantine: bool,
    /// The broker; None: it does not run, or does not answer.
    pub broker: Option<Broker>,
    /// Plaintext MQTT that may leave now.
    pub exceptions: Vec<Exception>,
    /// Bridges to other servers that are not encrypted.
    pub plain_bridges: Vec<String>,
    /// Why devices are cut off that are to be uplifted, if so.
    pub uplift_problem: Option<String>,
    /// Whether users that are no devices are asked about elsewhere (`http_auth`), and if so, whether
    /// that goes encrypted.
    pub foreign_users: Option<bool>,
    /// Whether tokens of another issuer are taken (`jwt`).
    pub tokens: bool,
    /// Sources that are to say which devices there are, and do not.
    pub silent_sources: Vec<&'static str>,
    /// Why the registry could not be read, or written.
    pub registry_trouble: Option<String>,
    /// Mistakes in the configuration, because of which an earlier one is in force.
    pub mistakes: usize,
    /// Settings that take force with the next start only.
    pub at_next_start: usize,
    /// The devices.
    pub members: Vec<Member>,
}

/// How much of protection there is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protection {
    /// The kernel program stands wherever it is to.
    Full,
    /// nftables stands in for it, by port.
    Reduced,
    /// Nothing is forwarded where it does not stand.
    Closed,
    /// None.
    None,
}

/// What is looked for beside the plaintext ports.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// A CONNECT on any TCP port.
    pub connect: bool,
    /// MQTT over a WebSocket.
    pub websocket: bool,
    /// MQTT-SN.
    pub mqtt_sn: bool,
}

/// The broker.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Broker {
    /// Encrypted listeners that work.
    pub encrypted: usize,
    /// Whether there is a listener in the clear.
    pub plain: bool,
    /// Listeners that do not work.
    pub broken: Vec<String>,
    /// Listeners that web pages from anywhere may connect to.
    pub any_origin: Vec<String>,
    /// Why what is acknowledged does not outlive a crash, if so.
    pub journal_trouble: Option<String>,
    /// Whether it outlives a power cut too.
    pub on_disk: bool,
    /// SHA-256 of the router's CA.
    pub ca_fingerprint: String,
}

/// Plaintext MQTT that may leave now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// Of this device; None: of every one.
    pub mac: Option<Mac>,
    /// Where to; None: anywhere.
    pub destination: Option<String>,
}

/// A device.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its MAC address.
    pub mac: Mac,
    /// Its name.
    pub name: String,
    /// Where it is in its life.
    pub state: State,
    /// What it proves itself with.
    pub credential: Option<Credential>,
    /// Its credential is good from any device.
    pub roaming: bool,
    /// It may use the listener in the clear.
    pub island: bool,
    /// It has a client that came in encrypted.
    pub in_encrypted: bool,
    /// It has a client that came in in the clear.
    pub in_clear: bool,
    /// Its plaintext is carried on over TLS.
    pub uplifted: bool,
    /// Frames of plaintext MQTT that were dropped (in monitor mode: that passed).
    pub plaintext: u64,
    /// Frames beyond its limits.
    pub floods: u64,
    /// Frames from another interface or address than its own.
    pub mismatches: u64,
    /// Failed logins.
    pub failed_logins: u64,
    /// Its profile grants all topics.
    pub all_topics: bool,
}

/// What a device proves itself with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credential {
    /// The password is easily guessed.
    pub weak: bool,
    /// The password of before still works.
    pub two_passwords: bool,
    /// When the last of its client certificates ends, if it has any.
    pub certificate_until_ms: Option<UnixMs>,
}

impl House {
    /// The device with this MAC address.
    pub(super) fn member(&self, mac: Mac) -> Option<&Member> {
        self.members.iter().find(|member| member.mac == mac)
    }

    /// Devices that are there and not cut off by the owner.
    pub(super) fn present(&self) -> impl Iterator<Item = &Member> {
        let away = |member: &Member| matches!(member.state, State::Blocked | State::Gone);
        self.members.iter().filter(move |member| !away(member))
    }

    /// Those of them that have shown that they speak MQTT, or are to.
    pub(super) fn mqtt(&self) -> impl Iterator<Item = &Member> {
        self.present().filter(|member| member.speaks_mqtt())
    }

    /// Whether the guard carries out what it is told.
    pub(super) fn enforces(&self) -> bool {
        self.enabled && self.mode == Mode::Enforce
    }
}

impl Member {
    /// Whether anything says that it speaks MQTT: phones and laptops are devices too.
    pub(super) fn speaks_mqtt(&self) -> bool {
        self.credential.is_some() || self.plaintext > 0 || self.failed_logins > 0 || self.uplifted
    }

    /// Whether it logs in in the clear, or may.
    pub(super) fn is_on_the_island(&self) -> bool {
        self.in_clear || self.island
    }

    /// Whether it sends plaintext, as far as is known, and has not turned to the broker since.
    pub(super) fn is_in_the_clear(&self) -> bool {
        self.plaintext > 0 && !self.in_encrypted && !self.uplifted && !self.is_on_the_island()
    }
}
