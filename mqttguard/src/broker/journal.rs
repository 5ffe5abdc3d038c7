//! Where the core's journal is written, and what waits until it is.
//!
//! The core says what has to outlive a crash ([`mqttguard_broker::Broker::take_journal`]). Before
//! anything is sent that came after a change, the change is written:
//!
//! - *In memory*: to a file on a tmpfs, by write(2) on the broker's thread, once a turn. The
//!   kernel has it then, whatever becomes of the daemon. What the turn has to send waits in
//!   [`Staged`] until the write is done.
//! - *On a disk* (`persist`): by a thread of its own that writes and calls fdatasync(2). All that
//!   has come together while it was at work goes with the next call. Until it is done, nothing is
//!   sent; sockets are read on, up to [`Journal::holds_reading`].
//!
//! A journal that cannot be written does not stop the broker: that is told, and every minute a
//! new segment is tried, with a snapshot of everything.
//!
//! The format, and why no crash loses anything, is documented in the core's `journal` module. Its
//! segments are files here, `00000001.journal` and on, in a directory that is locked: two daemons
//! never write one journal.

mod clock;
mod reactor;
mod segments;
mod staged;
mod start;
mod writer;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mio::Waker;
use mqttguard_broker::{Boot, Broker, ConnId, Time};

pub(super) use clock::SteadyClock;
use staged::Staged;
pub(super) use start::start;
use writer::{Batch, Writer};

use crate::events::JournalNews;

/// How long until a journal that could not be written is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// A segment is not replaced before it has so many bytes.
const SMALLEST: u64 = 1024 * 1024;
/// With so many bytes staged, nothing more is.
const STAGED: usize = 256 * 1024;
/// Bytes read while nothing may be sent: less than what would fill a subscriber's queue.
const READ_ON: usize = 32 * 1024;

/// Where the journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The directory; it is made if only its last part is missing.
    pub directory: PathBuf,
    /// It is on a disk and is to outlast a power cut: every write is followed by fdatasync(2).
    pub disk: bool,
}

/// How the journal is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalStatus {
    /// Where it is.
    pub place: Place,
    /// Bytes in its newest segment.
    pub bytes: u64,
    /// Why what is acknowledged now would not outlive a crash; None: it would.
    pub trouble: Option<JournalNews>,
}

/// The journal as the broker's thread has it.
pub(super) struct Journal {
    place: Place,
    boot: Boot,
    writer: Writer,
    /// The next batch begins a segment.
    begins: bool,
    /// Bytes in the segment, and those of its snapshot.
    bytes: u64,
    live: u64,
    trouble: Option<JournalNews>,
    retry_at: Option<Time>,
    /// Came with changes that no batch has yet, with those in the batch under way.
    staged: Staged,
    underway: Staged,
    /// A batch is under way, and with `gated` changes of the core's in it.
    busy: bool,
    gated: bool,
    /// Somebody was not served for it.
    passed_over: bool,
    /// Bytes read since the gate was closed.
    read: usize,
    scratch: Vec<u8>,
}

/// What a step of the journal came to.
#[derive(Default)]
pub(super) struct Step {
    /// These may go out now.
    pub(super) release: Staged,
    /// Somebody was not served meanwhile.
    pub(super) passed_over: bool,
    /// A change of how the journal is.
    pub(super) news: Option<JournalNews>,
}

impl Journal {
    /// Nothing may be fetched from the core to be sent.
    pub(super) fn is_closed(&self) -> bool {
        self.gated || self.staged.len() >= STAGED
    }

    /// Enough was read while the gate is closed.
    pub(super) fn holds_reading(&self) -> bool {
        self.is_closed() && self.read >= READ_ON
    }

    pub(super) fn has_read(&mut self, bytes: usize) {
        if self.is_closed() {
            self.read = self.read.saturating_add(bytes);
        }
    }

    /// Whether a connection has to wait until the gate opens.
    pub(super) fn passes_over(&mut self) -> bool {
        let closed = self.is_closed();
        self.passed_over |= closed;
        closed
    }

    /// Keeps what a connection is to be sent until the changes before it are written.
    pub(super) fn stage(&mut self, id: ConnId, bytes: &[u8]) {
        self.staged.push(id, bytes);
    }

