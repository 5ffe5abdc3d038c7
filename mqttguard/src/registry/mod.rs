//! Devices: who they are, what state they are in, what they may do. The heart.
//!
//! [`Registry`] is plain data and rules: time is passed in, nothing is read or written here but by
//! [`store`] and [`notes`]. What follows from a change for the kernel program, the broker, the disk and the
//! owner is gathered as [`Effects`].

mod bindings;
mod claims;
mod described;
mod device;
mod directory;
mod effects;
mod exceptions;
mod learning;
mod life;
mod lookup;
pub mod notes;
mod pairing;
mod policy;
mod refusals;
mod refused;
mod rotation;
mod sightings;
mod sources;
pub mod store;
mod strikes;
mod undo;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use mqttguard_common::Mac;

pub use claims::{Claim, Import};
pub use described::Granted;
pub use device::{Certificate, Credential, Device, Quarantine, State, Verifiers};
pub use directory::{Account, Directory, Waiting};
pub use effects::{Effects, Save};
pub use exceptions::Allowance;
pub use learning::{Gap, Learning, Proposal, Wish};
pub use lookup::LookupError;
pub use pairing::Pairing;
pub(crate) use pairing::is_username;
pub use policy::{DevicePolicy, Standing};
pub use refusals::{Refusals, RefusedLogin, RefusedTopic};
pub use refused::Refused;
pub use rotation::Earlier;
pub use sources::Sources;
pub use store::Contents;
pub use strikes::UnixMs;

use crate::config::{self, Settings};
use crate::events::{Because, EventKind};
use crate::hidden::Hidden;
use crate::text::slug;
use bindings::{Leases, Place};
use described::Described;
use device::bare_name;

/// Profiles by name, each once however many accounts it is of.
type Shared<'a> = BTreeMap<&'a str, Arc<config::Profile>>;

/// All devices, and the rules of their lives.
#[derive(Debug)]
pub struct Registry {
    devices: BTreeMap<Mac, Device>,
    settings: Arc<Settings>,
    effects: Effects,
    /// Strangers taken in on the word of a frame alone, in the minute that began at `.0`.
    strangers: (UnixMs, u32),
    full: bool,
    allowances: Vec<Allowance>,
    /// What the owner has accepted of what makers say.
    described: Described,
    /// Windows that are open; at most [`Registry::MAX_PAIRINGS`].
    pairings: Vec<Pairing>,
    /// Accounts that wait for their devices; at most [`Registry::MAX_CLAIMS`].
    claims: Vec<Claim>,
    /// The serial number of the latest of them.
    last_claim: u64,
    /// Ends of the configuration's exceptions that have passed.
    passed: BTreeSet<UnixMs>,
    /// The interfaces that devices are bound to by the configuration.
    places: BTreeMap<Mac, Place>,
}

impl Registry {
    /// Devices that are known at most; as many as the kernel program has room for.
    pub const MAX_DEVICES: usize = mqttguard_common::MAX_DEVICES as usize;

    /// A registry with what was stored and the devices that the configuration names.
    pub fn new(stored: Contents, settings: Arc<Settings>, now: UnixMs) -> Registry {
        let mut registry = Registry {
            devices: stored
                .devices
                .into_iter()
                .map(|device| (device.mac, device))
                .collect(),
            settings: settings.clone(),
            effects: Effects::default(),
            strangers: (0, 0),
            full: false,
            allowances: stored.allowances,
            described: Described::default(),
            pairings: stored.pairings,
            last_claim: stored
                .claims
                .iter()
                .map(|one| one.serial)
                .max()
                .unwrap_or(0),
            claims: stored.claims,
            passed: stored.passed,
            places: BTreeMap::new(),
        };
        registry.expire_pairings(now);
        registry.expire_claims(now);
        for pairing in registry.pairings.clone() {
            registry.device_wanted(pairing.mac, now);
        }
        registry.set_settings(settings, now);
        // What the configuration says at a start is no change.
        registry.effects.told.clear();
        registry
    }

