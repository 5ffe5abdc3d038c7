use std::time::Duration;

use super::{Broker, ConnId};
use crate::codec::{QoS, control};
use crate::connection::State;
use crate::delivery::Delivery;
use crate::reason::Reason;
use crate::timers::Timer;
use crate::{Departure, NoticeKind, Time, Version};

impl Broker {
    /// The transport is gone, without or after [`crate::Transmit::Close`].
    pub fn lost(&mut self, now: Time, conn: ConnId) {
        if self.connection(conn).is_none() {
            return;
        }
        self.journal.boundary();
        self.shut(now, conn.slot, None, Departure::ConnectionLost);
        if let Some(mut gone) = self.connections.remove(conn.slot) {
            self.outboxes = self.outboxes.saturating_sub(gone.outbox.len() as u64);
            self.timers
                .set(Timer::Connection(conn.slot), &mut gone.timer, Time::NEVER);
        }
    }

    /// Ends a connection: the reason goes out if the client's version has a place for it, and
    /// the caller is told to close.
    pub(super) fn shut(
        &mut self,
        now: Time,
        slot: u32,
        reason: Option<(Reason, &str)>,
        why: Departure,
    ) {
        let Some(conn) = self.connections.get_mut(slot) else {
            return;
        };
        match conn.state {
            State::Closing => {}
            State::Connected(session) => {
                if let Some((reason, text)) = reason
                    && conn.version == Version::V5
                {
                    // MQTT-3.14.2-3: the text may not make the packet too large.
                    let fits = conn.maximum_packet_size as usize >= text.len() + 8;
                    let text = if fits { text } else { "" };
                    let before = conn.outbox.len();
                    control::encode_disconnect(&mut conn.outbox, reason, text);
                    self.outboxes += conn.outbox.len().saturating_sub(before) as u64;
                    self.stats.packets_out += 1;
                }
                self.abandon(slot);
                self.tell(session, NoticeKind::Disconnected { why });
                self.detach(now, session);
            }
            State::AwaitingConnect | State::AwaitingDecision(_) | State::AwaitingAuth(_) => {
                if let Some((reason, _)) = reason {
                    self.answer_fault(slot, reason);
                }
                self.abandon(slot);
            }
        }
    }

    /// Reads no more from a connection; what is left is sent.
    pub(super) fn abandon(&mut self, slot: u32) {
        self.drop_partial(slot);
        if let Some(conn) = self.connections.get_mut(slot) {
            conn.state = State::Closing;
            let aliases = conn.aliases.take().map_or(0, |aliases| aliases.bytes());
            self.aliases = self.aliases.saturating_sub(aliases);
            self.timers
                .set(Timer::Connection(slot), &mut conn.timer, Time::NEVER);
        }
        self.wake(slot);
    }

