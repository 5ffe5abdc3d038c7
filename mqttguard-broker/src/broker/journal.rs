//! What the broker keeps in its journal, and the snapshots of it.

use std::sync::Arc;

use super::Broker;
use crate::journal::Kept;
use crate::journal::record::Record;
use crate::journal::{Boot, Clock, Journal};
use crate::message::{Body, Message};
use crate::outbound::InFlight;
use crate::retained::Source;
use crate::session::{Session, Will};
use crate::subscriptions::Subscriptions;

/// Sessions and retained messages looked at in one turn of a snapshot.
const LOOKS: u32 = 4096;

impl Broker {
    /// Begins a segment of the journal, and with it a snapshot; what was not yet fetched is part
    /// of that. To be called before the first [`Broker::take_journal`], and whenever the caller
    /// has opened another file for what follows: because the one of before is too large, or
    /// could not be written. Does nothing for a broker that was not made by
    /// [`crate::Restore::finish`]: it keeps no journal.
    pub fn begin_segment(&mut self, boot: Boot) {
        if self.journal.on {
            self.journal.begin(boot);
        }
    }

    /// Bytes of changes that [`Broker::take_journal`] has not given yet. As long as there are any,
    /// nothing fetched by [`Broker::transmit`] may go out.
    pub fn journal_len(&self) -> usize {
        self.journal.len()
    }

    /// Whether a snapshot is under way: call [`Broker::take_journal`] each turn, even if nothing
    /// else happens.
    pub fn is_snapshotting(&self) -> bool {
        self.journal.walk.is_some()
    }

    /// Appends to `out` the journal's bytes since the last call: whole frames, to be written in
    /// this order to the segment that was begun last. True: with these bytes the segment is
    /// complete; once they are written for good, earlier segments are needed no more.
    pub fn take_journal(&mut self, clock: Clock, out: &mut Vec<u8>) -> bool {
        let complete = self.journal.on && self.snapshot();
        self.journal.take(clock, out);
        complete
    }

    /// Goes on with the snapshot. True when it is done.
    fn snapshot(&mut self) -> bool {
        let Some(mut walk) = self.journal.walk.take() else {
            return false;
        };
        let until = self.journal.len().saturating_add(self.journal.step());
        let mut looks = LOOKS;
        while self.journal.len() < until && looks > 0 {
            looks -= 1;
            self.journal.boundary();
            if walk.retained.is_none()
                && let Some((index, session)) = self.sessions.at_or_after(walk.session)
            {
                write_session(
                    &mut self.journal,
                    &self.subscriptions,
                    (index, session),
                    |owner| self.identities.get(owner).map(|identity| &*identity.name),
                );
                walk.session = index.saturating_add(1);
                continue;
            }
            let topic = walk.retained.take().unwrap_or_default();
            // No topic name is empty.
            let Some((message, source)) = self.retained.after(Some(&topic)) else {
                self.journal.put(&Record::Complete);
                return true;
            };
            let message = Arc::clone(message);
            self.record_retained(&message, source);
            walk.retained = Some(message.topic().into());
        }
        self.journal.walk = Some(walk);
        false
    }

    /// Brings what the journal has of a session in line with its expiry, connection and will.
    /// True if all of it was written, will and all.
    pub(super) fn record_session(&mut self, index: u32) -> bool {
        if !self.journal.on {
            return false;
        }
        let Some(session) = self.sessions.get_mut(index) else {
            return false;
        };
        let wanted = match (session.expiry_s, &session.will) {
            (0, None) => Kept::No,
            (0, Some(_)) => Kept::Will,
            _ if session.ghost => Kept::Will,
            _ => Kept::Whole,
        };
        let before = std::mem::replace(&mut session.kept, wanted);
        match (before, wanted) {
            (Kept::Whole, Kept::Whole) => {
                self.journal.put(&Record::Standing {
                    session: session.serial,
                    expiry_s: session.expiry_s,
                    left: session.left_if_away(),
                });
                false
            }
            (Kept::No, Kept::No) | (Kept::Will, Kept::Will) => false,
            (_, Kept::No) => {
                self.journal.put(&Record::Gone {
                    session: session.serial,
                });
                false
            }
            (_, Kept::Will | Kept::Whole) => {
                // The journal may have had nobody for its messages until now.
                session.out.forget_written();
                write_session(
                    &mut self.journal,
                    &self.subscriptions,
                    (index, session),
                    |owner| self.identities.get(owner).map(|identity| &*identity.name),
                );
                true
            }
        }
    }

