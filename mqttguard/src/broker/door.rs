//! What holds for connections before anybody is known: how many, and how often.

use std::collections::BTreeMap;

use mqttguard_broker::Bound;

/// These bounds, as [`mqttguard_broker::BOUNDS`] has the others.
pub const DOOR: &[Bound] = &[
    Bound {
        name: CONNECTIONS_TOTAL,
        of: "connections in all",
        effect: "the connection is closed at once",
        reason: None,
    },
    Bound {
        name: CONNECTIONS_OF_LISTENER,
        of: "connections of one listener",
        effect: "the connection is closed at once",
        reason: None,
    },
    Bound {
        name: CONNECTIONS_PER_DEVICE,
        of: "connections of one device, or of one address whose device is not known",
        effect: "the connection is closed at once",
        reason: None,
    },
    Bound {
        name: CONNECTS_PER_S,
        of: "new connections of one device, or of one address whose device is not known, a second",
        effect: "the connection is not read from until its turn comes, and closed at once if that \
                 is not soon",
        reason: None,
    },
];

pub(super) const CONNECTIONS_TOTAL: &str = "connections_total";
pub(super) const CONNECTIONS_OF_LISTENER: &str = "connections_of_listener";
pub(super) const CONNECTIONS_PER_DEVICE: &str = "connections_per_device";
pub(super) const CONNECTS_PER_S: &str = "connects_per_s";

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