    /// A session has lost its connection: its will and its end come due.
    fn detach(&mut self, now: Time, index: u32) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        session.connected = false;
        session.left = now;
        self.stats.connected = self.stats.connected.saturating_sub(1);
        let identity = session.identity;
        if let Some(identity) = self.identities.get_mut(identity) {
            identity.connections = identity.connections.saturating_sub(1);
        }
        if session.expiry_s == 0 {
            self.end_session(now, index);
            return;
        }
        let mut log = self.journal.of(session.kept, session.serial);
        // QoS 0 is not kept for a client that is away.
        session
            .replays
            .retain(|replay| replay.qos != QoS::AtMostOnce);
        session
            .out
            .retain(&mut self.held, &mut log, Delivery::is_assured);
        let shared = session.out.take_shared(&mut self.held, &mut log, |_| true);
        self.sessions.weigh(index);
        self.record_session(index);
        self.hand_over(now, index, false, shared);
        self.session_due(now, index);
    }

    /// Does what is due for a session without a connection, and sets its timer for the rest.
    pub(super) fn session_due(&mut self, now: Time, index: u32) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if session.connected {
            return;
        }
        if session.expires() <= now {
            self.stats.sessions_expired += 1;
            self.end_session(now, index);
            return;
        }
        // MQTT-3.1.2-10
        if session.will_due() <= now
            && let Some(will) = session.will.take()
        {
            self.record_will(index);
            self.publish_will(now, index, &will.message);
        }
        self.watch_session(index);
    }

    /// Sets the timer of a session without a connection.
    pub(crate) fn watch_session(&mut self, index: u32) {
        if let Some(session) = self.sessions.get_mut(index) {
            let due = session.expires().min(session.will_due());
            self.timers
                .set(Timer::Session(index), &mut session.timer, due);
        }
    }

    /// Ends a session: its will goes out now at the latest (section 3.1.3.2.2), everything it
    /// holds is given up.
    pub(super) fn end_session(&mut self, now: Time, index: u32) {
        let will = self
            .sessions
            .get_mut(index)
            .and_then(|session| session.will.take());
        self.record_end(index);
        if let Some(will) = will {
            self.publish_will(now, index, &will.message);
        }
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let identity = session.identity;
        let mut log = self.journal.of(session.kept, session.serial);
        let mut shared = session.out.shared_in_flight();
        shared.extend(session.out.take_shared(&mut self.held, &mut log, |_| true));
        session.out.clear(&mut self.held);
        self.timers
            .set(Timer::Session(index), &mut session.timer, Time::NEVER);
        for key in std::mem::take(&mut session.subscriptions) {
            self.subscriptions.remove(key, index);
        }
        self.keep_published(index);
        self.sessions.remove(index);
        self.hand_over(now, index, true, shared);
        if let Some(identity) = self.identities.get_mut(identity) {
            identity.sessions = identity.sessions.saturating_sub(1);
        }
        self.identities.release(identity);
    }

    /// Sets the keep-alive timer anew (`MQTT-3.1.2-22`).
    pub(super) fn watch_silence(&mut self, slot: u32) {
        let Some(conn) = self.connections.get_mut(slot) else {
            return;
        };
        let due = match conn.keep_alive_ms {
            0 => Time::NEVER,
            ms => conn.heard + Duration::from_millis(u64::from(ms)),
        };
        self.timers
            .set(Timer::Connection(slot), &mut conn.timer, due);
    }

    /// Does what is due: deadlines, keep-alive, retries, expiry, wills.
    pub fn tick(&mut self, now: Time) {
        for id in std::mem::take(&mut self.unfinished) {
            if let Some(conn) = self.connection(id) {
                conn.unfinished = false;
                self.wake(id.slot);
            }
        }
        self.search_retained(now);
        while let Some(timer) = self.timers.pop(now) {
            self.journal.boundary();
            match timer {
                Timer::Connection(slot) => self.connection_due(now, slot),
                Timer::Session(index) => {
                    if let Some(session) = self.sessions.get_mut(index) {
                        session.timer = Time::NEVER;
                    }
                    self.session_due(now, index);
                }
                Timer::Sweep => self.sweep(now),
                Timer::Memory => self.memory_due(now),
                Timer::Watch => self.watch_due(now),
            }
        }
    }

    fn connection_due(&mut self, now: Time, slot: u32) {
        let Some(conn) = self.connections.get_mut(slot) else {
            return;
        };
        conn.timer = Time::NEVER;
        match conn.state {
            State::AwaitingConnect | State::AwaitingAuth(_) => {
                let id = conn.id;
                let allowed = self.config.connect_timeout_ms;
                let kind = NoticeKind::Limit {
                    limit: "connect_timeout_ms",
                    allowed,
                };
                self.tell_stranger(id, None, None, kind);
                self.abandon(slot);
            }
            State::Connected(_) => {
                let silent =
                    now.since(conn.heard) >= Duration::from_millis(conn.keep_alive_ms.into());
                if silent {
                    let reason = Some((Reason::KEEP_ALIVE_TIMEOUT, ""));
                    self.shut(now, slot, reason, Departure::KeepAlive);
                } else {
                    self.watch_silence(slot);
                }
            }
            State::AwaitingDecision(_) | State::Closing => {}
        }
    }
}
