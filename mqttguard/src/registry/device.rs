use std::collections::VecDeque;
use std::net::IpAddr;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::bindings::Leases;
use super::learning::Learning;
use super::refusals::Refusals;
use super::rotation::Earlier;
use super::sources::Sources;
use super::strikes::{Strikes, UnixMs};
use crate::events::Because;
use crate::hidden::Hidden;
use crate::naming::{Evidence, Firmware};

/// A device of the house. What is known of it, not what follows from that: see
/// [`Device::state`].
#[derive(Clone, Debug)]
pub struct Device {
    /// Its MAC address; what it is known by.
    pub mac: Mac,
    /// The name shown, and `%d` in profiles. Follows the hostname until the device is enrolled
    /// and stands still from then on: a device must not rename itself into another's topics.
    pub name: String,
    /// What it calls itself over DHCP.
    pub hostname: Option<String>,
    /// What it calls its kind over DHCP (option 60), for the owner to see.
    pub vendor_class: Option<String>,
    /// Where its maker describes it, as it says over DHCP (option 161, RFC 8520 section 10).
    pub mud_url: Option<String>,
    /// Addresses it has now, the latest last; at most [`Device::MAX_ADDRESSES`].
    pub addresses: VecDeque<IpAddr>,
    /// The Linux device it is behind.
    pub interface: Option<String>,
    /// Its credential, once it is enrolled.
    pub credential: Option<Credential>,
    /// Why the owner blocked it, if so.
    pub blocked: Option<Because>,
    /// Blocked by its `device` section.
    pub config_blocked: bool,
    /// Why and how long it is in quarantine, if so.
    pub quarantine: Option<Quarantine>,
    /// When it was first seen.
    pub first_seen_ms: UnixMs,
    /// When it was last seen. Moves on while a source says that it is there.
    pub last_seen_ms: UnixMs,
    /// The sources that say it is there now.
    pub present: Sources,
    /// Not seen for `forget_after`.
    pub gone: bool,
    /// Failed logins since the daemon started.
    pub failed_logins: u64,
    /// Whether it has a client at the broker now.
    pub connected: bool,
    /// What it runs, by what it said to the broker: for the owner to see, never to decide on.
    pub firmware: Option<Firmware>,
    /// Whether that is by a topic, which says more than a client identifier.
    pub(super) firmware_by_topic: bool,
    /// What it asked for in vain, while the owner lets it be noted.
    pub learning: Option<Learning>,
    /// What it was refused lately; None if nothing.
    pub refusals: Option<Box<Refusals>>,
    /// What it leases.
    pub(super) leases: Leases,
    /// When a new [`Device::mud_url`] was told last.
    pub(super) mud_told_ms: Option<UnixMs>,
    /// Login failures of the last minute.
    pub(super) guesses: Strikes,
    /// Seconds with flood drops of the last minute.
    pub(super) floods: Strikes,
}

/// What a device proves itself with.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credential {
    /// The user name, unique in the registry.
    pub username: String,
    /// `$7$` PBKDF2-HMAC-SHA512, as mosquitto_passwd writes it.
    pub hash: Hidden,
    /// As in [`Verifiers`]. None in a registry that was written before there were any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scram: Vec<Hidden>,
    /// The profile chosen when it was enrolled; a `device` section of the configuration has the
    /// last word. None: the default profile.
    pub profile: Option<String>,
    /// When it was issued.
    pub issued_ms: UnixMs,
    /// The password is one that is easily guessed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub weak: bool,
    /// It was an account of another broker, and waited for the device.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub imported: bool,
    /// The password before this one, while it still works.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub earlier: Option<Earlier>,
    /// The router's client certificates that are good for it, the latest last. What is not listed
    /// here is revoked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub certificates: Vec<Certificate>,
}

/// A client certificate that the router has made; the device holds it, and its key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The serial number, in hexadecimal.
    pub serial: String,
    /// When it was made.
    pub issued_ms: UnixMs,
    /// When it expires.
    pub until_ms: UnixMs,
}

impl Credential {
    /// The serial numbers of its certificates.
    pub(super) fn serials(&self) -> Vec<String> {
        let certificates = self.certificates.iter();
        certificates.map(|one| one.serial.clone()).collect()
    }
}

