//! The parts of the daemon and what passes between them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::time::{Duration, Instant};

use mqttguard_common::Mac;

use super::clock::{ClockWatch, unix_ms, uptime};
use super::configuration::Configuration;
use super::guard::Guard;
use super::mud::Descriptions;
use super::notes::NotesKeeper;
use super::policing::{adopt, instruct};
use super::proxy::Uplifting;
use super::repeats::Repeats;
use super::serving::Broker;
use super::signatures::METHODS;
use super::{DaemonOptions, Input, outlet};
use crate::config::{ConfigError, Settings};
use crate::discovery::{self, Discovery, DiscoveryConfig, NetworkWatch, Source};
use crate::events::{EventKind, EventLog};
use crate::history::History;
use crate::naming::Makers;
use crate::registry::{Contents, Registry, UnixMs, store};
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
    /// Devices that are being set up.
    pub(super) pushes: BTreeSet<Mac>,
    pub(super) descriptions: Descriptions,
    pub(super) notes: NotesKeeper,
    pub(super) sources: BTreeMap<Source, (bool, String)>,
    /// Why the registry could not be written the last time, if so.
    pub(super) unsaved: Option<String>,
    /// Why the registry that is there could not be read, if so: it is not overwritten then.
    pub(super) unreadable: Option<String>,
    pub(super) ubus_socket: PathBuf,
    pub(super) inbox: SyncSender<Input>,
    bus: UbusHandle,
    /// Held: dropping it ends it.
    _networks: NetworkWatch,
    /// The sources of sightings, and what they were started with.
    pub(super) discovery: (DiscoveryConfig, Discovery),
    /// When the registry is to be written.
    pub(super) save_due: Option<UnixMs>,
    pub(super) repeats: Repeats,
    pub(super) makers: Makers,
    pub(super) clock: ClockWatch,
    pub(super) history: History,
    /// When a broker that could not be started is tried again.
    pub(super) broker_retry: Instant,
    pub(super) ticks: u64,
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

/// How long until a broker that could not be started is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(60);
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

        let notes = match unreadable {
            None => NotesKeeper::load(&settings, &mut registry),
            Some(_) => NotesKeeper::new(false),
        };
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
            pushes: BTreeSet::new(),
            descriptions,
            notes,
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
        self.write_all();
        drop(self.discovery);
        // Before what may take its time: the service manager kills who takes too long.
        self.guard.stop(&self.configuration.settings.main.bpf_dir);
        drop(self.uplifting);
        if let Ok(broker) = self.broker {
            broker.handle.stop();
        }
    }

    /// Ends for a daemon that is about to start: as a stop, but what the kernel holds stays, for that one
    /// to take over. Stops if a daemon that starts now would not.
    pub(super) fn hand_over(mut self) {
        if !self.configuration.has_successor() {
            return self.stop();
        }
        log::info!("ending: the kernel program stays for the next daemon to take over");
        self.write_all();
        drop(self.discovery);
        // Before the proxy, whose end is no reason to take the redirection off: until the next one listens,
        // what is redirected is refused.
        drop(self.guard);
        drop(self.uplifting);
        if let Ok(broker) = self.broker {
            broker.handle.stop();
        }
    }
}

pub(super) fn discovery_config(
    settings: &Settings,
    guard: &Guard,
    ubus_socket: &Path,
) -> DiscoveryConfig {
    DiscoveryConfig {
        ubus_socket: ubus_socket.to_owned(),
        lease_file: settings.main.lease_file.clone(),
        interfaces: guard.devices().to_vec(),
    }
}
