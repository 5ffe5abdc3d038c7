//! Retained messages (MQTT 5 section 3.3.1.3), in the order of their topic names.

use std::borrow::Borrow;
use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use crate::Time;
use crate::message::Message;
use crate::topic;

/// A message that stands for its topic name.
struct ByTopic(Arc<Message>);

impl Borrow<str> for ByTopic {
    fn borrow(&self) -> &str {
        self.0.topic()
    }
}

impl PartialEq for ByTopic {
    fn eq(&self, other: &ByTopic) -> bool {
        self.0.topic() == other.0.topic()
    }
}

impl Eq for ByTopic {}

impl PartialOrd for ByTopic {
    fn partial_cmp(&self, other: &ByTopic) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for ByTopic {
    fn cmp(&self, other: &ByTopic) -> Ordering {
        self.0.topic().cmp(other.0.topic())
    }
}

/// Whose message it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// The identity that it counts for.
    pub(crate) owner: u32,
    /// The session that published it, for No Local.
    pub(crate) session: u64,
    /// [`Retained::age`] when it was retained; set there.
    pub(crate) age: u64,
}

impl Source {
    /// The broker itself: counts for nobody, and is no session's own.
    pub(crate) const BROKER: Source = Source {
        owner: u32::MAX,
        session: 0,
        age: 0,
    };

    fn is_broker(self) -> bool {
        self.owner == Source::BROKER.owner
    }
}

/// What was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) owner: u32,
    pub(crate) size: usize,
}

/// All retained messages.
#[derive(Default)]
pub(crate) struct Retained {
    messages: BTreeMap<ByTopic, Source>,
    age: u64,
    /// How many of them are the broker's own.
    own: usize,
    /// Bytes of all.
    bytes: u64,
}

/// Where a search for matches stands. The messages may change between one step and the next.
#[derive(Default)]
pub(crate) struct Cursor {
    /// The last message looked at; what counts is its topic name.
    after: Option<Arc<Message>>,
}

/// What a step of a search came to.
pub(crate) enum Step {
    Found(Arc<Message>, Source),
    /// The budget is used up; go on later.
    Later,
    End,
}

impl Retained {
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Without the broker's own.
    pub(crate) fn of_clients(&self) -> usize {
        self.messages.len().saturating_sub(self.own)
    }

    /// Bytes of all.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// What the index takes in memory, beside the messages.
    pub(crate) fn index_bytes(&self) -> u64 {
        // A B-tree's nodes are two thirds full, about.
        let entry = size_of::<(ByTopic, Source)>() * 3 / 2;
        (self.messages.len() * entry) as u64
    }

    /// The owner and size of what is retained for a topic name.
    pub(crate) fn get(&self, name: &str) -> Option<Removed> {
        let (message, source) = self.messages.get_key_value(name)?;
        Some(Removed {
            owner: source.owner,
            size: message.0.size(),
        })
    }

    /// How many messages were retained so far. What is retained later is of a greater age.
    pub(crate) fn age(&self) -> u64 {
        self.age
    }

    /// Whether it is this message that is retained for its topic name.
    pub(crate) fn holds(&self, message: &Arc<Message>) -> bool {
        let found = self.messages.get_key_value(message.topic());
        found.is_some_and(|(kept, _)| Arc::ptr_eq(&kept.0, message))
    }

    /// Retains a message in the place of the one of before.
    pub(crate) fn set(&mut self, message: Arc<Message>, source: Source) {
        self.age += 1;
        let source = Source {
            age: self.age,
            ..source
        };
        // The key is the message: an insert alone would keep the old one.
        self.remove(message.topic());
        self.own += usize::from(source.is_broker());
        self.bytes += message.size() as u64;
        self.messages.insert(ByTopic(message), source);
    }

    pub(crate) fn remove(&mut self, name: &str) -> Option<Removed> {
        let (message, source) = self.messages.remove_entry(name)?;
        self.bytes = self.bytes.saturating_sub(message.0.size() as u64);
        self.own = self.own.saturating_sub(usize::from(source.is_broker()));
        Some(Removed {
            owner: source.owner,
            size: message.0.size(),
        })
    }

