//! Every section and option there is, in one place: validation, typed access and
//! `docs/configuration.md` all come from here.

use std::time::Duration;

use super::kinds::*;
use super::names::*;
use super::schema::{Absent, Naming, Opt, Section};
use super::settings::{Hook, ListenerKind, Mode};

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
    &DEVICE_SECTION,
];

pub(super) static MAIN: Section = Section {
    kind: "mqttguard",
    naming: Naming::Only("main"),
    max: 1,
    help: "What holds for the whole router.",
    options: &[
        &ENABLED,
        &MODE,
        &NETWORKS,
        &DEVICES,
        &HOOK,
        &DEFAULT_PROFILE,
        &PLAINTEXT_PORTS,
        &DETECT_CONNECT,
        &MQTT_SN,
        &QUARANTINE,
        &LOGIN_FAILURES,
        &FLOOD_SECONDS,
        &FORGET_AFTER,
        &MAIN_HOSTNAME,
        &DATA_DIR,
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
    DATA_DIR: Path = one "data_dir" Path, Absent::Is("/etc/mqttguard"),
        "Certificates, keys and the registry of devices. Must survive a reboot. A change takes force \
         with the next start.";
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
    ],
};

options! {
    LISTENER_ENABLED: Bool = one "enabled" Bool, Absent::Is("1"), "Off: as if it were not there.";
    LISTENER_KIND: Choice<ListenerKind> = one "kind"
        Choice(&[("tls", ListenerKind::Tls), ("plain", ListenerKind::Plain)]), Absent::Is("tls"),
        "`plain` is MQTT in the clear, only for devices with `option plaintext '1'`.";
    LISTENER_ADDRESSES: Address = many "address" Address, Absent::Means("all addresses"),
        "Addresses of this router to listen on.";
    LISTENER_PORT: Port = one "port" Port("TCP"), Absent::Means("8883 for `tls`, 1883 for `plain`"),
        "The TCP port.";
    LISTENER_CONNECTIONS: Number = one "connections"
        Number { min: 1, max: 10_000, of: "connections" }, Absent::Is("500"),
        "Connections at the same time.";
}

pub(super) static PROFILE: Section = Section {
    kind: "profile",
    naming: Naming::Named,
    max: 64,
    help: "What a device may do in MQTT. What no pattern covers is refused. In patterns `%d` is \
           the device's name, `%u` its user name, `%c` the client identifier and `%%` a percent \
           sign. The device chooses its client identifier: a pattern that only `%c` ties to \
           the device ties nothing.",
    options: &[&PUBLISH, &SUBSCRIBE, &PROFILE_LIMITS],
};

options! {
    PUBLISH: Pattern = many "publish" Pattern { dollar: false }, Absent::Means("nothing"),
        "Topics the device may publish to.";
    SUBSCRIBE: Pattern = many "subscribe" Pattern { dollar: true }, Absent::Means("nothing"),
        "Topics the device may subscribe to. A wider subscription is refused.";
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
        &BURST,
        &CONNECTIONS,
        &SUBSCRIPTIONS,
        &TOPIC_LEVELS,
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
    BURST: Time = one "burst" Time { min: Duration::from_secs(1), max: MINUTE.saturating_mul(10) },
        Absent::Is("10s"), "How long the device may run above its rates after a quiet time.";
    CONNECTIONS: Number = one "connections" Number { min: 1, max: 1000, of: "connections" },
        Absent::Is("4"), "MQTT connections at the same time.";
    SUBSCRIPTIONS: Number = one "subscriptions"
        Number { min: 0, max: 100_000, of: "subscriptions" }, Absent::Is("100"),
        "Subscriptions of one session.";
    TOPIC_LEVELS: Number = one "topic_levels" Number { min: 1, max: 128, of: "levels" },
        Absent::Is("16"), "Levels in a topic.";
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
