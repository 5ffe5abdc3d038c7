//! What passes between the two ends.

use std::time::Duration;

use super::packets::{self, Frame};
use super::{Bridge, BridgeNotice, End, HIGH, OWN_ID, Phase};
use crate::broker::shorten;
use crate::codec::ack::{self, Ack};
use crate::codec::{Malformed, QoS, fixed, publish};
use crate::reason::Reason;
use crate::{Time, Version};

/// Least time between two notices of dropped messages.
const BETWEEN_DROPS: Duration = Duration::from_secs(10);
/// Room that an emptied buffer keeps.
const KEEP: usize = 4 * 1024;

/// One of the two ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Upstream,
    Local,
}

/// Why the link is to be cut.
struct Cut {
    why: String,
    reason: Reason,
}

impl Cut {
    fn new(why: impl Into<String>, reason: Reason) -> Cut {
        Cut {
            why: why.into(),
            reason,
        }
    }

    fn malformed(packet: &str, malformed: Malformed) -> Cut {
        let Malformed {
            reason,
            field,
            what,
        } = malformed;
        let why = format!("it broke the protocol in {packet}: {field}: {what}");
        Cut::new(why, reason)
    }
}

impl Bridge {
    /// Whether to read from the server.
    pub fn takes_upstream(&self) -> bool {
        self.upstream.open && !self.upstream.held && self.has_room(Side::Upstream)
    }

    /// Whether to take from the local broker.
    pub fn takes_local(&self) -> bool {
        self.local.open && !self.local.held && self.has_room(Side::Local)
    }

    /// Bytes from the server. All are taken.
    pub fn from_upstream(&mut self, now: Time, bytes: &[u8]) {
        self.take(now, Side::Upstream, bytes);
    }

    /// Bytes from the local broker. All are taken.
    pub fn from_local(&mut self, now: Time, bytes: &[u8]) {
        self.take(now, Side::Local, bytes);
    }

    /// Goes on with packets that waited for room. Whether there were any.
    pub fn work(&mut self, now: Time) -> bool {
        let mut worked = false;
        for side in [Side::Upstream, Side::Local] {
            if self.end(side).held && self.has_room(side) {
                self.consume(now, side);
                worked = true;
            }
        }
        worked
    }

    fn end(&mut self, side: Side) -> &mut End {
        match side {
            Side::Upstream => &mut self.upstream,
            Side::Local => &mut self.local,
        }
    }

    /// Whether packets from this side can be handled now.
    fn has_room(&self, side: Side) -> bool {
        match side {
            Side::Upstream => match self.phase {
                Phase::Greeting(_) => true,
                // Both, for it is answered for itself too.
                Phase::Up(_) => {
                    self.local.output.len() < HIGH && self.upstream.output.len() < 2 * HIGH
                }
                _ => false,
            },
            Side::Local => match self.phase {
                Phase::Priming | Phase::Joining => true,
                Phase::Up(_) => {
                    self.upstream.output.len() < HIGH && self.local.output.len() < 2 * HIGH
                }
                _ => false,
            },
        }
    }

    fn take(&mut self, now: Time, side: Side, bytes: &[u8]) {
        let end = self.end(side);
        if !end.open {
            return;
        }
        end.pulse.heard(now);
        end.input.extend_from_slice(bytes);
        self.consume(now, side);
    }

    /// Handles every packet that is whole, as far as there is room.
    fn consume(&mut self, now: Time, side: Side) {
        let mut input = std::mem::take(&mut self.end(side).input);
        self.end(side).held = false;
        let mut done = 0usize;
        loop {
            let rest = input.get(done..).unwrap_or_default();
            if rest.is_empty() {
                break;
            }
            if !self.has_room(side) {
                self.end(side).held = true;
                break;
            }
            match self.one(now, side, rest) {
                Ok(0) => break,
                Ok(taken) => done = done.saturating_add(taken),
                Err(cut) => {
                    let why = match side {
                        Side::Upstream => cut.why,
                        Side::Local => format!("the local broker: {}", cut.why),
                    };
                    return self.fail(now, why, cut.reason);
                }
            }
            if !self.end(side).open {
                return;
            }
        }
        input.drain(..done.min(input.len()));
        if input.is_empty() && input.capacity() > KEEP {
            input = Vec::new();
        }
        self.end(side).input = input;
    }

    /// Handles what is in front; how many bytes it was, 0 if more are needed.
    fn one(&mut self, now: Time, side: Side, bytes: &[u8]) -> Result<usize, Cut> {
        let end = self.end(side);
        if end.skip > 0 {
            let passed = end.skip.min(bytes.len());
            end.skip -= passed;
            return Ok(passed);
        }
        let name = fixed::name(bytes.first().copied().unwrap_or_default());
        let malformed = |malformed| Cut::malformed(name, malformed);
        let Some(frame) = packets::frame(bytes).map_err(malformed)? else {
            return Ok(0);
        };
        if side == Side::Upstream && frame.total > self.config.packet_size as usize {
            return self.oversize(now, frame, bytes).map_err(malformed);
        }
        let Some(body) = bytes.get(frame.header..frame.total) else {
            return Ok(0);
        };
        match side {
            Side::Upstream => self.upstream_packet(now, frame.first, body, name)?,
            Side::Local => self.local_packet(now, frame.first, body, name)?,
        }
        Ok(frame.total)
    }

