//! The budget that all clients together live in ([`super::Config::memory`]), and what is given up
//! when it runs short, in this order:
//!
//! 1. From 80 % on, sessions that are new and growth of what is retained are refused.
//! 2. From 95 % on, so are subscriptions that are new. QoS 0 that waits is dropped, the largest
//!    queue first; if that is not enough, clients that do not read are cut off, the largest queue
//!    first, as far as their session ends with their connection: the standard has what waits for
//!    them end with it. A session that outlives its connection keeps its queue, so cutting its
//!    client off would gain nothing.
//! 3. At 100 % messages are refused.
//!
//! Nothing that was acknowledged is dropped from a session that goes on.

use super::Broker;
use crate::connection::Connection;
use crate::delivery::Delivery;
use crate::message::ALLOCATION;
use crate::reason::Reason;
use crate::timers::Timer;
use crate::{ConnId, Departure, Notice, NoticeKind, Time};

/// In percent of the budget: where each level begins, and below what it ends.
const HIGH: (u64, u64) = (80, 75);
const CRITICAL: (u64, u64) = (95, 90);
/// While memory is short it is looked at this often, besides when it is asked for.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);
/// A smaller queue is not what fills the memory, and may be full in a moment of honest work.
const SMALL_QUEUE: usize = 16 * 1024;

/// How short memory is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Pressure {
    /// Below 80 % of [`super::Config::memory`].
    #[default]
    None,
    /// 80 % or more, until it is below 75 %.
    High,
    /// 95 % or more, until it is below 90 %.
    Critical,
}

impl Broker {
    /// Bytes held: messages, queues, sessions, subscriptions, connections and their buffers.
    pub(super) fn memory_used(&self) -> u64 {
        let connection = size_of::<Connection>() + ALLOCATION;
        let connections = (self.connections.len() * connection) as u64;
        let queued = self.held.saturating_mul(size_of::<Delivery>() as u64);
        [
            self.gauge.bytes() as u64,
            queued,
            self.retained.index_bytes(),
            self.sessions.bytes(),
            self.subscriptions.bytes(),
            connections,
            self.partial,
            self.undecided.bytes() as u64,
            self.outboxes,
            self.aliases,
            self.watching.bytes(),
            self.outside,
        ]
        .iter()
        .fold(0, |sum, part| sum.saturating_add(*part))
    }

    /// Bytes that the caller holds for its connections (what their sockets have not taken, TLS
    /// records that are not whole): they count against [`super::Config::memory`] too.
    pub fn set_outside_memory(&mut self, bytes: u64) {
        self.outside = bytes;
    }

    /// Whether `more` bytes fit the budget.
    pub(super) fn has_room(&mut self, now: Time, more: usize) -> bool {
        let wanted = self.memory_used().saturating_add(more as u64);
        if wanted < self.share(HIGH.0) && self.pressure == Pressure::None {
            return true;
        }
        self.weigh(now);
        self.memory_used().saturating_add(more as u64) <= self.config.memory
    }

    fn share(&self, percent: u64) -> u64 {
        (self.config.memory / 100).saturating_mul(percent)
    }

    /// Looks how short memory is, tells if that has changed, and makes room if it has to.
    pub(super) fn weigh(&mut self, now: Time) -> Pressure {
        let used = self.memory_used();
        let level = |(from, until): (u64, u64), holds: bool| {
            used >= self.share(if holds { until } else { from })
        };
        let pressure = if level(CRITICAL, self.pressure == Pressure::Critical) {
            Pressure::Critical
        } else if level(HIGH, self.pressure >= Pressure::High) {
            Pressure::High
        } else {
            Pressure::None
        };
        if pressure != self.pressure {
            self.pressure = pressure;
            let allowed = self.config.memory;
            self.push_notice(Notice {
                conn: ConnId {
                    slot: u32::MAX,
                    serial: 0,
                },
                identity: None,
                client_id: None,
                suppressed: 0,
                kind: NoticeKind::Memory {
                    pressure,
                    used,
                    allowed,
                },
            });
        }
        let look = match pressure {
            Pressure::None => Time::NEVER,
            Pressure::High | Pressure::Critical => self.look_at.min(now + LOOK),
        };
        self.timers.set(Timer::Memory, &mut self.look_at, look);
        if pressure == Pressure::Critical && self.relieve_at <= now {
            // Not again at once: what could be given up is, and a will may bring us back here.
            self.relieve_at = now + LOOK;
            self.relieve(now);
        }
        self.pressure
    }

    /// [`Timer::Memory`].
    pub(super) fn memory_due(&mut self, now: Time) {
        self.look_at = Time::NEVER;
        self.weigh(now);
    }

    /// Gives up what may be, the largest first, until there is some room again.
    fn relieve(&mut self, now: Time) {
        let enough = self.share(CRITICAL.1);
        let allowed = self.config.memory;
        let sessions = self.sessions.iter();
        let mut fleeting: Vec<(usize, u32)> = sessions
            .map(|(index, session)| (session.out.fleeting_bytes(), index))
            .filter(|(bytes, _)| *bytes > 0)
            .collect();
        fleeting.sort_unstable();
        for (_, index) in fleeting.into_iter().rev() {
            if self.memory_used() < enough {
                return;
            }
            if let Some(session) = self.sessions.get_mut(index) {
                self.stats.messages_dropped += session.out.drop_fleeting(&mut self.held);
                self.tell_limit(now, index, "memory", allowed);
            }
        }
        let sessions = self.sessions.iter();
        let mut unread: Vec<(usize, u32)> = sessions
            .filter(|(_, session)| session.connected && session.expiry_s == 0)
            .map(|(index, session)| (session.out.bytes(), index))
            .filter(|(bytes, _)| *bytes > SMALL_QUEUE)
            .collect();
        unread.sort_unstable();
        for (_, index) in unread.into_iter().rev() {
            if self.memory_used() < enough {
                return;
            }
            let Some(slot) = self.sessions.get(index).map(|session| session.conn.slot) else {
                continue;
            };
            self.tell_limit(now, index, "memory", allowed);
            let reason = Some((Reason::QUOTA_EXCEEDED, "memory"));
            self.shut(now, slot, reason, Departure::MemoryShort);
        }
    }
}
