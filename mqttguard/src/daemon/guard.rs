//! The kernel side of the daemon: what the program is told, and whether it holds.

mod rules;
mod troubles;

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use super::fallback::Fallback;
use crate::config::{Exception, Mode, Settings};
use crate::discovery::Networks;
use crate::enforce::{
    self, Connections, DeviceCounters, Enforcer, Progress, Proof, Rules, Target, nft,
};
use crate::outlet::Outlet;
use crate::registry::{Device, DevicePolicy, Standing};
use mqttguard_common::Mac;
use rules::{local_addresses, rules};

/// The kernel program, or why there is none.
pub(super) struct Guard {
    enforcer: Result<Enforcer, String>,
    rules: Rules,
    /// Where programs of this daemon and of its predecessors are pinned.
    bpf_dir: PathBuf,
    /// Plaintext MQTT that may leave now.
    exceptions: Vec<Exception>,
    /// Whether uplifted devices' plaintext is taken over, so that it may be let through.
    uplift: bool,
    target: Target,
    /// Which device stands for which network, as netifd said last. A network that netifd does
    /// not know any more keeps its device: while netifd restarts it knows none.
    networks: Networks,
    /// The interfaces on which a predecessor left the program. It stays there until netifd has
    /// named all devices to guard.
    inherited: Vec<String>,
    /// Networks of the configuration that no device stands for yet.
    unresolved: Vec<String>,
    reports: Outlet<enforce::Report>,
    /// Reports that found the inbox full.
    lost: Arc<AtomicUsize>,
    /// When a program that could not be loaded is tried again.
    retry_at: Instant,
    /// What was last said about a failure, so as not to say it every few seconds.
    complaint: Option<String>,
    /// Ends the connections of devices that are cut off; None if its thread could not be started.
    connections: Option<Connections>,
    /// Ends of connections that are to go as soon as nftables stands as it is to: before, the next
    /// packet would bring them back.
    ending: BTreeSet<IpAddr>,
    /// What stands in for the program where it does not stand.
    pub(super) fallback: Fallback,
}

/// Why there is no program when the owner wants none.
pub(super) const OFF: &str = "switched off in the configuration";
/// How long until a program that could not be loaded is tried again: having it verified keeps a
/// small router busy.
const RETRY: Duration = Duration::from_secs(60);
/// How long to wait for nftables to redirect what it is to.
const REDIRECTED: Duration = Duration::from_secs(2);
/// How long to wait for connections to end: a walk through the table of a busy router takes some
/// tenths of a second.
const ENDED: Duration = Duration::from_secs(2);

impl Guard {
    /// Has the program loaded and attached, which goes on after the return. A failure is kept, to be
    /// told by [`Guard::problems`]: the broker serves all the same. `devices` are what it begins with if no predecessor left any.
    pub(super) fn start(
        settings: &Settings,
        exceptions: Vec<Exception>,
        networks: Networks,
        devices: &[(Mac, DevicePolicy)],
        reports: Outlet<enforce::Report>,
    ) -> Guard {
        let inherited = enforce::standing(&settings.main.bpf_dir).unwrap_or_else(|error| {
            log::error!("kernel program: {error}");
            Vec::new()
        });
        let mut guard = Guard {
            enforcer: Err(OFF.to_owned()),
            rules: rules(settings, &exceptions, local_addresses().unwrap_or_default()),
            bpf_dir: settings.main.bpf_dir.clone(),
            exceptions,
            uplift: false,
            target: Target {
                devices: Vec::new(),
                hook: settings.main.hook,
            },
            networks,
            inherited,
            unresolved: Vec::new(),
            reports,
            lost: Arc::default(),
            retry_at: Instant::now(),
            complaint: None,
            connections: Connections::start()
                .inspect_err(|error| log::error!("conntrack: {error}"))
                .ok(),
            ending: BTreeSet::new(),
            fallback: Fallback::start(&settings.main),
        };
        guard.target = guard.find_target(settings);
        guard.switch_with(settings, devices);
        // Loading takes a small router many seconds: something stands from the first on.
        guard.fall_back();
        guard
    }

