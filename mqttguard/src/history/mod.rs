//! The last hour by the minute, of the house and of each device.
//!
//! It is made of counters that only grow: what is new in one since the last look belongs to the
//! minute that is running. Counters may begin anew (a device comes back after it was gone, the
//! broker is started again) and may be older than we are (the kernel's survive the daemon);
//! neither is to be seen as traffic. Time is passed in, as time since the machine was booted, so
//! that no setting of the wall clock moves a minute, and sleep leaves its minutes empty.
//!
//! A device costs 1,200 bytes while it did anything within the hour, and some 100 bytes otherwise:
//! 1.4 MB with the 1,024 devices that the kernel program has room for, all of them busy.

mod ring;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use mqttguard_common::{Mac, Reason};

use crate::enforce::DeviceCounters;
use crate::enforce::nft::Drops;
use ring::Ring;

/// Length of a sample, in seconds.
pub const STEP_S: u64 = 60;
/// Samples that are kept.
pub const SAMPLES: usize = 60;

/// The last hour.
#[derive(Debug)]
pub struct History {
    /// The minute that is running, since the machine was booted.
    minute: u64,
    house: House,
    /// Of devices that did anything within the hour.
    devices: BTreeMap<Mac, Box<Device>>,
    /// The kernel program's counters at the last look, of devices and strangers.
    frames: HashMap<Mac, Frames>,
    /// Whether that look saw all that there was to see, so that whoever is new since is new.
    seen_all: bool,
    /// What nftables had refused in the kernel program's place.
    fallback: Drops,
    /// The broker's counters at the last look.
    broker: BrokerCounters,
}

/// Series of the house, each oldest first when read.
#[derive(Debug, Default)]
struct House {
    plaintext: Ring<u64>,
    floods: Ring<u64>,
    other: Ring<u64>,
    refused: Ring<u64>,
    messages: Ring<u64>,
    delivered: Ring<u64>,
    sessions: Ring<u64>,
}

/// Series of a device. Four thousand million frames in a minute would be a frame every 14 ns;
/// bytes are more.
#[derive(Debug, Default)]
struct Device {
    frames: Ring<u32>,
    dropped: Ring<u32>,
    messages: Ring<u32>,
    bytes: Ring<u64>,
}

/// Frames of one device by what became of them, and the bytes of all.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Frames {
    passed: u64,
    plaintext: u64,
    floods: u64,
    /// From where the device is not bound to: the configuration says whether that is dropped.
    mismatch: u64,
    other: u64,
    bytes: u64,
}

/// The broker's counters since it was started, and its level of now.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerCounters {
    /// Logins, publishes and subscriptions refused.
    pub refused: u64,
    /// PUBLISH packets received.
    pub messages: u64,
    /// PUBLISH packets sent.
    pub delivered: u64,
    /// Clients that are in now.
    pub connected: u64,
    /// PUBLISH packets received from the clients of each device.
    pub by_device: HashMap<Mac, u64>,
}

