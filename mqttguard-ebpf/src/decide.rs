use aya_ebpf::maps::lpm_trie::Key;
use mqttguard_common::{
    FRAME_SLOTS, Mac, PortWord, Reason, Rules, Station, policy_flags, rule_flags,
};

use crate::binding::Mismatch;
use crate::bucket::admit;
use crate::case::{Case, Program, Step};
use crate::flow::{self, Place};
use crate::frame::{Frame, opaque};
use crate::header::Ethernet;
use crate::maps::{EXCEPTIONS, FRAMES, LOCAL, PORTS, PROCESSOR, RULES, STATIONS};
use crate::mqtt::is_connect;
use crate::packet::{Address, Packet, Transport, mapped};
use crate::processor::{self, Processor, forget, now_ns};
use crate::subject::Subject;

/// MQTT over TLS (IANA `secure-mqtt`).
const MQTT_TLS: u16 = 8883;
/// MQTT-SN over UDP, as gateways listen by default.
const MQTT_SN: u16 = 1883;

const DHCPV4_CLIENT: u16 = 68;
const DHCPV4_SERVER: u16 = 67;
const DHCPV6_CLIENT: u16 = 546;
const DHCPV6_SERVER: u16 = 547;
/// 255.255.255.255.
const BROADCAST: Address = mapped([0xffff, 0xffff]);
/// ff02::1:2, all DHCPv6 relay agents and servers (RFC 8415, 7.1).
const DHCPV6_SERVERS: Address = [
    0xff02u16.to_be(),
    0,
    0,
    0,
    0,
    0,
    0x0001u16.to_be(),
    0x0002u16.to_be(),
];

/// Decides on one frame, counts it and tells the daemon if there is something to tell. The
/// order of decisions, the first that applies is the reason:
///
/// 1. What is not IP, behind up to two VLAN tags and PPPoE, passes, unless there is more than the
///    limit of it to a group of hosts. ARP has to fit the device's bindings as in 3.
/// 2. A blocked device's frames are dropped, except what it needs to keep its address, so that
///    it stays visible by it.
/// 3. What does not fit the device's bindings to an interface and an IPv4 address is dropped if
///    the rules say so, except DHCP: see [`Mismatch`]. If they do not, it is judged like any
///    other; but counts and is told as a mismatch instead of a reason that lets it pass.
/// 4. A quarantined device's MQTT is dropped: plaintext and TLS ports, a CONNECT on any port,
///    MQTT-SN, and whatever it sends to the broker's ports on the router.
/// 5. Its token buckets: packets, bytes, broadcasts and multicasts, UDP packets, new TCP
///    connections.
/// 6. First fragments that hide their ports, or where a CONNECT would stand, are dropped, as are
///    later fragments of TCP that start so low that they could overwrite those; others pass.
/// 7. What an uplifted device sends to a plaintext port beyond the router passes, while the
///    rules say that the router takes it over, in a frame that the router takes in: see
///    [`Station`].
/// 8. Plaintext MQTT, by TCP port or by a CONNECT, and MQTT-SN by UDP port: dropped unless the
///    router's own plaintext listener takes it or an exception lets it out. So are the pieces
///    of a TCP stream's first bytes that could be put together to a CONNECT; see
///    [`flow`](crate::flow). So is MQTT over a WebSocket; see [`websocket`](crate::websocket).
///    An exception may also name the router, for a gateway of MQTT-SN there.
///
/// Plaintext MQTT over TCP is answered with a reset if the rules say so: see [`Reset`].
#[inline(always)]
pub(crate) fn decide(frame: &Frame) -> Step {
    if let Some(seen) = FRAMES.get_ptr_mut(frame.ifindex % FRAME_SLOTS) {
        // SAFETY: this processor's own counter.
        unsafe { *seen += 1 };
    }
    match try_decide(frame) {
        Some(step) => step,
        None => Step::Pass,
    }
}

