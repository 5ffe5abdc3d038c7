//! What clients publish and acknowledge in the model, and who is owed it.

use std::rc::Rc;

use super::message::{Copy, Member, Message, Shared};
use super::model::{Kept, Model};
use super::packet::{Publishing, Subscription};
use super::plan::granted;
use super::session::Session;
use super::topics;
use super::wire::{self, Packet};

impl Model {
    pub(super) fn publish(
        &mut self,
        now: u64,
        link: usize,
        serial: u64,
        v5: bool,
        publishing: &Publishing,
    ) {
        let id = publishing.id;
        let (first, second) = match publishing.qos {
            0 => (0, false),
            1 => (wire::PUBACK, false),
            _ => (wire::PUBREC, true),
        };
        let Some(place) = self.place(serial) else {
            return;
        };
        let known = second && self.sessions[place].unreleased.contains(&id);
        let code = if known {
            0
        } else {
            self.distribute(now, serial, publishing)
        };
        let failed = v5 && code >= 0x80;
        if second && !known && !failed {
            self.sessions[place].unreleased.push(id);
        }
        if first != 0 {
            let code = if v5 { code } else { 0 };
            self.answers.push((link, Packet::Ack { first, id, code }));
        }
    }

    /// Publishes under the rights of a session. The reason code of MQTT 5.
    pub(super) fn distribute(&mut self, now: u64, serial: u64, publishing: &Publishing) -> u8 {
        let Some(place) = self.place(serial) else {
            return 0x87;
        };
        let (identity, variant) = (self.sessions[place].identity, self.sessions[place].variant);
        let topic = &publishing.topic;
        if !granted(variant).may_publish(topic) {
            return 0x87;
        }
        let keeps = publishing.retain && !publishing.payload.is_empty();
        if keeps {
            let own = self
                .retained
                .iter()
                .filter(|kept| kept.identity == identity);
            let others = own.filter(|kept| kept.message.topic != *topic);
            if others.count() >= self.setup.retained_messages as usize {
                self.turned_away += 1;
                return 0x97;
            }
        }
        let message = Rc::new(Message {
            topic: topic.clone(),
            payload: publishing.payload.clone(),
            properties: publishing.properties.clone(),
            qos: publishing.qos,
            retain: publishing.retain,
            expires: publishing
                .expiry_s
                .map(|seconds| now + u64::from(seconds) * 1_000),
        });
        let anybody = self.route(serial, &message);
        if publishing.retain {
            self.retained.retain(|kept| kept.message.topic != *topic);
            self.forget_replays(topic);
        }
        if keeps {
            let session = serial;
            self.retained.push(Kept {
                message,
                identity,
                session,
            });
        }
        if anybody { 0 } else { 0x10 }
    }

    /// What is no longer retained is not sent as such.
    pub(super) fn forget_replays(&mut self, topic: &str) {
        for session in &mut self.sessions {
            session.replays.retain(|copy| copy.message.topic != topic);
        }
    }

    fn route(&mut self, publisher: u64, message: &Rc<Message>) -> bool {
        let mut anybody = false;
        let groups = self.groups(&message.topic);
        // What comes by shared subscriptions may come first.
        let backlogs = self.sessions.iter().map(|s| self.backlog(s) + groups.len());
        let backlogs: Vec<usize> = backlogs.collect();
        let room = self.setup.queue_messages as usize;
        for (session, backlog) in self.sessions.iter_mut().zip(&backlogs) {
            // A topic that is denied does not come by a filter that is wider.
            if !session.may_read(&message.topic) {
                continue;
            }
            let matching = session.subscriptions.iter().filter(|subscription| {
                topics::share(subscription.filter).0.is_none()
                    && topics::matches(subscription.filter, &message.topic)
                    && !(subscription.no_local && session.serial == publisher)
            });
            let matching: Vec<&Subscription> = matching.collect();
            let Some(highest) = matching.iter().map(|subscription| subscription.qos).max() else {
                continue;
            };
            anybody = true;
            let qos = highest.min(message.qos);
            if session.link.is_none() && qos == 0 {
                continue;
            }
            let mut ids: Vec<u32> = matching.iter().map(|s| s.id).filter(|id| *id > 0).collect();
            ids.sort_unstable();
            let retain = message.retain && matching.iter().any(|s| s.retain_as_published);
            let droppable = *backlog >= room;
            if droppable {
                make_way(session, &mut self.shared);
            }
            session.live.push(Copy {
                message: message.clone(),
                qos,
                retain,
                ids,
                optional: false,
                droppable,
                filter: "",
            });
        }
        for filter in groups {
            anybody |= self.share(filter, message);
        }
        anybody
    }

