use std::collections::VecDeque;

/// Milliseconds since the Unix epoch.
pub type UnixMs = u64;

/// How often something happened within the last minute. Bounded: no more are kept than are asked
/// about.
#[derive(Clone, Debug, Default)]
pub(super) struct Strikes(VecDeque<UnixMs>);

impl Strikes {
    const WINDOW_MS: u64 = 60_000;

    /// Notes one more at `now`. True if that makes `limit` or more within the window; the count
    /// then starts anew. A limit of 0 counts as 1.
    pub(super) fn strike(&mut self, now: UnixMs, limit: u32) -> bool {
        let oldest = now.saturating_sub(Self::WINDOW_MS);
        // A clock that was set back leaves times of the future behind: they go too.
        self.0.retain(|time| (oldest..=now).contains(time));
        self.0.push_back(now);
        let reached = self.0.len() >= limit.max(1) as usize;
        if reached {
            self.0.clear();
        }
        reached
    }

    /// As [`Strikes::strike`], but several within one second count once.
    pub(super) fn strike_second(&mut self, now: UnixMs, limit: u32) -> bool {
        let second = now - now % 1000;
        if self.0.back() == Some(&second) {
            return false;
        }
        self.strike(second, limit)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_within_a_minute_only() {
        let mut strikes = Strikes::default();
        assert!(!strikes.strike(0, 3));
        assert!(!strikes.strike(30_000, 3));
        assert!(!strikes.strike(60_001, 3), "the first is too old");
        assert!(strikes.strike(61_000, 3));
        assert!(!strikes.strike(61_001, 3), "counts anew");
    }

    #[test]
    fn seconds_count_once() {
        let mut strikes = Strikes::default();
        assert!(!strikes.strike_second(1_000, 2));
        assert!(!strikes.strike_second(1_900, 2));
        assert!(strikes.strike_second(2_000, 2));
    }

    #[test]
    fn a_clock_set_back_does_not_quarantine() {
        let mut strikes = Strikes::default();
        for time in [900_000, 900_001] {
            assert!(!strikes.strike(time, 3));
        }
        assert!(!strikes.strike(5, 3));
        assert!(!strikes.strike(6, 3));
    }
}