#[inline(always)]
fn try_decide(frame: &Frame) -> Option<Step> {
    let rules = RULES.get(0)?;
    let own = PROCESSOR.get_ptr_mut(0)?;
    let frame = &frame.forgotten(own);
    let ethernet = frame.at::<Ethernet>(0)?;
    let packet = Packet::parse(frame, ethernet, own);
    let frame = &frame.afresh();
    let now_ns = now_ns(own);
    let mut subject = Subject::of(frame, Mac(ethernet.source), rules, now_ns, own)?;
    let group = ethernet.is_group();
    if packet.is(Transport::None) && !group && !packet.is_arp() {
        subject.count(frame, Reason::Pass as usize);
        return Some(Step::Pass);
    }
    let reason = judge(frame, &packet, group, &mut subject, rules, now_ns, own);
    let reason = forget(own, reason, REASON_MASK | READ) as usize;
    if reason as u64 & READ != 0 {
        Case::set_packet(own, packet);
        Case::set_row(own, subject.row());
        Case::set_at(own, 0);
        return Some(Step::Read(Program::Request));
    }
    Some(conclude(
        frame,
        &packet,
        &mut subject,
        reason,
        rules,
        now_ns,
        own,
    ))
}

/// Counts a frame under its reason, by its number, and says what becomes of it.
#[inline(always)]
pub(crate) fn conclude(
    frame: &Frame,
    packet: &Packet,
    subject: &mut Subject<'_>,
    reason: usize,
    rules: &Rules,
    now_ns: u64,
    own: *mut Processor,
) -> Step {
    subject.count(frame, reason);
    if DROPS & 1 << reason == 0 {
        return Step::Pass;
    }
    let drops = is_carried_out(rules, reason);
    let mut orders = if drops { Case::DROPS } else { 0 };
    if drops && rules.flags & rule_flags::REJECT != 0 && REJECTED & 1 << reason != 0 {
        orders |= Case::ANSWERS;
    }
    if subject.is_due(frame, reason, now_ns) {
        orders |= Case::DUE;
    }
    if orders & (Case::ANSWERS | Case::DUE) == 0 {
        return if drops { Step::Drop } else { Step::Pass };
    }
    Case::set_packet(own, *packet);
    Case::set_row(own, subject.row());
    Case::set_reason(own, reason as u32);
    Case::set_orders(own, orders);
    Step::Tell(drops)
}

/// Whether a reason to drop is one under these rules.
#[inline(always)]
pub(crate) fn is_carried_out(rules: &Rules, reason: usize) -> bool {
    let mut needed = rule_flags::ENFORCE;
    if MISMATCHES & 1 << reason != 0 {
        needed |= rule_flags::DROP_MISMATCH;
    }
    rules.flags & needed == needed
}

/// As many bits as the number of a reason takes.
pub(crate) const REASON_MASK: u64 = Reason::COUNT.next_power_of_two() as u64 - 1;

/// Instead of a reason: that depends on what the payload goes on to say.
const READ: u64 = REASON_MASK + 1;

/// The reasons to drop, a bit each.
const DROPS: u64 = {
    let mut bits = 0;
    let mut index = 0;
    while index < Reason::COUNT {
        if Reason::ALL[index].is_drop() {
            bits |= 1 << index;
        }
        index += 1;
    }
    bits
};

/// Those to drop if the rules drop what does not fit a device's bindings.
const MISMATCHES: u64 = 1 << Reason::InterfaceMismatch as u32 | 1 << Reason::AddressMismatch as u32;

/// Those to answer, if the rules do: plaintext MQTT of a device that may use the network. Not the
/// pieces of a stream's first bytes, which an honest sender repeats with more of them.
const REJECTED: u64 = 1 << Reason::PlaintextPort as u32
    | 1 << Reason::PlaintextConnect as u32
    | 1 << Reason::PlaintextLocal as u32
    | 1 << Reason::PlaintextWebSocket as u32;

