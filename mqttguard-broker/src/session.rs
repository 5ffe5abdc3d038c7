use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::time::Duration;

use hashbrown::HashTable;

use crate::bucket::Bucket;
use crate::codec::QoS;
use crate::journal::Kept;
use crate::message::{ALLOCATION, Message};
use crate::outbound::{Outbound, Room};
use crate::retained::Cursor;
use crate::slots::Slots;
use crate::subscriptions::Key;
use crate::{ConnId, Grants, Limits, Time, topic};

/// Notices of one kind: a few at once, then two a second.
const NOTICES_PER_S: u32 = 2;
const NOTICE_BURST: Duration = Duration::from_secs(2);

/// The state of a client that may outlive its connection (MQTT 5 section 4.1).
pub(crate) struct Session {
    pub(crate) client_id: Arc<str>,
    /// Index of the identity it belongs to.
    pub(crate) identity: u32,
    pub(crate) grants: Arc<Grants>,
    pub(crate) exceptions: Exceptions,
    pub(crate) limits: Arc<Limits>,
    /// Tells sessions of the same index apart, and names it in the journal.
    pub(crate) serial: u64,
    /// What the journal has of it.
    pub(crate) kept: Kept,
    /// It ended with its connection in a crash; only its will is left.
    pub(crate) ghost: bool,
    /// The connection of now, or the last one.
    pub(crate) conn: ConnId,
    pub(crate) connected: bool,
    /// Receive Maximum of the connection of now, within our own bound.
    pub(crate) receive_maximum: u16,
    /// Seconds that it outlives its connection; `u32::MAX` for ever.
    pub(crate) expiry_s: u32,
    /// When its connection ended, if it has none.
    pub(crate) left: Time,
    pub(crate) will: Option<Box<Will>>,
    /// When its timer is due.
    pub(crate) timer: Time,
    /// Sorted.
    pub(crate) subscriptions: Vec<Key>,
    /// The first is at work.
    pub(crate) replays: Vec<Replay>,
    pub(crate) out: Outbound,
    /// Packet identifiers of QoS 2 messages from the client that it has not released. Sorted.
    pub(crate) unreleased: Vec<u16>,
    pub(crate) gates: Option<Box<Gates>>,
    /// PUBLISH packets from the client that [`crate::Broker::take_published`] has not told.
    pub(crate) published: u64,
    /// Bytes that it counts for, what waits for it aside.
    weight: u64,
    /// The message that is just being routed, and the session's place among its targets.
    pub(crate) route: (u32, u32),
}

/// The grants again, if they deny anything: a delivery to somebody without exceptions does not
/// look at them.
pub(crate) struct Exceptions(Option<Arc<Grants>>);

impl Exceptions {
    fn of(grants: &Arc<Grants>) -> Exceptions {
        Exceptions((!grants.deny.is_empty()).then(|| grants.clone()))
    }

    /// Whether a message that a subscription matches is withheld.
    pub(crate) fn cover(&self, name: &str) -> bool {
        let grants = self.0.as_deref();
        grants.is_some_and(|grants| topic::any_matches(&grants.deny, name))
    }
}

/// A will that may have to be published.
pub(crate) struct Will {
    pub(crate) message: WillMessage,
    pub(crate) delay_s: u32,
    /// Of a connection that a crash has ended: not published if the client comes back.
    pub(crate) orphan: bool,
}

/// Kept as parts, because its expiry runs from when it is published.
pub(crate) struct WillMessage {
    pub(crate) topic: Box<str>,
    pub(crate) properties: Box<[u8]>,
    pub(crate) payload: Box<[u8]>,
    /// How many of the properties are User Properties.
    pub(crate) user_properties: u32,
    pub(crate) expiry_s: Option<u32>,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl WillMessage {
    pub(crate) fn size(&self) -> usize {
        self.topic.len() + self.properties.len() + self.payload.len()
    }
}

/// Retained messages that a new subscription is still to be sent. They are looked up as the
/// client takes them, so that they wait in no queue.
pub(crate) struct Replay {
    pub(crate) key: Key,
    pub(crate) filter: Box<str>,
    pub(crate) qos: QoS,
    pub(crate) no_local: bool,
    /// Subscription Identifier, 0 for none.
    pub(crate) id: u32,
    /// The [`crate::retained::Retained::age`] at which the subscription was made: what was
    /// retained later came to it as it was published.
    pub(crate) age: u64,
    pub(crate) cursor: Cursor,
    /// Found, and not yet sent for want of acknowledgements.
    pub(crate) found: Option<Arc<Message>>,
}

/// Bounds on how often a session is spoken of.
#[derive(Default)]
pub(crate) struct Gates {
    pub(crate) refused: Gate,
    pub(crate) limit: Gate,
}

/// A bound on notices of one kind.
#[derive(Default)]
pub(crate) struct Gate {
    bucket: Bucket,
    suppressed: u32,
}

impl Gate {
    /// How many were left out since the last one, if this one may be told.
    pub(crate) fn admit(&mut self, now: Time) -> Option<u32> {
        if self.bucket.admit(now, NOTICES_PER_S, NOTICE_BURST) {
            return Some(std::mem::take(&mut self.suppressed));
        }
        self.suppressed = self.suppressed.saturating_add(1);
        None
    }
}

impl Session {
    /// A session without a connection yet.
    pub(crate) fn new(
        client_id: Arc<str>,
        identity: u32,
        grants: Arc<Grants>,
        limits: Arc<Limits>,
    ) -> Session {
        Session {
            client_id,
            identity,
            exceptions: Exceptions::of(&grants),
            grants,
            limits,
            serial: 0,
            kept: Kept::No,
            ghost: false,
            conn: ConnId {
                slot: u32::MAX,
                serial: 0,
            },
            connected: false,
            receive_maximum: 1,
            expiry_s: 0,
            left: Time::NEVER,
            will: None,
            timer: Time::NEVER,
            subscriptions: Vec::new(),
            replays: Vec::new(),
            out: Outbound::default(),
            unreleased: Vec::new(),
            gates: None,
            published: 0,
            weight: 0,
            route: (0, 0),
        }
    }

