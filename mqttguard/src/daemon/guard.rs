//! The kernel side of the daemon: what the program is told, and whether it holds.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::Path;

use crate::config::{ListenerKind, Mode, Settings};
use crate::discovery;
use crate::enforce::{self, Attachment, DeviceCounters, Enforcer, Proof, Rules, Target};
use crate::outlet::Outlet;
use crate::registry::DevicePolicy;
use mqttguard_common::Mac;

/// The kernel program, or why there is none.
pub(super) struct Guard {
    enforcer: Result<Enforcer, String>,
    rules: Rules,
    target: Target,
    /// Networks of the configuration that no device stands for yet.
    unresolved: Vec<String>,
    reports: Outlet<enforce::Report>,
}

/// Why there is no program when the owner wants none.
const OFF: &str = "switched off in the configuration";

impl Guard {
    /// Loads and attaches the program. A failure is kept, to be told by [`Guard::problems`]: the
    /// broker serves all the same.
    pub(super) fn start(
        settings: &Settings,
        ubus_socket: &Path,
        reports: Outlet<enforce::Report>,
    ) -> Guard {
        let (target, unresolved) = target(settings, ubus_socket);
        let mut guard = Guard {
            enforcer: Err(OFF.to_owned()),
            rules: rules(settings, local_addresses()),
            target,
            unresolved,
            reports,
        };
        guard.switch(settings);
        guard
    }

    /// Loads the program if it should run and does not, and takes it off if it should not. True if
    /// it was loaded: it then knows no device of this daemon's yet.
    pub(super) fn switch(&mut self, settings: &Settings) -> bool {
        match (settings.main.enabled, &self.enforcer) {
            (true, Err(_)) => {
                let reports = self.reports.clone();
                // An inbox that is full loses events, not enforcement.
                let report = move |report| {
                    let _ = reports.try_send(report);
                };
                self.enforcer =
                    Enforcer::start(&settings.main.bpf_dir, &self.target, &self.rules, report)
                        .map_err(|error| error.to_string());
                if let Err(error) = &self.enforcer {
                    log::error!("kernel program: {error}");
                }
                self.enforcer.is_ok()
            }
            (false, Ok(_)) => {
                detach(std::mem::replace(&mut self.enforcer, Err(OFF.to_owned())));
                false
            }
            (true, Ok(_)) | (false, Err(_)) => false,
        }
    }

    /// Brings the program in step with the configuration, the router's addresses and its networks,
    /// where they differ from what it was told last.
    pub(super) fn follow(&mut self, settings: &Settings, ubus_socket: &Path) {
        let Ok(enforcer) = &mut self.enforcer else {
            return;
        };
        let rules = rules(settings, local_addresses());
        if rules != self.rules {
            match enforcer.set_rules(&rules) {
                Ok(()) => self.rules = rules,
                Err(error) => log::error!("kernel program: {error}"),
            }
        }
        let (target, unresolved) = target(settings, ubus_socket);
        self.unresolved = unresolved;
        if target != self.target {
            match enforcer.retarget(&target) {
                Ok(()) => self.target = target,
                Err(error) => log::error!("kernel program: {error}"),
            }
        }
    }

    /// Tells the program what to hold a device to.
    pub(super) fn set(&mut self, mac: Mac, policy: &DevicePolicy) {
        if let Ok(enforcer) = &mut self.enforcer
            && let Err(error) = enforcer.set_device(mac, policy)
        {
            log::error!("kernel program: {mac}: {error}");
        }
    }

    /// Frees the device's entry.
    pub(super) fn free(&mut self, mac: Mac) {
        if let Ok(enforcer) = &mut self.enforcer
            && let Err(error) = enforcer.remove_device(mac)
        {
            log::error!("kernel program: {mac}: {error}");
        }
    }

    /// The devices that the program knows, a predecessor's among them.
    pub(super) fn known(&self) -> Vec<Mac> {
        self.enforcer
            .as_ref()
            .map(|enforcer| enforcer.known().collect())
            .unwrap_or_default()
    }

