//! Sessions in the model: their subscriptions, and how they lose their connection and end.

use std::rc::Rc;

use super::message::{Copy, Flight, Member, Message};
use super::model::Model;
use super::packet::{Subscription, Will};
use super::plan::granted;
use super::topics;
use super::wire::Packet;

#[derive(Debug)]
pub(super) struct Session {
    pub(super) serial: u64,
    pub(super) device: usize,
    pub(super) name: &'static str,
    pub(super) identity: usize,
    /// The link of its connection.
    pub(super) link: Option<usize>,
    /// The link that it began with.
    pub(super) first_link: usize,
    /// Nothing but its will is left of it after a crash.
    pub(super) ghost: bool,
    pub(super) heard: u64,
    pub(super) asked_expiry_s: u32,
    pub(super) expiry_s: u32,
    pub(super) left: u64,
    pub(super) will: Option<Will>,
    pub(super) variant: usize,
    pub(super) subscriptions: Vec<Subscription>,
    /// What is to come by subscriptions that are not shared, in order.
    pub(super) live: Vec<Copy>,
    /// Retained messages that are to come for new subscriptions.
    pub(super) replays: Vec<Copy>,
    /// In the order of their first PUBLISH.
    pub(super) flights: Vec<Flight>,
    /// QoS 2 from the client, not yet released.
    pub(super) unreleased: Vec<u16>,
    /// All that was sent, but for what was sent again.
    pub(super) sent: Vec<(u8, Rc<Message>)>,
}

impl Session {
    pub(super) fn ends(&self) -> u64 {
        if self.expiry_s == u32::MAX {
            return u64::MAX;
        }
        self.left + u64::from(self.expiry_s) * 1_000
    }

    pub(super) fn will_due(&self) -> u64 {
        let delay = |will: &Will| self.left + u64::from(will.delay_s) * 1_000;
        self.will.as_ref().map_or(u64::MAX, delay)
    }

    pub(super) fn may_read(&self, topic: &str) -> bool {
        granted(self.variant).may_read(topic)
    }
}

impl Model {
    pub(super) fn subscribe(
        &mut self,
        now: u64,
        serial: u64,
        v5: bool,
        wanted: &Subscription,
    ) -> u8 {
        let Some(place) = self.place(serial) else {
            return 0x80;
        };
        let (share, path) = topics::share(wanted.filter);
        let code = granted(self.sessions[place].variant).refuses(path);
        if code != 0 {
            return if v5 { code } else { 0x80 };
        }
        let session = &mut self.sessions[place];
        let held = session
            .subscriptions
            .iter_mut()
            .find(|held| held.filter == wanted.filter);
        let is_new = held.is_none();
        match held {
            Some(held) => *held = wanted.clone(),
            None => session.subscriptions.push(wanted.clone()),
        }
        if share.is_some() {
            let small = self.setup.devices[session.device].maximum_packet_size < 200;
            for shared in self
                .shared
                .iter_mut()
                .filter(|shared| shared.filters.contains(&wanted.filter))
            {
                let member = Member::new(serial, wanted, &shared.message);
                shared.members.push(member);
                shared.droppable |= small;
            }
            return wanted.qos;
        }
        if wanted.retain_handling == 0 || (wanted.retain_handling == 1 && is_new) {
            session.replays.retain(|copy| copy.filter != wanted.filter);
            for kept in &self.retained {
                let own = wanted.no_local && kept.session == serial;
                let message = &kept.message;
                if own || message.is_expired(now) || !topics::matches(path, &message.topic) {
                    continue;
                }
                session.replays.push(Copy {
                    message: message.clone(),
                    qos: wanted.qos.min(message.qos),
                    retain: true,
                    ids: Vec::from_iter((wanted.id > 0).then_some(wanted.id)),
                    // It may be granted until its turn comes.
                    optional: !session.may_read(&message.topic),
                    droppable: false,
                    filter: wanted.filter,
                });
            }
        }
        wanted.qos
    }

    pub(super) fn unsubscribe(&mut self, serial: u64, filter: &str) -> u8 {
        let Some(place) = self.place(serial) else {
            return 0x11;
        };
        let session = &mut self.sessions[place];
        session.replays.retain(|copy| copy.filter != filter);
        let before = session.subscriptions.len();
        session.subscriptions.retain(|held| held.filter != filter);
        let held = session.subscriptions.len() < before;
        self.close_groups();
        if held { 0 } else { 0x11 }
    }

    /// The link is gone.
    pub(super) fn lost(&mut self, now: u64, link: usize) {
        if let Some(session) = self.of_link(link) {
            let serial = session.serial;
            self.detach(now, serial);
        }
    }

