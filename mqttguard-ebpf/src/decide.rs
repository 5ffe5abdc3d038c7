use aya_ebpf::helpers::bpf_ktime_get_coarse_ns;
use aya_ebpf::maps::lpm_trie::Key;
use mqttguard_common::{
    FRAME_SLOTS, MAX_EXCEPTIONS, Mac, PortWord, Reason, Rules, policy_flags, rule_flags,
};

use crate::frame::Frame;
use crate::maps::{EXCEPTIONS, FRAMES, LOCAL, PORTS, RULES};
use crate::mqtt::is_connect;
use crate::packet::{Address, Ethernet, Packet, Transport, mapped};
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

/// What becomes of a frame.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    Pass,
    Drop,
}

/// Decides on one frame, counts it and tells the daemon if there is something to tell. The
/// order of decisions, the first that applies is the reason:
///
/// 1. What is not IP passes.
/// 2. A blocked device's frames are dropped, except what it needs to keep its address, so that
///    it stays visible by it.
/// 3. A quarantined device's MQTT is dropped: plaintext and TLS ports, a CONNECT on any port,
///    MQTT-SN, and whatever it sends to the broker's ports on the router.
/// 4. Its token buckets: packets, bytes, new TCP connections.
/// 5. Plaintext MQTT, by TCP port or by a CONNECT, and MQTT-SN by UDP port: dropped unless the
///    router's own plaintext listener takes it or an exception lets it out.
/// 6. Fragments that hide their ports are dropped; other fragments without ports pass.
#[inline(always)]
pub(crate) fn decide(frame: &Frame) -> Verdict {
    if let Some(seen) = FRAMES.get_ptr_mut(frame.ifindex % FRAME_SLOTS) {
        // SAFETY: this processor's own counter.
        unsafe { *seen += 1 };
    }
    match decide_known(frame) {
        Some(verdict) => verdict,
        None => Verdict::Pass,
    }
}

#[inline(always)]
fn decide_known(frame: &Frame) -> Option<Verdict> {
    let rules = RULES.get(0)?;
    let ethernet = frame.at::<Ethernet>(0)?;
    let mut subject = Subject::of(Mac(ethernet.source), rules)?;
    let Some(packet) = Packet::parse(frame, ethernet) else {
        subject.count(frame, Reason::Pass);
        return Some(Verdict::Pass);
    };
    // SAFETY: a helper without arguments.
    let now_ns = unsafe { bpf_ktime_get_coarse_ns() };
    let reason = judge(frame, &packet, &mut subject, rules, now_ns);
    subject.count(frame, reason);
    if !reason.is_drop() {
        return Some(Verdict::Pass);
    }
    let enforce = rules.flags & rule_flags::ENFORCE != 0;
    subject.tell(frame, &packet, reason, now_ns, enforce);
    Some(if enforce {
        Verdict::Drop
    } else {
        Verdict::Pass
    })
}

#[inline(always)]
fn judge(
    frame: &Frame,
    packet: &Packet,
    subject: &mut Subject<'_>,
    rules: &Rules,
    now_ns: u64,
) -> Reason {
    let policy = subject.policy;
    if policy.flags & policy_flags::BLOCKED != 0 && !is_dhcp(frame, packet) {
        return Reason::Blocked;
    }
    let quarantined = policy.flags & policy_flags::QUARANTINED != 0;
    let mqtt = Mqtt::find(frame, packet, rules, quarantined);
    if quarantined && (mqtt.plain || mqtt.other || mqtt.sn) {
        return Reason::Quarantined;
    }
    let levels = &mut *subject.levels;
    if !policy
        .packets
        .admit(&mut levels.packets, now_ns, frame.packets)
    {
        return Reason::FloodPackets;
    }
    if !policy.bytes.admit(&mut levels.bytes, now_ns, frame.bytes) {
        return Reason::FloodBytes;
    }
    if packet.opens && !policy.connections.admit(&mut levels.connections, now_ns, 1) {
        return Reason::FloodConnections;
    }
    if packet.transport == Transport::Hidden {
        return Reason::TinyFragment;
    }
    if mqtt.plain && mqtt.local {
        if packet.port == rules.local_plaintext_port && policy.flags & policy_flags::PLAINTEXT != 0
        {
            Reason::LocalPlaintext
        } else {
            Reason::PlaintextLocal
        }
    } else if mqtt.plain || (mqtt.sn && rules.flags & rule_flags::MQTT_SN != 0) {
        if is_excepted(frame, packet, subject.mac) {
            Reason::Excepted
        } else if mqtt.sn {
            Reason::MqttSn
        } else if mqtt.listed {
            Reason::PlaintextPort
        } else {
            Reason::PlaintextConnect
        }
    } else {
        Reason::Pass
    }
}

