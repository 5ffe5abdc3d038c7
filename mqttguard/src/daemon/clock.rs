use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::registry::UnixMs;

/// The wall clock. A clock before 1970 reads 0.
pub(super) fn unix_ms() -> UnixMs {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, millis)
}

/// Since the machine was booted, sleep included: no minute is long or short because the clock was
/// set.
pub(super) fn uptime() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    Duration::from_secs(u64::try_from(time.tv_sec).unwrap_or_default())
}

/// Milliseconds, as times are told.
pub(super) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A clock this far from where it should be was set, rather than disciplined.
const SET_MS: u64 = 60_000;

/// Notices that the wall clock is set.
pub(super) struct ClockWatch {
    steady: Instant,
    wall: UnixMs,
}

impl ClockWatch {
    pub(super) fn new() -> ClockWatch {
        ClockWatch {
            steady: Instant::now(),
            wall: unix_ms(),
        }
    }

    /// Looks at the clock: where it should be by now and where it is, if it was set since the
    /// last look.
    pub(super) fn look(&mut self) -> Option<(UnixMs, UnixMs)> {
        let steady = Instant::now();
        self.compare(steady, unix_ms())
    }

    fn compare(&mut self, steady: Instant, wall: UnixMs) -> Option<(UnixMs, UnixMs)> {
        let passed = millis(steady.saturating_duration_since(self.steady));
        let expected = self.wall.saturating_add(passed);
        (self.steady, self.wall) = (steady, wall);
        (wall.abs_diff(expected) > SET_MS).then_some((expected, wall))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notices_a_clock_that_is_set_and_not_one_that_drifts() {
        let start = Instant::now();
        let mut watch = ClockWatch {
            steady: start,
            wall: 1_000_000,
        };
        let second = Duration::from_secs(1);
        assert_eq!(watch.compare(start + second, 1_001_900), None);
        assert_eq!(
            watch.compare(start + 2 * second, 9_000_000),
            Some((1_002_900, 9_000_000))
        );
        assert_eq!(watch.compare(start + 3 * second, 9_001_000), None);
        assert_eq!(
            watch.compare(start + 4 * second, 5_000_000),
            Some((9_002_000, 5_000_000))
        );
    }
}