    /// The broker ends a session's connection with a reason.
    pub(super) fn cut(&mut self, now: u64, serial: u64, code: u8) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &self.sessions[place];
        let Some(link) = session.link else { return };
        if self.level(session.device) == 5 {
            self.answers.push((link, Packet::Disconnect { code }));
        }
        self.closed.push(link);
        self.detach(now, serial);
    }

    /// A session has lost its connection.
    pub(super) fn detach(&mut self, now: u64, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &mut self.sessions[place];
        session.link = None;
        session.left = now;
        if session.expiry_s == 0 {
            self.end(now, serial);
            return;
        }
        session.live.retain(|copy| copy.qos > 0);
        for copy in session.replays.iter_mut().filter(|copy| copy.qos == 0) {
            copy.optional = true;
        }
        for shared in &mut self.shared {
            let own = |member: &Member| member.session == serial && member.qos == 0;
            shared.optional |= shared.members.iter().any(own);
        }
        self.due(now, serial);
    }

    /// Does what is due for a session without a connection.
    pub(super) fn due(&mut self, now: u64, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        let session = &mut self.sessions[place];
        if session.ends() <= now {
            self.end(now, serial);
        } else if session.will_due() <= now
            && let Some(will) = session.will.take()
        {
            self.distribute(now, serial, &will.message);
        }
    }

    pub(super) fn end(&mut self, now: u64, serial: u64) {
        let Some(place) = self.place(serial) else {
            return;
        };
        if let Some(will) = self.sessions[place].will.take() {
            self.distribute(now, serial, &will.message);
        }
        let session = self.sessions.remove(place);
        let room = self.setup.queue_messages as usize;
        let full = self
            .sessions
            .iter()
            .filter(|other| self.backlog(other) >= room);
        let full: Vec<u64> = full.map(|other| other.serial).collect();
        for shared in &mut self.shared {
            let Some(own) = shared
                .members
                .iter()
                .find(|member| member.session == serial)
            else {
                continue;
            };
            // It may have waited there; others get what was to come at QoS 1 or 2.
            let at_risk = own.qos == 0 || shared.twins.contains(&serial);
            shared.members.retain(|member| member.session != serial);
            let left = |member: &Member| {
                let other = self
                    .sessions
                    .iter()
                    .find(|other| other.serial == member.session);
                other.is_some_and(|other| {
                    let is_member = other
                        .subscriptions
                        .iter()
                        .any(|s| shared.filters.contains(&s.filter));
                    is_member
                        && other.may_read(&shared.message.topic)
                        && (other.link.is_some() || member.qos > 0)
                })
            };
            shared.optional |= at_risk || !shared.members.iter().any(left);
            let is_full = |member: &Member| full.contains(&member.session);
            shared.droppable |= shared.members.iter().any(is_full);
        }
        self.close_groups();
        // What was sent at QoS 1 and not acknowledged goes to another member, if it came by a
        // shared subscription; by which it came is not always clear.
        for flight in session.flights.iter().filter(|flight| flight.qos == 1) {
            for filter in self.groups(&flight.message.topic) {
                if self.share(filter, &flight.message)
                    && let Some(shared) = self.shared.last_mut()
                {
                    shared.optional = true;
                }
            }
        }
    }

    /// A shared subscription without members ends; one of the same name is another.
    pub(super) fn close_groups(&mut self) {
        for shared in &mut self.shared {
            shared.filters.retain(|filter| {
                let subscriptions = self.sessions.iter().flat_map(|s| &s.subscriptions);
                subscriptions.into_iter().any(|held| held.filter == *filter)
            });
        }
    }

    /// The shared subscriptions that match a topic name.
    pub(super) fn groups(&self, topic: &str) -> Vec<&'static str> {
        let mut found = Vec::new();
        let subscriptions = self
            .sessions
            .iter()
            .flat_map(|session| &session.subscriptions);
        for Subscription { filter, .. } in subscriptions {
            let (share, path) = topics::share(filter);
            if share.is_some() && topics::matches(path, topic) && !found.contains(filter) {
                found.push(*filter);
            }
        }
        found
    }

    /// A crash has ended a connection: its will is void once the client is back. Whether nothing
    /// else is left.
    pub(super) fn discharge(&mut self, serial: u64) -> bool {
        let Some(place) = self.place(serial) else {
            return false;
        };
        let session = &mut self.sessions[place];
        session.will = session.will.take().filter(|will| !will.orphan);
        session.ghost
    }
}
