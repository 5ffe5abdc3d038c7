use super::partial::Partial;
use super::{Broker, ConnId, Fault, Flow};
use crate::codec::ack::{self, Ack};
use crate::codec::fixed::{self, Fixed, Kind};
use crate::codec::{Malformed, control};
use crate::connection::State;
use crate::outbound::Acked;
use crate::reason::Reason;
use crate::{Departure, NoticeKind, Time};

/// So much of a packet is a sign of life, as a whole packet is.
const PROGRESS: usize = 1024;
/// With so many bytes of answers that it has not read, a client is not read from.
const HELD_UP: usize = 16 * 1024;

impl Broker {
    /// Bytes from the client, in order, in pieces of any size. An unknown `conn` is ignored
    /// ([`Flow::Close`]). All of `bytes` is taken, whatever the answer.
    pub fn receive(&mut self, now: Time, conn: ConnId, bytes: &[u8]) -> Flow {
        let Some(found) = self.connection(conn) else {
            return Flow::Close;
        };
        if found.is_closing() {
            return Flow::Close;
        }
        if bytes.len() >= PROGRESS {
            found.heard = now;
        }
        self.stats.bytes_in += bytes.len() as u64;
        if let Err((packet, fault)) = self.consume(now, conn.slot, bytes) {
            self.fail(now, conn.slot, packet, fault);
        }
        self.flow(now, conn.slot, bytes.len())
    }

    /// Whether to go on reading, after charging `len` bytes.
    fn flow(&mut self, now: Time, slot: u32, len: usize) -> Flow {
        let Some(conn) = self.connections.get_mut(slot) else {
            return Flow::Close;
        };
        let session = match conn.state {
            State::AwaitingConnect | State::AwaitingAuth(_) => return Flow::Read,
            State::AwaitingDecision(_) => return Flow::Pause(None),
            State::Closing => return Flow::Close,
            State::Connected(session) => session,
        };
        let Some(limits) = self.sessions.get(session).map(|session| &session.limits) else {
            return Flow::Close;
        };
        conn.bytes.charge(now, len as u64, limits.bytes_per_s);
        if conn.outbox.len() > HELD_UP {
            conn.held_up = true;
            return Flow::Pause(None);
        }
        let messages = match conn.is_refused_over_rate(limits) {
            true => None,
            false => conn.messages.ready_at(now, limits.burst_ms),
        };
        let bytes = conn.bytes.ready_at(now, limits.burst_ms);
        let Some(resume) = messages.max(bytes) else {
            return Flow::Read;
        };
        // What it sends meanwhile is not seen: that is no silence of the client's.
        conn.heard = resume;
        let (limit, allowed) = if messages >= bytes {
            ("messages_per_s", limits.messages_per_s)
        } else {
            ("bytes_per_s", limits.bytes_per_s)
        };
        self.tell_limit(now, session, limit, u64::from(allowed));
        Flow::Pause(Some(resume))
    }

    /// Handles every packet that is whole, and keeps the beginning of the one that is not. The
    /// error names the packet.
    pub(super) fn consume(
        &mut self,
        now: Time,
        slot: u32,
        bytes: &[u8],
    ) -> Result<(), (&'static str, Fault)> {
        let mut rest = bytes;
        let kept = self.take_partial(slot);
        let secret = !kept.is_empty() && self.is_stranger(slot);
        let mut partial = Partial::new(kept, secret);
        let conn = self.connections.get(slot);
        if conn.is_some_and(|conn| matches!(conn.state, State::AwaitingDecision(_))) {
            return self.keep_early(slot, partial, rest);
        }
        while !partial.is_empty() && !rest.is_empty() {
            let name = name(&partial);
            let found = self.frame(slot, &partial).map_err(|fault| (name, fault))?;
            let wanted = found.map_or(1, |fixed| fixed.total.saturating_sub(partial.len()));
            let (taken, left) = rest.split_at(wanted.min(rest.len()));
            if let Some(fixed) = found
                && partial.bytes.capacity() < partial.len() + taken.len()
            {
                // Twice as much each time, and never more than the packet takes.
                let twice = (partial.len() + taken.len()).saturating_mul(2);
                partial.grow(twice.min(fixed.total));
            }
            partial.extend(taken);
            rest = left;
            if let Some(fixed) = found
                && partial.len() == fixed.total
            {
                let body = partial.get(fixed.header..).unwrap_or_default();
                self.packet(now, slot, fixed, body)
                    .map_err(|fault| (name, fault))?;
                partial = Partial::new(Vec::new(), false);
            }
        }
        if !partial.is_empty() {
            // A packet may be whole by its last header byte.
            return self.keep_partial(now, slot, partial);
        }
        loop {
            let Some(conn) = self.connections.get(slot) else {
                return Ok(());
            };
            match conn.state {
                State::AwaitingDecision(_) => {
                    return self.keep_early(slot, Partial::new(Vec::new(), true), rest);
                }
                State::Closing => return Ok(()),
                State::AwaitingConnect | State::AwaitingAuth(_) | State::Connected(_) => {}
            }
            if rest.is_empty() {
                return Ok(());
            }
            let name = name(rest);
            let found = self.frame(slot, rest).map_err(|fault| (name, fault))?;
            let Some((fixed, (packet, left))) =
                found.and_then(|fixed| Some((fixed, rest.split_at_checked(fixed.total)?)))
            else {
                return self
                    .keep(slot, rest.to_vec())
                    .map_err(|fault| (name, fault));
            };
            let body = packet.get(fixed.header..).unwrap_or_default();
            self.packet(now, slot, fixed, body)
                .map_err(|fault| (name, fault))?;
            rest = left;
        }
    }

