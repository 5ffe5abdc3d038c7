//! The life of a device once it is seen: enrolled, quarantined, blocked, gone.

use std::time::Duration;

use mqttguard_common::Mac;

use super::device::bare_name;
use super::{
    Credential, Quarantine, Refused, Registry, Save, Standing, State, UnixMs, Verifiers,
    is_username,
};
use crate::events::{Because, EventKind};

impl Registry {
    /// How much more often a device with a live session may fail to log in before it is put in
    /// quarantine: one wrongly configured add-on must not silence a whole Home Assistant.
    const TRUST: u32 = 6;

    /// The shortest and longest quarantine by the owner's word.
    pub const CONFINEMENTS: (Duration, Duration) = (
        Duration::from_secs(60),
        Duration::from_secs(30 * 24 * 60 * 60),
    );

    /// A device that an earlier run of the daemon knew, and how it stood in the kernel. False if
    /// there is no room for it. A quarantine that was not written down begins anew: whoever makes
    /// the daemon fall is not to be free for it.
    pub fn adopt(&mut self, now: UnixMs, mac: Mac, standing: Standing) -> bool {
        let Some(device) = self.device_or_new(mac, now) else {
            return false;
        };
        if standing == Standing::Quarantined && device.state() < State::Quarantined {
            self.quarantine(now, mac, None, Because::Resumed);
        }
        true
    }

    /// Gives the device a credential in place of any it had. `verifiers` are of the password that
    /// the owner is about to be shown. Returns the user name.
    ///
    /// # Errors
    ///
    /// When the profile or user name will not do, or there is no room.
    pub fn enrol(
        &mut self,
        now: UnixMs,
        mac: Mac,
        profile: Option<&str>,
        username: Option<&str>,
        verifiers: Verifiers,
    ) -> Result<String, Refused> {
        self.check_profile(profile)?;
        let username = self.pick_username(mac, username)?;
        let from = self
            .devices
            .get(&mac)
            .map_or(State::New, super::Device::state);
        let Some(device) = self.device_wanted(mac, now) else {
            return Err(Refused::Full(Self::MAX_DEVICES));
        };
        let earlier = device.credential.take();
        device.credential = Some(Credential {
            username: username.clone(),
            hash: verifiers.hash,
            scram: verifiers.scram,
            profile: profile
                .map(str::to_owned)
                .or_else(|| earlier.and_then(|credential| credential.profile)),
            issued_ms: now,
            weak: false,
            imported: false,
            earlier: None,
            certificates: Vec::new(),
        });
        self.close_pairing(mac);
        self.drop_claim(&username);
        let to = self.devices.get(&mac).map_or(from, super::Device::state);
        self.after_decision(mac);
        self.tell(
            mac,
            EventKind::Enrolled {
                username: username.clone(),
            },
        );
        self.tell_change(mac, from, to, Because::Enrolled);
        Ok(username)
    }

    /// The password of the device's credential was seen at a login: it gets the verifiers that it
    /// lacks. Nothing is done if the credential is another by now.
    pub fn verified(&mut self, mac: Mac, verifiers: &Verifiers) {
        let device = self.devices.get_mut(&mac);
        let credential = device.and_then(|device| device.credential.as_mut());
        if let Some(credential) = credential
            && credential.hash == verifiers.hash
            && credential.scram.is_empty()
        {
            credential.scram.clone_from(&verifiers.scram);
            self.effects.directory = true;
            self.effects.save(Save::Soon);
        }
    }

    pub(super) fn check_profile(&self, profile: Option<&str>) -> Result<(), Refused> {
        match profile {
            Some(found) if !self.settings.profiles.contains_key(found) => {
                Err(Refused::NoSuchProfile {
                    found: found.to_owned(),
                    known: self.settings.profiles.keys().cloned().collect(),
                })
            }
            _ => Ok(()),
        }
    }

    /// The device whose credential has this user name.
    pub fn owner_of(&self, username: &str) -> Option<Mac> {
        let holds = |device: &&super::Device| {
            let credential = device.credential.as_ref();
            credential.is_some_and(|held| held.username == username)
        };
        self.devices.values().find(holds).map(|device| device.mac)
    }

