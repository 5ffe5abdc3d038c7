//! Connections that the router tracks, and their end.
//!
//! A connection that is offloaded goes past the hooks that the kernel program may be on. When its
//! tracking entry goes, so does its place in the flow table, and its next packet takes the long
//! way, where it is looked at.

use std::collections::BTreeSet;
use std::io;
use std::net::IpAddr;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use mqttguard_common::MAX_DEVICES;

use crate::netlink::{Family, Socket, attributes, push};

/// An attribute that attributes are in (linux/netlink.h).
const NLA_F_NESTED: u16 = 0x8000;

// linux/netfilter/nfnetlink.h, nfnetlink_conntrack.h: the message's type is in the low byte, the
// subsystem in the high one.
const NFNL_SUBSYS_CTNETLINK: u16 = 1 << 8;
const CT_NEW: u16 = NFNL_SUBSYS_CTNETLINK;
const CT_GET: u16 = NFNL_SUBSYS_CTNETLINK | 1;
const CT_DELETE: u16 = NFNL_SUBSYS_CTNETLINK | 2;
const CTA_TUPLE_ORIG: u16 = 1;
const CTA_TUPLE_REPLY: u16 = 2;
const CTA_ID: u16 = 12;
const CTA_ZONE: u16 = 18;
const CTA_TUPLE_IP: u16 = 1;
const CTA_IP_V4_SRC: u16 = 1;
const CTA_IP_V4_DST: u16 = 2;
const CTA_IP_V6_SRC: u16 = 3;
const CTA_IP_V6_DST: u16 = 4;
/// struct nfgenmsg: family, version, resource.
const NFGENMSG: usize = 4;

/// Ends connections on a thread of its own: a router may track a hundred thousand.
pub struct Connections {
    requests: SyncSender<BTreeSet<IpAddr>>,
    unfinished: Arc<Unfinished>,
}

/// Requests that are not carried out yet.
#[derive(Default)]
struct Unfinished {
    count: Mutex<usize>,
    none: Condvar,
}

impl Unfinished {
    fn count(&self) -> MutexGuard<'_, usize> {
        // A number is whole whoever panicked.
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begun(&self) {
        let mut count = self.count();
        *count = count.saturating_add(1);
    }

    fn done(&self, requests: usize) {
        let mut count = self.count();
        *count = count.saturating_sub(requests);
        if *count == 0 {
            self.none.notify_all();
        }
    }
}

impl Connections {
    /// Starts the thread. It ends when this is dropped.
    ///
    /// # Errors
    ///
    /// The thread cannot be started.
    pub fn start() -> io::Result<Connections> {
        // Each device at most once at a time.
        let (requests, inbox) = sync_channel(MAX_DEVICES as usize);
        let unfinished = Arc::new(Unfinished::default());
        let of_thread = Arc::clone(&unfinished);
        thread::Builder::new()
            .name("connections".into())
            .spawn(move || work(&inbox, &of_thread))?;
        Ok(Connections {
            requests,
            unfinished,
        })
    }

    /// Has every connection ended that has one of these addresses at either end. Returns at once.
    pub fn end(&self, addresses: BTreeSet<IpAddr>) {
        if addresses.is_empty() {
            return;
        }
        self.unfinished.begun();
        if self.requests.try_send(addresses).is_err() {
            self.unfinished.done(1);
            log::warn!("conntrack: too much to do; connections are left to end by themselves");
        }
    }

    /// Waits until all that were to end have ended: a connection that began meanwhile would end
    /// with them. False if that takes longer than `limit`.
    pub fn wait(&self, limit: Duration) -> bool {
        let none = &self.unfinished.none;
        none.wait_timeout_while(self.unfinished.count(), limit, |count| *count > 0)
            .is_ok_and(|(_, waited)| !waited.timed_out())
    }
}

fn work(inbox: &Receiver<BTreeSet<IpAddr>>, unfinished: &Unfinished) {
    while let Ok(mut addresses) = inbox.recv() {
        // One walk through the table for all that are waiting.
        let mut requests = 1;
        for more in inbox.try_iter() {
            addresses.extend(more);
            requests += 1;
        }
        match end_connections(&addresses) {
            Ok(0) => {}
            Ok(ended) => log::info!("conntrack: {ended} connections of cut-off devices ended"),
            Err(error) if is_absent(&error) => {
                log::debug!("conntrack: this kernel has none: {error}");
            }
            Err(error) => log::warn!("conntrack: {error}"),
        }
        unfinished.done(requests);
    }
}

