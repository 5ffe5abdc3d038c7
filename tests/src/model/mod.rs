//! What the kernel program should say to a frame, written down once more and as plainly as
//! possible: from the documentation of its `decide()` and the standards of the protocols, on
//! slices instead of offsets, and from the daemon's words instead of the kernel's maps.
//!
//! Rates are not part of it: a frame is judged as if no limit were ever reached. Nor is time:
//! what is remembered of a stream counts as fresh.

mod mqtt;
mod packet;
mod websocket;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mqttguard::config::Mode;
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{FlowKey, Mac, Reason, Station};

use crate::bpf::{INTERFACE, Verdict};
use crate::reset;
use mqtt::{is_beginning, is_connect};
pub use packet::{Packet, Transport, parse, source_mac};
use packet::{arp_sender, station};
use websocket::{Sign, is_opening, sign};

/// The rules and the devices that the daemon has named.
pub struct Model {
    /// What holds for every device.
    pub rules: Rules,
    /// What each may do; all others are strangers in good standing.
    pub devices: BTreeMap<Mac, DevicePolicy>,
    /// How frames are addressed that the router takes in.
    pub stations: BTreeSet<Station>,
    /// What is remembered of streams, by slot.
    pub streams: BTreeMap<u32, Stream>,
}

/// What is remembered of a TCP stream.
#[derive(Clone, Debug)]
pub struct Stream {
    tag: u32,
    /// Sequence number of its first byte.
    start: u32,
    /// Its first byte went through and began no CONNECT.
    shown: bool,
    /// No other stream was remembered here before.
    sure: bool,
    /// Others went through before its first byte.
    overtaken: bool,
    /// What was read of it that ends within a request for a WebSocket, or a message in one.
    reading: Option<Reading>,
}

/// Part of a stream that is read.
#[derive(Clone, Debug)]
struct Reading {
    /// Sequence number of what comes next.
    next: u32,
    text: Vec<u8>,
}

/// What reading a segment has shown.
struct Seen {
    finding: Finding,
    /// What to keep of it if it goes through; None: what there is.
    kept: Option<Option<Reading>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Finding {
    Mqtt,
    /// It might go on as MQTT, and what comes next, or came before, would not be seen.
    Doubt,
    Nothing,
}

/// What a segment is to its stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Elsewhere,
    /// It shows that the stream begins with something else than a CONNECT.
    Shows,
    /// It may be a piece of one.
    Splits,
}

impl Model {
    /// The reason for a frame, and what is to become of it; if it is answered, also by what.
    pub fn decide(&mut self, frame: &[u8]) -> (Reason, Verdict, Option<Vec<u8>>) {
        let (judged, place, seen) = self.reason(frame);
        if let (Some(place), Some(packet)) = (place, parse(frame)) {
            let enforces = self.rules.mode == Mode::Enforce;
            if judged == Reason::Pass {
                self.remember(&packet, place);
                if let Some(kept) = seen.and_then(|seen| seen.kept) {
                    self.keep(&packet, kept);
                }
            } else if seen.is_some() && (judged == Reason::Excepted || !enforces) {
                // Who goes through with MQTT is not followed.
                self.keep(&packet, None);
            }
        }
        // What does not fit and is only told counts so, unless there is worse about it.
        let mismatch = self.mismatch(frame);
        let reason = match mismatch {
            Some(mismatch) if !judged.is_drop() => mismatch,
            _ => judged,
        };
        let drops = reason.is_drop() && (mismatch != Some(reason) || self.rules.drop_mismatch);
        if !drops || self.rules.mode != Mode::Enforce {
            return (reason, Verdict::Pass, None);
        }
        let rejected = matches!(
            reason,
            Reason::PlaintextPort
                | Reason::PlaintextConnect
                | Reason::PlaintextLocal
                | Reason::PlaintextWebSocket
        );
        let answer = if rejected && self.rules.reject {
            reset::answer(frame)
        } else {
            None
        };
        let verdict = match answer {
            Some(_) => Verdict::Answer,
            None => Verdict::Drop,
        };
        (reason, verdict, answer)
    }

