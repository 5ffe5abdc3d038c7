//! One enum of everything worth telling. Log, ubus, command line and LuCI read this one stream.

use std::net::IpAddr;

use mqttguard_common::{Mac, Reason};

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
