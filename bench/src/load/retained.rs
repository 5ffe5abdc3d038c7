//! Retained messages, delivered to who subscribes late.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::{ARRIVAL, PAYLOAD};
use crate::client::Heard;
use crate::crowd::{Crowd, Target};
use crate::wire::Publication;

/// Topics with a retained message.
pub(crate) const COUNT: u64 = 5_000;
/// Publications underway at the same time.
const IN_FLIGHT: u64 = 20;
/// How long nothing comes before nothing more is expected.
const QUIET: Duration = Duration::from_millis(300);

/// Publishes at QoS 2, so that a subscription's QoS is what deliveries have.
pub(crate) fn publish(target: &Target) -> Result<()> {
    let deadline = Instant::now() + ARRIVAL;
    let mut crowd = Crowd::connect(target, 1, deadline)?;
    let (mut sent, mut acknowledged) = (0u64, 0u64);
    while acknowledged < COUNT {
        let client = crowd.client(0)?;
        while sent < COUNT && sent - acknowledged < IN_FLIGHT {
            let mut publication = Publication::new(format!("bench/retained/{sent}"), 2);
            publication.retain = true;
            let id = client.next_id();
            publication.encode(client.output(), id, &[b'x'; PAYLOAD]);
            sent += 1;
        }
        client.flush()?;
        crowd.turn(Duration::from_millis(1), |_, _, heard| {
            acknowledged += u64::from(heard == Heard::Acknowledged);
        })?;
        if Instant::now() > deadline {
            bail!("only {acknowledged} of {COUNT} retained messages were taken, in time");
        }
    }
    Ok(())
}

/// How many arrive at a new subscriber, and in how many milliseconds.
pub(crate) fn receive(target: &Target, qos: u8) -> Result<(u64, f64)> {
    let mut crowd = Crowd::connect(target, 1, Instant::now() + ARRIVAL)?;
    crate::wire::subscribe(crowd.client(0)?.output(), "bench/retained/#", qos);
    let start = Instant::now();
    crowd.flush(0)?;
    let (mut count, mut last) = (0u64, start);
    while count < COUNT && last.elapsed() < QUIET {
        let before = count;
        crowd.turn(Duration::from_millis(5), |_, _, heard| {
            count += u64::from(matches!(heard, Heard::Message(_)));
        })?;
        if count > before {
            last = Instant::now();
        }
    }
    Ok((count, (last - start).as_secs_f64() * 1e3))
}
