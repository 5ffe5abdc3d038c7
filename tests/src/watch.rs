//! Discovery, and what it says.

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use mqttguard::discovery::{Discovery, DiscoveryConfig, Sighting, Source, Update, start};

use crate::bus::{PATIENCE, TestBus};

/// Running discovery and what it says.
pub struct Watch {
    /// All updates, as they come.
    pub updates: Receiver<Update>,
    /// What stops when it is dropped.
    pub discovery: Discovery,
}

impl Watch {
    /// Discovery on this bus and a lease file `dhcp.leases` beside its socket.
    pub fn new(bus: &TestBus, interfaces: &[&str]) -> Self {
        Self::with_room(bus.socket(), bus.file("dhcp.leases"), interfaces, 64)
    }

    /// Discovery with a channel of this many places.
    pub fn with_room(socket: PathBuf, leases: PathBuf, interfaces: &[&str], room: usize) -> Self {
        let config = DiscoveryConfig {
            ubus_socket: socket,
            lease_file: leases,
            interfaces: interfaces.iter().map(|name| (*name).to_owned()).collect(),
        };
        let (out, updates) = sync_channel(room);
        Watch {
            updates,
            discovery: start(config, out).unwrap(),
        }
    }

    /// The next update that `wanted` takes; others are passed over.
    pub fn next<T>(&self, what: &str, mut wanted: impl FnMut(Update) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.updates.recv_timeout(left) {
                Ok(update) => {
                    if let Some(found) = wanted(update) {
                        return found;
                    }
                }
                Err(error) => panic!("no {what} within {PATIENCE:?}: {error}"),
            }
        }
    }

    /// The detail with which this source next says that it is up, or down.
    pub fn source(&self, wanted: Source, is_up: bool) -> String {
        self.next(&format!("{wanted:?} up {is_up}"), |update| match update {
            Update::Source { source, up, detail } if source == wanted && up == is_up => {
                Some(detail)
            }
            _ => None,
        })
    }

    /// The next sighting by this source.
    pub fn sighting(&self, wanted: Source) -> Sighting {
        self.next(&format!("sighting by {wanted:?}"), |update| match update {
            Update::Sighting(sighting) if sighting.source == wanted => Some(sighting),
            _ => None,
        })
    }

    /// Fails if this source has anything to say in the next moments.
    pub fn silence(&self, of: Source) {
        let until = Instant::now() + Duration::from_millis(800);
        while let Ok(update) = self
            .updates
            .recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            match update {
                Update::Sighting(sighting) if sighting.source == of => panic!("{sighting:?}"),
                _ => {}
            }
        }
    }
}

/// A sighting as it should be; all but the lease file know that it was on `br-lan`.
pub fn sighting(
    source: Source,
    mac: &str,
    address: &str,
    name: Option<&str>,
    present: bool,
) -> Sighting {
    Sighting {
        source,
        mac: mac.parse().unwrap(),
        address: Some(address.parse().unwrap()),
        hostname: name.map(str::to_owned),
        interface: (source != Source::LeaseFile).then(|| "br-lan".to_owned()),
        present,
    }
}