/// What a password is checked against; none of it gives the password away.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verifiers {
    /// `$7$` PBKDF2-HMAC-SHA512, as mosquitto_passwd writes it.
    pub hash: Hidden,
    /// `SCRAM-SHA-256` and `SCRAM-SHA-512`, each as [`crate::broker::login::scram::Verifier`] writes it.
    pub scram: Vec<Hidden>,
}

/// A time without MQTT.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Quarantine {
    /// When it ends.
    pub until_ms: UnixMs,
    /// Why.
    pub why: Because,
    /// For how long, in milliseconds, if the owner said so.
    pub for_ms: Option<u64>,
}

/// Where a device is in its life. Derived, never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum State {
    /// Seen, and nobody has decided about it.
    New,
    /// Has its own credential.
    Enrolled,
    /// No login and no MQTT for a time.
    Quarantined,
    /// Cut off by the owner.
    Blocked,
    /// Not seen for a long time.
    Gone,
}

impl State {
    /// All states, in the order in which they are shown.
    pub const ALL: [State; 5] = [
        State::New,
        State::Enrolled,
        State::Quarantined,
        State::Blocked,
        State::Gone,
    ];

    /// As ubus and the command line show it.
    pub const fn name(self) -> &'static str {
        match self {
            State::New => "new",
            State::Enrolled => "enrolled",
            State::Quarantined => "quarantined",
            State::Blocked => "blocked",
            State::Gone => "gone",
        }
    }
}

impl Device {
    /// Addresses kept for one device: IPv6 privacy addresses would fill any list.
    pub const MAX_ADDRESSES: usize = 8;

    pub(super) fn new(mac: Mac, now: UnixMs) -> Device {
        Device {
            mac,
            name: bare_name(mac),
            hostname: None,
            vendor_class: None,
            mud_url: None,
            addresses: VecDeque::new(),
            interface: None,
            credential: None,
            blocked: None,
            config_blocked: false,
            quarantine: None,
            first_seen_ms: now,
            last_seen_ms: now,
            present: Sources::default(),
            gone: false,
            failed_logins: 0,
            connected: false,
            firmware: None,
            firmware_by_topic: false,
            learning: None,
            refusals: None,
            leases: Leases::default(),
            mud_told_ms: None,
            guesses: Strikes::default(),
            floods: Strikes::default(),
        }
    }

    /// What it probably runs: by what it said, else by what it calls itself.
    pub fn probable_firmware(&self) -> Option<Firmware> {
        self.firmware.or_else(|| {
            Firmware::guess(&Evidence {
                hostname: self.hostname.as_deref(),
                ..Evidence::default()
            })
        })
    }

    /// Where the device is in its life. A block outlasts a quarantine, and both outlast absence.
    pub fn state(&self) -> State {
        if self.blocked.is_some() || self.config_blocked {
            State::Blocked
        } else if self.quarantine.is_some() {
            State::Quarantined
        } else if self.gone {
            State::Gone
        } else if self.credential.is_some() {
            State::Enrolled
        } else {
            State::New
        }
    }

    /// Whether the owner has decided anything about it, so that it is never dropped from the
    /// registry to make room.
    pub fn is_decided(&self) -> bool {
        self.credential.is_some() || self.blocked.is_some()
    }

    /// Whether it is stored. What was never decided about nor ever had an address or a name is
    /// seen anew soon enough.
    pub(super) fn is_worth_keeping(&self) -> bool {
        self.is_decided()
            || self.quarantine.is_some()
            || self.learning.is_some()
            || self.hostname.is_some()
            || !self.addresses.is_empty()
    }

    pub(super) fn add_address(&mut self, address: IpAddr) {
        if self.addresses.back() == Some(&address) {
            return;
        }
        self.addresses.retain(|known| *known != address);
        if self.addresses.len() == Self::MAX_ADDRESSES {
            self.addresses.pop_front();
        }
        self.addresses.push_back(address);
    }
}

/// The name of a device that told none: its MAC address, fit for a topic.
pub(super) fn bare_name(mac: Mac) -> String {
    mac.to_string().replace(':', "")
}
