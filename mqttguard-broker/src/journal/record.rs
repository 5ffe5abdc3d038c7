//! Records: one change each, to bytes and back.

use super::clock::{Boot, Clock};
use super::field::{Reader, Reference, Writer, bits, options};
use crate::Time;
use crate::codec::subscribe::Options;
use crate::message::Body;

/// Of the records below. A journal of another version is not read.
pub(crate) const VERSION: u64 = 1;

/// One change. `session` is the serial of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Record<'a> {
    /// A segment begins.
    Boot(Boot),
    /// The clocks when the frame was closed.
    Clock(Clock),
    /// A message that others refer to.
    Message {
        serial: u64,
        expires: Time,
        body: Body<'a>,
    },
    /// A session as it is made, or as a snapshot finds it: what follows fills it again.
    Session {
        session: u64,
        client_id: &'a str,
        identity: &'a str,
        expiry_s: u32,
        /// When its connection ended; never if it has one.
        left: Time,
        /// It ends with its connection, and only its will is kept.
        only_will: bool,
    },
    /// Its connection came or went, or its expiry changed.
    Standing {
        session: u64,
        expiry_s: u32,
        left: Time,
    },
    /// It ended.
    Gone {
        session: u64,
    },
    /// It has this will from now on.
    Will {
        session: u64,
        delay_s: u32,
        expiry_s: Option<u32>,
        /// Of a connection that a crash ended.
        orphan: bool,
        body: Body<'a>,
    },
    /// It has none.
    WillGone {
        session: u64,
    },
    Subscribed {
        session: u64,
        filter: &'a str,
        /// Subscription Identifier, 0 for none.
        id: u32,
        options: Options,
    },
    Unsubscribed {
        session: u64,
        filter: &'a str,
    },
    /// A delivery waits, in this place of the session's order.
    Queued {
        session: u64,
        order: u32,
        what: Reference<'a>,
    },
    /// It waits no more, and was not sent.
    Dropped {
        session: u64,
        order: u32,
    },
    /// It waits no more, and is in flight.
    Sent {
        session: u64,
        order: u32,
        packet_id: u16,
    },
    /// A delivery is in flight that did not wait.
    InFlight {
        session: u64,
        packet_id: u16,
        order: u32,
        what: Reference<'a>,
    },
    /// A delivery is finished.
    Acked {
        session: u64,
        packet_id: u16,
    },
    /// PUBREC came for it; PUBCOMP is awaited.
    Released {
        session: u64,
        packet_id: u16,
    },
    /// A QoS 2 message came from the client, whose PUBREL is awaited.
    Received {
        session: u64,
        packet_id: u16,
    },
    /// PUBREL came.
    Forgotten {
        session: u64,
        packet_id: u16,
    },
    /// The message is retained for its topic.
    Retained {
        message: u64,
        /// The identity that it counts for.
        owner: &'a str,
        /// The session that published it.
        session: u64,
    },
    /// Nothing is retained for the topic.
    Cleared {
        topic: &'a str,
    },
    /// A run begins: connections of the one before ended now.
    Restarted(Time),
    /// All that lived when the segment began was written or has changed since.
    Complete,
}

