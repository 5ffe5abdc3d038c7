//! Where a device is seen at the moment.

use crate::discovery::Source;

/// A set of [`Source`]s.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sources(u8);

impl Sources {
    pub(super) fn set(&mut self, source: Source, present: bool) {
        let bit = 1 << source as u8;
        if present {
            self.0 |= bit;
        } else {
            self.0 &= !bit;
        }
    }

    /// Whether no source is in the set.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }
}
