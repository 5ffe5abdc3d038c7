use std::sync::Arc;
use std::time::Duration;

use super::{Broker, Fault, Pressure};
use crate::codec::ack::{self, Ack};
use crate::codec::content::Content;
use crate::codec::publish::{self, Publish};
use crate::codec::{Malformed, QoS};
use crate::connection::{ALIAS_BYTES, ALIASES, Aliases, Connection, TooMany};
use crate::message::Message;
use crate::reason::Reason;
use crate::retained::Source;
use crate::session::{Session, WillMessage};
use crate::timers::Timer;
use crate::{Access, Limits, Time, Version};

/// How often expired retained messages are cleared away.
const SWEEP: Duration = Duration::from_secs(60);

/// Why a message is not taken.
enum Denied {
    /// The client may not; MQTT 3 has no way to say so, and gets an acknowledgement.
    Policy(Reason),
    /// There is no room; a client of MQTT 3 is cut off rather than told that all is well.
    Memory,
}

impl Broker {
    /// PUBLISH from a client. It is acknowledged when it was routed.
    pub(super) fn publish(
        &mut self,
        now: Time,
        slot: u32,
        index: u32,
        qos: QoS,
        retain: bool,
        body: &[u8],
    ) -> Result<(), Fault> {
        self.stats.messages_in += 1;
        let (Some(conn), Some(session)) =
            (self.connections.get_mut(slot), self.sessions.get_mut(index))
        else {
            return Ok(());
        };
        session.published = session.published.saturating_add(1);
        let version = conn.version;
        let over = !on_time(now, conn, &session.limits);
        let publish = publish::decode(version, qos, body)?;
        self.stats.payload_in += publish.content.payload.len() as u64;
        if retain && session.limits.retained_messages == 0 && version == Version::V5 {
            // MQTT-3.2.2-14: it was told so in the CONNACK.
            return Err(Malformed::with(
                Reason::RETAIN_NOT_SUPPORTED,
                "fixed header flags",
                "RETAIN is not available to this client",
            )
            .into());
        }
        let mut name = std::mem::take(&mut self.name);
        let topic = match publish.alias {
            None => publish.content.topic,
            Some(alias) => {
                let before = conn.alias_bytes();
                let aliases = conn.aliases.get_or_insert_default();
                let resolved = resolve(aliases, alias, publish.content.topic, &mut name);
                self.aliases = self.aliases.saturating_sub(before) + conn.alias_bytes();
                resolved?;
                &name
            }
        };
        let answered = if over {
            self.refuse_rate(now, slot, index, &publish, qos);
            Ok(())
        } else {
            self.take(now, slot, index, topic, &publish, qos, retain)
        };
        self.name = name;
        answered
    }

    #[allow(clippy::too_many_arguments, reason = "the parts of one packet")]
    fn take(
        &mut self,
        now: Time,
        slot: u32,
        index: u32,
        topic: &str,
        publish: &Publish<'_>,
        qos: QoS,
        retain: bool,
    ) -> Result<(), Fault> {
        let Some(session) = self.sessions.get_mut(index) else {
            return Ok(());
        };
        let packet_id = publish.packet_id;
        let mut place = None;
        if qos == QoS::ExactlyOnce {
            match session.unreleased.binary_search(&packet_id) {
                // MQTT-4.3.3-10: it was taken already.
                Ok(_) => {
                    self.acknowledge_publish(slot, qos, packet_id, Reason::SUCCESS);
                    return Ok(());
                }
                Err(free) => place = Some(free),
            }
            // MQTT-3.3.4-8
            let allowed = session.limits.in_flight.max(1);
            if session.unreleased.len() >= usize::from(allowed) {
                return Err(Fault::Limit {
                    limit: "in_flight",
                    allowed: u64::from(allowed),
                    reason: Reason::RECEIVE_MAXIMUM_EXCEEDED,
                });
            }
        }
        let reason = match self.permit(now, index, topic, &publish.content, retain) {
            Ok(()) => self.distribute(now, Some(index), topic, &publish.content, qos, retain),
            Err(Denied::Policy(reason)) => reason,
            Err(Denied::Memory) => {
                self.stats.messages_dropped += 1;
                if qos != QoS::AtMostOnce && !self.speaks_v5(slot) {
                    return Err(Fault::Limit {
                        limit: "memory",
                        allowed: self.config.memory,
                        reason: Reason::SERVER_BUSY,
                    });
                }
                self.tell_limit(now, index, "memory", self.config.memory);
                Reason::QUOTA_EXCEEDED
            }
        };
        if let Some(place) = place
            && !(reason.is_error() && self.speaks_v5(slot))
            && let Some(session) = self.sessions.get_mut(index)
        {
            session.unreleased.insert(place, packet_id);
            self.journal
                .of(session.kept, session.serial)
                .received(packet_id);
        }
        self.acknowledge_publish(slot, qos, packet_id, reason);
        Ok(())
    }

