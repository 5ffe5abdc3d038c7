//! The uplift proxy and what it was told.

use std::collections::BTreeSet;

use mqttguard_common::Mac;

use crate::config;
use crate::registry::{Registry, Standing};
use crate::uplift::{UpliftHandle, UpliftStats};

/// The proxy and the way to it.
#[derive(Default)]
pub(super) struct Uplifting {
    pub(super) proxy: Option<UpliftHandle>,
    /// What the proxy was told last.
    pub(super) told: (Vec<config::Uplift>, BTreeSet<Mac>),
    /// Whether devices are served, and if not, why; None while none is to be.
    pub(super) state: Option<Result<(), String>>,
}

impl Uplifting {
    /// Why devices are not served that are to be; None if all is well.
    pub(super) fn problem(&self) -> Option<&str> {
        self.state.as_ref()?.as_ref().err().map(String::as_str)
    }

    /// Whether there are devices to be served.
    pub(super) fn is_wanted(&self) -> bool {
        self.state.is_some()
    }

    /// Counters of the devices.
    pub(super) fn stats(&self) -> UpliftStats {
        let stats = self.proxy.as_ref().and_then(UpliftHandle::stats);
        stats.unwrap_or_default()
    }

    /// Has the proxy serve these sections, but for devices that something stands against.
    pub(super) fn tell_proxy(&mut self, sections: &[config::Uplift], registry: &Registry) {
        let Some(proxy) = &self.proxy else {
            return;
        };
        let macs = sections.iter().flat_map(|section| &section.macs);
        let stands_badly = |mac: &&Mac| {
            let device = registry.device(**mac);
            device.is_some_and(|device| registry.policy(device).standing != Standing::Good)
        };
        let barred: BTreeSet<Mac> = macs.filter(stands_badly).copied().collect();
        if self.told.0 != sections || self.told.1 != barred {
            proxy.set_sections(sections.to_vec(), barred.clone());
            self.told = (sections.to_vec(), barred);
        }
    }
}
