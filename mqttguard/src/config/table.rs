//! Every section and option there is, in one place: validation, typed access and
//! `docs/configuration.md` all come from here.

use std::time::Duration;

use mqttguard_broker::OverRate;

use super::kinds::*;
use super::names::*;
use super::schema::{Absent, Naming, Opt, Section};
use super::settings::{Bindings, BridgeProtocol, Hook, ListenerKind, Mode, OnError, Verdict};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Rows of the table: `NAME: Kind = "option" value, absent, help;`.
macro_rules! options {
    ($($name:ident: $kind:ty = $shape:ident $option:literal $value:expr, $absent:expr, $help:literal;)*) => {
        $(pub(super) static $name: Opt<$kind> = Opt {
            name: $option,
            kind: $value,
            list: options!(@$shape),
            absent: $absent,
            help: $help,
        };)*
    };
    (@one) => { false };
    (@many) => { true };
}

pub(super) static SECTIONS: &[&Section] = &[
    &MAIN,
    &LISTENER,
    &PROFILE,
    &LIMITS,
    &EXCEPTION,
    &BRIDGE,
    &UPLIFT,
    &DEVICE_SECTION,
    &JWT,
    &HTTP_AUTH,
];

pub(super) static MAIN: Section = Section {
    kind: "mqttguard",
    naming: Naming::Only("main"),
    max: 1,
    help: "What holds for the whole router.",
    options: &[
        &ENABLED,
        &MODE,
        &VERDICT,
        &ON_ERROR,
        &BINDINGS,
        &NETWORKS,
        &DEVICES,
        &HOOK,
        &DEFAULT_PROFILE,
        &PLAINTEXT_PORTS,
        &DETECT_CONNECT,
        &DETECT_WEBSOCKET,
        &MQTT_SN,
        &QUARANTINE,
        &LOGIN_FAILURES,
        &FLOOD_SECONDS,
        &FORGET_AFTER,
        &MAIN_HOSTNAME,
        &SYS_INTERVAL,
        &DATA_DIR,
        &RUN_DIR,
        &PERSIST,
        &BPF_DIR,
        &LEASE_FILE,
    ],
};

