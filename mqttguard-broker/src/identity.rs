use std::collections::HashMap;
use std::sync::Arc;

use crate::slots::Slots;

/// What one identity has in use.
pub(crate) struct Identity {
    pub(crate) name: Arc<str>,
    /// Decisions about it that are just being carried out.
    pins: u32,
    pub(crate) connections: u32,
    /// Connected or not.
    pub(crate) sessions: u32,
    pub(crate) retained_messages: u32,
    pub(crate) retained_bytes: usize,
}

/// Identities that have anything in use.
#[derive(Default)]
pub(crate) struct Identities {
    identities: Slots<Identity>,
    by_name: HashMap<Arc<str>, u32>,
}

impl Identities {
    #[cfg(any(test, feature = "fuzzing"))]
    pub(crate) fn len(&self) -> usize {
        self.identities.len()
    }

    pub(crate) fn find(&self, name: &str) -> Option<u32> {
        self.by_name.get(name).copied()
    }

    /// Makes the identity known until [`Identities::unpin`], whatever it has in use.
    pub(crate) fn pin(&mut self, name: &Arc<str>) -> u32 {
        let index = match self.by_name.get(name) {
            Some(&index) => index,
            None => {
                let index = self.identities.insert(Identity {
                    name: name.clone(),
                    pins: 0,
                    connections: 0,
                    sessions: 0,
                    retained_messages: 0,
                    retained_bytes: 0,
                });
                self.by_name.insert(name.clone(), index);
                index
            }
        };
        if let Some(identity) = self.identities.get_mut(index) {
            identity.pins = identity.pins.saturating_add(1);
        }
        index
    }

    /// Undoes one [`Identities::pin`].
    pub(crate) fn unpin(&mut self, index: u32) {
        if let Some(identity) = self.identities.get_mut(index) {
            identity.pins = identity.pins.saturating_sub(1);
        }
        self.release(index);
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Identity> {
        self.identities.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Identity> {
        self.identities.get_mut(index)
    }

    /// Forgets the identity if it has nothing in use.
    pub(crate) fn release(&mut self, index: u32) {
        let Some(identity) = self.identities.get(index) else {
            return;
        };
        let in_use = identity.pins | identity.connections | identity.sessions;
        if in_use == 0 && identity.retained_messages == 0 {
            self.by_name.remove(&identity.name);
            self.identities.remove(index);
        }
    }

    /// Counts a retained message out.
    pub(crate) fn retain_less(&mut self, index: u32, size: usize) {
        if let Some(identity) = self.identities.get_mut(index) {
            identity.retained_messages = identity.retained_messages.saturating_sub(1);
            identity.retained_bytes = identity.retained_bytes.saturating_sub(size);
        }
        self.release(index);
    }

    /// Counts a retained message in.
    pub(crate) fn retain_more(&mut self, index: u32, size: usize) {
        if let Some(identity) = self.identities.get_mut(index) {
            identity.retained_messages = identity.retained_messages.saturating_add(1);
            identity.retained_bytes = identity.retained_bytes.saturating_add(size);
        }
    }
}
