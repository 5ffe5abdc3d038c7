//! What a device may do, and how much of it.

use std::time::Duration;

use mqttguard_broker::OverRate;

use super::super::kinds::*;
use super::super::names::*;
use super::super::patterns::Pattern;
use super::super::schema::{Absent, Naming, Opt, Section};
use super::{DAY, MINUTE};

pub(in crate::config) static PROFILE: Section = Section {
    kind: "profile",
    naming: Naming::Named,
    max: 64,
    help: "What a device may do in MQTT. What no pattern covers is refused. In patterns `%d` is \
           the device's name, `%u` its user name, `%c` the client identifier, `%m` its MAC \
           address as Tasmota writes it (`02C11E17000A`), `%n` the last six digits of that \
           (`17000A`), `%x` and `%y` the same in lower case, and `%%` a percent sign. The device \
           chooses its client identifier: a pattern that only `%c` ties to the device ties nothing. A \
           pattern that begins with `%d`, `%u` or `%c` grants nothing where that is a first level \
           which many devices share, such as `homeassistant`, `cmnd` or `zigbee2mqtt`.",
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

pub(in crate::config) static LIMITS: Section = Section {
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
