//! Which events of devices are worth telling: a device that tries again every second is news
//! once, not every second. What is not told is still counted.

use std::collections::HashMap;

use mqttguard_common::{Mac, Reason};

use crate::registry::UnixMs;

/// How long to keep quiet about a device and reason after telling of it the first, second and
/// every further time.
const PAUSES_MS: [u64; 3] = [10_000, 60_000, 600_000];
/// The same for what is mostly a matter of the house rather than of a moment: a repeater, a second
/// address.
const RARE_PAUSES_MS: [u64; 3] = [600_000, 3_600_000, 86_400_000];
/// Devices and what they did, kept in mind.
const MAX_SUBJECTS: usize = 4096;
/// Events a second of all devices together: made-up source addresses make many devices.
const PER_SECOND: u32 = 20;

/// What a device did that may be worth telling.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum What {
    /// Frames that were decided against.
    Frames(Reason),
    /// A connection that was carried on, or, for this reason, was not.
    Uplift(Option<String>),
}

impl From<Reason> for What {
    fn from(reason: Reason) -> What {
        What::Frames(reason)
    }
}

/// What has been told already.
#[derive(Debug, Default)]
pub(super) struct Repeats {
    subjects: HashMap<(Mac, What), Subject>,
    /// The second that `told` counts in.
    second: u64,
    told: u32,
}

#[derive(Debug, Default)]
struct Subject {
    quiet_until: UnixMs,
    times_told: usize,
    /// How often it was done since it was told of.
    untold: u64,
}

impl Repeats {
    /// Takes note that a device did something `times` more. Some with the number of times since
    /// the last telling if it is to be told of now.
    pub(super) fn note(
        &mut self,
        now: UnixMs,
        mac: Mac,
        what: impl Into<What>,
        times: u64,
    ) -> Option<u64> {
        let key = (mac, what.into());
        let pauses = match key.1 {
            What::Frames(reason) if reason.is_mismatch() => RARE_PAUSES_MS,
            _ => PAUSES_MS,
        };
        let longest = pauses.last().copied().unwrap_or_default();
        if self.subjects.len() >= MAX_SUBJECTS && !self.subjects.contains_key(&key) {
            self.subjects.retain(|_, subject| now < subject.quiet_until);
            if self.subjects.len() >= MAX_SUBJECTS {
                return None;
            }
        }
        let subject = self.subjects.entry(key).or_default();
        subject.untold = subject.untold.saturating_add(times);
        // A clock that was set back must not silence a device for years.
        let quiet = now < subject.quiet_until && subject.quiet_until - now <= longest;
        if quiet || !may_tell(&mut self.second, &mut self.told, now) {
            return None;
        }
        if now.saturating_sub(subject.quiet_until) > longest {
            subject.times_told = 0;
        }
        let pause = pauses.get(subject.times_told).copied().unwrap_or(longest);
        subject.times_told = subject.times_told.saturating_add(1);
        subject.quiet_until = now.saturating_add(pause);
        Some(std::mem::take(&mut subject.untold))
    }
}

fn may_tell(second: &mut u64, told: &mut u32, now: UnixMs) -> bool {
    if *second != now / 1000 {
        *second = now / 1000;
        *told = 0;
    }
    *told = told.saturating_add(1);
    *told <= PER_SECOND
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLUG: Mac = Mac([2, 0, 0, 0, 0, 1]);

    #[test]
    fn a_stubborn_device_is_told_of_ever_more_seldom_and_no_frame_is_lost() {
        let mut repeats = Repeats::default();
        let told: Vec<(u64, u64)> = (0..4_000)
            .filter_map(|second| {
                let now = 1_000_000 + second * 1000;
                repeats
                    .note(now, PLUG, Reason::PlaintextPort, 2)
                    .map(|frames| (second, frames))
            })
            .collect();
        let seconds: Vec<u64> = told.iter().map(|(second, _)| *second).collect();
        assert_eq!(seconds[..5], [0, 10, 70, 670, 1270]);
        let frames: u64 = told.iter().map(|(_, frames)| frames).sum();
        assert_eq!(frames, 2 * (seconds[seconds.len() - 1] + 1));
    }

    #[test]
    fn what_does_not_fit_is_told_of_once_a_day() {
        let mut repeats = Repeats::default();
        let told: Vec<u64> = (0..200_000)
            .filter(|second| {
                let now = 1_000_000 + second * 1000;
                let told = repeats.note(now, PLUG, Reason::AddressMismatch, 1);
                told.is_some()
            })
            .collect();
        assert_eq!(told, [0, 600, 4_200, 90_600, 177_000]);
    }

    #[test]
    fn another_reason_and_another_time_are_news() {
        let mut repeats = Repeats::default();
        assert_eq!(repeats.note(1_000, PLUG, Reason::PlaintextPort, 1), Some(1));
        assert_eq!(repeats.note(1_100, PLUG, Reason::PlaintextPort, 1), None);
        assert_eq!(repeats.note(1_100, PLUG, Reason::FloodBytes, 5), Some(5));
        assert_eq!(
            repeats.note(2_000_000, PLUG, Reason::PlaintextPort, 1),
            Some(2)
        );
        assert_eq!(
            repeats.note(2_010_000, PLUG, Reason::PlaintextPort, 1),
            Some(1)
        );
    }

    #[test]
    fn made_up_addresses_neither_fill_memory_nor_flood_the_log() {
        let mut repeats = Repeats::default();
        let told = (0..100_000u32)
            .filter(|i| {
                let [a, b, c, d] = i.to_be_bytes();
                let mac = Mac([6, 0, a, b, c, d]);
                repeats.note(5_000, mac, Reason::PlaintextPort, 1).is_some()
            })
            .count();
        assert_eq!(told, PER_SECOND as usize);
        assert!(repeats.subjects.len() <= MAX_SUBJECTS);
    }

    #[test]
    fn a_clock_set_back_silences_nobody() {
        let mut repeats = Repeats::default();
        assert!(
            repeats
                .note(9_000_000_000, PLUG, Reason::MqttSn, 1)
                .is_some()
        );
        assert!(repeats.note(1_000, PLUG, Reason::MqttSn, 1).is_some());
    }
}
