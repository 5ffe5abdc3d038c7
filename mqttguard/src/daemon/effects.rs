//! What the registry's changes ask for: of the broker, the kernel program, the disk and whoever
//! listens.

use std::sync::Arc;

use mqttguard_common::Mac;

use super::clock::unix_ms;
use super::policing::instruct;
use super::saving::SAVE_DELAY_MS;
use super::wiring::Daemon;
use crate::registry::{Effects, Save};

impl Daemon {
    /// Carries out what the registry's changes ask for.
    pub(super) fn settle(&mut self) {
        let effects = self.registry.take_effects();
        self.carry_out(effects);
    }

    pub(super) fn carry_out(&mut self, effects: Effects) {
        if effects.exceptions {
            let settings = self.configuration.settings.clone();
            self.guard.except(self.registry.exceptions());
            if self.guard.follow(&settings) {
                self.fill_guard();
            }
            self.guard.fall_back();
        }
        instruct(&mut self.guard, &self.registry, &effects);
        for mac in &effects.freed {
            self.history.forget_frames(*mac);
        }
        if !effects.policies.is_empty() && self.uplifting.is_wanted() {
            let sections = &self.configuration.settings.uplifts;
            self.uplifting.tell_proxy(sections, &self.registry);
        }
        if effects.directory
            && let Ok(broker) = &self.broker
        {
            broker
                .handle
                .set_directory(Arc::new(self.registry.directory()));
        }
        match effects.save {
            Save::No => {}
            Save::Soon => {
                self.save_due
                    .get_or_insert(unix_ms().saturating_add(SAVE_DELAY_MS));
            }
            Save::Now => self.save(),
        }
        if effects.notes {
            self.save_notes();
        }
        for (mac, name, kind) in effects.told {
            self.tell(mac, name, kind);
        }
        // It may be back by now.
        let gone = effects.dropped.into_iter();
        let gone: Vec<Mac> = gone
            .filter(|mac| self.registry.device(*mac).is_none())
            .collect();
        let mut withdrawn = false;
        for mac in gone {
            withdrawn |= self.withdraw_description(mac).is_some();
        }
        if withdrawn {
            self.settle();
        }
    }
}
