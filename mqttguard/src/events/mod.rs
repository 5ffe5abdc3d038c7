//! One enum of everything worth telling. Log, ubus, command line and LuCI read this one stream.

mod attach_note;
mod because;
mod codes;
mod denial;
mod departure;
mod journal;
mod json;
mod mud;
mod notifications;
mod ring;
mod severity;
mod standin;
mod words;

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use mqttguard_broker::Departure;
use mqttguard_common::{Mac, Reason};

use crate::push::Failure;

pub use attach_note::AttachNote;
pub use because::Because;
pub use denial::Denial;
pub use journal::JournalNews;
pub use mud::MudChange;
pub use notifications::NOTIFICATIONS;
pub use ring::EventLog;
pub use severity::Severity;
pub use standin::StandIn;

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
        /// Why.
        why: Because,
    },
    /// A device was given a credential.
    Enrolled {
        /// The user name.
        username: String,
    },
    /// A pairing window was opened or closed.
    Pairing {
        /// What happened to it.
        change: PairingChange,
    },
    /// Accounts that were brought from elsewhere wait for their devices, or cease to.
    Import {
        /// What happened.
        change: ImportChange,
    },
    /// A device's credential was given a new password; the old one still works.
    Rotated {
        /// The user name.
        username: String,
        /// When the old one ends at the latest, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// The old password of a rotation does not work any more.
    RotationEnded {
        /// The user name.
        username: String,
        /// Why.
        how: RotationEnd,
    },
    /// A device's credential, and its certificates, were taken away.
    Revoked {
        /// The user name that it had.
        username: String,
    },
    /// A device was sent its settings over its web interface.
    Pushed {
        /// Its firmware.
        firmware: &'static str,
        /// Where it was reached.
        address: IpAddr,
        /// Why it did not work; None: it did. May hold hostile text.
        failure: Option<Failure>,
    },
    /// A client certificate was made for a device.
    CertificateIssued {
        /// Its serial number, in hexadecimal.
        serial: String,
        /// When it expires, in milliseconds since the Unix epoch.
        until_ms: u64,
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
        /// The device was sent a TCP reset.
        rejected: bool,
        /// What does not fit, where the reason is that something does not.
        mismatch: Option<Mismatch>,
    },
    /// Plaintext MQTT that may leave became more or less.
    Exception {
        /// What happened.
        change: ExceptionChange,
        /// The section's name; None for what the owner allowed for a time.
        section: Option<String>,
        /// Where to; None: anywhere.
        destination: Option<IpNet>,
        /// The TCP or UDP port; None: all.
        port: Option<u16>,
        /// When it ends or ended, in milliseconds since the Unix epoch.
        until_ms: Option<u64>,
    },
    /// A device that the configuration binds to an interface is bound to it now, or is not.
    Binding {
        /// The interface's name.
        interface: String,
        /// Why it is bound to none, if so.
        missing: Option<&'static str>,
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
        /// Why.
        why: Departure,
    },
    /// A login was refused.
    LoginRefused {
        /// The user name that was tried; hostile text.
        username: Option<String>,
        /// Where it comes from.
        address: IpAddr,
        /// Why.
        why: Denial,
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
        /// `attached`, `taken-over`, `detached`, `lost`, `failed`, `blind` or `recovered`; see
        /// [`crate::enforce::Report::Attachment`].
        what: &'static str,
        /// The hook, or the failure.
        detail: String,
        /// What there is to know of it, where that is told apart.
        notes: Vec<AttachNote>,
    },
    /// nftables stands in for the kernel program, or no longer, or fails to; or its table was put
    /// back.
    Fallback(StandIn),
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
    /// What a device's maker says of it was announced, accepted, or is another.
    Mud(MudChange),
    /// What the broker has acknowledged outlives a crash, or does not; or what it has restored.
    Journal(JournalNews),
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

/// Where a frame came from, and where its device belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mismatch {
    /// The interface or address that it came from.
    pub found: String,
    /// The one that its device is bound to.
    pub expected: String,
}

/// What happened to a pairing window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairingChange {
    /// The owner opened it.
    Opened {
        /// When it closes, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// What the device presented is its credential now.
    Done {
        /// The user name.
        username: String,
        /// The password is short.
        weak: bool,
    },
    /// The owner closed it.
    Cancelled,
    /// Its time is over.
    Expired,
}

/// What happened to accounts that wait for their devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ImportChange {
    /// They wait from now on.
    Opened {
        /// How many.
        count: usize,
        /// Until when, in milliseconds since the Unix epoch.
        until_ms: u64,
    },
    /// The owner took one back.
    Cancelled {
        /// Its user name.
        username: String,
    },
    /// No device has shown their passwords in time.
    Expired {
        /// Their user names.
        usernames: Vec<String>,
    },
}

/// Why the old password of a rotation does not work any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotationEnd {
    /// The new one was used.
    Used,
    /// Its time is over, and the new one was not used.
    Expired,
    /// The new one was taken back, as it did not reach the device: the old one goes on.
    TakenBack,
}

/// What happened to an exception.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExceptionChange {
    /// The owner made it.
    Made,
    /// The owner took it back.
    Withdrawn,
    /// Its time is over.
    Expired,
    /// A new configuration left no room for it.
    Crowded,
}

#[cfg(test)]
mod tests;
