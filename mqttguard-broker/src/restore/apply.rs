//! What each record does.

use std::collections::hash_map::Entry;
use std::sync::Arc;

use super::Restore;
use super::image::{Image, RetainedImage};
use crate::delivery::{Delivery, Ids, Named};
use crate::journal::field::Reference;
use crate::journal::record::Record;
use crate::message::Message;
use crate::outbound::Held;
use crate::session::{Will, WillMessage};

impl Restore {
    /// Changes to sessions that are not known are passed over: they are of before a snapshot.
    pub(super) fn apply(&mut self, record: Record<'_>) {
        // Counted anew when all is read.
        let mut held: Held = 0;
        match record {
            Record::Boot(boot) => {
                self.boot = Some(boot);
                self.partial = true;
                for image in self.sessions.values_mut() {
                    image.earlier = true;
                }
                for image in self.retained.values_mut() {
                    image.earlier = true;
                }
            }
            Record::Clock(clock) => self.clock = Some(clock),
            Record::Complete => {
                self.partial = false;
                // Their end may have been among what was given up with the segment of before.
                self.sessions.retain(|_, image| !image.earlier);
                self.retained.retain(|_, image| !image.earlier);
            }
            Record::Restarted(now) => {
                for image in self.sessions.values_mut() {
                    image.leave(now);
                }
            }
            Record::Message {
                serial,
                expires,
                body,
            } => {
                self.message = self.message.max(serial);
                // One that is written again is still the same: what refers to it already keeps
                // it from being cleared away.
                if let Entry::Vacant(place) = self.messages.entry(serial) {
                    let message = Message::restored(&self.gauge, serial, expires, &body);
                    self.litter = self.litter.saturating_add(message.size());
                    place.insert(Arc::new(message));
                }
            }
            Record::Session {
                session,
                client_id,
                identity,
                expiry_s,
                left,
                only_will,
            } => {
                self.session = self.session.max(session);
                let image = Image::new(client_id, identity, expiry_s, left, only_will);
                self.sessions.insert(session, image);
            }
            Record::Standing {
                session,
                expiry_s,
                left,
            } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    (image.expiry_s, image.left) = (expiry_s, left);
                }
            }
            Record::Gone { session } => {
                self.sessions.remove(&session);
            }
            Record::Will {
                session,
                delay_s,
                expiry_s,
                orphan,
                body,
            } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.will = Some(Box::new(Will {
                        delay_s,
                        orphan,
                        message: WillMessage {
                            topic: body.topic.into(),
                            properties: body.properties.into(),
                            payload: body.payload.into(),
                            // It was counted when the will was made.
                            user_properties: 0,
                            expiry_s,
                            qos: body.qos,
                            retain: body.retain,
                        },
                    }));
                }
            }
            Record::WillGone { session } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.will = None;
                }
            }
            Record::Subscribed {
                session,
                filter,
                id,
                options,
            } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.subscriptions.insert(filter.into(), (id, options));
                }
            }
            Record::Unsubscribed { session, filter } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.subscriptions.remove(filter);
                }
            }
            Record::Queued {
                session,
                order,
                what,
            } => {
                if let Some(delivery) = self.delivery(session, order, &what)
                    && let Some(image) = self.sessions.get_mut(&session)
                {
                    image.out.put_back(delivery, &mut held);
                }
            }
            Record::Dropped { session, order } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.out.take_out(order, &mut held);
                }
            }
            Record::Sent {
                session,
                order,
                packet_id,
            } => {
                if let Some(image) = self.sessions.get_mut(&session)
                    && let Some(delivery) = image.out.take_out(order, &mut held)
                {
                    image.out.relaunch(packet_id, Some(delivery), &mut held);
                }
            }
            Record::InFlight {
                session,
                packet_id,
                order,
                what,
            } => {
                if let Some(delivery) = self.delivery(session, order, &what)
                    && let Some(image) = self.sessions.get_mut(&session)
                {
                    image.out.relaunch(packet_id, Some(delivery), &mut held);
                }
            }
            Record::Acked { session, packet_id } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.out.discard(packet_id, &mut held);
                }
            }
            Record::Released { session, packet_id } => {
                if let Some(image) = self.sessions.get_mut(&session) {
                    image.out.relaunch(packet_id, None, &mut held);
                }
            }
            Record::Received { session, packet_id } => {
                if let Some(image) = self.sessions.get_mut(&session)
                    && let Err(place) = image.unreleased.binary_search(&packet_id)
                {
                    image.unreleased.insert(place, packet_id);
                }
            }
            Record::Forgotten { session, packet_id } => {
                if let Some(image) = self.sessions.get_mut(&session)
                    && let Ok(place) = image.unreleased.binary_search(&packet_id)
                {
                    image.unreleased.remove(place);
                }
            }
            Record::Retained {
                message,
                owner,
                session,
            } => match self.messages.get(&message) {
                Some(message) => {
                    let image = RetainedImage {
                        message: Arc::clone(message),
                        owner: owner.into(),
                        session,
                        earlier: false,
                    };
                    self.session = self.session.max(session);
                    self.retained.insert(message.topic().into(), image);
                }
                None => self.missing = self.missing.saturating_add(1),
            },
            Record::Cleared { topic } => {
                self.retained.remove(topic);
            }
        }
    }

    /// A delivery for a session that is known, of a message that is.
    fn delivery(&mut self, session: u64, order: u32, what: &Reference<'_>) -> Option<Delivery> {
        if !self.sessions.contains_key(&session) {
            return None;
        }
        let Some(message) = self.messages.get(&what.message) else {
            self.missing = self.missing.saturating_add(1);
            return None;
        };
        let mut ids = Ids::None;
        for id in &*what.ids {
            ids.add(*id);
        }
        if let Some(filter) = what.share {
            ids = Ids::Named(Box::new(Named {
                filter: filter.into(),
                id: what.ids.first().copied().unwrap_or(0),
            }));
        }
        let mut delivery = Delivery::new(Arc::clone(message), ids, what.qos, what.retain);
        delivery.order = order;
        Some(delivery)
    }
}