/// The number of the reason, or [`READ`].
#[inline(always)]
fn judge(
    frame: &Frame,
    packet: &Packet,
    group: bool,
    subject: &mut Subject<'_>,
    rules: &Rules,
    now_ns: u64,
    own: *mut Processor,
) -> u64 {
    let policy = subject.policy;
    let levels = &mut *subject.levels;
    let drops_mismatch = rules.flags & rule_flags::DROP_MISMATCH != 0;
    if packet.is(Transport::None) {
        let mismatch = if packet.is_arp() && Mismatch::is_possible(policy) {
            Mismatch::of(frame, packet, policy).reason()
        } else {
            None
        };
        return match mismatch {
            Some(reason) if drops_mismatch => reason as u64,
            _ if group
                && !admit(
                    &policy.broadcasts,
                    &mut levels.broadcasts,
                    now_ns,
                    frame.packets,
                ) =>
            {
                Reason::FloodBroadcasts as u64
            }
            _ => mismatch.unwrap_or(Reason::Pass) as u64,
        };
    }
    if policy.flags & policy_flags::BLOCKED != 0 && !is_dhcp(frame, packet) {
        return Reason::Blocked as u64;
    }
    let quarantined = policy.flags & policy_flags::QUARANTINED != 0;
    let mqtt = Mqtt::find(frame, packet, rules, quarantined, own);
    processor::put(own, mqtt.0);
    if mqtt.has(Mqtt::LISTED)
        && policy.flags & policy_flags::UPLIFT != 0
        && rules.flags & rule_flags::UPLIFT != 0
        && is_taken_in(frame, packet)
    {
        processor::add(own, Mqtt::TAKEN);
    }
    if Mismatch::is_possible(policy) {
        let mismatch = Mismatch::of(frame, packet, policy);
        if mismatch.reason().is_some() && !is_dhcp(frame, packet) {
            processor::add(own, mismatch.0);
        }
    }
    let known = processor::take(own);
    let mqtt = Mqtt(known);
    if let Some(reason) = Mismatch(known).reason()
        && drops_mismatch
    {
        return reason as u64;
    }
    if quarantined && mqtt.has(Mqtt::PLAIN | Mqtt::OTHER | Mqtt::SN) {
        return Reason::Quarantined as u64;
    }
    if !admit(&policy.packets, &mut levels.packets, now_ns, frame.packets) {
        return Reason::FloodPackets as u64;
    }
    if !admit(&policy.bytes, &mut levels.bytes, now_ns, frame.bytes) {
        return Reason::FloodBytes as u64;
    }
    if group
        && !admit(
            &policy.broadcasts,
            &mut levels.broadcasts,
            now_ns,
            frame.packets,
        )
    {
        return Reason::FloodBroadcasts as u64;
    }
    if packet.is(Transport::Udp) && !admit(&policy.udp, &mut levels.udp, now_ns, frame.packets) {
        return Reason::FloodUdp as u64;
    }
    if packet.opens() && !admit(&policy.connections, &mut levels.connections, now_ns, 1) {
        return Reason::FloodConnections as u64;
    }
    if packet.is(Transport::Hidden) {
        return Reason::TinyFragment as u64;
    }
    let reason = if mqtt.has(Mqtt::PLAIN) && mqtt.has(Mqtt::LOCAL) {
        if mqtt.has(Mqtt::LISTENER) && policy.flags & policy_flags::PLAINTEXT != 0 {
            Reason::LocalPlaintext
        } else {
            Reason::PlaintextLocal
        }
    } else if mqtt.has(Mqtt::TAKEN) {
        Reason::Uplifted
    } else if mqtt.has(Mqtt::PLAIN)
        || (mqtt.has(Mqtt::SN) && rules.flags & rule_flags::MQTT_SN != 0)
    {
        let excepts = rules.flags & rule_flags::EXCEPTIONS != 0;
        if excepts && is_excepted(frame, packet, subject.mac, own) {
            Reason::Excepted
        } else if mqtt.has(Mqtt::SN) {
            Reason::MqttSn
        } else if mqtt.has(Mqtt::LISTED) {
            Reason::PlaintextPort
        } else if mqtt.has(Mqtt::SPLIT) {
            Reason::PlaintextSplit
        } else {
            Reason::PlaintextConnect
        }
    } else if mqtt.has(Mqtt::READ) {
        Case::set_known(own, known);
        return READ;
    } else {
        if mqtt.has(Mqtt::BEGINS | Mqtt::SHOWS | Mqtt::OVERTAKES) {
            mqtt.remember(frame, packet, now_ns);
        }
        Reason::Pass
    };
    let reason = forget(own, reason as u64, REASON_MASK);
    // Anew, so that the verifier does not follow all of the above for each.
    or_mismatch(reason, Mismatch(opaque(known)).reason())
}

/// The number of a reason, or of the mismatch that is told instead of one that lets a frame pass.
#[inline(always)]
pub(crate) fn or_mismatch(reason: u64, mismatch: Option<Reason>) -> u64 {
    match mismatch {
        Some(mismatch) if DROPS & 1 << reason == 0 => mismatch as u64,
        _ => reason,
    }
}