    /// Keeps the beginning of a packet, unless it turns out to be all of it.
    fn keep_partial(
        &mut self,
        now: Time,
        slot: u32,
        partial: Partial,
    ) -> Result<(), (&'static str, Fault)> {
        let name = name(&partial);
        let found = self.frame(slot, &partial).map_err(|fault| (name, fault))?;
        match found {
            Some(fixed) if fixed.total == partial.len() => {
                let body = partial.get(fixed.header..).unwrap_or_default();
                self.packet(now, slot, fixed, body)
                    .map_err(|fault| (name, fault))
            }
            _ => self
                .keep(slot, partial.into_bytes())
                .map_err(|fault| (name, fault)),
        }
    }

    /// A client may go on before its CONNACK (section 3.1.4); it waits here, within the bound
    /// that holds for a stranger.
    fn keep_early(
        &mut self,
        slot: u32,
        early: Partial,
        bytes: &[u8],
    ) -> Result<(), (&'static str, Fault)> {
        let allowed = self.config.connect_size;
        if early.len() + bytes.len() > allowed as usize {
            let fault = Fault::Limit {
                limit: "connect_size",
                allowed: u64::from(allowed),
                reason: Reason::QUOTA_EXCEEDED,
            };
            return Err(("CONNECT", fault));
        }
        let mut early = early;
        early.grow(early.len() + bytes.len());
        early.extend(bytes);
        let conn = self.connections.get(slot);
        if let Some(&first) = early.first()
            && conn.is_some_and(|conn| conn.authentication.is_some())
        {
            may_precede_connack(first).map_err(|fault| (fixed::name(first), fault))?;
        }
        self.keep(slot, early.into_bytes())
            .map_err(|fault| ("CONNECT", fault))
    }

    /// Keeps bytes until more come. All connections together may keep a quarter of
    /// [`super::Config::memory`], besides what that bounds.
    fn keep(&mut self, slot: u32, bytes: Vec<u8>) -> Result<(), Fault> {
        let Some(conn) = self.connections.get_mut(slot) else {
            return Ok(());
        };
        self.partial = self.partial.saturating_add(bytes.capacity() as u64);
        conn.partial = bytes;
        let allowed = self.config.memory / 4;
        if self.partial > allowed {
            let reason = Reason::SERVER_BUSY;
            return Err(Fault::Limit {
                limit: "memory",
                allowed,
                reason,
            });
        }
        Ok(())
    }

    /// Takes what was kept.
    pub(super) fn take_partial(&mut self, slot: u32) -> Vec<u8> {
        let Some(conn) = self.connections.get_mut(slot) else {
            return Vec::new();
        };
        let partial = std::mem::take(&mut conn.partial);
        self.partial = self.partial.saturating_sub(partial.capacity() as u64);
        partial
    }

    /// Drops what was kept. What a stranger has sent may hold its password.
    pub(super) fn drop_partial(&mut self, slot: u32) {
        let stranger = self.is_stranger(slot);
        drop(Partial::new(self.take_partial(slot), stranger));
    }

    fn is_stranger(&self, slot: u32) -> bool {
        let conn = self.connections.get(slot);
        conn.is_some_and(|conn| conn.session().is_none())
    }

