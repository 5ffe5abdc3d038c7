//! How clients come in: accepted, asked for their password, decided on.

use std::cmp::Reverse;
use std::io;
use std::sync::Arc;

use mio::{Interest, Token};
use mqttguard_broker::{AuthRequest, ConnId, Decision, Time};

use super::conn::{Conn, Reading};
use super::door::{
    CONNECTIONS_OF_LISTENER, CONNECTIONS_PER_DEVICE, CONNECTIONS_TOTAL, CONNECTS_PER_S,
};
use super::event::{BrokerEvent, BrokerEventKind, Denial};
use super::listen::Accepted;
use super::login::auth;
use super::login::verdict::{Job, Proof, Proven, Verdict};
use super::peers::Origin;
use super::reactor::Reactor;
use super::tls::Session;
use super::websocket::WebSocket;
use crate::config::ListenerKind;
use crate::registry::Verifiers;

impl Reactor {
    /// Accepts connections that wait, up to the limits.
    pub(super) fn accept(&mut self, now: Time) {
        if !self.listeners.is_ready() || self.stop_by.is_some() {
            return;
        }
        let mut accepted = std::mem::take(&mut self.accepted);
        if let Err(error) = self.listeners.accept(now, &mut accepted) {
            log::warn!("the broker accepts no connections for a moment: {error}");
            self.stop_lingering();
        }
        for connection in accepted.drain(..) {
            self.open(now, connection);
        }
        self.accepted = accepted;
    }

    fn open(&mut self, now: Time, mut accepted: Accepted) {
        let peer = accepted.peer;
        let mac = (self.resolve)(peer);
        let origin = Origin::of(peer, mac);
        let Some(listener) = self.listeners.get(&accepted.listener) else {
            return;
        };
        let (kind, limit) = (listener.config.kind, listener.config.connections);
        let tls = listener.tls().map(|tls| Arc::clone(&tls.config));
        let origins = (kind == ListenerKind::Wss).then(|| Arc::clone(&listener.origins));
        if listener.connections >= limit {
            return self.tell_full(now, (peer, mac), CONNECTIONS_OF_LISTENER, limit);
        }
        let limit = self.bounds.connections_per_device;
        if !self.peers.connect(now, origin, limit) {
            return self.tell_full(now, (peer, mac), CONNECTIONS_PER_DEVICE, limit);
        }
        let turn = self.peers.pace(now, origin, &self.bounds);
        if turn != Ok(None) {
            let allowed = self.bounds.connects_per_s;
            self.tell_full(now, (peer, mac), CONNECTS_PER_S, allowed);
        }
        let Ok(turn) = turn else {
            return self.peers.disconnect(now, origin);
        };
        let Ok(id) = self.core.open(now) else {
            self.peers.disconnect(now, origin);
            return self.tell_full(
                now,
                (peer, mac),
                CONNECTIONS_TOTAL,
                self.bounds.core.connections,
            );
        };
        let register = || -> io::Result<Option<Session>> {
            let token = Token(id.slot as usize);
            let both = Interest::READABLE | Interest::WRITABLE;
            let registry = self.poll.registry();
            registry.register(&mut accepted.stream, token, both)?;
            match (kind.is_encrypted(), tls) {
                (false, _) => Ok(None),
                (true, Some(tls)) => Session::new(&tls).map(Some).map_err(io::Error::other),
                (true, None) => Err(io::Error::other("its listener has no certificate")),
            }
        };
        match register() {
            Ok(tls) => {
                if let Some(listener) = self.listeners.get_mut(&accepted.listener) {
                    listener.connections = listener.connections.saturating_add(1);
                }
                let listener = (accepted.listener, kind);
                let layers = (
                    tls,
                    origins.map(|origins| Box::new(WebSocket::new(origins))),
                );
                let mut conn = Conn::new(id, accepted.stream, layers, (peer, mac), listener);
                if let Some(turn) = turn {
                    conn.reading = Reading::Until(turn);
                    self.resume.push(Reverse((turn, id.slot, id.serial)));
                }
                self.conns.insert(conn);
                self.recount(id);
                self.enqueue(id);
            }
            Err(error) => {
                log::warn!("the broker cannot serve a connection from {peer}: {error}");
                self.core.lost(now, id);
                self.peers.disconnect(now, origin);
            }
        }
    }

    /// A CONNECT or AUTH has come: has what is in it checked.
    pub(super) fn request(&mut self, now: Time, id: ConnId, request: AuthRequest) {
        if let Some(decision) = self.bridges.decide(id, &request) {
            self.core.decide(now, id, decision);
            return;
        }
        #[cfg(feature = "open")]
        if let Some(everybody) = &self.everybody {
            let decision = match request.method {
                None => everybody.clone(),
                Some(_) => Decision::Refuse(mqttguard_broker::Refusal::BadMethod),
            };
            self.core.decide(now, id, decision);
            return;
        }
        let certificate = self.certified(id);
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let job = Job {
            conn: id,
            request,
            certificate,
            address: conn.peer,
            listener: Arc::clone(&conn.listener),
            directory: Arc::clone(&self.directory),
            logins: Arc::clone(&self.logins),
            exchange: conn.exchange.take(),
        };
        if let Some(verdict) = self.login.submit(job) {
            self.answer(now, verdict);
        }
    }

