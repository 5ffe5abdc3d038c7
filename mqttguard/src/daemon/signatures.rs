//! The methods of the `mqttguard` object, and what there is to know of each; [`super::methods`] has
//! what they do. `docs/ubus.md` is made of this table.

use crate::ubus::{ArgType, MethodSpec};

/// A method, as its callers need to know it.
pub(crate) struct Method {
    pub(crate) name: &'static str,
    /// What it does.
    pub(crate) about: &'static str,
    /// Its arguments: name, type, and what it means. None is mandatory on the wire.
    pub(crate) args: &'static [Arg],
    /// What it answers.
    pub(crate) returns: &'static str,
    /// When it fails, beside an argument of the wrong type: the status and why.
    pub(crate) errors: &'static [(&'static str, &'static str)],
    /// Arguments of a call, as `ubus call mqttguard NAME` takes them.
    pub(crate) example: &'static str,
}

/// Name, type and meaning of an argument.
pub(crate) type Arg = (&'static str, ArgType, &'static str);

const DEVICE: Arg = (
    "device",
    ArgType::String,
    "MAC address, name, user name or IP address; a MAC address need not have been seen yet",
);
const PROFILE: Arg = (
    "profile",
    ArgType::String,
    "name of a `profile` section; absent: the one it has, or the default",
);
const WHY: Arg = ("why", ArgType::String, "the reason, at most 200 bytes");
const DESTINATION: Arg = (
    "destination",
    ArgType::String,
    "an address or prefix; absent: any",
);
const PORT: Arg = ("port", ArgType::Integer, "TCP or UDP port; absent: all");

const UNKNOWN: (&str, &str) = ("NOT_FOUND", "no device fits `device`");
const AMBIGUOUS: (&str, &str) = ("INVALID_ARGUMENT", "several devices fit `device`");
const FULL: (&str, &str) = ("NO_MEMORY", "the registry is full");
const NO_PROFILE: (&str, &str) = ("INVALID_ARGUMENT", "there is no such profile");
const NO_CREDENTIAL: (&str, &str) = ("NOT_FOUND", "the device has no credential");
const BAD_TIME: (&str, &str) = ("INVALID_ARGUMENT", "the time is out of range");

const NO_BROKER: (&str, &str) = (
    "SYSTEM_ERROR",
    "the broker is not running, or the system fails",
);

const CREDENTIAL: &str = "`mac`, `name`, `username`, `password` (shown this once), `profile`, and where \
    the broker is: `server`, `address`, `port`, `ca_file`";