    /// Has the program loaded if it should run and does not, and takes it off if it should not, were
    /// it a predecessor's. True if it is loaded: it then knows no device of this daemon's yet.
    pub(super) fn switch(&mut self, settings: &Settings) -> bool {
        self.switch_with(settings, &[])
    }

    fn switch_with(&mut self, settings: &Settings, devices: &[(Mac, DevicePolicy)]) -> bool {
        self.fallback.configure(&settings.main);
        self.bpf_dir.clone_from(&settings.main.bpf_dir);
        match (settings.main.enabled, &self.enforcer) {
            (true, Err(_)) => {
                self.retry_at = Instant::now() + RETRY;
                let reports = self.reports.clone();
                let lost = Arc::clone(&self.lost);
                // An inbox that is full loses events, not enforcement.
                let report = move |report| {
                    if reports.try_send(report).is_err() {
                        lost.fetch_add(1, Ordering::Relaxed);
                    }
                };
                let dir = &settings.main.bpf_dir;
                self.enforcer = Enforcer::start(dir, &self.target, &self.rules, devices, report)
                    .map_err(|error| error.to_string());
                let failure = self.enforcer.as_ref().err().cloned();
                self.complain(failure);
                self.enforcer.is_ok()
            }
            (false, _) => {
                let enforcer = std::mem::replace(&mut self.enforcer, Err(OFF.to_owned()));
                detach(enforcer, &settings.main.bpf_dir);
                false
            }
            (true, Ok(_)) => false,
        }
    }

    /// netifd has named the devices of networks.
    pub(super) fn learn(&mut self, networks: Networks) {
        self.networks.extend(networks);
    }

    /// Which plaintext MQTT may leave, from the next [`Guard::follow`] on.
    pub(super) fn except(&mut self, exceptions: Vec<Exception>) {
        self.exceptions = exceptions;
    }

    /// Brings the program in step with the configuration, the router's addresses and its networks,
    /// where they differ from what it was told last. True if it was loaded on this occasion, as
    /// [`Guard::switch`].
    pub(super) fn follow(&mut self, settings: &Settings) -> bool {
        self.fallback.configure(&settings.main);
        let addresses = local_addresses().unwrap_or_else(|| self.rules.local_addresses.clone());
        let rules = Rules {
            uplift: self.uplift,
            ..rules(settings, &self.exceptions, addresses)
        };
        let target = self.find_target(settings);
        if let Ok(enforcer) = &self.enforcer
            && enforcer.has_ended()
        {
            let why = match enforcer.progress() {
                Progress::Failed(error) => error,
                _ => "its thread has ended".to_owned(),
            };
            self.complain(Some(why.clone()));
            // Dropped, it leaves everything standing for the next.
            self.enforcer = Err(why);
            self.retry_at = Instant::now() + RETRY;
        }
        let Ok(enforcer) = &mut self.enforcer else {
            (self.rules, self.target) = (rules, target);
            let due = settings.main.enabled && Instant::now() >= self.retry_at;
            return due && self.switch(settings);
        };
        let mut failure = None;
        if rules != self.rules {
            match enforcer.set_rules(&rules) {
                Ok(()) => self.rules = rules,
                Err(error) => failure = Some(error.to_string()),
            }
        }
        if target != self.target {
            enforcer.retarget(&target);
            self.target = target;
        }
        self.complain(failure);
        false
    }

    /// Lets uplifted devices' plaintext through, or does not any more, at once. What fails is
    /// tried again by [`Guard::follow`].
    pub(super) fn set_uplift(&mut self, uplift: bool) {
        if std::mem::replace(&mut self.uplift, uplift) == uplift && self.rules.uplift == uplift {
            return;
        }
        let rules = Rules {
            uplift,
            ..self.rules.clone()
        };
        let Ok(enforcer) = &mut self.enforcer else {
            self.rules = rules;
            return;
        };
        match enforcer.set_rules(&rules) {
            Ok(()) => self.rules = rules,
            Err(error) => self.complain(Some(error.to_string())),
        }
    }

