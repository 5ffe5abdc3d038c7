//! What the records have said, and the broker that it makes.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::{Outcome, Restore};
use crate::broker::{Broker, Config};
use crate::codec::subscribe::Options;
use crate::journal::Kept;
use crate::message::Message;
use crate::outbound::Outbound;
use crate::retained::Source;
use crate::session::{Session, Will};
use crate::subscriptions::Subscriber;
use crate::{Grants, Limits, Time};

/// How long the will of a client that was connected when the broker crashed waits for it to come
/// back, in seconds; longer if its Will Delay Interval is.
const GRACE_S: u32 = 60;

/// A session.
pub(super) struct Image {
    client_id: Arc<str>,
    identity: Arc<str>,
    pub(super) expiry_s: u32,
    /// Never: it was connected.
    pub(super) left: Time,
    only_will: bool,
    /// Of an earlier segment, and not yet written to this one.
    pub(super) earlier: bool,
    pub(super) will: Option<Box<Will>>,
    /// By filter: Subscription Identifier and options.
    pub(super) subscriptions: BTreeMap<Box<str>, (u32, Options)>,
    pub(super) out: Outbound,
    pub(super) unreleased: Vec<u16>,
}

/// A retained message.
pub(super) struct RetainedImage {
    pub(super) message: Arc<Message>,
    pub(super) owner: Box<str>,
    pub(super) session: u64,
    /// Of an earlier segment, and not yet written to this one.
    pub(super) earlier: bool,
}

impl Image {
    pub(super) fn new(
        client_id: &str,
        identity: &str,
        expiry_s: u32,
        left: Time,
        only_will: bool,
    ) -> Image {
        Image {
            client_id: client_id.into(),
            identity: identity.into(),
            expiry_s,
            left,
            only_will,
            earlier: false,
            will: None,
            subscriptions: BTreeMap::new(),
            out: Outbound::default(),
            unreleased: Vec::new(),
        }
    }

    /// A crash has ended its connection.
    pub(super) fn leave(&mut self, now: Time) {
        if self.left != Time::NEVER {
            return;
        }
        self.left = now;
        if let Some(will) = &mut self.will {
            will.orphan = true;
            will.delay_s = will.delay_s.max(GRACE_S);
        }
        if self.only_will {
            let delay_s = self.will.as_ref().map_or(0, |will| will.delay_s);
            self.expiry_s = delay_s;
        }
    }
}

pub(super) fn develop(
    restore: Restore,
    config: Config,
    now: Time,
    mut rights: impl FnMut(&str, &str) -> Option<(Arc<Grants>, Arc<Limits>)>,
) -> (Broker, Outcome) {
    let mut outcome = Outcome {
        missing: restore.missing,
        ..Outcome::default()
    };
    drop(restore.messages);
    let allowed = config.sessions as usize;
    let mut broker = Broker::over(config, restore.gauge);
    let mut images: Vec<(u64, Image)> = restore.sessions.into_iter().collect();
    for (_, image) in &mut images {
        image.leave(now);
    }
    let crowd = images.len().saturating_sub(allowed);
    if crowd > 0 {
        images.sort_unstable_by_key(|(serial, image)| (image.left, *serial));
        images.drain(..crowd);
        outcome.crowded_out = crowd as u64;
    }
    images.sort_unstable_by_key(|(serial, _)| *serial);
    for (serial, image) in images {
        match rights(&image.identity, &image.client_id) {
            Some(rights) => broker.adopt(now, serial, image, rights, &mut outcome),
            None => outcome.disowned += 1,
        }
    }
    let mut known: HashMap<Box<str>, bool> = HashMap::new();
    for (_, image) in restore.retained {
        let known = known
            .entry(image.owner.clone())
            .or_insert_with(|| rights(&image.owner, "").is_some());
        if *known {
            broker.adopt_retained(now, image);
            outcome.retained += 1;
        } else {
            outcome.disowned += 1;
        }
    }
    broker.settle_in(now, restore.session, restore.message);
    (broker, outcome)
}

impl Broker {
    fn adopt(
        &mut self,
        now: Time,
        serial: u64,
        image: Image,
        (grants, limits): (Arc<Grants>, Arc<Limits>),
        outcome: &mut Outcome,
    ) {
        let owner = self.identities.pin(&image.identity);
        if let Some(identity) = self.identities.get_mut(owner) {
            identity.sessions = identity.sessions.saturating_add(1);
        }
        self.identities.unpin(owner);
        let expiry_s = if image.only_will {
            image.expiry_s
        } else {
            image.expiry_s.min(limits.session_expiry_s)
        };
        let mut session = Session::new(image.client_id, owner, grants, limits);
        session.serial = serial;
        session.expiry_s = expiry_s;
        session.left = image.left.min(now);
        session.ghost = image.only_will;
        session.will = image.will;
        session.out = image.out;
        session.unreleased = image.unreleased;
        outcome.sessions += 1;
        outcome.queued += session.out.settle();
        self.held = self.held.saturating_add(session.out.held());
        let index = self.sessions.restore(session);
        for (filter, (id, options)) in image.subscriptions {
            let key = self.subscriptions.intern(&filter);
            let subscriber = Subscriber {
                session: index,
                id,
                options,
            };
            self.subscriptions.add(key, subscriber);
            if let Some(session) = self.sessions.get_mut(index)
                && let Err(place) = session.subscriptions.binary_search(&key)
            {
                session.subscriptions.insert(place, key);
            }
            outcome.subscriptions += 1;
        }
    }

    fn adopt_retained(&mut self, now: Time, image: RetainedImage) {
        let owner = self.identities.pin(&image.owner.into());
        let (size, expires) = (image.message.size(), image.message.expires().is_some());
        let source = Source {
            owner,
            session: image.session,
            age: 0,
        };
        self.retained.set(image.message, source);
        self.identities.retain_more(owner, size);
        self.identities.unpin(owner);
        if expires {
            self.sweep_later(now);
        }
    }

    /// Once all are there: what depends on others, on rights and on time.
    fn settle_in(&mut self, now: Time, session: u64, message: u64) {
        self.sessions.skip_serials(session);
        self.journal.message = message;
        self.journal.restarted = Some(now);
        let all: Vec<u32> = self.sessions.iter().map(|(index, _)| index).collect();
        for &index in &all {
            if let Some(session) = self.sessions.get_mut(index) {
                let subscriptions = &self.subscriptions;
                session.out.rename(|filter| subscriptions.share(filter));
            }
        }
        self.journal.on = true;
        for index in all {
            if let Some(session) = self.sessions.get_mut(index) {
                session.kept = if session.ghost {
                    Kept::Will
                } else {
                    Kept::Whole
                };
            }
            self.watch_session(index);
        }
    }
}
