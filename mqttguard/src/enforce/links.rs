use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::thread;
use std::time::Duration;

use mqttguard_common::Mac;
use netlink_packet_core::Parseable;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVlan, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
    LinkMessageBuffer, LinkXdp, VlanProtocol,
};
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_ROUTE;

use super::netlink::Channel;

/// Multicast groups of changes to links, and to queueing disciplines and their filters
/// (linux/rtnetlink.h).
const RTNLGRP_LINK: u32 = 1;
const RTNLGRP_TC: u32 = 4;

/// A list during which interfaces came or went is asked for again this often.
const ATTEMPTS: usize = 5;
/// How long to wait in between.
const PAUSE: Duration = Duration::from_millis(5);

const RTM_NEWLINK: u16 = 16;
const RTM_GETLINK: u16 = 18;
/// struct ifinfomsg.
const IFINFOMSG: usize = 16;

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
    /// Its number as a VLAN of IEEE 802.1Q.
    pub(super) vlan: Option<u16>,
    /// Up, and with a carrier.
    pub(super) is_running: bool,
    pub(super) mac: Option<Mac>,
    /// Frames received since it exists.
    pub(super) rx_packets: u64,
    /// Identifier of the XDP program in the driver, whoever's it is.
    pub(super) native_xdp: Option<u32>,
    /// Identifier of the generic XDP program.
    pub(super) generic_xdp: Option<u32>,
}

/// Tells of interfaces of the network namespace it was made in. It asks the kernel itself: the
/// files under /sys/class/net may be those of another namespace.
pub(super) struct Links {
    requests: Channel,
    changes: Socket,
}

impl Links {
    pub(super) fn open() -> io::Result<Self> {
        let mut changes = Socket::new(NETLINK_ROUTE)?;
        changes.bind_auto()?;
        changes.add_membership(RTNLGRP_LINK)?;
        changes.add_membership(RTNLGRP_TC)?;
        changes.set_non_blocking(true)?;
        Ok(Links {
            requests: Channel::open(NETLINK_ROUTE)?,
            changes,
        })
    }

    /// Becomes readable when an interface changes, or what is attached to it by `tc`.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        let fd = self.changes.as_raw_fd();
        // SAFETY: the socket lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Whether anything changed since the last call. What, tells a new [`Links::list`]: changes
    /// may have been lost when they came too fast.
    pub(super) fn changed(&mut self) -> bool {
        let mut changed = false;
        // What it says is not read, so that one byte is enough to know.
        let mut said = [0; 1];
        loop {
            match self.changes.recv(&mut &mut said[..], 0) {
                Ok(_) => changed = true,
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return changed,
            }
        }
    }

    /// All interfaces.
    pub(super) fn list(&mut self) -> io::Result<Vec<Link>> {
        for _ in 1..ATTEMPTS {
            match self.list_once() {
                // One that was passed over would lose its guard.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => thread::sleep(PAUSE),
                listed => return listed,
            }
        }
        self.list_once()
    }

    fn list_once(&mut self) -> io::Result<Vec<Link>> {
        let mut links = Vec::new();
        self.requests
            .dump(RTM_GETLINK, &[0; IFINFOMSG], |kind, body| {
                if kind == RTM_NEWLINK {
                    links.extend(parse(body));
                }
                Ok(())
            })?;
        Ok(links)
    }
}

/// None for one that cannot be read: of a kind that somebody may have made up since, it is not to
/// cost the others their guard.
fn parse(body: &[u8]) -> Option<Link> {
    LinkMessageBuffer::new_checked(&body)
        .and_then(|buffer| LinkMessage::parse(&buffer))
        .inspect_err(|error| log::debug!("an interface that cannot be read: {error}"))
        .ok()
        .map(Link::from)
}

impl From<LinkMessage> for Link {
    fn from(message: LinkMessage) -> Self {
        let mut link = Link {
            index: message.header.index,
            name: String::new(),
            master: None,
            is_bridge: false,
            vlan_of: None,
            vlan: None,
            is_running: message
                .header
                .flags
                .contains(LinkFlags::Up | LinkFlags::Running),
            mac: None,
            rx_packets: 0,
            native_xdp: None,
            generic_xdp: None,
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
                LinkAttribute::Xdp(attributes) => {
                    for attribute in attributes {
                        match attribute {
                            LinkXdp::DrvProgId(id) => link.native_xdp = Some(id),
                            LinkXdp::SkbProgId(id) => link.generic_xdp = Some(id),
                            _ => {}
                        }
                    }
                }
                LinkAttribute::Stats64(stats) => link.rx_packets = stats.rx_packets,
                LinkAttribute::LinkInfo(infos) => {
                    link.is_bridge = infos
                        .iter()
                        .any(|info| matches!(info, LinkInfo::Kind(InfoKind::Bridge)));
                    is_vlan = infos
                        .iter()
                        .any(|info| matches!(info, LinkInfo::Kind(InfoKind::Vlan)));
                    link.vlan = infos.iter().find_map(vlan_number);
                }
                _ => {}
            }
        }
        // Of other kinds it may be the index of an interface in another namespace.
        link.vlan_of = lower.filter(|_| is_vlan);
        link
    }
}

/// The number of a VLAN, if it is one of IEEE 802.1Q and not of 802.1ad.
fn vlan_number(info: &LinkInfo) -> Option<u16> {
    let LinkInfo::Data(InfoData::Vlan(attributes)) = info else {
        return None;
    };
    let is_other = attributes.iter().any(|attribute| {
        matches!(attribute, InfoVlan::Protocol(protocol) if *protocol != VlanProtocol::Ieee8021Q)
    });
    attributes
        .iter()
        .find_map(|attribute| match attribute {
            InfoVlan::Id(number) => Some(*number),
            _ => None,
        })
        .filter(|_| !is_other)
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
            vlan: None,
            is_running: true,
            mac: None,
            rx_packets: 0,
            native_xdp: None,
            generic_xdp: None,
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
    fn no_bytes_make_the_parser_fail() {
        let mut body = vec![0; IFINFOMSG];
        body[4] = 3;
        body.extend([8, 0, 3, 0, b'l', b'a', b'n', 0]);
        let whole = parse(&body).unwrap();
        assert_eq!((whole.index, whole.name.as_str()), (3, "lan"));
        for end in 0..body.len() {
            let _ = parse(&body[..end]);
            for byte in [0, 1, 3, 0x7f, 0xff] {
                let mut body = body.clone();
                body[end] = byte;
                let _ = parse(&body);
            }
        }
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
