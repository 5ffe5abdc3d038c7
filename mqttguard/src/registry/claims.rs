//! Accounts that were brought from elsewhere and wait for their device: whoever shows such an
//! account's password first is bound to it, as if paired.

use std::collections::BTreeSet;
use std::time::Duration;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::{Device, Refused, Registry, Save, Standing, UnixMs, Verifiers, is_username, standing};
use crate::events::{EventKind, ImportChange};
use crate::hidden::Hidden;

/// An account that waits for its device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The user name.
    pub username: String,
    /// What its password is checked against, as [`crate::broker::login::imported`] reads it.
    pub hash: Hidden,
    /// The only device that may claim it; None: the first that shows the password.
    pub mac: Option<Mac>,
    /// The profile that the device gets; None: the default.
    pub profile: Option<String>,
    /// When it ceases to wait.
    pub until_ms: UnixMs,
    /// For how long it was to wait, in milliseconds: no clock makes more of it.
    pub for_ms: u64,
    /// Tells it from another one of the same user name. Not stored.
    pub serial: u64,
}

/// What is known of an account before it waits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// As in [`Claim`].
    pub username: String,
    /// As in [`Claim`].
    pub hash: Hidden,
    /// As in [`Claim`].
    pub mac: Option<Mac>,
    /// As in [`Claim`].
    pub profile: Option<String>,
}

/// A [`Claim`] as it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct StoredClaim {
    username: String,
    hash: Hidden,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mac: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
    until_ms: UnixMs,
    for_ms: u64,
}

impl From<&Claim> for StoredClaim {
    fn from(claim: &Claim) -> StoredClaim {
        StoredClaim {
            username: claim.username.clone(),
            hash: claim.hash.clone(),
            mac: claim.mac.map(|mac| mac.to_string()),
            profile: claim.profile.clone(),
            until_ms: claim.until_ms,
            for_ms: claim.for_ms,
        }
    }
}

impl StoredClaim {
    pub(super) fn into_claim(self, serial: u64) -> Result<Claim, String> {
        let mac = self.mac.map(|text| {
            let mac = text.parse();
            mac.map_err(|error| format!("mac: found '{text}', {error}"))
        });
        Ok(Claim {
            username: self.username,
            hash: self.hash,
            mac: mac.transpose()?,
            profile: self.profile,
            until_ms: self.until_ms,
            for_ms: self.for_ms,
            serial,
        })
    }
}

impl Registry {
    /// Accounts that wait at the same time.
    pub const MAX_CLAIMS: usize = 256;

    /// The shortest and longest time that accounts wait for their devices.
    pub const CLAIM_TIMES: (Duration, Duration) = (
        Duration::from_secs(60),
        Duration::from_secs(30 * 24 * 60 * 60),
    );

    /// How long they do unless the owner says otherwise.
    pub const CLAIM_TIME: Duration = Duration::from_secs(7 * 24 * 60 * 60);

    /// The accounts that wait for their devices.
    pub fn claims(&self) -> &[Claim] {
        &self.claims
    }

    /// Everything that speaks against taking these accounts in; the hashes are the caller's to
    /// look at. Each with the user name that it is about, if it is about one.
    pub fn check_import(&self, accounts: &[Import]) -> Vec<(Option<String>, Refused)> {
        let (mut names, mut macs) = (BTreeSet::new(), BTreeSet::new());
        let mut wrong = Vec::new();
        let to_wait = accounts.iter().filter(|one| self.has_come(one).is_none());
        let count = to_wait.clone().count();
        for account in to_wait {
            let username = account.username.clone();
            let mut refuse = |why| wrong.push((Some(account.username.clone()), why));
            if !is_username(&username) {
                refuse(Refused::BadUsername(username.clone()));
            }
            if !names.insert(&account.username) {
                refuse(Refused::UsernameTwice(username.clone()));
            }
            if let Some(owner) = self.owner_of(&username) {
                refuse(Refused::UsernameTaken { username, owner });
            }
            if let Err(why) = self.check_profile(account.profile.as_deref()) {
                refuse(why);
            }
            let Some(mac) = account.mac else {
                continue;
            };
            if !macs.insert(mac) {
                refuse(Refused::TwoAccounts(mac));
            }
            let device = self.devices.get(&mac);
            if let Some(held) = device.and_then(|device| device.credential.as_ref()) {
                let username = held.username.clone();
                refuse(Refused::HasCredential { mac, username });
            }
            if device.is_some_and(|device| standing(device) == Standing::Blocked) {
                refuse(Refused::Blocked(mac));
            }
        }
        let stay = |claim: &&Claim| !names.contains(&claim.username);
        let staying = self.claims.iter().filter(stay).count();
        if staying.saturating_add(count) > Self::MAX_CLAIMS {
            wrong.push((None, Refused::TooManyClaims(Self::MAX_CLAIMS)));
        }
        wrong
    }

