//! The parts of the daemon and what passes between them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use mqttguard_common::Mac;

use super::clock::unix_ms;
use super::configuration::Configuration;
use super::guard::Guard;
use super::methods;
use super::repeats::Repeats;
use super::translation::event_kind;
use super::{DaemonOptions, Input, outlet};
use crate::broker::{self, BrokerEvent, BrokerEventKind, BrokerHandle};
use crate::config::{ConfigError, Settings};
use crate::discovery::{self, Discovery, DiscoveryConfig, Source, Update};
use crate::enforce::{self, FrameEvent};
use crate::events::{EventKind, EventLog};
use crate::pki::{self, Pki};
use crate::registry::{Registry, Save, UnixMs, store};
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
    pub(super) sources: BTreeMap<Source, (bool, String)>,
    /// Why the registry could not be written the last time, if so.
    pub(super) unsaved: Option<String>,
    ubus_socket: PathBuf,
    inbox: SyncSender<Input>,
    bus: UbusHandle,
    /// The sources of sightings, and what they were started with.
    discovery: (DiscoveryConfig, Discovery),
    /// When the registry is to be written.
    save_due: Option<UnixMs>,
    repeats: Repeats,
    ticks: u64,
}

/// The broker and the certificates it serves with.
pub(super) struct Broker {
    pub(super) handle: BrokerHandle,
    pub(super) pki: Pki,
}

