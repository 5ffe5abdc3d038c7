//! What devices prove themselves with, and how it gets onto them.

use super::{AMBIGUOUS, Arg, BAD_TIME, DEVICE, FULL, Method, UNKNOWN};
use crate::ubus::ArgType;

const PROFILE: Arg = (
    "profile",
    ArgType::String,
    "name of a `profile` section; absent: the one it has, or the default",
);
const NO_PROFILE: (&str, &str) = ("INVALID_ARGUMENT", "there is no such profile");
const NO_CREDENTIAL: (&str, &str) = ("NOT_FOUND", "the device has no credential");
const NO_BROKER: (&str, &str) = (
    "SYSTEM_ERROR",
    "the broker is not running, or the system fails",
);
const CREDENTIAL: &str = "`mac`, `name`, `username`, `password` (shown this once), `profile`, \
    `state` (as in `devices`), `ended` (`username` and number of `certificates` of the credential that it had \
    before, if any), and where the broker is: `server`, `address`, `port`, `ca_file`";

pub(super) const METHODS: &[Method] = &[
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
            the password of before ends), `profile`, `suggested_profile`, `steps` (each `what`, `step`, \
            `method`, `path`, `sent` with `***` for secrets, `status`, `ok`; without the last two it was \
            not sent), `ok`, and `next` (what happens now, and `next_code`) or `why` (it did not work, and \
            `cause`); see [Codes](#codes)",
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
            what was noted. The notes outlast the daemon; while it is not there, the time does not run.",
        args: &[
            DEVICE,
            (
                "for",
                ArgType::Integer,
                "seconds, 60 to 604800; absent: only answers",
            ),
        ],
        returns: "`mac`, `name`, `since_ms`, `until_ms`, `gaps` (how often nothing could be noted, since the \
            daemon was not there), `last_gap` (`from_ms`, `to_ms`; null if there is none), what was noted, and \
            the proposed `profile` section beside the present one; with `warning` if `for` could not be \
            written down",
        errors: &[
            UNKNOWN,
            AMBIGUOUS,
            BAD_TIME,
            ("NOT_FOUND", "nothing is noted of it"),
            ("NO_MEMORY", "64 devices learn already"),
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
            already), `accounts` (`username`, `kind` of hash, `profile`, `mac`, `name`, `come`: \
            its device has it already, it stays as it is), `for_s`; once \
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
        errors: &[
            NO_BROKER,
            (
                "NOT_SUPPORTED",
                "less than a minute ago it was done already",
            ),
        ],
        example: "",
    },
    Method {
        name: "revoke",
        about: "Takes a device's credential and certificates away, closes its pairing window, cuts its \
            clients off, removes their sessions, and takes back what was accepted of what its maker says.",
        args: &[DEVICE],
        returns: "`mac`, `name`, `username` (the one that it had), `mud_forgotten` (the URL of what was \
            accepted)",
        errors: &[UNKNOWN, AMBIGUOUS, NO_CREDENTIAL],
        example: r#"{"device":"kitchen-plug"}"#,
    },
];
