//! What one session has yet to be sent, and what it has yet to acknowledge.

mod window;

pub(crate) use window::{Acked, Again, InFlight};

use std::collections::VecDeque;
use std::sync::atomic::Ordering::Relaxed;

use crate::Time;
use crate::codec::QoS;
use crate::delivery::{Delivery, Ids};
use crate::journal::Log;
use crate::subscriptions::Share;
use window::Window;

/// An emptied queue gives its memory back above this many entries.
const KEEP: usize = 16;
/// The most that may wait.
#[derive(Clone, Copy)]
pub(crate) struct Room {
    pub(crate) messages: usize,
    pub(crate) bytes: usize,
}

/// There is no room for a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NoRoom {
    Messages,
    Bytes,
}

/// Queues of one session.
///
/// QoS 0 waits apart from QoS 1 and 2, because it is the first to be dropped and does not wait
/// for acknowledgements; where both can be sent, they go in the order they came.
#[derive(Default)]
pub(crate) struct Outbound {
    fleeting: VecDeque<Delivery>,
    assured: VecDeque<Delivery>,
    window: Window,
    order: u32,
    bytes: usize,
    /// Before this nothing that waits expires.
    expires: Time,
}

/// Deliveries held by all sessions together.
pub(crate) type Held = u64;

impl Outbound {
    /// Queues a delivery. Older QoS 0 makes way for QoS 1 and 2, nothing makes way for QoS 0.
    /// Answers how many were dropped, or gives the delivery back.
    pub(crate) fn push(
        &mut self,
        delivery: Delivery,
        room: Room,
        held: &mut Held,
    ) -> Result<u64, (NoRoom, Delivery)> {
        let size = delivery.message.size();
        let mut dropped = 0;
        if delivery.qos != QoS::AtMostOnce {
            while self.lacks(size, room).is_some()
                && let Some(oldest) = self.fleeting.pop_front()
            {
                self.forget(&oldest, held);
                dropped += 1;
            }
        }
        if let Some(lack) = self.lacks(size, room) {
            return Err((lack, delivery));
        }
        let mut delivery = delivery;
        delivery.order = self.order;
        self.order = self.order.wrapping_add(1);
        self.bytes += size;
        *held += 1;
        self.expires = self.expires.min(expiry(&delivery));
        match delivery.qos {
            QoS::AtMostOnce => self.fleeting.push_back(delivery),
            QoS::AtLeastOnce | QoS::ExactlyOnce => self.assured.push_back(delivery),
        }
        Ok(dropped)
    }

    /// A single message larger than the bound on bytes may wait alone.
    fn lacks(&self, size: usize, room: Room) -> Option<NoRoom> {
        if self.waiting() >= room.messages {
            return Some(NoRoom::Messages);
        }
        let full = self.bytes > 0 && self.bytes.saturating_add(size) > room.bytes;
        full.then_some(NoRoom::Bytes)
    }

    /// Whether a message of this size would be queued without anything making way.
    pub(crate) fn has_room(&self, size: usize, room: Room) -> bool {
        self.lacks(size, room).is_none()
    }

    fn waiting(&self) -> usize {
        self.fleeting.len() + self.assured.len()
    }

    fn forget(&mut self, delivery: &Delivery, held: &mut Held) {
        self.bytes = self.bytes.saturating_sub(delivery.message.size());
        *held = held.saturating_sub(1);
    }

    /// Drops what has expired from the queues. They are not looked through in vain: a full queue
    /// of somebody who does not read must not cost a search for each message to it.
    pub(crate) fn expire(&mut self, now: Time, held: &mut Held, log: &mut Log<'_>) {
        if now < self.expires {
            return;
        }
        self.retain(held, log, |delivery| !delivery.message.is_expired(now));
        let waiting = self.fleeting.iter().chain(&self.assured);
        self.expires = waiting.map(expiry).min().unwrap_or(Time::NEVER);
    }

    /// Keeps of what waits only what `keep` says. What is in flight is not touched.
    pub(crate) fn retain(
        &mut self,
        held: &mut Held,
        log: &mut Log<'_>,
        keep: impl Fn(&Delivery) -> bool,
    ) {
        let bytes = &mut self.bytes;
        for queue in [&mut self.fleeting, &mut self.assured] {
            queue.retain(|delivery| {
                let kept = keep(delivery);
                if !kept {
                    log.dropped(delivery);
                    *bytes = bytes.saturating_sub(delivery.message.size());
                    *held = held.saturating_sub(1);
                }
                kept
            });
        }
    }