    /// Redirects these devices' plaintext, and no others'. Waits until that stands, which takes
    /// some milliseconds.
    ///
    /// # Errors
    ///
    /// Why it does not, in words. It is tried again; see [`Fallback::uplift_stands`].
    pub(super) fn redirect(&mut self, uplift: Vec<nft::Uplift>) -> Result<(), String> {
        self.fallback.set_uplift(uplift);
        self.fall_back();
        let end = Instant::now() + REDIRECTED;
        loop {
            match self.fallback.uplift_stands() {
                Some(state) => return state,
                None if Instant::now() >= end => return Err("nft is not done yet".to_owned()),
                None => std::thread::sleep(Duration::from_millis(1)),
            }
        }
    }

    /// Logs a failure, unless it is the one that was logged last.
    fn complain(&mut self, failure: Option<String>) {
        if let Some(failure) = &failure
            && self.complaint.as_ref() != Some(failure)
        {
            log::error!("kernel program: {failure}");
        }
        self.complaint = failure;
    }

    /// The Linux devices to guard. While networks cannot be resolved to any, the interfaces that
    /// a predecessor guarded are among them.
    fn find_target(&mut self, settings: &Settings) -> Target {
        let main = &settings.main;
        let mut devices: BTreeSet<String> = main.devices.iter().cloned().collect();
        self.unresolved.clear();
        for network in &main.networks {
            match self.networks.get(network) {
                Some(device) => {
                    devices.insert(device.clone());
                }
                None => self.unresolved.push(network.clone()),
            }
        }
        if self.unresolved.is_empty() {
            self.inherited.clear();
        }
        devices.extend(self.inherited.iter().cloned());
        Target {
            devices: devices.into_iter().collect(),
            hook: main.hook,
        }
    }

    /// Tells the program what to hold a device to, and ends the connections of one that is newly
    /// blocked or quarantined: those that are offloaded would go past the program. One that is let
    /// go begins anew only after that.
    pub(super) fn set(&mut self, device: &Device, policy: &DevicePolicy) {
        let mac = device.mac;
        let before = match &self.enforcer {
            Ok(enforcer) => enforcer.standing(mac).ok().flatten(),
            Err(_) => None,
        };
        if policy.standing == Standing::Good && self.fallback.cuts_off(mac) {
            for address in &device.addresses {
                self.ending.remove(address);
            }
            self.await_ends();
        }
        self.set_policy(mac, policy);
        let is_cut_off = policy.standing != Standing::Good && before != Some(policy.standing);
        if is_cut_off && self.rules.mode == Mode::Enforce {
            self.end_connections(device);
        }
    }

    /// Has the router forget the device's connections when all that is to meet them stands; see
    /// [`Guard::fall_back`].
    pub(super) fn end_connections(&mut self, device: &Device) {
        // A device may claim any address. The router's own are an end of everybody's connections.
        let local = &self.rules.local_addresses;
        let its_own = device.addresses.iter().filter(|one| !local.contains(one));
        self.ending.extend(its_own);
    }

    /// Waits until connections that are to end have ended. One that begins before would lose its
    /// entry with them, and with that, if it is redirected, its way.
    pub(super) fn await_ends(&self) {
        if let Some(connections) = &self.connections
            && !connections.wait(ENDED)
        {
            log::warn!(
                "conntrack: connections are not ended after {} s",
                ENDED.as_secs()
            );
        }
    }

    fn set_policy(&mut self, mac: Mac, policy: &DevicePolicy) {
        self.fallback.set(mac, policy);
        if let Ok(enforcer) = &mut self.enforcer
            && let Err(error) = enforcer.set_device(mac, policy)
        {
            log::error!("kernel program: {mac}: {error}");
        }
    }

    /// Frees the device's entry.
    pub(super) fn free(&mut self, mac: Mac) {
        self.fallback.free(mac);
        if let Ok(enforcer) = &mut self.enforcer
            && let Err(error) = enforcer.remove_device(mac)
        {
            log::error!("kernel program: {mac}: {error}");
        }
    }

