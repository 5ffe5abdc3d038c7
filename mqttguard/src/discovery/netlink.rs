//! Requests to the kernel by rtnetlink(7), and its announcements.

use std::io;
use std::net::IpAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use mqttguard_common::Mac;
use netlink_packet_core::{
    NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NetlinkHeader, NetlinkMessage,
    NetlinkPayload,
};
use netlink_packet_route::address::{AddressAttribute, AddressMessage};
use netlink_packet_route::link::{InfoKind, LinkAttribute, LinkInfo, LinkMessage};
use netlink_packet_route::neighbour::{
    NeighbourAddress, NeighbourAttribute, NeighbourMessage, NeighbourState,
};
use netlink_packet_route::route::{RouteAttribute, RouteMessage, RouteType};
use netlink_packet_route::{AddressFamily, RouteNetlinkMessage};
use netlink_sys::{Socket, SocketAddr, protocols::NETLINK_ROUTE};

/// The kernel makes no datagram larger than this for a reader that offers so much.
const DATAGRAM: usize = 32 * 1024;
/// Ticks of a second in what the kernel tells of time (`sysconf(_SC_CLK_TCK)` on every Linux that
/// OpenWrt runs on).
const USER_HZ: u32 = 100;
/// A dump that was interrupted by a change is asked for again this often.
const DUMP_ATTEMPTS: usize = 5;

/// A socket to the kernel's routing tables.
pub(super) struct Netlink {
    socket: Socket,
    datagram: Vec<u8>,
    sequence: u32,
}

impl Netlink {
    /// A socket for requests.
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_ROUTE)?;
        socket.bind_auto()?;
        Ok(Netlink {
            socket,
            datagram: Vec::with_capacity(DATAGRAM),
            sequence: 0,
        })
    }

    /// A socket that announcements of these groups come in on, and that does not block.
    pub(super) fn subscribe(groups: &[u32]) -> io::Result<Self> {
        let netlink = Self::open()?;
        netlink.socket.set_non_blocking(true)?;
        for group in groups {
            netlink.socket.add_membership(*group)?;
        }
        Ok(netlink)
    }

    /// Hands every message of the next datagram to `each`: its header and bytes.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; `ENOBUFS` if announcements were lost.
    pub(super) fn receive(
        &mut self,
        mut each: impl FnMut(NetlinkBuffer<&[u8]>, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.datagram.clear();
        let (_, from) = self.socket.recv_from(&mut self.datagram, 0)?;
        if from.port_number() != 0 {
            // Not the kernel.
            return Ok(());
        }
        let mut rest = self.datagram.as_slice();
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
            let Some(bytes) = rest.get(..length).filter(|bytes| !bytes.is_empty()) else {
                break;
            };
            each(message, bytes)?;
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        Ok(())
    }

    /// Sends a request and hands every answer to `each`. With [`NLM_F_DUMP`] the answers end with
    /// a message of their own; without, there is one.
    fn request(
        &mut self,
        message: RouteNetlinkMessage,
        flags: u16,
        mut each: impl FnMut(RouteNetlinkMessage),
    ) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let sequence = self.sequence;
        let mut header = NetlinkHeader::default();
        header.flags = NLM_F_REQUEST | flags;
        header.sequence_number = sequence;
        let mut request = NetlinkMessage::new(header, NetlinkPayload::InnerMessage(message));
        request.finalize();
        let mut bytes = vec![0; request.buffer_len()];
        request.serialize(&mut bytes);
        self.socket.send_to(&bytes, &SocketAddr::new(0, 0), 0)?;

        let mut done = false;
        let mut interrupted = false;
        while !done {
            self.receive(|message, bytes| {
                if message.sequence_number() != sequence {
                    return Ok(());
                }
                interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                match NetlinkMessage::deserialize(bytes).map(|message| message.payload) {
                    Ok(NetlinkPayload::InnerMessage(answer)) => {
                        done |= flags & NLM_F_DUMP == 0;
                        each(answer);
                    }
                    Ok(NetlinkPayload::Done(_)) => done = true,
                    Ok(NetlinkPayload::Error(error)) if error.code.is_some() => {
                        return Err(error.to_io());
                    }
                    Ok(_) => done = true,
                    Err(error) => {
                        log::debug!("netlink: a message that cannot be read: {error}");
                        done |= flags & NLM_F_DUMP == 0;
                    }
                }
                Ok(())
            })?;
        }
        if interrupted {
            Err(io::ErrorKind::Interrupted.into())
        } else {
            Ok(())
        }
    }

    /// Asks for a whole table. Repeats what changed while it was read.
    fn dump<T>(
        message: &RouteNetlinkMessage,
        mut take: impl FnMut(RouteNetlinkMessage) -> Option<T>,
    ) -> io::Result<Vec<T>> {
        let mut table = Vec::new();
        let mut result = Ok(());
        for _ in 0..DUMP_ATTEMPTS {
            table.clear();
            // A socket each: one whose dump failed may have answers left in it.
            let each = |answer| table.extend(take(answer));
            result = Self::open()?.request(message.clone(), NLM_F_DUMP, each);
            match &result {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                _ => break,
            }
        }
        match result {
            // A table that never stands still is better than none: each entry in it was true.
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(table),
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// One network interface.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Its name.
    pub name: String,
    /// Its index, which is another when it comes back.
    pub index: u32,
    /// It is a bridge, and stands for its ports.
    pub is_bridge: bool,
}

/// The router's network interfaces.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn links() -> io::Result<Vec<Link>> {
    let all = RouteNetlinkMessage::GetLink(LinkMessage::default());
    Netlink::dump(&all, |answer| match answer {
        RouteNetlinkMessage::NewLink(message) => link(message),
        _ => None,
    })
}

