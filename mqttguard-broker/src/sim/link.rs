//! The links between devices and the broker.

use std::collections::{HashMap, VecDeque};

use super::packet::{Connect, Up};
use super::wire::Packet;
use crate::{ConnId, Time};

/// One connection, both directions.
pub(super) struct Link {
    pub(super) conn: ConnId,
    pub(super) device: usize,
    pub(super) v5: bool,
    /// Packets that the device sent, with what they mean, and how much of the first went in.
    pub(super) up: VecDeque<(Vec<u8>, Up)>,
    pub(super) sent: usize,
    /// A CONNECT that was received, and what came behind it before it was decided on.
    pub(super) asked: Option<Connect>,
    pub(super) early: Vec<Up>,
    /// When its CONNECT has to be whole, until it is.
    pub(super) connect_by: Option<u64>,
    /// The client is in.
    pub(super) is_in: bool,
    /// The number of the first link of its session, by which sessions are told apart.
    pub(super) session: usize,
    /// Bytes of packets that did not come out whole.
    pub(super) partial: Vec<u8>,
    pub(super) aliases: HashMap<u16, String>,
    pub(super) down: VecDeque<Packet>,
    /// What the broker is to answer, in order.
    pub(super) answers: VecDeque<Packet>,
    /// The broker is to close it.
    pub(super) closing: bool,
    /// The broker asked for it to be fetched from.
    pub(super) ready: bool,
    /// Not to be read from until the broker asks for it, or the time is come.
    pub(super) paused: Option<Option<Time>>,
}
