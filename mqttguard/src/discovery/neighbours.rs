//! Watches the kernel's neighbour table (ARP and NDP) behind the guarded devices.
//!
//! What an entry's state says about its device:
//!
//! - reachable: it was heard from within the last half minute or so;
//! - stale, delay, probe: it was heard from some time, and nothing speaks against it: news only
//!   if the entry is new. A small table keeps stale entries for ever, so one that was not confirmed
//!   for an hour counts as gone;
//! - failed: it did not answer; removed: the kernel forgot it. Both mean gone;
//! - permanent, noarp: an administrator's entry, which says nothing of the device;
//! - incomplete: the kernel is asking.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::IpAddr;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mqttguard_common::Mac;

use super::reporter::{Fact, MAX_FACTS, REPEAT_AFTER, Reporter};
use super::{Source, Update};
use crate::netlink::{
    Family, Neighbour, NeighbourState, RTM_DELLINK, RTM_NEWLINK, RTNLGRP_LINK, RTNLGRP_NEIGH,
    Socket, announced, is_loss, neighbours,
};
use crate::outlet::{Closed, Outlet};
use crate::ubus::wake::{Backoff, Wake, wait};

/// A stale entry that was not confirmed for so long says nothing any more.
const STALE_MAX: Duration = Duration::from_secs(3600);

pub(super) struct Neighbours {
    guarded: Vec<String>,
    wake: Arc<Wake>,
    reporter: Reporter,
    /// Those of the guarded devices that exist, by index.
    devices: HashMap<u32, String>,
    /// Who was last seen at an address.
    holders: HashMap<(u32, IpAddr), Mac>,
}

/// What the announcements call for.
#[derive(Default)]
struct News {
    /// A device came, went or was renamed.
    links: bool,
    /// In the order of their announcement; true for entries that were removed.
    entries: Vec<(Neighbour, bool)>,
}

enum Failure {
    Closed,
    Io(io::Error),
}

impl From<Closed> for Failure {
    fn from(_: Closed) -> Self {
        Failure::Closed
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Io(error)
    }
}

impl Neighbours {
    pub(super) fn new(guarded: Vec<String>, wake: Arc<Wake>, out: Outlet<Update>) -> Self {
        Neighbours {
            guarded,
            wake,
            reporter: Reporter::new(Source::Neighbours, out),
            devices: HashMap::new(),
            holders: HashMap::new(),
        }
    }

    /// Runs until told to stop or nobody listens.
    pub(super) fn run(mut self) -> Result<(), Closed> {
        let mut backoff = Backoff::new();
        while !self.wake.stopped() {
            match self.watch(&mut backoff) {
                Ok(()) => return Ok(()),
                Err(Failure::Closed) => return Err(Closed),
                Err(Failure::Io(error)) => {
                    self.reporter.source(false, format!("rtnetlink: {error}"))?;
                }
            }
            backoff.pause(&self.wake);
        }
        Ok(())
    }

    fn watch(&mut self, backoff: &mut Backoff) -> Result<(), Failure> {
        let mut socket = Socket::subscribe(Family::Route, &[RTNLGRP_LINK, RTNLGRP_NEIGH])?;
        self.resolve()?;
        self.reconcile()?;
        backoff.reset();
        let mut reconciled = Instant::now();
        loop {
            let left = REPEAT_AFTER.saturating_sub(reconciled.elapsed());
            wait(&[socket.as_fd(), self.wake.as_fd()], Some(left))?;
            if self.wake.stopped() {
                return Ok(());
            }
            let (news, lost) = read(&mut socket)?;
            if news.links || lost {
                self.resolve()?;
            }
            for (entry, removed) in news.entries {
                self.apply(&entry, removed)?;
            }
            if news.links || lost || reconciled.elapsed() >= REPEAT_AFTER {
                self.reconcile()?;
                reconciled = Instant::now();
            }
        }
    }

    /// Finds out which of the guarded devices exist.
    fn resolve(&mut self) -> Result<(), Failure> {
        let socket = rustix::net::socket_with(
            rustix::net::AddressFamily::INET,
            rustix::net::SocketType::DGRAM,
            rustix::net::SocketFlags::CLOEXEC,
            None,
        )
        .map_err(io::Error::from)?;
        let index = |name: &String| {
            let index = rustix::net::netdevice::name_to_index(&socket, name).ok()?;
            Some((index, name.clone()))
        };
        self.devices = self.guarded.iter().filter_map(index).collect();
        if self.devices.is_empty() {
            let names = self.guarded.join(", ");
            let why = if names.is_empty() {
                "none is guarded"
            } else {
                &names
            };
            self.reporter
                .source(false, format!("no such device: {why}"))?;
        } else {
            let mut names: Vec<_> = self.devices.values().map(String::as_str).collect();
            names.sort_unstable();
            self.reporter.source(true, names.join(", "))?;
        }
        Ok(())
    }

