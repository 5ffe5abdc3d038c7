//! The daemon's state as the `mqttguard` object shows it.

use std::collections::BTreeMap;
use std::net::{IpAddr, UdpSocket};
use std::time::Duration;

use ipnet::IpNet;
use mqttguard_common::{Mac, Reason};
use serde_json::{Map, Value, json};

use super::clock::unix_ms;
use super::snippets;
use super::translation::memory_pressure;
use super::wiring::Daemon;
use crate::broker::{BridgeStatus, BrokerStats, ClientStatus, protocol};
use crate::config::{Bindings, Mode};
use crate::enforce::{DeviceCounters, Proof};
use crate::naming::Firmware;
use crate::registry::{Credential, Device, State};
use crate::uplift::{DeviceStats, UpliftStats};

/// Events shown with a device.
const DEVICE_EVENTS: usize = 20;

/// `status`: protected or not, why, and how each part is.
pub(super) fn status(daemon: &Daemon) -> Value {
    let fallback = &daemon.guard.fallback;
    let mut why = daemon.guard.problems();
    why.extend(fallback.problems());
    if let Err(error) = &daemon.broker {
        why.push(format!("the broker is not running: {error}"));
    }
    if let Some(error) = &daemon.unreadable {
        why.push(format!("blocks and credentials are not in force: {error}"));
    }
    let protected = why.is_empty();
    let broker = broker(daemon);
    if let Some(trouble) = broker.pointer("/journal/why").and_then(Value::as_str) {
        why.push(format!(
            "what the broker acknowledges is lost in a crash: {trouble}"
        ));
    }
    if let Some(problem) = daemon.uplifting.problem() {
        why.push(format!(
            "devices that are to be uplifted are cut off from their servers: {problem}"
        ));
    }
    if let Some(error) = &daemon.unsaved {
        why.push(format!("changes are lost at the next restart: {error}"));
    }
    if !daemon.configuration.errors.is_empty() {
        why.push("the configuration has mistakes; an earlier one is in force".to_owned());
    }
    let counters: BTreeMap<Mac, DeviceCounters> = daemon.guard.counters().into_iter().collect();
    let settings = &daemon.configuration.settings;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "protected": protected,
        "protection": if protected { "full" } else { fallback.level().name() },
        "why": why,
        "mode": match settings.main.mode {
            Mode::Enforce => "enforce",
            Mode::Monitor => "monitor",
        },
        "uptime_s": daemon.started.elapsed().as_secs(),
        "kernel": kernel(daemon),
        "nftables": fallback.status(),
        "broker": broker,
        "uplift": uplift(daemon),
        "discovery": daemon.sources.iter().map(|(source, (up, detail))| json!({
            "source": source.name(), "up": up, "detail": detail,
        })).collect::<Vec<_>>(),
        "devices": State::ALL.into_iter().map(|state| {
            let count = daemon.registry.devices().filter(|device| device.state() == state).count();
            (state.name().to_owned(), json!(count))
        }).collect::<Map<_, _>>(),
        "dropped": sums(counters.values(), |reason| is_dropped(daemon, reason)),
        "reported": sums(counters.values(), |reason| is_reported(daemon, reason)),
        "exceptions": exceptions(daemon, |_| true),
        "pairing": pairings(daemon, |_| true),
        "config": {
            "file": daemon.configuration.file(),
            "loaded_ms": daemon.configuration.loaded_ms,
            "errors": daemon.configuration.errors,
            "at_next_start": daemon.configuration.at_next_start,
        },
    })
}

fn kernel(daemon: &Daemon) -> Value {
    match daemon.guard.attachments() {
        Err(error) => json!({ "loaded": false, "error": error, "attachments": [] }),
        Ok(attachments) => json!({
            "loaded": true,
            "events_lost": daemon.guard.events_lost(),
            "attachments": attachments.iter().map(|attachment| json!({
                "interface": attachment.interface,
                "hook": attachment.hook,
                "proof": match attachment.proof {
                    Proof::Seen => "seen",
                    Proof::Waiting => "waiting",
                    Proof::Blind => "blind",
                },
                "why": attachment.why,
            })).collect::<Vec<_>>(),
        }),
    }
}