/// The object's methods.
pub(crate) const TABLE: &[Method] = &[
    Method {
        name: "status",
        about: "Whether the network is protected and how each part does.",
        args: &[],
        returns: "`protected`, `protection`, `why`, `mode`, and an object or list each for `kernel`, \
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
        returns: "`mac`, `name`, `hostname`, `addresses`, `interface`, `state`, `why`, `until_ms`, \
            `profile`, `vendor_class` (what it says over DHCP), `system` (what that means, if known), \
            `mud_url` (what it announces), `mud` (what is accepted of it, see `mud`), \
            `username`, `connected`, `first_seen_ms`, `last_seen_ms`, `frames`, `dropped`, \
            `reported`, `bound`, `exceptions`, `logins` (`failed`, and of the last that were told: `refused`, a \
            list of `why`, `count`, `last_ms`), `uplift`; `refused`: the last 16 different topics that it was \
            refused and would be refused now, the latest first, a list of `access` (`publish` or \
            `subscribe`), `topic`, `count` (of a client a few a second are told), `last_ms`, and `grant`, the \
            pattern that allows it, unless none can; `grants` (`publish`, `subscribe`): what its `device` \
            section grants beside its profile; `pairing` (`until_ms`, `left_s`) \
            while a window is open; `credential` (`issued_ms`, `weak`, `scram`, `old_until_ms` while a \
            rotation is under way, `certificates`); its last `events`",
        errors: &[UNKNOWN, AMBIGUOUS],
        example: r#"{"device":"kitchen-plug"}"#,
    },
    Method {
        name: "enrol",
        about: "Makes a credential for a device, in place of any it has, and shows it once. Clients \
            that are in by the old one are cut off at once; `rotate` is the gentle way.",
        args: &[
            DEVICE,
            PROFILE,
            (
                "username",
                ArgType::String,
                "1 to 63 letters, digits, '.', '_' or '-'; absent: the one it has, or its name",
            ),
        ],
        returns: CREDENTIAL,
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            NO_PROFILE,
            (
                "INVALID_ARGUMENT",
                "the user name cannot be one, or is another device's",
            ),
            FULL,
        ],
        example: r#"{"device":"02:c1:1e:17:00:01","profile":"sensor"}"#,
    },
    Method {
        name: "snippet",
        about: "What to set on an enrolled device, for the firmware that it runs, without its password.",
        args: &[
            DEVICE,
            (
                "firmware",
                ArgType::String,
                "name of a firmware, such as `tasmota`; absent: the one it seems to run",
            ),
        ],
        returns: "`mac`, `name`, `firmware`, and `snippets`: a list of what to set, ready to copy",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            NO_CREDENTIAL,
            ("INVALID_ARGUMENT", "there is no such firmware"),
        ],
        example: r#"{"device":"kitchen-plug","firmware":"tasmota"}"#,
    },
    Method {
        name: "push",
        about: "Sets the broker and the login on a device over its own web interface (Tasmota, OpenBeken, \
            Shelly of the second generation and later), by a credential that is made or rotated for it. \
            Answers when it is done, within 19 s. What goes wrong before the new password was sent takes \
            that back; afterwards the old one works on as after `rotate`.",
        args: &[
            (
                "device",
                ArgType::String,
                "MAC address, name, user name or IP address; one of its addresses if it has several",
            ),
            (
                "firmware",
                ArgType::String,
                "`tasmota`, `openbeken` or `shelly`; absent: the one it seems to run",
            ),
            (
                "user",
                ArgType::String,
                "user name of the device's web interface; absent: `admin`",
            ),
            (
                "password",
                ArgType::String,
                "password of the device's web interface, if it asks for one",
            ),
            (
                "profile",
                ArgType::String,
                "name of a `profile` section, for a device without a credential; absent: the default",
            ),
            (
                "dry_run",
                ArgType::Boolean,
                "true: only asks the device, and tells what would be sent",
            ),
        ],
        returns: "`mac`, `name`, `firmware`, `address`, `dry_run`, `tls`, `username`, `old_until_ms` (when \
            the password of before ends), `profile`, `suggested_profile`, `steps` (each `what`, `method`, \
            `path`, `sent` with `***` for secrets, `status`, `ok`; without the last two it was not sent), \
            `ok`, and `next` (what happens now) or `why` (it did not work)",
        errors: &[
            UNKNOWN,
            (
                "INVALID_ARGUMENT",
                "several devices fit `device`, or the device has several addresses; there is no such \
                 firmware or profile",
            ),
            (
                "NOT_SUPPORTED",
                "the firmware takes no push or is not known; no address of the device is known, or it is \
                 in no guarded network; the device is blocked or in quarantine",
            ),
            (
                "NO_MEMORY",
                "a push to the device, or 4 to others, are under way",
            ),
            (
                "SYSTEM_ERROR",
                "the broker is not running, or the system fails",
            ),
        ],
        example: r#"{"device":"kitchen-plug","firmware":"tasmota","dry_run":true}"#,
    },
    Method {
        name: "learn",
        about: "With `for`, notes what the device is refused from now on; without, proposes a profile of \
            what was noted.",
        args: &[
            DEVICE,
            (
                "for",
                ArgType::Integer,
                "seconds, 60 to 604800; absent: only answers",
            ),
        ],
        returns: "`mac`, `name`, what was noted, and the proposed `profile` section beside the present one",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            BAD_TIME,
            ("NOT_FOUND", "nothing was noted since the daemon started"),
        ],
        example: r#"{"device":"kitchen-plug","for":86400}"#,
    },
    Method {
        name: "pair",
        about: "Opens a window in which the user name and password that the device presents become its \
            credential. Ends a quarantine of the device.",
        args: &[
            DEVICE,
            PROFILE,
            ("for", ArgType::Integer, "seconds, 10 to 900; absent: 120"),
            (
                "cancel",
                ArgType::Boolean,
                "true: closes the window instead",
            ),
        ],
        returns: "`mac`, `name`, `until_ms`, `for_s`, `profile`, `shared_by` (several IPv4 addresses, if \
            the MAC address has more than one: then it is most likely a repeater's), `server`, \
            `address`, `port`, `ca_file`; or `cancelled`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            NO_PROFILE,
            BAD_TIME,
            ("NOT_FOUND", "`cancel`, and no window is open"),
            ("NOT_SUPPORTED", "the device is blocked"),
            ("NO_MEMORY", "8 windows are open, or the registry is full"),
        ],
        example: r#"{"device":"kitchen-plug","for":120}"#,
    },
    Method {
        name: "rotate",
        about: "Gives a credential a new password. The old one works until the new one was used once, \
            or until the overlap ends.",
        args: &[
            DEVICE,
            (
                "overlap",
                ArgType::Integer,
                "seconds, 60 to 2592000; absent: 604800 (7 days)",
            ),
        ],
        returns: "as `enrol`, and `old_until_ms`",
        errors: &[UNKNOWN, AMBIGUOUS, NO_CREDENTIAL, BAD_TIME],
        example: r#"{"device":"kitchen-plug","overlap":86400}"#,
    },
    Method {
        name: "certificate",
        about: "Makes a client certificate for a device, and a key (ECDSA P-256) unless `csr` has one, and \
            shows them once. A device without a credential is enrolled; its password is told nobody. At most 4 are good \
            for a device: one more revokes the oldest. Listeners with `client_certificate` take them.",
        args: &[
            DEVICE,
            PROFILE,
            (
                "for",
                ArgType::Integer,
                "seconds, 86400 to 315360000; absent: 71280000 (825 days)",
            ),
            (
                "csr",
                ArgType::String,
                "a request (PKCS #10) in PEM, signed with its own key: ECDSA P-256 or P-384, Ed25519, or \
                 RSA of 2048 to 4096 bits. Only the key is taken from it",
            ),
        ],
        returns: "`mac`, `name`, `username` (its common name), `serial`, `until_ms`, `certificate` and, \
            without `csr`, `key` in PEM, and where the broker is: `server`, `address`, `port`, `ca_file`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            NO_PROFILE,
            BAD_TIME,
            FULL,
            (
                "INVALID_ARGUMENT",
                "`csr` is none, its signature is wrong, or its key is of another kind",
            ),
            NO_BROKER,
        ],
        example: r#"{"device":"kitchen-plug"}"#,
    },
    Method {
        name: "import",
        about: "Takes accounts of mosquitto in. They wait for their devices: whichever device shows an \
            account's password first, or the one that is named for it, has it as its credential from \
            then on, as if paired. All or none; without `apply` nothing changes.",
        args: &[
            (
                "accounts",
                ArgType::Array,
                "tables of `username`, `hash` (`$7$` or `$6$`, as mosquitto_passwd writes it) and, as \
                 far as wanted, `device` (the only one that may have it) and `profile`; at most 256 \
                 can wait",
            ),
            (
                "for",
                ArgType::Integer,
                "seconds, 60 to 2592000; absent: 604800 (7 days)",
            ),
            ("apply", ArgType::Boolean, "true: does it"),
            (
                "forget",
                ArgType::String,
                "instead: user name of an account that is to wait no longer",
            ),
        ],
        returns: "`ok`, `applied`, `errors` (one line a mistake, in `accounts` or with what there is \
            already), `accounts` (`username`, `kind` of hash, `profile`, `mac`, `name`), `for_s`; once \
            applied `until_ms`, `server`, `port`, `ca_file`; or `forgotten`",
        errors: &[
            ("INVALID_ARGUMENT", "`accounts` is empty"),
            BAD_TIME,
            ("NOT_FOUND", "`forget`, and no such account waits"),
        ],
        example: r#"{"accounts":[{"username":"plug","hash":"$7$101$..."}],"for":86400}"#,
    },
    Method {
        name: "export",
        about: "All credentials, as mosquitto can take them: what their passwords are checked against, and \
            their topics with the variables of the profile replaced. Not to be given to anybody.",
        args: &[],
        returns: "`accounts`: a list of `username`, `hash` (while a rotation is under way that of the old \
            password), `rotating`, `mac`, `name`, `profile`, `publish`, `subscribe`, `deny`, and \
            `left_out` (patterns that depend on the client identifier)",
        errors: &[],
        example: "",
    },
    Method {
        name: "ca",
        about: "The router's own certificates: what clients are given to trust, and the fingerprints \
            to compare with.",
        args: &[],
        returns: "`ca` and `client_ca` (of those that `certificate` makes), each with `pem`, `sha256`, \
            `sha1`, `until_ms`; `leaves`: a list of what the broker serves with, each with `key` \
            (`ecdsa-p256` or `rsa-2048`), `sha256`, `sha1`, `until_ms`; `names` that they carry",
        errors: &[NO_BROKER],
        example: "",
    },
    Method {
        name: "renew",
        about: "Makes the broker's certificates anew, with the keys that they have: what is pinned by \
            its key still holds, a fingerprint of the certificate does not. Happens by itself when \
            the router's names or addresses change, and in their last year.",
        args: &[],
        returns: "as `ca`",
        errors: &[NO_BROKER],
        example: "",
    },
    Method {
        name: "revoke",
        about: "Takes a device's credential and certificates away, closes its pairing window, cuts its \
            clients off and removes their sessions.",
        args: &[DEVICE],
        returns: "`mac`, `name`, `username` (the one that it had)",
        errors: &[UNKNOWN, AMBIGUOUS, NO_CREDENTIAL],
        example: r#"{"device":"kitchen-plug"}"#,
    },
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
    Method {
        name: "mud",
        about: "Fetches what a device's maker says that it needs (RFC 8520), verifies who signed that, and \
            shows it; with `accept`, puts in force what was shown last. Without `url`, it is at the URL \
            that the device announces over DHCP.",
        args: &[
            DEVICE,
            (
                "url",
                ArgType::String,
                "where the MUD file is, https only, at most 255 bytes; may name a host of the house",
            ),
            (
                "accept",
                ArgType::Boolean,
                "true: puts it in force; without `url`, what was shown last",
            ),
            (
                "unverified",
                ArgType::Boolean,
                "with `accept`: even if it is not signed, or by one whom no trusted authority knows",
            ),
            (
                "sha256",
                ArgType::String,
                "with `accept`: only if it is this very file",
            ),
            (
                "forget",
                ArgType::Boolean,
                "true: takes back what was accepted instead",
            ),
        ],
        returns: "`mac`, `name`, `url`, `by_hand` (the URL was), `sha256`, `signature` (`state`: `valid`, \
            `unknown`, `absent` or `invalid`; `signer`, `why`), `acceptable` (`yes`, `unverified`, `no`), \
            `accepted` (this very file is), `accepted_ms`, `accepted_sha256` (if another is), \
            `systeminfo`, `mfg_name`, `model_name`, `last_update`, `is_supported`, `cache_validity_h`, \
            `tls_only`, `needs` (a list of `says`, `taken`, `why`), `exceptions` (`to`, `port`); or \
            `forgotten`",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            (
                "NOT_FOUND",
                "it announces no URL and none was given; `accept`, and nothing was shown; `forget`, and \
                 nothing is accepted",
            ),
            ("INVALID_ARGUMENT", "`url` or `sha256` does not fit"),
            (
                "NOT_SUPPORTED",
                "the signature is not valid, or `unverified` is needed",
            ),
            ("NO_MEMORY", "64 files are accepted"),
            (
                "SYSTEM_ERROR",
                "the file cannot be fetched or read, or 4 are being fetched; or it cannot be written \
                 down that it is accepted",
            ),
        ],
        example: r#"{"device":"kitchen-plug","url":"https://maker.example/plug.json"}"#,
    },
    Method {
        name: "sighting",
        about: "What a device told the DHCP server of itself: for the hotplug script of the package. What \
            is no printable text, and no URL of HTTPS, is left out.",
        args: &[
            ("mac", ArgType::String, "the device's MAC address"),
            (
                "vendor_class",
                ArgType::String,
                "DHCP option 60, at most 255 bytes",
            ),
            (
                "mud_url",
                ArgType::String,
                "DHCP option 161 (RFC 8520 section 10), at most 255 bytes",
            ),
        ],
        returns: "nothing",
        errors: &[("INVALID_ARGUMENT", "`mac` is no device's")],
        example: r#"{"mac":"02:c1:1e:17:00:01","vendor_class":"udhcp 1.36.1"}"#,
    },
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
            (frames dropped for unencrypted MQTT), `floods` (for a limit), `other` (for any other reason), \
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
    Method {
        name: "check",
        about: "Reads the configuration file and lists every mistake in it. Nothing takes force.",
        args: &[],
        returns: "`file`, `ok`, `errors`",
        errors: &[],
        example: "",
    },
    Method {
        name: "reload",
        about: "Puts the configuration file into force, or says what is wrong with it.",
        args: &[],
        returns: "`ok`, `errors`, `at_next_start` (what takes force with the next start only)",
        errors: &[],
        example: "",
    },
];

