/// Every code of [`super::EventKind::code`]: when it comes, and the fields of its kind.
pub const NOTIFICATIONS: &[(&str, &str, &[&str])] = &[
    (
        "device-seen",
        "a device was seen for the first time, or again after it was gone",
        &["address", "source"],
    ),
    (
        "device-gone",
        "a device was not seen for `forget_after`",
        &[],
    ),
    (
        "state-changed",
        "a device is in another state",
        &["from", "to", "why"],
    ),
    ("enrolled", "a device was given a credential", &["username"]),
    (
        "pairing-opened",
        "the owner opened a pairing window",
        &["until_ms"],
    ),
    (
        "paired",
        "what a device presented is its credential now",
        &["username", "weak"],
    ),
    (
        "pairing-cancelled",
        "the owner closed a pairing window",
        &[],
    ),
    (
        "pairing-expired",
        "the time of a pairing window is over",
        &[],
    ),
    (
        "imported",
        "accounts of another broker wait for their devices",
        &["count", "until_ms"],
    ),
    (
        "import-cancelled",
        "the owner took an account back that waited",
        &["username"],
    ),
    (
        "import-expired",
        "no device has claimed these accounts in time",
        &["usernames"],
    ),
    (
        "rotated",
        "a credential has a new password, and the old one works on",
        &["username", "until_ms"],
    ),
    (
        "rotation-ended",
        "the old password of a rotation has ended; `used`: because the new one was used",
        &["username", "used"],
    ),
    (
        "revoked",
        "a device's credential and certificates were taken away",
        &["username"],
    ),
    (
        "pushed",
        "a device was sent its settings over its web interface",
        &["firmware", "address", "failure"],
    ),
    (
        "push-failed",
        "that did not work, or not as a whole",
        &["firmware", "address", "failure"],
    ),
    (
        "certificate-issued",
        "a client certificate was made for a device",
        &["serial", "until_ms"],
    ),
    (
        "frame-dropped",
        "the kernel program dropped frames of a device",
        &[
            "reason",
            "dropped",
            "rejected",
            "destination",
            "port",
            "count",
            "found",
            "expected",
        ],
    ),
    (
        "frame-would-drop",
        "it would have, but for monitor mode or `bindings 'report'`",
        &[
            "reason",
            "dropped",
            "rejected",
            "destination",
            "port",
            "count",
            "found",
            "expected",
        ],
    ),
    (
        "exception-made",
        "the owner let unencrypted MQTT out for a time",
        &["exception", "destination", "port", "until_ms"],
    ),
    (
        "exception-withdrawn",
        "that was taken back, or found no room any more",
        &["exception", "destination", "port", "until_ms"],
    ),
    (
        "exception-expired",
        "the time of an exception is over",
        &["exception", "destination", "port", "until_ms"],
    ),
    (
        "bound",
        "a device is bound to its interface",
        &["interface"],
    ),
    (
        "not-bound",
        "a device's interface is not there or will not do",
        &["interface", "why"],
    ),
    (
        "connected",
        "a client is connected to the broker",
        &["client_id", "protocol", "address"],
    ),
    (
        "disconnected",
        "a client is not connected any more",
        &["client_id", "why"],
    ),
    (
        "login-refused",
        "a login was refused",
        &["username", "address", "why"],
    ),
    (
        "topic-refused",
        "a client asked for a topic that no grant covers",
        &["client_id", "access", "topic", "profile", "suppressed"],
    ),
    (
        "limit-met",
        "a client met a limit of the broker",
        &["client_id", "limit", "allowed"],
    ),
    (
        "memory",
        "the broker's memory has become short, or is no longer",
        &["pressure", "used", "allowed"],
    ),
    (
        "protocol-error",
        "a client broke the protocol",
        &["address", "packet", "what"],
    ),
    (
        "enforcement",
        "the kernel program came to or left an interface, or failed there",
        &["interface", "what", "detail"],
    ),
    (
        "fallback",
        "nftables stands in for the kernel program, or no longer, or fails to",
        &["what", "detail"],
    ),
    (
        "source-changed",
        "a source of sightings came or went",
        &["source", "up", "detail"],
    ),
    ("config-loaded", "a configuration is in force", &["file"]),
    (
        "config-refused",
        "a configuration has mistakes; the last good one stays in force",
        &["errors"],
    ),
    (
        "bridge-up",
        "a bridge is connected",
        &["bridge", "up", "detail"],
    ),
    (
        "bridge-down",
        "a bridge is not connected",
        &["bridge", "up", "detail"],
    ),
    (
        "bridge-trouble",
        "a bridge could not do all it was to",
        &["bridge", "detail"],
    ),
    (
        "uplift",
        "a device's connections were carried on over TLS",
        &["section", "destination", "port", "server", "count"],
    ),
    (
        "uplift-refused",
        "they were not",
        &["section", "destination", "port", "server", "why", "count"],
    ),
    (
        "uplift-ready",
        "devices are uplifted from now on",
        &["ready", "detail"],
    ),
    (
        "uplift-failed",
        "devices that are to be uplifted are cut off",
        &["ready", "detail"],
    ),
    (
        "mud-announced",
        "a device announces where its maker describes it (RFC 8520)",
        &["url"],
    ),
    (
        "mud-accepted",
        "the owner accepted what a maker says of a device; `signer`: if that is proven",
        &["url", "signer"],
    ),
    ("mud-forgotten", "the owner took that back", &["url"]),
    (
        "mud-changed",
        "an accepted description is another by now; the accepted one stays in force",
        &["url"],
    ),
    (
        "mud-failed",
        "an accepted description could not be fetched again; it stays in force",
        &["url", "why"],
    ),
    (
        "mud-resolved",
        "a name to which a description lets unencrypted MQTT out has these addresses now",
        &["host", "addresses"],
    ),
    (
        "mud-crowded",
        "the kernel program has no room for so many destinations of descriptions",
        &["count"],
    ),
    (
        "mud-outside",
        "a device tried to send unencrypted MQTT, of which its accepted description says nothing",
        &["url", "tls_only"],
    ),
    (
        "journal",
        "what the broker acknowledges outlives a crash; or what was restored after one",
        &["detail"],
    ),
    (
        "journal-trouble",
        "what the broker acknowledges does not outlive a crash",
        &["detail"],
    ),
    (
        "listening",
        "a listener was opened or lost",
        &["listener", "up", "detail"],
    ),
];
