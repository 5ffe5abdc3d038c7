//! Addresses of the names that exceptions are for.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, ToSocketAddrs};

use super::address::is_outside;

/// Addresses that are taken of one name.
pub(super) const ADDRESSES: usize = 8;

/// What names were found to be; None for one that could not be looked up now.
pub(crate) type Found = BTreeMap<String, Option<BTreeSet<IpAddr>>>;

/// Looks names up, by the router's resolver: the one that the devices ask, so that both learn the
/// same. Takes its time. Addresses of the house are left out: whoever owns a name may point it there.
pub(crate) fn look_up(names: BTreeSet<String>, own: &[IpAddr]) -> Found {
    let found = names.into_iter().map(|name| {
        // The port is of no account.
        let addresses = (name.as_str(), 0).to_socket_addrs().ok();
        let addresses = addresses.map(|found| {
            let found = found.map(|found| found.ip());
            let outside = found.filter(|address| is_outside(*address, own));
            outside.take(ADDRESSES).collect()
        });
        (name, addresses)
    });
    found.collect()
}
