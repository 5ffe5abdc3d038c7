//! How clients come in: accepted, asked for their password, decided on.

use std::cmp::Reverse;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io;
use std::sync::Arc;
use std::time::Duration;

use mio::{Interest, Token};
use mqttguard_broker::{AuthRequest, ConnId, Decision, Time};

use super::conn::{Conn, Reading};
use super::event::{BrokerEvent, BrokerEventKind};
use super::listen::Accepted;
use super::login::auth;
use super::login::verdict::{By, Job, Proof, Proven, Verdict};
use super::peers::Origin;
use super::reactor::Reactor;
use super::tls::Session;
use super::websocket::WebSocket;
use crate::config::{
    CONNECTIONS_OF_LISTENER, CONNECTIONS_PER_DEVICE, CONNECTIONS_TOTAL, CONNECTS_PER_S,
    ListenerKind,
};
use crate::events::Denial;
use crate::registry::{Account, Verifiers};

/// How long a client that is being paired waits for the registry: it may have to write to flash.
const PAIRING_PATIENCE: Duration = Duration::from_secs(5);
/// How often is looked whether the registry has it.
const PAIRING_LOOK: Duration = Duration::from_millis(50);

/// What the verdict is to make a credential of.
#[derive(Clone, Copy)]
struct Presented {
    /// The password is weak.
    weak: bool,
    /// The account that waited for it. None: the device is in its pairing window.
    claim: Option<u64>,
}

/// None if the verdict is to make no credential.
fn presented(verdict: &Verdict) -> Option<Presented> {
    match &verdict.proof {
        Ok(Proof::Proven(proven)) => match proven.by {
            By::Pairing { weak } => Some(Presented { weak, claim: None }),
            By::Claim { serial, weak } if !proven.account.hash.is_empty() => Some(Presented {
                weak,
                claim: Some(serial),
            }),
            _ => None,
        },
        _ => None,
    }
}

/// What tells a password's hash from others, and gives nothing away.
pub(super) fn mark(hash: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    hash.hash(&mut hasher);
    hasher.finish()
}

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
            kind: conn.kind,
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
            if let Some(presented) = presented(&verdict) {
                self.begin_pairing(now, verdict, presented);
                continue;
            }
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
                self.hold(now + delay, verdict);
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
            Err(Denial::Changed) if self.awaits_pairing(now, &verdict) => {
                return self.hold(now + PAIRING_LOOK, verdict);
            }
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
                    if let Some(conn) = self.conns.get_mut(id) {
                        let by_secret =
                            !matches!(proven.by, By::Token | By::Certificate | By::Check);
                        conn.secret = by_secret.then(|| mark(proven.hash()));
                    }
                    self.hand_on(proven);
                }
            }
            Err(_) => {}
        }
        self.core.decide(now, id, decision);
    }

    fn hold(&mut self, until: Time, verdict: Verdict) {
        self.answered = self.answered.wrapping_add(1);
        self.answers.insert((until, self.answered), verdict);
    }

    /// Hands what is to become a credential to the registry; the client's answer waits for it.
    fn begin_pairing(&mut self, now: Time, verdict: Verdict, presented: Presented) {
        let Ok(Proof::Proven(proven)) = &verdict.proof else {
            return;
        };
        let account = &proven.account;
        self.events.tell(BrokerEvent {
            mac: verdict.mac,
            address: Some(verdict.address),
            identity: None,
            client_id: None,
            suppressed: 0,
            kind: BrokerEventKind::Paired {
                username: Arc::clone(&account.username),
                verifiers: Verifiers {
                    hash: account.hash.clone(),
                    scram: account.scram.clone(),
                },
                weak: presented.weak,
                claim: presented.claim,
            },
        });
        if let Some(conn) = self.conns.get_mut(verdict.conn) {
            conn.pairing = Some(now + PAIRING_PATIENCE);
        }
        self.hold(now + PAIRING_LOOK, verdict);
    }

    /// Whether the registry may still take what the client was paired with.
    fn awaits_pairing(&mut self, now: Time, verdict: &Verdict) -> bool {
        let conn = self.conns.get_mut(verdict.conn);
        presented(verdict).is_some() && conn.is_some_and(|conn| conn.pairing > Some(now))
    }

    /// Gives what a password has shown to who keeps it. If it is lost, the next login shows it too.
    fn hand_on(&mut self, proven: Proven) {
        let by_secret = matches!(proven.by, By::Password | By::Scram);
        if by_secret && !proven.by_earlier && proven.account.earlier.is_some() {
            let hash = proven.account.hash.clone();
            self.tell_account(&proven.account, BrokerEventKind::Used { hash });
        }
        if !proven.verifiers.is_empty() {
            let verifiers = Verifiers {
                hash: proven.account.hash.clone(),
                scram: proven.verifiers,
            };
            self.tell_account(&proven.account, BrokerEventKind::Verified { verifiers });
        }
    }

    fn tell_account(&mut self, account: &Account, kind: BrokerEventKind) {
        self.events.tell(BrokerEvent {
            mac: None,
            address: None,
            identity: Some(Arc::clone(&account.username)),
            client_id: None,
            suppressed: 0,
            kind,
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