options! {
    ENABLED: Bool = one "enabled" Bool, Absent::Is("1"),
        "Off: nothing is guarded and the broker is closed; the daemon only answers on ubus.";
    MODE: Choice<Mode> = one "mode"
        Choice(&[("enforce", Mode::Enforce), ("monitor", Mode::Monitor)]), Absent::Is("enforce"),
        "`monitor` lets pass what `enforce` would drop, and reports it.";
    VERDICT: Choice<Verdict> = one "verdict"
        Choice(&[("reject", Verdict::Reject), ("drop", Verdict::Drop)]), Absent::Is("reject"),
        "What happens to plaintext MQTT over TCP. `reject` answers with a reset, so that the device \
         knows at once; where the hook cannot answer, and for all else, it is `drop`.";
    ON_ERROR: Choice<OnError> = one "on_error"
        Choice(&[("open", OnError::Open), ("closed", OnError::Closed)]), Absent::Is("open"),
        "What happens to devices that the kernel program cannot guard, because it is refused or \
         stands on none of their interfaces. `open` forwards what they send, except plaintext MQTT \
         as nftables can tell it: by port. `closed` forwards nothing; they still reach the router.";
    BINDINGS: Choice<Bindings> = one "bindings"
        Choice(&[
            ("off", Bindings::Off), ("report", Bindings::Report), ("drop", Bindings::Drop),
        ]),
        Absent::Is("report"),
        "What happens to frames of a device from another interface than its `device` section names, \
         or from another IPv4 address than its lease.";
    NETWORKS: Text = many "network" NETWORK,
        Absent::Means("`lan`, unless `device` is given"),
        "OpenWrt networks whose devices are guarded.";
    DEVICES: Text = many "device" DEVICE, Absent::Means("none"),
        "Linux devices to guard beside those of `network`. A bridge stands for its ports.";
    HOOK: Choice<Hook> = one "hook"
        Choice(&[
            ("auto", Hook::Auto), ("xdp", Hook::Xdp), ("xdp-generic", Hook::XdpGeneric),
            ("tc", Hook::Tc),
        ]),
        Absent::Is("auto"),
        "Where the kernel program attaches. `auto` takes native XDP where the driver has it, \
         else TC. `xdp-generic` costs GRO on the device.";
    DEFAULT_PROFILE: Ref = one "profile" Ref("profile"), Absent::Is("device"),
        "Profile of devices that have no other.";
    PLAINTEXT_PORTS: Port = many "plaintext_port" Port("TCP"), Absent::Is("1883"),
        "TCP ports that are plaintext MQTT whatever is said on them.";
    DETECT_CONNECT: Bool = one "detect_connect" Bool, Absent::Is("1"),
        "Catch a plaintext MQTT CONNECT on every other TCP port too.";
    DETECT_WEBSOCKET: Bool = one "detect_websocket" Bool, Absent::Is("1"),
        "Catch MQTT over a WebSocket that is not encrypted, on every TCP port.";
    MQTT_SN: Bool = one "mqtt_sn" Bool, Absent::Is("1"), "Catch MQTT-SN (UDP port 1883).";
    QUARANTINE: Time = one "quarantine" Time { min: Duration::from_secs(10), max: DAY.saturating_mul(30) },
        Absent::Is("10m"), "How long a quarantine lasts.";
    LOGIN_FAILURES: Number = one "login_failures"
        Number { min: 1, max: 1000, of: "failed logins in a minute" }, Absent::Is("5"),
        "Failed logins within a minute that put a device in quarantine.";
    FLOOD_SECONDS: Number = one "flood_seconds"
        Number { min: 0, max: 60, of: "seconds" }, Absent::Is("10"),
        "Seconds within a minute in which a device exceeded its kernel limits that put it in \
         quarantine; 0 for never.";
    FORGET_AFTER: Time = one "forget_after" Time { min: MINUTE, max: DAY.saturating_mul(3650) },
        Absent::Is("30d"), "A device not seen for this long is shown as gone.";
    // A stock router answers to this name on its LAN without a change to dnsmasq.
    MAIN_HOSTNAME: Text = one "hostname" HOSTNAME, Absent::Is("openwrt.lan"),
        "The name under which devices reach this router. It goes into the broker's certificate, \
         beside the router's addresses, and into what `enrol` hands out.";
    SYS_INTERVAL: Time = one "sys_interval" Time { min: Duration::ZERO, max: MINUTE.saturating_mul(60) },
        Absent::Is("10s"),
        "How often the broker brings its state up to date in the topics `$SYS/broker/...`, which have \
         mosquitto's names; `0s` for never. Only profiles that grant `$SYS/...` read them.";
    DATA_DIR: Path = one "data_dir" Path, Absent::Is("/etc/mqttguard"),
        "Certificates, keys and the registry of devices. Must survive a reboot. A change takes force \
         with the next start.";
    RUN_DIR: Path = one "run_dir" Path, Absent::Is("/var/run/mqttguard"),
        "A directory in memory, for what outlives a crash of the broker but not of the router: \
         sessions, their messages, retained messages. A change takes force with the next start.";
    PERSIST: Path = one "persist" Path, Absent::Means("they outlive no power cut"),
        "A directory on a disk where these are kept instead, so that they outlive a power cut and \
         a reboot. Every acknowledgement then waits for the disk; the router's own flash wears out \
         of it. The directory above it must be there. A change takes force with the next start.";
    BPF_DIR: Path = one "bpf_dir" Path, Absent::Is("/sys/fs/bpf/mqttguard"),
        "Where the kernel program is pinned, in a BPF file system. A change takes force with the next \
         start.";
    LEASE_FILE: Path = one "lease_file" Path, Absent::Is("/tmp/dhcp.leases"),
        "dnsmasq's lease file.";
}

