//! Messages at QoS 1 or 2 that come back to who sent them.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::{ARRIVAL, Done, PAYLOAD, Stretch};
use crate::contender::Contender;
use crate::crowd::{Crowd, Target};
use crate::wire::Publication;

const CLIENTS: usize = 10;
/// Messages of one client underway at the same time.
const IN_FLIGHT: u64 = 20;

#[derive(Clone, Copy, Default)]
struct Trips {
    sent: u64,
    acknowledged: u64,
    heard: u64,
}

impl Trips {
    /// Those that were acknowledged and came back.
    fn done(self) -> u64 {
        self.acknowledged.min(self.heard)
    }
}

/// Counts round trips for `time`, after a warm-up of a fifth of it.
pub(crate) fn run(contender: &Contender, target: &Target, qos: u8, time: Duration) -> Result<Done> {
    let mut crowd = Crowd::connect(target, CLIENTS, Instant::now() + ARRIVAL)?;
    let mut publications = Vec::new();
    for index in 0..CLIENTS {
        let topic = format!("bench/trip/{index}");
        crowd.subscribe(index, &topic, qos)?;
        publications.push(Publication::new(topic, qos));
    }
    let mut trips = [Trips::default(); CLIENTS];
    let warm = Instant::now() + time / 5;
    let mut stretch: Option<Stretch<'_>> = None;
    loop {
        for (index, (publication, trips)) in publications.iter().zip(&mut trips).enumerate() {
            let client = crowd.client(index)?;
            while trips.sent - trips.done() < IN_FLIGHT {
                let id = client.next_id();
                publication.encode(client.output(), id, &[b'x'; PAYLOAD]);
                trips.sent += 1;
            }
            client.flush()?;
        }
        crowd.turn(Duration::ZERO, |index, _, heard| {
            if let Some(trips) = trips.get_mut(index) {
                match heard {
                    crate::client::Heard::Message(_) => trips.heard += 1,
                    crate::client::Heard::Acknowledged => trips.acknowledged += 1,
                    crate::client::Heard::Answer(_) => {}
                }
            }
        })?;
        let now = Instant::now();
        let count = || trips.iter().map(|trips| trips.done()).sum();
        match stretch.take() {
            None if now >= warm => stretch = Some(Stretch::begin(contender, count())?),
            Some(begun) if now - begun.start >= time => return begun.end(count()),
            other => stretch = other,
        }
    }
}
