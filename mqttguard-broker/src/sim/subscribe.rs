//! Subscriptions of the model's sessions.

use super::message::{Copy, Member};
use super::model::Model;
use super::packet::Subscription;
use super::plan::granted;
use super::topics;

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
}
