//! The neighbour table: ARP's and NDP's.

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use mqttguard_common::Mac;

use super::message::{Message, address, attributes, half_word, mac, octets, push, word};
use super::route::on_link;
use super::socket::{Family, Socket};

// linux/rtnetlink.h
const RTM_NEWNEIGH: u16 = 28;
const RTM_DELNEIGH: u16 = 29;
const RTM_GETNEIGH: u16 = 30;
/// struct ndmsg.
const NDMSG: usize = 12;

// linux/neighbour.h
const NDA_DST: u16 = 1;
const NDA_LLADDR: u16 = 2;
const NDA_CACHEINFO: u16 = 3;

/// Ticks of a second in what the kernel tells of time (`sysconf(_SC_CLK_TCK)` on every Linux that
/// OpenWrt runs on).
const USER_HZ: u32 = 100;

/// What the kernel thinks of a neighbour (linux/neighbour.h, `NUD_*`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum NeighbourState {
    Incomplete,
    Reachable,
    Stale,
    Delay,
    Probe,
    Failed,
    Noarp,
    Permanent,
    /// None of these.
    Other,
}

impl NeighbourState {
    fn from_bits(bits: u16) -> Self {
        match bits {
            0x01 => Self::Incomplete,
            0x02 => Self::Reachable,
            0x04 => Self::Stale,
            0x08 => Self::Delay,
            0x10 => Self::Probe,
            0x20 => Self::Failed,
            0x40 => Self::Noarp,
            0x80 => Self::Permanent,
            _ => Self::Other,
        }
    }
}

/// An entry of the neighbour table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Neighbour {
    pub(crate) ifindex: u32,
    pub(crate) address: IpAddr,
    /// Absent while the kernel has not found out.
    pub(crate) mac: Option<Mac>,
    pub(crate) state: NeighbourState,
    /// For how long the kernel has had no proof that the device is there.
    pub(crate) unconfirmed: Duration,
}

impl Neighbour {
    /// The entry in a message; None for what is no neighbour by IP, such as the forwarding
    /// entries of a bridge, which are announced to the same group.
    fn parse(body: &[u8]) -> Option<Self> {
        let family = *body.first()?;
        let (mut destination, mut hardware, mut unconfirmed) = (None, None, Duration::ZERO);
        for (kind, value) in attributes(body.get(NDMSG..)?) {
            match kind {
                NDA_DST => destination = address(family, value),
                NDA_LLADDR => hardware = mac(value),
                // The first of struct nda_cacheinfo.
                NDA_CACHEINFO => {
                    let ticks = word(value, 0).unwrap_or_default();
                    unconfirmed = Duration::from_secs(u64::from(ticks / USER_HZ));
                }
                _ => {}
            }
        }
        Some(Neighbour {
            ifindex: word(body, 4)?,
            address: destination?,
            mac: hardware,
            state: NeighbourState::from_bits(half_word(body, 8)?),
            unconfirmed,
        })
    }

    /// Whether the kernel would send frames for the address to [`Self::mac`].
    fn is_valid(&self) -> bool {
        use NeighbourState::{Delay, Permanent, Probe, Reachable, Stale};
        matches!(self.state, Reachable | Stale | Delay | Probe | Permanent)
    }
}

/// The neighbour that an announcement is about, and whether it was removed.
pub(crate) fn announced(message: &Message<'_>) -> Option<(Neighbour, bool)> {
    let removed = match message.kind {
        RTM_NEWNEIGH => false,
        RTM_DELNEIGH => true,
        _ => return None,
    };
    Some((Neighbour::parse(message.body)?, removed))
}

/// All IPv4 and IPv6 neighbours. A table that never stands still is better than none: each entry
/// in it was true.
pub(crate) fn neighbours() -> io::Result<Vec<Neighbour>> {
    let mut all = neighbours_of(libc::AF_INET as u8)?;
    all.extend(neighbours_of(libc::AF_INET6 as u8)?);
    Ok(all)
}