    /// Takes what the login worker has found.
    pub(super) fn take_verdicts(&mut self, now: Time) {
        while let Ok(verdict) = self.login.next() {
            let origin = Origin::of(verdict.address, verdict.mac);
            // A guess counts at once, and whether or not the client waits for the answer: it has
            // cost the worker its time.
            if let Err(denial) = &verdict.proof
                && denial.is_guess()
            {
                self.peers.failed(now, origin);
                self.tell_guess(&verdict, *denial);
            }
            let Some(conn) = self.conns.get_mut(verdict.conn) else {
                continue;
            };
            conn.mac = verdict.mac;
            if verdict.proof.is_ok() && self.decided(&verdict).is_err() {
                // What was shown is right, which the delay may tell as little as the code.
                self.peers.failed(now, origin);
            }
            // Everybody gets a challenge: it says nothing.
            let is_last = !matches!(verdict.proof, Ok(Proof::Continue { .. }));
            let delay = self.peers.delay(now, origin);
            if delay.is_zero() || !is_last {
                self.answer(now, verdict);
            } else {
                self.answered = self.answered.wrapping_add(1);
                self.answers.insert((now + delay, self.answered), verdict);
            }
        }
    }

    /// Gives the answers that were held back and are due.
    pub(super) fn give_answers(&mut self, now: Time) {
        while let Some(entry) = self.answers.first_entry()
            && entry.key().0 <= now
        {
            let verdict = entry.remove();
            self.answer(now, verdict);
        }
    }

    /// What a verdict comes to now.
    fn decided(&mut self, verdict: &Verdict) -> Result<Decision, Denial> {
        let conn = self.conns.get_mut(verdict.conn).ok_or(Denial::Changed)?;
        // Whoever proves himself again has to be the same one.
        let is_other = match (&conn.login, &verdict.proof) {
            (Some(login), Ok(Proof::Proven(proven))) => login.identity != proven.account.username,
            _ => false,
        };
        match is_other {
            true => Err(Denial::OtherUser),
            false => auth::decide(&self.directory, &self.logins, verdict, conn.kind),
        }
    }

    /// Decides by the directory of now.
    fn answer(&mut self, now: Time, verdict: Verdict) {
        if self.conns.get_mut(verdict.conn).is_none() {
            return;
        }
        let decision = match self.decided(&verdict) {
            Ok(decision) => decision,
            Err(denial) => {
                let refused = &mut self.login_stats.refused;
                *refused = refused.saturating_add(1);
                self.tell_denial(now, &verdict, denial);
                Decision::Refuse(auth::refusal(&verdict, denial))
            }
        };
        let id = verdict.conn;
        match verdict.proof {
            Ok(Proof::Continue { exchange, .. }) => {
                if let Some(conn) = self.conns.get_mut(id) {
                    conn.exchange = Some(exchange);
                }
            }
            Ok(Proof::Proven(proven)) => {
                self.expire_at(now, id, proven.until);
                if matches!(decision, Decision::Accept { .. }) {
                    self.login_stats.accept(proven.by);
                    self.hand_on(proven);
                }
            }
            Err(_) => {}
        }
        self.core.decide(now, id, decision);
    }

    /// Gives what a password has shown to who keeps it. If it is lost, the next login shows it too.
    fn hand_on(&mut self, proven: Proven) {
        if proven.verifiers.is_empty() {
            return;
        }
        self.events.tell(BrokerEvent {
            mac: None,
            address: None,
            identity: Some(Arc::clone(&proven.account.username)),
            client_id: None,
            suppressed: 0,
            kind: BrokerEventKind::Verified {
                verifiers: Verifiers {
                    hash: proven.account.hash.clone(),
                    scram: proven.verifiers,
                },
            },
        });
    }

    /// Guesses are each worth telling: somebody counts them. Their delays bound them.
    fn tell_guess(&mut self, verdict: &Verdict, why: Denial) {
        self.events.tell(BrokerEvent {
            mac: verdict.mac,
            address: Some(verdict.address),
            identity: None,
            client_id: None,
            suppressed: 0,
            kind: BrokerEventKind::LoginRefused {
                username: verdict.shown_username(),
                why,
            },
        });
    }

    fn tell_denial(&mut self, now: Time, verdict: &Verdict, why: Denial) {
        if why.is_guess() && verdict.proof.is_err() {
            // Told when it was found out.
            return;
        }
        let kind = BrokerEventKind::LoginRefused {
            username: verdict.shown_username(),
            why,
        };
        self.tell_peer(now, verdict.conn, kind);
    }
}
