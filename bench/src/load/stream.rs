//! Messages at QoS 0, as many as the broker moves: from many to one, or from one to many.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{ARRIVAL, Done, PAYLOAD, STILL, Stretch};
use crate::contender::Contender;
use crate::crowd::{Crowd, Target};
use crate::wire::Publication;

/// Messages given to a socket at once.
const BURST: u64 = 20;
/// Deliveries underway at the same time, in all: no broker's queue overflows by it, and none
/// runs dry.
const UNDERWAY: u64 = 5_000;

/// Who publishes and who subscribes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    pub(crate) publishers: usize,
    pub(crate) subscribers: usize,
    /// One more subscriber, who never reads.
    pub(crate) deaf: bool,
}

/// Counts deliveries for `time`, after a warm-up of a fifth of it.
pub(crate) fn run(
    contender: &Contender,
    target: &Target,
    shape: Shape,
    time: Duration,
) -> Result<Done> {
    let Shape {
        publishers,
        subscribers,
        deaf,
    } = shape;
    let readers = publishers + subscribers;
    let all = readers + usize::from(deaf);
    let deaf = if deaf { readers } else { usize::MAX };
    let mut crowd = Crowd::connect(target, all, Instant::now() + ARRIVAL)?;
    for index in publishers..all {
        crowd.subscribe(index, "bench/stream", 0)?;
    }
    let mut burst = Vec::new();
    for _ in 0..BURST {
        Publication::new("bench/stream", 0).encode(&mut burst, 0, &[b'x'; PAYLOAD]);
    }
    let fan = subscribers as u64;
    // Deliveries that are due, that came, and that are waited for no more.
    let (mut due, mut heard, mut given_up) = (0u64, 0u64, 0u64);
    let begin = Instant::now();
    let warm = begin + time / 5;
    let mut last = begin;
    let mut stretch: Option<Stretch<'_>> = None;
    loop {
        for index in 0..publishers {
            let client = crowd.client(index)?;
            let underway = due.saturating_sub(heard + given_up);
            if underway + BURST * fan <= UNDERWAY && client.is_flushed() {
                client.output().extend_from_slice(&burst);
                client.flush()?;
                due += BURST * fan;
            }
        }
        let before = heard;
        // Without a pause: a broker whose every write wakes somebody pays for that.
        crowd.turn_without(deaf, Duration::ZERO, |_, _, _| heard += 1)?;
        let now = Instant::now();
        if heard > before {
            last = now;
        } else if now - last > STILL {
            given_up = due - heard;
            last = now;
        }
        match &stretch {
            None if now >= warm => stretch = Some(Stretch::begin(contender, heard)?),
            Some(begun) if now - begun.start >= time => break,
            _ => {}
        }
    }
    let mut done = match stretch {
        Some(stretch) => stretch.end(heard)?,
        None => Stretch::begin(contender, heard)?.end(heard)?,
    };
    // What is underway yet is not lost.
    last = Instant::now();
    while heard < due && last.elapsed() < STILL {
        let before = heard;
        crowd.turn_without(deaf, Duration::from_millis(10), |_, _, _| heard += 1)?;
        if heard > before {
            last = Instant::now();
        }
    }
    done.lost = due.saturating_sub(heard) as f64 / due.max(1) as f64;
    Ok(done)
}
