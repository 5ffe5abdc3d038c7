//! What bounds connections before anybody is known: how many, and how often.

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

pub(crate) const CONNECTIONS_TOTAL: &str = "connections_total";
pub(crate) const CONNECTIONS_OF_LISTENER: &str = "connections_of_listener";
pub(crate) const CONNECTIONS_PER_DEVICE: &str = "connections_per_device";
pub(crate) const CONNECTS_PER_S: &str = "connects_per_s";