    /// Refuses a message above the rate of a client that is not to be paced.
    fn refuse_rate(&mut self, now: Time, slot: u32, index: u32, publish: &Publish<'_>, qos: QoS) {
        let Some(session) = self.sessions.get(index) else {
            return;
        };
        let packet_id = publish.packet_id;
        let taken = qos == QoS::ExactlyOnce && session.unreleased.binary_search(&packet_id).is_ok();
        if taken {
            return self.acknowledge_publish(slot, qos, packet_id, Reason::SUCCESS);
        }
        let allowed = u64::from(session.limits.messages_per_s);
        self.stats.messages_dropped += 1;
        self.tell_limit(now, index, "messages_per_s", allowed);
        self.acknowledge_publish(slot, qos, packet_id, Reason::QUOTA_EXCEEDED);
    }

    fn acknowledge_publish(&mut self, slot: u32, qos: QoS, packet_id: u16, reason: Reason) {
        let first = match qos {
            QoS::AtMostOnce => return,
            QoS::AtLeastOnce => ack::PUBACK,
            QoS::ExactlyOnce => ack::PUBREC,
        };
        self.answer(slot, |out, version| {
            ack::encode(out, version, first, Ack { packet_id, reason });
        });
    }

    /// Whether a session may publish this, and there is room for it.
    fn permit(
        &mut self,
        now: Time,
        index: u32,
        topic: &str,
        content: &Content<'_>,
        retain: bool,
    ) -> Result<(), Denied> {
        let Some(session) = self.sessions.get(index) else {
            return Err(Denied::Policy(Reason::NOT_AUTHORIZED));
        };
        if let Err((limit, allowed)) = session.limits.fit_topic(topic) {
            self.tell_limit(now, index, limit, u64::from(allowed));
            return Err(Denied::Policy(Reason::TOPIC_NAME_INVALID));
        }
        let allowed = session.limits.user_properties;
        if content.user_properties > allowed {
            self.stats.messages_dropped += 1;
            self.tell_limit(now, index, "user_properties", u64::from(allowed));
            return Err(Denied::Policy(Reason::QUOTA_EXCEEDED));
        }
        if !session.grants.may_publish(topic) {
            self.tell_refused(now, index, Access::Publish, topic);
            return Err(Denied::Policy(Reason::NOT_AUTHORIZED));
        }
        let size = Message::size_of(topic, content);
        if retain
            && !content.payload.is_empty()
            && let Err((limit, allowed)) = self.retained_room(session, topic, size)
        {
            self.stats.messages_dropped += 1;
            self.tell_limit(now, index, limit, allowed);
            return Err(Denied::Policy(Reason::QUOTA_EXCEEDED));
        }
        if !self.has_room(now, size) {
            return Err(Denied::Memory);
        }
        Ok(())
    }

    /// Whether one more retained message fits, of the session's identity and in all; otherwise the
    /// limit.
    fn retained_room(
        &self,
        session: &Session,
        topic: &str,
        size: usize,
    ) -> Result<(), (&'static str, u64)> {
        let Some(identity) = self.identities.get(session.identity) else {
            return Ok(());
        };
        let limits = &session.limits;
        let mut messages = identity.retained_messages;
        let mut bytes = identity.retained_bytes;
        let mut total = self.retained.of_clients();
        let mut total_bytes = self.retained.bytes();
        let old = self.retained.get(topic);
        let grows = old.is_none_or(|old| old.size < size);
        if grows && self.pressure >= Pressure::High {
            return Err(("memory", self.config.memory));
        }
        if let Some(old) = old {
            total = total.saturating_sub(1);
            total_bytes = total_bytes.saturating_sub(old.size as u64);
            if old.owner == session.identity {
                messages = messages.saturating_sub(1);
                bytes = bytes.saturating_sub(old.size);
            }
        }
        if messages >= limits.retained_messages {
            return Err(("retained_messages", limits.retained_messages.into()));
        }
        if bytes.saturating_add(size) > limits.retained_bytes as usize {
            return Err(("retained_bytes", limits.retained_bytes.into()));
        }
        let allowed = self.config.retained_messages_total;
        if total >= allowed as usize {
            return Err(("retained_messages_total", allowed.into()));
        }
        let allowed = self.config.retained_bytes_total;
        if total_bytes.saturating_add(size as u64) > allowed {
            return Err(("retained_bytes_total", allowed));
        }
        Ok(())
    }

    /// Publishes a message of the broker's own at QoS 0, on a topic that starts with `$` and that
    /// clients cannot publish to. It counts for nobody's quota. An empty payload retained takes
    /// back what was retained before.
    pub fn publish_internal(&mut self, now: Time, topic: &str, payload: &[u8], retain: bool) {
        let content = Content {
            topic,
            payload,
            ..Content::default()
        };
        self.distribute(now, None, topic, &content, QoS::AtMostOnce, retain);
    }

