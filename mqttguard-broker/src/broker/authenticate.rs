//! Enhanced authentication (MQTT 5 section 4.12): AUTH both ways, before the CONNACK and after.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::connect::secret;
use super::{Broker, ConnId, Fault};
use crate::codec::{Malformed, control};
use crate::connection::{Again, Pending, State};
use crate::message::Hold;
use crate::reason::Reason;
use crate::timers::Timer;
use crate::{AuthRequest, Decision, Departure, Refusal, Stage, Time, Version};

/// AUTH packets that a client may send in one exchange. SCRAM takes one, or two after CONNACK.
const STEPS: u8 = 8;

impl Broker {
    /// AUTH from a client.
    pub(super) fn authenticate(&mut self, now: Time, slot: u32, body: &[u8]) -> Result<(), Fault> {
        let auth = control::decode_auth(body)?;
        let Some(conn) = self.connections.get_mut(slot) else {
            return Ok(());
        };
        let session = conn.session();
        let session = session.and_then(|session| self.sessions.get(session));
        if let Some(session) = session {
            conn.messages.charge(now, 1, session.limits.messages_per_s);
        }
        let Some(authentication) = &mut conn.authentication else {
            // MQTT-4.12.0-7
            let what = "AUTH without an Authentication Method in CONNECT";
            return Err(Malformed::protocol("packet type", what).into());
        };
        if *auth.method != *authentication.method {
            // MQTT-4.12.0-5, MQTT-4.12.1-1
            let reason = Reason::BAD_AUTHENTICATION_METHOD;
            let what = "not the one of CONNECT";
            return Err(Malformed::with(reason, "Authentication Method", what).into());
        }
        let again = authentication.again;
        let stage = match (auth.reason, session.is_some(), again) {
            (Reason::CONTINUE_AUTHENTICATION, false, _)
            | (Reason::CONTINUE_AUTHENTICATION, true, Again::AwaitingAuth) => Stage::Continue,
            (Reason::REAUTHENTICATE, true, Again::Idle) => {
                authentication.steps = 0;
                Stage::Again
            }
            (Reason::REAUTHENTICATE, false, _) => {
                let what = "re-authentication before the CONNACK";
                return Err(Malformed::protocol("reason code", what).into());
            }
            (Reason::REAUTHENTICATE, true, _) => {
                let what = "a re-authentication is under way";
                return Err(Malformed::protocol("reason code", what).into());
            }
            _ => {
                // MQTT-4.12.0-3: only the server asks for it.
                let what = "continues what the server has not asked for";
                return Err(Malformed::protocol("reason code", what).into());
            }
        };
        authentication.steps = authentication.steps.saturating_add(1);
        if authentication.steps > STEPS {
            return Err(Fault::Limit {
                limit: "authentication_steps",
                allowed: STEPS.into(),
                reason: Reason::NOT_AUTHORIZED,
            });
        }
        let size = auth.data.map_or(0, <[u8]>::len);
        let allowed = self.config.memory / 4;
        let waiting = self.undecided.bytes().saturating_add(size) as u64;
        if waiting.saturating_add(self.partial) > allowed {
            return Err(Fault::Limit {
                limit: "memory",
                allowed,
                reason: Reason::SERVER_BUSY,
            });
        }
        authentication.hold = Some(Hold::new(&self.undecided, size));
        let client_id = match session {
            Some(session) => {
                authentication.again = Again::AwaitingDecision;
                session.client_id.to_string()
            }
            None => {
                let state = std::mem::replace(&mut conn.state, State::AwaitingConnect);
                let State::AwaitingAuth(pending) = state else {
                    conn.state = state;
                    return Ok(());
                };
                let client_id = pending.client_id.to_string();
                conn.state = State::AwaitingDecision(pending);
                self.timers
                    .set(Timer::Connection(slot), &mut conn.timer, Time::NEVER);
                client_id
            }
        };
        let request = AuthRequest {
            stage,
            version: Version::V5,
            client_id,
            username: None,
            password: None,
            method: Some(auth.method.to_owned()),
            data: auth.data.map(secret),
        };
        self.requests.push_back((conn.id, request));
        Ok(())
    }

    /// Another step before the CONNACK. The time that the client has is that of its CONNECT.
    pub(super) fn challenge(&mut self, now: Time, slot: u32, pending: Box<Pending>, data: &[u8]) {
        let Some(conn) = self.connections.get_mut(slot) else {
            return;
        };
        let deadline = pending.deadline;
        conn.state = State::AwaitingAuth(pending);
        self.timers
            .set(Timer::Connection(slot), &mut conn.timer, deadline);
        let early = Zeroizing::new(self.take_partial(slot));
        if let Err(reason) = self.send_auth(slot, Reason::CONTINUE_AUTHENTICATION, Some(data)) {
            return self.turn_away(slot, reason);
        }
        if let Err((packet, fault)) = self.consume(now, slot, &early) {
            self.fail(now, slot, packet, fault);
        }
    }

    /// What became of a step of re-authentication (section 4.12.1).
    pub(super) fn decide_again(
        &mut self,
        now: Time,
        conn: ConnId,
        session: u32,
        decision: Decision,
    ) {
        let Some(found) = self.connection(conn) else {
            return;
        };
        let again = found.authentication.as_deref_mut();
        let Some(authentication) = again.filter(|a| a.again == Again::AwaitingDecision) else {
            return;
        };
        let sent = match decision {
            Decision::Accept {
                identity,
                grants,
                limits,
                data,
            } => {
                authentication.again = Again::Idle;
                if !self.belongs_to(session, &identity) {
                    Err(Reason::NOT_AUTHORIZED)
                } else {
                    self.regrant_session(now, session, grants, limits);
                    self.send_auth(conn.slot, Reason::SUCCESS, data.as_deref())
                }
            }
            Decision::Continue { data } => {
                authentication.again = Again::AwaitingAuth;
                self.send_auth(conn.slot, Reason::CONTINUE_AUTHENTICATION, Some(&data))
            }
            Decision::Refuse(refusal) => Err(match refusal {
                Refusal::BadCredentials | Refusal::NotAuthorized => Reason::NOT_AUTHORIZED,
                Refusal::Banned => Reason::ADMINISTRATIVE_ACTION,
                Refusal::Unavailable => Reason::SERVER_BUSY,
                Refusal::BadMethod => Reason::BAD_AUTHENTICATION_METHOD,
            }),
        };
        if let Err(reason) = sent {
            // MQTT-4.12.1-2
            let why = Departure::Reauthentication;
            self.shut(now, conn.slot, Some((reason, "")), why);
        }
    }

    fn belongs_to(&self, session: u32, identity: &Arc<str>) -> bool {
        let owner = self.sessions.get(session).map(|session| session.identity);
        owner.is_some() && owner == self.identities.find(identity)
    }

    /// An AUTH in the name of the connection's method, or why it cannot be sent.
    fn send_auth(&mut self, slot: u32, reason: Reason, data: Option<&[u8]>) -> Result<(), Reason> {
        let Some(conn) = self.connections.get(slot) else {
            return Ok(());
        };
        // MQTT-4.12.0-6: the caller has asked for what the client did not.
        let method = conn.authentication.as_deref();
        let method = &*method.ok_or(Reason::NOT_AUTHORIZED)?.method;
        let mut packet = Vec::new();
        control::encode_auth(&mut packet, reason, method, data);
        if packet.len() > conn.maximum_packet_size as usize {
            return Err(Reason::PACKET_TOO_LARGE);
        }
        self.answer(slot, |out, _| out.extend_from_slice(&packet));
        Ok(())
    }
}
