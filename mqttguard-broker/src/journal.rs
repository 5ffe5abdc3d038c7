//! What outlives a crash, as a journal of changes.
//!
//! The core appends a record for every change to what it has acknowledged: sessions that outlive
//! their connection, with their subscriptions, queues and windows; retained messages; wills. The
//! caller fetches the bytes ([`crate::Broker::take_journal`]) and writes them where they last,
//! before it transmits anything that was fetched after the change. Sessions that end with their
//! connection leave no record (but for a will), and neither does QoS 0.
//!
//! # Format
//!
//! The journal is a sequence of *segments* (the caller's files), a segment a sequence of *frames*:
//!
//! | bytes | |
//! |---|---|
//! | 4 | length of the body in bytes, little-endian |
//! | 4 | the length again, exclusive-or `0x314A_514D`: a damaged length shows at once |
//! | 4 | CRC-32 (IEEE 802.3) of the body, little-endian |
//! | n | the body: records, one behind another |
//!
//! A record is a byte that names it and its fields ([`record::Record`]): integers are unsigned
//! LEB128, text and bytes have their length before them. Its length follows from its fields, for
//! the frame's checksum vouches for them.
//!
//! A frame holds whole operations: all that one packet, timer or decision has changed is in one
//! frame or in none. So a QoS 2 message is never queued without its packet identifier being
//! known as received, nor the other way round. A frame is closed by [`crate::Broker::take_journal`],
//! and between two operations once it is [`FRAME`] bytes long.
//!
//! A message is written once in a segment, however many sessions it waits for
//! ([`record::Record::Message`]), and is then referred to by its serial.
//!
//! # Segments and snapshots
//!
//! A segment begins with [`record::Record::Boot`]. From then on changes go to it alone, and beside
//! them, a bounded piece each turn, the state of every session and every retained message is
//! written. [`record::Record::Session`] stands for all that was known of the session before it.
//! [`record::Record::Complete`] says that all was written: earlier segments are needed no more and
//! the caller removes them. Nothing is ever appended to a segment of an earlier run.
//!
//! While a snapshot is under way, each turn writes four times as much of it as it writes changes
//! (and 32 KiB at least). So it ends, and with L the bytes of all that lives and a new segment
//! begun at max(1 MiB, 2 L), both segments together take no more than max(1 MiB, 2 L) + 1.25 L
//! and one turn. L is bounded by [`crate::Config::memory`] (queued and retained messages with
//! their entries, which are smaller here than in memory) and by the subscriptions.
//!
//! # Why a crash at any byte loses nothing
//!
//! Restoring reads the segments in order, each up to the first frame that is not whole.
//!
//! 1. *In a frame of changes*: nothing that depends on the frame was transmitted, so nobody was
//!    told. All before it is there.
//! 2. *In a snapshot*: the segment before is still there and holds the state at the beginning of
//!    this one; its changes apply on top. What the snapshot has of a session or topic is its state
//!    at that place among the changes, so replacing one by the other changes nothing.
//! 3. *After `Complete`, before the old segments are removed*: the same, as in 2; and what the new
//!    segment does not have is gone. The record of its end may have been given up with the old one.
//! 4. *After they are removed*: every session and topic is in the new segment, as it was at some
//!    place in it, and all changes after that place. Changes before it name sessions that are not
//!    known yet, and are passed over. Messages are there because the first reference to one in a
//!    segment writes it.
//! 5. *After a torn frame, with a segment behind it*: the run that wrote the later segment has
//!    restored from the whole frames before the tear, exactly as the next one does.
//!
//! The one thing that cannot be had is a QoS 1 delivery at most once: what was sent and not
//! recorded as acknowledged is sent again, with DUP and its packet identifier of before, as after
//! any broken connection.

mod clock;
pub(crate) mod field;
pub(crate) mod frame;
pub(crate) mod record;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

pub use clock::{Boot, Clock};

use crate::Time;
use crate::delivery::Delivery;
use crate::message::{Body, Message};
use field::Reference;
use record::Record;

/// A frame of so many bytes is closed before the next operation.
const FRAME: usize = if cfg!(test) { 256 } else { 64 * 1024 };
/// A buffer that grew larger gives its memory back.
const KEEP: usize = 64 * 1024;
/// Bytes of a snapshot that a turn writes at least.
const STEP: usize = if cfg!(test) { 64 } else { 32 * 1024 };

/// What the journal has of a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kept {
    No,
    /// Its will: the rest ends with its connection.
    Will,
    Whole,
}

/// Where a snapshot stands.
#[derive(Default)]
pub(crate) struct Walk {
    /// The next session to look at.
    pub(crate) session: u32,
    /// All sessions are written; retained messages are, up to this topic.
    pub(crate) retained: Option<Arc<str>>,
}

/// Changes on their way to the caller.
#[derive(Default)]
pub(crate) struct Journal {
    /// Off: nothing is recorded.
    pub(crate) on: bool,
    /// Whole frames, then the one that is being written.
    bytes: Vec<u8>,
    /// Where the frame that is being written starts.
    frame: usize,
    /// Of the segment; 0 is none.
    generation: u32,
    /// Of the last message written.
    pub(crate) message: u64,
    pub(crate) walk: Option<Walk>,
    /// When this run began, until it is recorded.
    pub(crate) restarted: Option<Time>,
}

