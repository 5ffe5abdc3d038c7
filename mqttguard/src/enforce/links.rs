use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::events::AttachNote;
use crate::netlink::{self, Family, RTNLGRP_LINK, RTNLGRP_TC, Socket};

pub(super) use crate::netlink::Link;

/// Tells of interfaces of the network namespace it was made in. It asks the kernel itself: the
/// files under /sys/class/net may be those of another namespace.
pub(super) struct Links {
    requests: Socket,
    changes: Socket,
}

impl Links {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Links {
            requests: Socket::open(Family::Route)?,
            changes: Socket::subscribe(Family::Route, &[RTNLGRP_LINK, RTNLGRP_TC])?,
        })
    }

    /// Becomes readable when an interface changes, or what is attached to it by `tc`.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        self.changes.as_fd()
    }

    /// Whether anything changed since the last call. What, tells a new [`Links::list`]: changes
    /// may have been lost when they came too fast.
    pub(super) fn changed(&mut self) -> bool {
        self.changes.heard(|_| true)
    }

    /// All interfaces.
    pub(super) fn list(&mut self) -> io::Result<Vec<Link>> {
        match netlink::link_table(&mut self.requests)? {
            (links, true) => Ok(links),
            // One that was passed over would lose its guard.
            (_, false) => Err(io::ErrorKind::Interrupted.into()),
        }
    }
}

/// The interfaces that stand for these devices: themselves, or their ports if they are bridges.
/// Devices that stand for none, and why, come second.
pub(super) fn resolve<'a>(
    devices: &'a [String],
    links: &'a [Link],
) -> (Vec<&'a Link>, Vec<(&'a str, AttachNote)>) {
    let mut found: Vec<&Link> = Vec::new();
    let mut missing = Vec::new();
    for device in devices {
        let Some(link) = links.iter().find(|link| link.name == *device) else {
            missing.push((device.as_str(), AttachNote::NoDevice));
            continue;
        };
        let before = found.len();
        if link.is_bridge {
            let ports = links.iter().filter(|port| port.master == Some(link.index));
            found.extend(ports);
            if found.len() == before {
                missing.push((device.as_str(), AttachNote::NoPorts));
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
            is_running: true,
            ..Link::default()
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
                ("br-empty", AttachNote::NoPorts),
                ("usb0", AttachNote::NoDevice)
            ]
        );
    }
}