    /// Owes a message to one member of a shared subscription, if there is any who may get it.
    pub(super) fn share(&mut self, filter: &'static str, message: &Rc<Message>) -> bool {
        // What it matches besides may come first.
        let others = self.groups(&message.topic).len();
        let mut members = Vec::new();
        let mut eligible = false;
        let mut droppable = false;
        for session in &self.sessions {
            if !session.may_read(&message.topic) {
                continue;
            }
            for subscription in session.subscriptions.iter().filter(|s| s.filter == filter) {
                let member = Member::new(session.serial, subscription, message);
                eligible |= session.link.is_some() || member.qos > 0;
                droppable |= self.backlog(session) + others >= self.setup.queue_messages as usize
                    || !self.fits(session.device, message, member.qos, &[member.id]);
                members.push(member);
            }
        }
        if eligible {
            // With every queue: whose it waits in is not known.
            if droppable {
                for session in &mut self.sessions {
                    make_way(session, &mut self.shared);
                }
            }
            let message = message.clone();
            let optional = false;
            self.shared.push(Shared {
                message,
                filters: vec![filter],
                names: vec![filter],
                members,
                twins: Vec::new(),
                optional,
                droppable,
            });
        }
        eligible
    }

    /// The most that may be waiting for a session.
    pub(super) fn backlog(&self, session: &Session) -> usize {
        let has = |shared: &&Shared| shared.members.iter().any(|m| m.session == session.serial);
        session.live.len() + self.shared.iter().filter(has).count()
    }

    pub(super) fn acknowledge(&mut self, link: usize, v5: bool, first: u8, id: u16) {
        let Some(session) = self.of_link(link) else {
            return;
        };
        if first == wire::PUBREL {
            let known = session
                .unreleased
                .iter()
                .position(|unreleased| *unreleased == id);
            if let Some(place) = known {
                session.unreleased.remove(place);
            }
            let code = if known.is_none() && v5 { 0x92 } else { 0 };
            let first = wire::PUBCOMP;
            self.answers.push((link, Packet::Ack { first, id, code }));
            return;
        }
        let place = session.flights.iter().position(|flight| flight.id == id);
        let flight = place.map(|place| &mut session.flights[place]);
        match (first, flight) {
            (wire::PUBACK, Some(flight)) => {
                assert!(
                    flight.qos == 1,
                    "the client acknowledged a QoS 2 message as QoS 1"
                );
                session.flights.retain(|flight| flight.id != id);
            }
            (wire::PUBREC, flight) => {
                let code = if flight.is_none() && v5 { 0x92 } else { 0 };
                if let Some(flight) = flight {
                    flight.released = true;
                }
                let first = wire::PUBREL;
                self.answers.push((link, Packet::Ack { first, id, code }));
            }
            (_, Some(flight)) => {
                assert!(flight.released, "the client sent PUBCOMP before PUBREC");
                session.flights.retain(|flight| flight.id != id);
            }
            (_, None) => {}
        }
    }
}

/// The queue may be full: what waits at QoS 0 may be dropped.
fn make_way(session: &mut Session, shared: &mut [Shared]) {
    for copy in session.live.iter_mut().filter(|copy| copy.qos == 0) {
        copy.droppable = true;
    }
    for shared in shared {
        let own = |member: &Member| member.session == session.serial && member.qos == 0;
        shared.droppable |= shared.members.iter().any(own);
    }
}
