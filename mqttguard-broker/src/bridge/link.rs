//! How the two connections of a bridge come and go.

use std::time::Duration;

use super::clock::{Due, GOOD, Pulse};
use super::packets::{self, ConnAck, Connect, Retained};
use super::{
    Bridge, BridgeAction, BridgeNotice, Dialect, End, OWN_ID, Phase, Server, first_dialect,
    local_maximum,
};
use crate::codec::ack::{self, Ack};
use crate::reason::Reason;
use crate::{Time, Version};

/// How long a server may take to answer the CONNECT.
const GREETING: Duration = Duration::from_secs(15);
/// Connections that ended in answer to a CONNECT, before another version is tried: servers of
/// before MQTT 5 may close without a word, and so do servers that are just being stopped.
const SILENT: u8 = 2;

/// QoS 1 and 2 messages under way to a server of MQTT 3.1.1, which has no way to say how many it
/// takes and cuts off who sends more: mosquitto takes 20 by default, others as few as 10.
const V311_IN_FLIGHT: u16 = 10;

impl Bridge {
    /// When [`Bridge::tick`] has to be called next.
    pub fn deadline(&self) -> Option<Time> {
        let own = match self.phase {
            Phase::Waiting(until) | Phase::Greeting(until) => until,
            Phase::Up(_) => self.upstream.pulse.next().min(self.local.pulse.next()),
            Phase::Priming | Phase::Dialling | Phase::Joining => Time::NEVER,
        };
        (own != Time::NEVER).then_some(own)
    }

    /// Does what is due.
    pub fn tick(&mut self, now: Time) {
        match self.phase {
            Phase::Waiting(until) if until <= now => {
                if self.primed {
                    self.phase = Phase::Dialling;
                    self.actions.push_back(BridgeAction::Dial);
                } else {
                    self.phase = Phase::Priming;
                    self.actions.push_back(BridgeAction::OpenLocal);
                }
            }
            Phase::Greeting(by) if by <= now => {
                self.fail(
                    now,
                    "it does not answer the CONNECT".into(),
                    Reason::SUCCESS,
                );
            }
            Phase::Up(_) => {
                if self.local.pulse.look(now) != Due::Nothing {
                    packets::encode_pingreq(&mut self.local.output);
                }
                match self.upstream.pulse.look(now) {
                    Due::Nothing => {}
                    Due::Ping => packets::encode_pingreq(&mut self.upstream.output),
                    Due::Dead => self.fail(now, "it answers no more".into(), Reason::SUCCESS),
                }
            }
            _ => {}
        }
    }

    /// The local broker has a connection for the bridge.
    pub fn local_opened(&mut self, now: Time) {
        let (receive_maximum, maximum_packet_size) = match self.phase {
            Phase::Joining => (
                self.server.receive_maximum.min(self.config.in_flight),
                local_maximum(&self.config, &self.server),
            ),
            _ => (1, self.config.packet_size),
        };
        self.local = End {
            open: true,
            pulse: Pulse::new(now, 0),
            ..End::closed()
        };
        let client_id = self.local_client_id();
        let connect = Connect {
            version: Version::V5,
            bridge_bit: false,
            clean_start: false,
            keep_alive_s: 0,
            client_id: &client_id,
            username: None,
            password: None,
            session_expiry_s: self.config.session_expiry_s,
            receive_maximum,
            maximum_packet_size,
        };
        packets::encode_connect(&mut self.local.output, &connect);
    }

    /// The local broker has no room for the bridge, or has closed its connection.
    pub fn local_lost(&mut self, now: Time, why: &str) {
        if !self.local.open && !matches!(self.phase, Phase::Joining | Phase::Priming) {
            return;
        }
        self.local = End::closed();
        self.fail(now, format!("the local broker: {why}"), Reason::SUCCESS);
    }

    /// The server is reached and bytes can pass. `unreleased` is what the local session has of
    /// [`crate::SessionView::unreleased`], `None` if there is no such session.
    pub fn connected(&mut self, now: Time, password: Option<&[u8]>, unreleased: Option<Vec<u16>>) {
        if self.phase != Phase::Dialling {
            return;
        }
        if unreleased.is_none() {
            self.forgotten();
        }
        self.unreleased = unreleased.unwrap_or_default();
        let version = self.dialect.version();
        self.upstream = End {
            open: true,
            version,
            pulse: Pulse::new(now, self.config.keep_alive_s),
            ..End::closed()
        };
        let anew = self.begins_anew();
        let connect = Connect {
            version,
            bridge_bit: self.dialect == Dialect::V311Bridge,
            clean_start: anew,
            keep_alive_s: self.config.keep_alive_s,
            client_id: &self.config.client_id,
            username: self.config.username.as_deref(),
            password,
            session_expiry_s: self.config.session_expiry_s,
            receive_maximum: self.config.in_flight,
            maximum_packet_size: self.config.packet_size,
        };
        packets::encode_connect(&mut self.upstream.output, &connect);
        self.phase = Phase::Greeting(now + GREETING);
    }