/// A name and its [`SAMPLES`] samples, oldest first; the last is the running minute's.
pub type Series = (&'static str, Vec<u64>);

impl Frames {
    fn of(counters: &DeviceCounters) -> Frames {
        let mut frames = Frames::default();
        for (reason, count) in Reason::ALL.into_iter().zip(counters.frames) {
            let place = match reason {
                reason if reason.is_plaintext() => &mut frames.plaintext,
                reason if reason.is_flood() => &mut frames.floods,
                reason if reason.is_mismatch() => &mut frames.mismatch,
                reason if reason.is_drop() => &mut frames.other,
                _ => &mut frames.passed,
            };
            *place = place.saturating_add(count);
        }
        frames.bytes = counters.bytes.iter().copied().fold(0, u64::saturating_add);
        frames
    }

    /// What is new since `before`.
    fn since(self, before: Frames) -> Frames {
        Frames {
            passed: new(before.passed, self.passed),
            plaintext: new(before.plaintext, self.plaintext),
            floods: new(before.floods, self.floods),
            mismatch: new(before.mismatch, self.mismatch),
            other: new(before.other, self.other),
            bytes: new(before.bytes, self.bytes),
        }
    }

    /// Whether a counter is lower than it was: then all of them have begun anew.
    fn is_behind(self, before: Frames) -> bool {
        let pairs = [
            (self.passed, before.passed),
            (self.plaintext, before.plaintext),
            (self.floods, before.floods),
            (self.mismatch, before.mismatch),
            (self.other, before.other),
            (self.bytes, before.bytes),
        ];
        pairs.iter().any(|(now, before)| now < before)
    }
}

/// What a counter has grown by. One that is lower than before has begun anew.
fn new(before: u64, now: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}

impl History {
    /// Nothing so far. `now` is the time since the machine was booted, sleep included.
    pub fn new(now: Duration) -> History {
        History {
            minute: minute_of(now),
            house: House::default(),
            devices: BTreeMap::new(),
            frames: HashMap::new(),
            seen_all: false,
            fallback: Drops::default(),
            broker: BrokerCounters::default(),
        }
    }

    /// Whether the running minute is over, so that all counters are to be looked at and
    /// [`History::advance`] is to be called.
    pub fn is_due(&self, now: Duration) -> bool {
        minute_of(now) > self.minute
    }

    /// Begins the minute that `now` is in. What is counted later belongs there.
    pub fn advance(&mut self, now: Duration) {
        let minute = minute_of(now);
        let passed = minute.saturating_sub(self.minute);
        let places = || {
            let first = minute.saturating_sub(passed.min(SAMPLES as u64).saturating_sub(1));
            (first..=minute).map(place)
        };
        if passed == 0 {
            return;
        }
        self.minute = minute;
        for place in places() {
            self.house.clear(place);
        }
        // Who is connected still is.
        let connected = self.broker.connected;
        self.house.sessions.raise(place(minute), connected);
        self.devices.retain(|_, device| {
            for place in places() {
                device.clear(place);
            }
            !device.is_empty()
        });
    }

    /// How much of the running minute is left.
    pub fn left(&self, now: Duration) -> Duration {
        let end = Duration::from_secs(self.minute.saturating_add(1).saturating_mul(STEP_S));
        end.saturating_sub(now)
    }

    /// The kernel program's counters as they are now; None if there is no program, or they cannot
    /// be read. `drops_mismatch`: whether frames from where a device is not bound to are dropped.
    /// `is_known`: whether a device is one that is to have a history.
    pub fn look_at_kernel(
        &mut self,
        counters: Option<&[(Mac, DeviceCounters)]>,
        drops_mismatch: bool,
        is_known: impl Fn(Mac) -> bool,
    ) {
        let Some(counters) = counters else {
            // Who comes up next may have been counted for days.
            self.seen_all = false;
            return;
        };
        let mut seen = HashMap::with_capacity(counters.len());
        for (mac, counters) in counters {
            let now = Frames::of(counters);
            seen.insert(*mac, now);
            let before = match self.frames.get(mac) {
                Some(before) if now.is_behind(*before) => Frames::default(),
                Some(before) => *before,
                None if self.seen_all => Frames::default(),
                None => now,
            };
            self.count_frames(*mac, now.since(before), drops_mismatch, &is_known);
        }
        self.frames = seen;
        self.seen_all = true;
    }

    /// What nftables has refused in the kernel program's place. It does not say of which device.
    pub fn look_at_fallback(&mut self, now: Drops) {
        let before = std::mem::replace(&mut self.fallback, now);
        let place = place(self.minute);
        let plaintext = new(before.plaintext, now.plaintext);
        self.house.plaintext.add(place, plaintext);
        self.house.other.add(place, new(before.other, now.other));
    }

    fn count_frames(
        &mut self,
        mac: Mac,
        new: Frames,
        drops_mismatch: bool,
        is_known: impl Fn(Mac) -> bool,
    ) {
        if new == Frames::default() {
            return;
        }
        let place = place(self.minute);
        let mismatch = if drops_mismatch { new.mismatch } else { 0 };
        let other = new.other.saturating_add(mismatch);
        self.house.plaintext.add(place, new.plaintext);
        self.house.floods.add(place, new.floods);
        self.house.other.add(place, other);
        if !is_known(mac) {
            return;
        }
        let dropped = [new.plaintext, new.floods, other];
        let all = [
            new.passed,
            new.plaintext,
            new.floods,
            new.mismatch,
            new.other,
        ];
        let sum = |counts: &[u64]| counts.iter().copied().fold(0, u64::saturating_add);
        let device = self.devices.entry(mac).or_default();
        device.frames.add(place, sum(&all));
        device.dropped.add(place, sum(&dropped));
        device.bytes.add(place, new.bytes);
    }

    /// The kernel program counts a device from nothing again.
    pub fn forget_frames(&mut self, mac: Mac) {
        self.frames.remove(&mac);
    }

    /// The broker's counters as they are now.
    pub fn look_at_broker(&mut self, now: BrokerCounters, is_known: impl Fn(Mac) -> bool) {
        let place = place(self.minute);
        let before = std::mem::take(&mut self.broker);
        let house = &mut self.house;
        house.refused.add(place, new(before.refused, now.refused));
        house
            .messages
            .add(place, new(before.messages, now.messages));
        house
            .delivered
            .add(place, new(before.delivered, now.delivered));
        house.sessions.raise(place, now.connected);
        for (mac, count) in &now.by_device {
            let before = before.by_device.get(mac).copied().unwrap_or(0);
            let more = new(before, *count);
            if more > 0 && is_known(*mac) {
                let device = self.devices.entry(*mac).or_default();
                device.messages.add(place, more);
            }
        }
        self.broker = now;
    }

    /// Another broker has begun to count from nothing, or there is none.
    pub fn forget_broker(&mut self) {
        self.broker = BrokerCounters::default();
    }

    /// Forgets devices that are not known any more.
    pub fn retain(&mut self, is_known: impl Fn(Mac) -> bool) {
        self.devices.retain(|mac, _| is_known(*mac));
    }

    /// The series of the house.
    pub fn house(&self) -> [Series; 7] {
        let now = place(self.minute);
        let House {
            plaintext,
            floods,
            other,
            refused,
            messages,
            delivered,
            sessions,
        } = &self.house;
        [
            ("plaintext", plaintext.read(now)),
            ("floods", floods.read(now)),
            ("other", other.read(now)),
            ("refused", refused.read(now)),
            ("messages", messages.read(now)),
            ("delivered", delivered.read(now)),
            ("sessions", sessions.read(now)),
        ]
    }

    /// The series of a device; all zero of one that did nothing.
    pub fn device(&self, mac: Mac) -> [Series; 4] {
        let now = place(self.minute);
        let nothing = Device::default();
        let device = self.devices.get(&mac).map_or(&nothing, |device| device);
        [
            ("frames", device.frames.read(now)),
            ("dropped", device.dropped.read(now)),
            ("messages", device.messages.read(now)),
            ("bytes", device.bytes.read(now)),
        ]
    }
}

impl House {
    fn clear(&mut self, place: usize) {
        let House {
            plaintext,
            floods,
            other,
            refused,
            messages,
            delivered,
            sessions,
        } = self;
        for ring in [
            plaintext, floods, other, refused, messages, delivered, sessions,
        ] {
            ring.clear(place);
        }
    }
}

impl Device {
    fn clear(&mut self, place: usize) {
        for ring in [&mut self.frames, &mut self.dropped, &mut self.messages] {
            ring.clear(place);
        }
        self.bytes.clear(place);
    }

    /// Whether it did nothing within the hour; what is dropped is a frame, too.
    fn is_empty(&self) -> bool {
        self.frames.is_empty() && self.messages.is_empty() && self.bytes.is_empty()
    }
}

fn minute_of(now: Duration) -> u64 {
    now.as_secs() / STEP_S
}

/// Where a minute is in a ring.
fn place(minute: u64) -> usize {
    usize::try_from(minute % SAMPLES as u64).unwrap_or_default()
}