    /// Puts another configuration in force. [`Registry::set_described`] is to be called behind it.
    pub fn set_settings(&mut self, settings: Arc<Settings>, now: UnixMs) {
        self.settings = settings.clone();
        let before: Vec<(Mac, State)> = self
            .devices
            .values()
            .map(|device| (device.mac, device.state()))
            .collect();
        for device in self.devices.values_mut() {
            device.config_blocked = false;
        }
        for (mac, word) in &settings.devices {
            let Some(device) = self.device_wanted(*mac, now) else {
                continue;
            };
            device.config_blocked = word.blocked;
            if let Some(name) = &word.name {
                device.name.clone_from(name);
                self.give_way(*mac, name);
            }
        }
        for mac in settings.uplifts.iter().flat_map(|uplift| &uplift.macs) {
            self.device_wanted(*mac, now);
        }
        for (mac, from) in before {
            if let Some(to) = self.devices.get(&mac).map(Device::state) {
                self.tell_change(mac, from, to, Because::Configured);
            }
        }
        self.follow_exceptions(now);
        self.repeat_policies();
        self.effects.directory = true;
    }

    /// All devices, by MAC.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.devices.values()
    }

    /// One device.
    pub fn device(&self, mac: Mac) -> Option<&Device> {
        self.devices.get(&mac)
    }

    /// What has to be done outside; each effect is handed out once.
    pub fn take_effects(&mut self) -> Effects {
        std::mem::take(&mut self.effects)
    }

    /// The sources of sightings begin anew: none of them will take back what those before said.
    pub fn forget_presence(&mut self) {
        for device in self.devices.values_mut() {
            device.present = Sources::default();
            device.leases = Leases::default();
        }
    }

    /// Asks for the kernel policy of every device, as after a new load of the program.
    pub fn repeat_policies(&mut self) {
        for device in self.devices.values() {
            match device.state() {
                State::Gone => self.effects.freed.insert(device.mac),
                _ => self.effects.policies.insert(device.mac),
            };
        }
    }

    /// Notes which devices have a client at the broker now.
    pub fn connected(&mut self, macs: &BTreeSet<Mac>) {
        for device in self.devices.values_mut() {
            device.connected = macs.contains(&device.mac);
        }
    }

    /// The name of the profile a device is under, enrolled or not.
    pub fn profile_name<'a>(&'a self, device: &'a Device) -> &'a str {
        let word = self.settings.devices.get(&device.mac);
        let wanted = word.and_then(|word| word.profile.as_deref()).or_else(|| {
            device
                .credential
                .as_ref()
                .and_then(|held| held.profile.as_deref())
        });
        // A profile that has left the configuration since leaves the default, not a hole.
        wanted
            .filter(|name| self.settings.profiles.contains_key(*name))
            .unwrap_or(&self.settings.main.profile)
    }

    /// The patterns granted to a device by its `device` section: for publishing and for subscribing.
    pub fn own_grants(&self, mac: Mac) -> (&[String], &[String]) {
        let word = self.settings.devices.get(&mac);
        word.map_or((&[], &[]), |word| (&word.publish, &word.subscribe))
    }

    /// What the kernel is to hold a device to.
    pub fn policy(&self, device: &Device) -> DevicePolicy {
        let word = self.settings.devices.get(&device.mac);
        DevicePolicy {
            standing: standing(device),
            plaintext: word.is_some_and(|word| word.plaintext)
                && (device.credential.is_some()
                    || self.pairing(device.mac).is_some()
                    || self.may_claim(device)),
            uplift: self.settings.uplift(device.mac).is_some(),
            interface: self.bound_interface(device),
            address: self.bound_address(device),
            limits: self.limits(device).kernel,
        }
    }

    /// A snapshot of all the broker needs to let clients in.
    pub fn directory(&self) -> Directory {
        let mut directory = Directory::default();
        let mut shared = Shared::default();
        for device in self.devices.values() {
            let standing = standing(device);
            if standing != Standing::Good {
                directory.standings.insert(device.mac, standing);
            }
            if let Some(credential) = &device.credential {
                let profile_name = self.profile_name(device);
                let account = self.account(device, Some(credential), profile_name, &mut shared);
                directory.has_rotations |= account.earlier.is_some();
                directory
                    .accounts
                    .insert(credential.username.clone(), Arc::new(account));
            }
        }
        for pairing in &self.pairings {
            let Some(device) = self.devices.get(&pairing.mac) else {
                continue;
            };
            let profile_name = self.profile_name(device);
            let account = self.account(device, None, profile_name, &mut shared);
            directory.pairings.insert(pairing.mac, Arc::new(account));
        }
        self.add_claims(&mut directory, &mut shared);
        directory
    }

    /// The accounts that wait, for the broker.
    fn add_claims<'a>(&'a self, directory: &mut Directory, shared: &mut Shared<'a>) {
        for claim in &self.claims {
            // Of whom it will be is not known yet: until then it grants what nobody gets to use.
            let nobody = Device::new(claim.mac.unwrap_or(Mac([0; 6])), 0);
            let main = &self.settings.main;
            let account = Account {
                username: claim.username.as_str().into(),
                ..self.account(&nobody, None, &main.profile, shared)
            };
            let waiting = Waiting {
                mac: claim.mac,
                hash: claim.hash.clone(),
                serial: claim.serial,
                account: Arc::new(account),
            };
            directory.claims.insert(claim.username.clone(), waiting);
        }
        if !self.claims.is_empty() {
            let words = self.settings.devices.iter();
            let islanders = words
                .filter(|(_, word)| word.plaintext)
                .map(|(mac, _)| *mac);
            directory.islanders = islanders.collect();
        }
    }

    /// The account of a device; without a credential, all of it but what that is of.
    pub fn account_of(&self, device: &Device) -> Account {
        let profile_name = self.profile_name(device);
        let credential = device.credential.as_ref();
        self.account(device, credential, profile_name, &mut Shared::default())
    }

    /// As [`Registry::account_of`], of which there may be many.
    fn account<'a>(
        &'a self,
        device: &Device,
        credential: Option<&Credential>,
        profile_name: &'a str,
        shared: &mut Shared<'a>,
    ) -> Account {
        let word = self.settings.devices.get(&device.mac);
        let profile = shared.entry(profile_name).or_insert_with(|| {
            let profile = self.settings.profiles.get(profile_name);
            Arc::new(profile.cloned().unwrap_or_default())
        });
        let own = word.filter(|word| word.grants_anything());
        let described = self.described_topics(device.mac);
        let profile = match (own, described) {
            (None, None) => Arc::clone(profile),
            _ => {
                let mut wider = config::Profile::clone(profile);
                if let Some(word) = own {
                    wider.publish.extend_from_slice(&word.publish);
                    wider.subscribe.extend_from_slice(&word.subscribe);
                }
                if let Some(granted) = described {
                    wider.publish.extend_from_slice(&granted.publish);
                    wider.subscribe.extend_from_slice(&granted.subscribe);
                }
                Arc::new(wider)
            }
        };
        let earlier = credential.and_then(|held| held.earlier.as_ref());
        Account {
            username: credential.map_or("", |held| &held.username).into(),
            mac: device.mac,
            device: device.name.clone(),
            hash: credential.map_or_else(Hidden::default, |held| held.hash.clone()),
            scram: credential.map_or_else(Vec::new, |held| held.scram.clone()),
            earlier: earlier.map(|earlier| Verifiers {
                hash: earlier.hash.clone(),
                scram: earlier.scram.clone(),
            }),
            certificates: credential.map_or_else(Vec::new, Credential::serials),
            roaming: word.is_some_and(|word| word.roaming),
            plaintext: word.is_some_and(|word| word.plaintext),
            profile_name: profile_name.to_owned(),
            profile,
            limits: Arc::new(self.limits(device).broker.clone()),
        }
    }

    fn limits(&self, device: &Device) -> &config::Limits {
        let word = self.settings.devices.get(&device.mac);
        let by_device = word.and_then(|word| word.limits.as_deref());
        let profile = self.settings.profiles.get(self.profile_name(device));
        self.settings
            .limits(by_device.or(profile.map(|profile| &*profile.limits)))
    }

    /// Takes a name that the configuration gives to `owner` from whoever else has it: two devices
    /// of one name would share the topics of `%d`.
    fn give_way(&mut self, owner: Mac, name: &str) {
        let others: Vec<Mac> = self
            .devices
            .values()
            .filter(|other| other.mac != owner && other.name.eq_ignore_ascii_case(name))
            .map(|other| other.mac)
            .collect();
        for mac in others {
            if let Some(device) = self.devices.get_mut(&mac) {
                device.name = bare_name(mac);
                log::warn!(
                    "the configuration gives the name '{name}' to {owner}; {mac}, which had it, \
                     is '{}' now",
                    device.name
                );
            }
        }
    }

    /// The device, taken in if it is not known yet. None when there is no room even after the
    /// longest unseen of the undecided devices that are not there has made some.
    fn device_or_new(&mut self, mac: Mac, now: UnixMs) -> Option<&mut Device> {
        self.take_in(mac, now, false)
    }

    /// As [`Registry::device_or_new`], for a device that the owner has a word on: others make room
    /// even while they are there, or a crowd of made-up devices could keep the owner from acting.
    fn device_wanted(&mut self, mac: Mac, now: UnixMs) -> Option<&mut Device> {
        self.take_in(mac, now, true)
    }

    fn take_in(&mut self, mac: Mac, now: UnixMs, wanted: bool) -> Option<&mut Device> {
        if !self.devices.contains_key(&mac) {
            if !mac.is_device() || !self.make_room(wanted) {
                return None;
            }
            let mut device = Device::new(mac, now);
            let word = self.settings.devices.get(&mac);
            device.config_blocked = word.is_some_and(|word| word.blocked);
            if let Some(name) = word.and_then(|word| word.name.clone()) {
                device.name = name;
            }
            self.devices.insert(mac, device);
            self.effects.policies.insert(mac);
        }
        self.devices.get_mut(&mac)
    }

    fn make_room(&mut self, wanted: bool) -> bool {
        if self.devices.len() < Self::MAX_DEVICES {
            self.full = false;
            return true;
        }
        let oldest = self
            .devices
            .values()
            .filter(|device| {
                !device.is_decided()
                    && (wanted || device.present.is_empty())
                    && device.quarantine.is_none()
                    && device.learning.is_none()
                    && self.pairing(device.mac).is_none()
                    && !self.described.macs.contains(&device.mac)
                    && !self.settings.devices.contains_key(&device.mac)
                    && self.settings.uplift(device.mac).is_none()
            })
            .min_by_key(|device| (!device.present.is_empty(), device.last_seen_ms))
            .map(|device| device.mac);
        if let Some(mac) = oldest {
            self.drop_device(mac);
            return true;
        }
        if !self.full {
            self.full = true;
            log::warn!(
                "the registry is full with {} devices; others are held to the default limits \
                 and cannot be enrolled",
                Self::MAX_DEVICES
            );
        }
        false
    }

    fn drop_device(&mut self, mac: Mac) {
        let dropped = self.devices.remove(&mac);
        self.effects.dropped.insert(mac);
        self.effects.policies.remove(&mac);
        self.effects.freed.insert(mac);
        if dropped.is_some_and(|device| device.is_worth_keeping()) {
            self.effects.save(Save::Soon);
        }
    }

    fn tell(&mut self, mac: Mac, kind: EventKind) {
        let name = self
            .devices
            .get(&mac)
            .map_or_else(|| bare_name(mac), |device| device.name.clone());
        self.effects.told.push((Some(mac), Some(name), kind));
    }

    /// A name like `wanted` that no other device has.
    fn free_name(&self, mac: Mac, wanted: &str) -> String {
        let taken = |name: &str| {
            self.devices
                .values()
                .any(|other| other.mac != mac && other.name.eq_ignore_ascii_case(name))
        };
        // One that looks like a MAC address is not to be taken from the device that bears it.
        let is_bare =
            |name: &String| name.len() == 12 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        let Some(name) = slug(wanted).filter(|name| !is_bare(name)) else {
            return bare_name(mac);
        };
        if !taken(&name) {
            return name;
        }
        let [.., high, low] = mac.0;
        let longer = format!("{name}-{high:02x}{low:02x}");
        if taken(&longer) {
            bare_name(mac)
        } else {
            longer
        }
    }
}

fn standing(device: &Device) -> Standing {
    match device.state() {
        State::Blocked => Standing::Blocked,
        State::Quarantined => Standing::Quarantined,
        State::New | State::Enrolled | State::Gone => Standing::Good,
    }
}

#[cfg(test)]
mod tests;
