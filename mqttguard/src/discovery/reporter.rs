//! What a source has told already, so that it tells only news.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use mqttguard_common::Mac;

use super::{Sighting, Source, Update};
use crate::outlet::{Closed, Outlet};
use crate::text::is_dangerous;

/// A device that is heard from is told of again after this long, so that "last seen" keeps its
/// meaning.
pub(super) const REPEAT_AFTER: Duration = Duration::from_secs(300);

/// Most facts one source remembers. Beyond, the one told longest ago is forgotten, and told again
/// when it comes up again.
pub(super) const MAX_FACTS: usize = 4096;

/// What a fact is about.
pub(super) type Key = (Mac, Option<IpAddr>);

/// Sends one source's updates. Blocks while the reader is behind: nothing is lost, and what piles
/// up meanwhile waits in the kernel or in ubusd, or is read anew.
pub(super) struct Reporter {
    source: Source,
    out: Outlet<Update>,
    state: Option<(bool, String)>,
    facts: HashMap<Key, Known>,
}

struct Known {
    fact: Fact,
    told: Instant,
    heard: Instant,
}

/// What is known of a device that is there.
#[derive(Clone, Debug, Default)]
pub(super) struct Fact {
    pub(super) hostname: Option<String>,
    pub(super) interface: Option<String>,
    /// When its lease ends, in any unit; a later end means that it asked again.
    pub(super) lease_end: Option<u64>,
    /// Whether it was heard from just now. An entry in a table says only that it once was.
    pub(super) heard: bool,
}

impl Reporter {
    pub(super) fn new(source: Source, out: Outlet<Update>) -> Self {
        Reporter {
            source,
            out,
            state: None,
            facts: HashMap::new(),
        }
    }

    /// Tells whether the source works, if that changed.
    pub(super) fn source(&mut self, up: bool, detail: impl Into<String>) -> Result<(), Closed> {
        let state = (up, detail.into());
        if self.state.as_ref() == Some(&state) {
            return Ok(());
        }
        let update = Update::Source {
            source: self.source,
            up,
            detail: state.1.clone(),
        };
        self.state = Some(state);
        self.out.send(update)
    }

    /// Tells of a device that is there, unless that was told already. Those that are merely heard
    /// from again are told of every [`REPEAT_AFTER`].
    pub(super) fn present(&mut self, key: Key, fact: Fact) -> Result<(), Closed> {
        self.present_at(Instant::now(), key, fact)
    }

    fn present_at(&mut self, now: Instant, key: Key, fact: Fact) -> Result<(), Closed> {
        if !key.0.is_device() {
            return Ok(());
        }
        if let Some(known) = self.facts.get_mut(&key) {
            if fact.heard {
                known.heard = now;
            }
            if known.fact.hostname == fact.hostname
                && known.fact.interface == fact.interface
                && known.fact.lease_end == fact.lease_end
                && !(fact.heard && now.saturating_duration_since(known.told) >= REPEAT_AFTER)
            {
                return Ok(());
            }
        }
        if self.facts.len() >= MAX_FACTS && !self.facts.contains_key(&key) {
            let oldest = self
                .facts
                .iter()
                .min_by_key(|(_, known)| known.told)
                .map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.facts.remove(&oldest);
            }
        }
        let known = Known {
            fact: fact.clone(),
            told: now,
            heard: now,
        };
        self.facts.insert(key, known);
        self.send(key, fact, true)
    }

    /// Takes a fact back, and tells that the device left if that was the last one about it: one
    /// that gave up an address and has another is still there.
    pub(super) fn gone(&mut self, key: Key) -> Result<(), Closed> {
        let Some(known) = self.facts.remove(&key) else {
            return Ok(());
        };
        if !self.facts.keys().any(|(mac, _)| *mac == key.0) {
            return self.send(key, known.fact, false);
        }
        let (mac, Some(address)) = key else {
            return Ok(());
        };
        self.out.send(Update::AddressLost {
            source: self.source,
            mac,
            address,
        })
    }

    /// Takes back all facts that are not in `there`.
    pub(super) fn keep_only(&mut self, there: &HashSet<Key>) -> Result<(), Closed> {
        let gone: Vec<Key> = self
            .facts
            .keys()
            .filter(|key| !there.contains(key))
            .copied()
            .collect();
        gone.into_iter().try_for_each(|key| self.gone(key))
    }

    /// Takes back what was not heard of for so long.
    pub(super) fn lapse(&mut self, silence: Duration) -> Result<(), Closed> {
        let now = Instant::now();
        let silent: Vec<Key> = self
            .facts
            .iter()
            .filter(|(_, known)| now.saturating_duration_since(known.heard) >= silence)
            .map(|(key, _)| *key)
            .collect();
        silent.into_iter().try_for_each(|key| self.gone(key))
    }

    fn send(&self, (mac, address): Key, fact: Fact, present: bool) -> Result<(), Closed> {
        let Fact {
            hostname,
            interface,
            ..
        } = fact;
        let source = self.source;
        let sighting = Sighting {
            source,
            mac,
            address,
            hostname,
            interface,
            present,
        };
        self.out
            .send(Update::Sighting(sighting))
            .map_err(|_| Closed)
    }
}

