//! What is noted of devices that learn outlasts the daemon: written rarely, read at a start.

use std::time::Instant;

use super::clock::unix_ms;
use crate::config::Settings;
use crate::registry::{Registry, notes};

/// The notes on disk.
#[derive(Debug)]
pub(super) struct NotesKeeper {
    pub(super) pace: Pace,
    /// Why they could not be written the last time, if so.
    pub(super) unsaved: Option<String>,
    /// Why those of an earlier run could not be read, if so.
    pub(super) lost: Option<String>,
}

/// When they are to be written.
#[derive(Debug)]
pub(super) struct Pace {
    pub(super) written: Instant,
    pub(super) is_learning: bool,
}

impl Pace {
    /// Whether it is time, once a second: now and then while a device learns, and when the last one has
    /// learnt.
    pub(super) fn is_due(&mut self, now: Instant, is_learning: bool) -> bool {
        let was_learning = std::mem::replace(&mut self.is_learning, is_learning);
        match is_learning {
            true => now.saturating_duration_since(self.written) >= notes::SAVE_EVERY,
            false => was_learning,
        }
    }
}

impl NotesKeeper {
    /// Goes on with the notes of an earlier run.
    pub(super) fn load(settings: &Settings, registry: &mut Registry) -> NotesKeeper {
        let now = unix_ms();
        let mut lost = None;
        match notes::load(&settings.main.data_dir) {
            Ok(Some(stored)) => registry.resume_learning(now, stored),
            Ok(None) => {}
            Err(error) => {
                log::error!("{error}; what devices were noted to ask for is lost");
                lost = Some(error.to_string());
            }
        }
        NotesKeeper {
            lost,
            ..NotesKeeper::new(registry.is_learning(now))
        }
    }

    /// Nothing is read.
    pub(super) fn new(is_learning: bool) -> NotesKeeper {
        NotesKeeper {
            pace: Pace {
                written: Instant::now(),
                is_learning,
            },
            unsaved: None,
            lost: None,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn flash_is_written_each_quarter_of_an_hour_while_a_device_learns_and_when_it_has_learnt() {
        let start = Instant::now();
        let mut pace = Pace {
            written: start,
            is_learning: false,
        };
        let after = |minutes: u64| start + Duration::from_secs(60 * minutes);
        assert!(!pace.is_due(after(60), false), "nobody learns");
        assert!(!pace.is_due(after(14), true));
        assert!(pace.is_due(after(15), true));
        pace.written = after(15);
        assert!(!pace.is_due(after(29), true));
        assert!(pace.is_due(after(29), false), "the last one has learnt");
        assert!(!pace.is_due(after(60), false), "once");
    }
}
