use std::collections::BTreeMap;

use mqttguard_broker::Grants;
use mqttguard_common::{Mac, Reason};
use serde_json::Value;

use crate::broker::{self, ClientStatus, protocol};
use crate::coded::Coded;
use crate::config::Bindings;
use crate::daemon::clock::{millis, unix_ms};
use crate::daemon::wiring::Daemon;
use crate::enforce::DeviceCounters;
use crate::events::Because;
use crate::json::json;
use crate::naming::{Firmware, system};
use crate::registry::{Credential, Device, Refusals, State};
use crate::uplift::UpliftStats;

use super::{exceptions, is_dropped, is_reported, mud, name, sums, uplift_device};

/// Events shown with a device.
const NOTABLE_EVENTS: usize = 20;

/// Beside them, of its clients coming and going: those shown.
const TRAFFIC_EVENTS: usize = 10;

/// `devices`: all of them.
pub(in crate::daemon) fn devices(daemon: &Daemon) -> Value {
    let view = View::of(daemon);
    json!({ "devices": daemon.registry.devices().map(|device| view.device(device)).collect::<Vec<_>>() })
}

/// `device`: one, with its last events. None if it is not in the registry.
pub(in crate::daemon) fn device(daemon: &Daemon, mac: Mac) -> Option<Value> {
    let (view, device) = (View::of(daemon), daemon.registry.device(mac)?);
    let mut out = view.device(device);
    let events = daemon.events.of_device(mac, NOTABLE_EVENTS, TRAFFIC_EVENTS);
    if let Some(object) = out.as_object_mut() {
        object.insert(
            "events".to_owned(),
            events
                .into_iter()
                .map(crate::events::Event::to_json)
                .collect(),
        );
        // Of one device only: of all, what devices choose would burst the reply.
        object.insert("logins".to_owned(), logins(device));
        let more = [
            ("grants", view.grants(device)),
            ("mud_grants", mud::grants(daemon, mac)),
            ("refused", view.refused(device)),
        ];
        let more = more
            .into_iter()
            .filter_map(|(name, value)| Some((name.to_owned(), value?)));
        object.extend(more);
    }
    Some(out)
}

/// What a device's row is made of beside the registry.
struct View<'a> {
    daemon: &'a Daemon,
    counters: BTreeMap<Mac, DeviceCounters>,
    clients: Vec<ClientStatus>,
    uplift: UpliftStats,
}

