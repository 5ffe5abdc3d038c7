//! What the kernel program should say to a frame, written down once more and as plainly as
//! possible: from the documentation of its `decide()` and the standards of the protocols, on
//! slices instead of offsets, and from the daemon's words instead of the kernel's maps.
//!
//! Rates are not part of it: a frame is judged as if no limit were ever reached. Nor is time:
//! what is remembered of a stream counts as fresh.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mqttguard::config::Mode;
use mqttguard::enforce::Rules;
use mqttguard::registry::{DevicePolicy, Standing};
use mqttguard_common::{FlowKey, Mac, Reason, Station};

use crate::bpf::{INTERFACE, Verdict};
use crate::reset;

/// The bytes of a CONNECT that have to be seen to know it: those of the shortest one there is.
const CONNECT_HEAD: usize = 14;

/// As many bytes of a segment are read for an HTTP request.
const REQUEST: usize = 1472;

/// What MQTT calls itself over a WebSocket.
const PROTOCOLS: [&str; 7] = [
    "mqtt",
    "mqttv3.1",
    "mqttv3.1.1",
    "mqtt-v3",
    "mqtt-v3.1",
    "mqtt-v3.1.1",
    "mqtt-v5",
];

/// Below this, in units of 8 bytes, no later fragment of a TCP segment may start.
const FIRST_UNITS: u16 = 10;

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
#[derive(Clone, Copy, Debug)]
pub struct Stream {
    tag: u32,
    /// Sequence number of its first byte.
    start: u32,
    /// Its first byte went through and began no CONNECT.
    shown: bool,
    /// No other stream was remembered here before.
    sure: bool,
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

/// What a frame says about itself above Ethernet.
#[derive(Debug, PartialEq, Eq)]
pub struct Packet<'a> {
    /// Where from.
    pub source: IpAddr,
    /// Where to.
    pub destination: IpAddr,
    /// What it carries.
    pub transport: Transport<'a>,
}

/// What is above IP.
#[derive(Debug, PartialEq, Eq)]
pub enum Transport<'a> {
    /// A TCP segment.
    Tcp {
        /// Source port.
        from: u16,
        /// Destination port.
        port: u16,
        /// Has the SYN flag.
        syn: bool,
        /// Sequence number of the first byte of the payload.
        sequence: u32,
        /// How long the payload is by the length that IP gives, if the frame has all of it.
        claimed: usize,
        /// What is behind the header and its options.
        payload: &'a [u8],
    },
    /// A UDP datagram.
    Udp {
        /// Source port.
        from: u16,
        /// Destination port.
        port: u16,
    },
    /// Arranged so that ports or the first payload are out of sight.
    Hidden,
    /// Anything else.
    Other,
}

impl Packet<'_> {
    /// TCP or UDP destination port; 0 if it shows none.
    pub fn port(&self) -> u16 {
        match self.transport {
            Transport::Tcp { port, .. } | Transport::Udp { port, .. } => port,
            _ => 0,
        }
    }
}

