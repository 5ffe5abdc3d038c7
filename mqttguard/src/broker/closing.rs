//! How connections end: lost, or in order.

use std::io::{self, Read};
use std::time::Duration;

use mio::net::TcpStream;
use mqttguard_broker::{ConnId, Time};

use super::conn::Conn;
use super::reactor::Reactor;

/// Reads of a socket that waits for its peer, at a time: more than its receive buffer is likely
/// to hold, and no more than the others can spare.
const DRAINS: usize = 8;

/// Throws away what the peer still sends: unread bytes would make the close a reset, and that
/// would overtake the last words to it. Whether the peer is still there.
fn drain(stream: &mut TcpStream, scratch: &mut [u8]) -> bool {
    for _ in 0..DRAINS {
        match stream.read(scratch) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        }
    }
    true
}

/// How often connections that wait for their end are looked at.
const SWEEP: Duration = Duration::from_millis(250);
/// How long a closed socket waits for the peer to close, and how many may wait.
const LINGER: Duration = Duration::from_secs(1);
const LINGERING: usize = 128;

impl Reactor {
    /// The transport is gone.
    pub(super) fn lose(&mut self, now: Time, id: ConnId) {
        if let Some(mut conn) = self.remove(now, id) {
            let _ = self.poll.registry().deregister(conn.stream());
        }
    }

    /// Ends a connection in order.
    pub(super) fn finish(&mut self, now: Time, id: ConnId) {
        let Some(mut conn) = self.remove(now, id) else {
            return;
        };
        let _ = self.poll.registry().deregister(conn.stream());
        let stream = conn.finish(now, &mut self.wire);
        if self.lingering.len() >= LINGERING
            && let Some((_, mut oldest)) = self.lingering.pop_front()
        {
            drain(&mut oldest, &mut self.input);
        }
        self.lingering.push_back((now + LINGER, stream));
        self.sweep_soon(now);
    }

    /// The client has said goodbye. The answer may stand behind what its socket has not taken.
    pub(super) fn part(&mut self, now: Time, id: ConnId) {
        match self.conns.get_mut(id) {
            Some(conn) if !conn.is_flushed() => {
                conn.named = false;
                conn.end(now);
            }
            _ => self.finish(now, id),
        }
    }

    fn remove(&mut self, now: Time, id: ConnId) -> Option<Conn> {
        self.conns.get_mut(id)?;
        self.core.lost(now, id);
        // While it is still known whom they are about.
        self.report(now);
        let conn = self.conns.remove(id)?;
        self.buffers = self.buffers.saturating_sub(conn.counted);
        self.core.set_outside_memory(self.buffers);
        self.forget_expiry(id, conn.until);
        self.peers.disconnect(now, conn.origin);
        if let Some(listener) = self.listeners.get_mut(&conn.listener) {
            listener.connections = listener.connections.saturating_sub(1);
        }
        Some(conn)
    }

    /// Sees to it that a connection that waits is looked at in time.
    pub(super) fn watch(&mut self, now: Time, id: ConnId) {
        self.recount(id);
        let conn = self.conns.get_mut(id);
        if conn.is_some_and(|conn| conn.give_up_at().is_some()) {
            self.sweep_soon(now);
        }
    }

    /// Has a connection's buffers count in the budget of the core.
    pub(super) fn recount(&mut self, id: ConnId) {
        let Some(conn) = self.conns.get_mut(id) else {
            return;
        };
        let buffers = conn.buffers();
        if buffers != conn.counted {
            self.buffers = self.buffers.saturating_sub(conn.counted);
            self.buffers = self.buffers.saturating_add(buffers);
            conn.counted = buffers;
            self.core.set_outside_memory(self.buffers);
        }
    }

    pub(super) fn sweep_soon(&mut self, now: Time) {
        self.sweep_at.get_or_insert(now + SWEEP);
    }

    /// Gives up connections whose time is over.
    pub(super) fn sweep(&mut self, now: Time) {
        self.sweep_at = None;
        let over: Vec<ConnId> = self
            .conns
            .iter()
            .filter(|conn| conn.give_up_at().is_some_and(|at| at <= now))
            .map(|conn| conn.id)
            .collect();
        for id in over {
            self.lose(now, id);
        }
        let input = &mut self.input;
        self.lingering
            .retain_mut(|(until, stream)| drain(stream, input) && *until > now);
        let waits = self.conns.iter().any(|conn| conn.give_up_at().is_some());
        if waits || !self.lingering.is_empty() {
            self.sweep_soon(now);
        }
    }

    /// Closes sockets that only wait for their peers, to have file descriptors again.
    pub(super) fn stop_lingering(&mut self) {
        self.lingering.clear();
    }
}
