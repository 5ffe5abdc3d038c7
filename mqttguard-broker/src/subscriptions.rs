//! Who gets what: subscriptions by their topic filters.

mod tree;

pub(crate) use tree::Subscriber;

use crate::message::ALLOCATION;
use crate::slots::Slots;
use crate::topic;
use tree::{Node, Tree};

/// No group.
const NONE: u32 = u32::MAX;

/// Names a filter that is subscribed to; equal filters have equal keys while one of them is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    node: u32,
    /// The shared subscription's group; `NONE` if it is not shared.
    group: u32,
}

impl Key {
    pub(crate) fn is_shared(self) -> bool {
        self.group != NONE
    }
}

/// Names a shared subscription's group, and no later one that takes its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Share {
    group: u32,
    serial: u32,
}

/// The members of a shared subscription (section 4.8.2).
struct Group {
    serial: u32,
    node: u32,
    name: Box<str>,
    members: Vec<Subscriber>,
    /// Whose turn it is.
    turn: u32,
}

/// All subscriptions.
pub(crate) struct Subscriptions {
    tree: Tree,
    groups: Slots<Group>,
    /// Of the last group.
    serial: u32,
    count: u64,
    /// Bytes of the groups.
    grouped: u64,
    /// How many of them are shared.
    shared: u64,
}

/// What a topic name matched.
pub(crate) enum Match<'a> {
    Subscriber(&'a Subscriber),
    /// A group that is to pick one of its members, whose turn starts at the index given.
    Group {
        share: Share,
        members: &'a [Subscriber],
        turn: &'a mut u32,
    },
}

impl Subscriptions {
    pub(crate) fn new() -> Subscriptions {
        Subscriptions {
            tree: Tree::new(),
            groups: Slots::new(),
            serial: 0,
            count: 0,
            grouped: 0,
            shared: 0,
        }
    }

    /// Subscriptions now.
    pub(crate) fn count(&self) -> u64 {
        self.count
    }

    /// Shared subscriptions among them.
    pub(crate) fn shared(&self) -> u64 {
        self.shared
    }

    /// What all of it takes in memory.
    pub(crate) fn bytes(&self) -> u64 {
        let each = (size_of::<Subscriber>() + size_of::<Key>()) as u64;
        self.tree
            .bytes()
            .saturating_add(self.grouped)
            .saturating_add(self.count.saturating_mul(each))
    }

    /// Nodes of the tree, its root included.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn nodes(&self) -> usize {
        self.tree.len()
    }

    /// The key of a filter that somebody is subscribed to.
    pub(crate) fn find(&self, filter: &str) -> Option<Key> {
        let (share, path) = split(filter);
        let node = self.tree.find(path)?;
        let Some(name) = share else {
            return Some(Key { node, group: NONE });
        };
        let groups = &self.tree.get(node)?.groups;
        let group = groups
            .iter()
            .copied()
            .find(|&group| self.is_named(group, name))?;
        Some(Key { node, group })
    }

    fn is_named(&self, group: u32, name: &str) -> bool {
        self.groups
            .get(group)
            .is_some_and(|group| *group.name == *name)
    }

    /// Makes the filter known, without a subscriber yet: follow with [`Subscriptions::add`].
    pub(crate) fn intern(&mut self, filter: &str) -> Key {
        let (share, path) = split(filter);
        let node = self.tree.intern(path);
        let Some(name) = share else {
            return Key { node, group: NONE };
        };
        if let Some(key) = self.find(filter) {
            return key;
        }
        self.serial = self.serial.wrapping_add(1);
        self.grouped += group_bytes(name);
        let group = self.groups.insert(Group {
            serial: self.serial,
            node,
            name: name.into(),
            members: Vec::new(),
            turn: 0,
        });
        if let Some(node) = self.tree.get_mut(node) {
            node.groups.push(group);
        }
        Key { node, group }
    }

    fn list(&mut self, key: Key) -> Option<&mut Vec<Subscriber>> {
        if key.is_shared() {
            self.groups
                .get_mut(key.group)
                .map(|group| &mut group.members)
        } else {
            self.tree
                .get_mut(key.node)
                .map(|node| &mut node.subscribers)
        }
    }

    /// Adds a subscription to an interned filter, where the session has none yet.
    pub(crate) fn add(&mut self, key: Key, subscriber: Subscriber) {
        let Some(list) = self.list(key) else { return };
        if list.is_empty() {
            list.reserve_exact(1);
        }
        list.push(subscriber);
        self.count += 1;
        self.shared += u64::from(key.is_shared());
    }

    /// Replaces the options of a subscription (`MQTT-3.8.4-3`).
    pub(crate) fn replace(&mut self, key: Key, subscriber: Subscriber) {
        let list = self.list(key).into_iter().flatten();
        if let Some(found) = list
            .into_iter()
            .find(|found| found.session == subscriber.session)
        {
            *found = subscriber;
        }
    }

    /// Removes a session's subscription, and the filter with its last one.
    pub(crate) fn remove(&mut self, key: Key, session: u32) {
        let Some(list) = self.list(key) else { return };
        let Some(place) = list.iter().position(|found| found.session == session) else {
            return;
        };
        list.remove(place);
        let empty = list.is_empty();
        self.count = self.count.saturating_sub(1);
        self.shared = self.shared.saturating_sub(u64::from(key.is_shared()));
        if empty && key.is_shared() {
            if let Some(group) = self.groups.remove(key.group) {
                self.grouped = self.grouped.saturating_sub(group_bytes(&group.name));
            }
            if let Some(node) = self.tree.get_mut(key.node) {
                node.groups.retain(|&group| group != key.group);
            }
        }
        if empty {
            self.tree.prune(key.node);
        }
    }

    /// The whole text of a filter, `$share` and all.
    pub(crate) fn filter(&self, key: Key) -> String {
        let path = self.path(key);
        match self.groups.get(key.group) {
            Some(group) if key.is_shared() => format!("$share/{}/{path}", group.name),
            _ => path,
        }
    }

    /// The filter of a shared subscription, if it is still there.
    pub(crate) fn share_filter(&self, share: Share) -> Option<String> {
        let group = self.groups.get(share.group)?;
        let key = Key {
            node: group.node,
            group: share.group,
        };
        (group.serial == share.serial).then(|| self.filter(key))
    }

    /// Names a shared subscription by its filter.
    pub(crate) fn share(&self, filter: &str) -> Option<Share> {
        let key = self.find(filter).filter(|key| key.is_shared())?;
        Some(Share {
            group: key.group,
            serial: self.groups.get(key.group)?.serial,
        })
    }

    /// A session's subscription.
    pub(crate) fn of(&self, key: Key, session: u32) -> Option<&Subscriber> {
        let list = if key.is_shared() {
            &self.groups.get(key.group)?.members
        } else {
            &self.tree.get(key.node)?.subscribers
        };
        list.iter().find(|found| found.session == session)
    }

    /// The members of a shared subscription, if it is still there, and whose turn it is.
    pub(crate) fn members(&mut self, share: Share) -> Option<(&[Subscriber], &mut u32)> {
        let group = self.groups.get_mut(share.group)?;
        (group.serial == share.serial).then_some((&group.members, &mut group.turn))
    }

    /// The filter's text without `$share` and the share name.
    pub(crate) fn path(&self, key: Key) -> String {
        self.tree.path(key.node)
    }

    /// Calls `found` for everything that a topic name matches.
    pub(crate) fn matching(&mut self, name: &str, mut found: impl FnMut(Match<'_>)) {
        let (tree, groups) = (&mut self.tree, &mut self.groups);
        tree.matching(name, |node| visit(node, groups, &mut found));
    }
}

