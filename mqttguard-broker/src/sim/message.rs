//! Application messages in the model: what is published, who is owed it, and what was sent of it.

use std::rc::Rc;

use super::packet::Subscription;

/// An application message.
#[derive(Debug)]
pub(super) struct Message {
    pub(super) topic: String,
    pub(super) payload: String,
    pub(super) properties: Vec<u8>,
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// In milliseconds.
    pub(super) expires: Option<u64>,
}

impl Message {
    pub(super) fn is_expired(&self, now: u64) -> bool {
        self.expires.is_some_and(|expires| expires <= now)
    }
}

/// A message owed to a session.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) message: Rc<Message>,
    pub(super) qos: u8,
    pub(super) retain: bool,
    /// Sorted.
    pub(super) ids: Vec<u32>,
    /// It may stay away without a reason.
    pub(super) optional: bool,
    /// The queue may have been full.
    pub(super) droppable: bool,
    /// The subscription that a retained message is for.
    pub(super) filter: &'static str,
}

/// A message owed to one member of a shared subscription.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) message: Rc<Message>,
    /// More than one where it is not known which it came by.
    pub(super) filters: Vec<&'static str>,
    /// Those, and what they were when they ended.
    pub(super) names: Vec<&'static str>,
    pub(super) members: Vec<Member>,
    /// Sessions that were owed the same besides: which of the two came is not known.
    pub(super) twins: Vec<u64>,
    pub(super) optional: bool,
    pub(super) droppable: bool,
}

/// How a member would get it.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) session: u64,
    pub(super) qos: u8,
    pub(super) retain: bool,
    pub(super) id: u32,
}

impl Member {
    pub(super) fn new(session: u64, subscription: &Subscription, message: &Message) -> Member {
        Member {
            session,
            qos: subscription.qos.min(message.qos),
            retain: message.retain && subscription.retain_as_published,
            id: subscription.id,
        }
    }
}

/// A message that was sent and not yet acknowledged.
#[derive(Debug)]
pub(super) struct Flight {
    pub(super) id: u16,
    pub(super) qos: u8,
    pub(super) message: Rc<Message>,
    pub(super) released: bool,
    /// The link that its PUBLISH went over last.
    pub(super) link: usize,
}
