//! How long messages are underway at a rate that every broker stands.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{ARRIVAL, PAYLOAD};
use crate::client::Heard;
use crate::crowd::{Crowd, Target};
use crate::wire::Publication;

const PUBLISHERS: usize = 10;
/// Messages a second, of all publishers together.
pub(crate) const RATE: u32 = 10_000;

/// How long nothing is done before.
const REST: Duration = Duration::from_secs(1);

/// Half of the messages take at most the first, 99 of 100 at most the second, in microseconds.
pub(crate) fn run(target: &Target, time: Duration) -> Result<(f64, f64)> {
    let mut crowd = Crowd::connect(target, PUBLISHERS + 1, Instant::now() + ARRIVAL)?;
    crowd.subscribe(PUBLISHERS, "bench/latency", 0)?;
    // At real-time priority, a program that never rests is held for a moment each second: this
    // one rests first, and is done within a second.
    sleep(REST);
    let publication = Publication::new("bench/latency", 0);
    let pause = Duration::from_secs(1) / RATE;
    let start = Instant::now();
    let warm = nanos(time / 5);
    let mut due = Duration::ZERO;
    let mut publishers = (0..PUBLISHERS).cycle();
    let mut taken = Vec::new();
    while start.elapsed() < time + time / 5 {
        while start.elapsed() >= due {
            let index = publishers.next().unwrap_or_default();
            let mut payload = [0; PAYLOAD];
            // When it was to be sent: a load generator that is late is late at the broker's cost.
            if let Some(first) = payload.first_chunk_mut() {
                *first = nanos(due).to_be_bytes();
            }
            let client = crowd.client(index)?;
            publication.encode(client.output(), 0, &payload);
            client.flush()?;
            due += pause;
        }
        crowd.turn(Duration::ZERO, |_, _, heard| {
            if let Heard::Message(payload) = heard
                && let Some(sent) = payload.first_chunk().copied().map(u64::from_be_bytes)
                && sent >= warm
            {
                taken.push(nanos(start.elapsed()).saturating_sub(sent));
            }
        })?;
    }
    taken.sort_unstable();
    let part = |of_100: usize| taken.get(taken.len() * of_100 / 100).copied();
    match (part(50), part(99)) {
        (Some(half), Some(most)) => Ok((half as f64 / 1e3, most as f64 / 1e3)),
        _ => bail!("no message arrived"),
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}