/// What a packet has to do with MQTT, a bit each.
#[derive(Clone, Copy)]
pub(crate) struct Mqtt(pub(crate) u64);

impl Mqtt {
    /// Plaintext MQTT over TCP: by its port, or because it begins with a CONNECT.
    const PLAIN: u64 = 1;
    /// By its port.
    const LISTED: u64 = 2;
    /// To the router itself; not looked up for what does not depend on it.
    const LOCAL: u64 = 4;
    /// MQTT over TLS, or something else to the broker.
    const OTHER: u64 = 8;
    /// MQTT-SN.
    const SN: u64 = 16;
    /// To the router's plaintext listener.
    const LISTENER: u64 = 32;
    /// Its first bytes come in pieces.
    const SPLIT: u64 = 64;
    /// To be remembered when it goes through: it opens a stream.
    const BEGINS: u64 = 128;
    /// Likewise: it shows that a stream is none of MQTT.
    const SHOWS: u64 = 256;
    /// To be read for a WebSocket with MQTT, before it goes through.
    const READ: u64 = 512;
    /// By its port, of a device whose plaintext the router takes over, in a frame that it takes in.
    const TAKEN: u64 = 1024;
    /// To be remembered when it goes through: it overtakes the first byte of its stream.
    const OVERTAKES: u64 = 2048;

    #[inline(always)]
    fn has(self, any: u64) -> bool {
        self.0 & any != 0
    }

    #[inline(always)]
    fn find(
        frame: &Frame,
        packet: &Packet,
        rules: &Rules,
        quarantined: bool,
        own: *mut Processor,
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
            found |= Self::look(frame, packet, looks, unwraps, own);
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
}

impl Mqtt {
    /// Looks for a CONNECT, whole or in pieces, and for what may become a WebSocket.
    #[inline(always)]
    fn look(
        frame: &Frame,
        packet: &Packet,
        looks: bool,
        unwraps: bool,
        own: *mut Processor,
    ) -> u64 {
        let connect = looks && is_connect(frame, packet.payload(), packet.end());
        if forget(own, u64::from(connect), 1) != 0 {
            return Self::PLAIN;
        }
        let place = flow::place(frame, packet, own);
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

/// Whether it is to the router itself.
#[inline(always)]
pub(crate) fn is_local(frame: &Frame, packet: &Packet) -> bool {
    match packet.destination(frame) {
        // SAFETY: only its presence is asked for.
        Some(destination) => unsafe { LOCAL.get(destination).is_some() },
        None => false,
    }
}

/// Whether the frame is for the router to take in, if not the packet.
#[inline(always)]
fn is_taken_in(frame: &Frame, packet: &Packet) -> bool {
    let (Some(ethernet), Some(vlan)) = (frame.at::<Ethernet>(0), frame.vlan(packet.network()))
    else {
        return false;
    };
    let station = Station {
        ifindex: frame.ifindex,
        vlan,
        mac: ethernet.destination(),
    };
    // SAFETY: only its presence is asked for.
    unsafe { STATIONS.get(station).is_some() }
}

/// Whether it is a DHCP client's word to the router or to whom it may concern.
#[inline(always)]
fn is_dhcp(frame: &Frame, packet: &Packet) -> bool {
    if !packet.is(Transport::Udp) {
        return false;
    }
    let servers = match (packet.is_v6(), packet.source_port(), packet.port()) {
        (false, DHCPV4_CLIENT, DHCPV4_SERVER) => BROADCAST,
        (true, DHCPV6_CLIENT, DHCPV6_SERVER) => DHCPV6_SERVERS,
        _ => return false,
    };
    packet.destination(frame) == Some(servers) || is_local(frame, packet)
}

/// Whether an exception lets this device's plaintext MQTT go there.
#[inline(always)]
pub(crate) fn is_excepted(frame: &Frame, packet: &Packet, mac: Mac, own: *mut Processor) -> bool {
    let Some(destination) = packet.destination(frame) else {
        return false;
    };
    let Some(exceptions) = EXCEPTIONS.get(Key::new(128, destination)) else {
        return false;
    };
    let mut admitted = 0;
    for (index, rule) in exceptions.rules.iter().enumerate() {
        let counts = (index as u64) < exceptions.count;
        admitted |= u64::from(counts && rule.admits(mac, packet.port()));
        admitted = forget(own, admitted, 1);
    }
    admitted != 0
}
