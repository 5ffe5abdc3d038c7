//! What of a device's traffic is cut off or let out, by the owner's word.

use super::{AMBIGUOUS, Arg, BAD_TIME, DEVICE, FULL, Method, UNKNOWN};
use crate::ubus::ArgType;

const WHY: Arg = ("why", ArgType::String, "the reason, at most 200 bytes");
const DESTINATION: Arg = (
    "destination",
    ArgType::String,
    "an address or prefix; absent: any",
);
const PORT: Arg = ("port", ArgType::Integer, "TCP or UDP port; absent: all");

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "block",
        about: "Cuts a device off, all its traffic, until it is unblocked.",
        args: &[DEVICE, WHY],
        returns: "as `device`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            ("INVALID_ARGUMENT", "`why` is too long"),
            FULL,
        ],
        example: r#"{"device":"kitchen-plug","why":"sold"}"#,
    },
    Method {
        name: "unblock",
        about: "Lifts a block and ends a quarantine.",
        args: &[DEVICE],
        returns: "as `device`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            (
                "NOT_SUPPORTED",
                "its `device` section in the configuration blocks it",
            ),
        ],
        example: r#"{"device":"kitchen-plug"}"#,
    },
    Method {
        name: "quarantine",
        about: "Cuts a device off from MQTT for a time; the rest of its traffic goes on.",
        args: &[
            DEVICE,
            (
                "for",
                ArgType::Integer,
                "seconds, 60 to 2592000; absent: as `option quarantine` says",
            ),
            WHY,
        ],
        returns: "as `device`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            BAD_TIME,
            ("INVALID_ARGUMENT", "`why` is too long"),
            FULL,
        ],
        example: r#"{"device":"kitchen-plug","for":3600}"#,
    },
    Method {
        name: "release",
        about: "Ends a quarantine. A block stays.",
        args: &[DEVICE],
        returns: "as `device`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            ("NOT_FOUND", "the device is not in quarantine"),
        ],
        example: r#"{"device":"kitchen-plug"}"#,
    },
    Method {
        name: "allow",
        about: "Lets a device send unencrypted MQTT for a time.",
        args: &[
            DEVICE,
            DESTINATION,
            PORT,
            ("for", ArgType::Integer, "seconds, 60 to 2592000"),
        ],
        returns: "`mac`, `name`, `destination`, `port`, `until_ms`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            (
                "INVALID_ARGUMENT",
                "a destination, port or time that cannot be one",
            ),
            (
                "NO_MEMORY",
                "32 are in force, or too many for one destination",
            ),
        ],
        example: r#"{"device":"kitchen-plug","destination":"203.0.113.9","port":1883,"for":3600}"#,
    },
    Method {
        name: "disallow",
        about: "Takes back what `allow` let out.",
        args: &[DEVICE, DESTINATION, PORT],
        returns: "`mac`, `name`, `withdrawn` (how many)",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            ("NOT_FOUND", "there is no such allowance"),
        ],
        example: r#"{"device":"kitchen-plug"}"#,
    },
];
