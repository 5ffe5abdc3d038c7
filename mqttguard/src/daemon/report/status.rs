use std::collections::BTreeMap;

use mqttguard_common::Mac;
use serde_json::{Map, Value};

use crate::broker::{BridgeStatus, BrokerStats, protocol};
use crate::coded::Coded;
use crate::config::Mode;
use crate::daemon::clock::{millis, unix_ms};
use crate::daemon::translation::memory_pressure;
use crate::daemon::troubles::Trouble;
use crate::daemon::wiring::Daemon;
use crate::enforce::{DeviceCounters, Proof};
use crate::json::json;
use crate::registry::State;
use crate::uplift::DeviceStats;

use super::device::pairings;
use super::{exceptions, is_dropped, is_reported, sums, uplift_counters};

/// `status`: protected or not, why, and how each part is.
pub(in crate::daemon) fn status(daemon: &Daemon) -> Value {
    let fallback = &daemon.guard.fallback;
    let mut why = daemon.guard.problems();
    why.extend(fallback.problems());
    if let Err(error) = &daemon.broker {
        why.push(Trouble::NoBroker { why: error.clone() });
    }
    if let Some(error) = &daemon.unreadable {
        why.push(Trouble::Unreadable { why: error.clone() });
    }
    let protected = why.is_empty();
    let stats = ask_broker(daemon);
    let journal = stats.as_ref().ok().and_then(|stats| stats.journal.as_ref());
    if let Some(trouble) = journal.and_then(|journal| journal.trouble.clone()) {
        why.push(Trouble::Journal(trouble));
    }
    let broker = broker(daemon, &stats);
    if let Some(problem) = daemon.uplifting.problem() {
        why.push(Trouble::Uplift {
            why: problem.to_owned(),
        });
    }
    if let Some(error) = &daemon.unsaved {
        why.push(Trouble::Unsaved { why: error.clone() });
    }
    if !daemon.configuration.errors.is_empty() {
        why.push(Trouble::Configuration);
    }
    let counters: BTreeMap<Mac, DeviceCounters> = daemon.guard.counters().into_iter().collect();
    let settings = &daemon.configuration.settings;
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "protected": protected,
        "protection": if protected { "full" } else { fallback.level().name() },
        "why": why.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "troubles": why.iter().map(Coded::to_json).collect::<Vec<_>>(),
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
        "import": claims(daemon),
        "config": {
            "file": daemon.configuration.file(),
            "loaded_ms": daemon.configuration.loaded_ms,
            "errors": daemon.configuration.errors,
            "at_next_start": daemon.configuration.at_next_start,
        },
    })
}

/// The accounts that wait for their devices, and what is left of that.
fn claims(daemon: &Daemon) -> Vec<Value> {
    let now = unix_ms();
    let claims = daemon.registry.claims().iter();
    claims
        .map(|claim| {
            json!({
                "username": claim.username,
                "mac": claim.mac.map(|mac| mac.to_string()),
                "profile": claim.profile,
                "until_ms": claim.until_ms,
                "left_s": claim.until_ms.saturating_sub(now).div_ceil(1000),
            })
        })
        .collect()
}

fn kernel(daemon: &Daemon) -> Value {
    match daemon.guard.attachments() {
        Err(unloaded) => json!({
            "loaded": false, "error": unloaded.to_string(), "attachments": [],
        }),
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
                "why": attachment.why(),
                "notes": attachment.notes.iter().map(Coded::to_json).collect::<Vec<_>>(),
            })).collect::<Vec<_>>(),
        }),
    }
}

/// What the broker answers; otherwise why it does not.
pub(super) fn ask_broker(daemon: &Daemon) -> Result<BrokerStats, &str> {
    match &daemon.broker {
        Ok(broker) => broker.handle.stats().ok_or("it does not answer"),
        Err(error) => Err(error.as_str()),
    }
}

pub(super) fn broker(daemon: &Daemon, stats: &Result<BrokerStats, &str>) -> Value {
    let stats = match stats {
        Ok(stats) => stats,
        Err(error) => return json!({ "error": error, "listeners": [] }),
    };
    let mut out = core(stats);
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
            "why": journal.trouble.as_ref().map(ToString::to_string),
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
