//! The broker's side of the daemon: the running broker, and the certificate it serves with.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError};
use std::time::{Duration, Instant};

use mqttguard_common::Mac;
use serde_json::{Value, json};

use super::listener_tls::Serving;
use crate::broker::{self, BrokerEvent, BrokerHandle, BrokerStats};
use crate::config::Settings;
use crate::discovery;
use crate::outlet::Outlet;
use crate::pki::{Names, Pki};
use crate::registry::Directory;

/// How often the certificate is looked after while nothing has changed: it has a last year.
const CERTIFICATE_EVERY: Duration = Duration::from_secs(24 * 3600);
/// How long until a certificate that could not be renewed is tried again.
const RETRY: Duration = Duration::from_secs(60);

/// The running broker and the certificate it serves with.
pub(super) struct Broker {
    pub(super) handle: BrokerHandle,
    pki: Pki,
    serving: Serving,
    /// The names that the certificate was last held against, and when it is again.
    certified: (Names, Instant),
    /// An answer that is on its way.
    stats: Option<Receiver<BrokerStats>>,
}

impl Broker {
    /// Starts it. `addresses` are the router's own.
    ///
    /// # Errors
    ///
    /// Why there is no broker, in words for the owner.
    pub(super) fn start(
        settings: &Settings,
        addresses: &[IpAddr],
        directory: Directory,
        events: Outlet<BrokerEvent>,
    ) -> Result<Broker, String> {
        if !settings.main.enabled {
            return Err("switched off in the configuration".to_owned());
        }
        let names = names(settings, addresses);
        let mut pki = Pki::open_or_create(&settings.main.data_dir, &names)
            .map_err(|error| error.to_string())?;
        pki.make_rsa_key();
        let mut serving = Serving::default();
        let handle = broker::start(broker::Startup {
            listeners: settings.listeners.clone(),
            bounds: broker::Bounds::default(),
            tls: serving.follow(&pki, &settings.listeners),
            sys_interval: settings.main.sys_interval,
            directory: Arc::new(directory),
            resolve: Box::new(|address| discovery::neighbour_mac(address).unwrap_or_default()),
            events,
        })
        .map_err(|error| error.to_string())?;
        Ok(Broker {
            handle,
            pki,
            serving,
            certified: (names, Instant::now() + CERTIFICATE_EVERY),
            stats: None,
        })
    }

    /// Listens as the configuration says.
    pub(super) fn listen(&mut self, settings: &Settings) {
        let tls = self.serving.follow(&self.pki, &settings.listeners);
        self.handle.set_listeners(settings.listeners.clone(), tls);
    }

    /// SHA-256 of the certificates, as `status` shows them.
    pub(super) fn certificates(&self) -> Value {
        let (ecdsa, rsa) = self.pki.fingerprints();
        json!({ "ca": self.pki.ca_fingerprint(), "ecdsa": ecdsa, "rsa": rsa })
    }

    /// Keeps the certificate in step with the router's name and addresses.
    pub(super) fn certify(&mut self, settings: &Settings, addresses: &[IpAddr]) {
        let names = names(settings, addresses);
        let now = Instant::now();
        if names == self.certified.0 && now < self.certified.1 && !self.pki.has_new_key() {
            return;
        }
        let mut next = CERTIFICATE_EVERY;
        if let Err(error) = self.pki.renew(&names) {
            log::error!("certificate: {error}");
            next = RETRY;
        }
        self.certified = (names, now + next);
    }

    /// The devices that have a client, as far as the broker has answered since the last call, and
    /// asks anew. Never waits for it.
    pub(super) fn connected(&mut self) -> Option<BTreeSet<Mac>> {
        let connected = match self.stats.as_ref().map(Receiver::try_recv) {
            Some(Ok(stats)) => Some(
                stats
                    .clients
                    .iter()
                    .filter_map(|client| client.mac)
                    .collect(),
            ),
            Some(Err(TryRecvError::Empty)) => return None,
            Some(Err(TryRecvError::Disconnected)) | None => None,
        };
        self.stats = self.handle.ask_stats();
        connected
    }
}

/// What clients on the LAN call the router. Its public addresses stay out of the certificate:
/// clients do not use them, and those of a dial-up line change every night.
fn names(settings: &Settings, addresses: &[IpAddr]) -> Names {
    let is_of_lan = |address: &&IpAddr| match address {
        IpAddr::V4(v4) => v4.is_private() || v4.is_loopback(),
        IpAddr::V6(v6) => v6.is_unique_local() || v6.is_unicast_link_local() || v6.is_loopback(),
    };
    Names {
        hostname: settings.main.hostname.clone(),
        addresses: addresses.iter().filter(is_of_lan).copied().collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_stay_out_of_the_certificate() {
        let settings = crate::config::parse("test", "config mqttguard 'main'\n").unwrap();
        let all = [
            "192.168.1.1",
            "203.0.113.7",
            "fd00::1",
            "fe80::1",
            "2001:db8::1",
        ];
        let all = all.map(|address| address.parse::<IpAddr>().unwrap());
        assert_eq!(names(&settings, &all).addresses, [all[0], all[2], all[3]]);
    }
}