    /// Has nftables stand in where the program does not stand, and no longer where it does. To be
    /// called after any change, and now and then: interfaces come and go. Ends the connections
    /// that are to end.
    pub(super) fn fall_back(&mut self) {
        let mut unguarded = match self.progress() {
            Ok(Progress::Standing(attachments)) => attachments
                .into_iter()
                .filter(|attachment| attachment.hook.is_none() || attachment.proof == Proof::Blind)
                .map(|attachment| attachment.interface)
                .collect(),
            Ok(Progress::Loading { succeeds: true }) => self.bare(),
            _ => self.target.devices.clone(),
        };
        if self.inherited.is_empty() {
            // By OpenWrt's custom, until netifd says better.
            unguarded.extend(
                self.unresolved
                    .iter()
                    .map(|network| format!("br-{network}")),
            );
            unguarded.retain(|device| device.len() < libc::IFNAMSIZ);
        }
        self.fallback.follow(&self.rules, &unguarded);
        if !self.fallback.is_pending() {
            let ending = std::mem::take(&mut self.ending);
            if let Some(connections) = &self.connections {
                connections.end(ending);
            }
        }
    }

    /// Where nothing stands while a predecessor's program stands elsewhere.
    fn bare(&self) -> Vec<String> {
        enforce::bare(&self.bpf_dir, &self.target.devices).unwrap_or_else(|error| {
            log::debug!("kernel program: {error}");
            self.target.devices.clone()
        })
    }

    /// The devices that the program knows, a predecessor's among them, and how they stand there.
    pub(super) fn known(&self) -> Vec<(Mac, Standing)> {
        let Ok(enforcer) = &self.enforcer else {
            return Vec::new();
        };
        let standing = |mac| enforcer.standing(mac).ok().flatten().unwrap_or_default();
        enforcer.known().map(|mac| (mac, standing(mac))).collect()
    }

    /// What each device did.
    pub(super) fn counters(&self) -> Vec<(Mac, DeviceCounters)> {
        self.read_counters().unwrap_or_default()
    }

    /// The same; None if there is no program, or it does not say.
    pub(super) fn read_counters(&self) -> Option<Vec<(Mac, DeviceCounters)>> {
        let counters = self.enforcer.as_ref().ok()?.counters();
        counters
            .inspect_err(|error| log::error!("kernel program: counters: {error}"))
            .ok()
    }

    fn progress(&self) -> Result<Progress, &str> {
        match &self.enforcer {
            Ok(enforcer) => Ok(enforcer.progress()),
            Err(error) => Err(error),
        }
    }

    /// Events that were lost because the daemon was behind.
    pub(super) fn events_lost(&self) -> usize {
        self.lost.load(Ordering::Relaxed)
    }

    /// The router's addresses, as the program knows them.
    pub(super) fn addresses(&self) -> &[IpAddr] {
        &self.rules.local_addresses
    }

    /// The Linux devices that are guarded; a bridge stands for its ports.
    pub(super) fn devices(&self) -> &[String] {
        &self.target.devices
    }

    /// Takes the program off the interfaces, were it a predecessor's.
    pub(super) fn stop(self, bpf_dir: &Path) {
        detach(self.enforcer, bpf_dir);
        self.fallback.stop();
    }
}

/// Ends enforcement. Where the program of this run never came to stand, that of the run before may:
/// nobody would be left to tell it what is not blocked any more.
fn detach(enforcer: Result<Enforcer, String>, bpf_dir: &Path) {
    let failure = enforcer.ok().and_then(|enforcer| enforcer.detach().err());
    match (enforce::take_off(bpf_dir), failure) {
        (Ok(true), _) => log::info!("the kernel program of an earlier run is taken off"),
        (Ok(false), None) => {}
        (Ok(false), Some(error)) | (Err(error), _) => log::error!("kernel program: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use mqttguard_common::LAYOUT_VERSION;

    use super::*;

    #[test]
    fn a_stop_takes_off_what_a_predecessor_left_where_loading_failed() {
        let dir = tempfile::tempdir().expect("a directory");
        let bpf_dir = dir.path().join("mqttguard");
        let maps = bpf_dir.join(format!("v{LAYOUT_VERSION}"));
        fs::create_dir_all(&maps).expect("made");
        fs::write(maps.join("DEVICES"), "").expect("written");
        detach(Err("the verifier refused it".to_owned()), &bpf_dir);
        assert!(!bpf_dir.exists());
    }
}
