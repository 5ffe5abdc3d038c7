//! Topics and their latest values, for somebody who looks at them: a table that is there only while
//! somebody does, and that whoever publishes can neither make large nor push others out of.
//!
//! What does not fit makes way by whose it is: of the publisher that takes most of the table, the
//! topic that it has published to longest ago. So a publisher of a million topics pushes out its
//! own, and a device with a few topics is in sight whatever the others do.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::codec::QoS;
use crate::retained::Cursor;
use crate::{Time, topic};

/// What all topics may cost, in bytes.
pub(crate) const BUDGET: usize = 512 * 1024;
/// What a topic costs beside its name and value: its places in three maps, and the allocations.
/// Since the cost of all is bounded, so is their number: 2,047.
const OVERHEAD: usize = 256;
/// Bytes of a value that are kept.
const VALUE: usize = 256;
/// Filters that are watched at the same time; one more takes the place of the one that was asked
/// for longest ago.
const WATCHES: usize = 8;

/// A topic and its latest value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    /// The topic name.
    pub topic: Arc<str>,
    /// The beginning of the payload, at most 256 bytes.
    pub value: Vec<u8>,
    /// Bytes of the whole payload.
    pub bytes: usize,
    /// Whether this value is retained.
    pub retained: bool,
    /// As it was published: 0, 1 or 2.
    pub qos: u8,
    /// The identity that published it; None: the broker itself.
    pub publisher: Option<Arc<str>>,
    /// When it was published; None: before it was watched.
    pub time: Option<Time>,
    /// Messages since it is watched.
    pub count: u64,
}

/// What [`crate::Broker::glance`] sees.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Glance {
    /// By topic name.
    pub topics: Vec<Sight>,
    /// Whether there are more that match, or have been.
    pub more: bool,
    /// Topics that had to make way since the watch began, whatever their names.
    pub left_out: u64,
}

/// Whose topics and which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted<'a> {
    /// A topic filter (MQTT 5 section 4.7).
    pub filter: &'a str,
    /// An identity that published it; None for any.
    pub publisher: Option<&'a str>,
}

impl Wanted<'_> {
    fn takes(self, name: &str, publisher: Option<&str>) -> bool {
        let is_theirs = self.publisher.is_none() || self.publisher == publisher;
        is_theirs && topic::matches(self.filter, name)
    }
}

/// What somebody watches.
struct Watch {
    filter: Box<str>,
    publisher: Option<Box<str>>,
    until: Time,
    /// Where the search for what is retained stands; None once it is through.
    replay: Option<Cursor>,
}

impl Watch {
    fn wanted(&self) -> Wanted<'_> {
        Wanted {
            filter: &self.filter,
            publisher: self.publisher.as_deref(),
        }
    }
}

/// A value, as it is kept.
struct Entry {
    value: Vec<u8>,
    bytes: usize,
    retained: bool,
    qos: QoS,
    publisher: Option<Arc<str>>,
    time: Option<Time>,
    count: u64,
    /// Its place among its publisher's.
    serial: u64,
}

impl Entry {
    fn cost(&self, name: &str) -> usize {
        OVERHEAD
            .saturating_add(name.len())
            .saturating_add(self.value.capacity())
    }
}

/// What one publisher has in the table.
#[derive(Default)]
struct Share {
    cost: usize,
    /// The one that was published to longest ago first.
    topics: BTreeMap<u64, Arc<str>>,
}

/// A message that is to be seen.
#[derive(Clone, Copy)]
pub(crate) struct Shown<'a> {
    pub(crate) publisher: Option<&'a Arc<str>>,
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    pub(crate) qos: QoS,
    pub(crate) retained: bool,
}

/// All that is watched.
#[derive(Default)]
pub(crate) struct Watching {
    watches: Vec<Watch>,
    entries: BTreeMap<Arc<str>, Entry>,
    /// In order, so that of two that take as much it is always the same that makes way.
    shares: BTreeMap<Option<Arc<str>>, Share>,
    cost: usize,
    serial: u64,
    left_out: u64,
}

impl Watching {
    /// Whether anybody watches anything.
    pub(crate) fn is_on(&self) -> bool {
        !self.watches.is_empty()
    }