pub(super) static LISTENER: Section = Section {
    kind: "listener",
    naming: Naming::Named,
    max: 16,
    help: "A TCP port on which the broker listens.",
    options: &[
        &LISTENER_ENABLED,
        &LISTENER_KIND,
        &LISTENER_ADDRESSES,
        &LISTENER_PORT,
        &LISTENER_CONNECTIONS,
        &RECORD_SIZE_OPTION,
        &CLIENT_CA,
        &CLIENT_CRL,
        &CLIENT_CERTIFICATE,
        &ORIGINS,
    ],
};

options! {
    LISTENER_ENABLED: Bool = one "enabled" Bool, Absent::Is("1"), "Off: as if it were not there.";
    LISTENER_KIND: Choice<ListenerKind> = one "kind"
        Choice(&[
            ("tls", ListenerKind::Tls), ("wss", ListenerKind::Wss), ("plain", ListenerKind::Plain),
        ]),
        Absent::Is("tls"),
        "`tls` is MQTT over TLS, `wss` MQTT over WebSocket over TLS, for browsers. `plain` is MQTT in \
         the clear, only for devices with `option plaintext '1'`.";
    LISTENER_ADDRESSES: Address = many "address" Address, Absent::Means("all addresses"),
        "Addresses of this router to listen on.";
    LISTENER_PORT: Port = one "port" Port("TCP"),
        Absent::Means("8883 for `tls`, 8884 for `wss`, 1883 for `plain`"),
        "The TCP port.";
    LISTENER_CONNECTIONS: Number = one "connections"
        Number { min: 1, max: 10_000, of: "connections" }, Absent::Is("500"),
        "Connections at the same time.";
    RECORD_SIZE_OPTION: Size = one "record_size" Size { min: 512, max: 16 << 10, per: "" },
        Absent::Is("4k"),
        "The longest TLS record that the broker sends, all included. Clients with TLS buffers of 1 KiB \
         (ESP8266, Tasmota) need `1k`.";
    CLIENT_CA: Path = one "client_ca" Path, Absent::Means("clients are not asked for a certificate"),
        "A PEM file with the CAs whose certificates clients may log in with. The account is the one \
         whose user name is the certificate's common name (CN); it needs no password then. A user \
         name in the CONNECT has to be the same.";
    CLIENT_CRL: Path = many "client_crl" Path, Absent::Means("no certificate is revoked"),
        "PEM files with revocation lists. If there is any, every CA in a client's chain needs one: \
         what cannot be looked up is refused. One past its next update still counts.";
    CLIENT_CERTIFICATE: Choice<bool> = one "client_certificate"
        Choice(&[("optional", false), ("required", true)]), Absent::Is("optional"),
        "With `required`, clients without a certificate are refused, whatever password they have.";
    ORIGINS: Text = many "origin" ORIGIN,
        Absent::Means("pages from the broker's own host name or address"),
        "Origins of web pages that may connect to a `wss` listener, beside those from the same host \
         (any port). `*` is every page. Clients that are no browsers name no origin and are not held \
         to this.";
}

pub(super) static PROFILE: Section = Section {
    kind: "profile",
    naming: Naming::Named,
    max: 64,
    help: "What a device may do in MQTT. What no pattern covers is refused. In patterns `%d` is \
           the device's name, `%u` its user name, `%c` the client identifier, `%m` its MAC \
           address as Tasmota writes it (`02C11E170001`) and `%%` a percent sign. The device chooses its client identifier: a pattern that only `%c` ties to \
           the device ties nothing.",
    options: &[&PUBLISH, &SUBSCRIBE, &DENY, &PROFILE_LIMITS],
};

