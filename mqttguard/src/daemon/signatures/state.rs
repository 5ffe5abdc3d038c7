//! How the house and its devices are.

use super::{AMBIGUOUS, DEVICE, Method, UNKNOWN};

pub(super) const METHODS: &[Method] = &[
    Method {
        name: "status",
        about: "Whether the network is protected and how each part does.",
        args: &[],
        returns: "`protected`, `protection`, `why` (sentences; the same as codes in `troubles`, \
            see [Codes](#codes)), `mode`, and an object or list each for `kernel`, \
            `nftables`, `broker`, `uplift`, `discovery`, `devices` (how many in each state), `dropped`, \
            `reported`, `exceptions`, `pairing` (windows that are open, with `left_s`), `import` (accounts \
            that wait for their devices), `config`",
        errors: &[],
        example: "",
    },
    Method {
        name: "devices",
        about: "All devices.",
        args: &[],
        returns: "`devices`: a list of what `device` answers, without `events`, `refused`, `grants` and \
            the reasons in `logins`",
        errors: &[],
        example: "",
    },
    Method {
        name: "device",
        about: "All that is known of one device.",
        args: &[DEVICE],
        returns: "`mac`, `name`, `hostname`, `addresses`, `interface`, `state`, `why` (and `because`: the \
            same as a code), `until_ms`, \
            `profile`, `vendor_class` (what it says over DHCP), `system` (what that means, if known), \
            `mud_url` (what it announces), `mud` (what is accepted of it, see `mud`), \
            `username`, `connected`, `first_seen_ms`, `last_seen_ms`, `frames`, `dropped`, \
            `reported`, `bound`, `exceptions`, `logins` (`failed`, and of the last that were told: `refused`, a \
            list of `why`, `code`, `count`, `last_ms`), `uplift`; `refused`: the last 16 different topics that it was \
            refused and would be refused now, the latest first, a list of `access` (`publish` or \
            `subscribe`), `topic`, `count` (of a client a few a second are told), `last_ms`, and `grant`, the \
            pattern that allows it, unless none can; `grants` (`publish`, `subscribe`): what its `device` \
            section grants beside its profile; `mud_grants` (`access`, `pattern`, `filter`): what it is \
            granted as its maker asks, see `mud`; `pairing` (`until_ms`, `left_s`) \
            while a window is open; `credential` (`issued_ms`, `weak`, `scram`, `old_until_ms` while a \
            rotation is under way, `certificates`); its last `events`, the oldest first: up to 10 `connected` and \
            `disconnected`, and up to 20 others",
        errors: &[UNKNOWN, AMBIGUOUS],
        example: r#"{"device":"kitchen-plug"}"#,
    },
];
