//! What a client costs that says nothing.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::contender::Contender;
use crate::crowd::{Crowd, Target};

/// How long all of them may take to come in.
const ARRIVAL: Duration = Duration::from_secs(10);
/// Connected before, so that what the broker sets up once does not count.
const FIRST: usize = 10;

/// Bytes of the broker's memory for each of `count` clients. The broker was just started.
pub(crate) fn run(contender: &Contender, target: &Target, count: usize) -> Result<f64> {
    let first = Crowd::connect(target, FIRST, Instant::now() + ARRIVAL)?;
    sleep(Duration::from_millis(50));
    let before = contender.memory()?;
    drop(first);
    let crowd = Crowd::connect(target, count + FIRST, Instant::now() + ARRIVAL)?;
    sleep(Duration::from_millis(100));
    let after = contender.memory()?;
    drop(crowd);
    Ok((after - before) / count as f64)
}
