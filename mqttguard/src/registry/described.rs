//! What the owner has accepted of what makers say of their devices (RFC 8520).

use std::collections::{BTreeMap, BTreeSet};

use mqttguard_common::Mac;

use super::{Allowance, Registry};
use crate::config::Exception;

/// It has a place of its own beside the configuration and the owner's other words, and ends with its
/// device.
#[derive(Debug, Default)]
pub(super) struct Described {
    /// The devices that it is of.
    pub(super) macs: BTreeSet<Mac>,
    /// Plaintext MQTT that may leave.
    pub(super) exceptions: Vec<Exception>,
    /// Topics beside those of profiles.
    pub(super) topics: BTreeMap<Mac, Granted>,
}

/// Patterns that a device is granted beside its profile's.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Granted {
    /// To publish to.
    pub publish: Vec<String>,
    /// To subscribe to.
    pub subscribe: Vec<String>,
}

impl Registry {
    /// Exceptions of [`Registry::set_described`] at the same time.
    pub const MAX_DESCRIBED: usize = 128;

    /// What may leave because a device's maker says so, and the owner has accepted that.
    pub fn described_exceptions(&self) -> &[Exception] {
        &self.described.exceptions
    }

    /// Puts such exceptions in force, in place of those before. What the configuration and the owner
    /// let out goes first: the kernel program has room for so many. Returns how many it has not.
    pub fn set_described(&mut self, wanted: Vec<Exception>) -> usize {
        let configured = self.settings.exceptions.iter();
        let mut all: Vec<Exception> = configured.map(|timed| timed.exception.clone()).collect();
        all.extend(self.allowances.iter().flat_map(Allowance::exceptions));
        let (mut kept, mut left_out) = (Vec::new(), 0usize);
        for exception in wanted {
            if kept.len() < Self::MAX_DESCRIBED && exception.fits(&all) {
                all.push(exception.clone());
                kept.push(exception);
            } else {
                left_out = left_out.saturating_add(1);
            }
        }
        if self.described.exceptions != kept {
            self.described.exceptions = kept;
            self.effects.exceptions = true;
        }
        left_out
    }

    /// Puts in force what devices are granted because their makers ask for it, in place of what they
    /// were before; and notes whom the owner has accepted anything of. What a profile denies stays
    /// denied.
    pub fn set_described_topics(&mut self, wanted: BTreeMap<Mac, Granted>) {
        self.described.macs = wanted.keys().copied().collect();
        let any = |granted: &Granted| !granted.publish.is_empty() || !granted.subscribe.is_empty();
        let topics = wanted.into_iter().filter(|(_, granted)| any(granted));
        let topics: BTreeMap<Mac, Granted> = topics.collect();
        if self.described.topics != topics {
            self.described.topics = topics;
            self.effects.directory = true;
        }
    }

    /// What a device is granted because its maker asks for it.
    pub fn described_topics(&self, mac: Mac) -> Option<&Granted> {
        self.described.topics.get(&mac)
    }
}