    /// What each device did.
    pub(super) fn counters(&self) -> Vec<(Mac, DeviceCounters)> {
        let Ok(enforcer) = &self.enforcer else {
            return Vec::new();
        };
        enforcer.counters().unwrap_or_else(|error| {
            log::error!("kernel program: counters: {error}");
            Vec::new()
        })
    }

    /// How the program sits on the interfaces; the error if there is no program.
    pub(super) fn attachments(&self) -> Result<Vec<Attachment>, &str> {
        match &self.enforcer {
            Ok(enforcer) => Ok(enforcer.attachments()),
            Err(error) => Err(error),
        }
    }

    /// The router's addresses, as the program knows them.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.rules.local_addresses
    }

    /// The Linux devices that are guarded; a bridge stands for its ports.
    pub(super) fn devices(&self) -> &[String] {
        &self.target.devices
    }

    /// Why the house is not protected, in plain words; empty when it is.
    pub(super) fn problems(&self) -> Vec<String> {
        let mut why = Vec::new();
        if self.rules.mode == Mode::Monitor {
            why.push("monitor mode: nothing is dropped".to_owned());
        }
        for network in &self.unresolved {
            why.push(format!("network '{network}' has no device yet"));
        }
        let attachments = match self.attachments() {
            Ok(attachments) => attachments,
            Err(error) => {
                why.push(format!("the kernel program is not loaded: {error}"));
                return why;
            }
        };
        for Attachment {
            interface,
            hook,
            proof,
            why: detail,
        } in &attachments
        {
            if hook.is_none() {
                why.push(format!("not attached to {interface}: {detail}"));
            } else if *proof == Proof::Blind {
                why.push(format!(
                    "{interface} has frames that the kernel program does not see"
                ));
            }
        }
        if !attachments
            .iter()
            .any(|attachment| attachment.proof == Proof::Seen)
        {
            why.push("no frame has been seen yet".to_owned());
        }
        why
    }

    /// Takes the program off the interfaces.
    pub(super) fn stop(self) {
        detach(self.enforcer);
    }
}

fn detach(enforcer: Result<Enforcer, String>) {
    if let Ok(enforcer) = enforcer
        && let Err(error) = enforcer.detach()
    {
        log::error!("kernel program: {error}");
    }
}

fn rules(settings: &Settings, local_addresses: Vec<IpAddr>) -> Rules {
    let main = &settings.main;
    let plain = settings
        .listeners
        .iter()
        .find(|listener| listener.kind == ListenerKind::Plain);
    Rules {
        mode: main.mode,
        plaintext_ports: main.plaintext_ports.clone(),
        detect_connect: main.detect_connect,
        mqtt_sn: main.mqtt_sn,
        local_addresses,
        broker_ports: settings
            .listeners
            .iter()
            .map(|listener| listener.port)
            .collect(),
        local_plaintext_port: plain.map(|listener| listener.port),
        exceptions: settings.exceptions.clone(),
        stranger_limits: settings.stranger_limits(),
    }
}

fn local_addresses() -> Vec<IpAddr> {
    let mut addresses = discovery::local_addresses().unwrap_or_else(|error| {
        log::error!("the router's addresses: {error}");
        Vec::new()
    });
    addresses.sort_unstable();
    addresses.dedup();
    addresses
}

/// The Linux devices to guard, and the networks that could not be resolved to any.
fn target(settings: &Settings, ubus_socket: &Path) -> (Target, Vec<String>) {
    let main = &settings.main;
    let mut devices: BTreeSet<String> = main.devices.iter().cloned().collect();
    let mut unresolved = Vec::new();
    if !main.networks.is_empty() {
        let resolved =
            discovery::resolve_networks(ubus_socket, &main.networks).unwrap_or_else(|error| {
                log::debug!("networks: {error}");
                Vec::new()
            });
        for network in &main.networks {
            match resolved.iter().find(|(name, _)| name == network) {
                Some((_, device)) => {
                    devices.insert(device.clone());
                }
                None => unresolved.push(network.clone()),
            }
        }
    }
    (
        Target {
            devices: devices.into_iter().collect(),
            hook: main.hook,
        },
        unresolved,
    )
}
