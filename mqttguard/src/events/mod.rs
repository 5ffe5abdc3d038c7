//! One enum of everything worth telling. Log, ubus, command line and LuCI read this one stream.

mod json;
mod ring;
mod words;

use std::net::{IpAddr, SocketAddr};

use mqttguard_common::{Mac, Reason};

pub use ring::EventLog;

/// Something that happened, when, and to whom.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// Counts up from 1 over the daemon's life; gaps are events that fell out of the ring.
    pub seq: u64,
    /// Milliseconds since the Unix epoch.
    pub time_ms: u64,
    /// The device, where it is about one.
    pub mac: Option<Mac>,
    /// The device's name at that time.
    pub name: Option<String>,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum EventKind {
    /// A device was seen for the first time, or again after it was gone.
    DeviceSeen {
        /// Its address, if known.
        address: Option<IpAddr>,
        /// Where it was seen.
        source: &'static str,
    },
    /// A device was not seen for `forget_after`.
    DeviceGone,
    /// A device's state changed.
    StateChanged {
        /// Its state of before.
        from: &'static str,
        /// Its state now.
        to: &'static str,
        /// Why, in plain words.
        why: String,
    },
    /// A device was given a credential.
    Enrolled {
        /// The user name.
        username: String,
    },
    /// The kernel program decided against a frame, or would have.
    Frame {
        /// Why.
        reason: Reason,
        /// False in monitor mode.
        dropped: bool,
        /// Where the frame was going.
        destination: Option<IpAddr>,
        /// The destination port.
        port: Option<u16>,
        /// Frames of this device and reason since the last such event, this one included.
        count: u64,
    },
    /// A client is connected to the broker.
    Connected {
        /// The client identifier.
        client_id: String,
        /// `3.1`, `3.1.1` or `5.0`.
        protocol: &'static str,
        /// Where it comes from.
        address: IpAddr,
    },
    /// A client is no longer connected.
    Disconnected {
        /// The client identifier.
        client_id: String,
        /// Why, in plain words.
        why: String,
    },
    /// A login was refused.
    LoginRefused {
        /// The user name that was tried; hostile text.
        username: Option<String>,
        /// Where it comes from.
        address: IpAddr,
        /// Why, in plain words.
        why: &'static str,
    },
    /// A client asked for a topic that no grant covers.
    TopicRefused {
        /// The client identifier.
        client_id: String,
        /// `publish`, `subscribe` or `will`.
        access: &'static str,
        /// The topic name or filter; hostile text.
        topic: String,
        /// The profile that lacks it.
        profile: String,
        /// Refusals left out since the last one.
        suppressed: u32,
    },
    /// The broker's memory has become short, or is no longer.
    Memory {
        /// `none`, `high` (80 % of what is allowed) or `critical` (95 %).
        pressure: &'static str,
        /// Bytes held.
        used: u64,
        /// The most that is allowed, in bytes.
        allowed: u64,
    },
    /// A client met a limit of the broker.
    LimitMet {
        /// The client identifier, if known.
        client_id: Option<String>,
        /// The limit's name.
        limit: &'static str,
        /// The most that is allowed.
        allowed: u64,
    },
    /// A client broke the protocol.
    ProtocolError {
        /// Where it comes from.
        address: IpAddr,
        /// The packet.
        packet: &'static str,
        /// What was wrong.
        what: String,
    },
    /// The kernel program was attached, detached or failed somewhere.
    Enforcement {
        /// The Linux device.
        interface: String,
        /// `attached`, `taken-over`, `detached` or `failed`.
        what: &'static str,
        /// The hook, or the failure.
        detail: String,
    },
    /// nftables stands in for the kernel program, or no longer, or fails to; or its table was put
    /// back.
    Fallback {
        /// `reduced`, `closed`, `none`, `failed` or `restored`.
        what: &'static str,
        /// In plain words.
        detail: String,
    },
    /// A source of sightings came or went.
    SourceChanged {
        /// The source's name.
        source: &'static str,
        /// Whether it works now.
        up: bool,
        /// What it reads, or why it does not.
        detail: String,
    },
    /// A configuration was loaded.
    ConfigLoaded {
        /// The file.
        file: String,
    },
    /// A configuration was refused; the last good one stays in force.
    ConfigRefused {
        /// One line a mistake: file, section, option, found, expected.
        errors: Vec<String>,
    },
    /// A bridge to another server came up or went down.
    BridgeLink {
        /// The bridge's section name.
        bridge: String,
        /// Whether messages pass.
        up: bool,
        /// The server, and why not; may hold hostile text.
        detail: String,
    },
    /// A bridge could not do all it was to: a message was dropped, a subscription refused, a limit
    /// met.
    BridgeTrouble {
        /// The bridge's section name.
        bridge: String,
        /// What, in words; may hold hostile text.
        detail: String,
    },
    /// A device's plaintext connection was carried on over TLS, or was refused.
    Uplift {
        /// The section's name.
        section: String,
        /// Where the device believes it goes.
        destination: SocketAddr,
        /// What the server had to prove to be, and its port.
        server: String,
        /// Why it was refused; None: it is carried on. May hold hostile text.
        refused: Option<String>,
        /// Connections of this device since the last such event, this one included.
        count: u64,
    },
    /// Devices are uplifted from now on, or are not.
    UpliftReady {
        /// Whether they are.
        ready: bool,
        /// Why not.
        detail: String,
    },
    /// What the broker has acknowledged outlives a crash, or does not; or what it has restored.
    Journal {
        /// Whether all is well.
        well: bool,
        /// In plain words.
        detail: String,
    },
    /// The broker opened or lost a listener.
    Listening {
        /// The listener's section name.
        listener: String,
        /// Whether it listens.
        up: bool,
        /// The address, or the error.
        detail: String,
    },
}

