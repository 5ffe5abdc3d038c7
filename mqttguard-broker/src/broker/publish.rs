use std::sync::Arc;
use std::time::Duration;

use super::{Broker, Fault};
use crate::codec::ack::{self, Ack};
use crate::codec::publish::{self, Content, Publish};
use crate::codec::{Malformed, QoS};
use crate::connection::{ALIAS_BYTES, ALIASES, Aliases, TooMany};
use crate::message::Message;
use crate::reason::Reason;
use crate::retained::Source;
use crate::session::{Session, WillMessage};
use crate::timers::Timer;
use crate::{Access, Time, Version, topic};

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
        conn.messages.charge(now, 1, session.limits.messages_per_s);
        let version = conn.version;
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
                let aliases = conn.aliases.get_or_insert_default();
                resolve(aliases, alias, publish.content.topic, &mut name)?;
                &name
            }
        };
        let answered = self.take(now, slot, index, topic, &publish, qos, retain);
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
            self.journal.of(session).received(packet_id);
        }
        self.acknowledge_publish(slot, qos, packet_id, reason);
        Ok(())
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
        let levels = session.limits.topic_levels;
        if topic::levels(topic) > levels as usize {
            self.tell_limit(now, index, "topic_levels", u64::from(levels));
            return Err(Denied::Policy(Reason::TOPIC_NAME_INVALID));
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
            self.tell_limit(now, index, limit, u64::from(allowed));
            return Err(Denied::Policy(Reason::QUOTA_EXCEEDED));
        }
        if self.held_bytes().saturating_add(size as u64) > self.config.memory {
            return Err(Denied::Memory);
        }
        Ok(())
    }

    /// Whether one more retained message fits the session's identity; otherwise the limit.
    fn retained_room(
        &self,
        session: &Session,
        topic: &str,
        size: usize,
    ) -> Result<(), (&'static str, u32)> {
        let Some(identity) = self.identities.get(session.identity) else {
            return Ok(());
        };
        let limits = &session.limits;
        let mut messages = identity.retained_messages;
        let mut bytes = identity.retained_bytes;
        if let Some(old) = self.retained.get(topic)
            && old.owner == session.identity
        {
            messages = messages.saturating_sub(1);
            bytes = bytes.saturating_sub(old.size);
        }
        if messages >= limits.retained_messages {
            return Err(("retained_messages", limits.retained_messages));
        }
        if bytes.saturating_add(size) > limits.retained_bytes as usize {
            return Err(("retained_bytes", limits.retained_bytes));
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
                self.journal.clear(topic);
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