options! {
    PUBLISH: Pattern = many "publish" Pattern { dollar: false, variables: true }, Absent::Means("nothing"),
        "Topics the device may publish to.";
    SUBSCRIBE: Pattern = many "subscribe" Pattern { dollar: true, variables: true }, Absent::Means("nothing"),
        "Topics the device may subscribe to. A wider subscription is refused.";
    DENY: Pattern = many "deny" Pattern { dollar: true, variables: true }, Absent::Means("nothing"),
        "Topics out of reach although the patterns above cover them: not to be published to, and \
         left out of what a wider subscription brings.";
    PROFILE_LIMITS: Ref = one "limits" Ref("limits"), Absent::Is("default"),
        "The limits of devices with this profile.";
}

pub(super) static LIMITS: Section = Section {
    kind: "limits",
    naming: Naming::Named,
    max: 64,
    help: "What one device may use. `kernel_` options are enforced on every frame it sends; the \
           others by the broker on what it says in MQTT.",
    options: &[
        &KERNEL_PACKETS,
        &KERNEL_BYTES,
        &KERNEL_CONNECTIONS,
        &KERNEL_UDP,
        &KERNEL_BROADCASTS,
        &PACKET_SIZE,
        &MESSAGES,
        &BYTES,
        &OVER_RATE,
        &BURST,
        &CONNECTIONS,
        &SUBSCRIPTIONS,
        &TOPIC_LENGTH,
        &TOPIC_LEVELS,
        &USER_PROPERTIES,
        &WILL_SIZE,
        &IN_FLIGHT,
        &QUEUE_MESSAGES,
        &QUEUE_BYTES,
        &RETAINED_MESSAGES,
        &RETAINED_BYTES,
        &SESSION_EXPIRY,
    ],
};

