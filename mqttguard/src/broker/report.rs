//! What the broker tells: events, and its state when asked.

use std::borrow::Cow;
use std::collections::HashSet;
use std::net::IpAddr;
use std::sync::Arc;

use mqttguard_broker::{ConnId, Notice, NoticeKind, Time};
use mqttguard_common::Mac;

use super::conn::Login;
use super::event::{BrokerEvent, BrokerEventKind};
use super::journal::Journal;
use super::login::http_auth;
use super::peers::Origin;
use super::reactor::Reactor;
use super::stats::{BrokerStats, ClientStatus};
use crate::registry::Registry;
use crate::text::clip;

fn clipped(text: Arc<str>) -> Arc<str> {
    match clip(&text) {
        Cow::Borrowed(_) => text,
        Cow::Owned(short) => short.into(),
    }
}

impl Reactor {
    /// Tells what the core has noticed.
    pub(super) fn report(&mut self, now: Time) {
        while let Some(notice) = self.core.next_notice() {
            self.tell_notice(now, notice);
        }
    }

    fn tell_notice(&mut self, now: Time, notice: Notice) {
        if self.bridge_noticed(&notice) {
            return;
        }
        let id = notice.conn;
        if let NoticeKind::Connected { version, .. } = notice.kind
            && let Some(conn) = self.conns.get_mut(id)
            && let (Some(identity), Some(client_id)) = (&notice.identity, &notice.client_id)
        {
            conn.login = Some(Box::new(Login {
                identity: Arc::clone(identity),
                client_id: Arc::clone(client_id),
                version,
                since: now,
            }));
        }
        let kind = match notice.kind {
            NoticeKind::Connected {
                version,
                session_present,
            } => BrokerEventKind::Connected {
                version,
                session_present,
            },
            NoticeKind::Disconnected { why } => BrokerEventKind::Disconnected { why },
            NoticeKind::ProtocolError { packet, what } => {
                BrokerEventKind::ProtocolError { packet, what }
            }
            NoticeKind::Refused { access, topic } => {
                let topic = clip(&topic).into_owned();
                let account = notice
                    .identity
                    .as_deref()
                    .and_then(|identity| self.directory.accounts.get(identity));
                BrokerEventKind::TopicRefused {
                    access,
                    topic,
                    profile: match account {
                        Some(account) => account.profile_name.clone(),
                        // Whom the directory does not have is of the external check, or a bridge.
                        None => {
                            let name = notice.identity.as_deref().unwrap_or_default();
                            match name.starts_with(http_auth::PREFIX) {
                                true => "http_auth".to_owned(),
                                false => String::new(),
                            }
                        }
                    },
                }
            }
            NoticeKind::Memory {
                pressure,
                used,
                allowed,
            } => BrokerEventKind::Memory {
                pressure,
                used,
                allowed,
            },
            NoticeKind::Limit { limit, allowed } => BrokerEventKind::LimitMet { limit, allowed },
        };
        let (mac, address) = self.whereabouts(id);
        self.events.tell(BrokerEvent {
            mac,
            address,
            identity: notice.identity,
            client_id: notice.client_id.map(clipped),
            suppressed: notice.suppressed,
            kind,
        });
    }

    /// Tells of a connection that the core says nothing of.
    pub(super) fn tell_of(&mut self, id: ConnId, suppressed: u32, kind: BrokerEventKind) {
        let (mac, address) = self.whereabouts(id);
        let login = self.conns.get_mut(id).and_then(|conn| conn.login.as_ref());
        let event = BrokerEvent {
            mac,
            address,
            identity: login.map(|login| Arc::clone(&login.identity)),
            client_id: login.map(|login| clipped(Arc::clone(&login.client_id))),
            suppressed,
            kind,
        };
        self.events.tell(event);
    }

    /// The same, but seldom for one peer.
    pub(super) fn tell_peer(&mut self, now: Time, id: ConnId, kind: BrokerEventKind) {
        let Some(origin) = self.conns.get_mut(id).map(|conn| conn.origin) else {
            return;
        };
        if let Some(suppressed) = self.peers.may_tell(now, origin) {
            self.tell_of(id, suppressed, kind);
        }
    }

    /// Tells that a connection was closed at once, for want of room, or has to wait its turn.
    pub(super) fn tell_full(
        &mut self,
        now: Time,
        (address, mac): (IpAddr, Option<Mac>),
        limit: &'static str,
        allowed: u32,
    ) {
        self.met.count(limit);
        let Some(suppressed) = self.peers.may_tell(now, Origin::of(address, mac)) else {
            return;
        };
        self.events.tell(BrokerEvent {
            mac,
            address: Some(address),
            identity: None,
            client_id: None,
            suppressed,
            kind: BrokerEventKind::LimitMet {
                limit,
                allowed: allowed.into(),
            },
        });
    }

    /// The peer's MAC address and address. The MAC is looked up if no login has done so; what
    /// is told before a login is told but a few times a second.
    fn whereabouts(&mut self, id: ConnId) -> (Option<Mac>, Option<IpAddr>) {
        let Some(conn) = self.conns.get_mut(id) else {
            return (None, None);
        };
        if conn.mac.is_none() && conn.login.is_none() {
            conn.mac = (self.resolve)(conn.peer);
        }
        (conn.mac, Some(conn.peer))
    }

    /// Puts what clients have published since the last time down to their devices. Users that no
    /// device stands behind are left out.
    pub(super) fn count_published(&mut self) {
        let accounts = &self.directory.accounts;
        let published = &mut self.published;
        if published.len() > Registry::MAX_DEVICES {
            let known: HashSet<Mac> = accounts.values().map(|account| account.mac).collect();
            published.retain(|mac, _| known.contains(mac));
        }
        self.core.take_published(|identity, count| {
            if let Some(account) = accounts.get(&**identity) {
                let sum = published.entry(account.mac).or_default();
                *sum = sum.saturating_add(count);
            }
        });
    }

    pub(super) fn stats(&mut self, now: Time) -> BrokerStats {
        self.count_published();
        let clients = self.conns.iter().filter_map(|conn| {
            let login = conn.login.as_ref()?;
            Some(ClientStatus {
                username: Arc::clone(&login.identity),
                mac: conn.mac,
                client_id: clipped(Arc::clone(&login.client_id)),
                address: conn.peer,
                connected_for: now.since(login.since),
                protocol: login.version,
                listener: Arc::clone(&conn.listener),
            })
        });
        BrokerStats {
            core: self.core.stats(),
            listeners: self.listeners.status(),
            clients: clients.collect(),
            limits_met: self.core.limits_met().chain(self.met.iter()).collect(),
            bridges: self.bridge_status(now),
            journal: self.journal.as_ref().map(Journal::status),
            logins: self.login_stats,
            published: self.published.clone(),
            events_lost: self.events.lost(),
        }
    }
}
