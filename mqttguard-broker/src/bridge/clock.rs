//! When to try again, and when to give a sign of life.

use std::time::Duration;

use crate::Time;

/// The first wait after a failure, and the longest.
const FIRST: Duration = Duration::from_secs(1);
const LONGEST: Duration = Duration::from_secs(60);
/// A link that lasted this long was a good one: the next failure is the first again.
pub(super) const GOOD: Duration = Duration::from_secs(10);
/// Least time to wait for a PINGRESP.
const PATIENCE: Duration = Duration::from_secs(10);

/// Waits that double, each up to a half shorter by chance: bridges that lost their server at the
/// same time do not come back at the same time.
pub(super) struct Backoff {
    failures: u32,
    random: u64,
}

impl Backoff {
    pub(super) fn new(seed: u64) -> Backoff {
        Backoff {
            failures: 0,
            // xorshift has no way out of 0.
            random: seed | 1,
        }
    }

    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    pub(super) fn next(&mut self) -> Duration {
        let doubled = FIRST.saturating_mul(1 << self.failures.min(10));
        self.failures = self.failures.saturating_add(1);
        let whole = u64::try_from(doubled.min(LONGEST).as_millis()).unwrap_or(u64::MAX);
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        Duration::from_millis(whole - self.random % (whole / 2).max(1))
    }
}

/// Keep Alive as a client (MQTT 5 section 3.1.2.10).
#[derive(Clone, Copy)]
pub(super) struct Pulse {
    /// Milliseconds; 0 is off.
    every_ms: u64,
    sent: Time,
    heard: Time,
    asked: Option<Time>,
}

/// What is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Due {
    Nothing,
    Ping,
    /// The server does not answer.
    Dead,
}

impl Pulse {
    pub(super) fn new(now: Time, keep_alive_s: u16) -> Pulse {
        Pulse {
            every_ms: u64::from(keep_alive_s) * 1000,
            sent: now,
            heard: now,
            asked: None,
        }
    }

    pub(super) fn sent(&mut self, now: Time) {
        self.sent = now;
    }

    pub(super) fn heard(&mut self, now: Time) {
        self.heard = now;
        self.asked = None;
    }

    fn patience(&self) -> Duration {
        Duration::from_millis(self.every_ms / 2).max(PATIENCE)
    }

    /// Silence in either direction asks for a PINGREQ: one that only sends would not notice
    /// that nobody is there.
    pub(super) fn next(&self) -> Time {
        match (self.every_ms, self.asked) {
            (0, _) => Time::NEVER,
            (_, Some(asked)) => asked + self.patience(),
            (every, None) => self.sent.min(self.heard) + Duration::from_millis(every),
        }
    }

    pub(super) fn look(&mut self, now: Time) -> Due {
        if now < self.next() {
            return Due::Nothing;
        }
        match self.asked {
            Some(_) => Due::Dead,
            None => {
                self.asked = Some(now);
                self.sent = now;
                Due::Ping
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_to_a_bound_and_differ() {
        let mut backoff = Backoff::new(7);
        let mut longest = 1000;
        for _ in 0..20 {
            let wait = u64::try_from(backoff.next().as_millis()).unwrap();
            assert!(
                wait <= longest && wait > longest / 2 - 1,
                "{wait} {longest}"
            );
            longest = (longest * 2).min(60_000);
        }
        backoff.reset();
        assert!(backoff.next() <= FIRST);
        let (mut one, mut other) = (Backoff::new(3), Backoff::new(2_000_003));
        let waits = |backoff: &mut Backoff| [backoff.next(), backoff.next(), backoff.next()];
        assert_ne!(waits(&mut one), waits(&mut other));
    }

    #[test]
    fn silence_is_asked_about_and_then_believed() {
        let mut pulse = Pulse::new(Time(0), 60);
        assert_eq!(pulse.look(Time(59_999)), Due::Nothing);
        pulse.sent(Time(50_000));
        // It sends, and hears nothing.
        assert_eq!(pulse.look(Time(60_000)), Due::Ping);
        assert_eq!(pulse.look(Time(89_999)), Due::Nothing);
        pulse.heard(Time(89_999));
        assert_eq!(pulse.next(), Time(120_000));
        assert_eq!(pulse.look(Time(120_000)), Due::Ping);
        assert_eq!(pulse.look(Time(150_000)), Due::Dead);
        assert_eq!(Pulse::new(Time(0), 0).next(), Time::NEVER);
    }
}
