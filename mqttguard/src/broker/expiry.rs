//! Sessions whose proof holds for a time end with it.

use std::time::SystemTime;

use mqttguard_broker::{ConnId, Kick, Time};

use super::reactor::Reactor;

impl Reactor {
    /// Has a connection end at this time of the clock, if its client has not proven itself again
    /// by then. None: no longer.
    pub(super) fn expire_at(&mut self, now: Time, id: ConnId, until: Option<SystemTime>) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let due = until.map(|until| {
            let left = until.duration_since(SystemTime::now());
            now + left.unwrap_or_default()
        });
        let before = std::mem::replace(&mut conn.until, due);
        self.forget_expiry(id, before);
        if let Some(due) = due {
            self.expiries.insert((due, id.slot, id.serial));
        }
    }

    pub(super) fn forget_expiry(&mut self, id: ConnId, due: Option<Time>) {
        if let Some(due) = due {
            self.expiries.remove(&(due, id.slot, id.serial));
        }
    }

    /// Ends what is due.
    pub(super) fn expire(&mut self, now: Time) {
        while let Some(&(due, slot, serial)) = self.expiries.first()
            && due <= now
        {
            self.expiries.pop_first();
            let id = ConnId { slot, serial };
            self.core.expel(now, id, Kick::Expired);
            if let Some(conn) = self.conns.get_mut(id) {
                conn.until = None;
                conn.hurry(now);
            }
            self.sweep_soon(now);
        }
    }
}
