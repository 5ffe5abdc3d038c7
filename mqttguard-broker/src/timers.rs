use std::collections::BTreeSet;

use crate::Time;

/// What falls due.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Timer {
    /// CONNECT deadline or keep-alive of the connection in this slot.
    Connection(u32),
    /// Will delay or expiry of this session.
    Session(u32),
    /// Expired retained messages are to be cleared away.
    Sweep,
    /// Memory is short and is to be looked at again.
    Memory,
    /// Somebody's watch ends.
    Watch,
}

/// Everything that falls due, in order.
#[derive(Default)]
pub(crate) struct Timers {
    due: BTreeSet<(Time, Timer)>,
}

impl Timers {
    /// Moves `timer` from where `at` says it is to `to`.
    pub(crate) fn set(&mut self, timer: Timer, at: &mut Time, to: Time) {
        if *at == to {
            return;
        }
        if *at != Time::NEVER {
            self.due.remove(&(*at, timer));
        }
        if to != Time::NEVER {
            self.due.insert((to, timer));
        }
        *at = to;
    }

    /// When the next timer falls due.
    pub(crate) fn next(&self) -> Option<Time> {
        self.due.first().map(|(time, _)| *time)
    }

    /// Takes a timer that is due. Where its owner keeps when it is due is for the caller to set
    /// to [`Time::NEVER`].
    pub(crate) fn pop(&mut self, now: Time) -> Option<Timer> {
        let first = self.due.first()?;
        if first.0 > now {
            return None;
        }
        self.due.pop_first().map(|(_, timer)| timer)
    }
}