options! {
    // These hold for every phone, laptop and television too, so they stand above what an
    // honest host does and below what a flood does. A copy to another host at 2.5 Gbit/s is
    // 203,000 full frames and 310 MB a second; a flood of smallest frames on a link of 1 Gbit/s
    // is 1,488,000. Browsers and file sharing open some 100 connections a second at their
    // worst, a SYN flood or scan ten thousands.
    KERNEL_PACKETS: Number = one "kernel_packets_per_s"
        Number { min: 10, max: 10_000_000, of: "packets a second" }, Absent::Is("250000"),
        "Packets a second that the device may send.";
    KERNEL_BYTES: Size = one "kernel_bytes_per_s"
        Size { min: 1 << 10, max: 4095 << 20, per: " a second" }, Absent::Is("400M"),
        "Bytes a second that the device may send, Ethernet headers included. A host with a link \
         of 5 or 10 Gbit/s needs more than the default.";
    KERNEL_CONNECTIONS: Number = one "kernel_connections_per_s"
        Number { min: 1, max: 1_000_000, of: "connections a second" }, Absent::Is("500"),
        "New TCP connections a second.";
    // A file share over UDP fills a link as one over TCP does.
    KERNEL_UDP: Number = one "kernel_udp_per_s"
        Number { min: 1, max: 10_000_000, of: "packets a second" }, Absent::Is("250000"),
        "UDP packets a second that the device may send.";
    // Everybody has to listen to these, over Wi-Fi at the lowest rate. A television channel by
    // multicast is some 1,500 a second, discovery a few dozens at its worst.
    KERNEL_BROADCASTS: Number = one "kernel_broadcasts_per_s"
        Number { min: 1, max: 1_000_000, of: "frames a second" }, Absent::Is("5000"),
        "Broadcast and multicast frames a second that the device may send, ARP included.";
    PACKET_SIZE: Size = one "packet_size" Size { min: 512, max: 16 << 20, per: "" },
        Absent::Is("64k"), "The largest MQTT packet. Cameras that send pictures need `2M`.";
    MESSAGES: Number = one "messages_per_s"
        Number { min: 1, max: 100_000, of: "messages a second" }, Absent::Is("100"),
        "PUBLISH packets a second, averaged over `burst`.";
    BYTES: Size = one "bytes_per_s" Size { min: 64, max: 1 << 30, per: " a second" },
        Absent::Is("256k"), "Bytes a second from the device, averaged over `burst`.";
    OVER_RATE: Choice<OverRate> = one "over_rate"
        Choice(&[("pace", OverRate::Pace), ("refuse", OverRate::Refuse)]), Absent::Is("pace"),
        "What a device meets above `messages_per_s`. `pace` reads from it no faster than that, and \
         loses nothing. `refuse` answers a client of MQTT 5 that its quota is exceeded (0x97), and \
         drops QoS 0; older clients cannot be told and are paced.";
    BURST: Time = one "burst" Time { min: Duration::from_secs(1), max: MINUTE.saturating_mul(10) },
        Absent::Is("10s"), "How long the device may run above its rates after a quiet time.";
    CONNECTIONS: Number = one "connections" Number { min: 1, max: 1000, of: "connections" },
        Absent::Is("4"), "MQTT connections at the same time.";
    SUBSCRIPTIONS: Number = one "subscriptions"
        Number { min: 0, max: 100_000, of: "subscriptions" }, Absent::Is("100"),
        "Subscriptions of one session.";
    TOPIC_LENGTH: Number = one "topic_length" Number { min: 1, max: 65_535, of: "bytes" },
        Absent::Is("512"), "Bytes of a topic.";
    TOPIC_LEVELS: Number = one "topic_levels" Number { min: 1, max: 128, of: "levels" },
        Absent::Is("16"), "Levels in a topic.";
    USER_PROPERTIES: Number = one "user_properties" Number { min: 0, max: 10_000, of: "properties" },
        Absent::Is("32"), "User properties (MQTT 5) of one message or will.";
    WILL_SIZE: Size = one "will_size" Size { min: 0, max: 64 << 10, per: "" },
        Absent::Is("4k"), "Bytes of a will: its topic, properties and payload.";
    IN_FLIGHT: Number = one "in_flight" Number { min: 1, max: 65_535, of: "messages" },
        Absent::Is("20"), "QoS 1 and 2 messages under way at the same time, in each direction.";
    QUEUE_MESSAGES: Number = one "queue_messages"
        Number { min: 1, max: 1_000_000, of: "messages" }, Absent::Is("1000"),
        "Messages waiting for one session.";
    QUEUE_BYTES: Size = one "queue_bytes" Size { min: 512, max: 256 << 20, per: "" },
        Absent::Is("512k"), "Bytes of the messages waiting for one session.";
    RETAINED_MESSAGES: Number = one "retained_messages"
        Number { min: 0, max: 1_000_000, of: "messages" }, Absent::Is("200"),
        "Retained messages of the device.";
    RETAINED_BYTES: Size = one "retained_bytes" Size { min: 0, max: 256 << 20, per: "" },
        Absent::Is("512k"), "Bytes of the device's retained messages.";
    SESSION_EXPIRY: Time = one "session_expiry"
        Time { min: Duration::ZERO, max: DAY.saturating_mul(365) }, Absent::Is("7d"),
        "Longest time that a session outlives its connection.";
}

pub(super) static EXCEPTION: Section = Section {
    kind: "exception",
    naming: Naming::Free,
    max: 64,
    help: "Plaintext MQTT that may leave.",
    options: &[&EXCEPTION_DESTINATION, &EXCEPTION_MAC, &EXCEPTION_PORT],
};

options! {
    EXCEPTION_DESTINATION: Prefix = one "destination" Prefix, Absent::Mistake,
        "Where it may go.";
    EXCEPTION_MAC: MacAddress = one "mac" MacAddress, Absent::Means("every device"),
        "The only device that may.";
    EXCEPTION_PORT: Port = one "port" Port("TCP or UDP"), Absent::Means("every port"),
        "The only destination port.";
}

