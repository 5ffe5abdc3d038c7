use std::collections::VecDeque;

use mqttguard_common::Mac;

use super::{Event, EventKind, Severity};
use crate::text::printable;

/// The last events, oldest first; older ones fall out.
#[derive(Debug, Default)]
pub struct EventLog {
    events: VecDeque<Event>,
    last_seq: u64,
}

impl EventLog {
    /// How many events are kept.
    pub const CAPACITY: usize = 512;

    /// Gives the event its number, writes it to the log and keeps it.
    pub fn push(
        &mut self,
        time_ms: u64,
        mac: Option<Mac>,
        name: Option<String>,
        kind: EventKind,
    ) -> Event {
        self.last_seq = self.last_seq.saturating_add(1);
        let event = Event {
            seq: self.last_seq,
            time_ms,
            mac,
            name,
            kind,
        };
        let level = match event.kind.severity() {
            Severity::Info | Severity::Notice => log::Level::Info,
            Severity::Warning => log::Level::Warn,
        };
        log::log!(level, "{}", printable(&event.message()));
        if self.events.len() == Self::CAPACITY {
            self.events.pop_front();
        }
        self.events.push_back(event.clone());
        event
    }

    /// The last `limit` events after `since`, oldest first, of one device or of all.
    pub fn read(&self, since: u64, limit: usize, mac: Option<Mac>) -> Vec<&Event> {
        let mut found: Vec<&Event> = self
            .events
            .iter()
            .rev()
            .take_while(|event| event.seq > since)
            .filter(|event| mac.is_none() || event.mac == mac)
            .take(limit)
            .collect();
        found.reverse();
        found
    }

    /// The last events of one device, oldest first: `notable` of them, and `traffic` of those that
    /// only say that it came or went, which one that reconnects all the time has no end of.
    pub fn of_device(&self, mac: Mac, notable: usize, traffic: usize) -> Vec<&Event> {
        let (mut notable, mut traffic) = (notable, traffic);
        let mut found: Vec<&Event> = self
            .events
            .iter()
            .rev()
            .filter(|event| event.mac == Some(mac))
            .filter(|event| {
                let left = match event.kind.is_coming_or_going() {
                    true => &mut traffic,
                    false => &mut notable,
                };
                let fits = *left > 0;
                *left = left.saturating_sub(1);
                fits
            })
            .collect();
        found.reverse();
        found
    }
}
