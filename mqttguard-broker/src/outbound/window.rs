//! What is in flight to one client, by packet identifier.

use std::collections::VecDeque;

use crate::codec::QoS;
use crate::delivery::Delivery;

/// An emptied window gives its memory back above this many entries.
const KEEP: usize = 16;
/// Packet identifiers are 1 to 65,534. The last one there is stays free: a bridge passes ours on
/// as its own, and has packets of its own to send.
const PACKET_IDS: usize = 65_534;

/// A delivery with a packet identifier.
pub(crate) enum InFlight {
    /// The PUBLISH went out and PUBACK or PUBREC is awaited.
    Sent(Delivery),
    /// PUBREC came, the PUBREL went out and PUBCOMP is awaited.
    Released,
    /// Finished, but one before it is not.
    Done,
}

/// What an acknowledgement meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Acked {
    /// As expected.
    Yes,
    /// Nothing with this packet identifier is waiting for anything.
    Unknown,
    /// Something is, but not for this.
    Wrong,
}

/// What is to be sent again to a client that came back, in the order of before.
pub(crate) enum Again {
    Publish(u16, Delivery),
    PubRel(u16),
}

/// A queue in which a packet identifier is a place, because they are given in sequence.
#[derive(Default)]
pub(crate) struct Window {
    entries: VecDeque<InFlight>,
    /// Packet identifier of the front, less one.
    first: u16,
    /// How much of it was sent on this connection.
    sent: u32,
    /// Sent on this connection and not yet acknowledged: what counts for Receive Maximum.
    outstanding: u16,
}

impl Window {
    /// Whether there is a place for one more message behind `waiting` others: the client takes
    /// `maximum` at a time.
    pub(crate) fn has_place(&self, waiting: usize, maximum: u16) -> bool {
        let next = usize::from(self.outstanding) + waiting;
        next < usize::from(maximum) && self.may_send(maximum)
    }

    /// Whether a message may be sent: the client takes `maximum` at a time.
    pub(crate) fn may_send(&self, maximum: u16) -> bool {
        // One message that is never acknowledged may not make the window grow without end.
        let window = usize::from(maximum).saturating_mul(8).min(PACKET_IDS);
        self.outstanding < maximum && self.entries.len() < window && self.is_resent()
    }

    /// Whether all of it was sent on this connection.
    pub(crate) fn is_resent(&self) -> bool {
        self.sent as usize >= self.entries.len()
    }

    /// Puts a delivery in flight and gives it its packet identifier. Only after
    /// [`Window::may_send`].
    pub(crate) fn launch(&mut self, delivery: Delivery) -> u16 {
        let id = self.id_at(self.entries.len());
        self.entries.push_back(InFlight::Sent(delivery));
        self.sent = self.sent.saturating_add(1);
        self.outstanding = self.outstanding.saturating_add(1);
        id
    }

    /// The delivery with this packet identifier was not sent after all; given back.
    pub(crate) fn discard(&mut self, id: u16) -> Option<Delivery> {
        let place = self.place(id)?;
        self.finish(place)
    }

    /// PUBACK, and the delivery that needs to be kept no longer; likewise below.
    pub(crate) fn puback(&mut self, id: u16) -> (Acked, Option<Delivery>) {
        let Some(place) = self.place(id) else {
            return (Acked::Unknown, None);
        };
        match self.entries.get(place) {
            Some(InFlight::Sent(delivery)) if delivery.qos == QoS::AtLeastOnce => {
                (Acked::Yes, self.finish(place))
            }
            Some(InFlight::Sent(_) | InFlight::Released) => (Acked::Wrong, None),
            Some(InFlight::Done) | None => (Acked::Unknown, None),
        }
    }

    /// PUBREC. A failure ends the delivery.
    pub(crate) fn pubrec(&mut self, id: u16, failed: bool) -> (Acked, Option<Delivery>) {
        let Some(place) = self.place(id) else {
            return (Acked::Unknown, None);
        };
        match self.entries.get_mut(place) {
            Some(entry @ InFlight::Sent(_)) => {
                match entry {
                    InFlight::Sent(delivery) if delivery.qos == QoS::ExactlyOnce => {}
                    _ => return (Acked::Wrong, None),
                }
                if failed {
                    return (Acked::Yes, self.finish(place));
                }
                // The message itself is no longer needed (figure 4.3).
                (Acked::Yes, replace(entry, InFlight::Released))
            }
            Some(InFlight::Released) => (Acked::Yes, None),
            Some(InFlight::Done) | None => (Acked::Unknown, None),
        }
    }

