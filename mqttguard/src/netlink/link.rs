//! Network interfaces.

use std::io;

use mqttguard_common::Mac;

use super::message::{attributes, half_word, mac, text, word};
use super::socket::{Family, Socket};

// linux/rtnetlink.h
pub(crate) const RTM_NEWLINK: u16 = 16;
pub(crate) const RTM_DELLINK: u16 = 17;
const RTM_GETLINK: u16 = 18;
/// struct ifinfomsg.
const IFINFOMSG: usize = 16;

// linux/if_link.h
const IFLA_ADDRESS: u16 = 1;
const IFLA_IFNAME: u16 = 3;
const IFLA_LINK: u16 = 5;
const IFLA_MASTER: u16 = 10;
const IFLA_LINKINFO: u16 = 18;
const IFLA_STATS64: u16 = 23;
const IFLA_XDP: u16 = 43;
const IFLA_INFO_KIND: u16 = 1;
const IFLA_INFO_DATA: u16 = 2;
const IFLA_VLAN_ID: u16 = 1;
const IFLA_VLAN_PROTOCOL: u16 = 5;
const IFLA_XDP_DRV_PROG_ID: u16 = 5;
const IFLA_XDP_SKB_PROG_ID: u16 = 6;

/// One network interface, as the kernel tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index, which is another when it comes back.
    pub index: u32,
    /// The bridge or other device that it is a port of.
    pub master: Option<u32>,
    /// It is a bridge, and stands for its ports.
    pub is_bridge: bool,
    /// The device that it is a VLAN of.
    pub vlan_of: Option<u32>,
    /// Its number as a VLAN of IEEE 802.1Q.
    pub vlan: Option<u16>,
    /// Up, and with a carrier.
    pub is_running: bool,
    /// Its address, if it is of Ethernet.
    pub mac: Option<Mac>,
    /// Frames received since it exists.
    pub rx_packets: u64,
    /// Identifier of the XDP program in the driver, whoever's it is.
    pub native_xdp: Option<u32>,
    /// Identifier of the generic XDP program.
    pub generic_xdp: Option<u32>,
}

/// The router's network interfaces. In a table that never stands still some may be missing.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn links() -> io::Result<Vec<Link>> {
    Ok(link_table(&mut Socket::open(Family::Route)?)?.0)
}

/// The network interfaces of the socket's network namespace, and whether they are all.
pub(crate) fn link_table(socket: &mut Socket) -> io::Result<(Vec<Link>, bool)> {
    socket.table(RTM_GETLINK, &[0; IFINFOMSG], |kind, body| {
        Link::parse(body).filter(|_| kind == RTM_NEWLINK)
    })
}

impl Link {
    /// The interface in a message; None if it has no name.
    fn parse(body: &[u8]) -> Option<Link> {
        const RUNNING: u32 = (libc::IFF_UP | libc::IFF_RUNNING) as u32;
        let mut link = Link {
            index: word(body, 4)?,
            is_running: word(body, 8)? & RUNNING == RUNNING,
            ..Link::default()
        };
        let mut lower = None;
        let mut info = Info::default();
        for (kind, value) in attributes(body.get(IFINFOMSG..)?) {
            match kind {
                IFLA_IFNAME => link.name = text(value),
                IFLA_ADDRESS => link.mac = mac(value),
                IFLA_LINK => lower = word(value, 0),
                IFLA_MASTER => link.master = word(value, 0),
                IFLA_LINKINFO => info = Info::parse(value),
                // Received frames are the first of struct rtnl_link_stats64.
                IFLA_STATS64 => {
                    link.rx_packets = value.first_chunk().copied().map_or(0, u64::from_ne_bytes);
                }
                IFLA_XDP => link.read_xdp(value),
                _ => {}
            }
        }
        link.is_bridge = info.kind == "bridge";
        if info.kind == "vlan" {
            link.vlan = info.vlan();
            // Of other kinds it may be the index of an interface in another namespace.
            link.vlan_of = lower;
        }
        (!link.name.is_empty()).then_some(link)
    }

    fn read_xdp(&mut self, value: &[u8]) {
        for (kind, value) in attributes(value) {
            match kind {
                IFLA_XDP_DRV_PROG_ID => self.native_xdp = word(value, 0),
                IFLA_XDP_SKB_PROG_ID => self.generic_xdp = word(value, 0),
                _ => {}
            }
        }
    }
}

