//! What bounds connections before anybody is known, counted.

use std::collections::BTreeMap;

use crate::config::DOOR;

/// How often each of [`DOOR`] was met, told or not.
#[derive(Default)]
pub(super) struct Met(BTreeMap<&'static str, u64>);

impl Met {
    pub(super) fn count(&mut self, name: &'static str) {
        let count = self.0.entry(name).or_default();
        *count = count.saturating_add(1);
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
        let count = |name| self.0.get(name).copied().unwrap_or_default();
        DOOR.iter()
            .map(move |bound| (bound.name, count(bound.name)))
    }
}
