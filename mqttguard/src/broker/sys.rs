//! The broker's state as topics below `$SYS/broker/`, in the names that mosquitto gave them, so
//! that the dashboards made for it work.
//!
//! All are retained, and published again only when they have changed: while nobody reads them
//! they cost a comparison each, every interval.

use std::time::Duration;

use mqttguard_broker::{Broker, Stats, Time};

/// A topic and the number it shows.
type Level = (&'static str, fn(&Stats) -> u64);

const LEVELS: [Level; 23] = [
    ("clients/total", |s| s.sessions),
    ("clients/connected", |s| s.connected),
    ("clients/disconnected", disconnected),
    ("clients/maximum", |s| s.connected_max),
    ("clients/expired", |s| s.sessions_expired),
    // The older names of two above.
    ("clients/active", |s| s.connected),
    ("clients/inactive", disconnected),
    ("messages/received", |s| s.packets_in),
    ("messages/sent", |s| s.packets_out),
    ("messages/stored", |s| s.stored),
    ("store/messages/count", |s| s.stored),
    ("store/messages/bytes", |s| s.held_bytes),
    ("publish/messages/received", |s| s.messages_in),
    ("publish/messages/sent", |s| s.messages_out),
    ("publish/messages/dropped", |s| s.messages_dropped),
    ("publish/bytes/received", |s| s.payload_in),
    ("publish/bytes/sent", |s| s.payload_out),
    ("bytes/received", |s| s.bytes_in),
    ("bytes/sent", |s| s.bytes_out),
    ("retained messages/count", |s| s.retained),
    ("subscriptions/count", |s| {
        s.subscriptions.saturating_sub(s.subscriptions_shared)
    }),
    ("shared_subscriptions/count", |s| s.subscriptions_shared),
    ("heap/current", |s| s.memory_used),
];

/// What is shown as averages of its growth in a minute.
const LOADS: [Level; 9] = [
    ("messages/received", |s| s.packets_in),
    ("messages/sent", |s| s.packets_out),
    ("publish/received", |s| s.messages_in),
    ("publish/sent", |s| s.messages_out),
    ("publish/dropped", |s| s.messages_dropped),
    ("bytes/received", |s| s.bytes_in),
    ("bytes/sent", |s| s.bytes_out),
    ("connections", |s| s.connects),
    ("sockets", |s| s.opened),
];

/// Over how many minutes the averages are taken.
const SPANS: [(&str, f64); 3] = [("1min", 1.0), ("5min", 5.0), ("15min", 15.0)];
/// An average is told again when it has moved by this much: it is shown with two digits.
const STEP: f64 = 0.01;

const MINUTE_MS: f64 = 60_000.0;

fn disconnected(stats: &Stats) -> u64 {
    stats.sessions.saturating_sub(stats.connected)
}

/// What was told of one [`LOADS`] row.
#[derive(Clone, Copy, Default)]
struct Load {
    counted: u64,
    averages: [f64; SPANS.len()],
    /// What was told of them last.
    told: [f64; SPANS.len()],
}

/// Tells the broker's state every interval.
#[derive(Default)]
pub(super) struct Sys {
    interval: Duration,
    /// When it is due; None while it is switched off.
    next: Option<Time>,
    last: Option<Time>,
    levels: [u64; LEVELS.len()],
    loads: [Load; LOADS.len()],
    heap_maximum: u64,
}

impl Sys {
    /// Sets the interval, zero for off. What was told is taken back with the latter.
    pub(super) fn set_interval(&mut self, now: Time, interval: Duration, core: &mut Broker) {
        if interval == self.interval {
            return;
        }
        self.interval = interval;
        self.next = (!interval.is_zero()).then_some(now);
        if interval.is_zero() && self.last.is_some() {
            for topic in topics() {
                tell(now, core, &topic, "");
            }
            *self = Sys::default();
        }
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.next
    }

    /// Tells what has changed, if it is time.
    pub(super) fn publish(&mut self, now: Time, core: &mut Broker) {
        if self.next.is_none_or(|next| next > now) {
            return;
        }
        self.next = Some(now + self.interval);
        let stats = core.stats();
        let first = self.last.is_none();
        if first {
            let version = concat!("mqttguard version ", env!("CARGO_PKG_VERSION"));
            tell(now, core, "version", version);
        }
        let uptime = Duration::from_millis(now.0).as_secs();
        tell(now, core, "uptime", &format!("{uptime} seconds"));
        for ((name, level), told) in LEVELS.iter().zip(&mut self.levels) {
            let value = level(&stats);
            if first || value != *told {
                *told = value;
                tell(now, core, name, &value.to_string());
            }
        }
        if first || stats.memory_used > self.heap_maximum {
            self.heap_maximum = stats.memory_used;
            tell(now, core, "heap/maximum", &stats.memory_used.to_string());
        }
        let since = now.since(self.last.unwrap_or_default()).as_millis();
        let minutes = (since as f64 / MINUTE_MS).max(f64::EPSILON);
        for ((name, counter), load) in LOADS.iter().zip(&mut self.loads) {
            let count = counter(&stats);
            let grown = count.saturating_sub(load.counted) as f64;
            load.counted = count;
            // The first interval has no beginning that it could be measured from.
            let rate = if first { 0.0 } else { grown / minutes };
            let averages = load.averages.iter_mut().zip(&mut load.told);
            for ((span, over), (average, told)) in SPANS.iter().zip(averages) {
                *average = rate + (-minutes / over).exp() * (*average - rate);
                if first || (*average - *told).abs() >= STEP {
                    *told = *average;
                    let value = format!("{average:.2}");
                    tell(now, core, &format!("load/{name}/{span}"), &value);
                }
            }
        }
        self.last = Some(now);
    }
}

fn tell(now: Time, core: &mut Broker, name: &str, value: &str) {
    core.publish_internal(now, &format!("$SYS/broker/{name}"), value.as_bytes(), true);
}

/// All topics, below `$SYS/broker/`.
fn topics() -> impl Iterator<Item = String> {
    let plain = ["version", "uptime", "heap/maximum"];
    let levels = LEVELS.iter().map(|(name, _)| *name);
    let loads = LOADS.iter().flat_map(|(name, _)| {
        let spans = SPANS.iter();
        spans.map(move |(span, _)| format!("load/{name}/{span}"))
    });
    let named = plain.into_iter().chain(levels).map(str::to_owned);
    named.chain(loads)
}
