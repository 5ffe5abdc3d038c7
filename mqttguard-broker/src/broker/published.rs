use std::collections::BTreeMap;
use std::sync::Arc;

use super::Broker;

/// Identities that are remembered after their sessions have ended, and the longest of their names:
/// nothing that clients do makes this large while nobody asks.
const IDENTITIES: usize = 1024;
const NAME: usize = 128;

/// PUBLISH packets of sessions that have ended, by identity.
#[derive(Default)]
pub(super) struct Departed(BTreeMap<Arc<str>, u64>);

impl Departed {
    fn add(&mut self, name: &Arc<str>, count: u64) {
        if let Some(sum) = self.0.get_mut(name) {
            *sum = sum.saturating_add(count);
        } else if self.0.len() < IDENTITIES && name.len() <= NAME {
            self.0.insert(name.clone(), count);
        }
    }
}

impl Broker {
    /// Tells how many PUBLISH packets came from each identity since the last call, those included
    /// that were refused. An identity may be told of more than once. Of those that have left since
    /// 1,024 are told, with names of at most 128 bytes.
    pub fn take_published(&mut self, mut tell: impl FnMut(&Arc<str>, u64)) {
        for (name, count) in std::mem::take(&mut self.departed.0) {
            tell(&name, count);
        }
        for session in self.sessions.iter_mut() {
            let count = std::mem::take(&mut session.published);
            if count > 0
                && let Some(identity) = self.identities.get(session.identity)
            {
                tell(&identity.name, count);
            }
        }
    }

    /// Keeps what a session has not been asked for before it ends.
    pub(super) fn keep_published(&mut self, index: u32) {
        if let Some(session) = self.sessions.get(index)
            && session.published > 0
            && let Some(identity) = self.identities.get(session.identity)
        {
            self.departed.add(&identity.name, session.published);
        }
    }
}