fn neighbours_of(family: u8) -> io::Result<Vec<Neighbour>> {
    let mut socket = Socket::open(Family::Route)?;
    let take = |kind, body: &[u8]| Neighbour::parse(body).filter(|_| kind == RTM_NEWNEIGH);
    Ok(socket.table(RTM_GETNEIGH, &ndmsg(family, 0), take)?.0)
}

fn ndmsg(family: u8, ifindex: u32) -> Vec<u8> {
    let mut body = vec![family, 0, 0, 0];
    body.extend(ifindex.to_ne_bytes());
    body.resize(NDMSG, 0);
    body
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
    let (family, bytes) = octets(addr);
    let is_local_to_link = matches!(addr, IpAddr::V6(v6) if v6.is_unicast_link_local());
    if is_local_to_link {
        let mut macs = neighbours_of(family)?
            .into_iter()
            .filter(|neighbour| neighbour.address == addr && neighbour.is_valid())
            .filter_map(|neighbour| neighbour.mac);
        let first = macs.next();
        return Ok(first.filter(|mac| macs.all(|other| other == *mac)));
    }
    let mut socket = Socket::open(Family::Route)?;
    // The kernel answers for one address only if told the device (neigh_get in net/core).
    let Some(ifindex) = on_link(&mut socket, addr)? else {
        return Ok(None);
    };
    let mut body = ndmsg(family, ifindex);
    push(&mut body, NDA_DST, &bytes);
    let mut found = None;
    let asked = socket.ask(RTM_GETNEIGH, &body, |kind, body| {
        found = Neighbour::parse(body).filter(|_| kind == RTM_NEWNEIGH);
    });
    match asked {
        Ok(()) => {
            let found = found.filter(|found| found.address == addr && found.is_valid());
            Ok(found
                .and_then(|found| found.mac)
                .filter(|mac| mac.is_device()))
        }
        Err(error) if error.raw_os_error() == Some(libc::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AF_BRIDGE: u8 = 7;

    fn entry(family: u8) -> Vec<u8> {
        let mut body = ndmsg(family, 3);
        body[8..10].copy_from_slice(&0x04u16.to_ne_bytes());
        push(&mut body, NDA_DST, &[192, 0, 2, 7]).unwrap();
        push(&mut body, NDA_LLADDR, &[2, 0, 0, 0, 0, 7]).unwrap();
        let mut cache_info = 6150u32.to_ne_bytes().to_vec();
        cache_info.extend([0xff; 12]);
        push(&mut body, NDA_CACHEINFO, &cache_info).unwrap();
        body
    }

    #[test]
    fn an_entry_is_read() {
        let expected = Neighbour {
            ifindex: 3,
            address: [192, 0, 2, 7].into(),
            mac: Some(Mac([2, 0, 0, 0, 0, 7])),
            state: NeighbourState::Stale,
            unconfirmed: Duration::from_secs(61),
        };
        let body = entry(libc::AF_INET as u8);
        assert_eq!(Neighbour::parse(&body), Some(expected));
        // Of a bridge, and with an address of the wrong length.
        assert_eq!(Neighbour::parse(&entry(AF_BRIDGE)), None);
        assert_eq!(Neighbour::parse(&entry(libc::AF_INET6 as u8)), None);
        assert_eq!(Neighbour::parse(&ndmsg(libc::AF_INET as u8, 3)), None);
    }

    #[test]
    fn no_bytes_make_the_parser_fail() {
        super::super::tests::garble(&entry(libc::AF_INET as u8), |body| {
            let _ = Neighbour::parse(body);
        });
    }

    #[test]
    fn who_is_not_on_the_link_has_no_mac() {
        assert_eq!(neighbour_mac([127, 0, 0, 1].into()).unwrap(), None);
        neighbours().unwrap();
    }
}
