//! What comes out of the broker, held against what it owes.

use std::rc::Rc;

use super::message::{Copy, Flight, Member, Message, Shared};
use super::model::Model;
use super::wire::Publish;

impl Model {
    /// A PUBLISH was sent, its topic alias resolved.
    pub(super) fn sent(&mut self, now: u64, link: usize, publish: &Publish) {
        let in_flight = self.setup.in_flight;
        let session = self.of_link(link).expect("a message for nobody");
        let (serial, device) = (session.serial, session.device);
        let kind = self.setup.devices[device].clone();
        assert!(
            publish.size <= kind.maximum_packet_size as usize,
            "{publish:?} is larger than the client takes"
        );
        let session = self.of_link(link).expect("found before");
        if let Some(place) = session
            .flights
            .iter()
            .position(|f| publish.qos > 0 && f.id == publish.id)
        {
            let flight = &session.flights[place];
            assert!(
                publish.dup,
                "packet identifier {} is in use: {publish:?}",
                publish.id
            );
            assert!(!flight.released, "sent again after PUBREC: {publish:?}");
            assert!(
                flight.link != link,
                "sent again on one connection: {publish:?}"
            );
            assert!(
                same(&flight.message, publish) && flight.qos == publish.qos,
                "not what was sent as {} before: {publish:?}, {flight:?}",
                publish.id
            );
            let later = session.flights[place..].iter();
            assert!(
                !later.into_iter().any(|later| later.link == link),
                "sent again out of order: {publish:?}"
            );
            session.flights[place].link = link;
            return;
        }
        assert!(!publish.dup, "DUP on what was not sent before: {publish:?}");
        assert!(
            session.may_read(&publish.topic),
            "no grant covers {publish:?}"
        );
        let copy = self.find(now, serial, kind.level == 5, publish);
        let session = self.of_link(link).expect("found before");
        session.sent.push((publish.qos, copy.clone()));
        if publish.qos > 0 {
            session.flights.push(Flight {
                id: publish.id,
                qos: publish.qos,
                message: copy,
                released: false,
                link,
            });
        }
        let outstanding = session.flights.iter().filter(|flight| flight.link == link);
        let maximum = kind.receive_maximum.min(in_flight);
        assert!(
            outstanding.count() <= maximum.into(),
            "above Receive Maximum: {publish:?}"
        );
    }

