use mqttguard_common::{FRAME_SLOTS, Mac, Reason, Rules, policy_flags, rule_flags};

use crate::binding::Mismatch;
use crate::bucket::admit;
use crate::case::Case;
use crate::cell::{self, forget, opaque};
use crate::destination::{is_dhcp, is_excepted, is_taken_in};
use crate::finding::Mqtt;
use crate::frame::Frame;
use crate::header::Ethernet;
use crate::maps::{FRAMES, PROCESSOR, RULES};
use crate::packet::{Packet, Transport};
use crate::processor::{Processor, case, cell, now_ns};
use crate::reason::{REASON_MASK, or_mismatch};
use crate::step::{Program, Step};
use crate::subject::Subject;
use crate::verdict::conclude;

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
///    [`Station`](mqttguard_common::Station).
/// 8. Plaintext MQTT, by TCP port or by a CONNECT, and MQTT-SN by UDP port: dropped unless the
///    router's own plaintext listener takes it or an exception lets it out. So are the pieces
///    of a TCP stream's first bytes that could be put together to a CONNECT; see
///    [`flow`](crate::flow). So is MQTT over a WebSocket; see [`websocket`](crate::websocket).
///    An exception may also name the router, for a gateway of MQTT-SN there.
///
/// Plaintext MQTT over TCP is answered with a reset if the rules say so: see [`Reset`](crate::reject::Reset).
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
    let frame = &frame.forgotten(cell(own));
    let ethernet = frame.at::<Ethernet>(0)?;
    let packet = Packet::parse(frame, ethernet, cell(own));
    let frame = &frame.afresh();
    let now_ns = now_ns(own);
    let mut subject = Subject::of(frame, Mac(ethernet.source), rules, now_ns, own)?;
    let group = ethernet.is_group();
    if packet.is(Transport::None) && !group && !packet.is_arp() {
        subject.count(frame, Reason::Pass as usize);
        return Some(Step::Pass);
    }
    let reason = judge(frame, &packet, group, &mut subject, rules, now_ns, own);
    let reason = forget(cell(own), reason, REASON_MASK | READ) as usize;
    if reason as u64 & READ != 0 {
        Case::set_packet(case(own), packet);
        Case::set_row(case(own), subject.row());
        Case::set_at(case(own), 0);
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

/// Instead of a reason: that depends on what the payload goes on to say.
const READ: u64 = REASON_MASK + 1;

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
    let mqtt = Mqtt::find(frame, packet, rules, quarantined, cell(own));
    cell::put(cell(own), mqtt.0);
    if mqtt.has(Mqtt::LISTED)
        && policy.flags & policy_flags::UPLIFT != 0
        && rules.flags & rule_flags::UPLIFT != 0
        && is_taken_in(frame, packet)
    {
        cell::add(cell(own), Mqtt::TAKEN);
    }
    if Mismatch::is_possible(policy) {
        let mismatch = Mismatch::of(frame, packet, policy);
        if mismatch.reason().is_some() && !is_dhcp(frame, packet) {
            cell::add(cell(own), mismatch.0);
        }
    }
    let known = cell::take(cell(own));
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
        if excepts && is_excepted(frame, packet, subject.mac, cell(own)) {
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
        Case::set_known(case(own), known);
        return READ;
    } else {
        if mqtt.has(Mqtt::BEGINS | Mqtt::SHOWS | Mqtt::OVERTAKES) {
            mqtt.remember(frame, packet, now_ns);
        }
        Reason::Pass
    };
    let reason = forget(cell(own), reason as u64, REASON_MASK);
    // Anew, so that the verifier does not follow all of the above for each.
    or_mismatch(reason, Mismatch(opaque(known)).reason())
}