    /// Reads the fixed header, and refuses at once what need not be waited for.
    fn frame(&self, slot: u32, bytes: &[u8]) -> Result<Option<Fixed>, Fault> {
        let Some(conn) = self.connections.get(slot) else {
            return Ok(None);
        };
        let first = bytes.first().copied().unwrap_or_default() >> 4;
        let session = conn.session();
        match conn.state {
            State::AwaitingAuth(_) => may_precede_connack(first << 4)?,
            // MQTT-3.1.0-2
            State::Connected(_) if first == 1 => {
                return Err(Malformed::protocol("packet type", "a second CONNECT").into());
            }
            State::Connected(_) => {}
            // MQTT-3.1.0-1
            _ if first != 1 => {
                return Err(Malformed::protocol("packet type", "CONNECT must be first").into());
            }
            _ => {}
        }
        let Some(fixed) = fixed::decode(conn.version, bytes)? else {
            return Ok(None);
        };
        let (limit, allowed) = match session.and_then(|session| self.sessions.get(session)) {
            Some(session) => ("packet_size", session.limits.packet_size),
            None => ("connect_size", self.config.connect_size),
        };
        if fixed.total > allowed as usize {
            let allowed = u64::from(allowed);
            return Err(Fault::Limit {
                limit,
                allowed,
                reason: Reason::PACKET_TOO_LARGE,
            });
        }
        if !matches!(conn.state, State::AwaitingConnect) {
            fixed.check(conn.version)?;
        }
        Ok(Some(fixed))
    }

    fn packet(&mut self, now: Time, slot: u32, fixed: Fixed, body: &[u8]) -> Result<(), Fault> {
        let Some(conn) = self.connections.get_mut(slot) else {
            return Ok(());
        };
        conn.heard = now;
        self.stats.packets_in += 1;
        self.journal.boundary();
        let session = match conn.state {
            State::AwaitingConnect => return self.connect(slot, fixed, body),
            State::AwaitingAuth(_) => {
                if fixed.kind == Kind::Auth {
                    return self.authenticate(now, slot, body);
                }
                control::decode_disconnect(conn.version, body)?;
                self.shut(now, slot, None, Departure::Disconnect);
                return Ok(());
            }
            State::Connected(session) => session,
            State::AwaitingDecision(_) | State::Closing => return Ok(()),
        };
        match fixed.kind {
            Kind::Publish {
                dup: _,
                qos,
                retain,
            } => self.publish(now, slot, session, qos, retain, body),
            Kind::PubAck => self.acknowledge(slot, session, ack::PUBACK, body),
            Kind::PubRec => self.acknowledge(slot, session, ack::PUBREC, body),
            Kind::PubRel => self.acknowledge(slot, session, ack::PUBREL, body),
            Kind::PubComp => self.acknowledge(slot, session, ack::PUBCOMP, body),
            Kind::Subscribe => self.subscribe(now, slot, session, body),
            Kind::Unsubscribe => self.unsubscribe(slot, session, body),
            Kind::PingReq => {
                control::decode_pingreq(body)?;
                self.answer(slot, |out, _| control::encode_pingresp(out));
                Ok(())
            }
            Kind::Disconnect => self.disconnect(now, slot, session, body),
            Kind::Auth => self.authenticate(now, slot, body),
            Kind::Connect => Ok(()),
        }
    }

