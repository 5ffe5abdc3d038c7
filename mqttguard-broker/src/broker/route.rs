use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Broker;
use crate::Time;
use crate::codec::QoS;
use crate::delivery::{Delivery, Ids};
use crate::message::Message;
use crate::session::Sessions;
use crate::subscriptions::{Match, Subscriber, Subscriptions};

/// Who gets the message at hand, kept to spare the allocation.
#[derive(Default)]
pub(super) struct Router {
    targets: Vec<Target>,
    /// Number of the message; 0 is none.
    number: u32,
}

/// One session's copy.
struct Target {
    session: u32,
    qos: QoS,
    retain_as_published: bool,
    ids: Ids,
}

impl Target {
    fn new(subscriber: &Subscriber) -> Target {
        let mut ids = Ids::None;
        ids.add(subscriber.id);
        Target {
            session: subscriber.session,
            qos: subscriber.options.qos,
            retain_as_published: subscriber.options.retain_as_published,
            ids,
        }
    }
}

impl Router {
    /// Finds the sessions that a message is for. `publisher` is the session it comes from.
    pub(super) fn find(
        &mut self,
        subscriptions: &mut Subscriptions,
        sessions: &mut Sessions,
        publisher: Option<u32>,
        topic: &str,
        qos: QoS,
    ) {
        self.targets.clear();
        self.number = self.number.checked_add(1).unwrap_or(1);
        subscriptions.matching(topic, |found| match found {
            Match::Subscriber(subscriber) => {
                // MQTT-3.8.3-3
                if !subscriber.options.no_local || Some(subscriber.session) != publisher {
                    self.add(sessions, subscriber, topic);
                }
            }
            Match::Group {
                share,
                members,
                turn,
            } => {
                if let Some(subscriber) = pick(sessions, members, turn, topic, qos, true) {
                    let ids = Ids::Shared(share, subscriber.id);
                    self.targets.push(Target {
                        ids,
                        ..Target::new(subscriber)
                    });
                }
            }
        });
    }

    /// Overlapping subscriptions get one copy, at the highest of their QoS and with all their
    /// identifiers (`MQTT-3.3.4-2`, `MQTT-3.3.4-3`).
    fn add(&mut self, sessions: &mut Sessions, subscriber: &Subscriber, topic: &str) {
        let Some(session) = sessions.get_mut(subscriber.session) else {
            return;
        };
        if session.exceptions.cover(topic) {
            return;
        }
        let (number, place) = session.route;
        if number == self.number
            && let Some(target) = self.targets.get_mut(place as usize)
            && target.session == subscriber.session
        {
            target.qos = target.qos.max(subscriber.options.qos);
            target.retain_as_published |= subscriber.options.retain_as_published;
            target.ids.add(subscriber.id);
            return;
        }
        session.route = (
            self.number,
            u32::try_from(self.targets.len()).unwrap_or(u32::MAX),
        );
        self.targets.push(Target::new(subscriber));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }
}

/// One member of a shared subscription, in turn: first among those that can be sent the message
/// at once, then the connected, then, with `absent` and for QoS 1 and 2, those that will come
/// back.
fn pick<'a>(
    sessions: &Sessions,
    members: &'a [Subscriber],
    turn: &mut u32,
    topic: &str,
    qos: QoS,
    absent: bool,
) -> Option<&'a Subscriber> {
    let mut best: Option<(u8, usize)> = None;
    let start = *turn as usize % members.len().max(1);
    for step in 0..members.len() {
        let place = (start + step) % members.len();
        let Some(subscriber) = members.get(place) else {
            continue;
        };
        let Some(session) = sessions.get(subscriber.session) else {
            continue;
        };
        if session.exceptions.cover(topic) {
            continue;
        }
        let qos = qos.min(subscriber.options.qos);
        let rank = match (session.connected, qos) {
            (true, QoS::AtMostOnce) => 0,
            (true, _) if session.out.has_place(session.receive_maximum) => 0,
            (true, _) => 1,
            (false, QoS::AtLeastOnce | QoS::ExactlyOnce) if absent => 2,
            (false, _) => continue,
        };
        if best.is_none_or(|(found, _)| rank < found) {
            best = Some((rank, place));
        }
        if rank == 0 {
            break;
        }
    }
    let (_, place) = best?;
    *turn = u32::try_from(place + 1).unwrap_or(0);
    members.get(place)
}