    /// What it takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        self.cost as u64
    }

    /// Watches until then. What was not watched before is to be searched for among what is
    /// retained.
    pub(crate) fn begin(&mut self, wanted: Wanted<'_>, until: Time) {
        let mut watches = self.watches.iter_mut();
        if let Some(watch) = watches.find(|watch| watch.wanted() == wanted) {
            watch.until = watch.until.max(until);
            return;
        }
        if self.watches.len() >= WATCHES {
            let all = self.watches.iter().enumerate();
            if let Some((oldest, _)) = all.min_by_key(|(_, watch)| watch.until) {
                self.watches.remove(oldest);
                self.purge();
            }
        }
        self.watches.push(Watch {
            filter: wanted.filter.into(),
            publisher: wanted.publisher.map(Into::into),
            until,
            replay: Some(Cursor::default()),
        });
    }

    /// When the next watch ends.
    pub(crate) fn due(&self) -> Option<Time> {
        self.watches.iter().map(|watch| watch.until).min()
    }

    /// Ends the watches whose time is over, and forgets what nobody watches any more.
    pub(crate) fn expire(&mut self, now: Time) {
        let before = self.watches.len();
        self.watches.retain(|watch| watch.until > now);
        if self.watches.is_empty() {
            *self = Watching::default();
        } else if self.watches.len() < before {
            self.purge();
        }
    }

    /// Ends all watches.
    pub(crate) fn end(&mut self) {
        *self = Watching::default();
    }

    fn purge(&mut self) {
        let watches = &self.watches;
        let (shares, cost) = (&mut self.shares, &mut self.cost);
        self.entries.retain(|name, entry| {
            let publisher = entry.publisher.as_deref();
            let is_watched = watches
                .iter()
                .any(|watch| watch.wanted().takes(name, publisher));
            if !is_watched {
                settle(shares, cost, name, entry);
            }
            is_watched
        });
    }

    /// The next search for what is retained: the filter, whose, and where it stands.
    pub(crate) fn take_replay(&mut self) -> Option<Replay> {
        let all = self.watches.iter_mut().enumerate();
        for (place, watch) in all {
            if let Some(cursor) = watch.replay.take() {
                return Some(Replay {
                    place,
                    filter: watch.filter.clone(),
                    publisher: watch.publisher.clone(),
                    cursor,
                });
            }
        }
        None
    }

    /// Goes on with a search later.
    pub(crate) fn put_replay(&mut self, replay: Replay) {
        if let Some(watch) = self.watches.get_mut(replay.place) {
            watch.replay = Some(replay.cursor);
        }
    }

    /// Whether a search is to go on.
    pub(crate) fn is_behind(&self) -> bool {
        self.watches.iter().any(|watch| watch.replay.is_some())
    }

    /// A message was published.
    pub(crate) fn published(&mut self, now: Time, shown: Shown<'_>) {
        let publisher = shown.publisher.map(|name| &**name);
        let mut watches = self.watches.iter();
        if watches.any(|watch| watch.wanted().takes(shown.topic, publisher)) {
            self.put(Some(now), shown);
        }
    }

    /// A message was found retained.
    pub(crate) fn found(&mut self, shown: Shown<'_>) {
        // What was published since is newer.
        if !self.entries.contains_key(shown.topic) {
            self.put(None, shown);
        }
    }

    fn put(&mut self, time: Option<Time>, shown: Shown<'_>) {
        self.serial = self.serial.saturating_add(1);
        let (name, mut entry) = match self.entries.remove_entry(shown.topic) {
            Some((name, entry)) => {
                settle(&mut self.shares, &mut self.cost, &name, &entry);
                (name, entry)
            }
            None => (shown.topic.into(), Entry::empty()),
        };
        entry.set(time, self.serial, shown);
        let cost = entry.cost(&name);
        self.cost = self.cost.saturating_add(cost);
        let share = self.shares.entry(entry.publisher.clone()).or_default();
        share.cost = share.cost.saturating_add(cost);
        share.topics.insert(entry.serial, name.clone());
        self.entries.insert(name, entry);
        while self.cost > BUDGET && self.make_way() {}
    }

    /// Drops a topic of whoever has most. False if there is none.
    fn make_way(&mut self) -> bool {
        let largest = self.shares.values().max_by_key(|share| share.cost);
        let oldest = largest.and_then(|share| share.topics.values().next());
        let Some((name, entry)) = oldest
            .cloned()
            .and_then(|name| self.entries.remove_entry(&name))
        else {
            return false;
        };
        settle(&mut self.shares, &mut self.cost, &name, &entry);
        self.left_out = self.left_out.saturating_add(1);
        true
    }

    /// What is wanted of the table, at most `limit`: where there is more, as much of each
    /// publisher's as of any other's, the latest first.
    pub(crate) fn glance(&self, wanted: Wanted<'_>, limit: usize) -> Glance {
        let mut found: Vec<(&Arc<str>, &Entry)> = self
            .entries
            .iter()
            .filter(|(name, entry)| wanted.takes(name, entry.publisher.as_deref()))
            .collect();
        let is_cut = found.len() > limit;
        if is_cut {
            found.sort_by_key(|(_, entry)| std::cmp::Reverse(entry.serial));
            let mut ranks: BTreeMap<Option<&str>, usize> = BTreeMap::new();
            let mut ranked: Vec<_> = found
                .into_iter()
                .map(|(name, entry)| {
                    let rank = ranks.entry(entry.publisher.as_deref()).or_default();
                    *rank = rank.saturating_add(1);
                    (*rank, name, entry)
                })
                .collect();
            // Stable: of equal rank the latest stay first.
            ranked.sort_by_key(|(rank, ..)| *rank);
            ranked.truncate(limit);
            found = ranked
                .into_iter()
                .map(|(_, name, entry)| (name, entry))
                .collect();
            found.sort_by_key(|(name, _)| *name);
        }
        let sight = |(name, entry): (&Arc<str>, &Entry)| Sight {
            topic: name.clone(),
            value: entry.value.clone(),
            bytes: entry.bytes,
            retained: entry.retained,
            qos: entry.qos as u8,
            publisher: entry.publisher.clone(),
            time: entry.time,
            count: entry.count,
        };
        Glance {
            topics: found.into_iter().map(sight).collect(),
            more: is_cut || self.left_out > 0 || self.is_behind(),
            left_out: self.left_out,
        }
    }

    #[cfg(any(test, feature = "fuzzing"))]
    #[allow(clippy::expect_used, reason = "a failure is a panic")]
    pub(crate) fn check(&self) {
        let cost: usize = self.entries.iter().map(|(name, e)| e.cost(name)).sum();
        assert_eq!(self.cost, cost, "cost of what is watched");
        assert!(cost <= BUDGET, "{cost} bytes are watched");
        let shares: usize = self.shares.values().map(|share| share.cost).sum();
        assert_eq!(shares, cost, "shares of what is watched");
        let topics: usize = self.shares.values().map(|share| share.topics.len()).sum();
        assert_eq!(topics, self.entries.len(), "topics of publishers");
        for (name, entry) in &self.entries {
            let share = self.shares.get(&entry.publisher).expect("a share");
            assert_eq!(share.topics.get(&entry.serial), Some(name));
        }
        assert!(self.is_on() || self.entries.is_empty());
    }
}

