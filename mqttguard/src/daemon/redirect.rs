//! The redirection of uplifted devices in nftables: as it is wanted, and whether it stands.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use mqttguard_common::Mac;

use crate::enforce::nft::{self, Applied, Ruleset, Uplift};

/// How often to look whether it still stands, beside what the kernel tells, and to try again what
/// failed.
const LOOK: Duration = Duration::from_secs(10);

/// What is redirected.
#[derive(Default)]
pub(super) struct Redirect {
    wanted: Vec<Uplift>,
    /// What stands; None if it could not be set, or nothing was.
    applied: Option<Applied>,
    /// Why it could not be set.
    error: Option<String>,
    looked: Option<Instant>,
}

impl Redirect {
    /// What is wanted now.
    pub(super) fn wanted(&self) -> &[Uplift] {
        &self.wanted
    }

    /// Whether everything that is wanted is redirected.
    pub(super) fn stands(&self) -> bool {
        self.applied.is_some()
    }

    /// Why it does not stand, in words.
    pub(super) fn error(&self) -> Option<&str> {
        self.error.as_deref()
    }

    /// Redirects these, and nothing else. What could not be set is tried again by
    /// [`Redirect::look`].
    pub(super) fn want(&mut self, uplift: Vec<Uplift>) {
        self.wanted = uplift;
        self.apply();
    }

    /// Looks whether it still stands, if that was not done lately; or at once, if `now`.
    pub(super) fn look(&mut self, now: bool) {
        let lately = self.looked.is_some_and(|last| last.elapsed() < LOOK);
        if self.wanted.is_empty() || (lately && !now) {
            return;
        }
        self.looked = Some(Instant::now());
        if !self.is_standing() {
            self.apply();
        }
    }

    /// Asks the kernel whether it stands.
    pub(super) fn is_standing(&self) -> bool {
        self.applied.as_ref().is_some_and(Applied::is_standing)
    }

    fn apply(&mut self) {
        self.looked = Some(Instant::now());
        let ruleset = Ruleset {
            uplift: self.wanted.clone(),
        };
        let result = nft::apply(&ruleset).map_err(|error| error.to_string());
        self.error = result.as_ref().err().cloned();
        // None of a kind is no redirection.
        self.applied = result.ok().filter(|_| !self.wanted.is_empty());
    }
}

/// All that either of two has: what the kernel program passes is to be redirected before it
/// begins to pass it, and until it has stopped.
pub(super) fn union(old: &[Uplift], new: &[Uplift]) -> Vec<Uplift> {
    let mut all: BTreeMap<Mac, (BTreeSet<u16>, u16)> = BTreeMap::new();
    for device in old.iter().chain(new) {
        let (ports, listener) = all.entry(device.mac).or_default();
        ports.extend(&device.ports);
        *listener = device.listener;
    }
    let all = all.into_iter();
    all.map(|(mac, (ports, listener))| Uplift {
        mac,
        ports: ports.into_iter().collect(),
        listener,
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_it_changes_nothing_goes_without() {
        let device = |last: u8, ports: &[u16]| Uplift {
            mac: Mac([2, 0, 0, 0, 0, last]),
            ports: ports.to_vec(),
            listener: 4000,
        };
        let old = [device(1, &[1883]), device(2, &[1883])];
        let new = [device(2, &[1884]), device(3, &[1884])];
        assert_eq!(
            union(&old, &new),
            [
                device(1, &[1883]),
                device(2, &[1883, 1884]),
                device(3, &[1884])
            ]
        );
    }
}