/// What kind of link it is.
#[derive(Default)]
struct Info<'a> {
    kind: String,
    /// Attributes whose meaning depends on the kind.
    data: &'a [u8],
}

impl<'a> Info<'a> {
    fn parse(value: &'a [u8]) -> Self {
        let mut info = Info::default();
        for (kind, value) in attributes(value) {
            match kind {
                IFLA_INFO_KIND => info.kind = text(value),
                IFLA_INFO_DATA => info.data = value,
                _ => {}
            }
        }
        info
    }

    /// The number of a VLAN, if it is one of IEEE 802.1Q and not of 802.1ad.
    fn vlan(&self) -> Option<u16> {
        const ETH_P_8021Q: [u8; 2] = 0x8100u16.to_be_bytes();
        let mut number = None;
        for (kind, value) in attributes(self.data) {
            match kind {
                IFLA_VLAN_ID => number = half_word(value, 0),
                IFLA_VLAN_PROTOCOL if value != ETH_P_8021Q => return None,
                _ => {}
            }
        }
        number
    }
}

#[cfg(test)]
mod tests {
    use super::super::message::push;
    use super::*;

    fn message(index: u32, flags: u32, list: &[(u16, &[u8])]) -> Vec<u8> {
        let mut body = vec![0; 4];
        body.extend(index.to_ne_bytes());
        body.extend(flags.to_ne_bytes());
        body.extend([0; 4]);
        body.extend(nested(list));
        body
    }

    fn nested(list: &[(u16, &[u8])]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (kind, value) in list {
            push(&mut bytes, *kind, value).unwrap();
        }
        bytes
    }

    /// A VLAN of the interface 4 with the number 7.
    fn vlan(protocol: u16) -> Vec<u8> {
        let data = nested(&[
            (IFLA_VLAN_ID, &7u16.to_ne_bytes()),
            (IFLA_VLAN_PROTOCOL, &protocol.to_be_bytes()),
        ]);
        let info = nested(&[(IFLA_INFO_KIND, b"vlan\0"), (IFLA_INFO_DATA, &data)]);
        let xdp = nested(&[(2, &[4]), (IFLA_XDP_SKB_PROG_ID, &9u32.to_ne_bytes())]);
        let mut stats = 321u64.to_ne_bytes().to_vec();
        stats.extend([0xff; 184]);
        message(
            5,
            0x1_0041,
            &[
                (IFLA_IFNAME, b"lan.7\0"),
                (IFLA_ADDRESS, &[2, 0, 0, 0, 0, 1]),
                (IFLA_LINK, &4u32.to_ne_bytes()),
                (IFLA_MASTER, &3u32.to_ne_bytes()),
                (IFLA_STATS64, &stats),
                (IFLA_LINKINFO, &info),
                (IFLA_XDP, &xdp),
            ],
        )
    }

    #[test]
    fn a_link_is_read() {
        let mut expected = Link {
            name: "lan.7".into(),
            index: 5,
            master: Some(3),
            is_bridge: false,
            vlan_of: Some(4),
            vlan: Some(7),
            is_running: true,
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            rx_packets: 321,
            native_xdp: None,
            generic_xdp: Some(9),
        };
        assert_eq!(Link::parse(&vlan(0x8100)), Some(expected.clone()));
        expected.vlan = None;
        assert_eq!(Link::parse(&vlan(0x88a8)), Some(expected));

        let bridge = nested(&[(IFLA_INFO_KIND, b"bridge\0")]);
        let list: [(u16, &[u8]); 3] = [
            (IFLA_IFNAME, b"br-lan\0"),
            (IFLA_LINK, &9u32.to_ne_bytes()),
            (IFLA_LINKINFO, &bridge),
        ];
        let bridge = Link::parse(&message(6, 1, &list)).unwrap();
        assert!(bridge.is_bridge && !bridge.is_running);
        assert_eq!(bridge.vlan_of, None);
        assert_eq!(Link::parse(&message(6, 1, &[])), None);
    }

    #[test]
    fn no_bytes_make_the_parser_fail() {
        super::super::tests::garble(&vlan(0x8100), |body| {
            let _ = Link::parse(body);
        });
    }

    #[test]
    fn every_machine_has_a_loopback_interface() {
        let (links, _) = link_table(&mut Socket::open(Family::Route).unwrap()).unwrap();
        let loopback = links.iter().find(|link| link.name == "lo").unwrap();
        assert_eq!((loopback.index, loopback.mac), (1, Some(Mac([0; 6]))));
    }
}
