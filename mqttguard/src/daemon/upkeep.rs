//! What is done once a second, and what follows the router and the configuration as they change.

use std::time::Instant;

use super::clock::unix_ms;
use super::policing::adopt;
use super::serving::Broker;
use super::wiring::{Daemon, RETRY, discovery_config};
use super::{Input, outlet};
use crate::config::Settings;
use crate::discovery::{self, Networks};

/// How often addresses and the kernel program are looked after.
const LOOK_AFTER_TICKS: u64 = 3;

impl Daemon {
    /// Once a second.
    pub(super) fn tick(&mut self) {
        if let Some((before, after)) = self.clock.look() {
            log::info!("the clock was set by {} s", after.abs_diff(before) / 1000);
            self.registry.clock_set(before, after);
        }
        self.follow_links();
        let now = unix_ms();
        self.registry.tick(now);
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(LOOK_AFTER_TICKS) {
            self.look_after();
        }
        self.follow_history();
        self.follow_descriptions();
        self.guard.fall_back();
        for kind in self.guard.fallback.news() {
            self.tell(None, None, kind);
        }
        self.save_if_due(now);
        self.follow_notes();
        self.settle();
    }

    /// netifd says which devices stand for the networks.
    pub(super) fn networks_changed(&mut self, networks: Networks) {
        self.guard.learn(networks);
        let settings = self.configuration.settings.clone();
        self.follow_guard(&settings);
    }

    /// Has the kernel program follow the configuration and the router, and discovery follow it.
    pub(super) fn follow_guard(&mut self, settings: &Settings) {
        if self.guard.follow(settings) {
            self.fill_guard();
        }
        self.follow_discovery(settings);
    }

    /// Tells a program that was just loaded of all devices.
    pub(super) fn fill_guard(&mut self) {
        adopt(&mut self.registry, &mut self.guard);
        self.registry.repeat_policies();
    }

    fn look_after(&mut self) {
        let settings = self.configuration.settings.clone();
        self.follow_guard(&settings);
        self.follow_uplift(&settings);
        self.certify(&settings);
        if self.broker.is_err() && Instant::now() >= self.broker_retry {
            self.switch_broker(&settings);
        }
        if let Ok(broker) = &mut self.broker
            && let Some(stats) = broker.latest()
        {
            let macs = stats.clients.iter().filter_map(|client| client.mac);
            self.registry.connected(&macs.collect());
            self.look_at_broker(&stats);
        }
    }

    /// Starts the sources anew where they are to look elsewhere.
    fn follow_discovery(&mut self, settings: &Settings) {
        let sources = discovery_config(settings, &self.guard, &self.ubus_socket);
        if sources == self.discovery.0 {
            return;
        }
        match discovery::start(sources.clone(), outlet(&self.inbox, Input::Discovery)) {
            Ok(discovery) => {
                self.discovery = (sources, discovery);
                self.registry.forget_presence();
            }
            Err(error) => log::error!("discovery: {error}"),
        }
    }

    /// Opens or closes the broker, as the configuration has it.
    pub(super) fn switch_broker(&mut self, settings: &Settings) {
        match (settings.main.enabled, &mut self.broker) {
            (true, Ok(broker)) => broker.configure(settings),
            (false, Ok(_)) | (true, Err(_)) => {
                self.broker_retry = Instant::now() + RETRY;
                self.history.forget_broker();
                self.broker = self.start_broker(settings);
                if let Err(error) = &self.broker {
                    log::error!("broker: {error}");
                }
            }
            (false, Err(_)) => {}
        }
    }

    /// Keeps the certificate in step with the router's names and addresses.
    pub(super) fn certify(&mut self, settings: &Settings) {
        if let Ok(broker) = &mut self.broker {
            broker.certify(settings, self.guard.addresses());
        }
    }

    fn start_broker(&self, settings: &Settings) -> Result<Broker, String> {
        let events = outlet(&self.inbox, Input::Broker);
        let directory = self.unreadable.is_none().then(|| self.registry.directory());
        Broker::start(settings, self.guard.addresses(), directory, events)
    }
}
