//! What there is to read of the work of the house.

use super::{AMBIGUOUS, Method, UNKNOWN};
use crate::ubus::ArgType;

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "profiles",
        about: "The profiles of the configuration in force.",
        args: &[],
        returns: "`profiles`: a list of `name`, `default`, `publish`, `subscribe`, `deny`, `limits`, \
            `devices` (MAC addresses of the enrolled devices under it)",
        errors: &[],
        example: "",
    },
    Method {
        name: "stats",
        about: "All counters: the kernel program's by device and reason, the broker's, uplift's.",
        args: &[],
        returns: "`devices`, `messages` (received from the clients of each device), `broker`, `uplift`",
        errors: &[],
        example: "",
    },
    Method {
        name: "report",
        about: "Holds the house against ETSI EN 303 645, NIST IR 8425A and the OWASP IoT Top 10, item by \
            item, by what the router knows. It is no certification.",
        args: &[],
        returns: "`made_ms`, `version`, `notes`, `standards` (`id`, `name`), and `items`: a list of `id`, \
            `standard`, `clause`, `title`, `verdict` (`holds`, `partly`, `open`; `outside`: the router \
            cannot say), `says`, `devices` for which it does not hold (`mac`, `name`, `why`; at most 64, \
            and `more`), `acts` that mend it (`text`, `page` of the web interface). Notes, titles, what is \
            said and why are in English: a `text` with a `%s` for each of its `values`",
        errors: &[],
        example: "",
    },
    Method {
        name: "history",
        about: "The last hour by the minute, of the house or of one device. Kept in memory: it begins with \
            the daemon.",
        args: &[(
            "device",
            ArgType::String,
            "as in `device`; absent: the house",
        )],
        returns: "`step_s` (60), `until_ms` (when the running minute ends) and `series`: an object of lists of \
            60 numbers each, oldest first, the last one of the running minute. Of the house: `plaintext` \
            (frames dropped for unencrypted MQTT), `floods` (for a limit), `other` (for any other reason; \
            what nftables drops in the kernel program's place is in both, up to ten seconds later), \
            `refused` (logins, publishes and subscriptions), `messages` (received), `delivered` (sent), \
            `sessions` (the most clients at the same time, as looked at every three seconds). Of a device, \
            with its `mac` and `name`: `frames` (all that the kernel program saw), `dropped` (those among \
            them), `bytes` (of all), `messages` (received from its clients). In monitor mode what would be \
            dropped counts as dropped",
        errors: &[UNKNOWN, AMBIGUOUS],
        example: r#"{"device":"kitchen-plug"}"#,
    },
    Method {
        name: "live",
        about: "Topics and their latest values, while somebody watches. A call watches its filter for the \
            next 60 seconds, beside at most 7 others; in that time what matches is kept, and what is retained \
            shows at once. Nothing is \
            kept while nobody watches. Kept are at most 2,048 topics and 512 KiB, and where that is not \
            enough, whoever publishes most loses the oldest of its own first.",
        args: &[
            (
                "filter",
                ArgType::String,
                "an MQTT topic filter; absent: `#`. Topics that begin with `$` only show to filters that do",
            ),
            (
                "device",
                ArgType::String,
                "only what this device published; as in `device`",
            ),
            (
                "limit",
                ArgType::Integer,
                "topics at most, 1 to 1000; absent: 500. What exceeds it is taken in equal parts from those \
                 who publish, the latest of each",
            ),
        ],
        returns: "`topics`: a list, sorted by `topic`, of `topic`, `value` (text, at most 256 bytes of it; absent \
            if it is not UTF-8), `bytes` (of the whole value), `retained`, `qos`, `mac` and `name` of the \
            device that published it, if known, `publisher` (its user name), `time_ms` (absent if it was \
            retained before anybody watched), `count` (messages since it is watched); `more`: whether there \
            are topics that are not in the answer; `left_out`: topics that had to make way since watching \
            began; `until_ms`: until when it is watched",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            (
                "INVALID_ARGUMENT",
                "`filter` is no topic filter, or `limit` out of range",
            ),
            ("NOT_SUPPORTED", "`option live '0'` in the configuration"),
            ("SYSTEM_ERROR", "the broker is not running"),
        ],
        example: r#"{"filter":"stat/#"}"#,
    },
    Method {
        name: "events",
        about: "What happened, the latest last.",
        args: &[
            ("limit", ArgType::Integer, "how many at most; absent: 50"),
            ("since", ArgType::Integer, "only those with a higher `seq`"),
        ],
        returns: "`events`: a list of what notifications carry",
        errors: &[],
        example: r#"{"limit":10}"#,
    },
];