impl Model {
    /// The reason for a frame, and what is to become of it; if it is answered, also by what.
    pub fn decide(&mut self, frame: &[u8]) -> (Reason, Verdict, Option<Vec<u8>>) {
        let (judged, place) = self.reason(frame);
        if let (Reason::Pass, Some(place), Some(packet)) = (judged, place, parse(frame)) {
            self.remember(&packet, place);
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

    /// The reason, and the place in its stream of a segment that was looked at for it. That it
    /// does not fit is a reason only where that is dropped.
    fn reason(&self, frame: &[u8]) -> (Reason, Option<Place>) {
        let mismatch = self.mismatch(frame).filter(|_| self.rules.drop_mismatch);
        let Some(packet) = parse(frame) else {
            return (mismatch.unwrap_or(Reason::Pass), None);
        };
        let mac = source_mac(frame);
        let policy = self.devices.get(&mac);
        let standing = policy.map_or(Standing::Good, |policy| policy.standing);
        let may_use_listener = policy.is_some_and(|policy| policy.plaintext);
        let is_uplifted = self.rules.uplift
            && policy.is_some_and(|policy| policy.uplift)
            && station(frame).is_some_and(|station| self.stations.contains(&station));
        if standing == Standing::Blocked && !self.is_dhcp(&packet) {
            return (Reason::Blocked, None);
        }
        if let Some(mismatch) = mismatch {
            return (mismatch, None);
        }
        if standing == Standing::Quarantined && self.is_any_mqtt(&packet) {
            return (Reason::Quarantined, None);
        }
        let looks = self.rules.detect_connect || standing == Standing::Quarantined;
        let place = looks.then(|| self.place(&packet));
        let reason = match packet.transport {
            Transport::Tcp { port, payload, .. } => {
                let listed = self.rules.plaintext_ports.contains(&port);
                let connect = self.rules.detect_connect && is_connect(payload);
                let websocket = self.rules.websocket && is_websocket(payload);
                let listener = self.is_listener(&packet);
                // A quarantined device is looked at in any case, and none of its MQTT gets here.
                let split = self.rules.detect_connect && place == Some(Place::Splits);
                if !(listed || connect || split || websocket || listener) {
                    Reason::Pass
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
                } else if websocket {
                    Reason::PlaintextWebSocket
                } else if connect {
                    Reason::PlaintextConnect
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
        (reason, place)
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

    fn stream(&self, packet: &Packet<'_>) -> Option<Stream> {
        let key = key(packet)?;
        let stream = self.streams.get(&key.slot).copied()?;
        (stream.tag == key.tag).then_some(stream)
    }

    /// Remembers a segment that goes through.
    fn remember(&mut self, packet: &Packet<'_>, place: Place) {
        let (Transport::Tcp { syn, sequence, .. }, Some(key)) = (&packet.transport, key(packet))
        else {
            return;
        };
        let shows = place == Place::Shows;
        let sure = !self.streams.contains_key(&key.slot);
        match self.streams.get_mut(&key.slot) {
            Some(stream) if stream.tag == key.tag && (!syn || stream.start == *sequence) => {
                stream.shown |= shows;
            }
            _ if *syn => {
                let stream = Stream {
                    tag: key.tag,
                    start: *sequence,
                    shown: shows,
                    sure,
                };
                self.streams.insert(key.slot, stream);
            }
            _ => {}
        }
    }

    /// What a device in quarantine may not send, however open the rules are to others.
    fn is_any_mqtt(&self, packet: &Packet<'_>) -> bool {
        match packet.transport {
            Transport::Tcp { port, payload, .. } => {
                port == 8883
                    || self.rules.plaintext_ports.contains(&port)
                    || is_connect(payload)
                    || is_websocket(payload)
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

/// The source MAC of a frame.
pub fn source_mac(frame: &[u8]) -> Mac {
    Mac(frame[6..12].try_into().unwrap())
}

/// How a frame is addressed, if it has no more than one VLAN tag, one of IEEE 802.1Q, and is in no
/// PPPoE session.
fn station(frame: &[u8]) -> Option<Station> {
    let (kind, vlan) = match word(frame, 12)? {
        0x8100 => (word(frame, 16)?, word(frame, 14)? & 0x0fff),
        kind => (kind, 0),
    };
    let is_ip = matches!(kind, 0x0800 | 0x86dd);
    is_ip.then_some(Station {
        ifindex: INTERFACE,
        vlan,
        mac: Mac(frame[..6].try_into().unwrap()),
    })
}

fn word(bytes: &[u8], at: usize) -> Option<u16> {
    let bytes = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([bytes[0], bytes[1]]))
}

/// Looks behind Ethernet and up to two VLAN tags: an EtherType, and what it says stands there.
fn parse_link(frame: &[u8]) -> Option<(u16, &[u8])> {
    let mut kind = word(frame, 12)?;
    let mut rest = &frame[14..];
    for _ in 0..2 {
        // IEEE 802.1Q and 802.1ad.
        if kind == 0x8100 || kind == 0x88a8 {
            kind = word(rest, 2)?;
            rest = &rest[4..];
        }
    }
    Some((kind, rest))
}

/// The sender's address in ARP (RFC 826), if that is for IPv4 over Ethernet. None: not ARP.
fn arp_sender(frame: &[u8]) -> Option<Option<IpAddr>> {
    let (0x0806, arp) = parse_link(frame)? else {
        return None;
    };
    let octets = match arp.get(..28) {
        Some([0, 1, 0x08, 0x00, 6, 4, rest @ ..]) => &rest[8..12],
        _ => return Some(None),
    };
    Some(<[u8; 4]>::try_from(octets).ok().map(IpAddr::from))
}

/// Looks behind Ethernet, up to two VLAN tags and PPPoE. None: not IP.
pub fn parse(frame: &[u8]) -> Option<Packet<'_>> {
    let (mut kind, mut rest) = parse_link(frame)?;
    // A PPPoE session (RFC 2516, 5) with PPP's protocol in two bytes.
    if kind == 0x8864 {
        kind = match word(rest, 6)? {
            0x0021 => 0x0800,
            0x0057 => 0x86dd,
            _ => return None,
        };
        rest = &rest[8..];
    }
    match kind {
        0x0800 => parse_v4(rest),
        0x86dd => parse_v6(rest),
        _ => None,
    }
}

/// What of `bytes` is the packet and not padding behind it. Packets too long for their length
/// field have 0 there (RFC 2675, 3; Linux does the same to merged IPv4 packets).
fn cut(bytes: &[u8], length: usize, field: u16) -> &[u8] {
    match field {
        0 => bytes,
        _ => &bytes[..length.min(bytes.len())],
    }
}

/// The length that such a field says.
fn claimed(field: u16) -> usize {
    match field {
        0 => 65_536,
        _ => field.into(),
    }
}

/// RFC 791, 3.1.
fn parse_v4(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.get(..20)?;
    let address = |at: usize| {
        let octets: [u8; 4] = header[at..at + 4].try_into().unwrap();
        IpAddr::from(octets)
    };
    let total = word(header, 2)?;
    let packet = cut(bytes, total.into(), total);
    let flags = word(header, 6)?;
    let (more_fragments, offset) = (flags & 0x2000 != 0, flags & 0x1fff);
    let header_length = usize::from(header[0] & 0x0f) * 4;
    let transport = if header[0] >> 4 != 4 || header_length < 20 {
        Transport::Other
    } else if offset != 0 {
        match header[9] {
            6 if offset < FIRST_UNITS => Transport::Hidden,
            _ => Transport::Other,
        }
    } else {
        let body = packet.get(header_length..).unwrap_or_default();
        let claimed = claimed(total).saturating_sub(header_length);
        parse_transport(header[9], body, claimed, more_fragments, usize::MAX)
    };
    Some(Packet {
        source: address(12),
        destination: address(16),
        transport,
    })
}

/// RFC 8200, 3 and 4.
fn parse_v6(bytes: &[u8]) -> Option<Packet<'_>> {
    let header = bytes.get(..40)?;
    let address = |at: usize| {
        let octets: [u8; 16] = header[at..at + 16].try_into().unwrap();
        IpAddr::from(octets)
    };
    let payload = word(header, 4)?;
    let body = &cut(bytes, 40 + usize::from(payload), payload)[40..];
    let transport = if header[0] >> 4 != 6 {
        Transport::Other
    } else {
        parse_extensions(header[6], body, claimed(payload))
    };
    Some(Packet {
        source: address(8),
        destination: address(24),
        transport,
    })
}

/// Follows a chain of up to six extension headers.
fn parse_extensions(mut next: u8, mut body: &[u8], mut claimed: usize) -> Transport<'_> {
    let mut more_fragments = false;
    let mut seen = 0;
    // How much of the body belongs to the first fragment alone.
    let mut own = usize::MAX;
    // IANA's list of extension headers without those that encrypt or are experiments.
    while matches!(next, 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140) {
        seen += 1;
        if seen > 6 {
            return Transport::Hidden;
        }
        let (Some(&following), Some(&length)) = (body.first(), body.get(1)) else {
            return missing(more_fragments);
        };
        let length = match next {
            44 => {
                // RFC 8200, 4.5.
                let Some(header) = body.get(..8) else {
                    return missing(more_fragments);
                };
                let offset = u16::from_be_bytes([header[2], header[3]]) >> 3;
                if offset != 0 {
                    return match following {
                        6 | 0 | 43 | 44 | 51 | 60 | 135 | 139 | 140 if offset < FIRST_UNITS => {
                            Transport::Hidden
                        }
                        _ => Transport::Other,
                    };
                }
                if header[3] & 1 != 0 {
                    more_fragments = true;
                    if own == usize::MAX {
                        own = 8 + 8 * usize::from(FIRST_UNITS);
                    }
                }
                8
            }
            // RFC 4302, 2.2: in words of 4 bytes, minus 2.
            51 => (usize::from(length) + 2) * 4,
            // RFC 8200, 4.3: in words of 8 bytes, without the first.
            _ => (usize::from(length) + 1) * 8,
        };
        next = following;
        body = body.get(length..).unwrap_or_default();
        claimed = claimed.saturating_sub(length);
        if own != usize::MAX {
            own = own.saturating_sub(length);
        }
    }
    parse_transport(next, body, claimed, more_fragments, own)
}

fn parse_transport(
    protocol: u8,
    body: &[u8],
    claimed: usize,
    more_fragments: bool,
    own: usize,
) -> Transport<'_> {
    match protocol {
        // RFC 9293, 3.1.
        6 => match body.get(..20) {
            Some(header) => {
                let length = usize::from(header[12] >> 4) * 4;
                let payload = body.get(length..).unwrap_or_default();
                if more_fragments && (payload.len() < CONNECT_HEAD || length + CONNECT_HEAD > own) {
                    return Transport::Hidden;
                }
                let syn = header[13] & 0x02 != 0;
                let number = u32::from_be_bytes(header[4..8].try_into().unwrap());
                Transport::Tcp {
                    from: u16::from_be_bytes([header[0], header[1]]),
                    port: u16::from_be_bytes([header[2], header[3]]),
                    syn,
                    // A SYN takes a number of its own.
                    sequence: number.wrapping_add(u32::from(syn)),
                    claimed: claimed.saturating_sub(length),
                    payload,
                }
            }
            None => missing(more_fragments),
        },
        // RFC 768.
        17 => match body.get(..8) {
            Some(_) if more_fragments && own < 8 => Transport::Hidden,
            Some(header) => Transport::Udp {
                from: u16::from_be_bytes([header[0], header[1]]),
                port: u16::from_be_bytes([header[2], header[3]]),
            },
            None => missing(more_fragments),
        },
        _ => Transport::Other,
    }
}

/// The packet ends before its headers do: in another fragment, or by damage.
fn missing<'a>(more_fragments: bool) -> Transport<'a> {
    if more_fragments {
        Transport::Hidden
    } else {
        Transport::Other
    }
}

/// Whether a payload starts with a CONNECT of MQTT 3.1, 3.1.1 or 5.0 (3.1 of each), with or
/// without the bit that bridges set in the protocol level.
fn is_connect(payload: &[u8]) -> bool {
    if payload.len() < CONNECT_HEAD || payload[0] != 0x10 {
        return false;
    }
    // A variable byte integer (MQTT 5.0, 1.5.5): at most four bytes, the last without its
    // highest bit.
    let Some(last) = payload[1..5].iter().position(|byte| byte & 0x80 == 0) else {
        return false;
    };
    let remaining = payload[1..=1 + last]
        .iter()
        .rev()
        .fold(0u32, |sum, byte| sum * 128 + u32::from(byte & 0x7f));
    let body = &payload[2 + last..];
    let named = [
        (&b"\0\x04MQTT"[..], &[4, 5][..]),
        (&b"\0\x06MQIsdp"[..], &[3][..]),
    ]
    .iter()
    .any(|(name, levels)| {
        body.strip_prefix(*name)
            .and_then(|rest| rest.first())
            .is_some_and(|level| levels.contains(&(level & 0x7f)))
    });
    // Name, level, flags, keep-alive and an empty client identifier take 12 bytes.
    named && remaining >= 12
}

/// Whether a payload is too short to know a CONNECT, and as far as it goes the same as one.
fn is_beginning(payload: &[u8]) -> bool {
    if payload.len() >= CONNECT_HEAD || payload.first() != Some(&0x10) {
        return false;
    }
    let mut remaining = 0;
    for digit in 1..=4 {
        let Some(&byte) = payload.get(digit) else {
            return true;
        };
        remaining += u32::from(byte & 0x7f) << (7 * (digit - 1));
        if byte & 0x80 == 0 {
            let body = &payload[digit + 1..];
            return remaining >= 12
                && [(&b"\0\x04MQTT"[..], &[4, 5][..]), (b"\0\x06MQIsdp", &[3])]
                    .iter()
                    .any(|(name, levels)| {
                        let common = body.len().min(name.len());
                        body[..common] == name[..common]
                            && body
                                .get(name.len())
                                .is_none_or(|level| levels.contains(&(level & 0x7f)))
                    });
        }
    }
    false
}

/// Whether a payload shows a WebSocket with MQTT in it.
fn is_websocket(payload: &[u8]) -> bool {
    asks_for_mqtt(payload) || is_connect(&unwrap_frame(payload))
}

/// Whether a payload starts with GET requests (RFC 9112, 3), of which one asks for a WebSocket
/// with MQTT (RFC 6455, 4.1; MQTT 5.0, 6).
fn asks_for_mqtt(payload: &[u8]) -> bool {
    let mut text = &payload[..payload.len().min(REQUEST)];
    if text.first() != Some(&b'G') {
        return false;
    }
    'request: loop {
        let Some((method, _)) = text.split_first_chunk::<4>() else {
            return false;
        };
        if !method[..3].eq_ignore_ascii_case(b"GET") || !is_blank(&method[3]) {
            return false;
        }
        let mut read = 0;
        // Whether the line before lists protocols: a line that starts with a blank goes on with
        // it (RFC 9112, 5.2).
        let mut lists = false;
        for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            read += line.len();
            if number > 0 && (line == b"\n" || line == b"\r\n") {
                text = &text[read..];
                continue 'request;
            }
            let list = match line {
                _ if number == 0 => None,
                [b' ' | b'\t', rest @ ..] if lists => Some(rest),
                _ => protocols(line),
            };
            if list.is_some_and(lists_mqtt) {
                return true;
            }
            lists = list.is_some();
        }
        return false;
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The value of a header of protocols.
fn protocols(line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"Sec-WebSocket-Protocol";
    let (name, rest) = line.split_at_checked(NAME.len())?;
    let blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
    let list = rest[blanks..].strip_prefix(b":")?;
    name.eq_ignore_ascii_case(NAME).then_some(list)
}

/// Whether a list, as far as it goes, names a protocol of MQTT's to its end.
fn lists_mqtt(list: &[u8]) -> bool {
    let mut elements = list.split(|&byte| byte == b',').peekable();
    while let Some(element) = elements.next() {
        let blanks = element.iter().take_while(|byte| is_blank(byte)).count();
        let element = &element[blanks..];
        let end = element
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let is_whole = end.is_some() || elements.peek().is_some();
        let name = &element[..end.unwrap_or(element.len())];
        if is_whole
            && PROTOCOLS
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        {
            return true;
        }
    }
    false
}

/// What the WebSocket data frame carries that a payload starts with (RFC 6455, 5.2), as far as it
/// is there; nothing if there is none.
fn unwrap_frame(payload: &[u8]) -> Vec<u8> {
    let &[first, second, ref rest @ ..] = payload else {
        return Vec::new();
    };
    if first & 0x70 != 0 || first & 0x0f > 2 {
        return Vec::new();
    }
    let bytes = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some((long, rest)) = rest.split_at_checked(bytes) else {
        return Vec::new();
    };
    let length = match bytes {
        0 => u64::from(second & 0x7f),
        _ => long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let (mask, rest) = match second & 0x80 {
        0 => ([0; 4], rest),
        _ => match rest.split_first_chunk() {
            Some((mask, rest)) => (*mask, rest),
            None => return Vec::new(),
        },
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let masked = &rest[..length.min(rest.len())];
    masked
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
        .collect()
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