/// What a packet has to do with MQTT.
#[derive(Clone, Copy)]
struct Mqtt {
    /// Plaintext MQTT over TCP: by its port, or because it begins with a CONNECT.
    plain: bool,
    /// By its port.
    listed: bool,
    /// To the router itself.
    local: bool,
    /// MQTT over TLS, or something else to the broker.
    other: bool,
    /// MQTT-SN.
    sn: bool,
}

impl Mqtt {
    #[inline(always)]
    fn find(frame: &Frame, packet: &Packet, rules: &Rules, quarantined: bool) -> Self {
        let mut found = Mqtt {
            plain: false,
            listed: false,
            local: false,
            other: false,
            sn: packet.transport == Transport::Udp && packet.port == MQTT_SN,
        };
        if packet.transport != Transport::Tcp {
            return found;
        }
        let port = packet.port;
        let word = match PORTS.get(PortWord::index(port)) {
            Some(word) => *word,
            None => PortWord::default(),
        };
        let bit = PortWord::bit(port);
        found.listed = word.plaintext & bit != 0;
        let looks = quarantined || rules.flags & rule_flags::DETECT_CONNECT != 0;
        found.plain = found.listed || (looks && is_connect(frame, packet.payload, packet.end));
        let own = port == rules.local_plaintext_port;
        let broker = word.broker & bit != 0;
        if found.plain || own || (quarantined && broker) {
            found.local = is_local(frame, packet);
            found.plain |= own && found.local;
        }
        found.other = port == MQTT_TLS || (broker && found.local);
        found
    }
}

/// Whether it is to the router itself.
#[inline(always)]
fn is_local(frame: &Frame, packet: &Packet) -> bool {
    match packet.destination(frame) {
        // SAFETY: only its presence is asked for.
        Some(destination) => unsafe { LOCAL.get(destination).is_some() },
        None => false,
    }
}

/// Whether it is a DHCP client's word to the router or to whom it may concern.
#[inline(always)]
fn is_dhcp(frame: &Frame, packet: &Packet) -> bool {
    if packet.transport != Transport::Udp {
        return false;
    }
    let servers = match (packet.source_port, packet.port) {
        (DHCPV4_CLIENT, DHCPV4_SERVER) => BROADCAST,
        (DHCPV6_CLIENT, DHCPV6_SERVER) => DHCPV6_SERVERS,
        _ => return false,
    };
    packet.destination(frame) == Some(servers) || is_local(frame, packet)
}

/// Whether an exception lets this device's plaintext MQTT go there.
#[inline(always)]
fn is_excepted(frame: &Frame, packet: &Packet, mac: Mac) -> bool {
    let Some(destination) = packet.destination(frame) else {
        return false;
    };
    let Some(exceptions) = EXCEPTIONS.get(Key::new(128, destination)) else {
        return false;
    };
    for index in 0..MAX_EXCEPTIONS {
        if index as u64 >= exceptions.count {
            break;
        }
        match exceptions.rules.get(index) {
            Some(rule) if rule.admits(mac, packet.port) => return true,
            _ => {}
        }
    }
    false
}