    /// PUBACK, PUBREC, PUBREL or PUBCOMP, by the first byte that names it.
    fn acknowledge(
        &mut self,
        slot: u32,
        session: u32,
        first: u8,
        body: &[u8],
    ) -> Result<(), Fault> {
        let (Some(conn), Some(found)) =
            (self.connections.get(slot), self.sessions.get_mut(session))
        else {
            return Ok(());
        };
        let ack = ack::decode(conn.version, first, body)?;
        let id = ack.packet_id;
        let answer = |acked| Ack {
            packet_id: id,
            reason: match acked {
                Acked::Unknown => Reason::PACKET_IDENTIFIER_NOT_FOUND,
                Acked::Yes | Acked::Wrong => Reason::SUCCESS,
            },
        };
        let acked = match first {
            ack::PUBACK => {
                let acked = found.out.puback(id, &mut self.held);
                if acked == Acked::Yes {
                    self.journal.of(found.kept, found.serial).acked(id);
                }
                acked
            }
            ack::PUBREC => {
                let failed = ack.reason.is_error();
                let acked = found.out.pubrec(id, failed, &mut self.held);
                if acked == Acked::Yes {
                    let mut log = self.journal.of(found.kept, found.serial);
                    if failed {
                        log.acked(id)
                    } else {
                        log.released(id)
                    }
                }
                if acked != Acked::Wrong && !ack.reason.is_error() {
                    self.answer(slot, |out, version| {
                        ack::encode(out, version, ack::PUBREL, answer(acked));
                    });
                }
                acked
            }
            ack::PUBREL => {
                let acked = match found.unreleased.binary_search(&id) {
                    Ok(place) => {
                        found.unreleased.remove(place);
                        self.journal.of(found.kept, found.serial).forgotten(id);
                        Acked::Yes
                    }
                    Err(_) => Acked::Unknown,
                };
                if found.unreleased.is_empty() {
                    found.unreleased = Vec::new();
                }
                self.answer(slot, |out, version| {
                    ack::encode(out, version, ack::PUBCOMP, answer(acked));
                });
                acked
            }
            _ => {
                let acked = found.out.pubcomp(id);
                if acked == Acked::Yes {
                    self.journal.of(found.kept, found.serial).acked(id);
                }
                acked
            }
        };
        if acked == Acked::Wrong {
            let what = "the message is at another step of its delivery";
            return Err(Malformed::protocol("packet identifier", what).into());
        }
        if self
            .sessions
            .get(session)
            .is_some_and(|session| session.is_ready())
        {
            self.wake(slot);
        }
        Ok(())
    }

    fn disconnect(&mut self, now: Time, slot: u32, session: u32, body: &[u8]) -> Result<(), Fault> {
        let Some(conn) = self.connections.get(slot) else {
            return Ok(());
        };
        let packet = control::decode_disconnect(conn.version, body)?;
        let Some(found) = self.sessions.get_mut(session) else {
            return Ok(());
        };
        if let Some(seconds) = packet.session_expiry_s {
            // MQTT-3.1.2-23: section 3.14.2.2.2
            if conn.asked_expiry_s == 0 && seconds != 0 {
                let what = "raised from 0 by DISCONNECT";
                return Err(Malformed::protocol("Session Expiry Interval", what).into());
            }
            found.expiry_s = seconds.min(found.limits.session_expiry_s);
        }
        if packet.reason == Reason::SUCCESS {
            // MQTT-3.14.4-3
            found.will = None;
        }
        // Before the session may end with its connection.
        if !self.record_session(session) {
            self.record_will(session);
        }
        self.shut(now, slot, None, Departure::Disconnect);
        Ok(())
    }

    /// Tells of a fault and closes the connection for it.
    pub(super) fn fail(&mut self, now: Time, slot: u32, packet: &'static str, fault: Fault) {
        let Some(conn) = self.connections.get_mut(slot) else {
            return;
        };
        let (id, session) = (conn.id, conn.session());
        let (reason, kind, why) = match fault {
            Fault::Malformed(Malformed {
                reason,
                field,
                what,
            }) => {
                let what = format!("{field}: {what}");
                (
                    reason,
                    NoticeKind::ProtocolError { packet, what },
                    Departure::ProtocolError,
                )
            }
            Fault::Limit {
                limit,
                allowed,
                reason,
            } => (
                reason,
                NoticeKind::Limit { limit, allowed },
                Departure::LimitExceeded,
            ),
        };
        match session {
            Some(session) => self.tell(session, kind),
            None => self.tell_stranger(id, None, None, kind),
        }
        let text = match fault {
            Fault::Malformed(malformed) => malformed.what,
            Fault::Limit { limit, .. } => limit,
        };
        self.shut(now, slot, Some((reason, text)), why);
    }
}

/// `MQTT-3.1.2-30`: with an Authentication Method, only AUTH and DISCONNECT come before the
/// CONNACK. By the first byte of a packet.
fn may_precede_connack(first: u8) -> Result<(), Fault> {
    match first >> 4 {
        14 | 15 => Ok(()),
        1 => Err(Malformed::protocol("packet type", "a second CONNECT").into()),
        _ => {
            let what = "only AUTH and DISCONNECT may come before the CONNACK";
            Err(Malformed::protocol("packet type", what).into())
        }
    }
}

/// The name of the packet that starts here.
fn name(bytes: &[u8]) -> &'static str {
    fixed::name(bytes.first().copied().unwrap_or_default())
}