    /// PUBCOMP.
    pub(crate) fn pubcomp(&mut self, id: u16) -> Acked {
        let Some(place) = self.place(id) else {
            return Acked::Unknown;
        };
        match self.entries.get(place) {
            Some(InFlight::Released) => {
                self.finish(place);
                Acked::Yes
            }
            Some(InFlight::Sent(_)) => Acked::Wrong,
            Some(InFlight::Done) | None => Acked::Unknown,
        }
    }

    fn finish(&mut self, place: usize) -> Option<Delivery> {
        let finished = replace(self.entries.get_mut(place)?, InFlight::Done);
        if place < self.sent as usize {
            self.outstanding = self.outstanding.saturating_sub(1);
        }
        while let Some(InFlight::Done) = self.entries.front() {
            self.entries.pop_front();
            self.first = self.id_at(0);
            self.sent = self.sent.saturating_sub(1);
        }
        if self.entries.is_empty() && self.entries.capacity() > KEEP {
            self.entries = VecDeque::new();
        }
        finished
    }

    /// The client has a new connection: everything is to be sent again.
    pub(crate) fn restart(&mut self) {
        self.sent = 0;
        self.outstanding = 0;
    }

    /// The next of what is to be sent again (`MQTT-4.4.0-1`).
    pub(crate) fn next_again(&mut self, maximum: u16) -> Option<Again> {
        while let Some(entry) = self.entries.get(self.sent as usize) {
            let id = self.id_at(self.sent as usize);
            let again = match entry {
                InFlight::Sent(_) if self.outstanding >= maximum => return None,
                InFlight::Sent(delivery) => Some(Again::Publish(id, delivery.clone())),
                InFlight::Released => Some(Again::PubRel(id)),
                InFlight::Done => None,
            };
            self.sent += 1;
            if again.is_some() {
                self.outstanding = self.outstanding.saturating_add(1);
                return again;
            }
        }
        None
    }

    fn id_at(&self, place: usize) -> u16 {
        let id = (usize::from(self.first) + place) % PACKET_IDS + 1;
        u16::try_from(id).unwrap_or(u16::MAX)
    }

    fn place(&self, id: u16) -> Option<usize> {
        let place = (usize::from(id).checked_sub(1)? + PACKET_IDS)
            .saturating_sub(usize::from(self.first))
            % PACKET_IDS;
        (place < self.entries.len()).then_some(place)
    }

    /// All of it, in its order.
    pub(crate) fn entries(&self) -> impl Iterator<Item = (u16, &InFlight)> {
        let ids = (0..).map(|place| self.id_at(place));
        ids.zip(&self.entries)
    }

    /// Deliveries that were sent and not acknowledged, in their order.
    pub(crate) fn unacknowledged(&self) -> impl Iterator<Item = &Delivery> {
        self.entries.iter().filter_map(|entry| match entry {
            InFlight::Sent(delivery) => Some(delivery),
            InFlight::Released | InFlight::Done => None,
        })
    }

    /// Likewise.
    pub(crate) fn unacknowledged_mut(&mut self) -> impl Iterator<Item = &mut Delivery> {
        self.entries.iter_mut().filter_map(|entry| match entry {
            InFlight::Sent(delivery) => Some(delivery),
            InFlight::Released | InFlight::Done => None,
        })
    }

    /// As the journal has it: puts a delivery in flight under the packet identifier that it had;
    /// without one, its PUBREC has come. What was in that place is given back.
    pub(crate) fn relaunch(&mut self, id: u16, delivery: Option<Delivery>) -> Option<Delivery> {
        if self.entries.is_empty() {
            self.first = id.saturating_sub(1);
        }
        let entry = match delivery {
            Some(delivery) => InFlight::Sent(delivery),
            None => InFlight::Released,
        };
        // Identifiers between are of deliveries that are finished.
        while self.place(id).is_none() && self.entries.len() < PACKET_IDS {
            self.entries.push_back(InFlight::Done);
        }
        let place = self.place(id)?;
        replace(self.entries.get_mut(place)?, entry)
    }
}

/// The delivery that stood there.
fn replace(entry: &mut InFlight, by: InFlight) -> Option<Delivery> {
    match std::mem::replace(entry, by) {
        InFlight::Sent(delivery) => Some(delivery),
        InFlight::Released | InFlight::Done => None,
    }
}
