//! From the bytes of a journal to a broker.

mod apply;
mod image;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::broker::{Broker, Config};
use crate::journal::frame::{self, Found};
use crate::journal::record::Record;
use crate::journal::{Boot, Clock};
use crate::message::{Gauge, Message};
use crate::{Grants, Limits, Time};
use image::{Image, RetainedImage};

/// Messages defined and not looked through for those that nobody refers to any more, in bytes.
const LITTER: usize = if cfg!(test) { 64 } else { 1024 * 1024 };

/// What became of a segment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Segment {
    /// Bytes of whole frames.
    pub read: u64,
    /// Bytes behind the last whole frame.
    pub unread: u64,
    /// What is behind is not only the beginning of a frame, or nothing written, as a write that
    /// was cut short leaves it: something has changed the bytes since, and what was recorded
    /// there may be lost.
    pub damaged: bool,
}

/// What was restored, and what was not.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    /// Sessions, and those of which only a will is left.
    pub sessions: u64,
    /// Their subscriptions.
    pub subscriptions: u64,
    /// Messages that wait or are in flight, counted for each session.
    pub queued: u64,
    /// Retained messages.
    pub retained: u64,
    /// Sessions and retained messages of identities that are no more.
    pub disowned: u64,
    /// Sessions beyond [`Config::sessions`]: those that were left first.
    pub crowded_out: u64,
    /// References to messages that were not there: damage.
    pub missing: u64,
}

/// Reads a journal, segment by segment and in pieces of any size.
pub struct Restore {
    gauge: Gauge,
    sessions: HashMap<u64, Image>,
    retained: BTreeMap<Box<str>, RetainedImage>,
    /// Messages that records refer to.
    messages: HashMap<u64, Arc<Message>>,
    /// Bytes of messages defined since they were last looked through.
    litter: usize,
    /// The segment's snapshot is not yet complete.
    partial: bool,
    /// The highest serials.
    session: u64,
    message: u64,
    boot: Option<Boot>,
    clock: Option<Clock>,
    missing: u64,
    /// The beginning of a frame.
    part: Vec<u8>,
    segment: Segment,
    /// Nothing more of the segment is read.
    stopped: bool,
}

impl Default for Restore {
    fn default() -> Restore {
        Restore::new()
    }
}

impl Restore {
    /// From no journal, an empty broker comes.
    pub fn new() -> Restore {
        Restore {
            gauge: Gauge::default(),
            sessions: HashMap::new(),
            retained: BTreeMap::new(),
            messages: HashMap::new(),
            litter: 0,
            partial: false,
            session: 0,
            message: 0,
            boot: None,
            clock: None,
            missing: 0,
            part: Vec::new(),
            segment: Segment::default(),
            stopped: false,
        }
    }

    /// The next bytes of the segment.
    pub fn feed(&mut self, bytes: &[u8]) {
        if self.stopped {
            self.pass_over(bytes);
            return;
        }
        let mut part = std::mem::take(&mut self.part);
        part.extend_from_slice(bytes);
        let mut rest = &part[..];
        loop {
            match frame::find(rest) {
                Found::Part(_) => break,
                Found::Frame(body, len) if self.apply_all(body) => {
                    self.segment.read += len as u64;
                    rest = rest.get(len..).unwrap_or_default();
                }
                Found::Frame(..) => {
                    self.segment.damaged = true;
                    return self.stop(rest, 0);
                }
                Found::Damage { len } => return self.stop(rest, len),
            }
        }
        let read = part.len().saturating_sub(rest.len());
        part.drain(..read);
        self.part = part;
    }

    /// No more of this segment: `len` bytes are not a frame. A write that was cut short leaves
    /// nothing behind them, or zeros.
    fn stop(&mut self, rest: &[u8], len: usize) {
        self.stopped = true;
        self.segment.unread += len as u64;
        let (bad, behind) = rest.split_at(len.min(rest.len()));
        let header = bad.get(..frame::HEADER).unwrap_or_default();
        // A header that is whole and wrong, with a body that is neither.
        self.segment.damaged |= bad.len() == frame::HEADER && header.iter().any(|byte| *byte != 0);
        self.pass_over(behind);
    }

    fn pass_over(&mut self, bytes: &[u8]) {
        self.segment.unread += bytes.len() as u64;
        self.segment.damaged |= bytes.iter().any(|byte| *byte != 0);
    }

    /// The segment ends here, and the next one may begin.
    pub fn end_segment(&mut self) -> Segment {
        self.segment.unread += self.part.len() as u64;
        self.part = Vec::new();
        self.stopped = false;
        std::mem::take(&mut self.segment)
    }

    /// The clocks of the last frame, and what the core's ran by. For the caller to set the core's
    /// clock by: it goes on from [`Clock::now`] (by the time that has passed since, as far as
    /// that is known), so that what expires does so in time.
    pub fn clock(&self) -> Option<(Boot, Clock)> {
        Some((self.boot?, self.clock?))
    }

    /// False if a record is none.
    fn apply_all(&mut self, body: &[u8]) -> bool {
        let mut left = body;
        while !left.is_empty() {
            let Some(record) = Record::decode(&mut left) else {
                return false;
            };
            self.apply(record);
        }
        // Between operations, what nobody refers to will not be referred to again; but a session
        // that the snapshot has not come to may refer to anything.
        let most = self.gauge.bytes() / 2;
        if self.litter > LITTER.max(most) && !self.partial {
            self.litter = 0;
            self.messages
                .retain(|_, message| Arc::strong_count(message) > 1);
        }
        true
    }

    /// Makes the broker, which keeps a journal from now on: [`Broker::begin_segment`] is next.
    ///
    /// `rights` answers for an identity and a client identifier what the client may do and use;
    /// `None` if there is no such identity: its sessions and retained messages are given up. What
    /// the rights no longer cover stays until the client comes back, or [`Broker::regrant`].
    /// `now` is on the clock that [`Restore::clock`] speaks of. Sessions that were connected
    /// count as left now. Queues keep all that was acknowledged, even where limits are lower now:
    /// nothing is added to them until they are below.
    pub fn finish(
        self,
        config: Config,
        now: Time,
        rights: impl FnMut(&str, &str) -> Option<(Arc<Grants>, Arc<Limits>)>,
    ) -> (Broker, Outcome) {
        image::develop(self, config, now, rights)
    }
}