/// How much an event should trouble the owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The house at work.
    Info,
    /// Worth knowing.
    Notice,
    /// Something was refused, blocked or is broken.
    Warning,
}

impl Severity {
    /// As ubus and the command line show it.
    pub const fn name(self) -> &'static str {
        match self {
            Severity::Info => "info",
            Severity::Notice => "notice",
            Severity::Warning => "warning",
        }
    }
}

impl EventKind {
    /// The stable code, as scripts and ubus notifications see it.
    pub const fn code(&self) -> &'static str {
        match self {
            EventKind::DeviceSeen { .. } => "device-seen",
            EventKind::DeviceGone => "device-gone",
            EventKind::StateChanged { .. } => "state-changed",
            EventKind::Enrolled { .. } => "enrolled",
            EventKind::Frame { dropped: true, .. } => "frame-dropped",
            EventKind::Frame { dropped: false, .. } => "frame-would-drop",
            EventKind::Connected { .. } => "connected",
            EventKind::Disconnected { .. } => "disconnected",
            EventKind::LoginRefused { .. } => "login-refused",
            EventKind::TopicRefused { .. } => "topic-refused",
            EventKind::LimitMet { .. } => "limit-met",
            EventKind::Memory { .. } => "memory",
            EventKind::ProtocolError { .. } => "protocol-error",
            EventKind::Enforcement { .. } => "enforcement",
            EventKind::Fallback { .. } => "fallback",
            EventKind::SourceChanged { .. } => "source-changed",
            EventKind::ConfigLoaded { .. } => "config-loaded",
            EventKind::ConfigRefused { .. } => "config-refused",
            EventKind::BridgeLink { up: true, .. } => "bridge-up",
            EventKind::BridgeLink { up: false, .. } => "bridge-down",
            EventKind::BridgeTrouble { .. } => "bridge-trouble",
            EventKind::Uplift { refused: None, .. } => "uplift",
            EventKind::Uplift {
                refused: Some(_), ..
            } => "uplift-refused",
            EventKind::UpliftReady { ready: true, .. } => "uplift-ready",
            EventKind::UpliftReady { ready: false, .. } => "uplift-failed",
            EventKind::Journal { well: true, .. } => "journal",
            EventKind::Journal { well: false, .. } => "journal-trouble",
            EventKind::Listening { .. } => "listening",
        }
    }

    /// How much it should trouble the owner.
    pub fn severity(&self) -> Severity {
        match self {
            EventKind::Frame { .. }
            | EventKind::LoginRefused { .. }
            | EventKind::TopicRefused { .. }
            | EventKind::LimitMet { .. }
            | EventKind::Memory {
                pressure: "high" | "critical",
                ..
            }
            | EventKind::ProtocolError { .. }
            | EventKind::ConfigRefused { .. }
            | EventKind::Enforcement { what: "failed", .. }
            | EventKind::Fallback {
                what: "reduced" | "closed" | "failed" | "restored",
                ..
            }
            | EventKind::StateChanged {
                to: "quarantined" | "blocked",
                ..
            }
            | EventKind::BridgeLink { up: false, .. }
            | EventKind::BridgeTrouble { .. }
            | EventKind::Uplift {
                refused: Some(_), ..
            }
            | EventKind::UpliftReady { ready: false, .. }
            | EventKind::Journal { well: false, .. }
            | EventKind::Listening { up: false, .. } => Severity::Warning,
            EventKind::DeviceSeen { .. }
            | EventKind::StateChanged { .. }
            | EventKind::Enrolled { .. }
            | EventKind::Memory { .. }
            | EventKind::Enforcement { .. }
            | EventKind::Fallback { .. }
            | EventKind::ConfigLoaded { .. }
            | EventKind::BridgeLink { up: true, .. }
            | EventKind::UpliftReady { ready: true, .. } => Severity::Notice,
            EventKind::DeviceGone
            | EventKind::Connected { .. }
            | EventKind::Disconnected { .. }
            | EventKind::SourceChanged { .. }
            | EventKind::Uplift { refused: None, .. }
            | EventKind::Journal { .. }
            | EventKind::Listening { .. } => Severity::Info,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1]);

    fn frame(reason: Reason, dropped: bool) -> EventKind {
        EventKind::Frame {
            reason,
            dropped,
            destination: Some([203, 0, 113, 9].into()),
            port: Some(1883),
            count: 3,
        }
    }

    #[test]
    fn tells_a_dropped_frame_in_plain_words_and_in_fields() {
        let mut log = EventLog::default();
        let name = Some("kitchen-plug".to_owned());
        let event = log.push(7, Some(MAC), name, frame(Reason::PlaintextPort, true));
        assert_eq!(
            event.message(),
            "kitchen-plug tried to send unencrypted MQTT to 203.0.113.9:1883: 3 frames dropped"
        );
        let json = event.to_json();
        assert_eq!(json["event"], "frame-dropped");
        assert_eq!(json["severity"], "warning");
        assert_eq!(json["reason"], "plaintext-port");
        assert_eq!(json["count"], 3);
        assert_eq!(json["mac"], "02:c1:1e:17:00:01");
    }

    #[test]
    fn monitor_mode_says_would_have() {
        let mut log = EventLog::default();
        let event = log.push(7, Some(MAC), None, frame(Reason::MqttSn, false));
        assert_eq!(event.kind.code(), "frame-would-drop");
        assert!(
            event
                .message()
                .ends_with("3 frames would have been dropped"),
            "{}",
            event.message()
        );
    }

    #[test]
    fn a_connection_that_was_not_carried_on_is_told_with_its_reason() {
        let mut log = EventLog::default();
        let uplift = |refused: Option<&str>| EventKind::Uplift {
            section: "vendor".to_owned(),
            destination: ([203, 0, 113, 9], 1883).into(),
            server: "mqtt.example.org:8883".to_owned(),
            refused: refused.map(str::to_owned),
            count: 2,
        };
        let name = || Some("plug".to_owned());
        let refused = uplift(Some("its certificate has expired"));
        let event = log.push(7, Some(MAC), name(), refused);
        assert_eq!(
            event.message(),
            "plug's connection to 203.0.113.9:1883 was not carried on to mqtt.example.org:8883 \
             (2 times): its certificate has expired"
        );
        let json = event.to_json();
        assert_eq!(json["event"], "uplift-refused");
        assert_eq!(json["severity"], "warning");
        assert_eq!(json["destination"], "203.0.113.9");
        let event = log.push(8, Some(MAC), name(), uplift(None)).to_json();
        assert_eq!(
            (&event["event"], event.get("why")),
            (&"uplift".into(), None)
        );
    }

    #[test]
    fn keeps_the_last_events_and_reads_from_a_point_on() {
        let mut log = EventLog::default();
        for time in 0..600 {
            log.push(time, Some(MAC), None, EventKind::DeviceGone);
        }
        log.push(
            600,
            None,
            None,
            EventKind::ConfigLoaded { file: "f".into() },
        );
        let all = log.read(0, usize::MAX, None);
        assert_eq!(all.len(), EventLog::CAPACITY);
        assert_eq!(all.last().map(|event| event.seq), Some(601));
        let seqs = |events: Vec<&Event>| events.iter().map(|event| event.seq).collect::<Vec<_>>();
        assert_eq!(seqs(log.read(599, 10, None)), [600, 601]);
        assert_eq!(seqs(log.read(0, 2, Some(MAC))), [599, 600]);
    }
}