    /// Takes what the message was owed as.
    fn find(&mut self, now: u64, serial: u64, v5: bool, publish: &Publish) -> Rc<Message> {
        let mut sessions = self.sessions.iter_mut();
        let session = sessions.find(|session| session.serial == serial);
        let session = session.expect("found before");
        let is_message = |message: &Message| {
            let left = |expires: u64| (expires - now).div_ceil(1_000) as u32;
            !message.is_expired(now)
                && same(message, publish)
                && (!v5 || publish.expiry_s == message.expires.map(left))
                && (!v5 || publish.properties == message.properties)
        };
        let is_it = |copy: &Copy| {
            is_message(&copy.message)
                && (copy.qos, copy.retain) == (publish.qos, publish.retain)
                && copy.ids == publish.ids
        };
        let mut replays = session.replays.iter();
        let firm = replays.position(|copy| is_it(copy) && !copy.optional);
        if let Some(place) = firm.or_else(|| session.replays.iter().position(is_it)) {
            return session.replays.remove(place).message;
        }
        let live = session.live.iter().position(is_it);
        // Wills that fall due together come in any order.
        let of_its_kind = |copy: &Copy| {
            let topic = &copy.message.topic;
            let is_will = topic.starts_with("w/") || publish.topic.starts_with("w/");
            (copy.qos == 0) == (publish.qos == 0) && (!is_will || *topic == publish.topic)
        };
        let fits = |member: &Member| {
            let ids = Vec::from_iter((member.id > 0).then_some(member.id));
            member.session == serial
                && (member.qos, member.retain) == (publish.qos, publish.retain)
                && ids == publish.ids
        };
        let is_shared =
            |shared: &Shared| is_message(&shared.message) && shared.members.iter().any(fits);
        let shared = self.shared.iter().position(is_shared);
        let skips = live.is_some_and(|place| session.live[..place].iter().any(of_its_kind));
        if let Some(found) = shared {
            if let Some(place) = live {
                let other = &mut self.shared[found];
                other.droppable |= session.live[place].droppable;
                other.twins.push(serial);
            }
            if let Some(place) = live
                && skips
            {
                // It could be either. What is left may come as if it were of the other.
                return session.live.remove(place).message;
            }
            if live.is_none() {
                let found = self.shared.remove(found);
                // Likewise among shared subscriptions.
                for other in self.shared.iter_mut().filter(|shared| is_shared(shared)) {
                    other.members.extend_from_slice(&found.members);
                    other.filters.extend_from_slice(&found.filters);
                    other.names.extend_from_slice(&found.names);
                    other.optional |= found.optional;
                    other.droppable |= found.droppable;
                    other.twins.extend_from_slice(&found.twins);
                    other.twins.push(serial);
                }
                return found.message;
            }
        }
        if let Some(mut place) = live {
            // What was to come before it and did not is not to come at all.
            let mut before = Vec::new();
            let mut position = 0;
            while position < place {
                if of_its_kind(&session.live[position]) {
                    before.push(session.live.remove(position));
                    place -= 1;
                } else {
                    position += 1;
                }
            }
            let found = session.live.remove(place);
            // Of equal copies, such as of what was published again, either may be this one.
            if let Some(equal) = session.live.iter_mut().find(|copy| is_it(copy)) {
                equal.droppable |= found.droppable;
                equal.optional |= found.optional;
            }
            let found = found.message;
            for copy in before {
                self.excuse(now, serial, &copy);
            }
            return found;
        }
        let session = self
            .sessions
            .iter()
            .find(|session| session.serial == serial);
        let session = session.expect("found before");
        let near = |copy: &&Copy| same(&copy.message, publish);
        let near: Vec<&Copy> = session
            .live
            .iter()
            .chain(&session.replays)
            .filter(near)
            .collect();
        let shared: Vec<_> = self
            .shared
            .iter()
            .filter(|s| same(&s.message, publish))
            .collect();
        panic!("session {serial} is not owed {publish:?}; it is owed {near:?}, {shared:?}");
    }

    /// A message did not come: there must be a reason.
    fn excuse(&mut self, now: u64, serial: u64, copy: &Copy) {
        if copy.optional || copy.message.is_expired(now) {
            return;
        }
        let session = self
            .sessions
            .iter()
            .find(|session| session.serial == serial);
        let device = session.map(|session| session.device).expect("a session");
        if self.fits(device, &copy.message, copy.qos, &copy.ids) {
            assert!(copy.droppable, "session {serial} was not sent {copy:?}");
        }
        self.missing += 1;
    }

    /// Whether the client takes a packet as large as the message makes.
    pub(super) fn fits(&self, device: usize, message: &Message, qos: u8, ids: &[u32]) -> bool {
        let kind = &self.setup.devices[device];
        // An identifier of a simulation takes one byte, and so do all lengths of a small packet.
        let properties = message.properties.len()
            + 2 * ids.len()
            + if message.expires.is_some() { 5 } else { 0 };
        let with_id = if qos > 0 { 2 } else { 0 };
        let rest = 2 + message.topic.len() + with_id + 1 + properties + message.payload.len();
        rest + 2 <= kind.maximum_packet_size as usize
    }

    /// Everybody has had everything: what is still owed must have a reason to stay away.
    pub(super) fn settle(&mut self, now: u64) {
        for place in 0..self.sessions.len() {
            let session = &mut self.sessions[place];
            let (serial, device) = (session.serial, session.device);
            assert!(
                session.flights.is_empty(),
                "never acknowledged: {:?}",
                session.flights
            );
            let live = std::mem::take(&mut session.live);
            let replays = std::mem::take(&mut session.replays);
            for copy in live.iter().chain(&replays) {
                self.excuse(now, serial, copy);
            }
            let _ = device;
        }
        for shared in std::mem::take(&mut self.shared) {
            if shared.optional || shared.message.is_expired(now) {
                continue;
            }
            assert!(shared.droppable, "no member was sent {shared:?}");
            self.missing += 1;
        }
    }
}

/// Whether it is this message, whatever its QoS, flags and identifiers.
fn same(message: &Message, publish: &Publish) -> bool {
    message.topic == publish.topic
        && message.payload == publish.payload
        && (message.properties == publish.properties || publish.properties.is_empty())
}
