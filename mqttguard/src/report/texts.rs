//! What a report says. A `%s` stands for a value; numbers come behind a colon, so that no language
//! needs to know how many there are.

/// A text with a `%s` for each value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Text(pub &'static str);

impl Text {
    /// Fills the places, in their order.
    pub(super) fn with<const N: usize>(self, values: [String; N]) -> Sentence {
        Sentence {
            text: self,
            values: values.into(),
        }
    }
}

/// A text and its values. The values may come from a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// The text.
    pub text: Text,
    /// What its places are filled with.
    pub values: Vec<String>,
}

impl From<Text> for Sentence {
    fn from(text: Text) -> Sentence {
        text.with([])
    }
}

macro_rules! texts {
    ($($name:ident = $text:literal;)*) => {
        $(pub(super) const $name: Text = Text($text);)*
        /// All of them.
        pub(super) const ALL: &[Text] = &[$($name),*];
    };
}

texts! {
    // With every report.
    NO_CERTIFICATE = "This report is no certification: it is what this router knows of the house, by \
        its own rules, and in words of its own.";
    WHAT_IS_JUDGED = "It is about MQTT and the devices that speak it. What only the maker of a device \
        can say is marked as outside of it.";

    // The guard.
    SWITCHED_OFF = "mqttguard is switched off: nothing is guarded.";
    MONITOR = "Monitor mode: unencrypted MQTT is counted and passes.";
    REDUCED = "Reduced protection: nftables stands in for the kernel program, and knows unencrypted \
        MQTT by its port alone.";
    CLOSED = "Where the kernel program does not stand, nothing is forwarded.";
    UNPROTECTED = "The router does not protect the house now.";
    PROBLEM = "In the daemon's words: %s.";
    NO_CONNECT = "Unencrypted MQTT on unusual ports is not looked for.";
    NO_WEBSOCKET = "Unencrypted MQTT over WebSocket is not looked for.";
    NO_MQTT_SN = "Unencrypted MQTT-SN is not looked for.";
    NO_BINDINGS = "A device may send from any place and with any address.";
    BINDINGS_REPORT = "Frames from a foreign interface or address are told of, and pass.";
    NO_FLOOD_QUARANTINE = "A device that floods is held to its limits, but never put in quarantine.";
    MANY_FAILURES = "A device may guess many passwords a minute before it is put in quarantine: %s.";
    GUESSING_STOPS = "Failed logins in a minute that put a device in quarantine: %s.";
    LIMITS_HOLD = "Every device is held to limits, by the kernel program and by the broker.";
    STANDS_ALONE = "The kernel program stays in force if the daemon dies.";
    UPLIFT_TROUBLE = "Devices that are to be carried on over TLS are cut off: %s.";
    UNSEEN = "Encrypted connections, tunnels and protocols other than MQTT are not looked into.";
    EVENTS_TELL = "Each refusal, flood and failed login is counted by device and told.";
    REDUCED_COUNTS = "nftables, which stands in for the kernel program, does not count by device.";
    HAVE_FLOODED = "Devices that have sent more than their limits allow: %s.";
    IN_QUARANTINE = "Devices in quarantine now: %s.";
    CAN_BE_CUT_OFF = "A device that cannot be mended can be blocked, and only its MQTT be quarantined.";

    // Plaintext that may leave.
    EXCEPTED_FOR_ALL = "Every device may send unencrypted MQTT to %s.";
    EXCEPTED_STRANGER = "%s, which is not there, may send unencrypted MQTT to %s.";
    PLAIN_BRIDGE = "The bridge %s goes to its server unencrypted.";
    ANYWHERE = "any address";

    // The broker and who gets in.
    NO_BROKER = "The broker does not run.";
    NO_ENCRYPTED_LISTENER = "No encrypted listener of the broker works.";
    BROKEN_LISTENER = "The listener %s does not work.";
    NEEDLESS_ISLAND = "The listener for unencrypted MQTT is on, and no device is allowed to use it.";
    ISLAND_OFF = "The broker listens encrypted alone.";
    ANY_ORIGIN = "Web pages from anywhere may connect to the listener %s. They still need a login.";
    NOBODY_WITHOUT = "The broker lets nobody in without a login, and each login only to its own topics.";
    FOREIGN_USERS = "Users that are no devices are let in by another service.";
    FOREIGN_USERS_PLAIN = "Their passwords go to that service unencrypted.";
    TOKENS = "Tokens of another issuer are taken as passwords.";
    OWN_PASSWORDS = "Devices with a credential of their own: %s.";
    ROUTER_PASSWORDS = "Passwords that this router makes are random, 128 bits long, and shown once.";
    PAIRED_UNKNOWN = "Whether a password that was taken over by pairing is used elsewhere too, the \
        router cannot know.";
    PAIRED_SHORT = "Of a password that was taken over by pairing the router has seen only whether it is \
        short, or the user name.";
    ALL_TOPICS = "Devices that may use all topics: %s. Only a hub such as Home Assistant needs that.";
    STRICT = "The broker takes no packet that breaks the MQTT standard, and none beyond its limits.";
    PAIRING_IS_NARROW = "A new device gets in only while the owner has a window open for it alone.";
    STORED_SAFELY = "The router keeps passwords as salted hashes, and keys where only root reads them.";
    REGISTRY_TROUBLE = "The registry of devices could not be read or written: %s.";
    CAN_BE_CHANGED = "The owner can give a device another password, or take it away, at any time.";
    CA_IS = "This router is known by the fingerprint of its certificate authority: %s.";
    ONLY_ROOT = "Only root, and who logs in to this web interface, changes anything.";
    SAFE_DEFAULTS = "An empty configuration is the safe one.";
    VERIFIABLE = "The overview says whether the house is protected, and why not; this report, what \
        stands open.";
    IN_FORCE = "The configuration has no mistakes and is in force.";
    MISTAKES = "The configuration has mistakes, and an earlier one is in force: %s.";
    AT_NEXT_START = "Settings that take force with the next start only: %s.";
    KNOWN_DEVICES = "Devices that the router knows: %s.";
    SILENT_SOURCE = "A source that says which devices there are is silent: %s.";
    NO_CLOUD = "The broker of the house needs no server elsewhere.";
    JOURNAL_TROUBLE = "What the broker acknowledges is lost in a crash: %s.";
    NO_DISK = "What the broker acknowledges outlives a crash, but no power cut.";
    ON_DISK = "What the broker acknowledges outlives a crash and a power cut.";
    FORGETS_PARTLY = "The router can take away a device's credential and sessions. Its name, and the \
        messages that it had retained, stay.";
    SENDS_NOTHING = "mqttguard itself sends nothing about the house to anybody.";
    UPLIFTED = "Devices whose unencrypted MQTT is carried on over TLS by this router: %s.";

    // Why an item does not hold for a device.
    WHY_NO_CREDENTIAL = "speaks MQTT, and has no credential of its own";
    WHY_ROAMING = "its credential is good from any other device too";
    WHY_WEAK = "its password is easily guessed";
    WHY_TWO_PASSWORDS = "its old password still works beside the new one";
    WHY_CERTIFICATE_OVER = "its certificate has expired";
    WHY_CERTIFICATE_ENDS = "days until its certificate expires: %s";
    WHY_ISLAND = "may use the listener for unencrypted MQTT, with its password";
    WHY_IN_CLEAR = "is connected unencrypted, with its password";
    WHY_EXCEPTED = "may send unencrypted MQTT to %s";
    WHY_SENDS_CLEAR = "sends unencrypted MQTT, and nothing stops it";
    WHY_TRIED_CLEAR = "has tried to send unencrypted MQTT, which was stopped";
    WHY_QUARANTINED = "is in quarantine";
    WHY_MISMATCH = "has sent from a foreign interface or address";

    // What mends it.
    DO_ENROL = "Enrol these devices.";
    DO_ROTATE = "Give these devices a new password.";
    DO_FINISH_ROTATION = "Put the new password into these devices.";
    DO_CERTIFY = "Give these devices a new certificate.";
    DO_BIND = "Bind the credentials to their devices: option roaming.";
    DO_WITHDRAW = "Withdraw what may leave unencrypted.";
    DO_ENCRYPT = "Move these devices to the encrypted listener.";
    DO_ENFORCE = "Switch from watching to enforcing: option mode.";
    DO_LOOK = "See what is wrong with the guard.";
    DO_DECIDE = "Decide about these devices.";
    DO_SETTLE = "Change these settings.";
    DO_MEND = "Mend the configuration.";

    // What the router cannot say.
    OUT_MAKER = "What the maker of a device does, the router cannot see.";
    OUT_UPDATES = "How devices are updated is between them and their makers: the router sees neither \
        their versions nor whether there are newer ones.";
    OUT_ROUTER_UPDATES = "How this router is kept up to date is not mqttguard's to say.";
    OUT_INSIDE = "What is inside a device, the router cannot see.";
    OUT_PAGES = "What devices offer on pages and ports of their own is not looked at.";
    OUT_PERSONAL = "What makers do with personal data, and what they say about it, the router cannot \
        see.";
    OUT_DOCUMENTS = "This asks for documents and people, not for what a router does.";
}
