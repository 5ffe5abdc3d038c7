//! The parts of the daemon and what passes between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use mqttguard_broker::Access;
use mqttguard_common::Mac;

use super::clock::{ClockWatch, unix_ms};
use super::configuration::Configuration;
use super::guard::Guard;
use super::history::uptime;
use super::mud::Descriptions;
use super::pushing::Pushes;
use super::repeats::Repeats;
use super::serving::Broker;
use super::signatures::METHODS;
use super::translation::event_kind;
use super::uplifting::Uplifting;
use super::{DaemonOptions, Input, outlet};
use crate::broker::{BrokerEvent, BrokerEventKind};
use crate::config::{ConfigError, Settings};
use crate::discovery::{self, Discovery, DiscoveryConfig, NetworkWatch, Networks, Source, Update};
use crate::enforce;
use crate::events::{EventKind, EventLog};
use crate::history::History;
use crate::naming::Makers;
use crate::registry::{Contents, Effects, Registry, Save, UnixMs, Wish, store};
use crate::ubus::{self, UbusHandle};

/// The daemon at work.
pub(super) struct Daemon {
    pub(super) started: Instant,
    pub(super) configuration: Configuration,
    pub(super) registry: Registry,
    pub(super) events: EventLog,
    pub(super) guard: Guard,
    /// The broker and its certificates, or why there is none.
    pub(super) broker: Result<Broker, String>,
    pub(super) uplifting: Uplifting,
    pub(super) pushes: Pushes,
    pub(super) descriptions: Descriptions,
    pub(super) sources: BTreeMap<Source, (bool, String)>,
    /// Why the registry could not be written the last time, if so.
    pub(super) unsaved: Option<String>,
    /// Why the registry that is there could not be read, if so: it is not overwritten then.
    pub(super) unreadable: Option<String>,
    ubus_socket: PathBuf,
    pub(super) inbox: SyncSender<Input>,
    bus: UbusHandle,
    /// Held: dropping it ends it.
    _networks: NetworkWatch,
    /// The sources of sightings, and what they were started with.
    discovery: (DiscoveryConfig, Discovery),
    /// When the registry is to be written.
    save_due: Option<UnixMs>,
    pub(super) repeats: Repeats,
    pub(super) makers: Makers,
    clock: ClockWatch,
    pub(super) history: History,
    /// When a broker that could not be started is tried again.
    broker_retry: Instant,
    ticks: u64,
}

/// A part without which the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// Not even the built-in configuration is valid.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A thread could not be started.
    #[error("{0}: {1}")]
    Thread(&'static str, std::io::Error),
}

/// How long changes that can wait for the disk do: flash wears.
const SAVE_DELAY_MS: u64 = 60_000;
/// How often addresses and the kernel program are looked after.
const LOOK_AFTER_TICKS: u64 = 3;
/// How long until a broker that could not be started is tried again.
const RETRY: Duration = Duration::from_secs(60);
/// How long a start waits for netifd to say which devices are to be guarded. Later answers are
/// followed all the same.
const NETIFD_PATIENCE: Duration = Duration::from_secs(1);

