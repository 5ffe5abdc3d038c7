//! The tree of topic filters, a node a level.
//!
//! The children of all nodes are in one hash table, keyed by parent and level. It is hashed with
//! keys that nobody outside knows (levels are chosen by clients), and never iterated, so that
//! its order shows nowhere.

use std::hash::{BuildHasher, RandomState};

use hashbrown::HashTable;

use crate::codec::subscribe::Options;
use crate::message::ALLOCATION;
use crate::slots::Slots;
use crate::topic;

const ROOT: u32 = 0;
const NONE: u32 = u32::MAX;

/// A subscription of one session.
#[derive(Clone, Copy)]
pub(crate) struct Subscriber {
    pub(crate) session: u32,
    /// Subscription Identifier, 0 for none.
    pub(crate) id: u32,
    pub(crate) options: Options,
}

/// A filter, which nobody need be subscribed to if others go on behind it.
pub(super) struct Node {
    parent: u32,
    level: Box<str>,
    /// The child `+`, or `NONE`.
    plus: u32,
    /// The child `#`, or `NONE`.
    hash: u32,
    /// Children with a name.
    named: u32,
    pub(super) subscribers: Vec<Subscriber>,
    /// Shared subscriptions, by their groups.
    pub(super) groups: Vec<u32>,
}

pub(super) struct Tree {
    nodes: Slots<Node>,
    children: HashTable<u32>,
    keys: RandomState,
    bytes: u64,
    /// Work of one match, kept to spare the allocation: nodes and how far their level reaches.
    path: Vec<(u32, usize)>,
}

impl Tree {
    pub(super) fn new() -> Tree {
        let mut nodes = Slots::new();
        nodes.insert(Node::new(NONE, ""));
        Tree {
            nodes,
            children: HashTable::new(),
            keys: RandomState::new(),
            bytes: 0,
            path: Vec::new(),
        }
    }

    /// What its nodes take in memory, apart from those in their lists.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Nodes, the root included.
    #[cfg(any(test, feature = "fuzzing"))]
    pub(super) fn len(&self) -> usize {
        self.nodes.len()
    }

    pub(super) fn get(&self, id: u32) -> Option<&Node> {
        self.nodes.get(id)
    }

    pub(super) fn get_mut(&mut self, id: u32) -> Option<&mut Node> {
        self.nodes.get_mut(id)
    }

    fn hash(&self, parent: u32, level: &str) -> u64 {
        self.keys.hash_one((parent, level))
    }

    fn child(&self, parent: u32, level: &str) -> Option<u32> {
        let node = self.nodes.get(parent)?;
        let found = match level {
            "+" => node.plus,
            "#" => node.hash,
            _ if node.named == 0 => NONE,
            _ => *self.children.find(self.hash(parent, level), |&child| {
                self.nodes
                    .get(child)
                    .is_some_and(|node| node.parent == parent && *node.level == *level)
            })?,
        };
        (found != NONE).then_some(found)
    }

    /// The node of a filter.
    pub(super) fn find(&self, path: &str) -> Option<u32> {
        let mut node = ROOT;
        for level in path.split('/') {
            node = self.child(node, level)?;
        }
        Some(node)
    }

    /// The same, which grows if it is not there.
    pub(super) fn intern(&mut self, path: &str) -> u32 {
        let mut node = ROOT;
        for level in path.split('/') {
            node = match self.child(node, level) {
                Some(child) => child,
                None => self.grow(node, level),
            };
        }
        node
    }

    fn grow(&mut self, parent: u32, level: &str) -> u32 {
        let child = self.nodes.insert(Node::new(parent, level));
        self.bytes += node_bytes(level);
        if let Some(node) = self.nodes.get_mut(parent) {
            match level {
                "+" => node.plus = child,
                "#" => node.hash = child,
                _ => node.named += 1,
            }
        }
        if !matches!(level, "+" | "#") {
            let hash = self.hash(parent, level);
            let (nodes, keys) = (&self.nodes, &self.keys);
            self.children.insert_unique(hash, child, |&child| {
                nodes
                    .get(child)
                    .map_or(0, |node| keys.hash_one((node.parent, &*node.level)))
            });
        }
        child
    }

    /// Removes nodes that lead nowhere, from this one up.
    pub(super) fn prune(&mut self, from: u32) {
        let mut id = from;
        while id != ROOT
            && let Some(node) = self.nodes.get(id)
            && node.is_bare()
        {
            let parent = node.parent;
            let wildcard = match &*node.level {
                "+" | "#" => true,
                level => {
                    let hash = self.hash(parent, level);
                    if let Ok(entry) = self.children.find_entry(hash, |&child| child == id) {
                        entry.remove();
                    }
                    false
                }
            };
            self.bytes = self.bytes.saturating_sub(node_bytes(&node.level));
            self.nodes.remove(id);
            if let Some(node) = self.nodes.get_mut(parent) {
                if !wildcard {
                    node.named = node.named.saturating_sub(1);
                } else if node.plus == id {
                    node.plus = NONE;
                } else {
                    node.hash = NONE;
                }
            }
            id = parent;
        }
    }

    /// The text of a node's filter.
    pub(super) fn path(&self, node: u32) -> String {
        let mut levels = Vec::new();
        let mut id = node;
        while id != ROOT
            && let Some(node) = self.nodes.get(id)
        {
            levels.push(&*node.level);
            id = node.parent;
        }
        levels.reverse();
        levels.join("/")
    }

    /// Calls `found` for every node that a topic name matches.
    pub(super) fn matching(&mut self, name: &str, mut found: impl FnMut(&Node)) {
        const END: usize = usize::MAX;
        let reserved = topic::is_reserved(name);
        let mut path = std::mem::take(&mut self.path);
        path.push((ROOT, 0));
        while let Some((id, from)) = path.pop() {
            let Some(node) = self.nodes.get(id) else {
                continue;
            };
            // MQTT-4.7.2-1
            let (plus, hash) = if reserved && id == ROOT {
                (NONE, NONE)
            } else {
                (node.plus, node.hash)
            };
            if hash != NONE
                && let Some(node) = self.nodes.get(hash)
            {
                found(node);
            }
            if from == END {
                found(node);
                continue;
            }
            if plus == NONE && node.named == 0 {
                continue;
            }
            let rest = name.get(from..).unwrap_or_default();
            let (level, next) = match rest.bytes().position(|byte| byte == b'/') {
                Some(end) => (rest.get(..end).unwrap_or_default(), from + end + 1),
                None => (rest, END),
            };
            if plus != NONE {
                path.push((plus, next));
            }
            if node.named > 0
                && let Some(child) = self.child(id, level)
            {
                path.push((child, next));
            }
        }
        self.path = path;
    }
}

impl Node {
    fn new(parent: u32, level: &str) -> Node {
        Node {
            parent,
            level: level.into(),
            plus: NONE,
            hash: NONE,
            named: 0,
            subscribers: Vec::new(),
            groups: Vec::new(),
        }
    }

    fn is_bare(&self) -> bool {
        self.subscribers.is_empty()
            && self.groups.is_empty()
            && self.named == 0
            && self.plus == NONE
            && self.hash == NONE
    }
}

/// What a node takes in memory: itself, its level, and its place in the tables.
fn node_bytes(level: &str) -> u64 {
    let tables = 2 * size_of::<u64>();
    (size_of::<Node>() + level.len() + tables + 2 * ALLOCATION) as u64
}
