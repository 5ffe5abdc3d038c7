use std::sync::Arc;

use super::{Broker, Fault, Pressure, UNANSWERED};
use crate::codec::subscribe::{self, Options, RetainHandling};
use crate::journal::Kept;
use crate::journal::record::Record;
use crate::reason::Reason;
use crate::retained::Cursor;
use crate::session::Replay;
use crate::subscriptions::{Key, Subscriber};
use crate::{Access, Time, topic};

/// Filters looked at in one SUBSCRIBE: twice what Home Assistant puts into one.
const FILTERS: usize = 1_000;

impl Broker {
    /// SUBSCRIBE: each filter on its own, with its own code.
    pub(super) fn subscribe(
        &mut self,
        now: Time,
        slot: u32,
        index: u32,
        body: &[u8],
    ) -> Result<(), Fault> {
        let Some(conn) = self.connections.get(slot) else {
            return Ok(());
        };
        let mut filters = subscribe::decode(conn.version, body)?;
        let mut codes = std::mem::take(&mut self.codes);
        codes.clear();
        while let Some((filter, options)) = filters.next_subscription()? {
            let id = filters.subscription_id;
            codes.push(if codes.len() < FILTERS {
                self.subscribe_one(now, index, filter, id, options)
            } else {
                self.tell_limit(now, index, "filters_per_subscribe", FILTERS as u64);
                Reason::QUOTA_EXCEEDED
            });
        }
        let packet_id = filters.packet_id;
        let fits = self.answer(slot, |out, version| {
            subscribe::encode_suback(out, version, packet_id, &codes);
        });
        self.codes = codes;
        answered(fits)
    }

    fn subscribe_one(
        &mut self,
        now: Time,
        index: u32,
        filter: &str,
        id: u32,
        options: Options,
    ) -> Reason {
        let Some(session) = self.sessions.get(index) else {
            return Reason::NOT_AUTHORIZED;
        };
        let path = match topic::split_share(filter) {
            Ok(Some((_, path))) => path,
            _ => filter,
        };
        let share = filter.len().saturating_sub(path.len());
        let fits = session.limits.fit_topic(path);
        let fits = fits.and_then(|()| match share > session.limits.topic_length as usize {
            true => Err(("topic_length", session.limits.topic_length)),
            false => Ok(()),
        });
        if let Err((limit, allowed)) = fits {
            self.tell_limit(now, index, limit, u64::from(allowed));
            return Reason::TOPIC_FILTER_INVALID;
        }
        if let Err(reason) = session.grants.may_subscribe(path) {
            self.tell_refused(now, index, Access::Subscribe, filter);
            return reason;
        }
        let known = self.subscriptions.find(filter);
        let held = known.is_some_and(|key| session.subscriptions.binary_search(&key).is_ok());
        let allowed = session.limits.subscriptions;
        if !held && session.subscriptions.len() >= allowed as usize {
            self.tell_limit(now, index, "subscriptions", u64::from(allowed));
            return Reason::QUOTA_EXCEEDED;
        }
        if !held && self.weigh(now) == Pressure::Critical {
            self.tell_limit(now, index, "memory", self.config.memory);
            return Reason::QUOTA_EXCEEDED;
        }
        // Making room may have cut off this client of all.
        if self.sessions.get(index).is_none() {
            return Reason::QUOTA_EXCEEDED;
        }
        let subscriber = Subscriber {
            session: index,
            id,
            options,
        };
        let key = match known {
            Some(key) if held => {
                self.subscriptions.replace(key, subscriber);
                key
            }
            _ => {
                let key = self.subscriptions.intern(filter);
                self.subscriptions.add(key, subscriber);
                key
            }
        };
        if let Some(session) = self.sessions.get(index)
            && session.kept == Kept::Whole
        {
            let session = session.serial;
            self.journal.put(&Record::Subscribed {
                session,
                filter,
                id,
                options,
            });
        }
        let replay = match options.retain_handling {
            RetainHandling::Send => true,
            RetainHandling::SendIfNew => !held,
            RetainHandling::DoNotSend => false,
        };
        let age = self.retained.age();
        if let Some(session) = self.sessions.get_mut(index) {
            if let Err(place) = session.subscriptions.binary_search(&key) {
                session.subscriptions.insert(place, key);
            }
            // MQTT-3.8.4-4; a shared subscription gets none (section 4.8.2).
            if replay && !key.is_shared() {
                session.replays.retain(|replay| replay.key != key);
                session.replays.push(Replay {
                    key,
                    filter: filter.into(),
                    qos: options.qos,
                    no_local: options.no_local,
                    id,
                    age,
                    cursor: Cursor::default(),
                    found: None,
                });
            }
        }
        Reason(options.qos as u8)
    }

