//! Bytes to packets and back, strictly: what the standards forbid is refused here, with the
//! reason code of MQTT 5 that names it.
//!
//! Decoding borrows from the bytes and allocates nothing. Encoding appends to the caller's buffer.

pub(crate) mod ack;
pub(crate) mod connect;
pub(crate) mod content;
pub(crate) mod control;
pub(crate) mod fixed;
pub(crate) mod properties;
pub(crate) mod publish;
pub(crate) mod reader;
pub(crate) mod subscribe;
pub(crate) mod writer;

use crate::reason::Reason;

/// Quality of service (MQTT 5 section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
#[allow(clippy::enum_variant_names, reason = "the names of the standard")]
pub(crate) enum QoS {
    AtMostOnce = 0,
    AtLeastOnce = 1,
    ExactlyOnce = 2,
}

impl QoS {
    /// Takes the two bits of a flags byte; `None` for the reserved value 3.
    pub(crate) fn from_bits(bits: u8) -> Option<QoS> {
        match bits & 0b11 {
            0 => Some(QoS::AtMostOnce),
            1 => Some(QoS::AtLeastOnce),
            2 => Some(QoS::ExactlyOnce),
            _ => None,
        }
    }
}

/// What is wrong with a packet, and the reason code that says so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed {
    pub(crate) reason: Reason,
    /// The field that is wrong.
    pub(crate) field: &'static str,
    /// What was found, or what was expected.
    pub(crate) what: &'static str,
}

impl Malformed {
    /// With a reason code of its own.
    pub(crate) const fn with(reason: Reason, field: &'static str, what: &'static str) -> Malformed {
        Malformed {
            reason,
            field,
            what,
        }
    }

    /// The packet cannot be parsed (0x81).
    pub(crate) const fn packet(field: &'static str, what: &'static str) -> Malformed {
        Malformed {
            reason: Reason::MALFORMED_PACKET,
            field,
            what,
        }
    }

    /// The packet can be parsed but is not allowed (0x82).
    pub(crate) const fn protocol(field: &'static str, what: &'static str) -> Malformed {
        Malformed {
            reason: Reason::PROTOCOL_ERROR,
            field,
            what,
        }
    }
}

pub(crate) type Decoded<T> = Result<T, Malformed>;
