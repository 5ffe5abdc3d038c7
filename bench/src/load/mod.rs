//! The loads. Each measures one thing on one broker.

pub(crate) mod connects;
pub(crate) mod idle;
pub(crate) mod latency;
pub(crate) mod retained;
pub(crate) mod round_trips;
pub(crate) mod stream;

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::contender::Contender;

/// Bytes of every message.
pub(crate) const PAYLOAD: usize = 64;
/// How long a load may stand still before what is underway counts as lost.
const STILL: Duration = Duration::from_millis(300);
/// How long clients may take to come in, before a load that is not about that.
const ARRIVAL: Duration = Duration::from_secs(8);

/// How much of a load was done, in which time, at which cost.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done {
    /// A second.
    pub(crate) rate: f64,
    /// The broker's CPU time for each, in microseconds.
    pub(crate) cpu: f64,
    /// The part, from 0 to 1, of messages that never arrived.
    pub(crate) lost: f64,
}

/// A measurement underway.
struct Stretch<'a> {
    contender: &'a Contender,
    start: Instant,
    cpu: Duration,
    count: u64,
}

impl<'a> Stretch<'a> {
    /// From now on, with `count` done before.
    fn begin(contender: &'a Contender, count: u64) -> Result<Stretch<'a>> {
        Ok(Stretch {
            contender,
            cpu: contender.cpu()?,
            start: Instant::now(),
            count,
        })
    }

    fn end(self, count: u64) -> Result<Done> {
        let time = self.start.elapsed();
        let cpu = self.contender.cpu()?.saturating_sub(self.cpu);
        let done = count.saturating_sub(self.count) as f64;
        Ok(Done {
            rate: done / time.as_secs_f64(),
            cpu: cpu.as_secs_f64() * 1e6 / done.max(1.0),
            lost: 0.0,
        })
    }
}
