//! Windows in which what a device presents becomes its credential.

use std::time::Duration;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::{Credential, Refused, Registry, Save, Standing, State, UnixMs, Verifiers, standing};
use crate::events::{Because, EventKind, PairingChange};
use crate::text::slug;

/// A window that the owner has opened for one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pairing {
    /// The device.
    pub mac: Mac,
    /// The profile that the device gets; None: the one it has, or the default.
    pub profile: Option<String>,
    /// When the window closes.
    pub until_ms: UnixMs,
    /// For how long it was opened, in milliseconds: no clock makes more of it.
    pub for_ms: u64,
}

/// A [`Pairing`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredPairing {
    mac: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    until_ms: UnixMs,
    for_ms: u64,
}

impl From<&Pairing> for StoredPairing {
    fn from(pairing: &Pairing) -> StoredPairing {
        StoredPairing {
            mac: pairing.mac.to_string(),
            profile: pairing.profile.clone(),
            until_ms: pairing.until_ms,
            for_ms: pairing.for_ms,
        }
    }
}

impl StoredPairing {
    pub(super) fn into_pairing(self) -> Result<Pairing, String> {
        let mac = self.mac.parse();
        Ok(Pairing {
            mac: mac.map_err(|error| format!("mac: found '{}', {error}", self.mac))?,
            profile: self.profile,
            until_ms: self.until_ms,
            for_ms: self.for_ms,
        })
    }
}

/// Whether a user name can be one in the registry: `%u` in a profile stands for it.
pub(crate) fn is_username(name: &str) -> bool {
    slug(name).as_deref() == Some(name)
}

impl Registry {
    /// Windows at the same time.
    pub const MAX_PAIRINGS: usize = 8;

    /// The shortest and longest time that one is opened for.
    pub const PAIRING_TIMES: (Duration, Duration) =
        (Duration::from_secs(10), Duration::from_secs(15 * 60));

    /// How long one is open unless the owner says otherwise.
    pub const PAIRING_TIME: Duration = Duration::from_secs(2 * 60);

    /// Passwords with fewer bytes are told as weak. They are taken all the same: the device has
    /// its password already, and the credential is bound to it.
    pub const STRONG_PASSWORD: usize = 8;

    /// The windows that are open.
    pub fn pairings(&self) -> &[Pairing] {
        &self.pairings
    }

    /// The window of a device, if one is open.
    pub fn pairing(&self, mac: Mac) -> Option<&Pairing> {
        self.pairings.iter().find(|pairing| pairing.mac == mac)
    }

    /// Opens a window for a device, in place of one that is open for it. Ends its quarantine:
    /// the passwords that it tried so far are most likely why it is in one. Returns when the
    /// window closes.
    ///
    /// # Errors
    ///
    /// When the device is blocked, the profile is not configured, or there is no room.
    pub fn pair(
        &mut self,
        now: UnixMs,
        mac: Mac,
        profile: Option<&str>,
        time: Duration,
    ) -> Result<UnixMs, Refused> {
        self.check_profile(profile)?;
        let others = self.pairings.iter().filter(|other| other.mac != mac);
        if others.count() >= Self::MAX_PAIRINGS {
            return Err(Refused::TooManyPairings(Self::MAX_PAIRINGS));
        }
        let Some(device) = self.device_wanted(mac, now) else {
            return Err(Refused::Full(Self::MAX_DEVICES));
        };
        if standing(device) == Standing::Blocked {
            return Err(Refused::Blocked(mac));
        }
        device.guesses = Default::default();
        if device.quarantine.is_some() {
            self.end_quarantine(mac, Because::Pairing);
        }
        let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now.saturating_add(for_ms);
        self.pairings.retain(|other| other.mac != mac);
        self.pairings.push(Pairing {
            mac,
            profile: profile.map(str::to_owned),
            until_ms,
            for_ms,
        });
        self.after_pairing(mac);
        self.tell_pairing(mac, PairingChange::Opened { until_ms });
        Ok(until_ms)
    }

    /// Closes the window of a device. False if none is open.
    pub fn cancel_pairing(&mut self, mac: Mac) -> bool {
        let closed = self.close_pairing(mac).is_some();
        if closed {
            self.tell_pairing(mac, PairingChange::Cancelled);
        }
        closed
    }

    /// A device has presented what is to be its credential. Nothing happens if its window has
    /// closed meanwhile, or the user name has become another's.
    pub fn paired(
        &mut self,
        now: UnixMs,
        mac: Mac,
        username: &str,
        verifiers: Verifiers,
        weak: bool,
    ) {
        let taken = self.owner_of(username).is_some_and(|owner| owner != mac);
        if self.pairing(mac).is_none() || taken || !is_username(username) {
            return;
        }
        let Some(pairing) = self.close_pairing(mac) else {
            return;
        };
        self.become_owner(now, mac, username, verifiers, pairing.profile, weak);
    }

    /// What the device has presented is its credential from now on.
    pub(super) fn become_owner(
        &mut self,
        now: UnixMs,
        mac: Mac,
        username: &str,
        verifiers: Verifiers,
        profile: Option<String>,
        weak: bool,
    ) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let from = device.state();
        let earlier = device.credential.take();
        device.credential = Some(Credential {
            username: username.to_owned(),
            hash: verifiers.hash,
            scram: verifiers.scram,
            profile: profile.or_else(|| earlier.and_then(|credential| credential.profile)),
            issued_ms: now,
            weak,
            imported: false,
            earlier: None,
            certificates: Vec::new(),
        });
        let to = device.state();
        self.drop_claim(username);
        self.after_decision(mac);
        let username = username.to_owned();
        self.tell_pairing(mac, PairingChange::Done { username, weak });
        self.tell_change(mac, from, to, Because::Paired);
    }

    /// Closes the windows whose time is over.
    pub(super) fn expire_pairings(&mut self, now: UnixMs) {
        let is_over = |pairing: &Pairing| {
            // One that would be open for longer than it was opened for is of another clock.
            pairing.until_ms <= now || pairing.until_ms.saturating_sub(now) > pairing.for_ms
        };
        let over = self.pairings.iter().filter(|pairing| is_over(pairing));
        let over: Vec<Mac> = over.map(|pairing| pairing.mac).collect();
        for mac in over {
            self.close_pairing(mac);
            self.tell_pairing(mac, PairingChange::Expired);
        }
    }

    /// The clock was set; what is left of each window stays.
    pub(super) fn move_pairings(&mut self, before: UnixMs, after: UnixMs) {
        for pairing in &mut self.pairings {
            let left = pairing.until_ms.saturating_sub(before);
            pairing.until_ms = after.saturating_add(left);
        }
    }

    pub(super) fn close_pairing(&mut self, mac: Mac) -> Option<Pairing> {
        let place = self.pairings.iter().position(|one| one.mac == mac)?;
        let closed = self.pairings.remove(place);
        self.after_pairing(mac);
        Some(closed)
    }

    /// The broker is to know of the window, and the kernel program that the device may come to the
    /// plaintext listener, where the configuration lets it.
    fn after_pairing(&mut self, mac: Mac) {
        if self.devices.get(&mac).map(super::Device::state) != Some(State::Gone) {
            self.effects.policies.insert(mac);
        }
        self.effects.directory = true;
        self.effects.save(Save::Soon);
    }

    fn tell_pairing(&mut self, mac: Mac, change: PairingChange) {
        self.tell(mac, EventKind::Pairing { change });
    }
}
