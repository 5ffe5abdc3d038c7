use std::sync::Arc;

use zeroize::Zeroizing;

use super::notices::shorten;
use super::{Broker, ConnId, Pressure, UNANSWERED};
use crate::codec::Malformed;
use crate::codec::connect::{self, Accepted, AcceptedProperties};
use crate::connection::{ALIASES, Pending, State};
use crate::reason::Reason;
use crate::session::Session;
use crate::timers::Timer;
use crate::{Access, Decision, Departure, Grants, Limits, NoticeKind, Refusal, Time};

impl Broker {
    /// The answer to a request of [`Broker::next_request`]. Too late is harmless.
    pub fn decide(&mut self, now: Time, conn: ConnId, decision: Decision) {
        let Some(found) = self.connection(conn) else {
            return;
        };
        if let Some(authentication) = &mut found.authentication {
            authentication.hold = None;
        }
        match found.state {
            State::AwaitingDecision(_) => {}
            State::Connected(session) => return self.decide_again(now, conn, session, decision),
            State::AwaitingConnect | State::AwaitingAuth(_) | State::Closing => return,
        }
        let state = std::mem::replace(&mut found.state, State::AwaitingConnect);
        let State::AwaitingDecision(pending) = state else {
            return;
        };
        let (identity, grants, limits, data) = match decision {
            Decision::Accept {
                identity,
                grants,
                limits,
                data,
            } => (identity, grants, limits, data),
            Decision::Continue { data } => return self.challenge(now, conn.slot, pending, &data),
            Decision::Refuse(refusal) => {
                self.turn_away(
                    conn.slot,
                    match refusal {
                        Refusal::BadCredentials => Reason::BAD_USER_NAME_OR_PASSWORD,
                        Refusal::NotAuthorized => Reason::NOT_AUTHORIZED,
                        Refusal::Banned => Reason::BANNED,
                        Refusal::Unavailable => Reason::SERVER_UNAVAILABLE,
                        Refusal::BadMethod => Reason::BAD_AUTHENTICATION_METHOD,
                    },
                );
                return;
            }
        };
        self.journal.boundary();
        let owner = self.identities.pin(&identity);
        match self.examine(now, &pending, owner, &grants, &limits) {
            Ok(()) => self.admit(
                now,
                conn,
                *pending,
                owner,
                (grants, limits),
                data.as_deref(),
            ),
            Err((reason, kind)) => {
                let client_id = Some(pending.client_id);
                self.tell_stranger(conn, Some(identity), client_id, kind);
                self.turn_away(conn.slot, reason);
            }
        }
        self.identities.unpin(owner);
    }

