//! Protection where the kernel program does not stand: what nftables is told in its place.

use std::collections::BTreeSet;

use mqttguard_common::Mac;
use serde_json::Value;

use super::troubles::Trouble;
use crate::config::{Main, Mode, OnError};
use crate::enforce::nft::{Action, Drops, Keeper, Plaintext, Ruleset, State, Uplift};
use crate::enforce::{self, Rules};
use crate::events::{EventKind, StandIn};
use crate::json::json;
use crate::registry::{DevicePolicy, Standing};

/// What stands in for the kernel program.
pub(super) struct Fallback {
    keeper: Result<Keeper, String>,
    enabled: bool,
    on_error: OnError,
    blocked: BTreeSet<Mac>,
    quarantined: BTreeSet<Mac>,
    /// Devices that may use the router's plaintext listener.
    plaintext: BTreeSet<Mac>,
    uplift: Vec<Uplift>,
    /// What the keeper was asked for last; None: nothing yet.
    wanted: Option<Ruleset>,
    told: Told,
    restored: u64,
}

/// What the owner was told last.
#[derive(Clone, PartialEq, Eq)]
struct Told {
    level: Level,
    trouble: Option<String>,
    devices: Vec<String>,
}

/// How much nftables does in the kernel program's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    /// Nothing: it is not needed, or not able to.
    None,
    /// It drops the plaintext ports, and what cut-off devices send.
    Reduced,
    /// Nothing is forwarded.
    Closed,
}

impl Level {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Level::None => "none",
            Level::Reduced => "reduced",
            Level::Closed => "closed",
        }
    }
}

impl Fallback {
    pub(super) fn start(main: &Main) -> Fallback {
        Fallback {
            keeper: Keeper::start().map_err(|error| format!("no thread for nft: {error}")),
            enabled: main.enabled,
            on_error: main.on_error,
            blocked: BTreeSet::new(),
            quarantined: BTreeSet::new(),
            plaintext: BTreeSet::new(),
            uplift: Vec::new(),
            wanted: None,
            told: Told {
                level: Level::None,
                trouble: None,
                devices: Vec::new(),
            },
            restored: 0,
        }
    }

    /// Takes in what the owner wants; [`Fallback::follow`] does it.
    pub(super) fn configure(&mut self, main: &Main) {
        (self.enabled, self.on_error) = (main.enabled, main.on_error);
    }

    /// Whether what cannot be guarded is to be cut off.
    pub(super) fn is_closed(&self) -> bool {
        self.on_error == OnError::Closed
    }

    /// Notes what a device may do; [`Fallback::follow`] carries it out.
    pub(super) fn set(&mut self, mac: Mac, policy: &DevicePolicy) {
        note(&mut self.blocked, mac, policy.standing == Standing::Blocked);
        let quarantined = policy.standing == Standing::Quarantined;
        note(&mut self.quarantined, mac, quarantined);
        note(&mut self.plaintext, mac, policy.plaintext);
    }

    /// Whether a device is blocked or in quarantine.
    pub(super) fn cuts_off(&self, mac: Mac) -> bool {
        self.blocked.contains(&mac) || self.quarantined.contains(&mac)
    }

    /// Forgets a device.
    pub(super) fn free(&mut self, mac: Mac) {
        for macs in [
            &mut self.blocked,
            &mut self.quarantined,
            &mut self.plaintext,
        ] {
            macs.remove(&mac);
        }
    }

    /// Devices whose plaintext MQTT goes to a proxy; [`Fallback::follow`] carries it out, and does
    /// so again if it was to be so before.
    pub(super) fn set_uplift(&mut self, uplift: Vec<Uplift>) {
        self.uplift = uplift;
        self.wanted = None;
    }

    /// The devices of the last [`Fallback::set_uplift`].
    pub(super) fn uplift(&self) -> &[Uplift] {
        &self.uplift
    }

    /// Whether nftables is not yet as it was last asked to be.
    pub(super) fn is_pending(&self) -> bool {
        self.state() == State::Pending
    }

    /// Whether connections of those devices reach the proxy, or why not; None: not known yet.
    pub(super) fn uplift_stands(&self) -> Option<Result<(), String>> {
        let asked = self.wanted.as_ref().map(|wanted| &wanted.uplift);
        match self.state() {
            _ if asked != Some(&self.uplift) => None,
            State::Pending => None,
            State::Standing => Some(Ok(())),
            State::Failing(error) => Some(Err(error)),
        }
    }

    /// Brings nftables in step with `rules`, where the kernel program does not stand: on the
    /// interfaces `unguarded`.
    pub(super) fn follow(&mut self, rules: &Rules, unguarded: &[String]) {
        let ruleset = match self.enabled {
            true => match enforce::routed(unguarded) {
                Ok(devices) => self.ruleset(rules, devices),
                Err(error) => {
                    // Better by the names that are known than not at all.
                    log::debug!("nftables: {error}");
                    self.ruleset(rules, unguarded.to_vec())
                }
            },
            false => Ruleset::default(),
        };
        if self.wanted.as_ref() == Some(&ruleset) {
            return;
        }
        if let Ok(keeper) = &self.keeper {
            keeper.want(ruleset.clone());
        }
        self.wanted = Some(ruleset);
    }