    fn pick_username(&self, mac: Mac, wanted: Option<&str>) -> Result<String, Refused> {
        let owner = |name: &str| self.owner_of(name).filter(|owner| *owner != mac);
        if let Some(wanted) = wanted {
            if !is_username(wanted) {
                return Err(Refused::BadUsername(wanted.to_owned()));
            }
            return match owner(wanted) {
                Some(owner) => Err(Refused::UsernameTaken {
                    username: wanted.to_owned(),
                    owner,
                }),
                None => Ok(wanted.to_owned()),
            };
        }
        let device = self.devices.get(&mac);
        if let Some(credential) = device.and_then(|device| device.credential.as_ref()) {
            return Ok(credential.username.clone());
        }
        let name = device.map_or_else(|| bare_name(mac), |device| device.name.clone());
        if owner(&name).is_none() {
            return Ok(name);
        }
        let username = bare_name(mac);
        match owner(&username) {
            Some(owner) => Err(Refused::UsernameTaken { username, owner }),
            None => Ok(username),
        }
    }

    /// Cuts the device off for good.
    ///
    /// # Errors
    ///
    /// When there is no room for a device not seen before.
    pub fn block(&mut self, now: UnixMs, mac: Mac, why: Because) -> Result<(), Refused> {
        let from = self
            .devices
            .get(&mac)
            .map_or(State::New, super::Device::state);
        let Some(device) = self.device_wanted(mac, now) else {
            return Err(Refused::Full(Self::MAX_DEVICES));
        };
        device.blocked = Some(why.clone());
        let to = device.state();
        self.after_decision(mac);
        self.tell_change(mac, from, to, why);
        Ok(())
    }

    /// Lifts a block and ends a quarantine.
    ///
    /// # Errors
    ///
    /// When the configuration blocks the device.
    pub fn unblock(&mut self, mac: Mac) -> Result<(), Refused> {
        let Some(device) = self.devices.get_mut(&mac) else {
            return Ok(());
        };
        if device.config_blocked {
            return Err(Refused::BlockedByConfig(mac));
        }
        let from = device.state();
        device.blocked = None;
        device.quarantine = None;
        device.guesses = Default::default();
        device.floods = Default::default();
        let to = device.state();
        self.after_decision(mac);
        self.tell_change(mac, from, to, Because::Released);
        Ok(())
    }

    /// A login from the device failed for want of the right credential.
    pub fn login_failed(&mut self, now: UnixMs, mac: Mac) {
        let limit = self.settings.main.login_failures;
        let is_pairing = self.pairing(mac).is_some();
        let Some(device) = self.device_or_new(mac, now) else {
            return;
        };
        device.failed_logins = device.failed_logins.saturating_add(1);
        // The owner wants to know what it tries; the broker slows it down all the same.
        if is_pairing {
            return;
        }
        let trust = if device.connected { Self::TRUST } else { 1 };
        let limit = limit.saturating_mul(trust);
        if device.guesses.strike(now, limit) {
            self.quarantine(now, mac, None, Because::Guessed { failures: limit });
        }
    }

    /// The kernel held the device to one of its flood limits.
    pub fn flooded(&mut self, now: UnixMs, mac: Mac) {
        let Some(limit) = self.settings.main.flood_seconds else {
            return;
        };
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        if device.floods.strike_second(now, limit) {
            self.quarantine(now, mac, None, Because::Flooded { seconds: limit });
        }
    }

    /// Puts the device in quarantine by the owner's word, in place of one it is in; for as long as
    /// the configuration says, unless a time is given.
    ///
    /// # Errors
    ///
    /// When there is no room for a device not seen before.
    pub fn confine(
        &mut self,
        now: UnixMs,
        mac: Mac,
        time: Option<Duration>,
        why: Because,
    ) -> Result<(), Refused> {
        if self.device_wanted(mac, now).is_none() {
            return Err(Refused::Full(Self::MAX_DEVICES));
        }
        let for_ms = time.map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
        self.quarantine(now, mac, for_ms, why);
        self.effects.save(Save::Now);
        Ok(())
    }

    /// Ends a quarantine. False if the device is in none. A block stays.
    pub fn let_go(&mut self, mac: Mac) -> bool {
        let device = self.devices.get_mut(&mac);
        let Some(device) = device.filter(|device| device.quarantine.is_some()) else {
            return false;
        };
        device.guesses = Default::default();
        device.floods = Default::default();
        self.end_quarantine(mac, Because::Released);
        self.effects.save(Save::Now);
        true
    }

