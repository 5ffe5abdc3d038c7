//! Where a frame is to go.

use aya_ebpf::maps::lpm_trie::Key;
use mqttguard_common::{Mac, Station};

use crate::cell::{Cell, forget};
use crate::frame::Frame;
use crate::header::Ethernet;
use crate::maps::{EXCEPTIONS, LOCAL, STATIONS};
use crate::packet::{Address, Packet, Transport, mapped};

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
pub(crate) fn is_taken_in(frame: &Frame, packet: &Packet) -> bool {
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
pub(crate) fn is_dhcp(frame: &Frame, packet: &Packet) -> bool {
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
pub(crate) fn is_excepted(frame: &Frame, packet: &Packet, mac: Mac, cell: *mut Cell) -> bool {
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
        admitted = forget(cell, admitted, 1);
    }
    admitted != 0
}