    fn ruleset(&self, rules: &Rules, devices: Vec<String>) -> Ruleset {
        let uplift = self.uplift.clone();
        if devices.is_empty() {
            return Ruleset {
                uplift,
                ..Ruleset::default()
            };
        }
        let action = match (rules.mode, rules.reject) {
            (Mode::Monitor, _) => Action::Count,
            (Mode::Enforce, true) => Action::Reject,
            (Mode::Enforce, false) => Action::Drop,
        };
        let closed = match (self.is_closed(), rules.mode) {
            (true, Mode::Enforce) => devices.clone(),
            (true, Mode::Monitor) | (false, _) => Vec::new(),
        };
        let plaintext = Plaintext {
            devices,
            action,
            ports: rules.plaintext_ports.clone(),
            mqtt_sn: rules.mqtt_sn,
            exceptions: rules.exceptions.clone(),
            broker_ports: rules.broker_ports.clone(),
            local_port: rules.local_plaintext_port,
            local_macs: self.plaintext.clone(),
            blocked: self.blocked.clone(),
            quarantined: self.quarantined.clone(),
        };
        Ruleset {
            plaintext: Some(plaintext),
            closed,
            uplift,
        }
    }

    fn state(&self) -> State {
        match &self.keeper {
            Ok(keeper) => keeper.state(),
            Err(error) => State::Failing(error.clone()),
        }
    }

    /// How much of protection there is in the kernel program's place.
    pub(super) fn level(&self) -> Level {
        match self.state() {
            State::Standing => self.wanted_level(),
            // Until one transaction takes the place of the other.
            State::Pending if self.told.trouble.is_none() => self.told.level,
            State::Pending | State::Failing(_) => Level::None,
        }
    }

    fn wanted_level(&self) -> Level {
        let Some(wanted) = &self.wanted else {
            return Level::None;
        };
        match &wanted.plaintext {
            _ if !wanted.closed.is_empty() => Level::Closed,
            Some(plaintext) if plaintext.action != Action::Count => Level::Reduced,
            _ => Level::None,
        }
    }

    fn devices(&self) -> &[String] {
        let plaintext = self.wanted.as_ref().and_then(|w| w.plaintext.as_ref());
        plaintext.map_or(&[], |plaintext| &plaintext.devices)
    }

    /// What is to be told now; None while that is not known.
    fn tale(&self) -> Option<Told> {
        let (level, trouble) = match self.state() {
            State::Pending => return None,
            State::Standing => (self.wanted_level(), None),
            State::Failing(error) => (self.wanted_level(), Some(error)),
        };
        Some(Told {
            level,
            trouble,
            devices: self.devices().to_vec(),
        })
    }

    /// What nftables does or fails to do where the kernel program does not stand.
    pub(super) fn problems(&self) -> Vec<Trouble> {
        let tale = self.tale().filter(|tale| !tale.devices.is_empty());
        let standin = tale.map(|tale| tale.standin());
        let standin = standin.filter(|standin| *standin != StandIn::None);
        standin.map(Trouble::StandIn).into_iter().collect()
    }

    /// What has happened since the last call.
    pub(super) fn news(&mut self) -> Vec<EventKind> {
        let mut news = Vec::new();
        if let Ok(keeper) = &self.keeper {
            let restored = keeper.restored();
            if restored != self.restored {
                self.restored = restored;
                news.push(EventKind::Fallback(StandIn::Restored));
            }
        }
        let Some(tale) = self.tale().filter(|tale| *tale != self.told) else {
            return news;
        };
        news.push(EventKind::Fallback(tale.standin()));
        self.told = tale;
        news
    }

    /// As `status` shows it.
    pub(super) fn status(&self) -> Value {
        let (state, error) = match self.state() {
            State::Pending => ("pending", None),
            State::Standing if self.wanted.as_ref().is_none_or(Ruleset::is_empty) => ("idle", None),
            State::Standing => ("standing", None),
            State::Failing(error) => ("failing", Some(error)),
        };
        let level = self.level().name();
        json!({
            "on_error": if self.is_closed() { "closed" } else { "open" },
            "state": state,
            "error": error,
            "interfaces": self.devices().iter().map(|device| json!({
                "interface": device, "protection": level,
            })).collect::<Vec<_>>(),
        })
    }

    /// What it has refused in the kernel program's place, as of at most ten seconds ago.
    pub(super) fn drops(&self) -> Drops {
        self.keeper.as_ref().map(Keeper::drops).unwrap_or_default()
    }

    /// Removes the table.
    pub(super) fn stop(self) {
        if let Ok(keeper) = self.keeper
            && let Err(error) = keeper.stop()
        {
            log::error!("nftables: {error}");
        }
    }
}

impl Told {
    fn standin(&self) -> StandIn {
        let interfaces = self.devices.clone();
        let why = self.trouble.clone();
        match (self.level, why) {
            (Level::None, None) => StandIn::None,
            (Level::None, Some(why)) => StandIn::Failing { why },
            (Level::Reduced, None) => StandIn::Reduced { interfaces },
            (Level::Reduced, Some(why)) => StandIn::Unprotected { interfaces, why },
            (Level::Closed, None) => StandIn::Closed { interfaces },
            (Level::Closed, Some(why)) => StandIn::Unclosed { interfaces, why },
        }
    }
}

fn note(macs: &mut BTreeSet<Mac>, mac: Mac, belongs: bool) {
    if belongs {
        macs.insert(mac);
    } else {
        macs.remove(&mac);
    }
}
