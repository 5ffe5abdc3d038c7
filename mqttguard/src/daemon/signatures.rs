//! The methods of the `mqttguard` object; [`super::methods`] has what they do.

use crate::ubus::{ArgType, MethodSpec};

/// The object's methods, as `ubus -v list mqttguard` shows them.
pub(crate) const METHODS: &[MethodSpec] = &[
    MethodSpec {
        name: "status",
        args: &[],
    },
    MethodSpec {
        name: "devices",
        args: &[],
    },
    MethodSpec {
        name: "device",
        args: &[("device", ArgType::String)],
    },
    MethodSpec {
        name: "enrol",
        args: &[
            ("device", ArgType::String),
            ("profile", ArgType::String),
            ("username", ArgType::String),
        ],
    },
    MethodSpec {
        name: "snippet",
        args: &[("device", ArgType::String), ("firmware", ArgType::String)],
    },
    MethodSpec {
        name: "learn",
        args: &[("device", ArgType::String), ("for", ArgType::Integer)],
    },
    MethodSpec {
        name: "block",
        args: &[("device", ArgType::String), ("why", ArgType::String)],
    },
    MethodSpec {
        name: "unblock",
        args: &[("device", ArgType::String)],
    },
    MethodSpec {
        name: "allow",
        args: &[
            ("device", ArgType::String),
            ("destination", ArgType::String),
            ("port", ArgType::Integer),
            ("for", ArgType::Integer),
        ],
    },
    MethodSpec {
        name: "disallow",
        args: &[
            ("device", ArgType::String),
            ("destination", ArgType::String),
            ("port", ArgType::Integer),
        ],
    },
    MethodSpec {
        name: "stats",
        args: &[],
    },
    MethodSpec {
        name: "events",
        args: &[("limit", ArgType::Integer), ("since", ArgType::Integer)],
    },
    MethodSpec {
        name: "reload",
        args: &[],
    },
];
