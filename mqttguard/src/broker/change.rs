//! What the daemon has the running broker do.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use mqttguard_broker::{ConnId, Kick, Time, Wanted};

use super::admission::mark;
use super::command::Command;
use super::live::{Live, LiveAnswer, LiveQuery, LiveTopic};
use super::login::auth;
use super::login::http_auth;
use super::reactor::Reactor;
use super::{Logins, TlsByListener};
use crate::config::Listener;
use crate::events::Denial;
use crate::registry::{Account, Directory};

/// How long clients have to hear that the broker stops.
const STOP: Duration = Duration::from_millis(500);

/// How long a call watches: who looks asks again before.
const WATCH: Duration = Duration::from_secs(60);

/// Whether the password, and the certificate of the router's, that a client came in by are still
/// good for its account.
fn holds(account: &Account, secret: Option<u64>, serial: Option<&String>) -> bool {
    let earlier = account.earlier.as_ref();
    if serial.is_some_and(|serial| !account.certificates.contains(serial)) {
        return false;
    }
    secret.is_none_or(|secret| {
        mark(&account.hash) == secret
            || earlier.is_some_and(|earlier| mark(&earlier.hash) == secret)
    })
}

impl Reactor {
    pub(super) fn take_commands(&mut self, now: Time) {
        while let Ok(command) = self.commands.try_recv() {
            match command {
                Command::Directory(directory) => self.set_directory(now, directory),
                Command::Logins(logins) => self.set_logins(now, logins),
                Command::Listeners(listeners, tls) => self.set_listeners(now, listeners, tls),
                Command::SysInterval(interval) => {
                    self.sys.set_interval(now, interval, &mut self.core);
                }
                Command::Bridges(bridges) => self.set_bridges(now, bridges),
                Command::Stats(reply) => {
                    // Whoever asked has stopped waiting.
                    let _ = reply.try_send(self.stats(now));
                }
                Command::Live(query, answer) => self.live(now, &query, answer),
                Command::EndLive => self.core.unwatch(),
                Command::Stop => self.stop(now),
            }
        }
    }

    fn live(&mut self, now: Time, query: &LiveQuery, answer: LiveAnswer) {
        let wanted = Wanted {
            filter: &query.filter,
            publisher: query.publisher.as_deref(),
        };
        let watched = self.core.watch(now, wanted, now + WATCH);
        answer(watched.map(|()| self.look(now, wanted, query.limit)));
    }

    fn look(&self, now: Time, wanted: Wanted<'_>, limit: usize) -> Live {
        let glance = self.core.glance(wanted, limit);
        let topics = glance.topics.into_iter().map(|sight| LiveTopic {
            age: sight.time.map(|time| now.since(time)),
            device: sight.publisher.as_deref().and_then(|name| {
                let account = self.directory.accounts.get(name)?;
                Some((account.mac, account.device.clone()))
            }),
            sight,
        });
        Live {
            topics: topics.collect(),
            more: glance.more,
            left_out: glance.left_out,
            left: WATCH,
        }
    }

    fn set_logins(&mut self, now: Time, logins: Arc<Logins>) {
        let old = std::mem::replace(&mut self.logins, logins);
        if old.jwt.is_some() && self.logins.jwt.is_none() {
            self.expel_tokens(now);
        }
        if old.http.is_none() || self.logins.http.is_some() {
            return;
        }
        // Nobody vouches for these any more.
        let all = self.conns.iter().filter_map(|conn| conn.login.as_ref());
        let identities = all.map(|login| Arc::clone(&login.identity));
        let external: HashSet<_> = identities
            .filter(|identity| identity.starts_with(http_auth::PREFIX))
            .collect();
        for identity in external {
            self.kick(now, &identity, Kick::Revoked);
            self.core.forget(now, &identity);
        }
    }

    /// Cuts off who came in by a token: nobody is believed who made it.
    fn expel_tokens(&mut self, now: Time) {
        let all = self.conns.iter().filter(|conn| conn.until.is_some());
        let ids: Vec<ConnId> = all.map(|conn| conn.id).collect();
        for id in ids {
            self.core.expel(now, id, Kick::Revoked);
            if let Some(conn) = self.conns.get_mut(id) {
                conn.hurry(now);
            }
            self.sweep_soon(now);
        }
    }