    /// In what a frame does not fit its device's bindings.
    fn mismatch(&self, frame: &[u8]) -> Option<Reason> {
        let policy = self.devices.get(&source_mac(frame))?;
        let source = match parse(frame) {
            Some(packet) if self.is_dhcp(&packet) => return None,
            Some(packet) => Some(packet.source),
            None => arp_sender(frame)?,
        };
        if policy.interface.is_some_and(|index| index != INTERFACE) {
            return Some(Reason::InterfaceMismatch);
        }
        match (source, policy.address) {
            (Some(IpAddr::V4(source)), Some(bound))
                if source != bound && !source.is_unspecified() =>
            {
                Some(Reason::AddressMismatch)
            }
            _ => None,
        }
    }

    /// The reason, and of a segment that was looked at for it its place in the stream and what was
    /// read in it. That it
    /// does not fit is a reason only where that is dropped.
    fn reason(&self, frame: &[u8]) -> (Reason, Option<Place>, Option<Seen>) {
        let mismatch = self.mismatch(frame).filter(|_| self.rules.drop_mismatch);
        let Some(packet) = parse(frame) else {
            return (mismatch.unwrap_or(Reason::Pass), None, None);
        };
        let mac = source_mac(frame);
        let policy = self.devices.get(&mac);
        let standing = policy.map_or(Standing::Good, |policy| policy.standing);
        let may_use_listener = policy.is_some_and(|policy| policy.plaintext);
        let is_uplifted = self.rules.uplift
            && policy.is_some_and(|policy| policy.uplift)
            && station(frame).is_some_and(|station| self.stations.contains(&station));
        if standing == Standing::Blocked && !self.is_dhcp(&packet) {
            return (Reason::Blocked, None, None);
        }
        if let Some(mismatch) = mismatch {
            return (mismatch, None, None);
        }
        if standing == Standing::Quarantined && self.is_any_mqtt(&packet) {
            return (Reason::Quarantined, None, None);
        }
        let looks =
            self.rules.detect_connect || self.rules.websocket || standing == Standing::Quarantined;
        let place = looks.then(|| self.place(&packet));
        let mut seen = None;
        let reason = match packet.transport {
            Transport::Tcp { port, payload, .. } => {
                let listed = self.rules.plaintext_ports.contains(&port);
                let connect = self.rules.detect_connect && is_connect(payload);
                let listener = self.is_listener(&packet);
                // A quarantined device is looked at in any case, and none of its MQTT gets here.
                let split = self.rules.detect_connect && place == Some(Place::Splits);
                let plain = listed || connect || split || listener;
                seen = self.read(frame, &packet).filter(|_| !plain);
                let finding = seen.as_ref().map_or(Finding::Nothing, |seen| seen.finding);
                if !plain && finding == Finding::Nothing {
                    Reason::Pass
                } else if standing == Standing::Quarantined && !plain {
                    Reason::Quarantined
                } else if listener && may_use_listener {
                    Reason::LocalPlaintext
                } else if self.is_router(packet.destination) {
                    Reason::PlaintextLocal
                } else if listed && is_uplifted {
                    Reason::Uplifted
                } else if self.is_excepted(mac, &packet) {
                    Reason::Excepted
                } else if listed {
                    Reason::PlaintextPort
                } else if connect {
                    Reason::PlaintextConnect
                } else if finding == Finding::Mqtt {
                    Reason::PlaintextWebSocket
                } else {
                    Reason::PlaintextSplit
                }
            }
            Transport::Udp { port: 1883, .. } if self.rules.mqtt_sn => {
                if self.is_excepted(mac, &packet) {
                    Reason::Excepted
                } else {
                    Reason::MqttSn
                }
            }
            Transport::Hidden => Reason::TinyFragment,
            Transport::Udp { .. } | Transport::Other => Reason::Pass,
        };
        (reason, place, seen)
    }

