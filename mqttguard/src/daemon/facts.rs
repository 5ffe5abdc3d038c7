//! What the daemon knows of the house, as facts to be held against standards.

use std::collections::BTreeMap;
use std::sync::Arc;

use mqttguard_common::{Mac, Reason};

use super::clock::unix_ms;
use super::fallback::Level;
use super::wiring::Daemon;
use crate::broker::BrokerStats;
use crate::config::{ListenerKind, Settings};
use crate::discovery::Source;
use crate::enforce::DeviceCounters;
use crate::registry::Device;
use crate::report::{Broker, Credential, Detection, Exception, House, Member, Protection};

/// Everything that a report asks about.
pub(super) fn house(daemon: &Daemon) -> House {
    let settings = &daemon.configuration.settings;
    let main = &settings.main;
    let gaps = daemon.guard.gaps();
    let sees = gaps.is_empty();
    let mut problems = gaps;
    problems.extend(daemon.guard.fallback.problems());
    let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let protection = match (problems.is_empty(), daemon.guard.fallback.level()) {
        (true, _) => Protection::Full,
        (false, Level::Reduced) => Protection::Reduced,
        (false, Level::Closed) => Protection::Closed,
        (false, Level::None) => Protection::None,
    };
    let broker = daemon.broker.as_ref().ok();
    let stats = broker.and_then(|broker| broker.handle.stats());
    House {
        now_ms: unix_ms(),
        enabled: main.enabled,
        mode: main.mode,
        protection,
        sees,
        problems,
        detection: Detection {
            connect: main.detect_connect,
            websocket: main.detect_websocket,
            mqtt_sn: main.mqtt_sn,
        },
        bindings: main.bindings,
        login_failures: main.login_failures,
        floods_quarantine: main.flood_seconds.is_some(),
        broker: stats.as_ref().zip(broker).map(|(stats, running)| {
            let fingerprint = running.ca_fingerprint();
            listeners(settings, stats, fingerprint)
        }),
        exceptions: exceptions(daemon),
        plain_bridges: settings
            .bridges
            .iter()
            .filter(|bridge| bridge.tls.is_none())
            .map(|bridge| bridge.name.clone())
            .collect(),
        uplift_problem: daemon.uplifting.problem().map(str::to_owned),
        foreign_users: settings.http_auth.as_ref().map(|http| http.url.is_tls),
        tokens: settings.jwt.is_some(),
        silent_sources: silent_sources(daemon),
        registry_trouble: daemon.unreadable.clone().or_else(|| daemon.unsaved.clone()),
        mistakes: daemon.configuration.errors.len(),
        at_next_start: daemon.configuration.at_next_start.len(),
        members: members(daemon, stats.as_ref()),
    }
}

fn listeners(settings: &Settings, stats: &BrokerStats, ca_fingerprint: String) -> Broker {
    let works = |kind: fn(ListenerKind) -> bool| {
        let listeners = stats.listeners.iter();
        listeners.filter(move |one| kind(one.kind) && !one.addresses.is_empty())
    };
    let broken = stats.listeners.iter().filter(|one| !one.errors.is_empty());
    let open = settings.listeners.iter().filter(|one| {
        one.kind == ListenerKind::Wss && one.origins.iter().any(|origin| origin == "*")
    });
    let journal = stats.journal.as_ref();
    Broker {
        encrypted: works(ListenerKind::is_encrypted).count(),
        plain: works(|kind| !kind.is_encrypted()).next().is_some(),
        broken: broken.map(|one| one.name.to_string()).collect(),
        any_origin: open.map(|one| one.name.clone()).collect(),
        journal_trouble: match journal {
            Some(journal) => journal.trouble.as_ref().map(ToString::to_string),
            None => Some("there is no journal".to_owned()),
        },
        on_disk: journal.is_some_and(|journal| journal.place.disk),
        ca_fingerprint,
    }
}

