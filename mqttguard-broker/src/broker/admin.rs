use std::sync::Arc;

use super::{Broker, ConnId, Kick};
use crate::reason::Reason;
use crate::{Departure, Grants, Limits, Time};

impl Broker {
    /// Replaces the rights and limits of an identity, for its connections and sessions of now.
    /// Rights may depend on the client identifier: `grants` is asked for each session's.
    /// Subscriptions that are no longer granted are removed, and so is what waits for them.
    pub fn regrant(
        &mut self,
        now: Time,
        identity: &str,
        grants: impl Fn(&str) -> Arc<Grants>,
        limits: &Arc<Limits>,
    ) {
        for index in self.sessions_of(identity) {
            let Some(session) = self.sessions.get(index) else {
                continue;
            };
            let grants = grants(&session.client_id);
            self.regrant_session(now, index, grants, limits.clone());
        }
    }

    pub(super) fn regrant_session(
        &mut self,
        now: Time,
        index: u32,
        grants: Arc<Grants>,
        limits: Arc<Limits>,
    ) {
        if let Some(session) = self.sessions.get_mut(index) {
            if !session.ghost {
                session.expiry_s = session.expiry_s.min(limits.session_expiry_s);
            }
            session.receive_maximum = session.receive_maximum.min(limits.in_flight).max(1);
            session.set_rights(grants, limits);
        }
        self.record_session(index);
        self.reconcile(now, index);
        self.session_due(now, index);
    }

    /// Cuts off every connection of an identity. Its sessions stay.
    pub fn kick(&mut self, now: Time, identity: &str, why: Kick) {
        let (reason, why) = departure(why);
        for index in self.sessions_of(identity) {
            self.cut(now, index, reason, why);
        }
    }

    /// Cuts off one connection, if its client is in. The session stays.
    pub fn expel(&mut self, now: Time, conn: ConnId, why: Kick) {
        let session = self.connection(conn).and_then(|found| found.session());
        if let Some(session) = session {
            let (reason, why) = departure(why);
            self.cut(now, session, reason, why);
        }
    }

    /// Forgets an identity: its connections, sessions and retained messages.
    pub fn forget(&mut self, now: Time, identity: &str) {
        for index in self.sessions_of(identity) {
            self.cut(now, index, Reason::NOT_AUTHORIZED, Departure::Forgotten);
            self.end_session(now, index);
        }
        // A will may just have been retained.
        if let Some(owner) = self.identities.find(identity) {
            self.retained.purge(now, Some(owner), |message, gone| {
                self.journal.clear(message.topic());
                self.identities.retain_less(gone.owner, gone.size);
            });
        }
    }

    fn cut(&mut self, now: Time, index: u32, reason: Reason, why: Departure) {
        let Some(session) = self.sessions.get(index).filter(|session| session.connected) else {
            return;
        };
        let slot = session.conn.slot;
        self.shut(now, slot, Some((reason, "")), why);
    }

    fn sessions_of(&self, identity: &str) -> Vec<u32> {
        let Some(owner) = self.identities.find(identity) else {
            return Vec::new();
        };
        let own = self
            .sessions
            .iter()
            .filter(|(_, session)| session.identity == owner);
        own.map(|(index, _)| index).collect()
    }
}

/// The reason code of a kick, and what it is to the client.
const fn departure(why: Kick) -> (Reason, Departure) {
    match why {
        Kick::Banned => (Reason::ADMINISTRATIVE_ACTION, Departure::Banned),
        Kick::Revoked => (Reason::NOT_AUTHORIZED, Departure::Revoked),
        Kick::ShuttingDown => (Reason::SERVER_SHUTTING_DOWN, Departure::ShuttingDown),
        Kick::Expired => (Reason::MAXIMUM_CONNECT_TIME, Departure::Expired),
    }
}