fn link(message: LinkMessage) -> Option<Link> {
    let (mut name, mut is_bridge) = (None, false);
    for attribute in message.attributes {
        match attribute {
            LinkAttribute::IfName(text) => name = Some(text),
            LinkAttribute::LinkInfo(infos) => {
                is_bridge = infos.contains(&LinkInfo::Kind(InfoKind::Bridge));
            }
            _ => {}
        }
    }
    Some(Link {
        name: name?,
        index: message.header.index,
        is_bridge,
    })
}

/// An entry of the neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Neighbour {
    pub(super) ifindex: u32,
    pub(super) address: IpAddr,
    /// Absent while the kernel has not found out.
    pub(super) mac: Option<Mac>,
    pub(super) state: NeighbourState,
    /// For how long the kernel has had no proof that the device is there.
    pub(super) unconfirmed: Duration,
}

impl Neighbour {
    /// The entry in a message; `None` for what is no IP neighbour with an Ethernet address, such
    /// as the forwarding entries of a bridge, which are announced to the same group.
    pub(super) fn from_message(message: &NeighbourMessage) -> Option<Self> {
        let mut address = None;
        let mut mac = None;
        let mut unconfirmed = Duration::ZERO;
        for attribute in &message.attributes {
            match attribute {
                NeighbourAttribute::Destination(NeighbourAddress::Inet(v4)) => {
                    address = Some(IpAddr::V4(*v4));
                }
                NeighbourAttribute::Destination(NeighbourAddress::Inet6(v6)) => {
                    address = Some(IpAddr::V6(*v6));
                }
                NeighbourAttribute::LinkLayerAddress(bytes) => {
                    mac = <[u8; 6]>::try_from(bytes.as_slice()).ok().map(Mac);
                }
                NeighbourAttribute::CacheInfo(info) => {
                    unconfirmed = Duration::from_secs(u64::from(info.confirmed / USER_HZ));
                }
                _ => {}
            }
        }
        let state = message.header.state;
        Some(Neighbour {
            ifindex: message.header.ifindex,
            address: address?,
            mac,
            state,
            unconfirmed,
        })
    }

    /// Whether the kernel would send frames for the address to [`Self::mac`].
    fn is_valid(&self) -> bool {
        use NeighbourState::{Delay, Permanent, Probe, Reachable, Stale};
        matches!(self.state, Reachable | Stale | Delay | Probe | Permanent)
    }
}

/// All IPv4 and IPv6 neighbours.
pub(super) fn neighbours() -> io::Result<Vec<Neighbour>> {
    let mut all = neighbours_of(AddressFamily::Inet)?;
    all.extend(neighbours_of(AddressFamily::Inet6)?);
    Ok(all)
}

fn neighbours_of(family: AddressFamily) -> io::Result<Vec<Neighbour>> {
    let mut message = NeighbourMessage::default();
    message.header.family = family;
    Netlink::dump(
        &RouteNetlinkMessage::GetNeighbour(message),
        |answer| match answer {
            RouteNetlinkMessage::NewNeighbour(message) => Neighbour::from_message(&message),
            _ => None,
        },
    )
}

