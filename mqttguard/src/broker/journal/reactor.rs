//! The reactor's part: when the journal is written, and what goes out then.

use mqttguard_broker::{ConnId, Time};

use super::super::reactor::Reactor;
use super::{Journal, Step, clock};

impl Reactor {
    /// Nothing may be sent now.
    pub(in super::super) fn is_gated(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::is_closed)
    }

    pub(in super::super) fn holds_reading(&self) -> bool {
        self.journal.as_ref().is_some_and(Journal::holds_reading)
    }

    /// The journal has something to write, and can.
    pub(in super::super) fn journal_waits(&self) -> bool {
        let journal = self.journal.as_ref();
        journal.is_some_and(|journal| journal.wants_turn(&self.core))
    }

    /// Has the journal written, as far as there is anything.
    pub(in super::super) fn commit(&mut self, now: Time) {
        let Some(journal) = &mut self.journal else {
            return;
        };
        let due = journal.deadline().is_some_and(|at| at <= now);
        if due || journal.wants_turn(&self.core) {
            let step = journal.commit(now, clock::wall_ms(), &mut self.core);
            self.take_step(now, step);
        }
    }

    /// Has the journal written, and says whether it holds all that has happened.
    pub(in super::super) fn has_committed(&mut self, now: Time) -> bool {
        self.commit(now);
        self.journal.is_none() || (!self.is_gated() && self.core.journal_len() == 0)
    }

    /// The thread that writes may be done.
    pub(in super::super) fn journal_done(&mut self, now: Time) {
        if let Some(journal) = &mut self.journal {
            let step = journal.poll(now);
            self.take_step(now, step);
        }
    }

    /// Sends what has waited.
    fn take_step(&mut self, now: Time, step: Step) {
        let Step {
            release,
            passed_over,
            news,
        } = step;
        if let Some(news) = news {
            self.events.journal(news);
        }
        // All marks first: a connection may have several entries.
        for (id, _) in release.iter() {
            if let Some(conn) = self.conns.get_mut(id) {
                conn.staged = false;
            }
        }
        for (id, bytes) in release.iter() {
            let Some(conn) = self.conns.get_mut(id) else {
                continue;
            };
            if conn.send(now, bytes, &mut self.wire).is_err() {
                self.lose(now, id);
            }
        }
        for (id, _) in release.iter() {
            self.conclude(now, id);
            self.watch(now, id);
        }
        self.bridges.release();
        if passed_over {
            let waiting = self.conns.iter().filter(|conn| conn.named && !conn.staged);
            let waiting: Vec<ConnId> = waiting.map(|conn| conn.id).collect();
            for id in waiting {
                self.serve(now, id);
            }
        }
    }

    /// The broker stops: what is left is written.
    pub(in super::super) fn close_journal(&mut self) {
        let now = self.now();
        for _ in 0..2 {
            if let Some(journal) = &mut self.journal {
                let step = journal.wait(now);
                self.take_step(now, step);
            }
            self.commit(now);
        }
    }
}
