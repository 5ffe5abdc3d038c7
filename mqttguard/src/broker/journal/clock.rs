//! The core's clock, which goes on over restarts.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use mqttguard_broker::{Boot, Clock, Time};
use rustix::time::{ClockId, clock_gettime};

/// Milliseconds since the machine was booted (sleep included), plus what makes them go on where
/// the journal's last run was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in super::super) struct SteadyClock {
    boot: Boot,
}

impl SteadyClock {
    /// A clock that goes on from the last frame of a journal. In the same boot of the machine it
    /// has never stopped. After another one, the time between is what the wall clock says, and
    /// none if that says less than none: a router without a clock of its own starts with an old
    /// time, and then expiries are late by the time that it was off.
    pub(super) fn after(last: Option<(Boot, Clock)>) -> SteadyClock {
        SteadyClock::over(last, boot_id(), uptime_ms(), wall_ms())
    }

    fn over(
        last: Option<(Boot, Clock)>,
        id: [u8; 16],
        uptime_ms: u64,
        wall_ms: u64,
    ) -> SteadyClock {
        let offset_ms = match last {
            None => 0,
            // A boot that cannot be named is another one each time.
            Some((boot, _)) if boot.id == id && id != [0; 16] => boot.offset_ms,
            Some((_, clock)) => {
                let off = wall_ms.saturating_sub(clock.wall_ms);
                let now = clock.now.0.saturating_add(off);
                signed(now).saturating_sub(signed(uptime_ms))
            }
        };
        SteadyClock {
            boot: Boot { id, offset_ms },
        }
    }

    pub(super) fn boot(&self) -> Boot {
        self.boot
    }

    pub(in super::super) fn now(&self) -> Time {
        Time(uptime_ms().saturating_add_signed(self.boot.offset_ms))
    }
}

fn signed(ms: u64) -> i64 {
    i64::try_from(ms).unwrap_or(i64::MAX)
}

fn uptime_ms() -> u64 {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    let nanos = u64::try_from(time.tv_nsec).unwrap_or(0);
    seconds
        .saturating_mul(1000)
        .saturating_add(nanos / 1_000_000)
}

/// The wall clock. A clock before 1970 reads 0.
pub(in super::super) fn wall_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map_or(0, |since| {
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    })
}

/// Zeros where the kernel does not say.
fn boot_id() -> [u8; 16] {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let digits: String = text.chars().filter(char::is_ascii_hexdigit).collect();
    u128::from_str_radix(&digits, 16).map_or([0; 16], u128::to_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: [u8; 16] = [1; 16];
    const THERE: [u8; 16] = [2; 16];

    fn last(id: [u8; 16], offset_ms: i64) -> Option<(Boot, Clock)> {
        let clock = Clock {
            now: Time(500_000),
            wall_ms: 1_700_000_000_000,
        };
        Some((Boot { id, offset_ms }, clock))
    }

    #[test]
    fn in_the_same_boot_the_clock_has_never_stopped() {
        let clock = SteadyClock::over(last(HERE, 7), HERE, 900_000, 0);
        assert_eq!(clock.boot.offset_ms, 7);
    }

    #[test]
    fn after_another_boot_the_wall_clock_says_how_long_it_was_off() {
        let now = |wall_ms| {
            let clock = SteadyClock::over(last(THERE, 7), HERE, 20_000, wall_ms);
            20_000i64 + clock.boot.offset_ms
        };
        assert_eq!(now(1_700_000_060_000), 560_000);
        // No clock of its own: as if it had not been off.
        assert_eq!(now(1_600_000_000_000), 500_000);
    }

    #[test]
    fn this_machine_names_its_boot() {
        assert_ne!(boot_id(), [0; 16]);
        let clock = SteadyClock::after(None);
        assert!(clock.now() > Time(0));
    }
}