    /// A packet larger than was asked for. A server of MQTT 3.1.1 was not asked, and sends a
    /// message again and again until it is acknowledged: it is, and dropped.
    fn oversize(&mut self, now: Time, frame: Frame, bytes: &[u8]) -> Result<usize, Malformed> {
        let too_large = Malformed::with(
            Reason::PACKET_TOO_LARGE,
            "remaining length",
            "larger than option packet_size of its limits",
        );
        let up = matches!(self.phase, Phase::Up(_));
        if !up || self.upstream.version == Version::V5 || frame.first >> 4 != 3 {
            return Err(too_large);
        }
        let qos = QoS::from_bits(frame.first >> 1).ok_or(too_large)?;
        let body = bytes.get(frame.header..).unwrap_or_default();
        let Some(length) = body.first_chunk::<2>() else {
            return Ok(0);
        };
        let start = 2 + usize::from(u16::from_be_bytes(*length));
        let id = if qos == QoS::AtMostOnce { 0 } else { 2 };
        let head = frame.header + start + id;
        if head > frame.total {
            return Err(too_large);
        }
        let Some(packet_id) = body.get(start..start + id) else {
            return Ok(0);
        };
        let packet_id = match packet_id {
            [high, low] => u16::from_be_bytes([*high, *low]),
            _ => 0,
        };
        let topic = String::from_utf8_lossy(body.get(2..start).unwrap_or_default()).into_owned();
        self.drop_inward(now, qos, packet_id, &topic, "larger than packet_size");
        self.upstream.skip = frame.total - head;
        Ok(head)
    }

    fn upstream_packet(
        &mut self,
        now: Time,
        first: u8,
        body: &[u8],
        name: &'static str,
    ) -> Result<(), Cut> {
        let version = self.upstream.version;
        let malformed = |malformed| Cut::malformed(name, malformed);
        let unexpected = || {
            let what = "not expected from a server now";
            Cut::malformed(name, Malformed::protocol("packet type", what))
        };
        if matches!(self.phase, Phase::Greeting(_)) {
            if first != 0x20 {
                return Err(unexpected());
            }
            let connack = packets::decode_connack(version, body).map_err(malformed)?;
            self.greeted(now, connack);
            return Ok(());
        }
        match first {
            0x30..=0x3F => self.inward(now, first, body).map_err(malformed),
            ack::PUBACK | ack::PUBREC | ack::PUBREL | ack::PUBCOMP => {
                let ack = ack::decode(version, first, body).map_err(malformed)?;
                ack::encode(&mut self.local.output, Version::V5, first, ack);
                self.local.pulse.sent(now);
                Ok(())
            }
            0x90 if self.upstream.awaits_suback => {
                let (id, code) = packets::decode_suback(version, body).map_err(malformed)?;
                if id != OWN_ID {
                    let what = "not the one of the SUBSCRIBE";
                    return Err(malformed(Malformed::protocol("packet identifier", what)));
                }
                self.subscribed_upstream(now, code);
                Ok(())
            }
            0xD0 if body.is_empty() => Ok(()),
            0xE0 if version == Version::V5 => {
                let (code, reason) = packets::decode_disconnect(body).map_err(malformed)?;
                let mut why = format!("it disconnects: {}", packets::words(code));
                if let Some(reason) = reason {
                    let reason: String = reason.chars().take(80).collect();
                    why = format!("{why} ({reason:?})");
                }
                Err(Cut::new(why, Reason::SUCCESS))
            }
            _ => Err(unexpected()),
        }
    }

