use std::time::Duration;

use crate::Time;

const NANOS_PER_MS: u64 = 1_000_000;
const NANOS_PER_S: u64 = 1_000_000_000;

/// A token bucket by the generic cell rate algorithm: one number, the theoretical arrival time
/// in nanoseconds.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Bucket(u64);

impl Bucket {
    /// Charges `amount` at `per_s` (0 counts as 1), whether there is room or not.
    pub(crate) fn charge(&mut self, now: Time, amount: u64, per_s: u32) {
        let now = now.0.saturating_mul(NANOS_PER_MS);
        let cost = amount.saturating_mul(NANOS_PER_S) / u64::from(per_s.max(1));
        self.0 = self.0.max(now).saturating_add(cost);
    }

    /// When the bucket is again within `burst_ms` of its rate; `None` if it is already.
    pub(crate) fn ready_at(&self, now: Time, burst_ms: u32) -> Option<Time> {
        let ready = self
            .0
            .div_ceil(NANOS_PER_MS)
            .saturating_sub(u64::from(burst_ms));
        (ready > now.0).then_some(Time(ready))
    }

    /// Charges one if there is room for it.
    pub(crate) fn admit(&mut self, now: Time, per_s: u32, burst: Duration) -> bool {
        let burst_ms = u32::try_from(burst.as_millis()).unwrap_or(u32::MAX);
        if self.ready_at(now, burst_ms).is_some() {
            return false;
        }
        self.charge(now, 1, per_s);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn holds_the_rate_after_the_burst() {
        let mut bucket = Bucket::default();
        let mut admitted = 0;
        for ms in 0..10_000 {
            if bucket.admit(Time(ms), 10, Duration::from_millis(1_000)) {
                admitted += 1;
            }
        }
        // Ten seconds at ten a second, and the burst of one second.
        assert!((109..=112).contains(&admitted), "{admitted}");
    }

    #[test]
    fn charges_above_the_room_and_says_how_long_to_wait() {
        let mut bucket = Bucket::default();
        bucket.charge(Time(5_000), 3_000, 1_000);
        assert_eq!(bucket.ready_at(Time(5_000), 1_000), Some(Time(7_000)));
        assert_eq!(bucket.ready_at(Time(7_000), 1_000), None);
        bucket.charge(Time(u64::MAX), u64::MAX, 0);
    }
}