pub(super) static BRIDGE: Section = Section {
    kind: "bridge",
    naming: Naming::Named,
    max: 8,
    help: "Another MQTT server that topics go to and come from. What cannot go now waits, at QoS 1 \
           and 2, as `limits` has it.",
    options: &[
        &BRIDGE_ENABLED,
        &BRIDGE_HOST,
        &BRIDGE_PORT,
        &BRIDGE_TLS,
        &BRIDGE_CA,
        &BRIDGE_CERTIFICATE,
        &BRIDGE_KEY,
        &BRIDGE_USERNAME,
        &BRIDGE_PASSWORD_FILE,
        &BRIDGE_CLIENT_ID,
        &BRIDGE_PROTOCOL,
        &BRIDGE_KEEPALIVE,
        &BRIDGE_OUT,
        &BRIDGE_IN,
        &BRIDGE_LOCAL_PREFIX,
        &BRIDGE_REMOTE_PREFIX,
        &BRIDGE_QOS,
        &BRIDGE_LIMITS,
    ],
};

options! {
    BRIDGE_ENABLED: Bool = one "enabled" Bool, Absent::Is("1"),
        "Off: as if it were not there; what waits for it is given up.";
    BRIDGE_HOST: Host = one "host" Host, Absent::Mistake,
        "The server's name or address. Its certificate has to be for it.";
    BRIDGE_PORT: Port = one "port" Port("TCP"), Absent::Means("8883, or 1883 without TLS"),
        "The server's port.";
    BRIDGE_TLS: Bool = one "tls" Bool, Absent::Is("1"),
        "Off: everything, the password too, crosses the network in the clear.";
    BRIDGE_CA: Path = one "ca" Path, Absent::Is("/etc/ssl/certs/ca-certificates.crt"),
        "Certificates of the authorities that the server's certificate may come from, in PEM. The \
         default is that of the package `ca-bundle`.";
    BRIDGE_CERTIFICATE: Path = one "certificate" Path, Absent::Means("none"),
        "The router's own certificate for this server, with its chain, in PEM.";
    BRIDGE_KEY: Path = one "key" Path, Absent::Means("none"),
        "The private key of `certificate`, in PEM. Nobody but root may be able to read the file.";
    BRIDGE_USERNAME: Text = one "username" USERNAME, Absent::Means("none"),
        "The user name on the server.";
    BRIDGE_PASSWORD_FILE: Path = one "password_file" Path, Absent::Means("no password"),
        "A file with the password and nothing else. Nobody but root may be able to read it.";
    BRIDGE_CLIENT_ID: Text = one "client_id" CLIENT_ID,
        Absent::Means("one of this router and bridge alone"),
        "The client identifier on the server.";
    BRIDGE_PROTOCOL: Choice<BridgeProtocol> = one "protocol"
        Choice(&[("5", BridgeProtocol::V5), ("3.1.1", BridgeProtocol::V311)]), Absent::Is("5"),
        "The version of MQTT to begin with. A server that does not speak 5 is asked in 3.1.1.";
    BRIDGE_KEEPALIVE: Time = one "keepalive"
        Time { min: Duration::from_secs(10), max: MINUTE.saturating_mul(60) }, Absent::Is("60s"),
        "Longest silence before the server is asked for a sign of life.";
    BRIDGE_OUT: Pattern = many "out" Pattern { dollar: false, variables: false },
        Absent::Means("nothing"), "Topics that go to the server, without `local_prefix`.";
    BRIDGE_IN: Pattern = many "in" Pattern { dollar: false, variables: false },
        Absent::Means("nothing"), "Topics that come from the server, without `remote_prefix`.";
    BRIDGE_LOCAL_PREFIX: Text = one "local_prefix" LOCAL_PREFIX, Absent::Means("none"),
        "What bridged topics begin with here, as `cloud/`. The server does not see it.";
    BRIDGE_REMOTE_PREFIX: Text = one "remote_prefix" REMOTE_PREFIX, Absent::Means("none"),
        "What bridged topics begin with on the server, as `home/`. Clients here do not see it.";
    BRIDGE_QOS: Number = one "qos" Number { min: 0, max: 2, of: "QoS" }, Absent::Is("1"),
        "The highest QoS, in both directions. Messages published at QoS 0 do not wait for a server \
         that is away.";
    BRIDGE_LIMITS: Ref = one "limits" Ref("limits"), Absent::Is("bridge"),
        "What the bridge may use here.";
}

