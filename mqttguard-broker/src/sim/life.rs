//! How the model's sessions lose their connection and end.

use super::message::Member;
use super::model::Model;
use super::wire::Packet;

impl Model {
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
