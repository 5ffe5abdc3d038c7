/// Nanoseconds in the second that a burst is worth.
const SECOND_NS: u64 = 1_000_000_000;

/// A rate limit, as a token bucket in the form of the Generic Cell Rate Algorithm (ITU-T I.371,
/// virtual scheduling): instead of tokens it keeps the time at which the bucket would be full
/// again, so that one word is its whole state and nothing refills it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct Bucket {
    /// Nanoseconds that [`Bucket::UNIT`] charged units take to drain. 0: no limit.
    cost_ns: u64,
    /// How far ahead of now the bucket may be and still admit, in nanoseconds.
    burst_ns: u64,
}

/// The state of one [`Bucket`]: when it is drained, in nanoseconds of the clock that
/// [`Bucket::admit`] is given. 0, long past, is a bucket never used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(transparent)]
pub struct Level(pub u64);

/// What a charge does to a [`Level`]. Processors that share one lose no charge if they add it in
/// one step: only to a bucket that has drained do they set the same value twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// There is no limit.
    Nothing,
    /// This much.
    Add(u64),
    /// The bucket had drained: to this value.
    Set(u64),
    /// There is no room: not to be admitted.
    Full,
}

impl Bucket {
    /// Fraction bits of a charge. Rates beyond 10^9 a second cost less than a nanosecond a
    /// unit.
    const UNIT_BITS: u32 = 10;

    /// Units charged that cost `cost_ns`.
    const UNIT: u64 = 1 << Self::UNIT_BITS;

    /// No limit.
    pub const UNLIMITED: Bucket = Bucket {
        cost_ns: 0,
        burst_ns: 0,
    };

    /// A limit of `rate` units (packets, bytes, connections) a second with one second's worth
    /// of burst. A rate of 0 means no limit.
    pub const fn per_second(rate: u64) -> Bucket {
        if rate == 0 {
            return Bucket::UNLIMITED;
        }
        let cost_ns = (SECOND_NS * Self::UNIT).div_ceil(rate);
        // The unit that finds the bucket exactly full is one too many.
        let burst_ns = SECOND_NS.saturating_sub(cost_ns >> Self::UNIT_BITS);
        Bucket { cost_ns, burst_ns }
    }

    /// What has to be done to a level to charge `units` at `now_ns`. A charge wider than the
    /// bucket is admitted when the bucket has drained, and then paid off.
    #[inline(always)]
    pub fn charge(&self, level: Level, now_ns: u64, units: u32) -> Charge {
        let cost = (self.cost_ns.wrapping_mul(units as u64)) >> Self::UNIT_BITS;
        if self.cost_ns == 0 {
            Charge::Nothing
        } else if level.0 <= now_ns {
            Charge::Set(now_ns.wrapping_add(cost))
        } else if level.0 - now_ns > self.burst_ns {
            Charge::Full
        } else {
            Charge::Add(cost)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn admit(bucket: &Bucket, level: &mut Level, now_ns: u64, units: u32) -> bool {
        match bucket.charge(*level, now_ns, units) {
            Charge::Nothing => {}
            Charge::Add(cost) => level.0 += cost,
            Charge::Set(value) => level.0 = value,
            Charge::Full => return false,
        }
        true
    }

    /// Offers `units` every `step_ns` for `seconds` and returns the units admitted.
    fn offer(bucket: Bucket, units: u32, step_ns: u64, seconds: u64) -> u64 {
        let mut level = Level::default();
        let start = 5 * SECOND_NS;
        (start..start + seconds * SECOND_NS)
            .step_by(step_ns as usize)
            .filter(|&now| admit(&bucket, &mut level, now, units))
            .count() as u64
            * u64::from(units)
    }

    #[test]
    fn holds_a_flood_to_one_burst_and_the_rate() {
        for (rate, units, step_ns) in [
            (100, 1, 100_000),
            (1, 1, 1_000_000),
            (5_000, 1, 20_000),
            (125_000, 1_514, 100_000),
            (10_000_000, 64, 5_000),
        ] {
            let admitted = offer(Bucket::per_second(rate), units, step_ns, 10);
            let expected = rate * 11;
            let slack = expected / 100 + u64::from(units);
            assert!(
                admitted.abs_diff(expected) <= slack,
                "{rate}/s in steps of {units}: {admitted} admitted, {expected} expected"
            );
        }
    }

    #[test]
    fn admits_exactly_one_second_at_once() {
        for rate in [1, 2, 3, 7, 100, 9_999] {
            let mut level = Level::default();
            let bucket = Bucket::per_second(rate);
            let admitted = (0..20_000).filter(|_| admit(&bucket, &mut level, SECOND_NS, 1));
            assert_eq!(admitted.count() as u64, rate);
        }
    }

    #[test]
    fn leaves_a_slow_sender_alone() {
        assert_eq!(
            offer(Bucket::per_second(10), 1, SECOND_NS / 10, 10),
            100,
            "exactly at the rate"
        );
    }

    #[test]
    fn rate_zero_is_no_limit() {
        assert_eq!(offer(Bucket::per_second(0), 1, 1_000_000, 1), 1_000);
    }

    #[test]
    fn the_widest_frame_at_the_lowest_rate_does_not_overflow() {
        let mut level = Level(0);
        let bucket = Bucket::per_second(1);
        assert!(admit(&bucket, &mut level, SECOND_NS, 9_000));
        assert!(!admit(&bucket, &mut level, SECOND_NS * 8_000, 1));
        assert!(admit(&bucket, &mut level, SECOND_NS * 9_002, 1));
    }
}