/// A search for what is retained, taken out of its watch.
pub(crate) struct Replay {
    place: usize,
    pub(crate) filter: Box<str>,
    pub(crate) publisher: Option<Box<str>>,
    pub(crate) cursor: Cursor,
}

impl Entry {
    fn empty() -> Entry {
        Entry {
            value: Vec::new(),
            bytes: 0,
            retained: false,
            qos: QoS::AtMostOnce,
            publisher: None,
            time: None,
            count: 0,
            serial: 0,
        }
    }

    fn set(&mut self, time: Option<Time>, serial: u64, shown: Shown<'_>) {
        let value = shown.payload.get(..VALUE).unwrap_or(shown.payload);
        // What has the same room again costs no allocation.
        if self.value.capacity() < value.len() || self.value.capacity() / 2 > value.len() {
            self.value = Vec::with_capacity(value.len());
        }
        self.value.clear();
        self.value.extend_from_slice(value);
        self.bytes = shown.payload.len();
        self.retained = shown.retained;
        self.qos = shown.qos;
        self.publisher = shown.publisher.cloned();
        self.time = time;
        self.count = self.count.saturating_add(u64::from(time.is_some()));
        self.serial = serial;
    }
}

/// Takes an entry that leaves the table out of its publisher's share.
fn settle(
    shares: &mut BTreeMap<Option<Arc<str>>, Share>,
    cost: &mut usize,
    name: &str,
    entry: &Entry,
) {
    let own = entry.cost(name);
    *cost = cost.saturating_sub(own);
    if let Some(share) = shares.get_mut(&entry.publisher) {
        share.cost = share.cost.saturating_sub(own);
        share.topics.remove(&entry.serial);
        if share.topics.is_empty() {
            shares.remove(&entry.publisher);
        }
    }
}