/// Deletes the entries of all connections in this network namespace that have one of these
/// addresses at either end, before or after address translation. Returns how many there were.
///
/// # Errors
///
/// The kernel refuses; or has no connection tracking, in which case there was nothing to do.
pub fn end_connections(addresses: &BTreeSet<IpAddr>) -> io::Result<usize> {
    let mut table = Socket::open(Family::Netfilter)?;
    let mut orders = Socket::open(Family::Netfilter)?;
    let mut ended = 0;
    let all_families = [libc::AF_UNSPEC as u8, 0, 0, 0];
    table.dump(CT_GET, &all_families, |kind, body| {
        if kind != CT_NEW {
            return Ok(());
        }
        if let Some(order) = deletion(body, addresses) {
            match orders.ask(CT_DELETE, &order, |_, _| ()) {
                Ok(()) => ended += 1,
                // It ended by itself.
                Err(error) if error.raw_os_error() == Some(libc::ENOENT) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    })?;
    Ok(ended)
}

/// Whether this is the answer of a kernel that does not track connections, or does not speak of
/// it: `nf_conntrack` or `nf_conntrack_netlink` is missing.
fn is_absent(error: &io::Error) -> bool {
    matches!(
        error.raw_os_error(),
        Some(libc::EPROTONOSUPPORT | libc::EOPNOTSUPP | libc::EINVAL)
    )
}

/// The body of the message that deletes an entry, if it has one of the addresses. It names this
/// very entry, not one that took its place.
fn deletion(entry: &[u8], addresses: &BTreeSet<IpAddr>) -> Option<Vec<u8>> {
    let (header, rest) = entry.split_at_checked(NFGENMSG)?;
    let mut order = header.to_vec();
    let mut matches = false;
    for (kind, value) in attributes(rest) {
        if matches!(kind, CTA_TUPLE_ORIG | CTA_TUPLE_REPLY) {
            matches |= ends(value).any(|address| addresses.contains(&address));
        }
        // As the kernel said it. The tuple and the address in it are nested attributes.
        match kind {
            CTA_TUPLE_ORIG => push(&mut order, kind | NLA_F_NESTED, value)?,
            CTA_ID | CTA_ZONE => push(&mut order, kind, value)?,
            _ => {}
        }
    }
    matches.then_some(order)
}

/// The addresses in a tuple.
fn ends(tuple: &[u8]) -> impl Iterator<Item = IpAddr> {
    attributes(tuple)
        .filter(|(kind, _)| *kind == CTA_TUPLE_IP)
        .flat_map(|(_, addresses)| attributes(addresses))
        .filter_map(|(kind, value)| match kind {
            CTA_IP_V4_SRC | CTA_IP_V4_DST => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
            CTA_IP_V6_SRC | CTA_IP_V6_DST => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
            _ => None,
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attribute(kind: u16, value: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        push(&mut bytes, kind, value).unwrap();
        bytes
    }

    fn tuple(kind: u16, from: IpAddr, to: IpAddr) -> Vec<u8> {
        let bytes = |address| match address {
            IpAddr::V4(v4) => (CTA_IP_V4_SRC, v4.octets().to_vec()),
            IpAddr::V6(v6) => (CTA_IP_V6_SRC, v6.octets().to_vec()),
        };
        let ((source, from), (_, to)) = (bytes(from), bytes(to));
        let both = [attribute(source, &from), attribute(source + 1, &to)].concat();
        let ports = attribute(2, &[8, 0, 1, 0, 6, 0, 0, 0]);
        let inner = [attribute(CTA_TUPLE_IP | NLA_F_NESTED, &both), ports].concat();
        attribute(kind | NLA_F_NESTED, &inner)
    }

    fn entry() -> Vec<u8> {
        let [device, cloud, wan] = ["192.168.1.7", "192.0.2.1", "203.0.113.1"]
            .map(|address| address.parse::<IpAddr>().unwrap());
        [
            vec![2, 0, 0, 0],
            tuple(CTA_TUPLE_ORIG, device, cloud),
            tuple(CTA_TUPLE_REPLY, cloud, wan),
            attribute(3, &[0, 0, 1, 0x8e]),
            attribute(CTA_ID, &[1, 2, 3, 4]),
        ]
        .concat()
    }

    #[test]
    fn an_entry_is_deleted_for_an_address_at_either_end() {
        let entry = entry();
        for (address, expected) in [
            ("192.168.1.7", true),
            ("192.0.2.1", true),
            ("203.0.113.1", true),
            ("192.168.1.8", false),
            ("::ffff:192.168.1.7", false),
        ] {
            let order = deletion(&entry, &BTreeSet::from([address.parse().unwrap()]));
            assert_eq!(order.is_some(), expected, "{address}");
            let Some(order) = order else { continue };
            let kinds: Vec<_> = attributes(&order[NFGENMSG..])
                .map(|(kind, _)| kind)
                .collect();
            assert_eq!(kinds, [CTA_TUPLE_ORIG, CTA_ID]);
        }
    }

    #[test]
    fn a_wait_is_over_when_nothing_is_unfinished() {
        let (requests, inbox) = sync_channel(1);
        let connections = Connections {
            requests,
            unfinished: Arc::default(),
        };
        assert!(connections.wait(Duration::ZERO));
        let address = BTreeSet::from(["192.0.2.7".parse().unwrap()]);
        connections.end(BTreeSet::new());
        connections.end(address.clone());
        // There is no room for another.
        connections.end(address);
        assert!(!connections.wait(Duration::ZERO));
        let unfinished = Arc::clone(&connections.unfinished);
        let thread = thread::spawn(move || {
            assert!(inbox.recv().is_ok() && inbox.try_recv().is_err());
            unfinished.done(1);
        });
        assert!(connections.wait(Duration::from_secs(30)));
        thread.join().unwrap();
    }

    #[test]
    fn no_bytes_make_the_parser_fail() {
        let entry = entry();
        let addresses = BTreeSet::from(["192.168.1.7".parse().unwrap()]);
        for end in 0..entry.len() {
            let _ = deletion(&entry[..end], &addresses);
            for byte in [0, 1, 3, 4, 0x7f, 0xff] {
                let mut entry = entry.clone();
                entry[end] = byte;
                let _ = deletion(&entry, &addresses);
            }
        }
    }
}
