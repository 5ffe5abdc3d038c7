use std::sync::atomic::Ordering::Relaxed;

use super::{Broker, ConnId, Transmit};
use crate::Time;
use crate::codec::QoS;
use crate::codec::ack::{self, Ack};
use crate::codec::publish::{self, Outgoing};
use crate::connection::Connection;
use crate::delivery::{Delivery, Ids};
use crate::journal::Journal;
use crate::outbound::{Again, Held};
use crate::reason::Reason;
use crate::retained::{Retained, Step};
use crate::session::Session;

/// Retained messages looked at in one call, so that a filter that matches few of many costs
/// the others no time.
const BUDGET: u32 = 1024;
/// An emptied outbox gives its memory back above this many bytes.
const KEEP: usize = 64;

/// What a client's queues came to.
enum Sent {
    Drained,
    More,
    /// There is more to look at, but not now.
    Later,
}

impl Broker {
    /// Appends to `out` what the client is to be sent, about `room` bytes at most (a single
    /// packet may exceed it). What was fetched counts as sent.
    pub fn transmit(
        &mut self,
        now: Time,
        conn: ConnId,
        out: &mut Vec<u8>,
        room: usize,
    ) -> Transmit {
        let Some(connection) = self.connections.get_mut(conn.slot).filter(|c| c.id == conn) else {
            return Transmit::Close;
        };
        let before = out.len();
        let limit = before.saturating_add(room);
        flush(&mut connection.outbox, out, room);
        let flushed = out.len().saturating_sub(before) as u64;
        self.outboxes = self.outboxes.saturating_sub(flushed);
        let aliases = connection.alias_bytes();
        let mut sent = Sent::Drained;
        if !connection.outbox.is_empty() {
            sent = Sent::More;
        } else if let Some(session) = connection.session()
            && let Some(session) = self.sessions.get_mut(session)
        {
            let mut pump = Pump {
                now,
                connection,
                session,
                retained: &self.retained,
                held: &mut self.held,
                journal: &mut self.journal,
                published: 0,
                payload: 0,
                packets: 0,
                dropped: 0,
            };
            sent = pump.run(out, limit);
            self.stats.messages_out += pump.published;
            self.stats.payload_out += pump.payload;
            self.stats.packets_out += pump.packets + pump.published;
            self.stats.messages_dropped += pump.dropped;
        }
        self.aliases = self.aliases.saturating_sub(aliases) + connection.alias_bytes();
        self.stats.bytes_out += out.len().saturating_sub(before) as u64;
        match sent {
            Sent::More => {
                connection.ready = true;
                return Transmit::More;
            }
            Sent::Later => {
                if !std::mem::replace(&mut connection.unfinished, true) {
                    self.unfinished.push(conn);
                }
            }
            Sent::Drained => {}
        }
        connection.ready = false;
        if connection.is_closing() {
            return Transmit::Close;
        }
        if std::mem::take(&mut connection.held_up) {
            self.wake(conn.slot);
        }
        Transmit::Drained
    }
}

/// Moves at most `room` bytes; where a packet ends does not matter to a stream.
fn flush(outbox: &mut Vec<u8>, out: &mut Vec<u8>, room: usize) {
    if outbox.is_empty() {
        return;
    }
    let len = outbox.len().min(room.max(1));
    out.extend(outbox.drain(..len));
    if outbox.is_empty() && outbox.capacity() > KEEP {
        *outbox = Vec::new();
    }
}

/// One client's queues on their way into the transport.
struct Pump<'a> {
    now: Time,
    connection: &'a mut Connection,
    session: &'a mut Session,
    retained: &'a Retained,
    held: &'a mut Held,
    journal: &'a mut Journal,
    published: u64,
    /// Bytes of the payloads published.
    payload: u64,
    /// Packets beside those published.
    packets: u64,
    dropped: u64,
}