/// The most arguments that a method has.
const MOST: usize = 8;

/// Name and type of the arguments, beside one another as [`MethodSpec`] wants them.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
const ARGS: [[(&str, ArgType); MOST]; TABLE.len()] = {
    let mut all = [[("", ArgType::String); MOST]; TABLE.len()];
    let mut method = 0;
    while method < TABLE.len() {
        let args = TABLE[method].args;
        let mut arg = 0;
        while arg < args.len() {
            all[method][arg] = (args[arg].0, args[arg].1);
            arg += 1;
        }
        method += 1;
    }
    all
};
static ALL_ARGS: [[(&str, ArgType); MOST]; TABLE.len()] = ARGS;

/// The object's methods, as `ubus -v list mqttguard` shows them.
#[allow(
    clippy::indexing_slicing,
    reason = "evaluated by the compiler, which refuses what is out of bounds"
)]
pub(crate) static METHODS: [MethodSpec; TABLE.len()] = {
    let mut methods = [MethodSpec {
        name: "",
        args: &[],
    }; TABLE.len()];
    let mut method = 0;
    while method < TABLE.len() {
        let (args, _) = ALL_ARGS[method].split_at(TABLE[method].args.len());
        methods[method] = MethodSpec {
            name: TABLE[method].name,
            args,
        };
        method += 1;
    }
    methods
};