impl Daemon {
    /// Brings the parts up, the kernel program first.
    pub(super) fn start(
        options: DaemonOptions,
        inbox: SyncSender<Input>,
    ) -> Result<Daemon, StartError> {
        let now = unix_ms();
        let DaemonOptions {
            config,
            ubus_socket,
        } = options;
        let configuration = Configuration::at_start(config, now)?;
        let settings = configuration.settings.clone();

        let (stored, unreadable) = match store::load(&settings.main.data_dir) {
            Ok((stored, damage)) => {
                if let Some(damage) = damage {
                    log::warn!("{damage}; the one before it is in force");
                }
                (stored, None)
            }
            // A house without its credentials is still to be guarded.
            Err(error) => {
                let error = format!(
                    "{error}; mend or remove it (its credentials are then lost) and start again"
                );
                log::error!("{error}");
                (Contents::default(), Some(error))
            }
        };
        let mut registry = Registry::new(stored, settings.clone(), now);

        // Before the kernel program is told what may leave.
        let descriptions = Descriptions::load(&settings, &mut registry);

        let watch = NetworkWatch::start(ubus_socket.clone(), outlet(&inbox, Input::Networks))
            .map_err(|error| StartError::Thread("networks", error))?;
        let networks = match settings.main.networks.is_empty() {
            true => None,
            false => watch.first(NETIFD_PATIENCE),
        };
        let reports = outlet(&inbox, Input::Enforcement);
        let exceptions = registry.exceptions();
        let devices = registry.devices();
        let devices: Vec<_> = devices
            .map(|device| (device.mac, registry.policy(device)))
            .collect();
        let mut guard = Guard::start(
            &settings,
            exceptions,
            networks.unwrap_or_default(),
            &devices,
            reports,
        );
        adopt(&mut registry, &mut guard);
        // Before anything that takes time: who is blocked is to be blocked from the start.
        let effects = registry.take_effects();
        instruct(&mut guard, &registry, &effects);

        let events = outlet(&inbox, Input::Broker);
        let directory = unreadable.is_none().then(|| registry.directory());
        let broker = Broker::start(&settings, guard.addresses(), directory, events);
        if let Err(error) = &broker {
            log::error!("broker: {error}");
        }
        let sources = discovery_config(&settings, &guard, &ubus_socket);
        let discovery = discovery::start(sources.clone(), outlet(&inbox, Input::Discovery))
            .map_err(|error| StartError::Thread("discovery", error))?;
        let bus = ubus::serve(ubus_socket.clone(), &METHODS, outlet(&inbox, Input::Call))
            .map_err(|error| StartError::Thread("ubus", error))?;

        let mut daemon = Daemon {
            started: Instant::now(),
            configuration,
            registry,
            events: EventLog::default(),
            guard,
            broker,
            uplifting: Uplifting::default(),
            pushes: Pushes::default(),
            descriptions,
            sources: BTreeMap::new(),
            unsaved: None,
            unreadable,
            ubus_socket,
            inbox,
            bus,
            _networks: watch,
            discovery: (sources, discovery),
            save_due: None,
            repeats: Repeats::default(),
            makers: Makers::new(settings.main.vendor_file.clone()),
            clock: ClockWatch::new(),
            history: History::new(uptime()),
            broker_retry: Instant::now() + RETRY,
            ticks: 0,
        };
        daemon.tell_configuration();
        daemon.carry_out(effects);
        daemon.follow_uplift(&settings);
        // What a predecessor has left in the kernel's counters is of no minute of ours.
        daemon.look_at_kernel();
        Ok(daemon)
    }

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
        if self
            .save_due
            .is_some_and(|due| now >= due || due > now + SAVE_DELAY_MS)
        {
            self.save();
        }
        self.settle();
    }

    /// netifd says which devices stand for the networks.
    pub(super) fn networks_changed(&mut self, networks: Networks) {
        self.guard.learn(networks);
        let settings = self.configuration.settings.clone();
        self.follow_guard(&settings);
    }

    /// Has the kernel program follow the configuration and the router, and discovery follow it.
    fn follow_guard(&mut self, settings: &Settings) {
        if self.guard.follow(settings) {
            self.fill_guard();
        }
        self.follow_discovery(settings);
    }

    /// Tells a program that was just loaded of all devices.
    fn fill_guard(&mut self) {
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
    fn switch_broker(&mut self, settings: &Settings) {
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
    fn certify(&mut self, settings: &Settings) {
        if let Ok(broker) = &mut self.broker {
            broker.certify(settings, self.guard.addresses());
        }
    }

    fn start_broker(&self, settings: &Settings) -> Result<Broker, String> {
        let events = outlet(&self.inbox, Input::Broker);
        let directory = self.unreadable.is_none().then(|| self.registry.directory());
        Broker::start(settings, self.guard.addresses(), directory, events)
    }

    /// A source of sightings spoke.
    pub(super) fn discovered(&mut self, update: Update) {
        match update {
            Update::Sighting(sighting) => self.registry.sighting(unix_ms(), &sighting),
            Update::AddressLost {
                source,
                mac,
                address,
            } => self.registry.address_lost(unix_ms(), source, mac, address),
            Update::Source { source, up, detail } => {
                self.sources.insert(source, (up, detail.clone()));
                self.tell(
                    None,
                    None,
                    EventKind::SourceChanged {
                        source: source.name(),
                        up,
                        detail,
                    },
                );
            }
        }
    }

    /// The kernel program decided against a frame, or came to or left an interface.
    pub(super) fn enforced(&mut self, report: enforce::Report) {
        match report {
            enforce::Report::Frame(frame) => self.framed(&frame),
            enforce::Report::Attachment {
                interface,
                what,
                detail,
            } => {
                // An interface came or went.
                self.follow_links();
                self.tell(
                    None,
                    None,
                    EventKind::Enforcement {
                        interface,
                        what,
                        detail,
                    },
                );
            }
        }
    }

    /// The broker has something to tell.
    pub(super) fn brokered(&mut self, event: BrokerEvent) {
        if let (Some(mac), BrokerEventKind::LoginRefused { why, .. }) = (event.mac, &event.kind) {
            if why.is_guess() {
                self.registry.login_failed(unix_ms(), mac);
            }
            self.registry
                .login_refused(unix_ms(), mac, why.text(), event.suppressed);
        }
        let mac = event.mac.or_else(|| self.holder(event.identity.as_deref()));
        match (mac, &event.kind) {
            (Some(mac), BrokerEventKind::Verified { verifiers }) => {
                self.registry.verified(mac, verifiers);
            }
            (_, BrokerEventKind::Used { hash }) => {
                let username = event.identity.as_deref().unwrap_or_default();
                self.registry.used(username, hash);
            }
            (
                Some(mac),
                BrokerEventKind::Paired {
                    username,
                    verifiers,
                    weak,
                    claim,
                },
            ) => {
                let (now, verifiers) = (unix_ms(), verifiers.clone());
                match *claim {
                    None => self.registry.paired(now, mac, username, verifiers, *weak),
                    Some(serial) => self.registry.claimed(now, mac, serial, verifiers, *weak),
                }
            }
            _ => {}
        }
        self.listen(mac, &event);
        if let Some(kind) = event_kind(event) {
            self.tell_device(mac, kind);
        }
    }

    /// Notes what a client says of the firmware of its device, and what it wishes in vain.
    fn listen(&mut self, peer: Option<Mac>, event: &BrokerEvent) {
        let holder = self.holder(event.identity.as_deref());
        // A device behind a repeater has the repeater's address.
        let Some(mac) = holder.or(peer) else {
            return;
        };
        match &event.kind {
            BrokerEventKind::Connected { .. } => {
                self.registry.heard(mac, event.client_id.as_deref(), None);
            }
            BrokerEventKind::TopicRefused { access, topic, .. } => {
                self.registry.heard(mac, None, Some(topic));
                let wish = match access {
                    Access::Publish | Access::Will => Wish::Publish,
                    Access::Subscribe => Wish::Subscribe,
                };
                let now = unix_ms();
                // Of others, a grant to the device would be none to them.
                if let Some(mac) = holder {
                    self.registry.topic_refused(now, mac, wish, topic);
                }
                self.registry
                    .wished(now, mac, wish, topic, event.suppressed);
            }
            _ => {}
        }
    }

    /// The device that holds a credential.
    fn holder(&self, username: Option<&str>) -> Option<Mac> {
        self.registry.owner_of(username?)
    }

    /// Reads the configuration again and puts it in force, if it is a good one. True if so.
    pub(super) fn reload(&mut self) -> bool {
        let now = unix_ms();
        if !self.configuration.reload(now) {
            self.tell_configuration();
            return false;
        }
        let settings = self.configuration.settings.clone();
        self.registry.set_settings(settings.clone(), now);
        self.apply_descriptions();
        self.follow_links();
        self.guard.except(self.registry.exceptions());
        // Before the kernel program hears of other ports.
        self.follow_uplift(&settings);
        self.follow_guard(&settings);
        if self.guard.switch(&settings) {
            self.fill_guard();
        }
        self.switch_broker(&settings);
        self.certify(&settings);
        self.repeats = Repeats::default();
        self.tell_configuration();
        true
    }

    fn tell_configuration(&mut self) {
        let kind = if self.configuration.errors.is_empty() {
            EventKind::ConfigLoaded {
                file: self.configuration.file(),
            }
        } else {
            EventKind::ConfigRefused {
                errors: self.configuration.errors.clone(),
            }
        };
        self.tell(None, None, kind);
    }

    /// Carries out what the registry's changes ask for.
    pub(super) fn settle(&mut self) {
        let effects = self.registry.take_effects();
        self.carry_out(effects);
    }

    fn carry_out(&mut self, effects: Effects) {
        if effects.exceptions {
            let settings = self.configuration.settings.clone();
            self.guard.except(self.registry.exceptions());
            if self.guard.follow(&settings) {
                self.fill_guard();
            }
            self.guard.fall_back();
        }
        instruct(&mut self.guard, &self.registry, &effects);
        for mac in &effects.freed {
            self.history.forget_frames(*mac);
        }
        if !effects.policies.is_empty() && self.uplifting.is_wanted() {
            let sections = &self.configuration.settings.uplifts;
            self.uplifting.tell_proxy(sections, &self.registry);
        }
        if effects.directory
            && let Ok(broker) = &self.broker
        {
            broker
                .handle
                .set_directory(Arc::new(self.registry.directory()));
        }
        match effects.save {
            Save::No => {}
            Save::Soon => {
                self.save_due
                    .get_or_insert(unix_ms().saturating_add(SAVE_DELAY_MS));
            }
            Save::Now => self.save(),
        }
        for (mac, name, kind) in effects.told {
            self.tell(mac, name, kind);
        }
    }

    fn save(&mut self) {
        self.save_due = None;
        if self.unreadable.is_some() {
            self.unsaved.clone_from(&self.unreadable);
            return;
        }
        let saved = store::save(&self.configuration.settings.main.data_dir, &self.registry);
        self.unsaved = saved.err().map(|error| error.to_string());
        if let Some(error) = &self.unsaved {
            log::error!("{error}");
            self.save_due = Some(unix_ms().saturating_add(SAVE_DELAY_MS));
        }
    }

    /// An event of a device that the registry knows or does not.
    pub(super) fn tell_device(&mut self, mac: Option<Mac>, kind: EventKind) {
        let name = mac
            .and_then(|mac| self.registry.device(mac))
            .map(|device| device.name.clone());
        self.tell(mac, name, kind);
    }

    pub(super) fn tell(&mut self, mac: Option<Mac>, name: Option<String>, kind: EventKind) {
        let event = self.events.push(unix_ms(), mac, name, kind);
        if self.bus.has_subscribers() {
            self.bus.notify(event.kind.code(), event.to_json());
        }
    }

    /// Stops on purpose: clients are told, the registry is written, the program taken off.
    pub(super) fn stop(mut self) {
        log::info!("stopping: the kernel program is taken off the interfaces");
        if self.save_due.is_some() {
            self.save();
        }
        self.save_descriptions();
        drop(self.discovery);
        // Before what may take its time: the service manager kills who takes too long.
        self.guard.stop(&self.configuration.settings.main.bpf_dir);
        drop(self.uplifting);
        if let Ok(broker) = self.broker {
            broker.handle.stop();
        }
    }
}

/// Takes in the devices that a predecessor left in the kernel, with their counters: it may
/// have died before it wrote them down. Those that never come again go in their time.
fn adopt(registry: &mut Registry, guard: &mut Guard) {
    let now = unix_ms();
    for (mac, standing) in guard.known() {
        if !registry.adopt(now, mac, standing) {
            guard.free(mac);
        }
    }
}

/// Tells the kernel program what it is to hold devices to.
fn instruct(guard: &mut Guard, registry: &Registry, effects: &Effects) {
    for mac in &effects.freed {
        guard.free(*mac);
    }
    for mac in &effects.policies {
        if let Some(device) = registry.device(*mac) {
            guard.set(device, &registry.policy(device));
        }
    }
    if !effects.freed.is_empty() || !effects.policies.is_empty() {
        guard.fall_back();
    }
}

fn discovery_config(settings: &Settings, guard: &Guard, ubus_socket: &Path) -> DiscoveryConfig {
    DiscoveryConfig {
        ubus_socket: ubus_socket.to_owned(),
        lease_file: settings.main.lease_file.clone(),
        interfaces: guard.devices().to_vec(),
    }
}