    /// The server could not be reached, or the connection to it is gone.
    pub fn lost(&mut self, now: Time, why: &str) {
        let silent = matches!(self.phase, Phase::Greeting(_));
        if !self.upstream.open && self.phase != Phase::Dialling {
            return;
        }
        self.upstream = End::closed();
        if silent {
            self.silent = self.silent.saturating_add(1);
            if self.silent >= SILENT {
                self.silent = 0;
                self.dialect = match self.lower_dialect() {
                    Some(lower) => lower,
                    None => first_dialect(&self.config),
                };
            }
        }
        self.fail(now, why.to_owned(), Reason::SUCCESS);
    }

    /// Ends the bridge in order: what is left is said and both ends are closed.
    pub fn stop(&mut self) {
        self.close(Reason::SUCCESS);
        self.phase = Phase::Waiting(Time::NEVER);
        self.status.up = None;
    }

    /// The local session is not the one of before.
    fn forgotten(&mut self) {
        self.fresh = true;
        self.agreed = false;
    }

    /// Packet identifiers that a new local session gives out may be those of QoS 2 messages that
    /// the server still waits to see released: it would take the new for the old.
    fn begins_anew(&self) -> bool {
        !self.agreed && self.config.qos == 2 && !self.config.outward.is_empty()
    }

    /// A next dialect, if one can do.
    fn lower_dialect(&self) -> Option<Dialect> {
        let lower = self.dialect.lower()?;
        (lower != Dialect::V311 || self.config.overlapping().is_none()).then_some(lower)
    }

    /// Ends what there is of connections and waits.
    pub(super) fn fail(&mut self, now: Time, why: String, reason: Reason) {
        let was_up = match self.phase {
            Phase::Up(since) => {
                if now.since(since) >= GOOD {
                    self.backoff.reset();
                }
                true
            }
            _ => false,
        };
        self.close(reason);
        self.phase = Phase::Waiting(now + self.backoff.next());
        self.status.up = None;
        let new = self.status.last_error.as_deref() != Some(&why);
        self.status.last_error = Some(why.as_str().into());
        if was_up || new {
            self.tell(BridgeNotice::Down { why });
        }
    }

    fn close(&mut self, reason: Reason) {
        if self.upstream.open {
            let greeted = matches!(self.phase, Phase::Joining | Phase::Up(_));
            let mut output = std::mem::take(&mut self.upstream.output);
            if greeted {
                packets::encode_disconnect(&mut output, self.upstream.version, reason);
            }
            self.upstream = End {
                output,
                ..End::closed()
            };
            self.actions.push_back(BridgeAction::HangUp);
        } else if self.phase == Phase::Dialling {
            self.actions.push_back(BridgeAction::HangUp);
        }
        if self.local.open {
            self.local = End::closed();
            self.actions.push_back(BridgeAction::CloseLocal);
        }
        self.own_pubcomps = 0;
    }

    /// The server's answer to the CONNECT.
    pub(super) fn greeted(&mut self, now: Time, connack: ConnAck) {
        self.silent = 0;
        if connack.code != 0 {
            return self.turned_away(now, &connack);
        }
        if connack.maximum_qos < self.config.qos && !self.config.outward.is_empty() {
            let most = connack.maximum_qos;
            let why = format!("it takes QoS {most} at most: set option qos '{most}'");
            return self.fail(now, why, Reason::SUCCESS);
        }
        let v5 = self.upstream.version == Version::V5;
        if self.begins_anew() {
            // A clean session of MQTT 3.1.1 ends with its connection, and there are servers of
            // MQTT 5 that do not keep one over a restart: this one was to end the old, the next
            // is to stay.
            self.agreed = true;
            self.phase = Phase::Joining;
            self.close(Reason::SUCCESS);
            self.phase = Phase::Waiting(now);
            return;
        }
        self.server = Server {
            session_present: connack.session_present,
            receive_maximum: match v5 {
                true => connack.receive_maximum,
                false => self.config.in_flight.min(V311_IN_FLIGHT),
            },
            maximum_packet_size: connack.maximum_packet_size,
            maximum_qos: connack.maximum_qos,
            retain_available: connack.retain_available,
        };
        if let Some(seconds) = connack.keep_alive_s {
            self.upstream.pulse = Pulse::new(now, seconds);
        }
        self.phase = Phase::Joining;
        self.actions.push_back(BridgeAction::OpenLocal);
    }

    fn turned_away(&mut self, now: Time, connack: &ConnAck) {
        let version = (connack.old && connack.code == 1) || connack.code == 0x84;
        let mut why = format!("it refuses: {}", packets::connack_words(connack));
        if let Some(reason) = &connack.reason {
            let reason: String = reason.chars().take(80).collect();
            why = format!("{why} ({reason:?})");
        }
        if version {
            match self.lower_dialect() {
                Some(lower) => {
                    self.dialect = lower;
                    self.close(Reason::SUCCESS);
                    self.phase = Phase::Waiting(now);
                    return;
                }
                None => {
                    let plain = self.dialect == Dialect::V311;
                    self.dialect = first_dialect(&self.config);
                    if let (false, Some((inward, outward))) = (plain, self.config.overlapping()) {
                        why = format!(
                            "it would send back what it is sent: it knows neither MQTT 5 nor \
                             mosquitto's bridge flag, and in '{inward}' overlaps out '{outward}'"
                        );
                    }
                }
            }
        }
        self.fail(now, why, Reason::SUCCESS);
    }