    pub(crate) fn set_rights(&mut self, grants: Arc<Grants>, limits: Arc<Limits>) {
        self.exceptions = Exceptions::of(&grants);
        self.grants = grants;
        self.limits = limits;
    }

    /// When it ends, if it stays without a connection.
    pub(crate) fn expires(&self) -> Time {
        match self.expiry_s {
            u32::MAX => Time::NEVER,
            seconds => self.left + Duration::from_secs(u64::from(seconds)),
        }
    }

    /// When its will is to be published, if it stays without a connection.
    pub(crate) fn will_due(&self) -> Time {
        let delay = |will: &Will| self.left + Duration::from_secs(u64::from(will.delay_s));
        self.will.as_deref().map_or(Time::NEVER, delay)
    }

    /// What may wait for it.
    pub(crate) fn room(&self) -> Room {
        Room {
            messages: self.limits.queue_messages as usize,
            bytes: self.limits.queue_bytes as usize,
        }
    }

    /// Something can be sent now.
    pub(crate) fn is_ready(&self) -> bool {
        self.out.is_ready(self.receive_maximum) || !self.replays.is_empty()
    }
}

/// All sessions, by index, and by identity and client identifier: equal client identifiers of two
/// identities name two sessions, which never meet.
pub(crate) struct Sessions {
    sessions: Slots<Session>,
    by_name: HashTable<u32>,
    keys: RandomState,
    serial: u64,
    /// Bytes of all, what waits for them aside.
    bytes: u64,
}

impl Sessions {
    pub(crate) fn new() -> Sessions {
        Sessions {
            sessions: Slots::new(),
            by_name: HashTable::new(),
            keys: RandomState::new(),
            serial: 0,
            bytes: 0,
        }
    }

    pub(crate) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Counts anew what a session takes in memory.
    pub(crate) fn weigh(&mut self, index: u32) {
        if let Some(session) = self.sessions.get_mut(index) {
            let will = session.will.as_ref();
            let will = will.map_or(0, |will| size_of::<Will>() + will.message.size());
            let own = size_of::<Session>() + 4 * ALLOCATION + session.client_id.len();
            self.bytes = self.bytes.saturating_sub(session.weight);
            session.weight = (own + will) as u64;
            self.bytes += session.weight;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    pub(crate) fn get(&self, index: u32) -> Option<&Session> {
        self.sessions.get(index)
    }

    pub(crate) fn get_mut(&mut self, index: u32) -> Option<&mut Session> {
        self.sessions.get_mut(index)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Session)> {
        self.sessions.iter()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Session> {
        self.sessions.iter_mut()
    }

    /// The session that has this index, or the first one after it.
    pub(crate) fn at_or_after(&self, index: u32) -> Option<(u32, &Session)> {
        self.sessions.at_or_after(index)
    }

    pub(crate) fn insert(&mut self, session: Session) -> u32 {
        self.serial += 1;
        let serial = self.serial;
        self.put(Session { serial, ..session })
    }

    /// A session that has its serial from an earlier run.
    pub(crate) fn restore(&mut self, session: Session) -> u32 {
        self.serial = self.serial.max(session.serial);
        self.put(session)
    }

    /// No session from here on has this serial or a lower one.
    pub(crate) fn skip_serials(&mut self, last: u64) {
        self.serial = self.serial.max(last);
    }

    fn put(&mut self, session: Session) -> u32 {
        let hash = self.hash(session.identity, &session.client_id);
        let index = self.sessions.insert(session);
        let (sessions, keys) = (&self.sessions, &self.keys);
        self.by_name.insert_unique(hash, index, |&index| {
            sessions.get(index).map_or(0, |session| {
                keys.hash_one((session.identity, &*session.client_id))
            })
        });
        self.weigh(index);
        index
    }

    pub(crate) fn remove(&mut self, index: u32) -> Option<Session> {
        let session = self.sessions.remove(index)?;
        self.bytes = self.bytes.saturating_sub(session.weight);
        let hash = self.hash(session.identity, &session.client_id);
        if let Ok(entry) = self.by_name.find_entry(hash, |&found| found == index) {
            entry.remove();
        }
        Some(session)
    }

    /// The session of this identity's client identifier.
    pub(crate) fn find(&self, identity: u32, client_id: &str) -> Option<u32> {
        let hash = self.hash(identity, client_id);
        let found = self.by_name.find(hash, |&index| {
            self.sessions.get(index).is_some_and(|session| {
                session.identity == identity && *session.client_id == *client_id
            })
        });
        found.copied()
    }

    fn hash(&self, identity: u32, client_id: &str) -> u64 {
        self.keys.hash_one((identity, client_id))
    }
}