    /// Bytes of all that waits or is in flight.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Bytes of QoS 0 that waits.
    pub(crate) fn fleeting_bytes(&self) -> usize {
        self.fleeting.iter().map(|d| d.message.size()).sum()
    }

    /// Drops QoS 0 that waits. Answers how much.
    pub(crate) fn drop_fleeting(&mut self, held: &mut Held) -> u64 {
        let fleeting = std::mem::take(&mut self.fleeting);
        for delivery in &fleeting {
            self.forget(delivery, held);
        }
        fleeting.len() as u64
    }

    /// Whether one more QoS 1 or 2 message would be sent at once.
    pub(crate) fn has_place(&self, maximum: u16) -> bool {
        self.window.has_place(self.assured.len(), maximum)
    }

    /// What came by shared subscriptions and was sent at QoS 1 and not acknowledged
    /// (`MQTT-4.8.2-5` rules QoS 2 out).
    pub(crate) fn shared_in_flight(&self) -> Vec<Delivery> {
        let shared = |d: &&Delivery| d.share().is_some() && d.qos == QoS::AtLeastOnce;
        let sent = self.window.unacknowledged();
        sent.filter(shared).cloned().collect()
    }

    /// Takes out what came by shared subscriptions and was not sent, as far as `wanted` says.
    pub(crate) fn take_shared(
        &mut self,
        held: &mut Held,
        log: &mut Log<'_>,
        wanted: impl Fn(&Delivery) -> bool,
    ) -> Vec<Delivery> {
        let wanted = |delivery: &Delivery| delivery.share().is_some() && wanted(delivery);
        let waiting = self.assured.iter();
        let taken: Vec<Delivery> = waiting.filter(|d| wanted(d)).cloned().collect();
        if !taken.is_empty() {
            self.retain(held, log, |d| !d.is_assured() || !wanted(d));
        }
        taken
    }

    /// Puts back what [`Outbound::take_shared`] took, in its place.
    pub(crate) fn put_back(&mut self, delivery: Delivery, held: &mut Held) {
        self.bytes += delivery.message.size();
        *held += 1;
        self.expires = self.expires.min(expiry(&delivery));
        let earlier = |d: &Delivery| (d.order.wrapping_sub(delivery.order) as i32) < 0;
        let place = self.assured.partition_point(earlier);
        self.assured.insert(place, delivery);
    }

    /// Whether a QoS 1 or 2 message may be sent: the client takes `maximum` at a time.
    pub(crate) fn may_send(&self, maximum: u16) -> bool {
        self.window.may_send(maximum)
    }

    /// Something can be sent now.
    pub(crate) fn is_ready(&self, maximum: u16) -> bool {
        !self.fleeting.is_empty()
            || !self.window.is_resent()
            || (!self.assured.is_empty() && self.may_send(maximum))
    }

    /// The next delivery to send and its packet identifier, 0 for QoS 0. What it cannot send
    /// for want of acknowledgements stays.
    pub(crate) fn next(
        &mut self,
        now: Time,
        maximum: u16,
        held: &mut Held,
        log: &mut Log<'_>,
    ) -> Option<(u16, Delivery)> {
        loop {
            let assured = if self.may_send(maximum) {
                self.assured.front()
            } else {
                None
            };
            let fleeting_first = match (self.fleeting.front(), assured) {
                (None, None) => return None,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (Some(a), Some(b)) => (a.order.wrapping_sub(b.order) as i32) < 0,
            };
            let queue = if fleeting_first {
                &mut self.fleeting
            } else {
                &mut self.assured
            };
            let delivery = queue.pop_front()?;
            give_back(queue);
            self.forget(&delivery, held);
            if delivery.message.is_expired(now) {
                log.dropped(&delivery);
                continue;
            }
            if fleeting_first {
                return Some((0, delivery));
            }
            let id = self.launch(delivery.clone(), held);
            log.sent(&delivery, id);
            return Some((id, delivery));
        }
    }

    /// Puts a QoS 1 or 2 delivery in flight and gives it its packet identifier. Only after
    /// [`Outbound::may_send`].
    pub(crate) fn launch(&mut self, delivery: Delivery, held: &mut Held) -> u16 {
        self.bytes += delivery.message.size();
        *held += 1;
        self.window.launch(delivery)
    }

    /// The delivery with this packet identifier was not sent after all.
    pub(crate) fn discard(&mut self, id: u16, held: &mut Held) {
        let ended = self.window.discard(id);
        self.forget_ended(ended, held);
    }