fn broker(daemon: &Daemon) -> Value {
    let stats = match &daemon.broker {
        Ok(broker) => broker.handle.stats().ok_or("it does not answer"),
        Err(error) => Err(error.as_str()),
    };
    let stats = match stats {
        Ok(stats) => stats,
        Err(error) => return json!({ "error": error, "listeners": [] }),
    };
    let mut out = core(&stats);
    let pressure = memory_pressure(stats.core.memory_pressure);
    out.insert("memory_pressure".to_owned(), json!(pressure));
    let met = stats.limits_met.iter();
    let met = met.map(|(name, count)| ((*name).to_owned(), json!(count)));
    out.insert("limits_met".to_owned(), Value::Object(met.collect()));
    let logins = &stats.logins;
    let logins = json!({
        "password": logins.password,
        "scram": logins.scram,
        "token": logins.token,
        "certificate": logins.certificate,
        "http": logins.http,
        "refused": logins.refused,
    });
    out.insert("logins".to_owned(), logins);
    let listeners = stats.listeners.iter().map(|listener| {
        json!({
            "name": &*listener.name,
            "kind": listener.kind.name(),
            "addresses": listener.addresses.iter().map(ToString::to_string).collect::<Vec<_>>(),
            "up": listener.errors.is_empty(),
            "detail": listener.errors.join("; "),
            "connections": listener.connections,
        })
    });
    out.insert("listeners".to_owned(), listeners.collect());
    if let Some(journal) = &stats.journal {
        let journal = json!({
            "directory": journal.place.directory,
            "disk": journal.place.disk,
            "durable": journal.trouble.is_none(),
            "bytes": journal.bytes,
            "why": journal.trouble,
        });
        out.insert("journal".to_owned(), journal);
    }
    if let Ok(broker) = &daemon.broker {
        out.insert("certificates".to_owned(), broker.certificates());
    }
    out.insert(
        "bridges".to_owned(),
        stats.bridges.iter().map(bridge).collect(),
    );
    Value::Object(out)
}

fn bridge(bridge: &BridgeStatus) -> Value {
    let mut out = json!({
        "name": bridge.name,
        "server": bridge.server,
        "tls": bridge.tls,
        "up": bridge.up.is_some(),
        "last_error": bridge.last_error,
        "refused": bridge.refused,
        "queued": bridge.queued,
        "messages_in": bridge.messages_in,
        "messages_out": bridge.messages_out,
        "messages_dropped": bridge.messages_dropped,
    });
    if let (Some((version, since, address)), Some(object)) = (bridge.up, out.as_object_mut()) {
        object.insert("protocol".to_owned(), json!(protocol(version)));
        object.insert(
            "since_ms".to_owned(),
            json!(unix_ms().saturating_sub(millis(since))),
        );
        object.insert("address".to_owned(), json!(address));
    }
    out
}

/// Each section with what its devices have used together; null if there is none.
fn uplift(daemon: &Daemon) -> Value {
    if !daemon.uplifting.is_wanted() {
        return Value::Null;
    }
    let stats = daemon.uplifting.stats();
    let settings = &daemon.configuration.settings;
    let sections = settings.uplifts.iter().map(|section| {
        let mut sum = DeviceStats::default();
        for device in section.macs.iter().filter_map(|mac| stats.devices.get(mac)) {
            sum.open = sum.open.saturating_add(device.open);
            sum.connections = sum.connections.saturating_add(device.connections);
            sum.refused = sum.refused.saturating_add(device.refused);
            sum.bytes_out = sum.bytes_out.saturating_add(device.bytes_out);
            sum.bytes_in = sum.bytes_in.saturating_add(device.bytes_in);
            sum.last_error = sum.last_error.or_else(|| device.last_error.clone());
        }
        let mut out = uplift_counters(&sum);
        out.insert("name".to_owned(), json!(section.name));
        out.insert("host".to_owned(), json!(section.host));
        out.insert("port".to_owned(), json!(section.port));
        let macs = section.macs.iter().map(Mac::to_string);
        out.insert("devices".to_owned(), macs.collect());
        Value::Object(out)
    });
    json!({
        "ready": daemon.uplifting.problem().is_none(),
        "why": daemon.uplifting.problem(),
        "strangers": stats.strangers,
        "events_lost": stats.events_lost,
        "sections": sections.collect::<Vec<_>>(),
    })
}