    /// The device of an account that was imported before and has found it. Nothing of it is taken in
    /// again: whoever imports a file a second time means those that have not come.
    pub fn has_come(&self, account: &Import) -> Option<Mac> {
        let mac = self.owner_of(&account.username)?;
        let held = self.devices.get(&mac)?.credential.as_ref()?;
        let is_it = held.imported && account.mac.is_none_or(|only| only == mac);
        is_it.then_some(mac)
    }

    /// Has these accounts wait for their devices, all or none, but for those that have come. One
    /// that waits already under the same user name gives way. Returns until when they wait.
    ///
    /// # Errors
    ///
    /// The first of what [`Registry::check_import`] finds.
    pub fn import(
        &mut self,
        now: UnixMs,
        mut accounts: Vec<Import>,
        time: Duration,
    ) -> Result<UnixMs, Refused> {
        if let Some((_, why)) = self.check_import(&accounts).into_iter().next() {
            return Err(why);
        }
        let for_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let until_ms = now.saturating_add(for_ms);
        accounts.retain(|account| self.has_come(account).is_none());
        let count = accounts.len();
        if count == 0 {
            return Ok(until_ms);
        }
        for account in accounts {
            self.claims.retain(|one| one.username != account.username);
            self.last_claim = self.last_claim.wrapping_add(1);
            self.claims.push(Claim {
                username: account.username,
                hash: account.hash,
                mac: account.mac,
                profile: account.profile,
                until_ms,
                for_ms,
                serial: self.last_claim,
            });
        }
        self.after_claims(Save::Now);
        self.tell_import(ImportChange::Opened { count, until_ms });
        Ok(until_ms)
    }

    /// Has an account wait no longer. False if none of this name does.
    pub fn cancel_claim(&mut self, username: &str) -> bool {
        let before = self.claims.len();
        self.claims.retain(|claim| claim.username != username);
        let cancelled = self.claims.len() < before;
        if cancelled {
            self.after_claims(Save::Now);
            let username = username.to_owned();
            self.tell_import(ImportChange::Cancelled { username });
        }
        cancelled
    }

    /// A device has shown the password of an account that waits. Nothing happens if it does not
    /// wait any more, or not for this device.
    pub fn claimed(
        &mut self,
        now: UnixMs,
        mac: Mac,
        serial: u64,
        verifiers: Verifiers,
        weak: bool,
    ) {
        let claim = self.claims.iter().find(|claim| claim.serial == serial);
        let Some(claim) = claim.filter(|claim| claim.mac.is_none_or(|only| only == mac)) else {
            return;
        };
        let claim = claim.clone();
        let Some(device) = self.device_wanted(mac, now) else {
            log::error!("no room for {mac}, which has claimed '{}'", claim.username);
            return;
        };
        if device.credential.is_some() || standing(device) != Standing::Good {
            return;
        }
        let window = self.close_pairing(mac);
        let profile = window.and_then(|window| window.profile).or(claim.profile);
        self.become_owner(now, mac, &claim.username, verifiers, profile, weak);
        let device = self.devices.get_mut(&mac);
        if let Some(credential) = device.and_then(|device| device.credential.as_mut()) {
            credential.imported = true;
        }
    }

    /// Whether an account waits that this device could claim.
    pub(super) fn may_claim(&self, device: &Device) -> bool {
        let is_for_it = |claim: &Claim| claim.mac.is_none_or(|only| only == device.mac);
        device.credential.is_none() && self.claims.iter().any(is_for_it)
    }

    /// The user name has an owner now: nobody else can claim it.
    pub(super) fn drop_claim(&mut self, username: &str) {
        let before = self.claims.len();
        self.claims.retain(|claim| claim.username != username);
        if self.claims.len() < before {
            self.after_claims(Save::Now);
        }
    }

    /// Accounts cease to wait when their time is over.
    pub(super) fn expire_claims(&mut self, now: UnixMs) {
        let mut over = Vec::new();
        self.claims.retain_mut(|claim| {
            // A router without a clock boots in the past.
            claim.until_ms = claim.until_ms.min(now.saturating_add(claim.for_ms));
            let stays = claim.until_ms > now;
            if !stays {
                over.push(claim.username.clone());
            }
            stays
        });
        if !over.is_empty() {
            self.after_claims(Save::Now);
            self.tell_import(ImportChange::Expired { usernames: over });
        }
    }

    /// The clock was set; what is left to wait stays.
    pub(super) fn move_claims(&mut self, before: UnixMs, after: UnixMs) {
        for claim in &mut self.claims {
            let left = claim.until_ms.saturating_sub(before);
            claim.until_ms = after.saturating_add(left);
        }
    }

    /// The broker is to know, and the kernel program which devices may come to the plaintext
    /// listener.
    fn after_claims(&mut self, how: Save) {
        for (mac, word) in &self.settings.devices {
            let device = self.devices.get(mac);
            if word.plaintext && device.is_some_and(|device| !device.gone) {
                self.effects.policies.insert(*mac);
            }
        }
        self.effects.directory = true;
        self.effects.save(how);
    }

    fn tell_import(&mut self, change: ImportChange) {
        self.effects
            .told
            .push((None, None, EventKind::Import { change }));
    }
}