/// The index of the interface on whose link this address is; `None` if it is behind another router.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn link_of(addr: IpAddr) -> io::Result<Option<u32>> {
    on_link(&mut Netlink::open()?, addr.to_canonical())
}

/// The MAC of the device on the same link that holds this address now, by the kernel's neighbour
/// table; `None` if there is none. For the peer of an open TCP connection there is one, unless it
/// comes through another router.
///
/// IPv6 link-local addresses are looked for on every link; if two links disagree, the answer is
/// `None`.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn neighbour_mac(addr: IpAddr) -> io::Result<Option<Mac>> {
    let addr = addr.to_canonical();
    let is_local_to_link = matches!(addr, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if is_local_to_link {
        let mut macs = neighbours_of(AddressFamily::Inet6)?
            .into_iter()
            .filter(|neighbour| neighbour.address == addr && neighbour.is_valid())
            .filter_map(|neighbour| neighbour.mac);
        let first = macs.next();
        return Ok(first.filter(|mac| macs.all(|other| other == *mac)));
    }
    let mut netlink = Netlink::open()?;
    // The kernel answers for one address only if told the device (neigh_get in net/core).
    let Some(ifindex) = on_link(&mut netlink, addr)? else {
        return Ok(None);
    };
    let mut message = NeighbourMessage::default();
    message.header.family = family(addr);
    message.header.ifindex = ifindex;
    message
        .attributes
        .push(NeighbourAttribute::Destination(addr.into()));
    let mut found = None;
    let result = netlink.request(RouteNetlinkMessage::GetNeighbour(message), 0, |answer| {
        if let RouteNetlinkMessage::NewNeighbour(message) = answer {
            found = Neighbour::from_message(&message);
        }
    });
    match result {
        Ok(()) => {
            let found = found.filter(|found| found.address == addr && found.is_valid());
            Ok(found
                .and_then(|found| found.mac)
                .filter(|mac| mac.is_device()))
        }
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOENT.raw_os_error()) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn family(addr: IpAddr) -> AddressFamily {
    if addr.is_ipv4() {
        AddressFamily::Inet
    } else {
        AddressFamily::Inet6
    }
}

/// The device by which packets go to this address without another router between; `None` if
/// there is none.
fn on_link(netlink: &mut Netlink, addr: IpAddr) -> io::Result<Option<u32>> {
    let mut message = RouteMessage::default();
    message.header.address_family = family(addr);
    message.header.destination_prefix_length = if addr.is_ipv4() { 32 } else { 128 };
    message
        .attributes
        .push(RouteAttribute::Destination(addr.into()));
    let mut device = None;
    let result = netlink.request(RouteNetlinkMessage::GetRoute(message), 0, |answer| {
        let RouteNetlinkMessage::NewRoute(route) = answer else {
            return;
        };
        let direct = route.header.kind == RouteType::Unicast
            && !route.attributes.iter().any(|attribute| {
                matches!(
                    attribute,
                    RouteAttribute::Gateway(_) | RouteAttribute::Via(_)
                )
            });
        if direct {
            device = route
                .attributes
                .iter()
                .find_map(|attribute| match attribute {
                    RouteAttribute::Oif(index) => Some(*index),
                    _ => None,
                });
        }
    });
    match result.as_ref().map_err(io::Error::kind) {
        Ok(()) => Ok(device),
        Err(io::ErrorKind::NetworkUnreachable | io::ErrorKind::HostUnreachable) => Ok(None),
        Err(_) => result.map(|()| None),
    }
}

/// Every address of this machine, on all interfaces.
///
/// # Errors
///
/// When the kernel does not answer.
pub fn local_addresses() -> io::Result<Vec<IpAddr>> {
    let message = RouteNetlinkMessage::GetAddress(AddressMessage::default());
    let mut addresses = Netlink::dump(&message, |answer| {
        let RouteNetlinkMessage::NewAddress(message) = answer else {
            return None;
        };
        // On a point-to-point link `Address` is the other end's.
        let local = message
            .attributes
            .iter()
            .find_map(|attribute| match attribute {
                AddressAttribute::Local(address) => Some(*address),
                _ => None,
            });
        local.or_else(|| {
            message
                .attributes
                .iter()
                .find_map(|attribute| match attribute {
                    AddressAttribute::Address(address) => Some(*address),
                    _ => None,
                })
        })
    })?;
    addresses.sort_unstable();
    addresses.dedup();
    Ok(addresses)
}