    /// Brings what was told in line with the table.
    fn reconcile(&mut self) -> Result<(), Failure> {
        let mut there = HashSet::new();
        for entry in neighbours()? {
            self.apply(&entry, false)?;
            there.insert((entry.ifindex, entry.address));
        }
        let gone: Vec<_> = self
            .holders
            .keys()
            .filter(|at| !there.contains(*at) || !self.devices.contains_key(&at.0))
            .copied()
            .collect();
        for at in gone {
            self.leave(at)?;
        }
        Ok(())
    }

    fn apply(&mut self, entry: &Neighbour, removed: bool) -> Result<(), Closed> {
        let at = (entry.ifindex, entry.address);
        let Some(device) = self.devices.get(&entry.ifindex).cloned() else {
            return Ok(());
        };
        let expired = entry.state == NeighbourState::Stale && entry.unconfirmed >= STALE_MAX;
        if removed || expired || entry.state == NeighbourState::Failed {
            return self.leave(at);
        }
        let heard = match entry.state {
            NeighbourState::Reachable => true,
            NeighbourState::Stale | NeighbourState::Delay | NeighbourState::Probe => false,
            _ => return Ok(()),
        };
        let Some(mac) = entry.mac.filter(|mac| mac.is_device()) else {
            return Ok(());
        };
        let holder = self.holders.get(&at).copied();
        if holder.is_some_and(|holder| holder != mac) {
            self.leave(at)?;
        }
        if self.holders.len() < MAX_FACTS {
            self.holders.insert(at, mac);
        }
        let fact = Fact {
            interface: Some(device),
            heard,
            ..Fact::default()
        };
        self.reporter.present((mac, Some(entry.address)), fact)
    }

    fn leave(&mut self, at: (u32, IpAddr)) -> Result<(), Closed> {
        match self.holders.remove(&at) {
            Some(mac) => self.reporter.gone((mac, Some(at.1))),
            None => Ok(()),
        }
    }
}

/// Reads all announcements that are there; true if some were lost.
fn read(socket: &mut Socket) -> io::Result<(News, bool)> {
    let mut news = News::default();
    let mut lost = false;
    // No more in one go than are worth remembering: after that the table itself is shorter.
    while news.entries.len() < MAX_FACTS {
        match socket.receive() {
            Ok(messages) => {
                for message in messages {
                    news.links |= matches!(message.kind, RTM_NEWLINK | RTM_DELLINK);
                    news.entries.extend(announced(&message));
                }
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if is_loss(&error) => lost = true,
            Err(error) => return Err(error),
        }
        if lost {
            // What is still queued is older than what was lost, and than the table to be read.
            news.entries.clear();
        }
    }
    Ok((news, lost))
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::sync_channel;

    use super::*;

    fn stale(unconfirmed: u64) -> Neighbour {
        Neighbour {
            ifindex: 7,
            address: IpAddr::from([192, 168, 77, 2]),
            mac: Some(Mac([2, 0, 0, 0, 0, 1])),
            state: NeighbourState::Stale,
            unconfirmed: Duration::from_secs(unconfirmed),
        }
    }

    #[test]
    fn a_stale_entry_is_believed_for_an_hour() {
        let (out, updates) = sync_channel(8);
        let wake = Arc::new(Wake::new().unwrap());
        let mut neighbours = Neighbours::new(vec!["br-lan".to_owned()], wake, out.into());
        neighbours.devices.insert(7, "br-lan".to_owned());
        let mut told = |entry| {
            neighbours.apply(&entry, false).unwrap();
            let presence = |update| match update {
                Update::Sighting(sighting) => sighting.present,
                other => panic!("{other:?}"),
            };
            updates.try_iter().map(presence).collect::<Vec<_>>()
        };
        assert_eq!(told(stale(60)), vec![true]);
        assert_eq!(told(stale(3599)), Vec::<bool>::new());
        assert_eq!(told(stale(3600)), vec![false]);
        assert_eq!(told(stale(4000)), Vec::<bool>::new());
        assert_eq!(told(stale(1)), vec![true]);
    }
}