    /// Removes what is expired or `owner`'s.
    pub(crate) fn purge(
        &mut self,
        now: Time,
        owner: Option<u32>,
        mut removed: impl FnMut(&Message, Removed),
    ) {
        let bytes = &mut self.bytes;
        self.messages.retain(|message, source| {
            let gone = message.0.is_expired(now) || owner == Some(source.owner);
            if gone {
                let (owner, size) = (source.owner, message.0.size());
                *bytes = bytes.saturating_sub(size as u64);
                removed(&message.0, Removed { owner, size });
            }
            !gone
        });
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn sizes(&self) -> impl Iterator<Item = usize> {
        self.messages.keys().map(|message| message.0.size())
    }

    /// The first message behind this topic, or the first of all.
    pub(crate) fn after(&self, topic: Option<&str>) -> Option<(&Arc<Message>, Source)> {
        let from = topic.map_or(Bound::Unbounded, Bound::Excluded);
        let mut rest = self.messages.range::<str, _>((from, Bound::Unbounded));
        rest.next().map(|(message, source)| (&message.0, *source))
    }

    /// Whether any message expires at all.
    pub(crate) fn any_expires(&self) -> bool {
        self.messages
            .keys()
            .any(|message| message.0.expires().is_some())
    }

    /// The next message that the filter matches, after the cursor. `budget` is charged for every
    /// message looked at.
    pub(crate) fn next(
        &self,
        now: Time,
        filter: &str,
        cursor: &mut Cursor,
        budget: &mut u32,
    ) -> Step {
        let prefix = literal_prefix(filter);
        let after = cursor.after.take();
        let from = match after.as_deref() {
            Some(after) => Bound::Excluded(after.topic()),
            None => Bound::Included(prefix),
        };
        for (message, source) in self.messages.range::<str, _>((from, Bound::Unbounded)) {
            let name = message.0.topic();
            if !name.starts_with(prefix) {
                return Step::End;
            }
            let matched = topic::matches(filter, name) && !message.0.is_expired(now);
            let spent = *budget == 0;
            *budget = budget.saturating_sub(1);
            if matched || spent {
                cursor.after = Some(message.0.clone());
            }
            if matched {
                return Step::Found(message.0.clone(), *source);
            }
            if spent {
                return Step::Later;
            }
        }
        Step::End
    }
}

/// What every matching topic name starts with.
fn literal_prefix(filter: &str) -> &str {
    let end = filter
        .bytes()
        .position(|byte| matches!(byte, b'+' | b'#'))
        .unwrap_or(filter.len());
    let prefix = filter.get(..end).unwrap_or_default();
    // `a/#` matches `a` as well.
    if filter.as_bytes().get(end) == Some(&b'#') {
        prefix.strip_suffix('/').unwrap_or(prefix)
    } else {
        prefix
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::QoS;
    use crate::codec::content::Content;
    use crate::message::Gauge;

    #[test]
    fn a_search_finds_what_the_filter_matches_however_often_it_is_cut_short() {
        let levels = ["a", "b", "a!", "", "$x", "ab"];
        let mut names: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
        for start in levels {
            for end in levels {
                names.push(format!("{start}/{end}"));
                names.push(format!("{start}/{end}/a"));
            }
        }
        names.retain(|name| !name.is_empty());
        let gauge = Gauge::default();
        let mut retained = Retained::default();
        for name in &names {
            let message = Message::new(
                &gauge,
                Time(0),
                name,
                &Content::default(),
                QoS::AtMostOnce,
                true,
            );
            retained.set(Arc::new(message), Source::BROKER);
        }
        assert_eq!(retained.len(), names.len());
        for filter in [
            "#", "a", "a/#", "+", "+/+", "+/#", "a/+/a", "/+", "a!/#", "$x/#", "ab/#", "+/b/a",
            "c/#",
        ] {
            let mut want: Vec<&str> = names.iter().map(String::as_str).collect();
            want.retain(|name| topic::matches(filter, name));
            want.sort_unstable();
            for budget in [1, 2, 7, 1_000] {
                let mut cursor = Cursor::default();
                let mut left = budget;
                let mut seen = Vec::new();
                loop {
                    match retained.next(Time(1), filter, &mut cursor, &mut left) {
                        Step::Found(message, _) => seen.push(message.topic().to_owned()),
                        Step::Later => left = budget,
                        Step::End => break,
                    }
                }
                assert_eq!(seen, want, "{filter} by {budget}");
            }
        }
    }
}