    /// Where a segment stands in its stream, told by what went through of it before.
    fn place(&self, packet: &Packet<'_>) -> Place {
        let Transport::Tcp {
            syn,
            sequence,
            claimed,
            payload,
            ..
        } = packet.transport
        else {
            return Place::Elsewhere;
        };
        if payload.is_empty() {
            return Place::Elsewhere;
        }
        let begins = is_beginning(payload);
        let held = if begins {
            Place::Splits
        } else {
            Place::Elsewhere
        };
        if syn {
            return if begins { Place::Splits } else { Place::Shows };
        }
        let Some(stream) = self.stream(packet) else {
            return held;
        };
        let within = if stream.sure { Place::Elsewhere } else { held };
        // The distance from the start, at most half of all numbers either way.
        let offset = i64::from(sequence.wrapping_sub(stream.start) as i32);
        match offset {
            0 if begins => Place::Splits,
            0 if stream.shown => Place::Elsewhere,
            0 => Place::Shows,
            1..14 if !stream.shown => Place::Splits,
            i64::MIN..0 if -offset >= claimed as i64 => within,
            i64::MIN..0 => {
                let early = -offset as usize;
                match payload.get(early..) {
                    Some(rest) if !rest.is_empty() => {
                        if is_connect(rest) || is_beginning(rest) {
                            Place::Splits
                        } else if stream.shown {
                            Place::Elsewhere
                        } else {
                            Place::Shows
                        }
                    }
                    _ if stream.shown => Place::Elsewhere,
                    _ => Place::Splits,
                }
            }
            _ => within,
        }
    }

    fn stream(&self, packet: &Packet<'_>) -> Option<&Stream> {
        let key = key(packet)?;
        let stream = self.streams.get(&key.slot)?;
        (stream.tag == key.tag).then_some(stream)
    }

    /// Remembers a segment that goes through.
    fn remember(&mut self, packet: &Packet<'_>, place: Place) {
        let (
            Transport::Tcp {
                syn,
                sequence,
                payload,
                ..
            },
            Some(key),
        ) = (&packet.transport, key(packet))
        else {
            return;
        };
        let shows = place == Place::Shows;
        let sure = !self.streams.contains_key(&key.slot);
        match self.streams.get_mut(&key.slot) {
            Some(stream) if stream.tag == key.tag && (!syn || stream.start == *sequence) => {
                let was_shown = stream.shown;
                stream.shown |= shows;
                let offset = sequence.wrapping_sub(stream.start) as i32;
                stream.overtaken |= !payload.is_empty() && offset >= 14 && !was_shown;
            }
            _ if *syn => {
                let stream = Stream {
                    tag: key.tag,
                    start: *sequence,
                    shown: shows,
                    sure,
                    overtaken: false,
                    reading: None,
                };
                self.streams.insert(key.slot, stream);
            }
            _ => {}
        }
    }

    /// Reads a segment for a WebSocket with MQTT, if it begins like one or goes on with what was read.
    fn read(&self, frame: &[u8], packet: &Packet<'_>) -> Option<Seen> {
        let Transport::Tcp {
            syn,
            sequence,
            goes_on,
            claimed,
            payload,
            ..
        } = packet.transport
        else {
            return None;
        };
        let policy = self.devices.get(&source_mac(frame));
        let quarantined = policy.is_some_and(|policy| policy.standing == Standing::Quarantined);
        if !(self.rules.websocket || quarantined) || payload.is_empty() {
            return None;
        }
        let stream = self.stream(packet).filter(|_| !syn);
        // How far it reaches back before the first byte of the stream, which is what counts.
        let early = stream.map(|stream| i64::from(stream.start.wrapping_sub(sequence) as i32));
        let early = early.filter(|early| (0..claimed as i64).contains(early));
        let first = payload.get(early.unwrap_or(0) as usize);
        let reading = stream.and_then(|stream| stream.reading.as_ref());
        if reading.is_none() && !first.is_some_and(|first| is_opening(*first)) {
            return None;
        }
        let begins = early.filter(|early| (*early as usize) < payload.len());
        let mut text = payload[begins.unwrap_or(0) as usize..].to_vec();
        let mut is_old = false;
        if let Some(reading) = reading {
            let offset = i64::from(sequence.wrapping_sub(reading.next) as i32);
            if offset > 0 {
                return Some(Seen {
                    finding: Finding::Doubt,
                    kept: None,
                });
            }
            match payload.get(-offset as usize..) {
                Some(rest) if !rest.is_empty() => text = [&reading.text, rest].concat(),
                _ => is_old = true,
            }
        }
        let sign = sign(&text);
        let overtaken =
            begins.is_some() && stream.is_some_and(|stream| stream.overtaken && !stream.shown);
        let finding = match sign {
            Sign::Mqtt => Finding::Mqtt,
            Sign::Open if !is_old && (overtaken || goes_on) => Finding::Doubt,
            Sign::Nothing | Sign::Open => Finding::Nothing,
        };
        let next = sequence.wrapping_add(payload.len() as u32);
        let open = (sign == Sign::Open).then_some(Reading { next, text });
        Some(Seen {
            finding,
            kept: (!is_old).then_some(open),
        })
    }