    /// Whether the identity may have this session on this connection.
    fn examine(
        &mut self,
        now: Time,
        pending: &Pending,
        owner: u32,
        grants: &Grants,
        limits: &Limits,
    ) -> Result<(), (Reason, NoticeKind)> {
        if let Some(will) = &pending.will {
            let topic = &*will.message.topic;
            let limit = |(limit, allowed): (&'static str, u32)| NoticeKind::Limit {
                limit,
                allowed: allowed.into(),
            };
            if let Err(met) = limits.fit_topic(topic) {
                return Err((Reason::TOPIC_NAME_INVALID, limit(met)));
            }
            if will.message.size() > limits.will_size as usize {
                let met = ("will_size", limits.will_size);
                return Err((Reason::PACKET_TOO_LARGE, limit(met)));
            }
            if will.message.user_properties > limits.user_properties {
                let met = ("user_properties", limits.user_properties);
                return Err((Reason::QUOTA_EXCEEDED, limit(met)));
            }
            if !grants.may_publish(topic) {
                self.stats.refused += 1;
                let kind = NoticeKind::Refused {
                    access: Access::Will,
                    topic: shorten(topic),
                };
                return Err((Reason::NOT_AUTHORIZED, kind));
            }
        }
        if pending
            .will
            .as_ref()
            .is_some_and(|will| will.message.retain)
            && limits.retained_messages == 0
        {
            // MQTT-3.2.2-13
            let kind = NoticeKind::Limit {
                limit: "retained_messages",
                allowed: 0,
            };
            return Err((Reason::RETAIN_NOT_SUPPORTED, kind));
        }
        let client_id = &*pending.client_id;
        let own = self.sessions.find(owner, client_id);
        let takes_over = own
            .and_then(|session| self.sessions.get(session))
            .is_some_and(|session| session.connected);
        let is_new = own.is_none();
        // Before the rest: memory that is short is a matter of all.
        if is_new && self.weigh(now) >= Pressure::High {
            let allowed = self.config.memory;
            let limit = "memory";
            return Err((Reason::SERVER_BUSY, NoticeKind::Limit { limit, allowed }));
        }
        let identity = self.identities.get(owner);
        let connections = identity.map_or(0, |identity| identity.connections);
        if connections.saturating_sub(u32::from(takes_over)) >= limits.connections {
            let allowed = u64::from(limits.connections);
            return Err((
                Reason::QUOTA_EXCEEDED,
                NoticeKind::Limit {
                    limit: "connections",
                    allowed,
                },
            ));
        }
        let sessions = identity.map_or(0, |identity| identity.sessions);
        // As many abandoned sessions as connections; the oldest makes way.
        if is_new && sessions >= limits.connections.saturating_mul(2) {
            self.evict_session(now, owner);
        }
        if is_new && self.sessions.len() >= self.config.sessions as usize {
            let allowed = u64::from(self.config.sessions);
            return Err((
                Reason::QUOTA_EXCEEDED,
                NoticeKind::Limit {
                    limit: "sessions",
                    allowed,
                },
            ));
        }
        Ok(())
    }

    fn admit(
        &mut self,
        now: Time,
        conn: ConnId,
        pending: Pending,
        owner: u32,
        (grants, limits): (Arc<Grants>, Arc<Limits>),
        data: Option<&[u8]>,
    ) {
        let mut client_id = pending.client_id.clone();
        let assigned = client_id.is_empty();
        if assigned {
            client_id = self.assign_client_id(owner);
        }
        let (session, present) =
            self.find_session(now, client_id, owner, pending.clean_start, &grants, &limits);
        let Some(found) = self.sessions.get_mut(session) else {
            return;
        };
        found.conn = conn;
        found.connected = true;
        found.will = pending.will;
        self.timers
            .set(Timer::Session(session), &mut found.timer, Time::NEVER);
        found.set_rights(grants, limits.clone());
        found.expiry_s = pending.session_expiry_s.min(limits.session_expiry_s);
        found.receive_maximum = pending.receive_maximum.min(limits.in_flight).max(1);
        found.out.restart();
        let expiry_s = found.expiry_s;
        self.sessions.weigh(session);
        if !self.record_session(session) {
            self.record_will(session);
        }
        let Some(found) = self.sessions.get(session) else {
            return;
        };
        let client_id = found.client_id.clone();
        if let Some(identity) = self.identities.get_mut(owner) {
            identity.connections = identity.connections.saturating_add(1);
        }
        self.stats.connected += 1;
        self.stats.connected_max = self.stats.connected_max.max(self.stats.connected);
        let Some(connection) = self.connections.get_mut(conn.slot) else {
            return;
        };
        connection.state = State::Connected(session);
        connection.heard = now;
        let version = connection.version;
        let keep_alive_s = connection
            .server_keep_alive
            .then_some(connection.keep_alive_ms / 1500);
        let keep_alive_s = keep_alive_s.and_then(|seconds| u16::try_from(seconds).ok());
        // MQTT-4.12.0-5, MQTT-4.12.0-6
        let method = connection.authentication.as_deref();
        let method = method.map(|authentication| authentication.method.clone());
        let early = Zeroizing::new(self.take_partial(conn.slot));
        self.watch_silence(conn.slot);
        let properties = AcceptedProperties {
            session_expiry_s: (expiry_s != pending.session_expiry_s).then_some(expiry_s),
            receive_maximum: limits.in_flight.max(1),
            retain_available: limits.retained_messages > 0,
            maximum_packet_size: limits.packet_size.max(1),
            assigned_client_id: assigned.then_some(&*client_id),
            topic_alias_maximum: ALIASES,
            keep_alive_s,
            authentication: method.as_deref().map(|method| (method, data)),
        };
        let connack = Accepted {
            session_present: present,
            properties: &properties,
        };
        let fits = self.answer(conn.slot, |out, version| {
            connect::encode_accepted(out, version, &connack)
        });
        self.tell(
            session,
            NoticeKind::Connected {
                version,
                session_present: present,
            },
        );
        if !fits {
            return self.turn_out(now, conn.slot, session);
        }
        if present {
            self.reconcile(now, session);
        }
        if let Err((packet, fault)) = self.consume(now, conn.slot, &early) {
            self.fail(now, conn.slot, packet, fault);
        }
    }

