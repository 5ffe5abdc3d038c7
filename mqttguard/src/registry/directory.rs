use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use mqttguard_common::Mac;

use super::{Standing, Verifiers};
use crate::config;
use crate::hidden::Hidden;

/// What the broker needs to know of the registry to let clients in: an immutable snapshot,
/// replaced as a whole whenever a device, profile or limit changes.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// By user name.
    pub accounts: HashMap<String, Arc<Account>>,
    /// How devices stand that must not even try, by MAC. Absent: [`Standing::Good`].
    pub standings: HashMap<Mac, Standing>,
    /// Devices of which the next user name and password become the credential, by MAC: the
    /// account that it is then of, but for user name and hash.
    pub pairings: HashMap<Mac, Arc<Account>>,
    /// Accounts that wait for their device, by user name.
    pub claims: HashMap<String, Waiting>,
    /// The devices that may use the plaintext listener, while accounts wait.
    pub islanders: HashSet<Mac>,
    /// Whether any account has two passwords.
    pub has_rotations: bool,
}

/// An account that becomes the credential of whoever shows its password.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// The only device that may; None: the first one.
    pub mac: Option<Mac>,
    /// As in [`super::Claim`].
    pub hash: Hidden,
    /// As in [`super::Claim`].
    pub serial: u64,
    /// The account, but for its device and what the password is checked against.
    pub account: Arc<Account>,
}

/// One credential and the device that holds it.
#[derive(Clone, Debug)]
pub struct Account {
    /// The user name; also the broker's identity.
    pub username: Arc<str>,
    /// The device.
    pub mac: Mac,
    /// The device's name, `%d` in profiles.
    pub device: String,
    /// `$7$` PBKDF2-HMAC-SHA512, as mosquitto_passwd writes it.
    pub hash: Hidden,
    /// SCRAM verifiers, one a mechanism; none for a credential older than they are.
    pub scram: Vec<Hidden>,
    /// The password of before, while it works beside the new one.
    pub earlier: Option<Verifiers>,
    /// Serial numbers of the router's client certificates that are good for it, in hexadecimal.
    pub certificates: Vec<String>,
    /// Accepted from any MAC.
    pub roaming: bool,
    /// May use the plaintext listener.
    pub plaintext: bool,
    /// The profile's name, for events.
    pub profile_name: String,
    /// What it may do, patterns not yet expanded.
    pub profile: Arc<config::Profile>,
    /// What it may use.
    pub limits: Arc<mqttguard_broker::Limits>,
}

impl Account {
    /// Whether this is the hash of one of its passwords.
    pub fn has_hash(&self, hash: &str) -> bool {
        let earlier = self.earlier.as_ref();
        self.hash == *hash || earlier.is_some_and(|earlier| earlier.hash == *hash)
    }
}