    /// Retains and routes a message that was permitted. Without a publisher it is the broker's
    /// own.
    fn distribute(
        &mut self,
        now: Time,
        publisher: Option<u32>,
        topic: &str,
        content: &Content<'_>,
        qos: QoS,
        retain: bool,
    ) -> Reason {
        if self.watching.is_on() {
            self.show(now, publisher, topic, content, qos, retain);
        }
        self.router.find(
            &mut self.subscriptions,
            &mut self.sessions,
            publisher,
            topic,
            qos,
        );
        let nobody = self.router.is_empty();
        let keeps = retain && !content.payload.is_empty();
        if retain && !keeps {
            // MQTT-3.3.1-6
            if let Some(old) = self.retained.remove(topic) {
                if publisher.is_some() {
                    self.journal.clear(topic);
                }
                self.identities.retain_less(old.owner, old.size);
            }
        }
        if !nobody || keeps {
            let message = Message::new(&self.gauge, now, topic, content, qos, retain);
            let message = Arc::new(message);
            self.fan_out(now, &message);
            if keeps {
                self.retain(now, publisher, message);
            }
        }
        if nobody {
            Reason::NO_MATCHING_SUBSCRIBERS
        } else {
            Reason::SUCCESS
        }
    }

    /// Replaces what is retained for the topic (`MQTT-3.3.1-5`).
    fn retain(&mut self, now: Time, publisher: Option<u32>, message: Arc<Message>) {
        let source = match publisher {
            None => Source::BROKER,
            Some(index) => match self.sessions.get(index) {
                None => return,
                Some(session) => Source {
                    owner: session.identity,
                    session: session.serial,
                    age: 0,
                },
            },
        };
        let size = message.size();
        if message.expires().is_some() {
            self.sweep_later(now);
        }
        let old = self.retained.get(message.topic());
        self.record_retained(&message, source);
        self.retained.set(message, source);
        self.identities.retain_more(source.owner, size);
        if let Some(old) = old {
            self.identities.retain_less(old.owner, old.size);
        }
    }

    /// Some retained message expires.
    pub(crate) fn sweep_later(&mut self, now: Time) {
        if self.sweep == Time::NEVER {
            self.timers.set(Timer::Sweep, &mut self.sweep, now + SWEEP);
        }
    }

    /// Clears expired retained messages away.
    pub(super) fn sweep(&mut self, now: Time) {
        self.sweep = Time::NEVER;
        self.retained.purge(now, None, |message, gone| {
            self.journal.clear(message.topic());
            self.identities.retain_less(gone.owner, gone.size);
        });
        if self.retained.any_expires() {
            self.timers.set(Timer::Sweep, &mut self.sweep, now + SWEEP);
        }
    }

    /// Publishes a session's will, under the rights it has now.
    pub(super) fn publish_will(&mut self, now: Time, index: u32, will: &WillMessage) {
        let content = Content {
            topic: &will.topic,
            properties: &will.properties,
            verbatim: true,
            user_properties: will.user_properties,
            expiry_s: will.expiry_s,
            payload: &will.payload,
        };
        let retain = will.retain;
        match self.permit(now, index, &will.topic, &content, retain) {
            Ok(()) => {
                self.distribute(now, Some(index), &will.topic, &content, will.qos, retain);
            }
            Err(Denied::Memory) => {
                self.stats.messages_dropped += 1;
                self.tell_limit(now, index, "memory", self.config.memory);
            }
            Err(Denied::Policy(_)) => {}
        }
    }
}

/// Counts a PUBLISH. False if it comes above the rate of a client that is then to be refused: one
/// that is paced is taken at its word, and not read from after it.
fn on_time(now: Time, conn: &mut Connection, limits: &Limits) -> bool {
    if conn.is_refused_over_rate(limits) {
        let burst = Duration::from_millis(limits.burst_ms.into());
        return conn.messages.admit(now, limits.messages_per_s, burst);
    }
    conn.messages.charge(now, 1, limits.messages_per_s);
    true
}

/// Puts the topic name that a PUBLISH with an alias means into `name` (section 3.3.2.3.4).
fn resolve(aliases: &mut Aliases, alias: u16, topic: &str, name: &mut String) -> Result<(), Fault> {
    // MQTT-3.3.2-8, MQTT-3.3.2-9
    if alias == 0 || alias > ALIASES {
        return Err(Malformed::with(
            Reason::TOPIC_ALIAS_INVALID,
            "Topic Alias",
            "0 or above the Topic Alias Maximum",
        )
        .into());
    }
    name.clear();
    if topic.is_empty() {
        let known = aliases.get(alias);
        name.push_str(known.ok_or(Malformed::protocol("Topic Alias", "not set before"))?);
        return Ok(());
    }
    name.push_str(topic);
    aliases.set(alias, topic).map_err(|TooMany| Fault::Limit {
        limit: "topic_alias_bytes",
        allowed: ALIAS_BYTES as u64,
        reason: Reason::QUOTA_EXCEEDED,
    })
}