impl Journal {
    /// Bytes not yet fetched.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn put(&mut self, record: &Record<'_>) {
        if self.bytes.len() == self.frame {
            frame::open(&mut self.bytes);
        }
        record.encode(&mut self.bytes);
    }

    fn seal(&mut self) {
        frame::close(&mut self.bytes, self.frame);
        self.frame = self.bytes.len();
    }

    /// One operation ends and another begins.
    pub(crate) fn boundary(&mut self) {
        if self.bytes.len().saturating_sub(self.frame) >= FRAME {
            self.seal();
        }
    }

    /// Begins a segment: what was not fetched of the one before is given up with it, for the
    /// snapshot has it all.
    pub(crate) fn begin(&mut self, boot: Boot) {
        self.bytes.clear();
        self.frame = 0;
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.walk = Some(Walk::default());
        self.put(&Record::Boot(boot));
        if let Some(now) = self.restarted.take() {
            self.put(&Record::Restarted(now));
        }
    }

    /// How much of a snapshot this turn writes.
    pub(crate) fn step(&self) -> usize {
        self.bytes.len().saturating_mul(4).max(STEP)
    }

    /// Moves all there is to `out`.
    pub(crate) fn take(&mut self, clock: Clock, out: &mut Vec<u8>) {
        if self.bytes.is_empty() {
            return;
        }
        self.put(&Record::Clock(clock));
        self.seal();
        if out.is_empty() {
            std::mem::swap(out, &mut self.bytes);
        } else {
            out.append(&mut self.bytes);
        }
        self.frame = 0;
        if self.bytes.capacity() > KEEP {
            self.bytes = Vec::new();
        }
    }

    /// Writes a message, if the segment does not have it, and answers its serial.
    pub(crate) fn define(&mut self, message: &Message) -> u64 {
        let mut serial = message.serial();
        if serial == 0 {
            self.message = self.message.saturating_add(1);
            serial = self.message;
            message.set_serial(serial);
        }
        if message.generation.load(Relaxed) != self.generation {
            message.generation.store(self.generation, Relaxed);
            self.put(&Record::Message {
                serial,
                expires: message.expires().unwrap_or(Time::NEVER),
                body: Body {
                    topic: message.topic(),
                    properties: message.properties(),
                    payload: message.payload(),
                    qos: message.qos,
                    retain: message.retain,
                },
            });
        }
        serial
    }

    /// Nothing is retained for the topic any more.
    pub(crate) fn clear(&mut self, topic: &str) {
        if self.on {
            self.put(&Record::Cleared { topic });
        }
    }

    /// The journal as the session of this serial writes to it.
    pub(crate) fn of(&mut self, kept: Kept, session: u64) -> Log<'_> {
        Log {
            session: (kept == Kept::Whole).then_some(session),
            journal: self,
        }
    }
}

/// The journal as one session writes to it. A session that does not outlive a crash writes
/// nothing.
pub(crate) struct Log<'a> {
    journal: &'a mut Journal,
    session: Option<u64>,
}

impl Log<'_> {
    pub(crate) fn is_on(&self) -> bool {
        self.session.is_some()
    }

    /// A delivery waits. `share` is the filter of the shared subscription that it came by.
    pub(crate) fn queued(&mut self, delivery: &Delivery, share: Option<&str>) {
        if let Some(session) = self.session
            && let Some(what) = self.refer(delivery, share)
        {
            let order = delivery.order;
            self.journal.put(&Record::Queued {
                session,
                order,
                what,
            });
        }
    }

    /// A delivery that waited does so no more, and was not sent.
    pub(crate) fn dropped(&mut self, delivery: &Delivery) {
        if let Some(session) = self.session
            && delivery.is_assured()
        {
            let order = delivery.order;
            self.journal.put(&Record::Dropped { session, order });
        }
    }

    /// A delivery that waited is in flight.
    pub(crate) fn sent(&mut self, delivery: &Delivery, packet_id: u16) {
        if let Some(session) = self.session {
            let order = delivery.order;
            self.journal.put(&Record::Sent {
                session,
                order,
                packet_id,
            });
        }
    }

    /// A delivery is in flight that did not wait.
    pub(crate) fn in_flight(&mut self, delivery: &Delivery, packet_id: u16, share: Option<&str>) {
        if let Some(session) = self.session
            && let Some(what) = self.refer(delivery, share)
        {
            let order = delivery.order;
            self.journal.put(&Record::InFlight {
                session,
                packet_id,
                order,
                what,
            });
        }
    }

    /// A delivery is finished.
    pub(crate) fn acked(&mut self, packet_id: u16) {
        if let Some(session) = self.session {
            self.journal.put(&Record::Acked { session, packet_id });
        }
    }

    /// PUBREC came.
    pub(crate) fn released(&mut self, packet_id: u16) {
        if let Some(session) = self.session {
            self.journal.put(&Record::Released { session, packet_id });
        }
    }

    /// A QoS 2 message came from the client.
    pub(crate) fn received(&mut self, packet_id: u16) {
        if let Some(session) = self.session {
            self.journal.put(&Record::Received { session, packet_id });
        }
    }

    /// PUBREL came: the packet identifier may be used again.
    pub(crate) fn forgotten(&mut self, packet_id: u16) {
        if let Some(session) = self.session {
            self.journal.put(&Record::Forgotten { session, packet_id });
        }
    }

    fn refer<'d>(
        &mut self,
        delivery: &'d Delivery,
        share: Option<&'d str>,
    ) -> Option<Reference<'d>> {
        delivery.is_assured().then(|| Reference {
            message: self.journal.define(&delivery.message),
            qos: delivery.qos,
            retain: delivery.retain,
            ids: delivery.ids.as_slice().into(),
            share,
        })
    }
}
