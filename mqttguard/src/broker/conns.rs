//! All connections, at the places the core gave them.

use mqttguard_broker::ConnId;

use super::conn::Conn;

/// Connections by the core's slots.
#[derive(Default)]
pub(super) struct Conns {
    slots: Vec<Option<Box<Conn>>>,
}

impl Conns {
    pub(super) fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn> {
        let conn = self.slots.get_mut(id.slot as usize)?.as_deref_mut()?;
        (conn.id == id).then_some(conn)
    }

    pub(super) fn in_slot(&mut self, slot: usize) -> Option<&mut Conn> {
        self.slots.get_mut(slot)?.as_deref_mut()
    }

    pub(super) fn insert(&mut self, conn: Conn) {
        let slot = conn.id.slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot.saturating_add(1), || None);
        }
        if let Some(place) = self.slots.get_mut(slot) {
            *place = Some(Box::new(conn));
        }
    }

    pub(super) fn remove(&mut self, id: ConnId) -> Option<Conn> {
        self.get_mut(id)?;
        self.slots
            .get_mut(id.slot as usize)?
            .take()
            .map(|conn| *conn)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Conn> {
        self.slots.iter().flatten().map(|conn| &**conn)
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Conn> {
        self.slots.iter_mut().flatten().map(|conn| &mut **conn)
    }
}
