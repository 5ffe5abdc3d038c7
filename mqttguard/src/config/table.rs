//! Every section and option there is, in one place: validation, typed access and
//! `docs/configuration.md` all come from here.

use std::time::Duration;

use super::kinds::*;
use super::names::*;
use super::patterns::Pattern;
use super::schema::{Absent, Naming, Opt, Section};
use super::settings::{Bindings, BridgeProtocol, Hook, ListenerKind, Mode, OnError, Verdict};

const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

/// Rows of the table: `NAME: Kind = "option" value, absent, help;`.
macro_rules! options {
    ($($name:ident: $kind:ty = $shape:ident $option:literal $value:expr, $absent:expr, $help:literal;)*) => {
        $(pub(in crate::config) static $name: Opt<$kind> = Opt {
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

mod limits;
mod logins;

pub(super) use limits::*;
pub(super) use logins::*;

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
        &LIVE,
        &DATA_DIR,
        &RUN_DIR,
        &PERSIST,
        &BPF_DIR,
        &LEASE_FILE,
        &VENDOR_FILE,
        &MUD_CA,
        &MUD_SIGNERS,
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
         or from another IPv4 address than its lease (see there).";
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
    LIVE: Bool = one "live" Bool, Absent::Is("1"),
        "Whether the owner may look at the topics of the house and their values (`mqttguard live`). Off: \
         nobody may, root included, and nothing of them is kept to be looked at.";
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
    VENDOR_FILE: Path = one "vendor_file" Path, Absent::Is("/usr/share/mqttguard/vendors"),
        "The table of who makes which devices, by the first digits of their addresses: lines \
         `a4cf12 Espressif`, sorted. Without it no maker is shown. A change takes force with the next \
         start.";
    MUD_CA: Path = one "mud_ca" Path, Absent::Is("/etc/ssl/certs/ca-certificates.crt"),
        "Certificates, in PEM, of the authorities that servers of MUD files, and the signers of those, \
         must have their certificates from (package `ca-bundle`).";
    MUD_SIGNERS: Path = one "mud_signers" Path, Absent::Means("only those of `mud_ca`"),
        "Certificates, in PEM, of further authorities for the signers of MUD files.";
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
    CLIENT_CA: Path = one "client_ca" Path, Absent::Means("only the router's own client CA, if `client_certificate` is there"),
        "A PEM file with CAs whose certificates clients may log in with, beside those of `mqttguard \
         certificate`. The account is the one \
         whose user name is the certificate's common name (CN); it needs no password then. A user \
         name in the CONNECT has to be the same.";
    CLIENT_CRL: Path = many "client_crl" Path, Absent::Means("no certificate is revoked"),
        "PEM files with revocation lists. If there is any, every CA in a client's chain needs one: \
         what cannot be looked up is refused. One past its next update still counts.";
    CLIENT_CERTIFICATE: Choice<bool> = one "client_certificate"
        Choice(&[("optional", false), ("required", true)]),
        Absent::Is("optional"),
        "Clients are asked for a certificate if this or `client_ca` is there. With `required`, clients without a certificate are refused, whatever password they have.";
    ORIGINS: Text = many "origin" ORIGIN,
        Absent::Means("pages from the broker's own host name or address"),
        "Origins of web pages that may connect to a `wss` listener, beside those from the same host \
         (any port). `*` is every page. Clients that are no browsers name no origin and are not held \
         to this.";
}

pub(super) static EXCEPTION: Section = Section {
    kind: "exception",
    naming: Naming::Free,
    max: 64,
    help: "Plaintext MQTT that may leave. `mqttguard allow` makes such an exception for some hours, \
           without a section.",
    options: &[
        &EXCEPTION_DESTINATION,
        &EXCEPTION_MAC,
        &EXCEPTION_PORT,
        &EXCEPTION_EXPIRES,
    ],
};

options! {
    EXCEPTION_DESTINATION: Prefix = one "destination" Prefix, Absent::Mistake,
        "Where it may go.";
    EXCEPTION_MAC: MacAddress = one "mac" MacAddress, Absent::Means("every device"),
        "The only device that may.";
    EXCEPTION_PORT: Port = one "port" Port("TCP or UDP"), Absent::Means("every port"),
        "The only destination port.";
    EXCEPTION_EXPIRES: Moment = one "expires" Moment, Absent::Means("it holds for good"),
        "When it ceases to hold. A time that has passed is no mistake. It has passed for good: a clock \
         that is wrong after the next boot does not bring the exception back, another `expires` does. \
         A connection that was made before and goes to none of `plaintext_port` may go on until it \
         ends.";
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
        &DEVICE_PUBLISH,
        &DEVICE_SUBSCRIBE,
        &DEVICE_BLOCKED,
        &DEVICE_PLAINTEXT,
        &DEVICE_ROAMING,
        &DEVICE_INTERFACE,
        &DEVICE_BIND_ADDRESS,
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
    DEVICE_PUBLISH: Pattern = many "publish" Pattern { dollar: false, variables: true },
        Absent::Means("nothing"),
        "Topics that it may publish to beside those of its profile. What the profile denies stays \
         denied. Takes force on a reload for clients that are connected, too.";
    DEVICE_SUBSCRIBE: Pattern = many "subscribe" Pattern { dollar: true, variables: true },
        Absent::Means("nothing"),
        "Topics that it may subscribe to beside those of its profile, likewise.";
    DEVICE_BLOCKED: Bool = one "blocked" Bool, Absent::Is("0"),
        "Nothing it sends gets through. Cannot be undone over ubus.";
    DEVICE_PLAINTEXT: Bool = one "plaintext" Bool, Absent::Is("0"),
        "It may use a listener of kind `plain`.";
    DEVICE_ROAMING: Bool = one "roaming" Bool, Absent::Is("0"),
        "Its credential is accepted from any MAC address, for hosts behind a repeater that \
         hides them.";
    DEVICE_INTERFACE: Text = one "interface" DEVICE, Absent::Means("any"),
        "The only Linux device that it sends from, such as `lan3` or `phy0-ap0`: a port of a bridge, \
         not the bridge. `bindings` of `main` says what happens to frames from another. It binds to \
         nothing while there is no such device.";
    DEVICE_BIND_ADDRESS: Bool = one "bind_address" Bool, Absent::Is("1"),
        "Bind it to the IPv4 address of its DHCP lease, while it has exactly one. Off for hosts with \
         more addresses than they lease, and for repeaters that send for others.";
}