    /// Keeps what was read of a stream, or that it is not read on.
    fn keep(&mut self, packet: &Packet<'_>, reading: Option<Reading>) {
        let Some(key) = key(packet) else {
            return;
        };
        if let Some(stream) = self.streams.get_mut(&key.slot)
            && stream.tag == key.tag
        {
            stream.reading = reading;
        }
    }

    /// What a device in quarantine may not send, however open the rules are to others.
    fn is_any_mqtt(&self, packet: &Packet<'_>) -> bool {
        match packet.transport {
            Transport::Tcp { port, payload, .. } => {
                port == 8883
                    || self.rules.plaintext_ports.contains(&port)
                    || is_connect(payload)
                    || self.place(packet) == Place::Splits
                    || self.is_listener(packet)
                    || (self.rules.broker_ports.contains(&port)
                        && self.is_router(packet.destination))
            }
            Transport::Udp { port, .. } => port == 1883,
            Transport::Hidden | Transport::Other => false,
        }
    }

    /// To the router's plaintext listener, if that is on.
    fn is_listener(&self, packet: &Packet<'_>) -> bool {
        matches!(packet.transport, Transport::Tcp { port, .. }
            if self.rules.local_plaintext_port == Some(port))
            && self.is_router(packet.destination)
    }

    fn is_router(&self, address: IpAddr) -> bool {
        self.rules.local_addresses.contains(&address.to_canonical())
    }

    /// DHCP clients speak from 68 to 67 (RFC 2131, 4.1) or from 546 to 547 (RFC 8415, 7.2).
    fn is_dhcp(&self, packet: &Packet<'_>) -> bool {
        let Transport::Udp { from, port } = packet.transport else {
            return false;
        };
        let (ports, everybody) = match packet.destination {
            IpAddr::V4(_) => ((68, 67), IpAddr::V4(Ipv4Addr::BROADCAST)),
            IpAddr::V6(_) => (
                (546, 547),
                IpAddr::V6(Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 1, 2)),
            ),
        };
        (from, port) == ports
            && (packet.destination == everybody || self.is_router(packet.destination))
    }

    fn is_excepted(&self, mac: Mac, packet: &Packet<'_>) -> bool {
        let destination = packet.destination.to_canonical();
        self.rules.exceptions.iter().any(|exception| {
            exception.mac.is_none_or(|only| only == mac)
                && exception.port.is_none_or(|only| only == packet.port())
                && exception.destination.contains(&destination)
        })
    }
}

/// What a stream is known by: its ports and the last four bytes of its addresses.
fn key(packet: &Packet<'_>) -> Option<FlowKey> {
    let Transport::Tcp { from, port, .. } = packet.transport else {
        return None;
    };
    let last = |address: IpAddr| match address {
        IpAddr::V4(v4) => v4.to_bits(),
        IpAddr::V6(v6) => v6.to_bits() as u32,
    };
    Some(FlowKey::new(
        last(packet.source),
        last(packet.destination),
        u32::from(from) << 16 | u32::from(port),
    ))
}