    /// A session's will was set or taken.
    pub(super) fn record_will(&mut self, index: u32) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        match (&session.will, session.kept) {
            (_, Kept::No) => {}
            (Some(will), _) => put_will(&mut self.journal, session.serial, will),
            (None, _) => self.journal.put(&Record::WillGone {
                session: session.serial,
            }),
        }
    }

    /// A session ends.
    pub(super) fn record_end(&mut self, index: u32) {
        if let Some(session) = self.sessions.get_mut(index)
            && std::mem::replace(&mut session.kept, Kept::No) != Kept::No
        {
            let session = session.serial;
            self.journal.put(&Record::Gone { session });
        }
    }

    /// A message is retained.
    pub(super) fn record_retained(&mut self, message: &Message, source: Source) {
        if !self.journal.on {
            return;
        }
        let Some(owner) = self.identities.get(source.owner) else {
            return;
        };
        let message = self.journal.define(message);
        self.journal.put(&Record::Retained {
            message,
            owner: &owner.name,
            session: source.session,
        });
    }

    /// A client comes back to its session: the will of a connection that a crash has ended is
    /// void, and so is a session of which nothing else is left. True if it is.
    pub(super) fn discharge(&mut self, index: u32) -> bool {
        let Some(session) = self.sessions.get_mut(index) else {
            return false;
        };
        if session.will.as_ref().is_some_and(|will| will.orphan) {
            session.will = None;
        }
        session.ghost
    }
}

impl Session {
    /// When its connection ended; never if it has one.
    fn left_if_away(&self) -> crate::Time {
        if self.connected {
            crate::Time::NEVER
        } else {
            self.left
        }
    }
}

/// Writes all of a session that is kept.
fn write_session<'a>(
    journal: &mut Journal,
    subscriptions: &Subscriptions,
    (index, session): (u32, &Session),
    identity: impl FnOnce(u32) -> Option<&'a str>,
) {
    let serial = session.serial;
    let Some(identity) = identity(session.identity).filter(|_| session.kept != Kept::No) else {
        return;
    };
    journal.put(&Record::Session {
        session: serial,
        client_id: &session.client_id,
        identity,
        expiry_s: session.expiry_s,
        left: session.left_if_away(),
        only_will: session.kept == Kept::Will,
    });
    if let Some(will) = &session.will {
        put_will(journal, serial, will);
    }
    if session.kept == Kept::Will {
        return;
    }
    for &key in &session.subscriptions {
        if let Some(found) = subscriptions.of(key, index) {
            journal.put(&Record::Subscribed {
                session: serial,
                filter: &subscriptions.filter(key),
                id: found.id,
                options: found.options,
            });
        }
    }
    let mut log = journal.of(session.kept, session.serial);
    for &packet_id in &session.unreleased {
        log.received(packet_id);
    }
    for (packet_id, entry) in session.out.window() {
        match entry {
            InFlight::Sent(delivery) => {
                let share = delivery.share();
                let share = share.and_then(|share| subscriptions.share_filter(share));
                log.in_flight(delivery, packet_id, share.as_deref());
            }
            InFlight::Released => log.released(packet_id),
            InFlight::Done => {}
        }
    }
    for delivery in session.out.assured() {
        let share = delivery.share();
        let share = share.and_then(|share| subscriptions.share_filter(share));
        log.queued(delivery, share.as_deref());
    }
}

fn put_will(journal: &mut Journal, session: u64, will: &Will) {
    let message = &will.message;
    journal.put(&Record::Will {
        session,
        delay_s: will.delay_s,
        expiry_s: message.expiry_s,
        orphan: will.orphan,
        body: Body {
            topic: &message.topic,
            properties: &message.properties,
            payload: &message.payload,
            qos: message.qos,
            retain: message.retain,
        },
    });
}