fn group_bytes(name: &str) -> u64 {
    (size_of::<Group>() + name.len() + 2 * ALLOCATION) as u64
}

/// A filter that was checked before.
fn split(filter: &str) -> (Option<&str>, &str) {
    match topic::split_share(filter) {
        Ok(Some((name, path))) => (Some(name), path),
        _ => (None, filter),
    }
}

/// Calls `found` for everything at a node.
fn visit(node: &Node, groups: &mut Slots<Group>, found: &mut impl FnMut(Match<'_>)) {
    for subscriber in &node.subscribers {
        found(Match::Subscriber(subscriber));
    }
    for &group in &node.groups {
        if let Some(Group {
            serial,
            members,
            turn,
            ..
        }) = groups.get_mut(group)
        {
            let share = Share {
                group,
                serial: *serial,
            };
            found(Match::Group {
                share,
                members,
                turn,
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::QoS;
    use crate::codec::subscribe::{Options, RetainHandling};

    fn subscriber(session: u32) -> Subscriber {
        let options = Options {
            qos: QoS::AtMostOnce,
            no_local: false,
            retain_as_published: false,
            retain_handling: RetainHandling::Send,
        };
        Subscriber {
            session,
            id: 0,
            options,
        }
    }

    /// All topics of up to three of these levels.
    fn every(levels: &[&str]) -> Vec<String> {
        let mut all: Vec<String> = levels.iter().map(|&level| level.to_owned()).collect();
        for _ in 0..2 {
            let longer: Vec<String> = all
                .iter()
                .flat_map(|start| levels.iter().map(move |level| format!("{start}/{level}")))
                .collect();
            all.extend(longer);
        }
        all.sort();
        all.dedup();
        all.retain(|topic| !topic.is_empty());
        all
    }

    fn found(tree: &mut Subscriptions, name: &str) -> Vec<u32> {
        let mut sessions = Vec::new();
        tree.matching(name, |found| match found {
            Match::Subscriber(subscriber) => sessions.push(subscriber.session),
            Match::Group { members, .. } => sessions.extend(members.iter().map(|m| m.session)),
        });
        sessions.sort_unstable();
        sessions
    }

    #[test]
    fn the_tree_finds_what_each_filter_matches_by_itself() {
        let mut filters = every(&["a", "b", "", "+", "#", "$x"]);
        filters.retain(|filter| topic::check_filter(filter).is_ok());
        let names = every(&["a", "b", "", "$x"]);
        let mut tree = Subscriptions::new();
        let mut keys = Vec::new();
        for (session, filter) in (0u32..).zip(&filters) {
            let text = if session % 3 == 0 {
                format!("$share/g/{filter}")
            } else {
                filter.clone()
            };
            assert_eq!(tree.find(&text), None);
            let key = tree.intern(&text);
            tree.add(key, subscriber(session));
            assert_eq!(
                (tree.find(&text), tree.path(key)),
                (Some(key), filter.clone())
            );
            keys.push(key);
        }
        // Everything, then without every other filter, then nothing.
        for kept in [|_: u32| true, |session| session % 2 == 0, |_| false] {
            for (session, &key) in (0u32..).zip(&keys) {
                if !kept(session) {
                    tree.remove(key, session);
                }
            }
            for name in &names {
                let matching = (0u32..).zip(&filters);
                let matching = matching.filter(|(_, filter)| topic::matches(filter, name));
                let want: Vec<u32> = matching
                    .map(|(session, _)| session)
                    .filter(|&s| kept(s))
                    .collect();
                assert_eq!(found(&mut tree, name), want, "{name}");
            }
        }
        assert_eq!((tree.nodes(), tree.count(), tree.bytes()), (1, 0, 0));
    }
}