    /// UNSUBSCRIBE.
    pub(super) fn unsubscribe(&mut self, slot: u32, index: u32, body: &[u8]) -> Result<(), Fault> {
        let Some(conn) = self.connections.get(slot) else {
            return Ok(());
        };
        let mut filters = subscribe::decode_unsubscribe(conn.version, body)?;
        let mut codes = std::mem::take(&mut self.codes);
        codes.clear();
        while let Some(filter) = filters.next_filter()? {
            codes.push(self.unsubscribe_one(index, filter));
        }
        let packet_id = filters.packet_id;
        let fits = self.answer(slot, |out, version| {
            subscribe::encode_unsuback(out, version, packet_id, &codes);
        });
        self.codes = codes;
        answered(fits)
    }

    fn unsubscribe_one(&mut self, index: u32, filter: &str) -> Reason {
        let found = self.subscriptions.find(filter).and_then(|key| {
            let session = self.sessions.get(index)?;
            session
                .subscriptions
                .binary_search(&key)
                .is_ok()
                .then_some(key)
        });
        let Some(key) = found else {
            return Reason::NO_SUBSCRIPTION_EXISTED;
        };
        self.drop_subscription(index, key);
        Reason::SUCCESS
    }

    /// Removes one subscription of a session.
    pub(super) fn drop_subscription(&mut self, index: u32, key: Key) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if session.kept == Kept::Whole {
            let filter = self.subscriptions.filter(key);
            self.journal.put(&Record::Unsubscribed {
                session: session.serial,
                filter: &filter,
            });
        }
        self.subscriptions.remove(key, index);
        if let Ok(place) = session.subscriptions.binary_search(&key) {
            session.subscriptions.remove(place);
        }
        session.replays.retain(|replay| replay.key != key);
    }

    /// Holds a session to the grants it has now: what they do not cover is unsubscribed, and
    /// what waits without being covered is dropped, or goes to another member of the shared
    /// subscription that it came by.
    pub(super) fn reconcile(&mut self, now: Time, index: u32) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        let grants = Arc::clone(&session.grants);
        let mut log = self.journal.of(session.kept, session.serial);
        let shared = session
            .out
            .take_shared(&mut self.held, &mut log, |delivery| {
                !grants.may_read(delivery.message.topic())
            });
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let lost: Vec<Key> = session
            .subscriptions
            .iter()
            .copied()
            .filter(|&key| grants.may_subscribe(&self.subscriptions.path(key)).is_err())
            .collect();
        for key in lost {
            self.drop_subscription(index, key);
        }
        self.hand_over(now, index, true, shared);
        if let Some(session) = self.sessions.get_mut(index) {
            let mut log = self.journal.of(session.kept, session.serial);
            session.out.retain(&mut self.held, &mut log, |delivery| {
                grants.may_read(delivery.message.topic())
            });
        }
    }
}

/// MQTT-3.8.4-1 and MQTT-3.10.4-4 want an answer that MQTT-3.1.2-24 forbids.
fn answered(fits: bool) -> Result<(), Fault> {
    match fits {
        true => Ok(()),
        false => Err(UNANSWERED.into()),
    }
}