fn uplift_counters(stats: &DeviceStats) -> Map<String, Value> {
    [
        ("open", json!(stats.open)),
        ("connections", json!(stats.connections)),
        ("refused", json!(stats.refused)),
        ("bytes_out", json!(stats.bytes_out)),
        ("bytes_in", json!(stats.bytes_in)),
        ("last_error", json!(stats.last_error)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

/// The counters of one device, with its section.
fn uplift_device(stats: &DeviceStats) -> Value {
    let mut out = uplift_counters(stats);
    out.insert("section".to_owned(), json!(stats.section));
    Value::Object(out)
}

fn core(stats: &BrokerStats) -> Map<String, Value> {
    let core = &stats.core;
    [
        ("connections", core.connections),
        ("sessions", core.sessions),
        ("subscriptions", core.subscriptions),
        ("retained", core.retained),
        ("held_bytes", core.held_bytes),
        ("memory_used", core.memory_used),
        ("messages_in", core.messages_in),
        ("messages_out", core.messages_out),
        ("bytes_in", core.bytes_in),
        ("bytes_out", core.bytes_out),
        ("messages_dropped", core.messages_dropped),
        ("refused", core.refused),
        ("events_lost", stats.events_lost),
    ]
    .into_iter()
    .map(|(name, count)| (name.to_owned(), json!(count)))
    .collect()
}

/// `devices`: all of them.
pub(super) fn devices(daemon: &Daemon) -> Value {
    let view = View::of(daemon);
    json!({ "devices": daemon.registry.devices().map(|device| view.device(device)).collect::<Vec<_>>() })
}

/// `device`: one, with its last events. None if it is not in the registry.
pub(super) fn device(daemon: &Daemon, mac: Mac) -> Option<Value> {
    let mut out = View::of(daemon).device(daemon.registry.device(mac)?);
    let events = daemon.events.read(0, DEVICE_EVENTS, Some(mac));
    if let Some(object) = out.as_object_mut() {
        object.insert(
            "events".to_owned(),
            events
                .into_iter()
                .map(crate::events::Event::to_json)
                .collect(),
        );
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
            State::Blocked => Some(
                device
                    .blocked
                    .as_deref()
                    .unwrap_or("blocked in the configuration"),
            ),
            State::Quarantined => device
                .quarantine
                .as_ref()
                .map(|quarantine| quarantine.why.as_str()),
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
            "firmware": firmware.map(Firmware::name),
            "suggested_profile": firmware.map(Firmware::profile),
            "state": state.name(),
            "why": why,
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

/// The pairing windows that are open for these devices, and what is left of them.
fn pairings(daemon: &Daemon, wanted: impl Fn(Mac) -> bool) -> Vec<Value> {
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

/// `profiles`: what each grants, and who is under it.
pub(super) fn profiles(daemon: &Daemon) -> Value {
    let settings = &daemon.configuration.settings;
    let registry = &daemon.registry;
    let profiles = settings.profiles.iter().map(|(name, profile)| {
        let under = registry.devices().filter(|device| {
            device.credential.is_some() && registry.profile_name(device) == name.as_str()
        });
        json!({
            "name": name,
            "default": *name == settings.main.profile,
            "publish": profile.publish,
            "subscribe": profile.subscribe,
            "deny": profile.deny,
            "limits": &*profile.limits,
            "devices": under.map(|device| device.mac.to_string()).collect::<Vec<_>>(),
        })
    });
    json!({ "profiles": profiles.collect::<Vec<_>>() })
}

/// The device's name; none if it is not in the registry.
pub(super) fn name(daemon: &Daemon, mac: Mac) -> Option<&str> {
    daemon
        .registry
        .device(mac)
        .map(|device| device.name.as_str())
}

/// The exceptions of the configuration, and those that the owner made for a time, that are for
/// these devices; None is for all.
fn exceptions(daemon: &Daemon, wanted: impl Fn(Option<Mac>) -> bool) -> Vec<Value> {
    let registry = &daemon.registry;
    let show = |section: Option<&str>, mac: Option<Mac>, to: Option<IpNet>, port, until, holds| {
        let mut out = json!({
            "section": section,
            "mac": mac.map(|mac| mac.to_string()),
            "name": mac.and_then(|mac| name(daemon, mac)),
            "destination": to.map(|to| to.to_string()),
            "port": port,
            "until_ms": until,
            "holds": holds,
        });
        if let Some(object) = out.as_object_mut() {
            object.retain(|_, value: &mut Value| !value.is_null());
        }
        out
    };
    let settings = &daemon.configuration.settings;
    let configured = settings.exceptions.iter().map(|timed| {
        let one = &timed.exception;
        let (to, until) = (Some(one.destination), timed.expires_ms);
        let holds = registry.holds(timed);
        let shown = show(Some(&one.name), one.mac, to, one.port, until, holds);
        (one.mac, shown)
    });
    let allowed = registry.allowances().iter().map(|one| {
        let (mac, until) = (Some(one.mac), Some(one.until_ms));
        let shown = show(None, mac, one.destination, one.port, until, true);
        (mac, shown)
    });
    let all = configured.chain(allowed);
    all.filter(|(mac, _)| wanted(*mac))
        .map(|(_, shown)| shown)
        .collect()
}

/// Whether a frame with this reason is dropped (in monitor mode: would be).
fn is_dropped(daemon: &Daemon, reason: Reason) -> bool {
    reason.is_drop() && !is_reported(daemon, reason)
}

/// Whether frames with this reason are let through and told of, even in enforcing mode.
fn is_reported(daemon: &Daemon, reason: Reason) -> bool {
    reason.is_mismatch() && daemon.configuration.settings.main.bindings != Bindings::Drop
}

/// Frames by reason, of the reasons that are wanted and happened at all.
fn sums<'a>(
    counters: impl IntoIterator<Item = &'a DeviceCounters>,
    wanted: impl Fn(Reason) -> bool,
) -> Map<String, Value> {
    let mut sums = [0u64; Reason::COUNT];
    for device in counters {
        for (sum, frames) in sums.iter_mut().zip(device.frames) {
            *sum = sum.saturating_add(frames);
        }
    }
    Reason::ALL
        .into_iter()
        .zip(sums)
        .filter(|(reason, frames)| wanted(*reason) && *frames > 0)
        .map(|(reason, frames)| (reason.name().to_owned(), json!(frames)))
        .collect()
}

/// `stats`: every counter of the kernel program by device and reason, and the broker's.
pub(super) fn stats(daemon: &Daemon) -> Value {
    let devices: Map<String, Value> = daemon
        .guard
        .counters()
        .into_iter()
        .map(|(mac, counters)| {
            let reasons = Reason::ALL
                .into_iter()
                .zip(counters.frames.into_iter().zip(counters.bytes))
                .filter(|(_, (frames, _))| *frames > 0)
                .map(|(reason, (frames, bytes))| {
                    (
                        reason.name().to_owned(),
                        json!({ "frames": frames, "bytes": bytes }),
                    )
                });
            (mac.to_string(), Value::Object(reasons.collect()))
        })
        .collect();
    let uplift = daemon.uplifting.stats().devices;
    let uplift: Map<String, Value> = uplift
        .iter()
        .map(|(mac, stats)| (mac.to_string(), uplift_device(stats)))
        .collect();
    json!({ "devices": devices, "broker": broker(daemon), "uplift": uplift })
}

/// The answer to `enrol`: the only time that the password is shown.
pub(super) fn credential(daemon: &Daemon, mac: Mac, username: &str, password: &str) -> Value {
    let device = daemon.registry.device(mac);
    let mut out = json!({
        "mac": mac.to_string(),
        "name": device.map(|device| device.name.as_str()),
        "username": username,
        "password": password,
        "profile": device.map(|device| daemon.registry.profile_name(device)),
    });
    add_server(daemon, mac, &mut out);
    if let Some(out) = out.as_object_mut() {
        let firmware = device
            .and_then(Device::probable_firmware)
            .map(Firmware::name);
        out.insert("firmware".to_owned(), json!(firmware));
        let snippets = snippets::report(daemon, mac, None, Some(password));
        out.insert("snippets".to_owned(), json!(snippets));
    }
    out
}

/// Where a device finds the broker, and what it knows it by.
pub(super) fn add_server(daemon: &Daemon, mac: Mac, out: &mut Value) {
    let device = daemon.registry.device(mac);
    let listener = daemon.configuration.settings.tls_listener();
    let main = &daemon.configuration.settings.main;
    let server = json!({
        "server": main.hostname,
        "address": device.and_then(|device| router_address(daemon, device)),
        "port": listener.map(|listener| listener.port),
        "ca_file": main.data_dir.join("ca.crt"),
    });
    if let (Some(out), Value::Object(server)) = (out.as_object_mut(), server) {
        out.extend(server);
    }
}

/// The router's address as the device sees it: the one that the kernel would answer it from.
fn router_address(daemon: &Daemon, device: &Device) -> Option<IpAddr> {
    let toward = |address: &IpAddr| {
        let any = if address.is_ipv4() {
            "0.0.0.0:0"
        } else {
            "[::]:0"
        };
        let socket = UdpSocket::bind(any).ok()?;
        // Connecting a UDP socket only looks up the route.
        socket.connect((*address, 9)).ok()?;
        socket.local_addr().ok().map(|local| local.ip())
    };
    let first_private = || {
        let private = |address: &&IpAddr| matches!(address, IpAddr::V4(v4) if v4.is_private());
        daemon.guard.addresses().iter().find(private).copied()
    };
    // Every firmware can do IPv4, and the person at the keyboard types it more easily.
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) = device
        .addresses
        .iter()
        .rev()
        .partition(|address| address.is_ipv4());
    let seen = v4.iter().chain(&v6);
    seen.filter_map(toward).next().or_else(first_private)
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}
