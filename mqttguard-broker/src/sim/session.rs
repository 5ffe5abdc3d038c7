//! Sessions in the model.

use std::rc::Rc;

use super::message::{Copy, Flight, Message};
use super::packet::{Subscription, Will};
use super::plan::granted;

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