impl<'a> View<'a> {
    fn of(daemon: &'a Daemon) -> View<'a> {
        let stats = daemon
            .broker
            .as_ref()
            .ok()
            .and_then(|broker| broker.handle.stats());
        let clients = stats.map(|stats| stats.clients).unwrap_or_default();
        View {
            daemon,
            counters: daemon.guard.counters().into_iter().collect(),
            clients,
            uplift: daemon.uplifting.stats(),
        }
    }

    fn device(&self, device: &Device) -> Value {
        let counters = self.counters.get(&device.mac).copied().unwrap_or_default();
        let dropped_frames: u64 = Reason::ALL
            .into_iter()
            .zip(counters.frames)
            .filter(|(reason, _)| is_dropped(self.daemon, *reason))
            .map(|(_, frames)| frames)
            .sum();
        let all_frames: u64 = counters.frames.iter().sum();
        let state = device.state();
        let why = match state {
            State::Blocked => device.blocked.as_ref().or(Some(&Because::Configured)),
            State::Quarantined => device.quarantine.as_ref().map(|one| &one.why),
            State::New | State::Enrolled | State::Gone => None,
        };
        let until = device
            .quarantine
            .as_ref()
            .filter(|_| state == State::Quarantined);
        let username = device
            .credential
            .as_ref()
            .map(|credential| credential.username.as_str());
        let connected = self
            .clients
            .iter()
            .filter(|client| Some(&*client.username) == username);
        let firmware = device.probable_firmware();
        let mut out = json!({
            "mac": device.mac.to_string(),
            "name": device.name,
            "hostname": device.hostname,
            "addresses": device.addresses,
            "interface": device.interface,
            "vendor": self.daemon.makers.maker(device.mac).as_deref(),
            "vendor_class": device.vendor_class,
            "system": device.vendor_class.as_deref().and_then(system),
            "mud_url": device.mud_url,
            "mud": mud::of_device(self.daemon, device.mac),
            "firmware": firmware.map(Firmware::name),
            "suggested_profile": firmware.map(Firmware::profile),
            "state": state.name(),
            "why": why.map(Because::to_string),
            "because": why.map(Coded::to_json),
            "until_ms": until.map(|quarantine| quarantine.until_ms),
            "profile": self.daemon.registry.profile_name(device),
            "username": username,
            "connected": connected.map(|client| json!({
                "client_id": &*client.client_id,
                "address": client.address,
                "protocol": protocol(client.protocol),
                "since_ms": unix_ms().saturating_sub(millis(client.connected_for)),
            })).collect::<Vec<_>>(),
            "first_seen_ms": device.first_seen_ms,
            "last_seen_ms": device.last_seen_ms,
            "frames": { "passed": all_frames - dropped_frames, "dropped": dropped_frames },
            "dropped": sums([&counters], |reason| is_dropped(self.daemon, reason)),
            "reported": sums([&counters], |reason| is_reported(self.daemon, reason)),
            "bound": self.bound(device),
            "exceptions": exceptions(self.daemon, |mac| mac == Some(device.mac)),
            "logins": { "failed": device.failed_logins },
            "pairing": pairings(self.daemon, |mac| mac == device.mac).pop(),
            "credential": device.credential.as_ref().map(held),
            "uplift": self.uplift.devices.get(&device.mac).map(uplift_device),
        });
        if let Some(object) = out.as_object_mut() {
            object.retain(|_, value| !value.is_null());
        }
        out
    }

    /// What its `device` section grants; None without one that grants anything.
    fn grants(&self, device: &Device) -> Option<Value> {
        let (publish, subscribe) = self.daemon.registry.own_grants(device.mac);
        let any = !publish.is_empty() || !subscribe.is_empty();
        any.then(|| json!({ "publish": publish, "subscribe": subscribe }))
    }

    /// What it was refused lately and would be refused now; None if nothing.
    fn refused(&self, device: &Device) -> Option<Value> {
        let refusals = device.refusals.as_ref()?;
        let account = self.daemon.registry.account_of(device);
        let mut clients = self.clients.iter();
        let client = clients.find(|client| client.username == account.username);
        let client_id = client.map_or("", |client| &client.client_id);
        let now = broker::grants_of(&account, client_id);
        let all = || vec!["#".to_owned(), "$SYS/#".to_owned()];
        let most = Grants {
            publish: all(),
            subscribe: all(),
            deny: now.deny.clone(),
        };
        let open = refusals.topics().iter().rev();
        let open = open.filter(|one| !one.is_granted(&now)).map(|one| {
            let pattern = one.pattern().filter(|_| one.is_granted(&most));
            let mut out = json!({
                "access": one.wish.option(),
                "topic": one.topic,
                "count": one.count,
                "last_ms": one.last_ms,
            });
            if let (Some(pattern), Some(object)) = (pattern, out.as_object_mut()) {
                object.insert("grant".to_owned(), json!(pattern));
            }
            out
        });
        let open: Vec<Value> = open.collect();
        (!open.is_empty()).then(|| json!(open))
    }

    /// Where the device is to send from; None if anywhere.
    fn bound(&self, device: &Device) -> Option<Value> {
        let registry = &self.daemon.registry;
        if self.daemon.configuration.settings.main.bindings == Bindings::Off {
            return None;
        }
        let (interface, missing) = registry.place(device).unzip();
        let address = registry.policy(device).address;
        (interface.is_some() || address.is_some()).then(
            || json!({ "interface": interface, "missing": missing.flatten(), "address": address }),
        )
    }
}

/// How often its logins failed, and why those were refused that were told.
fn logins(device: &Device) -> Value {
    let refused = device.refusals.as_deref().map(Refusals::logins);
    let refused = refused.unwrap_or_default().iter().rev();
    json!({
        "failed": device.failed_logins,
        "refused": refused.map(|one| json!({
            "why": one.why.text(),
            "code": one.why.code(),
            "count": one.count,
            "last_ms": one.last_ms,
        })).collect::<Vec<_>>(),
    })
}

/// The pairing windows that are open for these devices, and what is left of them.
pub(super) fn pairings(daemon: &Daemon, wanted: impl Fn(Mac) -> bool) -> Vec<Value> {
    let now = unix_ms();
    let open = daemon.registry.pairings().iter();
    let open = open.filter(|pairing| wanted(pairing.mac));
    open.map(|pairing| {
        json!({
            "mac": pairing.mac.to_string(),
            "name": name(daemon, pairing.mac),
            "until_ms": pairing.until_ms,
            "left_s": pairing.until_ms.saturating_sub(now).div_ceil(1000),
        })
    })
    .collect()
}

/// What a device proves itself with, as far as that is to be shown.
fn held(credential: &Credential) -> Value {
    let mut out = json!({
        "issued_ms": credential.issued_ms,
        "weak": credential.weak,
        "scram": !credential.scram.is_empty(),
        "old_until_ms": credential.earlier.as_ref().map(|earlier| earlier.until_ms),
        "certificates": credential.certificates.iter().map(|one| json!({
            "serial": one.serial,
            "issued_ms": one.issued_ms,
            "until_ms": one.until_ms,
        })).collect::<Vec<_>>(),
    });
    if let Some(object) = out.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    out
}
