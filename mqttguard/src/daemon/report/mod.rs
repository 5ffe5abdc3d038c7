//! The daemon's state as the `mqttguard` object shows it.

mod credential;
mod device;
mod mud;
mod standards;
mod status;

use ipnet::IpNet;
use mqttguard_common::{Mac, Reason};
use serde_json::{Map, Value};

use crate::config::Bindings;
use crate::daemon::wiring::Daemon;
use crate::enforce::DeviceCounters;
use crate::json::json;
use crate::uplift::DeviceStats;

pub(super) use credential::{add_server, credential};
pub(super) use device::{device, devices};
pub(super) use mud::mud;
pub(super) use standards::against_standards;
pub(super) use status::status;
use status::{ask_broker, broker};

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

/// The exceptions of the configuration, those that the owner made for a time, and those of accepted
/// MUD files, that are for these devices; None is for all.
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
    let all = all.filter(|(mac, _)| wanted(*mac)).map(|(_, shown)| shown);
    all.chain(mud::exceptions(daemon, |mac| wanted(Some(mac))))
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
    let stats = ask_broker(daemon);
    let published = stats.as_ref().map(|stats| &stats.published);
    let published = published.into_iter().flatten();
    let messages: Map<String, Value> = published
        .map(|(mac, count)| (mac.to_string(), json!(count)))
        .collect();
    json!({
        "devices": devices,
        "messages": messages,
        "broker": broker(daemon, &stats),
        "uplift": uplift,
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
