use mqttguard_common::{PortWord, Rules, rule_flags};

use crate::cell::{Cell, forget};
use crate::destination::is_local;
use crate::flow::{self, Place};
use crate::frame::Frame;
use crate::maps::PORTS;
use crate::mqtt::is_connect;
use crate::packet::{Packet, Transport};

/// MQTT over TLS (IANA `secure-mqtt`).
const MQTT_TLS: u16 = 8883;
/// MQTT-SN over UDP, as gateways listen by default.
const MQTT_SN: u16 = 1883;

/// What a packet has to do with MQTT, a bit each.
#[derive(Clone, Copy)]
pub(crate) struct Mqtt(pub(crate) u64);

impl Mqtt {
    /// Plaintext MQTT over TCP: by its port, or because it begins with a CONNECT.
    pub(crate) const PLAIN: u64 = 1;
    /// By its port.
    pub(crate) const LISTED: u64 = 2;
    /// To the router itself; not looked up for what does not depend on it.
    pub(crate) const LOCAL: u64 = 4;
    /// MQTT over TLS, or something else to the broker.
    pub(crate) const OTHER: u64 = 8;
    /// MQTT-SN.
    pub(crate) const SN: u64 = 16;
    /// To the router's plaintext listener.
    pub(crate) const LISTENER: u64 = 32;
    /// Its first bytes come in pieces.
    pub(crate) const SPLIT: u64 = 64;
    /// To be remembered when it goes through: it opens a stream.
    pub(crate) const BEGINS: u64 = 128;
    /// Likewise: it shows that a stream is none of MQTT.
    pub(crate) const SHOWS: u64 = 256;
    /// To be read for a WebSocket with MQTT, before it goes through.
    pub(crate) const READ: u64 = 512;
    /// By its port, of a device whose plaintext the router takes over, in a frame that it takes in.
    pub(crate) const TAKEN: u64 = 1024;
    /// To be remembered when it goes through: it overtakes the first byte of its stream.
    pub(crate) const OVERTAKES: u64 = 2048;

    #[inline(always)]
    pub(crate) fn has(self, any: u64) -> bool {
        self.0 & any != 0
    }

    #[inline(always)]
    pub(crate) fn find(
        frame: &Frame,
        packet: &Packet,
        rules: &Rules,
        quarantined: bool,
        cell: *mut Cell,
    ) -> Self {
        let port = packet.port();
        if packet.is(Transport::Udp) && port == MQTT_SN {
            return Mqtt(Self::SN);
        }
        if !packet.is(Transport::Tcp) {
            return Mqtt(0);
        }
        let Some(word) = PORTS.get(PortWord::index(port)) else {
            return Mqtt(0);
        };
        let bit = PortWord::bit(port);
        let broker = word.broker & bit != 0;
        let listener = port == rules.local_plaintext_port && port != 0;
        let looks = quarantined || rules.flags & rule_flags::DETECT_CONNECT != 0;
        let unwraps = quarantined || rules.flags & rule_flags::WEBSOCKET != 0;
        let mut found = 0;
        if word.plaintext & bit != 0 {
            found |= Self::PLAIN | Self::LISTED;
        } else if looks || unwraps {
            found |= Self::look(frame, packet, looks, unwraps, cell);
        }
        if port == MQTT_TLS {
            found |= Self::OTHER;
        }
        if (found & Self::PLAIN != 0 || listener || (quarantined && broker))
            && is_local(frame, packet)
        {
            found |= Self::LOCAL;
            if listener {
                found |= Self::PLAIN | Self::LISTENER;
            }
            if broker {
                found |= Self::OTHER;
            }
        }
        Mqtt(found)
    }

    /// Looks for a CONNECT, whole or in pieces, and for what may become a WebSocket.
    #[inline(always)]
    fn look(frame: &Frame, packet: &Packet, looks: bool, unwraps: bool, cell: *mut Cell) -> u64 {
        let connect = looks && is_connect(frame, packet.payload(), packet.end());
        if forget(cell, u64::from(connect), 1) != 0 {
            return Self::PLAIN;
        }
        let place = flow::place(frame, packet, cell);
        if looks && place.is(Place::SPLITS) {
            return Self::PLAIN | Self::SPLIT;
        }
        let mut found = if packet.is_syn() { Self::BEGINS } else { 0 };
        if place.is(Place::SHOWS) {
            found |= Self::SHOWS;
        }
        if place.is(Place::OVERTAKES) {
            found |= Self::OVERTAKES;
        }
        if unwraps && place.is(Place::READ | Place::OPENS) {
            found |= Self::READ;
        }
        found
    }

    /// Remembers what is to be.
    #[inline(always)]
    pub(crate) fn remember(self, frame: &Frame, packet: &Packet, now_ns: u64) {
        let (shows, overtakes) = (self.has(Self::SHOWS), self.has(Self::OVERTAKES));
        flow::remember(frame, packet, shows, overtakes, now_ns);
    }
}
