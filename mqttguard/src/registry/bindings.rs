//! Where a device is to send from: the interface that the owner names, the address that it
//! leases.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};

use mqttguard_common::Mac;

use super::sources::Sources;
use super::{Device, Registry, UnixMs};
use crate::config::Bindings;
use crate::discovery::{Link, Source};
use crate::events::EventKind;

/// The IPv4 addresses that a device leases, by the tables of the DHCP servers: a notification of
/// dnsmasq's also comes for an address that a device only says it has (DHCPINFORM, RFC 2131
/// section 3.4).
#[derive(Clone, Debug, Default)]
pub(super) struct Leases {
    held: BTreeMap<Ipv4Addr, Sources>,
    /// It has more than are followed: it is bound to none until all of them are gone.
    overflow: bool,
    bound: Option<Ipv4Addr>,
    /// When a lease ended that it was bound to.
    freed_ms: Option<UnixMs>,
}

impl Leases {
    /// Leases that are followed of one device.
    const MAX: usize = 16;
    /// How long it may send from any address after its lease changed: what it sent before is still
    /// under way.
    const GRACE_MS: u64 = 5_000;
    /// How often it gets that grace: who asks for another address every few seconds gets none.
    const GRACE_EVERY_MS: u64 = 600_000;

    pub(super) fn note(&mut self, source: Source, address: Option<IpAddr>, held: bool) {
        let (Some(IpAddr::V4(address)), Source::LeaseFile | Source::Odhcpd) = (address, source)
        else {
            return;
        };
        if held {
            if self.held.len() >= Self::MAX && !self.held.contains_key(&address) {
                self.overflow = true;
                return;
            }
            self.held.entry(address).or_default().set(source, true);
        } else if let Some(sources) = self.held.get_mut(&address) {
            sources.set(source, false);
            if sources.is_empty() {
                self.held.remove(&address);
            }
        }
        self.overflow &= !self.held.is_empty();
    }

    /// Binds and unbinds; true if that changed.
    pub(super) fn settle(&mut self, now: UnixMs) -> bool {
        let only = match self.held.first_key_value() {
            Some((address, _)) if self.held.len() == 1 && !self.overflow => Some(*address),
            _ => None,
        };
        if only == self.bound {
            return false;
        }
        let before = self.bound.take();
        if before.is_some() && !self.was_freed_within(Self::GRACE_EVERY_MS, now) {
            self.freed_ms = Some(now);
        }
        if !self.was_freed_within(Self::GRACE_MS, now) {
            self.bound = only;
        }
        self.bound != before
    }

    fn was_freed_within(&self, span_ms: u64, now: UnixMs) -> bool {
        self.freed_ms
            .is_some_and(|then| now.abs_diff(then) < span_ms)
    }
}

/// The interface that a device is bound to: its name, and its index or why it has none.
pub(super) type Place = (String, Result<u32, &'static str>);

impl Registry {
    /// Whether any device is, or was, to be bound to an interface.
    pub fn names_links(&self) -> bool {
        let mut words = self.settings.devices.values();
        !self.places.is_empty() || words.any(|word| word.interface.is_some())
    }

    /// Takes note of the router's interfaces as they are now.
    pub fn follow_links(&mut self, links: &[Link]) {
        let settings = self.settings.clone();
        let wanted = |mac: &Mac| {
            let word = settings.devices.get(mac);
            word.and_then(|word| word.interface.as_deref())
        };
        let before = std::mem::take(&mut self.places);
        for mac in settings.devices.keys() {
            let Some(name) = wanted(mac) else { continue };
            let place = (name.to_owned(), find(name, links));
            let known = before.get(mac);
            if known != Some(&place) {
                self.effects.policies.insert(*mac);
                self.tell_place(*mac, known, &place);
            }
            self.places.insert(*mac, place);
        }
        let freed = before.keys().filter(|mac| wanted(mac).is_none());
        self.effects.policies.extend(freed);
    }

    fn tell_place(&mut self, mac: Mac, before: Option<&Place>, (interface, found): &Place) {
        let was_missing = matches!(before, Some((_, Err(_))));
        let is_news = found.is_err() || was_missing;
        if is_news && self.settings.main.bindings != Bindings::Off {
            let (interface, missing) = (interface.clone(), found.err());
            self.tell(mac, EventKind::Binding { interface, missing });
        }
    }

    /// The interface a device is bound to by the configuration, and why it is not, if so.
    pub fn place(&self, device: &Device) -> Option<(&str, Option<&'static str>)> {
        let (name, found) = self.places.get(&device.mac)?;
        Some((name, found.err()))
    }

    pub(super) fn bound_interface(&self, device: &Device) -> Option<u32> {
        let (_, found) = self.places.get(&device.mac)?;
        found.ok().filter(|_| self.binds())
    }

    pub(super) fn bound_address(&self, device: &Device) -> Option<Ipv4Addr> {
        let word = self.settings.devices.get(&device.mac);
        let is_free = word.is_some_and(|word| word.any_address);
        device.leases.bound.filter(|_| self.binds() && !is_free)
    }

    fn binds(&self) -> bool {
        self.settings.main.bindings != Bindings::Off
    }

    /// Binds devices to the addresses that they lease now.
    pub(super) fn settle_leases(&mut self, now: UnixMs) {
        for device in self.devices.values_mut() {
            if device.leases.settle(now) {
                self.effects.policies.insert(device.mac);
            }
        }
    }
}

fn find(name: &str, links: &[Link]) -> Result<u32, &'static str> {
    match links.iter().find(|link| link.name == name) {
        None => Err("there is no such interface"),
        // Frames are seen where they come in, on a port.
        Some(link) if link.is_bridge => Err("it is a bridge, and frames come in on its ports"),
        Some(link) => Ok(link.index),
    }
}