pub(super) static UPLIFT: Section = Section {
    kind: "uplift",
    naming: Naming::Named,
    max: 32,
    help: "Devices that can only speak plaintext MQTT to their server and cannot be told otherwise: \
           the router takes their connections to the ports of `plaintext_port` over and carries \
           them on, over TLS, to the address that the device chose. Without a certificate that is \
           valid for `host` there, the device is refused. A device can be in one such section only.",
    options: &[
        &UPLIFT_ENABLED,
        &UPLIFT_MACS,
        &UPLIFT_HOST,
        &UPLIFT_PORT,
        &UPLIFT_CA,
    ],
};

options! {
    UPLIFT_ENABLED: Bool = one "enabled" Bool, Absent::Is("1"),
        "Off: as if it were not there; what the devices send in the clear is dropped.";
    UPLIFT_MACS: MacAddress = many "mac" MacAddress, Absent::Mistake,
        "Which devices. They need not be enrolled.";
    UPLIFT_HOST: Host = one "host" Host, Absent::Mistake,
        "The name that the server's certificate has to be for, as the device would have asked for \
         it: the router sees only an address.";
    UPLIFT_PORT: Port = one "port" Port("TCP"), Absent::Is("8883"),
        "The server's port for MQTT over TLS.";
    UPLIFT_CA: Path = one "ca" Path, Absent::Is("/etc/ssl/certs/ca-certificates.crt"),
        "Certificates of the authorities that the server's certificate may come from, in PEM. The \
         default is that of the package `ca-bundle`.";
}

pub(super) static DEVICE_SECTION: Section = Section {
    kind: "device",
    naming: Naming::Free,
    max: 1024,
    help: "The owner's word on one device.",
    options: &[
        &DEVICE_MAC,
        &DEVICE_OWN_NAME,
        &DEVICE_PROFILE,
        &DEVICE_LIMITS,
        &DEVICE_BLOCKED,
        &DEVICE_PLAINTEXT,
        &DEVICE_ROAMING,
    ],
};

options! {
    DEVICE_MAC: MacAddress = one "mac" MacAddress, Absent::Mistake, "Which device.";
    DEVICE_OWN_NAME: Text = one "name" DEVICE_NAME, Absent::Means("from its DHCP host name"),
        "The name shown, and `%d` in patterns.";
    DEVICE_PROFILE: Ref = one "profile" Ref("profile"),
        Absent::Means("as it was enrolled, else the one of `main`"), "Its profile.";
    DEVICE_LIMITS: Ref = one "limits" Ref("limits"), Absent::Means("those of its profile"),
        "Its limits.";
    DEVICE_BLOCKED: Bool = one "blocked" Bool, Absent::Is("0"),
        "Nothing it sends gets through. Cannot be undone over ubus.";
    DEVICE_PLAINTEXT: Bool = one "plaintext" Bool, Absent::Is("0"),
        "It may use a listener of kind `plain`.";
    DEVICE_ROAMING: Bool = one "roaming" Bool, Absent::Is("0"),
        "Its credential is accepted from any MAC address, for hosts behind a repeater that \
         hides them.";
}

pub(super) static JWT: Section = Section {
    kind: "jwt",
    naming: Naming::Only("jwt"),
    max: 1,
    help: "JSON Web Tokens as passwords, signed with RS256, ES256 or EdDSA. Without this section \
           none is taken. A password that looks like a token is only ever checked as one; the \
           account that it names has to be enrolled, and is bound to its device as with a \
           password. The session ends when the token expires; a client that gives its token by \
           the Authentication Method `OAUTHBEARER` of MQTT 5 may give the next one in time.",
    options: &[
        &JWT_KEY,
        &JWT_JWKS,
        &JWT_AUDIENCE,
        &JWT_ISSUER,
        &JWT_CLAIM,
        &JWT_LEEWAY,
    ],
};

