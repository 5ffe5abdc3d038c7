//! The uplift side of the daemon: the proxy, the redirection to it, and the kernel program's leave
//! to let devices through to it, which it has only while both stand.

use std::collections::{BTreeMap, BTreeSet};

use mqttguard_common::Mac;

use super::proxy::Uplifting;
use super::repeats::What;
use super::wiring::Daemon;
use super::{Input, clock::unix_ms, outlet};
use crate::config::Settings;
use crate::discovery;
use crate::enforce::nft;
use crate::events::EventKind;
use crate::uplift::{self, UpliftEvent, UpliftHandle};

impl Daemon {
    /// Brings proxy, redirection and kernel program in step with the configuration, in the order
    /// in which nothing leaves in the clear.
    pub(super) fn follow_uplift(&mut self, settings: &Settings) {
        self.guard.fallback.configure(&settings.main);
        if !settings.main.enabled || settings.uplifts.is_empty() {
            self.guard.set_uplift(false);
            self.stop_uplift();
            return;
        }
        let proxy = self.uplifting.proxy.take();
        let proxy = proxy.filter(|proxy| !proxy.has_ended());
        if proxy.is_none() {
            self.guard.set_uplift(false);
            self.uplifting.told = Default::default();
        }
        let proxy = proxy.map_or_else(|| self.start_proxy(), Ok);
        let port = match proxy {
            Ok(proxy) => self.uplifting.proxy.insert(proxy).port(),
            Err(error) => {
                self.tell_uplift(Err(format!("it cannot listen: {error}")));
                return;
            }
        };
        self.uplifting.tell_proxy(&settings.uplifts, &self.registry);
        let wanted = redirections(settings, port);
        let old = self.guard.fallback.uplift();
        if wanted == old {
            if let Some(state) = self.guard.fallback.uplift_stands() {
                self.conclude_uplift(state);
            }
            return;
        }
        let served: BTreeSet<Mac> = old.iter().map(|device| device.mac).collect();
        let either = union(old, &wanted);
        let mut state = self.guard.redirect(either.clone());
        if state.is_err() {
            self.guard.set_uplift(false);
        }
        // What stood before goes past the redirection, and, offloaded, past what drops it too.
        let new = wanted.iter().filter(|device| !served.contains(&device.mac));
        for device in new.filter_map(|device| self.registry.device(device.mac)) {
            self.guard.end_connections(device);
        }
        self.guard.fall_back();
        self.guard.await_ends();
        self.settle();
        if either != wanted {
            state = self.guard.redirect(wanted);
        }
        self.conclude_uplift(state);
    }

    /// Takes the redirection away, and then what it led to.
    fn stop_uplift(&mut self) {
        if !self.guard.fallback.uplift().is_empty()
            && let Err(error) = self.guard.redirect(Vec::new())
        {
            log::error!("uplift: {error}");
        }
        self.uplifting = Uplifting::default();
    }

    fn start_proxy(&self) -> std::io::Result<UpliftHandle> {
        let resolve = |address| discovery::neighbour_mac(address).unwrap_or_default();
        uplift::start(Box::new(resolve), outlet(&self.inbox, Input::Uplift))
    }

    /// Lets devices through to the proxy if, and only if, they are redirected to it.
    fn conclude_uplift(&mut self, state: Result<(), String>) {
        self.guard.set_uplift(state.is_ok());
        self.tell_uplift(state);
    }

    /// Tells how uplift is, if that is news.
    fn tell_uplift(&mut self, state: Result<(), String>) {
        if self.uplifting.state.as_ref() == Some(&state) {
            return;
        }
        self.uplifting.state = Some(state.clone());
        let (ready, detail) = match state {
            Ok(()) => (true, String::new()),
            Err(why) => (false, why),
        };
        self.tell(None, None, EventKind::UpliftReady { ready, detail });
    }

    /// The proxy has something to tell.
    pub(super) fn uplifted(&mut self, event: UpliftEvent) {
        match event {
            UpliftEvent::RulesLost => self.redirection_lost(),
            UpliftEvent::Connection {
                mac,
                section,
                destination,
                server,
                refused,
            } => {
                let what = What::Uplift(refused.clone());
                let Some(count) = self.repeats.note(unix_ms(), mac, what, 1) else {
                    return;
                };
                let kind = EventKind::Uplift {
                    section: section.to_string(),
                    destination,
                    server,
                    refused,
                    count,
                };
                self.tell_device(Some(mac), kind);
            }
        }
    }

    /// Somebody has taken our rules in nftables away.
    fn redirection_lost(&mut self) {
        let uplift = self.guard.fallback.uplift().to_vec();
        if uplift.is_empty() {
            return;
        }
        // First of all: from now on nothing would hold back what it lets through.
        self.guard.set_uplift(false);
        self.tell_uplift(Err("its rules in nftables were taken away".to_owned()));
        let state = self.guard.redirect(uplift);
        self.conclude_uplift(state);
    }
}

/// All that either of two has: what the kernel program passes is to be redirected before it
/// begins to pass it, and until it has stopped.
fn union(old: &[nft::Uplift], new: &[nft::Uplift]) -> Vec<nft::Uplift> {
    let mut all: BTreeMap<Mac, (BTreeSet<u16>, u16)> = BTreeMap::new();
    for device in old.iter().chain(new) {
        let (ports, listener) = all.entry(device.mac).or_default();
        ports.extend(&device.ports);
        *listener = device.listener;
    }
    let all = all.into_iter();
    all.map(|(mac, (ports, listener))| nft::Uplift {
        mac,
        ports: ports.into_iter().collect(),
        listener,
    })
    .collect()
}

/// What is to be redirected to the proxy.
fn redirections(settings: &Settings, listener: u16) -> Vec<nft::Uplift> {
    let macs: BTreeSet<Mac> = settings
        .uplifts
        .iter()
        .flat_map(|uplift| uplift.macs.iter().copied())
        .collect();
    let ports: BTreeSet<u16> = settings.main.plaintext_ports.iter().copied().collect();
    macs.into_iter()
        .map(|mac| nft::Uplift {
            mac,
            ports: ports.iter().copied().collect(),
            listener,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn while_it_changes_nothing_goes_without() {
        let device = |last: u8, ports: &[u16]| nft::Uplift {
            mac: Mac([2, 0, 0, 0, 0, last]),
            ports: ports.to_vec(),
            listener: 4000,
        };
        let old = [device(1, &[1883]), device(2, &[1883])];
        let new = [device(2, &[1884]), device(3, &[1884])];
        assert_eq!(
            union(&old, &new),
            [
                device(1, &[1883]),
                device(2, &[1883, 1884]),
                device(3, &[1884])
            ]
        );
    }
}
