//! One message on its way to one session.

use std::sync::Arc;

use crate::codec::QoS;
use crate::message::Message;
use crate::subscriptions::Share;

/// The subscription identifiers of one delivery.
#[derive(Clone, Debug, Default)]
pub(crate) enum Ids {
    #[default]
    None,
    One(u32),
    Many(Box<IdList>),
    /// Of a shared subscription, which may have to give it to another member.
    Shared(Share, u32),
    /// Likewise, while the shared subscription is yet to be restored.
    Named(Box<Named>),
}

/// The filter of a shared subscription, and the subscription identifier.
#[derive(Clone, Debug)]
pub(crate) struct Named {
    pub(crate) filter: Box<str>,
    pub(crate) id: u32,
}

/// More than one, in the order they were found.
#[derive(Clone, Debug)]
pub(crate) struct IdList(Vec<u32>);

impl Ids {
    /// Adds one; 0 is none.
    pub(crate) fn add(&mut self, id: u32) {
        if id == 0 {
            return;
        }
        match self {
            Ids::None => *self = Ids::One(id),
            Ids::One(first) => *self = Ids::Many(Box::new(IdList(vec![*first, id]))),
            Ids::Many(list) => list.0.push(id),
            // What comes by a shared subscription comes by no other.
            Ids::Shared(..) | Ids::Named(_) => {}
        }
    }

    pub(crate) fn as_slice(&self) -> &[u32] {
        match self {
            Ids::None | Ids::Shared(_, 0) => &[],
            Ids::One(id) | Ids::Shared(_, id) => std::slice::from_ref(id),
            Ids::Many(list) => &list.0,
            Ids::Named(_) => &[],
        }
    }
}

/// One message for one session.
#[derive(Clone)]
pub(crate) struct Delivery {
    pub(crate) message: Arc<Message>,
    pub(crate) ids: Ids,
    /// Place among all deliveries of the session; wraps.
    pub(crate) order: u32,
    pub(crate) qos: QoS,
    pub(crate) retain: bool,
}

impl Delivery {
    pub(crate) fn new(message: Arc<Message>, ids: Ids, qos: QoS, retain: bool) -> Delivery {
        Delivery {
            message,
            ids,
            order: 0,
            qos,
            retain,
        }
    }

    /// Of QoS 1 or 2: it is kept for a client that is away.
    pub(crate) fn is_assured(&self) -> bool {
        self.qos != QoS::AtMostOnce
    }

    /// The shared subscription that it came by.
    pub(crate) fn share(&self) -> Option<Share> {
        match self.ids {
            Ids::Shared(share, _) => Some(share),
            _ => None,
        }
    }
}