    /// The client does not take its CONNACK: it does not know that it is in, has left no will, and
    /// cannot be told why it is out (`MQTT-3.14.0-1`).
    fn turn_out(&mut self, now: Time, slot: u32, index: u32) {
        if let Some(session) = self.sessions.get_mut(index) {
            session.will = None;
        }
        if !self.record_session(index) {
            self.record_will(index);
        }
        let Malformed { field, what, .. } = UNANSWERED;
        let what = format!("{field}: {what}");
        let packet = "CONNECT";
        self.tell(index, NoticeKind::ProtocolError { packet, what });
        self.shut(now, slot, None, Departure::ProtocolError);
    }

    /// The session to go on with, and whether it was there before.
    fn find_session(
        &mut self,
        now: Time,
        client_id: Arc<str>,
        owner: u32,
        clean_start: bool,
        grants: &Arc<Grants>,
        limits: &Arc<Limits>,
    ) -> (u32, bool) {
        if let Some(session) = self.sessions.find(owner, &client_id) {
            let old = self
                .sessions
                .get(session)
                .filter(|session| session.connected);
            if let Some(slot) = old.map(|session| session.conn.slot) {
                // MQTT-3.1.4-3
                let reason = Some((Reason::SESSION_TAKEN_OVER, ""));
                self.shut(now, slot, reason, Departure::TakenOver);
            }
            // The session may have ended with its connection.
            if self.sessions.find(owner, &client_id) == Some(session) {
                let ghost = self.discharge(session);
                if !clean_start && !ghost {
                    return (session, true);
                }
                // MQTT-3.1.2-4
                self.end_session(now, session);
            }
        }
        if let Some(identity) = self.identities.get_mut(owner) {
            identity.sessions = identity.sessions.saturating_add(1);
        }
        let session = Session::new(client_id, owner, grants.clone(), limits.clone());
        (self.sessions.insert(session), false)
    }

    fn assign_client_id(&mut self, owner: u32) -> Arc<str> {
        loop {
            self.assigned = self.assigned.wrapping_add(1);
            let id = format!("auto-{:08x}", self.assigned);
            if self.sessions.find(owner, &id).is_none() {
                return id.into();
            }
        }
    }

    /// Ends the session of an identity that was abandoned first.
    fn evict_session(&mut self, now: Time, owner: u32) {
        let oldest = self
            .sessions
            .iter()
            .filter(|(_, session)| session.identity == owner && !session.connected)
            .min_by_key(|(_, session)| session.left)
            .map(|(index, _)| index);
        let Some(index) = oldest else { return };
        let connections = self
            .sessions
            .get(index)
            .map_or(0, |session| session.limits.connections);
        let allowed = u64::from(connections).saturating_mul(2);
        self.tell(
            index,
            NoticeKind::Limit {
                limit: "connections",
                allowed,
            },
        );
        self.end_session(now, index);
    }
}