/// A part without which the daemon does not start.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    /// The registry is there and cannot be read.
    #[error("{0}; mend or remove it (its credentials are then lost) and start again")]
    Store(#[from] store::StoreError),
    /// Not even the built-in configuration is valid.
    #[error("{0}")]
    Config(#[from] ConfigError),
    /// A thread could not be started.
    #[error("{0}: {1}")]
    Thread(&'static str, std::io::Error),
}

/// How long changes that can wait for the disk do: flash wears.
const SAVE_DELAY_MS: u64 = 60_000;
/// How often addresses, networks and the kernel program are looked after.
const LOOK_AFTER_TICKS: u64 = 3;

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

        let (stored, damage) = store::load(&settings.main.data_dir)?;
        if let Some(damage) = damage {
            log::warn!("{damage}; the one before it is in force");
        }
        let registry = Registry::new(stored, settings.clone(), now);

        let guard = Guard::start(&settings, &ubus_socket, outlet(&inbox, Input::Enforcement));
        let broker = start_broker(&settings, &registry, &guard, &inbox);
        if let Err(error) = &broker {
            log::error!("broker: {error}");
        }
        let sources = discovery_config(&settings, &guard, &ubus_socket);
        let discovery = discovery::start(sources.clone(), outlet(&inbox, Input::Discovery))
            .map_err(|error| StartError::Thread("discovery", error))?;
        let bus = ubus::serve(
            ubus_socket.clone(),
            methods::METHODS,
            outlet(&inbox, Input::Call),
        )
        .map_err(|error| StartError::Thread("ubus", error))?;

        let mut daemon = Daemon {
            started: Instant::now(),
            configuration,
            registry,
            events: EventLog::default(),
            guard,
            broker,
            sources: BTreeMap::new(),
            unsaved: None,
            ubus_socket,
            inbox,
            bus,
            discovery: (sources, discovery),
            save_due: None,
            repeats: Repeats::default(),
            ticks: 0,
        };
        daemon.adopt();
        daemon.tell_configuration();
        daemon.settle();
        Ok(daemon)
    }

    /// Takes in the devices that a predecessor left in the kernel, with their counters: it may
    /// have died before it wrote them down. Those that never come again go in their time.
    fn adopt(&mut self) {
        let now = unix_ms();
        for mac in self.guard.known() {
            if !self.registry.adopt(now, mac) {
                self.guard.free(mac);
            }
        }
    }

    /// Once a second.
    pub(super) fn tick(&mut self) {
        let now = unix_ms();
        self.registry.tick(now);
        self.ticks = self.ticks.wrapping_add(1);
        if self.ticks.is_multiple_of(LOOK_AFTER_TICKS) {
            self.look_after();
        }
        if self
            .save_due
            .is_some_and(|due| now >= due || due > now + SAVE_DELAY_MS)
        {
            self.save();
        }
        self.settle();
    }

    fn look_after(&mut self) {
        let settings = self.configuration.settings.clone();
        self.guard.follow(&settings, &self.ubus_socket);
        self.follow_discovery(&settings);
        self.renew_certificate(&settings);
        if let Ok(broker) = &self.broker
            && let Some(stats) = broker.handle.stats()
        {
            let connected = stats.clients.iter().filter_map(|client| client.mac);
            self.registry.connected(&connected.collect());
        }
    }

    /// Starts the sources anew where they are to look elsewhere.
    fn follow_discovery(&mut self, settings: &Settings) {
        let sources = discovery_config(settings, &self.guard, &self.ubus_socket);
        if sources == self.discovery.0 {
            return;
        }
        match discovery::start(sources.clone(), outlet(&self.inbox, Input::Discovery)) {
            Ok(discovery) => self.discovery = (sources, discovery),
            Err(error) => log::error!("discovery: {error}"),
        }
    }

    /// Opens or closes the broker, as the configuration has it.
    fn switch_broker(&mut self, settings: &Settings) {
        match (settings.main.enabled, &self.broker) {
            (true, Ok(broker)) => broker.handle.set_listeners(settings.listeners.clone()),
            (false, Ok(_)) | (true, Err(_)) => {
                self.broker = start_broker(settings, &self.registry, &self.guard, &self.inbox);
                if let Err(error) = &self.broker {
                    log::error!("broker: {error}");
                }
            }
            (false, Err(_)) => {}
        }
    }

    /// Keeps the certificate in step with the router's names and addresses.
    fn renew_certificate(&mut self, settings: &Settings) {
        let names = names(settings, &self.guard);
        let Ok(broker) = &mut self.broker else { return };
        match broker.pki.renew(&names) {
            Ok(false) => {}
            Ok(true) => broker.handle.set_tls(broker.pki.tls_config()),
            Err(error) => log::error!("certificate: {error}"),
        }
    }

    /// A source of sightings spoke.
    pub(super) fn discovered(&mut self, update: Update) {
        match update {
            Update::Sighting(sighting) => self.registry.sighting(unix_ms(), &sighting),
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

    fn framed(&mut self, frame: &FrameEvent) {
        let now = unix_ms();
        self.registry.frame(now, frame.mac);
        if frame.reason.is_flood() {
            self.registry.flooded(now, frame.mac);
        }
        let Some(count) = self.repeats.note(now, frame.mac, frame.reason, frame.count) else {
            return;
        };
        self.tell_device(
            Some(frame.mac),
            EventKind::Frame {
                reason: frame.reason,
                dropped: frame.dropped,
                destination: frame.destination,
                port: frame.port,
                count,
            },
        );
    }

    /// The broker has something to tell.
    pub(super) fn brokered(&mut self, event: BrokerEvent) {
        if let (Some(mac), BrokerEventKind::LoginRefused { why, .. }) = (event.mac, &event.kind)
            && why.is_guess()
        {
            self.registry.login_failed(unix_ms(), mac);
        }
        let mac = event.mac.or_else(|| self.holder(event.identity.as_deref()));
        self.tell_device(mac, event_kind(event));
    }

    /// The device that holds a credential.
    fn holder(&self, username: Option<&str>) -> Option<Mac> {
        let username = username?;
        self.registry
            .devices()
            .find(|device| {
                device
                    .credential
                    .as_ref()
                    .is_some_and(|held| held.username == username)
            })
            .map(|device| device.mac)
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
        self.guard.follow(&settings, &self.ubus_socket);
        if self.guard.switch(&settings) {
            self.adopt();
        }
        self.follow_discovery(&settings);
        self.switch_broker(&settings);
        self.renew_certificate(&settings);
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
        for mac in effects.freed {
            self.guard.free(mac);
        }
        for mac in effects.policies {
            if let Some(device) = self.registry.device(mac) {
                let policy = self.registry.policy(device);
                self.guard.set(mac, &policy);
            }
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
            self.tell(Some(mac), Some(name), kind);
        }
    }

    fn save(&mut self) {
        self.save_due = None;
        let saved = store::save(&self.configuration.settings.main.data_dir, &self.registry);
        self.unsaved = saved.err().map(|error| error.to_string());
        if let Some(error) = &self.unsaved {
            log::error!("{error}");
            self.save_due = Some(unix_ms().saturating_add(SAVE_DELAY_MS));
        }
    }

    /// An event of a device that the registry knows or does not.
    fn tell_device(&mut self, mac: Option<Mac>, kind: EventKind) {
        let name = mac
            .and_then(|mac| self.registry.device(mac))
            .map(|device| device.name.clone());
        self.tell(mac, name, kind);
    }

    fn tell(&mut self, mac: Option<Mac>, name: Option<String>, kind: EventKind) {
        let event = self.events.push(unix_ms(), mac, name, kind);
        self.bus.notify(event.kind.code(), event.to_json());
    }

    /// Stops on purpose: clients are told, the registry is written, the program taken off.
    pub(super) fn stop(self) {
        log::info!("stopping: the kernel program is taken off the interfaces");
        drop(self.discovery);
        if let Ok(broker) = self.broker {
            broker.handle.stop();
        }
        if self.save_due.is_some() {
            let dir = &self.configuration.settings.main.data_dir;
            if let Err(error) = store::save(dir, &self.registry) {
                log::error!("{error}");
            }
        }
        self.guard.stop();
    }
}

fn start_broker(
    settings: &Settings,
    registry: &Registry,
    guard: &Guard,
    inbox: &SyncSender<Input>,
) -> Result<Broker, String> {
    if !settings.main.enabled {
        return Err("switched off in the configuration".to_owned());
    }
    let pki = Pki::open_or_create(&settings.main.data_dir, &names(settings, guard))
        .map_err(|error| error.to_string())?;
    let handle = broker::start(broker::Startup {
        listeners: settings.listeners.clone(),
        bounds: broker::Bounds::default(),
        tls: pki.tls_config(),
        directory: Arc::new(registry.directory()),
        resolve: Box::new(|address| discovery::neighbour_mac(address).unwrap_or_default()),
        events: outlet(inbox, Input::Broker),
    })
    .map_err(|error| error.to_string())?;
    Ok(Broker { handle, pki })
}

fn discovery_config(settings: &Settings, guard: &Guard, ubus_socket: &Path) -> DiscoveryConfig {
    DiscoveryConfig {
        ubus_socket: ubus_socket.to_owned(),
        lease_file: settings.main.lease_file.clone(),
        interfaces: guard.devices().to_vec(),
    }
}

/// What clients call the router.
fn names(settings: &Settings, guard: &Guard) -> pki::Names {
    pki::Names {
        hostname: settings.main.hostname.clone(),
        addresses: guard.addresses().to_vec(),
    }
}
