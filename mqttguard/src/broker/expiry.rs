//! Sessions whose proof holds for a time end with it.

use std::time::{Duration, SystemTime};

use mqttguard_broker::{ConnId, Kick, Time};

use super::reactor::Reactor;

/// How often the clock is asked. It may jump: a router without a clock of its own starts with the
/// time of its last shutdown, and learns the right one by and by.
const LOOK: Duration = Duration::from_secs(60);

impl Reactor {
    /// Has a connection end at this time of the clock, if its client has not proven itself again
    /// by then. None: no longer.
    pub(super) fn expire_at(&mut self, now: Time, id: ConnId, until: Option<SystemTime>) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let due = until.map(|until| {
            let left = until.duration_since(SystemTime::now());
            now + left.unwrap_or_default().min(LOOK)
        });
        conn.expires = until;
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
            let expires = self.conns.get_mut(id).and_then(|conn| conn.expires);
            let left = expires.and_then(|at| at.duration_since(SystemTime::now()).ok());
            // Time counts in milliseconds here.
            if left.is_some_and(|left| left >= Duration::from_millis(1)) {
                self.expire_at(now, id, expires);
                continue;
            }
            self.core.expel(now, id, Kick::Expired);
            if let Some(conn) = self.conns.get_mut(id) {
                (conn.until, conn.expires) = (None, None);
                conn.hurry(now);
            }
            self.sweep_soon(now);
        }
    }
}