impl Broker {
    /// Queues the message for everybody the router found.
    pub(super) fn fan_out(&mut self, now: Time, message: &Arc<Message>) {
        let mut targets = std::mem::take(&mut self.router.targets);
        for target in targets.drain(..) {
            let retain = target.retain_as_published && message.retain;
            let qos = message.qos.min(target.qos);
            let delivery = Delivery::new(message.clone(), target.ids, qos, retain);
            self.enqueue(now, target.session, delivery);
        }
        self.router.targets = targets;
    }

    /// Gives what a session was not sent of its shared subscriptions to their other members: to
    /// those who are there and have room while it may still come back, to any once that is
    /// `over`.
    pub(super) fn hand_over(&mut self, now: Time, index: u32, over: bool, left: Vec<Delivery>) {
        for delivery in left {
            let (topic, qos) = (delivery.message.topic(), delivery.message.qos);
            let found = delivery.share().and_then(|share| {
                let (members, turn) = self.subscriptions.members(share)?;
                let subscriber = pick(&self.sessions, members, turn, topic, qos, over)?;
                let member = self.sessions.get(subscriber.session)?;
                let size = delivery.message.size();
                // What was queued is not dropped because somebody else has no room for it.
                let takes = over || member.out.has_room(size, member.room());
                takes.then_some((*subscriber, Ids::Shared(share, subscriber.id)))
            });
            if let Some((subscriber, ids)) = found {
                // The journal may have had nobody for it until now.
                delivery.message.generation.store(0, Relaxed);
                let options = subscriber.options;
                let retain = options.retain_as_published && delivery.message.retain;
                let qos = qos.min(options.qos);
                let delivery = Delivery::new(delivery.message, ids, qos, retain);
                self.enqueue(now, subscriber.session, delivery);
            } else if let Some(session) = self.sessions.get_mut(index) {
                let share = delivery.share();
                let share = share.and_then(|share| self.subscriptions.share_filter(share));
                self.journal
                    .of(session.kept, session.serial)
                    .queued(&delivery, share.as_deref());
                session.out.put_back(delivery, &mut self.held);
            }
        }
    }

    /// Queues one delivery. A session that is not connected is kept QoS 1 and 2 only.
    fn enqueue(&mut self, now: Time, index: u32, delivery: Delivery) {
        let Some(session) = self.sessions.get_mut(index) else {
            return;
        };
        if !session.connected && delivery.qos == QoS::AtMostOnce {
            return;
        }
        let room = session.room();
        let assured = delivery.is_assured();
        let mut pushed = session.out.push(delivery, room, &mut self.held);
        if let Err((_, back)) = pushed {
            // Room may be taken by what nobody wants any more.
            let mut log = self.journal.of(session.kept, session.serial);
            session.out.expire(now, &mut self.held, &mut log);
            pushed = session.out.push(back, room, &mut self.held);
        }
        let mut log = self.journal.of(session.kept, session.serial);
        if assured
            && pushed.is_ok()
            && log.is_on()
            && let Some(delivery) = session.out.newest()
        {
            let share = delivery.share();
            let share = share.and_then(|share| self.subscriptions.share_filter(share));
            log.queued(delivery, share.as_deref());
        }
        let wake = session.connected && session.out.is_ready(session.receive_maximum);
        let slot = session.conn.slot;
        match pushed {
            Ok(dropped) => self.stats.messages_dropped += dropped,
            Err((lack, _)) => self.tell_no_room(now, index, lack),
        }
        if wake {
            self.wake(slot);
        }
    }
}
