use std::fmt;
use std::sync::Arc;

use crate::{ConnId, Pressure, Version};

/// Something worth telling. At most a few a second come for one connection and kind; the rest
/// are counted in the next one's [`Notice::suppressed`].
#[derive(Clone, Debug)]
pub struct Notice {
    /// The connection it is about; it may be gone by now.
    pub conn: ConnId,
    /// Who the client is, once that is known.
    pub identity: Option<Arc<str>>,
    /// The client identifier, once that is known.
    pub client_id: Option<Arc<str>>,
    /// Notices of the same kind left out since the last one.
    pub suppressed: u32,
    /// What happened.
    pub kind: NoticeKind,
}

/// Which right was missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Access {
    /// To publish to a topic.
    Publish,
    /// To subscribe to a filter.
    Subscribe,
    /// To leave a will on a topic.
    Will,
}

/// Why a client is out; [`fmt::Display`] says it in a few plain words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Departure {
    /// It said DISCONNECT.
    Disconnect,
    /// The transport ended without one.
    ConnectionLost,
    /// It was silent for one and a half times its Keep Alive (`MQTT-3.1.2-22`).
    KeepAlive,
    /// It came again, by another connection (`MQTT-3.1.4-3`).
    TakenOver,
    /// It broke the protocol.
    ProtocolError,
    /// It met a limit that ends the connection; the notice before this one names it.
    LimitExceeded,
    /// Memory is short, and it does not read what waits for it.
    MemoryShort,
    /// It did not prove itself again (`MQTT-4.12.1-2`).
    Reauthentication,
    /// Its identity is no more.
    Forgotten,
    /// See [`crate::Kick::Banned`].
    Banned,
    /// See [`crate::Kick::Revoked`].
    Revoked,
    /// See [`crate::Kick::ShuttingDown`].
    ShuttingDown,
    /// See [`crate::Kick::Expired`].
    Expired,
}

impl Departure {
    /// All of them.
    pub const ALL: [Departure; 13] = [
        Departure::Disconnect,
        Departure::ConnectionLost,
        Departure::KeepAlive,
        Departure::TakenOver,
        Departure::ProtocolError,
        Departure::LimitExceeded,
        Departure::MemoryShort,
        Departure::Reauthentication,
        Departure::Forgotten,
        Departure::Banned,
        Departure::Revoked,
        Departure::ShuttingDown,
        Departure::Expired,
    ];
}

impl fmt::Display for Departure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Departure::Disconnect => "DISCONNECT",
            Departure::ConnectionLost => "connection lost",
            Departure::KeepAlive => "keep alive timeout",
            Departure::TakenOver => "session taken over",
            Departure::ProtocolError => "protocol error",
            Departure::LimitExceeded => "limit exceeded",
            Departure::MemoryShort => "memory is short, does not read",
            Departure::Reauthentication => "re-authentication failed",
            Departure::Forgotten => "forgotten",
            Departure::Banned => "banned",
            Departure::Revoked => "credential revoked",
            Departure::ShuttingDown => "broker stops",
            Departure::Expired => "authentication expired",
        })
    }
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NoticeKind {
    /// The client is in.
    Connected {
        /// The protocol it speaks.
        version: Version,
        /// Whether it found its session of before.
        session_present: bool,
    },
    /// The client is out. Comes once for every [`NoticeKind::Connected`].
    Disconnected {
        /// The cause.
        why: Departure,
    },
    /// The client broke the protocol and was cut off.
    ProtocolError {
        /// The packet's name, such as `SUBSCRIBE`.
        packet: &'static str,
        /// What was found and what was expected.
        what: String,
    },
    /// No grant covers what the client asked for.
    Refused {
        /// The right that was missing.
        access: Access,
        /// The topic name or filter it asked for; of a long one the beginning.
        topic: String,
    },
    /// Memory has become short, or is no longer; about nobody in particular.
    Memory {
        /// How short it is now.
        pressure: Pressure,
        /// Bytes held.
        used: u64,
        /// [`crate::Config::memory`].
        allowed: u64,
    },
    /// A limit was met.
    Limit {
        /// The field of [`crate::Limits`] or [`crate::Config`], such as `packet_size`.
        limit: &'static str,
        /// The most that is allowed, in the limit's own unit.
        allowed: u64,
    },
}