impl Pump<'_> {
    /// What is to be sent again, then retained messages, then the rest.
    fn run(&mut self, out: &mut Vec<u8>, limit: usize) -> Sent {
        let maximum = self.session.receive_maximum;
        let mut budget = BUDGET;
        loop {
            if out.len() >= limit {
                return if self.session.is_ready() {
                    Sent::More
                } else {
                    Sent::Drained
                };
            }
            if let Some(again) = self.session.out.next_again(maximum) {
                self.send_again(out, again);
                continue;
            }
            match self.replay(out, &mut budget) {
                Replayed::One => continue,
                Replayed::Later => return Sent::Later,
                Replayed::None => {}
            }
            let mut log = self.journal.of(self.session.kept, self.session.serial);
            let out_queue = &mut self.session.out;
            let Some((id, delivery)) = out_queue.next(self.now, maximum, self.held, &mut log)
            else {
                return Sent::Drained;
            };
            self.send(out, id, &delivery, false);
        }
    }

    fn send(&mut self, out: &mut Vec<u8>, packet_id: u16, delivery: &Delivery, dup: bool) {
        let version = self.connection.version;
        let message = &delivery.message;
        let maximum = self.connection.alias_maximum;
        let alias = if maximum > 0 {
            self.connection
                .aliases
                .get_or_insert_default()
                .assign(maximum, message.topic())
        } else {
            None
        };
        let mut publish = Outgoing {
            message,
            qos: delivery.qos,
            dup,
            retain: delivery.retain,
            packet_id,
            subscription_ids: delivery.ids.as_slice(),
            alias,
        };
        let size = self.connection.maximum_packet_size;
        let mut sent = publish::encode(out, self.now, version, size, &publish);
        if !sent && let Some(alias) = publish.alias.take() {
            // It may fit without: a short name takes less than its alias.
            if let Some(aliases) = &mut self.connection.aliases {
                aliases.withdraw(alias);
            }
            sent = publish::encode(out, self.now, version, size, &publish);
        }
        if sent {
            self.published += 1;
            self.payload += message.payload().len() as u64;
        } else {
            // MQTT-3.1.2-25: as if it had been sent.
            self.dropped += 1;
            if packet_id != 0 {
                self.journal
                    .of(self.session.kept, self.session.serial)
                    .acked(packet_id);
            }
            self.session.out.discard(packet_id, self.held);
        }
    }

    fn send_again(&mut self, out: &mut Vec<u8>, again: Again) {
        match again {
            // MQTT-3.3.1-1
            Again::Publish(id, delivery) => self.send(out, id, &delivery, true),
            Again::PubRel(packet_id) => {
                let ack = Ack {
                    packet_id,
                    reason: Reason::SUCCESS,
                };
                self.packets += 1;
                ack::encode(out, self.connection.version, ack::PUBREL, ack);
            }
        }
    }

    /// Sends one retained message of those that new subscriptions wait for.
    fn replay(&mut self, out: &mut Vec<u8>, budget: &mut u32) -> Replayed {
        loop {
            let Some(replay) = self.session.replays.first_mut() else {
                return Replayed::None;
            };
            // It may have been replaced, denied, or have expired, while it waited for its turn.
            let found = replay.found.take().filter(|message| {
                self.retained.holds(message)
                    && !message.is_expired(self.now)
                    && !self.session.exceptions.cover(message.topic())
            });
            let message = match found {
                Some(message) => {
                    // It may be retained no more, and the journal have nobody else for it.
                    message.generation.store(0, Relaxed);
                    message
                }
                None => {
                    match self
                        .retained
                        .next(self.now, &replay.filter, &mut replay.cursor, budget)
                    {
                        Step::Found(_, source)
                            if source.age > replay.age
                                || (replay.no_local && source.session == self.session.serial) =>
                        {
                            continue;
                        }
                        Step::Found(message, _)
                            if self.session.exceptions.cover(message.topic()) =>
                        {
                            continue;
                        }
                        Step::Found(message, _) => message,
                        Step::Later => return Replayed::Later,
                        Step::End => {
                            self.session.replays.remove(0);
                            if self.session.replays.is_empty() {
                                self.session.replays = Vec::new();
                            }
                            continue;
                        }
                    }
                }
            };
            let qos = message.qos.min(replay.qos);
            if qos != QoS::AtMostOnce && !self.session.out.may_send(self.session.receive_maximum) {
                replay.found = Some(message);
                return Replayed::None;
            }
            let mut ids = Ids::None;
            ids.add(replay.id);
            let delivery = Delivery::new(message, ids, qos, true);
            let id = match qos {
                QoS::AtMostOnce => 0,
                _ => {
                    let id = self.session.out.launch(delivery.clone(), self.held);
                    self.journal
                        .of(self.session.kept, self.session.serial)
                        .in_flight(&delivery, id, None);
                    id
                }
            };
            self.send(out, id, &delivery, false);
            return Replayed::One;
        }
    }
}

/// What a look at the retained messages came to.
enum Replayed {
    One,
    Later,
    None,
}