    fn quarantine(&mut self, now: UnixMs, mac: Mac, for_ms: Option<u64>, why: Because) {
        let until_ms = now.saturating_add(for_ms.unwrap_or_else(|| self.quarantine_ms()));
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let from = device.state();
        device.quarantine = Some(Quarantine {
            until_ms,
            why: why.clone(),
            for_ms,
        });
        let to = device.state();
        self.effects.policies.insert(mac);
        self.effects.directory = true;
        self.effects.save(Save::Soon);
        self.tell_change(mac, from, to, why);
    }

    fn quarantine_ms(&self) -> u64 {
        u64::try_from(self.settings.main.quarantine.as_millis()).unwrap_or(u64::MAX)
    }

    /// The clock was set from `before` to `after`. What counts time goes on as if it had always
    /// shown the new one: a router boots in the past, and when it hears of the present, nobody's
    /// quarantine is over and nobody has been away for years. Times ahead of the old clock are
    /// those of an earlier run, and right.
    pub fn clock_set(&mut self, before: UnixMs, after: UnixMs) {
        let moved = |time: UnixMs| match time <= before {
            true => after.saturating_sub(before - time),
            false => time,
        };
        for device in self.devices.values_mut() {
            device.first_seen_ms = moved(device.first_seen_ms);
            device.last_seen_ms = moved(device.last_seen_ms);
            if let Some(quarantine) = &mut device.quarantine {
                let left = quarantine.until_ms.saturating_sub(before);
                quarantine.until_ms = after.saturating_add(left);
            }
        }
        self.move_allowances(before, after);
        self.move_pairings(before, after);
        self.move_claims(before, after);
        self.move_rotations(before, after);
        self.move_learning(before, after);
    }

    /// Does what is due: quarantines and exceptions end, devices go. Once a second is often enough.
    pub fn tick(&mut self, now: UnixMs) {
        let usual_ms = self.quarantine_ms();
        let forget_ms =
            u64::try_from(self.settings.main.forget_after.as_millis()).unwrap_or(u64::MAX);
        let mut over = Vec::new();
        let mut gone = Vec::new();
        for device in self.devices.values_mut() {
            if !device.present.is_empty() || device.connected {
                device.last_seen_ms = now;
            }
            if let Some(quarantine) = &mut device.quarantine {
                // A router without a clock boots in the past; an end set before must not
                // then lie years ahead.
                let longest = now.saturating_add(quarantine.for_ms.unwrap_or(usual_ms));
                quarantine.until_ms = quarantine.until_ms.min(longest);
                if quarantine.until_ms <= now {
                    over.push(device.mac);
                }
            }
            if !device.gone && now.saturating_sub(device.last_seen_ms) > forget_ms {
                gone.push(device.mac);
            }
        }
        self.settle_leases(now);
        self.expire(now, false);
        self.expire_pairings(now);
        self.expire_claims(now);
        self.expire_rotations(now);
        for mac in over {
            self.end_quarantine(mac, Because::Over);
        }
        for mac in gone {
            self.part(mac);
        }
    }

    pub(super) fn end_quarantine(&mut self, mac: Mac, why: Because) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let from = device.state();
        device.quarantine = None;
        let to = device.state();
        self.effects.policies.insert(mac);
        self.effects.directory = true;
        self.effects.save(Save::Soon);
        self.tell_change(mac, from, to, why);
    }

    fn part(&mut self, mac: Mac) {
        self.tell(mac, EventKind::DeviceGone);
        let configured = self.settings.devices.contains_key(&mac);
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        if !device.is_decided() && !configured {
            self.drop_device(mac);
            return;
        }
        device.gone = true;
        device.addresses.clear();
        // A block must meet the device when it comes back, so its entry stays.
        if device.state() == State::Gone {
            self.effects.policies.remove(&mac);
            self.effects.freed.insert(mac);
        }
    }

    pub(super) fn after_decision(&mut self, mac: Mac) {
        self.effects.policies.insert(mac);
        self.effects.directory = true;
        self.effects.save(Save::Now);
    }

    pub(super) fn tell_change(&mut self, mac: Mac, from: State, to: State, why: Because) {
        if from != to {
            self.tell(
                mac,
                EventKind::StateChanged {
                    from: from.name(),
                    to: to.name(),
                    why,
                },
            );
        }
    }
}