options! {
    JWT_KEY: Path = one "key" Path, Absent::Means("`jwks` is given"),
        "A file with the public key in PEM that tokens are checked with: RSA, P-256 or Ed25519, \
         which decides the algorithm. Read again when it changes; while it cannot be read, tokens \
         are refused.";
    JWT_JWKS: Path = one "jwks" Path, Absent::Means("`key` is given"),
        "A file with a JSON Web Key Set instead, for keys that come and go. The token's `kid` \
         chooses.";
    JWT_AUDIENCE: Text = many "audience" TOKEN_TEXT, Absent::Mistake,
        "What this broker is called in a token's `aud`: one of these has to be there, or a token \
         made for another service would open this one.";
    JWT_ISSUER: Text = one "issuer" TOKEN_TEXT, Absent::Means("any that has the key"),
        "What has to be in a token's `iss`.";
    JWT_CLAIM: Text = one "claim" CLAIM, Absent::Is("sub"),
        "The claim that is the user name of the enrolled device. A user name in CONNECT has to be \
         the same.";
    JWT_LEEWAY: Time = one "leeway" Time { min: Duration::ZERO, max: MINUTE.saturating_mul(10) },
        Absent::Is("30s"), "How far the clocks of router and issuer may be apart, for `exp` and `nbf`.";
}

pub(super) static HTTP_AUTH: Section = Section {
    kind: "http_auth",
    naming: Naming::Only("http_auth"),
    max: 1,
    help: "An external check of user names that no enrolled device has. Names of enrolled devices \
           are never asked about, nor are tokens. The broker posts JSON with `username`, \
           `password`, `client_id`, `address`, `mac` (or null), `listener` and `protocol`, and \
           expects status 200 and JSON with `decision` (`allow` or `deny`) and, as far as wanted, \
           `publish` and `subscribe` (arrays of topic patterns in place of the profile's) and `ttl` \
           (seconds for which the answer may be remembered). Without a good answer nobody gets in. \
           Such a user is bound to no device, comes in by TLS only, and in patterns `%d` \
           and `%m` grant it nothing.",
    options: &[
        &HTTP_URL,
        &HTTP_TIMEOUT,
        &HTTP_CACHE,
        &HTTP_CA_FILE,
        &HTTP_PROFILE,
        &HTTP_LIMITS,
    ],
};

options! {
    HTTP_URL: HttpUrl = one "url" HttpUrl, Absent::Mistake,
        "Where to ask. `http://` only to this router itself (127.0.0.1, ::1 or localhost), as it \
         is told passwords.";
    HTTP_TIMEOUT: Time = one "timeout" Time { min: Duration::from_secs(1), max: Duration::from_secs(30) },
        Absent::Is("3s"), "How long an answer may take, after which the login fails. A login waits for \
        its turn for as long again at most.";
    HTTP_CACHE: Time = one "cache" Time { min: Duration::ZERO, max: DAY }, Absent::Is("60s"),
        "How long `allow` is remembered for the same question; `0s` for never. `deny` never is.";
    HTTP_CA_FILE: Path = one "ca_file" Path, Absent::Is("/etc/ssl/certs/ca-certificates.crt"),
        "Certificates in PEM that may have signed the server's. The default is that of the package \
         `ca-bundle`.";
    HTTP_PROFILE: Ref = one "profile" Ref("profile"), Absent::Means("nothing but what the answer grants"),
        "What those may do whose answer does not say it.";
    HTTP_LIMITS: Ref = one "limits" Ref("limits"), Absent::Is("default"), "The limits of each of them.";
}