impl<'a> Record<'a> {
    pub(crate) fn encode(&self, out: &mut Vec<u8>) {
        let mut out = Writer(out);
        match self {
            Record::Boot(boot) => {
                out.byte(1);
                out.int(VERSION);
                out.0.extend_from_slice(&boot.id);
                out.0.extend_from_slice(&boot.offset_ms.to_le_bytes());
            }
            Record::Clock(clock) => out.ints(2, &[clock.now.0, clock.wall_ms]),
            Record::Message {
                serial,
                expires,
                body,
            } => {
                out.ints(3, &[*serial, expires.0.wrapping_add(1)]);
                out.body(body);
            }
            Record::Session {
                session,
                client_id,
                identity,
                expiry_s,
                left,
                only_will,
            } => {
                let left = left.0.wrapping_add(1);
                let only_will = u64::from(*only_will);
                out.ints(4, &[*session, u64::from(*expiry_s), left, only_will]);
                out.bytes(client_id.as_bytes());
                out.bytes(identity.as_bytes());
            }
            Record::Standing {
                session,
                expiry_s,
                left,
            } => {
                let left = left.0.wrapping_add(1);
                out.ints(5, &[*session, u64::from(*expiry_s), left]);
            }
            Record::Gone { session } => out.ints(6, &[*session]),
            Record::Will {
                session,
                delay_s,
                expiry_s,
                orphan,
                body,
            } => {
                let expiry = expiry_s.map_or(0, |seconds| u64::from(seconds) + 1);
                let orphan = u64::from(*orphan);
                out.ints(7, &[*session, u64::from(*delay_s), expiry, orphan]);
                out.body(body);
            }
            Record::WillGone { session } => out.ints(8, &[*session]),
            Record::Subscribed {
                session,
                filter,
                id,
                options,
            } => {
                out.ints(9, &[*session, u64::from(*id)]);
                out.byte(bits(*options));
                out.bytes(filter.as_bytes());
            }
            Record::Unsubscribed { session, filter } => {
                out.ints(10, &[*session]);
                out.bytes(filter.as_bytes());
            }
            Record::Queued {
                session,
                order,
                what,
            } => {
                out.ints(11, &[*session, u64::from(*order)]);
                out.reference(what);
            }
            Record::Dropped { session, order } => out.ints(12, &[*session, u64::from(*order)]),
            Record::Sent {
                session,
                order,
                packet_id,
            } => out.ints(13, &[*session, u64::from(*order), u64::from(*packet_id)]),
            Record::InFlight {
                session,
                packet_id,
                order,
                what,
            } => {
                out.ints(14, &[*session, u64::from(*packet_id), u64::from(*order)]);
                out.reference(what);
            }
            Record::Acked { session, packet_id } => out.ids(15, *session, *packet_id),
            Record::Released { session, packet_id } => out.ids(16, *session, *packet_id),
            Record::Received { session, packet_id } => out.ids(17, *session, *packet_id),
            Record::Forgotten { session, packet_id } => out.ids(18, *session, *packet_id),
            Record::Retained {
                message,
                owner,
                session,
            } => {
                out.ints(19, &[*message, *session]);
                out.bytes(owner.as_bytes());
            }
            Record::Cleared { topic } => {
                out.byte(20);
                out.bytes(topic.as_bytes());
            }
            Record::Complete => out.byte(21),
            Record::Restarted(now) => out.ints(22, &[now.0]),
        }
    }

    /// Takes a record off the front; `None` if there is none that this version writes.
    pub(crate) fn decode(from: &mut &'a [u8]) -> Option<Record<'a>> {
        let mut from = Reader(from);
        Some(match from.byte()? {
            1 => {
                if from.int()? != VERSION {
                    return None;
                }
                let id = from.array()?;
                let offset_ms = i64::from_le_bytes(from.array()?);
                Record::Boot(Boot { id, offset_ms })
            }
            2 => Record::Clock(Clock {
                now: Time(from.int()?),
                wall_ms: from.int()?,
            }),
            3 => Record::Message {
                serial: from.int()?,
                expires: from.time()?,
                body: from.body()?,
            },
            4 => Record::Session {
                session: from.int()?,
                expiry_s: from.u32()?,
                left: from.time()?,
                only_will: from.int()? == 1,
                client_id: from.text()?,
                identity: from.text()?,
            },
            5 => Record::Standing {
                session: from.int()?,
                expiry_s: from.u32()?,
                left: from.time()?,
            },
            6 => Record::Gone {
                session: from.int()?,
            },
            7 => Record::Will {
                session: from.int()?,
                delay_s: from.u32()?,
                expiry_s: match from.int()?.checked_sub(1) {
                    None => None,
                    Some(seconds) => Some(u32::try_from(seconds).ok()?),
                },
                orphan: from.int()? == 1,
                body: from.body()?,
            },
            8 => Record::WillGone {
                session: from.int()?,
            },
            9 => Record::Subscribed {
                session: from.int()?,
                id: from.u32()?,
                options: options(from.byte()?)?,
                filter: from.text()?,
            },
            10 => Record::Unsubscribed {
                session: from.int()?,
                filter: from.text()?,
            },
            11 => Record::Queued {
                session: from.int()?,
                order: from.u32()?,
                what: from.reference()?,
            },
            12 => Record::Dropped {
                session: from.int()?,
                order: from.u32()?,
            },
            13 => Record::Sent {
                session: from.int()?,
                order: from.u32()?,
                packet_id: from.u16()?,
            },
            14 => Record::InFlight {
                session: from.int()?,
                packet_id: from.u16()?,
                order: from.u32()?,
                what: from.reference()?,
            },
            15 => Record::Acked {
                session: from.int()?,
                packet_id: from.u16()?,
            },
            16 => Record::Released {
                session: from.int()?,
                packet_id: from.u16()?,
            },
            17 => Record::Received {
                session: from.int()?,
                packet_id: from.u16()?,
            },
            18 => Record::Forgotten {
                session: from.int()?,
                packet_id: from.u16()?,
            },
            19 => Record::Retained {
                message: from.int()?,
                session: from.int()?,
                owner: from.text()?,
            },
            20 => Record::Cleared {
                topic: from.text()?,
            },
            21 => Record::Complete,
            22 => Record::Restarted(Time(from.int()?)),
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests;
