//! Writes what outlasts the daemon.

use std::time::Instant;

use super::clock::unix_ms;
use super::notes::Pace;
use super::wiring::Daemon;
use crate::registry::{UnixMs, notes, store};

/// How long changes that can wait for the disk do: flash wears.
pub(super) const SAVE_DELAY_MS: u64 = 60_000;

impl Daemon {
    /// Writes what has waited for the disk.
    pub(super) fn write_all(&mut self) {
        if self.save_due.is_some() {
            self.save();
        }
        self.save_descriptions();
        self.save_notes_at_stop();
    }

    /// Saves what has waited long enough, or was noted by a clock that has been set back since.
    pub(super) fn save_if_due(&mut self, now: UnixMs) {
        let is_due = |due| now >= due || due > now + SAVE_DELAY_MS;
        if self.save_due.is_some_and(is_due) {
            self.save();
        }
    }

    /// Writes the registry to disk.
    pub(super) fn save(&mut self) {
        self.save_due = None;
        if self.unreadable.is_some() {
            self.unsaved.clone_from(&self.unreadable);
            return;
        }
        let saved = store::save(&self.configuration.settings.main.data_dir, &self.registry);
        self.unsaved = saved.err().map(|error| error.to_string());
        if let Some(error) = &self.unsaved {
            log::error!("{error}");
            self.save_due = Some(unix_ms().saturating_add(SAVE_DELAY_MS));
        }
    }

    /// Once a second.
    pub(super) fn follow_notes(&mut self) {
        let is_learning = self.registry.is_learning(unix_ms());
        if self.notes.pace.is_due(Instant::now(), is_learning) {
            self.save_notes();
        }
    }

    /// Writes what would be lost with the daemon: the time until it is there again is a gap from now on.
    pub(super) fn save_notes_at_stop(&mut self) {
        if self.notes.pace.is_learning {
            self.save_notes();
        }
    }

    /// Writes what is noted.
    pub(super) fn save_notes(&mut self) {
        let now = unix_ms();
        self.notes.pace = Pace {
            written: Instant::now(),
            is_learning: self.registry.is_learning(now),
        };
        // Without the registry these would be the notes of nobody.
        if self.unreadable.is_some() {
            self.notes.unsaved.clone_from(&self.unreadable);
            return;
        }
        let dir = &self.configuration.settings.main.data_dir;
        let saved = notes::save(dir, &self.registry, now);
        self.notes.unsaved = saved.err().map(|error| error.to_string());
        if let Some(error) = &self.notes.unsaved {
            log::error!("{error}");
        }
    }
}
