use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use mqttguard_common::Mac;
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_REQUEST, NetlinkHeader, NetlinkMessage, NetlinkPayload,
};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkFlags, LinkInfo, LinkMessage};
use netlink_sys::protocols::NETLINK_ROUTE;
use netlink_sys::{Socket, SocketAddr};

/// Multicast group of changes to links (linux/rtnetlink.h, RTNLGRP_LINK).
const RTNLGRP_LINK: u32 = 1;

/// The kernel sends dumps in pieces of at most this many bytes.
const PIECE: usize = 64 * 1024;

/// One network interface, as netlink tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) index: u32,
    pub(super) name: String,
    /// The bridge or other device that it is a port of.
    pub(super) master: Option<u32>,
    pub(super) is_bridge: bool,
    /// The device that it is a VLAN of.
    pub(super) vlan_of: Option<u32>,
    /// Up, and with a carrier.
    pub(super) is_running: bool,
    pub(super) mac: Option<Mac>,
    /// Frames received since it exists.
    pub(super) rx_packets: u64,
}

/// Tells of interfaces of the network namespace it was made in. It asks the kernel itself: the
/// files under /sys/class/net may be those of another namespace.
pub(super) struct Links {
    requests: Socket,
    changes: Socket,
    buffer: Vec<u8>,
}

impl Links {
    pub(super) fn open() -> io::Result<Self> {
        let mut requests = Socket::new(NETLINK_ROUTE)?;
        requests.bind_auto()?;
        requests.connect(&SocketAddr::new(0, 0))?;
        let mut changes = Socket::new(NETLINK_ROUTE)?;
        changes.bind_auto()?;
        changes.add_membership(RTNLGRP_LINK)?;
        changes.set_non_blocking(true)?;
        Ok(Links {
            requests,
            changes,
            buffer: vec![0; PIECE],
        })
    }

    /// Becomes readable when an interface changes.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        let fd = self.changes.as_raw_fd();
        // SAFETY: the socket lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Whether anything changed since the last call. What, tells a new [`Links::list`]: changes
    /// may have been lost when they came too fast.
    pub(super) fn changed(&mut self) -> bool {
        let mut changed = false;
        loop {
            match self.changes.recv(&mut &mut self.buffer[..], 0) {
                Ok(_) => changed = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return changed,
            }
        }
    }

    /// All interfaces.
    pub(super) fn list(&mut self) -> io::Result<Vec<Link>> {
        let mut request = NetlinkMessage::new(
            NetlinkHeader::default(),
            NetlinkPayload::from(RouteNetlinkMessage::GetLink(LinkMessage::default())),
        );
        request.header.flags = NLM_F_DUMP | NLM_F_REQUEST;
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.requests.send(&bytes, 0)?;

        let mut links = Vec::new();
        loop {
            let length = self.requests.recv(&mut &mut self.buffer[..], 0)?;
            let mut rest = self.buffer.get(..length).unwrap_or_default();
            while !rest.is_empty() {
                let message =
                    NetlinkMessage::<RouteNetlinkMessage>::deserialize(rest).map_err(|error| {
                        io::Error::new(io::ErrorKind::InvalidData, error.to_string())
                    })?;
                match message.payload {
                    NetlinkPayload::Done(_) => return Ok(links),
                    NetlinkPayload::Error(error) => return Err(error.to_io()),
                    NetlinkPayload::InnerMessage(RouteNetlinkMessage::NewLink(link)) => {
                        links.push(Link::from(link));
                    }
                    _ => {}
                }
                // Messages start at multiples of 4.
                let used = (message.header.length as usize).next_multiple_of(4);
                rest = rest.get(used.max(16)..).unwrap_or_default();
            }
        }
    }
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            master: None,
            is_bridge: false,
            vlan_of: None,
            is_running: message
                .header
                .flags
                .contains(LinkFlags::Up | LinkFlags::Running),
            mac: None,
            rx_packets: 0,
        };
        let mut lower = None;
        let mut is_vlan = false;
        for attribute in message.attributes {
            match attribute {
                LinkAttribute::IfName(name) => link.name = name,
                LinkAttribute::Controller(master) => link.master = Some(master),
                LinkAttribute::Link(index) => lower = Some(index),
                LinkAttribute::Address(bytes) => {
                    link.mac = <[u8; 6]>::try_from(bytes).ok().map(Mac);
                }
                LinkAttribute::Stats64(stats) => link.rx_packets = stats.rx_packets,
                LinkAttribute::LinkInfo(infos) => {
                    link.is_bridge = infos
                        .iter()
                        .any(|info| matches!(info, LinkInfo::Kind(InfoKind::Bridge)));
                    is_vlan = infos
                        .iter()
                        .any(|info| matches!(info, LinkInfo::Kind(InfoKind::Vlan)));
                }
                _ => {}
            }
        }
        // Of other kinds it may be the index of an interface in another namespace.
        link.vlan_of = lower.filter(|_| is_vlan);
        link
    }
}

/// The interfaces that stand for these devices: themselves, or their ports if they are bridges.
/// Devices that stand for none, and why, come second.
pub(super) fn resolve<'a>(
    devices: &'a [String],
    links: &'a [Link],
) -> (Vec<&'a Link>, Vec<(&'a str, &'static str)>) {
    let mut found: Vec<&Link> = Vec::new();
    let mut missing = Vec::new();
    for device in devices {
        let Some(link) = links.iter().find(|link| link.name == *device) else {
            missing.push((device.as_str(), "there is no such device"));
            continue;
        };
        let before = found.len();
        if link.is_bridge {
            let ports = links.iter().filter(|port| port.master == Some(link.index));
            found.extend(ports);
            if found.len() == before {
                missing.push((device.as_str(), "the bridge has no ports"));
            }
        } else {
            found.push(link);
        }
    }
    found.sort_by_key(|link| link.index);
    found.dedup_by_key(|link| link.index);
    (found, missing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn link(index: u32, name: &str, master: Option<u32>, is_bridge: bool) -> Link {
        Link {
            index,
            name: name.into(),
            master,
            is_bridge,
            vlan_of: None,
            is_running: true,
            mac: None,
            rx_packets: 0,
        }
    }

    #[test]
    fn a_bridge_stands_for_its_ports() {
        let links = [
            link(1, "lo", None, false),
            link(2, "br-lan", None, true),
            link(3, "lan1", Some(2), false),
            link(4, "lan2", Some(2), false),
            link(5, "br-empty", None, true),
            link(6, "wlan0", None, false),
        ];
        let devices = ["br-lan", "lan2", "wlan0", "br-empty", "usb0"].map(String::from);
        let (found, missing) = resolve(&devices, &links);
        let names: Vec<_> = found.iter().map(|link| link.name.as_str()).collect();
        assert_eq!(names, ["lan1", "lan2", "wlan0"]);
        assert_eq!(
            missing,
            [
                ("br-empty", "the bridge has no ports"),
                ("usb0", "there is no such device")
            ]
        );
    }

    #[test]
    fn every_machine_has_a_loopback_interface() {
        let links = Links::open().unwrap().list().unwrap();
        assert!(
            links
                .iter()
                .any(|link| link.name == "lo" && link.index == 1)
        );
    }
}
