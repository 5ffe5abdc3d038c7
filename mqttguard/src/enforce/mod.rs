//! Loads, attaches, pins and feeds the kernel program; reads its events and counters.

mod bpffs;
mod conntrack;
mod enforcer;
mod error;
mod exceptions;
mod filters;
mod holders;
mod hook;
mod kind;
mod links;
/// nftables, where the kernel program cannot stand, and for connections that are taken over.
pub mod nft;
/// The object that holds the kernel programs, and how it is loaded.
pub mod object;
mod orders;
mod places;
mod port;
mod ports;
mod predecessor;
mod probe;
mod routed;
mod stations;
mod tables;
mod tap;
mod tcx;
mod trial;
mod watch;

pub use conntrack::{Connections, end_connections};
pub use enforcer::{Enforcer, Progress};
pub use error::EnforceError;
pub use predecessor::{bare, standing, take_off};
pub use routed::routed;
pub use stations::Stations;
pub use tables::Tables;

use std::net::IpAddr;

use mqttguard_common::{Mac, Reason};

use crate::config::{Exception, Hook, KernelLimits, Mode};
use crate::events::AttachNote;

/// What the kernel program is told once for all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// Carry out, or only count.
    pub mode: Mode,
    /// TCP ports that are plaintext MQTT whatever is said on them.
    pub plaintext_ports: Vec<u16>,
    /// Catch a CONNECT on every other TCP port.
    pub detect_connect: bool,
    /// Catch MQTT-SN.
    pub mqtt_sn: bool,
    /// Catch MQTT over a plaintext WebSocket.
    pub websocket: bool,
    /// Answer plaintext MQTT over TCP with a reset.
    pub reject: bool,
    /// Drop what does not fit a device's bindings; without it that is only told.
    pub drop_mismatch: bool,
    /// The router stands ready to take connections over.
    pub uplift: bool,
    /// The router's own addresses on every interface.
    pub local_addresses: Vec<IpAddr>,
    /// TCP ports of the broker: a quarantined device does not reach them.
    pub broker_ports: Vec<u16>,
    /// The port of the plaintext LAN listener, if it is on.
    pub local_plaintext_port: Option<u16>,
    /// Plaintext MQTT that may leave.
    pub exceptions: Vec<Exception>,
    /// What devices are held to that the daemon has not named yet.
    pub stranger_limits: KernelLimits,
}

/// Where the program is to attach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// Linux devices; a bridge stands for its ports.
    pub devices: Vec<String>,
    /// Which hook.
    pub hook: Hook,
}

/// How the program sits on one interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Attachment {
    /// The Linux device.
    pub interface: String,
    /// `xdp`, `xdp-generic`, `tcx` or `tc`; None when nothing could be attached.
    pub hook: Option<&'static str>,
    /// Whether it is known to see the frames that arrive there.
    pub proof: Proof,
    /// Why this hook, or why none.
    pub notes: Vec<AttachNote>,
}

impl Attachment {
    /// Why this hook, or why none, in plain words.
    pub fn why(&self) -> String {
        AttachNote::join(&self.notes)
    }
}

/// Whether the program sees what arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Proof {
    /// It saw frames that arrived.
    Seen,
    /// Nothing has arrived yet.
    Waiting,
    /// Frames arrive of which it sees less than half.
    Blind,
}

/// What the kernel program's keeper has to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// A frame was decided against.
    Frame(FrameEvent),
    /// The program was attached, detached or failed somewhere; goes into
    /// [`crate::events::EventKind::Enforcement`] as it is.
    Attachment {
        /// The Linux device.
        interface: String,
        /// `attached`, `taken-over`, `detached`, `lost` (somebody else took it off), `failed`,
        /// `blind` (frames arrive that it does not see) or `recovered` (it sees them again).
        what: &'static str,
        /// The hook, or the failure.
        detail: String,
        /// The failure, or why it was lost.
        notes: Vec<AttachNote>,
    },
}

impl Report {
    fn attachment(interface: &str, what: &'static str, detail: impl Into<String>) -> Self {
        Report::Attachment {
            interface: interface.into(),
            what,
            detail: detail.into(),
            notes: Vec::new(),
        }
    }

    /// `what` is what the notes say.
    fn noted(interface: &str, what: &'static str, notes: Vec<AttachNote>) -> Self {
        Report::Attachment {
            interface: interface.into(),
            what,
            detail: AttachNote::join(&notes),
            notes,
        }
    }
}

/// One record of the ring buffer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameEvent {
    /// The source MAC.
    pub mac: Mac,
    /// Why.
    pub reason: Reason,
    /// False in monitor mode, and for a mismatch that is only reported.
    pub dropped: bool,
    /// The device was sent a TCP reset.
    pub rejected: bool,
    /// Index of the Linux device it came in on.
    pub ifindex: u32,
    /// Where from, to.
    pub source: Option<IpAddr>,
    /// Where to.
    pub destination: Option<IpAddr>,
    /// TCP or UDP destination port.
    pub port: Option<u16>,
    /// Frames of this device and reason since the last record, this one included.
    pub count: u64,
}

/// What one device did, since the program was first loaded (restarts of the daemon included).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DeviceCounters {
    /// Frames, by [`Reason`] as index.
    pub frames: [u64; Reason::COUNT],
    /// Bytes, by [`Reason`] as index.
    pub bytes: [u64; Reason::COUNT],
}