/// What may leave in the clear now.
fn exceptions(daemon: &Daemon) -> Vec<Exception> {
    let settings = &daemon.configuration.settings;
    let registry = &daemon.registry;
    let configured = settings.exceptions.iter();
    let configured = configured.filter(|timed| registry.holds(timed));
    let configured = configured.map(|timed| Exception {
        mac: timed.exception.mac,
        destination: Some(timed.exception.destination.to_string()),
    });
    let allowed = registry.allowances().iter().map(|one| Exception {
        mac: Some(one.mac),
        destination: one.destination.map(|to| to.to_string()),
    });
    configured.chain(allowed).collect()
}

/// Any of the DHCP servers' sources will do; the neighbour table has what has no lease.
fn silent_sources(daemon: &Daemon) -> Vec<&'static str> {
    let speaks = |source| daemon.sources.get(&source).is_some_and(|(up, _)| *up);
    let mut silent = Vec::new();
    let leases = [Source::Dnsmasq, Source::Odhcpd, Source::LeaseFile];
    if !leases.into_iter().any(speaks) {
        silent.push("DHCP");
    }
    if !speaks(Source::Neighbours) {
        silent.push(Source::Neighbours.name());
    }
    silent
}

fn members(daemon: &Daemon, stats: Option<&BrokerStats>) -> Vec<Member> {
    let counters: BTreeMap<Mac, DeviceCounters> = daemon.guard.counters().into_iter().collect();
    let kinds: BTreeMap<Arc<str>, ListenerKind> = stats
        .into_iter()
        .flat_map(|stats| &stats.listeners)
        .map(|listener| (Arc::clone(&listener.name), listener.kind))
        .collect();
    let clients = |device: &Device, encrypted: bool| {
        let username = device
            .credential
            .as_ref()
            .map(|held| held.username.as_str());
        let clients = stats.into_iter().flat_map(|stats| &stats.clients);
        let mut clients = clients.filter(|client| Some(&*client.username) == username);
        clients.any(|client| {
            let kind = kinds.get(&client.listener);
            kind.is_some_and(|kind| kind.is_encrypted() == encrypted)
        })
    };
    let settings = &daemon.configuration.settings;
    let devices = daemon.registry.devices().map(|device| {
        let counted = counters.get(&device.mac).copied().unwrap_or_default();
        let frames = |wanted: fn(Reason) -> bool| {
            let counted = Reason::ALL.into_iter().zip(counted.frames);
            let wanted = counted.filter(|(reason, _)| wanted(*reason));
            wanted.map(|(_, frames)| frames).sum()
        };
        let policy = daemon.registry.policy(device);
        let word = settings.devices.get(&device.mac);
        let profile = settings.profiles.get(daemon.registry.profile_name(device));
        Member {
            mac: device.mac,
            name: device.name.clone(),
            state: device.state(),
            credential: device.credential.as_ref().map(|held| Credential {
                weak: held.weak,
                two_passwords: held.earlier.is_some(),
                certificate_until_ms: held.certificates.iter().map(|one| one.until_ms).max(),
            }),
            roaming: device.credential.is_some() && word.is_some_and(|word| word.roaming),
            island: policy.plaintext,
            in_encrypted: clients(device, true),
            in_clear: clients(device, false),
            uplifted: policy.uplift,
            plaintext: frames(is_plaintext),
            floods: frames(Reason::is_flood),
            mismatches: frames(Reason::is_mismatch),
            failed_logins: device.failed_logins,
            all_topics: profile.is_some_and(|profile| profile.publish.iter().any(|one| one == "#")),
        }
    });
    devices.collect()
}

/// Whether a frame with this reason was MQTT in the clear. Pieces that may hide it are not proof of
/// it.
const fn is_plaintext(reason: Reason) -> bool {
    matches!(
        reason,
        Reason::PlaintextPort
            | Reason::PlaintextConnect
            | Reason::PlaintextLocal
            | Reason::PlaintextWebSocket
            | Reason::MqttSn
    )
}