    fn set_directory(&mut self, now: Time, directory: Arc<Directory>) {
        // While it is still known whose they are.
        self.count_published();
        let old = std::mem::replace(&mut self.directory, Arc::clone(&directory));
        for (name, before) in &old.accounts {
            match directory.accounts.get(name) {
                None => {
                    self.kick(now, name, Kick::Revoked);
                    self.core.forget(now, name);
                }
                Some(account) => {
                    if !account.has_hash(&before.hash) {
                        self.kick(now, name, Kick::Revoked);
                    }
                    // What the session holds while nobody is connected goes by the new rights.
                    self.regrant(now, before, account);
                }
            }
        }
        // Each client again by the rules it came in by.
        let mut banned = HashSet::new();
        let mut revoked = HashSet::new();
        let mut expelled = Vec::new();
        for conn in self.conns.iter() {
            let Some(login) = &conn.login else { continue };
            let Some(account) = directory.accounts.get(&*login.identity) else {
                // Of the external check, and bound to no device; this one alone goes.
                if auth::standing(&directory, conn.mac).is_err() {
                    expelled.push((conn.id, Kick::Banned));
                }
                continue;
            };
            match auth::admit(&directory, account, conn.mac, conn.kind) {
                // Others of its account may be in by the newer password.
                Ok(()) if !holds(account, conn.secret, conn.serial.as_ref()) => {
                    expelled.push((conn.id, Kick::Revoked))
                }
                Ok(()) => {}
                Err(Denial::Quarantined | Denial::Blocked) => {
                    banned.insert(Arc::clone(&login.identity));
                }
                Err(_) => {
                    revoked.insert(Arc::clone(&login.identity));
                }
            }
        }
        for (id, why) in expelled {
            self.core.expel(now, id, why);
            if let Some(conn) = self.conns.get_mut(id) {
                conn.hurry(now);
            }
            self.sweep_soon(now);
        }
        for identity in &banned {
            self.kick(now, identity, Kick::Banned);
        }
        for identity in revoked.difference(&banned) {
            self.kick(now, identity, Kick::Revoked);
        }
    }

    fn regrant(&mut self, now: Time, before: &Account, account: &Account) {
        let same = before.device == account.device
            && before.profile == account.profile
            && before.limits == account.limits;
        if !same {
            let grants = |client_id: &str| Arc::new(auth::grants_of(account, client_id));
            let identity = &account.username;
            self.core.regrant(now, identity, grants, &account.limits);
        }
    }

    /// Has the core cut a client off; one that does not listen is cut off all the same.
    fn kick(&mut self, now: Time, identity: &str, why: Kick) {
        self.core.kick(now, identity, why);
        let mut any = false;
        for conn in self.conns.iter_mut() {
            if conn
                .login
                .as_ref()
                .is_some_and(|login| *login.identity == *identity)
            {
                conn.hurry(now);
                any = true;
            }
        }
        if any {
            self.sweep_soon(now);
        }
    }

    fn set_listeners(&mut self, now: Time, listeners: Vec<Listener>, tls: TlsByListener) {
        let verifiers = self.listeners.verifiers();
        self.listeners.set(now, listeners, tls, &mut self.events);
        let orphans: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|conn| {
                let listener = self.listeners.get(&conn.listener);
                listener.is_none_or(|listener| listener.config.kind != conn.kind)
            })
            .map(|conn| conn.id)
            .collect();
        for id in orphans {
            self.finish(now, id);
        }
        self.check_certificates(now, &verifiers);
    }

    fn stop(&mut self, now: Time) {
        self.stop_by = Some(now + STOP);
        self.stop_bridges(now);
        self.listeners
            .set(now, Vec::new(), TlsByListener::new(), &mut self.events);
        let mut identities = HashSet::new();
        let mut strangers = Vec::new();
        for conn in self.conns.iter() {
            match &conn.login {
                Some(login) => {
                    identities.insert(Arc::clone(&login.identity));
                }
                None => strangers.push(conn.id),
            }
        }
        for id in strangers {
            self.finish(now, id);
        }
        for identity in identities {
            self.kick(now, &identity, Kick::ShuttingDown);
        }
    }
}
