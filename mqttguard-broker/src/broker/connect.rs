use zeroize::Zeroizing;

use super::{Broker, Fault};
use crate::codec::Malformed;
use crate::codec::connect::{self, Connect, Protocol};
use crate::codec::fixed::Fixed;
use crate::codec::reader::Reader;
use crate::connection::{ALIASES, Authentication, Pending, State};
use crate::message::Hold;
use crate::reason::Reason;
use crate::session::{Will, WillMessage};
use crate::timers::Timer;
use crate::{AuthRequest, Stage, Time, Version};

impl Broker {
    /// CONNECT as the first packet.
    pub(super) fn connect(&mut self, slot: u32, fixed: Fixed, body: &[u8]) -> Result<(), Fault> {
        self.stats.connects += 1;
        let mut packet = Reader::new(body);
        let version = match connect::protocol(&mut packet)? {
            Protocol::Known(version) => version,
            Protocol::Unknown { level } => {
                // Section 3.1.2.2: in the form that the client's version has most likely.
                if let Some(conn) = self.connections.get_mut(slot)
                    && (6..0x80).contains(&level)
                {
                    conn.version = Version::V5;
                }
                let reason = Reason::UNSUPPORTED_PROTOCOL_VERSION;
                return Err(Malformed::with(reason, "protocol level", "neither 3, 4 nor 5").into());
            }
        };
        let Some(conn) = self.connections.get_mut(slot) else {
            return Ok(());
        };
        conn.version = version;
        fixed.check(version)?;
        let connect = connect::decode(version, packet)?;
        conn.server_keep_alive = version == Version::V5
            && self.keep_alive_max_s > 0
            && !(1..=self.keep_alive_max_s).contains(&connect.keep_alive_s);
        let keep_alive_s = if conn.server_keep_alive {
            self.keep_alive_max_s
        } else {
            connect.keep_alive_s
        };
        conn.keep_alive_ms = u32::from(keep_alive_s).saturating_mul(1500);
        conn.asked_expiry_s = connect.session_expiry_s;
        conn.maximum_packet_size = connect.maximum_packet_size;
        conn.alias_maximum = connect.topic_alias_maximum.min(ALIASES);
        // MQTT 3.1.1: MQTT-3.1.3-8. MQTT 3.1 has no empty client identifiers at all.
        let named = match version {
            Version::V31 => !connect.client_id.is_empty(),
            Version::V311 => !connect.client_id.is_empty() || connect.clean_start,
            Version::V5 => true,
        };
        if !named {
            let what = "empty, which needs a clean session and MQTT 3.1.1 or later";
            let reason = Reason::CLIENT_IDENTIFIER_NOT_VALID;
            return Err(Malformed::with(reason, "client identifier", what).into());
        }
        // Once here and once with the caller.
        let size = body.len().saturating_mul(2);
        let allowed = self.config.memory / 4;
        let waiting = (self.undecided.bytes().saturating_add(size)) as u64;
        if waiting.saturating_add(self.partial) > allowed {
            return Err(Fault::Limit {
                limit: "memory",
                allowed,
                reason: Reason::SERVER_BUSY,
            });
        }
        self.ask(slot, version, &connect, Hold::new(&self.undecided, size));
        Ok(())
    }

    /// Leaves the CONNECT to the caller's decision.
    fn ask(&mut self, slot: u32, version: Version, connect: &Connect<'_>, hold: Hold) {
        let Some(conn) = self.connections.get_mut(slot) else {
            return;
        };
        let deadline = conn.timer;
        self.timers
            .set(Timer::Connection(slot), &mut conn.timer, Time::NEVER);
        conn.authentication = connect.method.map(Authentication::new).map(Box::new);
        conn.state = State::AwaitingDecision(Box::new(Pending {
            client_id: connect.client_id.into(),
            clean_start: connect.clean_start,
            session_expiry_s: connect.session_expiry_s,
            receive_maximum: connect.receive_maximum,
            will: connect.will.as_ref().map(|will| Box::new(keep_will(will))),
            deadline,
            _hold: hold,
        }));
        let request = AuthRequest {
            stage: Stage::Connect,
            version,
            client_id: connect.client_id.to_owned(),
            username: connect.username.map(str::to_owned),
            password: connect.password.map(secret),
            method: connect.method.map(str::to_owned),
            data: connect.data.map(secret),
        };
        self.requests.push_back((conn.id, request));
    }

    /// CONNACK with a reason, and the end.
    pub(super) fn turn_away(&mut self, slot: u32, reason: Reason) {
        self.answer(slot, |out, version| {
            connect::encode_refused(out, version, reason)
        });
        self.abandon(slot);
    }

    /// What a fault before the CONNACK is answered with: MQTT 5 has a code for each, MQTT 3 for
    /// few.
    pub(super) fn answer_fault(&mut self, slot: u32, reason: Reason) {
        let known = matches!(
            reason,
            Reason::CLIENT_IDENTIFIER_NOT_VALID | Reason::UNSUPPORTED_PROTOCOL_VERSION
        );
        if known || self.speaks_v5(slot) {
            self.answer(slot, |out, version| {
                connect::encode_refused(out, version, reason)
            });
        }
    }
}

/// A copy that wipes itself.
pub(super) fn secret(bytes: &[u8]) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(bytes.to_vec())
}

fn keep_will(will: &connect::Will<'_>) -> Will {
    let mut properties = Vec::new();
    will.content.forward_properties(&mut properties);
    Will {
        delay_s: will.delay_s,
        orphan: false,
        message: WillMessage {
            topic: will.content.topic.into(),
            properties: properties.into(),
            payload: will.content.payload.into(),
            user_properties: will.content.user_properties,
            expiry_s: will.content.expiry_s,
            qos: will.qos,
            retain: will.retain,
        },
    }
}