    fn local_packet(
        &mut self,
        now: Time,
        first: u8,
        body: &[u8],
        name: &'static str,
    ) -> Result<(), Cut> {
        let malformed = |malformed| Cut::malformed(name, malformed);
        match (self.phase, first) {
            (Phase::Priming | Phase::Joining, 0x20) => {
                let connack = packets::decode_connack(Version::V5, body).map_err(malformed)?;
                self.joined(now, &connack);
                Ok(())
            }
            (_, 0x90) => {
                let (_, code) = packets::decode_suback(Version::V5, body).map_err(malformed)?;
                if code >= 0x80 {
                    let why = format!("refuses a subscription: {}", packets::words(code));
                    return Err(Cut::new(why, Reason::SUCCESS));
                }
                self.local.awaits_suback = false;
                self.subscribe_local(now);
                Ok(())
            }
            (_, 0xE0) => {
                let (code, _) = packets::decode_disconnect(body).map_err(malformed)?;
                Err(Cut::new(packets::words(code), Reason::SUCCESS))
            }
            // They come again when there is somebody to give them to.
            (Phase::Priming, _) => Ok(()),
            (_, 0x30..=0x3F) => self.outward(now, first, body).map_err(malformed),
            (_, ack::PUBCOMP) if self.own_pubcomps > 0 => {
                self.own_pubcomps -= 1;
                Ok(())
            }
            (_, ack::PUBACK | ack::PUBREC | ack::PUBREL | ack::PUBCOMP) => {
                let ack = ack::decode(Version::V5, first, body).map_err(malformed)?;
                ack::encode(&mut self.upstream.output, self.upstream.version, first, ack);
                self.upstream.pulse.sent(now);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// PUBLISH from the server.
    fn inward(&mut self, now: Time, first: u8, body: &[u8]) -> Result<(), Malformed> {
        let version = self.upstream.version;
        let qos = quality(first)?;
        let publish = publish::decode(version, qos, body)?;
        if publish.alias.is_some() {
            let what = "above the Topic Alias Maximum, which is 0";
            return Err(Malformed::with(
                Reason::TOPIC_ALIAS_INVALID,
                "Topic Alias",
                what,
            ));
        }
        let content = &publish.content;
        let Some(topic) = self.inward.map(content.topic) else {
            let why = "no `in` pattern covers it";
            self.drop_inward(now, qos, publish.packet_id, content.topic, why);
            return Ok(());
        };
        packets::encode_publish(
            &mut self.local.output,
            Version::V5,
            first,
            topic,
            publish.packet_id,
            content.properties,
            content.payload,
        );
        self.local.pulse.sent(now);
        self.status.messages_in += 1;
        Ok(())
    }

    /// Takes a message off the server's hands without passing it on.
    fn drop_inward(&mut self, now: Time, qos: QoS, packet_id: u16, topic: &str, why: &'static str) {
        let version = self.upstream.version;
        let (first, reason) = match qos {
            QoS::AtMostOnce => return self.dropped(now, true, topic, why),
            QoS::AtLeastOnce => (ack::PUBACK, Reason::SUCCESS),
            // In MQTT 5 this ends it; before, the local broker answers the PUBREL.
            QoS::ExactlyOnce => (ack::PUBREC, Reason::NOT_AUTHORIZED),
        };
        let ack = Ack { packet_id, reason };
        ack::encode(&mut self.upstream.output, version, first, ack);
        self.upstream.pulse.sent(now);
        self.dropped(now, true, topic, why);
    }

    /// PUBLISH from the local broker.
    fn outward(&mut self, now: Time, first: u8, body: &[u8]) -> Result<(), Malformed> {
        let qos = quality(first)?;
        let publish = publish::decode(Version::V5, qos, body)?;
        let content = &publish.content;
        let why = match self.outward.map(content.topic) {
            _ if qos as u8 > self.server.maximum_qos => "the server does not support its QoS",
            None => "no `out` pattern covers it",
            Some(topic) => {
                let retain = u8::from(!self.server.retain_available);
                packets::encode_publish(
                    &mut self.upstream.output,
                    self.upstream.version,
                    first & !retain,
                    topic,
                    publish.packet_id,
                    content.properties,
                    content.payload,
                );
                self.upstream.pulse.sent(now);
                self.status.messages_out += 1;
                return Ok(());
            }
        };
        let first = match qos {
            QoS::AtMostOnce => None,
            QoS::AtLeastOnce => Some(ack::PUBACK),
            QoS::ExactlyOnce => Some(ack::PUBREC),
        };
        if let Some(first) = first {
            let ack = Ack {
                packet_id: publish.packet_id,
                reason: Reason::NOT_AUTHORIZED,
            };
            ack::encode(&mut self.local.output, Version::V5, first, ack);
        }
        self.dropped(now, false, content.topic, why);
        Ok(())
    }

    fn dropped(&mut self, now: Time, inward: bool, topic: &str, why: &'static str) {
        self.status.messages_dropped += 1;
        let due = |told: Time| now.since(told) >= BETWEEN_DROPS;
        if self.told_drop.is_none_or(due) {
            self.told_drop = Some(now);
            let topic = shorten(topic);
            self.tell(BridgeNotice::Dropped { inward, topic, why });
        }
    }
}

fn quality(first: u8) -> Result<QoS, Malformed> {
    let what = "QoS 3 does not exist";
    let qos = QoS::from_bits(first >> 1).ok_or(Malformed::packet("fixed header flags", what))?;
    if qos == QoS::AtMostOnce && first & 0b1000 != 0 {
        return Err(Malformed::packet("fixed header flags", "DUP with QoS 0"));
    }
    Ok(qos)
}