    /// Whether [`Journal::commit`] has something to do now.
    pub(super) fn wants_turn(&self, core: &Broker) -> bool {
        !self.busy && (core.journal_len() > 0 || core.is_snapshotting() || !self.staged.is_empty())
    }

    /// When it is to be tried again.
    pub(super) fn deadline(&self) -> Option<Time> {
        self.retry_at
    }

    /// Writes what the core has, or has it written.
    pub(super) fn commit(&mut self, now: Time, wall_ms: u64, core: &mut Broker) -> Step {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.retry_at = None;
            self.begin(core);
        }
        if self.busy {
            return Step::default();
        }
        let changes = core.journal_len();
        self.scratch.clear();
        let mut bytes = std::mem::take(&mut self.scratch);
        let clock = mqttguard_broker::Clock { now, wall_ms };
        let complete = core.take_journal(clock, &mut bytes);
        if (self.trouble.is_some() && self.retry_at.is_some()) || bytes.is_empty() {
            self.scratch = bytes;
            return Step {
                release: std::mem::take(&mut self.staged),
                passed_over: std::mem::take(&mut self.passed_over),
                news: None,
            };
        }
        self.bytes = self.bytes.saturating_add(bytes.len() as u64);
        let snapshot = bytes.len().saturating_sub(changes) as u64;
        self.live = self.live.saturating_add(snapshot);
        self.underway = std::mem::take(&mut self.staged);
        self.busy = true;
        self.gated = changes > 0;
        let batch = Batch {
            begins: std::mem::take(&mut self.begins),
            bytes,
            complete,
        };
        // All there was is in this batch: the next one may begin a segment.
        if !core.is_snapshotting() && self.bytes > SMALLEST.max(self.live.saturating_mul(2)) {
            self.begin(core);
        }
        match self.writer.write(batch) {
            Some((batch, result)) => self.written(now, batch, result),
            None => Step::default(),
        }
    }

    /// Takes what the thread has done, if it is done.
    pub(super) fn poll(&mut self, now: Time) -> Step {
        match self.writer.poll() {
            Some((batch, result)) if self.busy => self.written(now, batch, result),
            _ => Step::default(),
        }
    }

    /// Waits for what is under way.
    pub(super) fn wait(&mut self, now: Time) -> Step {
        match self.writer.wait() {
            Some((batch, result)) if self.busy => self.written(now, batch, result),
            _ => Step::default(),
        }
    }

    fn written(&mut self, now: Time, batch: Batch, result: std::io::Result<()>) -> Step {
        (self.busy, self.gated, self.read) = (false, false, 0);
        let release = std::mem::take(&mut self.underway);
        let mut news = None;
        match result {
            Ok(()) if batch.complete => {
                if self.trouble.take().is_some() {
                    let directory = self.directory().to_string();
                    news = Some(JournalNews::Whole { directory });
                }
            }
            Ok(()) => {}
            Err(error) => {
                let trouble = JournalNews::Unwritable {
                    directory: self.directory().to_string(),
                    why: error.to_string(),
                };
                if self.trouble.is_none() {
                    news = Some(trouble.clone());
                }
                self.trouble = Some(trouble);
                self.retry_at = Some(now + RETRY);
            }
        }
        if batch.bytes.capacity() <= STAGED {
            self.scratch = batch.bytes;
        }
        Step {
            release,
            passed_over: std::mem::take(&mut self.passed_over),
            news,
        }
    }

    /// From here on another segment is written.
    fn begin(&mut self, core: &mut Broker) {
        core.begin_segment(self.boot);
        self.begins = true;
        (self.bytes, self.live) = (0, 0);
    }

    fn directory(&self) -> String {
        self.place.directory.display().to_string()
    }

    pub(super) fn status(&self) -> JournalStatus {
        JournalStatus {
            place: self.place.clone(),
            bytes: self.bytes,
            trouble: self.trouble.clone(),
        }
    }
}

/// Wakes the broker's thread.
pub(super) type Wake = Arc<Waker>;

#[cfg(test)]
mod tests;