    /// The local broker's answer to the CONNECT.
    pub(super) fn joined(&mut self, now: Time, connack: &ConnAck) {
        if connack.code != 0 {
            let words = packets::connack_words(connack);
            let why = format!("the local broker refuses: {words}");
            return self.fail(now, why, Reason::SUCCESS);
        }
        if let Some(seconds) = connack.keep_alive_s {
            self.local.pulse = Pulse::new(now, seconds);
        }
        if self.phase == Phase::Priming {
            if connack.session_present {
                // It has its subscriptions; new ones wait for the server.
                self.local.subscribed = self.outward.filters.len();
            } else {
                self.forgotten();
            }
            return self.subscribe_local(now);
        }
        if !connack.session_present && !self.fresh {
            // It ended between two looks at it.
            self.forgotten();
            let why = "the session in the local broker is gone".to_owned();
            return self.fail(now, why, Reason::SUCCESS);
        }
        if !self.server.session_present {
            self.known_upstream = false;
            // The server knows nothing of these and may use their identifiers for others.
            for packet_id in std::mem::take(&mut self.unreleased) {
                let ack = Ack {
                    packet_id,
                    reason: Reason::SUCCESS,
                };
                ack::encode(&mut self.local.output, Version::V5, ack::PUBREL, ack);
                self.own_pubcomps = self.own_pubcomps.saturating_add(1);
            }
        }
        self.agreed = true;
        self.phase = Phase::Up(now);
        let version = self.upstream.version;
        self.status.up = Some((version, now));
        self.status.refused.clear();
        self.tell(BridgeNotice::Up { version });
        self.subscribe_local(now);
        // Before MQTT 5 each SUBSCRIBE brings the retained messages again.
        if self.known_upstream && version != Version::V5 {
            self.upstream.subscribed = self.inward.filters.len();
        }
        self.subscribe_upstream(now);
    }

    /// One SUBSCRIBE after another, for there is one packet identifier for them.
    pub(super) fn subscribe_local(&mut self, now: Time) {
        let Some(filter) = self.outward.filters.get(self.local.subscribed) else {
            if self.phase == Phase::Priming {
                self.primed = true;
                packets::encode_disconnect(&mut self.local.output, Version::V5, Reason::SUCCESS);
                // The local broker closes, and that is no failure.
                self.local.open = false;
                self.actions.push_back(BridgeAction::CloseLocal);
                self.phase = Phase::Dialling;
                self.actions.push_back(BridgeAction::Dial);
            }
            return;
        };
        let retained = match self.phase {
            Phase::Priming => Retained::DoNotSend,
            _ if self.fresh || !self.server.session_present => Retained::Send,
            _ => Retained::SendIfNew,
        };
        let output = &mut self.local.output;
        packets::encode_subscribe(
            output,
            Version::V5,
            OWN_ID,
            filter,
            self.config.qos,
            retained,
        );
        self.local.pulse.sent(now);
        self.local.subscribed = self.local.subscribed.saturating_add(1);
        self.local.awaits_suback = true;
    }

    pub(super) fn subscribe_upstream(&mut self, now: Time) {
        let Some(filter) = self.inward.filters.get(self.upstream.subscribed) else {
            self.known_upstream = true;
            self.fresh = false;
            return;
        };
        // What was retained here is gone with the session, or was never here.
        let retained = match self.fresh {
            true => Retained::Send,
            false => Retained::SendIfNew,
        };
        let version = self.upstream.version;
        let output = &mut self.upstream.output;
        packets::encode_subscribe(output, version, OWN_ID, filter, self.config.qos, retained);
        self.upstream.pulse.sent(now);
        self.upstream.subscribed = self.upstream.subscribed.saturating_add(1);
        self.upstream.awaits_suback = true;
    }

    /// The server's answer to a SUBSCRIBE.
    pub(super) fn subscribed_upstream(&mut self, now: Time, code: u8) {
        self.upstream.awaits_suback = false;
        let asked = self.upstream.subscribed.checked_sub(1);
        let filter = asked.and_then(|place| self.inward.filters.get(place));
        if let (true, Some(filter)) = (code >= 0x80, filter.cloned()) {
            self.status.refused.push(filter.clone());
            let why = match self.upstream.version {
                Version::V5 => packets::words(code),
                _ => "MQTT 3.1.1 gives no reason",
            };
            self.tell(BridgeNotice::Refused { filter, why });
        }
        self.subscribe_upstream(now);
    }
}