/// A name as a device gave it, made fit to store and show: at most 255 bytes, without control
/// characters and those that hide or reorder text. `None` if nothing is left.
pub(super) fn hostname(raw: &str) -> Option<String> {
    let mut name: String = raw.chars().filter(|char| !is_dangerous(*char)).collect();
    name.truncate(name.floor_char_boundary(255));
    let name = name.trim();
    (!name.is_empty() && name != "*").then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, sync_channel};

    use super::*;

    fn reporter() -> (Reporter, Receiver<Update>) {
        let (out, updates) = sync_channel(MAX_FACTS + 8);
        (Reporter::new(Source::LeaseFile, out.into()), updates)
    }

    fn key(number: u16) -> Key {
        let [high, low] = number.to_be_bytes();
        (
            Mac([2, 0, 0, 0, high, low]),
            Some(IpAddr::from([10, 0, high, low])),
        )
    }

    fn named(name: &str) -> Fact {
        Fact {
            hostname: Some(name.to_owned()),
            heard: true,
            ..Fact::default()
        }
    }

    #[test]
    fn a_renewed_lease_is_news_and_a_table_read_again_is_not() {
        let (mut reporter, updates) = reporter();
        for (lease_end, news) in [(5, 1), (5, 0), (6, 1), (6, 0)] {
            let fact = Fact {
                lease_end: Some(lease_end),
                ..Fact::default()
            };
            reporter.present(key(1), fact).unwrap();
            assert_eq!(updates.try_iter().count(), news);
        }
    }

    #[test]
    fn only_who_is_heard_from_is_told_of_again() {
        let (mut reporter, updates) = reporter();
        reporter.present(key(1), Fact::default()).unwrap();
        assert_eq!(updates.try_iter().count(), 1);
        let later = Instant::now() + REPEAT_AFTER;
        let heard = Fact {
            heard: true,
            ..Fact::default()
        };
        for (now, fact, told) in [
            (Instant::now(), heard.clone(), 0),
            (later, Fact::default(), 0),
            (later, heard.clone(), 1),
            (later, heard, 0),
        ] {
            reporter.present_at(now, key(1), fact).unwrap();
            assert_eq!(updates.try_iter().count(), told);
        }
    }

    #[test]
    fn who_is_silent_for_too_long_is_gone() {
        let (mut reporter, updates) = reporter();
        reporter.present(key(1), named("lamp")).unwrap();
        reporter.present(key(2), named("plug")).unwrap();
        assert_eq!(updates.try_iter().count(), 2);
        let silence = Duration::from_millis(50);
        std::thread::sleep(silence);
        reporter.present(key(2), named("plug")).unwrap();
        reporter.lapse(silence).unwrap();
        let gone: Vec<_> = updates.try_iter().collect();
        assert!(
            matches!(gone.as_slice(), [Update::Sighting(gone)] if gone.mac == key(1).0 && !gone.present),
            "{gone:?}"
        );
    }

    #[test]
    fn tells_a_fact_once_and_its_end_once() {
        let (mut reporter, updates) = reporter();
        for _ in 0..3 {
            reporter.present(key(1), named("lamp")).unwrap();
        }
        reporter.present(key(1), named("lamp2")).unwrap();
        for _ in 0..3 {
            reporter.gone(key(1)).unwrap();
        }
        let told: Vec<_> = updates
            .try_iter()
            .map(|update| match update {
                Update::Sighting(sighting) => (sighting.hostname.unwrap(), sighting.present),
                other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(
            told,
            [
                ("lamp".into(), true),
                ("lamp2".into(), true),
                ("lamp2".to_owned(), false)
            ]
        );
    }

    #[test]
    fn who_gives_up_one_address_of_two_is_still_there() {
        let (mut reporter, updates) = reporter();
        let (mac, first) = key(1);
        let second = (mac, Some(IpAddr::from([10, 0, 0, 99])));
        reporter.present((mac, first), named("lamp")).unwrap();
        reporter.present(second, named("lamp")).unwrap();
        assert_eq!(updates.try_iter().count(), 2);
        reporter.gone((mac, first)).unwrap();
        let lost = Update::AddressLost {
            source: Source::LeaseFile,
            mac,
            address: first.unwrap(),
        };
        assert_eq!(updates.try_iter().collect::<Vec<_>>(), [lost]);
        reporter.gone(second).unwrap();
        let told: Vec<Update> = updates.try_iter().collect();
        let [Update::Sighting(left)] = told.as_slice() else {
            panic!("the device has left: {told:?}")
        };
        assert!(!left.present);
    }

    #[test]
    fn group_addresses_and_zero_are_no_devices() {
        let (mut reporter, updates) = reporter();
        for mac in [[0xff; 6], [0; 6], [1, 0, 0x5e, 0, 0, 1]] {
            reporter.present((Mac(mac), None), Fact::default()).unwrap();
        }
        assert_eq!(updates.try_iter().count(), 0);
    }

    #[test]
    fn a_crowd_does_not_grow_the_memory() {
        let (mut reporter, updates) = reporter();
        for number in 0..=MAX_FACTS as u16 {
            reporter.present(key(number), Fact::default()).unwrap();
        }
        assert_eq!(reporter.facts.len(), MAX_FACTS);
        assert!(
            !reporter.facts.contains_key(&key(0)),
            "the oldest is forgotten"
        );
        assert_eq!(updates.try_iter().count(), MAX_FACTS + 1);
        reporter.keep_only(&HashSet::from([key(7)])).unwrap();
        assert_eq!(updates.try_iter().count(), MAX_FACTS - 1);
        assert_eq!(reporter.facts.len(), 1);
    }

    #[test]
    fn a_source_tells_its_state_only_when_it_changes() {
        let (mut reporter, updates) = reporter();
        reporter.source(false, "absent").unwrap();
        reporter.source(false, "absent").unwrap();
        reporter.source(true, "here").unwrap();
        assert_eq!(updates.try_iter().count(), 2);
        drop(updates);
        assert_eq!(reporter.source(false, "absent"), Err(Closed));
    }

    #[test]
    fn hostile_names_are_made_harmless() {
        assert_eq!(hostname("phone1"), Some("phone1".into()));
        assert_eq!(hostname("küche"), Some("küche".into()));
        assert_eq!(hostname("\u{1b}[2Jevil\r\n\0"), Some("[2Jevil".into()));
        assert_eq!(hostname("a\u{202e}b\u{200b}"), Some("ab".into()));
        for nothing in ["", "*", " ", "\n\t", "\u{feff}"] {
            assert_eq!(hostname(nothing), None, "{nothing:?}");
        }
        assert_eq!(hostname(&"x".repeat(300)).unwrap().len(), 255);
        assert_eq!(hostname(&"é".repeat(200)).unwrap().len(), 254);
    }
}
