//! The kernel program's token buckets against plain ones, frame by frame: random limits, random
//! lengths and pauses, both hooks. The plain buckets count water in fractions and know the time
//! only from a clock read before and after each frame, so they keep the lowest and the highest
//! level that fits what was seen.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use mqttguard::config::KernelLimits;
use mqttguard::registry::DevicePolicy;
use mqttguard_common::{Mac, Reason};
use mqttguard_tests::bpf::{GOOD, HOOKS, Kernel, rules};
use mqttguard_tests::frames::{ACK, Frame, SYN};
use mqttguard_tests::random::Random;

const SEED: u64 = 0x6275_636b;
const ROUNDS: usize = 40;
const ROUND: Duration = Duration::from_millis(250);

type Clock = unsafe extern "C" fn(libc::clockid_t, *mut libc::timespec) -> libc::c_int;

fn read(clock: Clock, id: libc::clockid_t) -> u64 {
    let mut time = libc::timespec {
        tv_sec: 0,
        tv_nsec: 0,
    };
    // SAFETY: writes the time to where it is told.
    let result = unsafe { clock(id, &raw mut time) };
    assert_eq!(result, 0);
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

/// Nanoseconds of the clock that the kernel program reads once a tick.
fn now_ns() -> u64 {
    read(libc::clock_gettime, libc::CLOCK_MONOTONIC)
}

/// The same at the last tick, however long ago that was.
fn tick_ns() -> u64 {
    read(libc::clock_gettime, libc::CLOCK_MONOTONIC_COARSE)
}

/// The length of a tick.
fn tick_length_ns() -> u64 {
    read(libc::clock_getres, libc::CLOCK_MONOTONIC_COARSE)
}

/// A bucket that holds one second's worth of its rate and leaks at it.
struct Bucket {
    /// Units a second; 0: no limit.
    rate: f64,
    /// The least and the most that may be in it at `then_ns`.
    low: f64,
    high: f64,
    /// When that was, at the earliest and at the latest.
    then_ns: (u64, u64),
}

impl Bucket {
    fn new(rate: u64) -> Self {
        Bucket {
            rate: rate as f64,
            low: 0.0,
            high: 0.0,
            then_ns: (0, u64::MAX),
        }
    }

    /// Lets leak what may have leaked by a time between these two.
    fn leak(&mut self, now_ns: (u64, u64)) {
        let leaked = |from: u64, to: u64| to.saturating_sub(from) as f64 * 1e-9 * self.rate;
        let (least, most) = (
            leaked(self.then_ns.1, now_ns.0),
            leaked(self.then_ns.0, now_ns.1),
        );
        self.low = (self.low - most).max(0.0);
        self.high = (self.high - least).max(0.0);
        self.then_ns = now_ns;
    }

    /// What is left to be sure of: the kernel counts whole nanoseconds, a charge of one.
    fn grain(&self) -> f64 {
        1e-6 + 2e-9 * self.rate
    }

    /// Whether there is room for a unit: certainly, certainly not, or nobody knows.
    fn has_room(&self) -> Option<bool> {
        let most = self.rate - 1.0;
        if self.rate == 0.0 || self.high < most - self.grain() {
            Some(true)
        } else if self.low > most + self.grain() {
            Some(false)
        } else {
            None
        }
    }

    /// The kernel let these units in.
    fn fill(&mut self, units: u32) {
        if self.rate == 0.0 {
            return;
        }
        let most = self.rate - 1.0 + self.grain();
        self.high = self.high.min(most) + f64::from(units) * (1.0 + 1e-3) + self.grain();
        self.low = self.low.min(most) + f64::from(units) * (1.0 - 1e-3) - self.grain();
    }

    /// The kernel found it full.
    fn was_full(&mut self) {
        self.low = self.low.max(self.rate - 1.0 - self.grain());
        self.high = self.high.max(self.low);
    }
}

/// A device's three, in the order in which they are asked.
struct Device {
    packets: Bucket,
    bytes: Bucket,
    connections: Bucket,
}

impl Device {
    /// Checks what the kernel said to a frame, and learns from it.
    fn judge(&mut self, now_ns: (u64, u64), length: u32, opens: bool, said: Reason) {
        let connection = opens.then_some(1);
        for (bucket, units, reason) in [
            (&mut self.packets, Some(1), Reason::FloodPackets),
            (&mut self.bytes, Some(length), Reason::FloodBytes),
            (&mut self.connections, connection, Reason::FloodConnections),
        ] {
            let Some(units) = units else { continue };
            bucket.leak(now_ns);
            let context = (reason.name(), bucket.rate, bucket.low, bucket.high);
            if said == reason {
                assert_ne!(bucket.has_room(), Some(true), "dropped early: {context:?}");
                bucket.was_full();
                return;
            }
            assert_ne!(bucket.has_room(), Some(false), "let in late: {context:?}");
            bucket.fill(units);
        }
        assert_eq!(said, Reason::Pass);
    }
}

#[test]
fn buckets_are_what_they_are_called() {
    let mut random = Random::new(SEED);
    let mut kernel = Kernel::load(&rules());
    // The kernel counts a tick and sets its clock by it one after the other.
    let late = tick_length_ns();
    let mut judged: BTreeMap<Reason, u64> = BTreeMap::new();
    for round in 0..ROUNDS {
        let mac = Mac([2, 0, 0, 0, 0, round as u8]);
        let limits = KernelLimits {
            packets_per_s: random.one_of(&[0, 1, 7, 500, 5_000, 200_000]),
            bytes_per_s: random.one_of(&[0, 1_000, 100_000, 5_000_000, 1_000_000_000]),
            connections_per_s: random.one_of(&[0, 1, 50, 3_000]),
            udp_per_s: 1_000_000,
            broadcasts_per_s: 1_000_000,
        };
        kernel
            .tables
            .set_device(mac, &DevicePolicy { limits, ..GOOD })
            .unwrap();
        let mut device = Device {
            packets: Bucket::new(limits.packets_per_s.into()),
            bytes: Bucket::new(limits.bytes_per_s),
            connections: Bucket::new(limits.connections_per_s.into()),
        };
        let mut counted = kernel.counters(mac);
        let start = Instant::now();
        while start.elapsed() < ROUND {
            if random.once_in(200) {
                std::thread::sleep(Duration::from_micros(random.below(20_000) as u64));
            }
            let flags = random.one_of(&[SYN, ACK, ACK]);
            let payload = vec![0x17; random.one_of(&[0, 64, 1_000, 1_448])];
            let frame = Frame::tcp(mac, "192.0.2.1".parse().unwrap(), 443, flags, &payload);
            let frame = frame.bytes();
            let hook = random.one_of(&HOOKS);
            let before = tick_ns() - late;
            kernel.run(hook, &frame);
            let after = now_ns();
            let counters = kernel.counters(mac);
            let said = Reason::ALL
                .into_iter()
                .find(|&reason| counters.frames[reason as usize] > counted.frames[reason as usize])
                .expect("every frame is counted");
            counted = counters;
            *judged.entry(said).or_default() += 1;
            device.judge((before, after), frame.len() as u32, flags == SYN, said);
        }
    }
    println!("{judged:?}");
    for reason in [
        Reason::Pass,
        Reason::FloodPackets,
        Reason::FloodBytes,
        Reason::FloodConnections,
    ] {
        let count = judged.get(&reason).copied().unwrap_or(0);
        assert!(count >= 100, "{}: {count} frames", reason.name());
    }
}