    /// PUBACK.
    pub(crate) fn puback(&mut self, id: u16, held: &mut Held) -> Acked {
        let (acked, ended) = self.window.puback(id);
        self.forget_ended(ended, held);
        acked
    }

    /// PUBREC. A failure ends the delivery.
    pub(crate) fn pubrec(&mut self, id: u16, failed: bool, held: &mut Held) -> Acked {
        let (acked, ended) = self.window.pubrec(id, failed);
        self.forget_ended(ended, held);
        acked
    }

    /// PUBCOMP.
    pub(crate) fn pubcomp(&mut self, id: u16) -> Acked {
        self.window.pubcomp(id)
    }

    fn forget_ended(&mut self, ended: Option<Delivery>, held: &mut Held) {
        if let Some(delivery) = ended {
            self.forget(&delivery, held);
        }
    }

    /// The client has a new connection: everything in flight is to be sent again.
    pub(crate) fn restart(&mut self) {
        self.window.restart();
    }

    /// The next of what is to be sent again (`MQTT-4.4.0-1`).
    pub(crate) fn next_again(&mut self, maximum: u16) -> Option<Again> {
        self.window.next_again(maximum)
    }

    /// QoS 1 and 2 deliveries that wait, in their order.
    pub(crate) fn assured(&self) -> impl Iterator<Item = &Delivery> {
        self.assured.iter()
    }

    /// What is in flight, by packet identifier, in its order.
    pub(crate) fn window(&self) -> impl Iterator<Item = (u16, &InFlight)> {
        self.window.entries()
    }

    /// What waits or is in flight is to be written to the journal anew when it is referred to.
    pub(crate) fn forget_written(&self) {
        for delivery in self.window.unacknowledged().chain(&self.assured) {
            delivery.message.generation.store(0, Relaxed);
        }
    }

    /// The delivery that was queued last.
    pub(crate) fn newest(&self) -> Option<&Delivery> {
        self.assured.back()
    }

    /// Forgets everything; what waited in the queues is left for the caller to count.
    pub(crate) fn clear(&mut self, held: &mut Held) {
        *held = held.saturating_sub(self.held());
        *self = Outbound::default();
    }

    /// Messages that wait or were sent and not acknowledged: the entries that count in [`Held`].
    pub(crate) fn held(&self) -> u64 {
        (self.waiting() + self.window.unacknowledged().count()) as u64
    }
}

/// What the journal says of a session's queues, applied again.
impl Outbound {
    /// Takes out what waits in this place of the order.
    pub(crate) fn take_out(&mut self, order: u32, held: &mut Held) -> Option<Delivery> {
        let place = self.assured.iter().position(|d| d.order == order)?;
        let delivery = self.assured.remove(place)?;
        self.forget(&delivery, held);
        Some(delivery)
    }

    /// Puts a delivery in flight under the packet identifier that it had; without one, its PUBREC
    /// has come.
    pub(crate) fn relaunch(&mut self, id: u16, delivery: Option<Delivery>, held: &mut Held) {
        if let Some(delivery) = &delivery {
            self.bytes += delivery.message.size();
            *held += 1;
        }
        let before = self.window.relaunch(id, delivery);
        self.forget_ended(before, held);
    }

    /// Goes on behind all that is there, and answers how much that is.
    pub(crate) fn settle(&mut self) -> u64 {
        let in_flight = self.window.unacknowledged().map(|d| d.order);
        let waiting = self.assured.iter().map(|delivery| delivery.order);
        let orders = in_flight.chain(waiting);
        let later = |a: &u32, b: &u32| (a.wrapping_sub(*b) as i32).cmp(&0);
        self.order = orders.max_by(later).map_or(0, |last| last.wrapping_add(1));
        self.held()
    }

    /// Finds the shared subscriptions again that deliveries came by.
    pub(crate) fn rename(&mut self, find: impl Fn(&str) -> Option<Share>) {
        let in_flight = self.window.unacknowledged_mut();
        for delivery in in_flight.chain(&mut self.assured) {
            if let Ids::Named(named) = &delivery.ids {
                let id = named.id;
                delivery.ids = match find(&named.filter) {
                    Some(share) => Ids::Shared(share, id),
                    None if id == 0 => Ids::None,
                    None => Ids::One(id),
                };
            }
        }
    }
}

fn expiry(delivery: &Delivery) -> Time {
    delivery.message.expires().unwrap_or(Time::NEVER)
}

fn give_back(queue: &mut VecDeque<Delivery>) {
    if queue.is_empty() && queue.capacity() > KEEP {
        *queue = VecDeque::new();
    }
}
