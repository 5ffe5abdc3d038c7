//! What makers say of devices, as the `mqttguard` object shows it.

use mqttguard_common::Mac;
use serde_json::{Map, Value};

use super::name;
use crate::broker::login::grants::{Names, expand};
use crate::config::Profile;
use crate::daemon::answers::Answer;
use crate::daemon::wiring::Daemon;
use crate::json::json;
use crate::mud::cms::Signature;
use crate::mud::file::Description;
use crate::mud::need;
use crate::mud::topics::{Request, Topics};
use crate::text::clip;
use crate::ubus::{MethodError, Status};

/// `mud`: the file that was fetched last, or else the one that is accepted.
pub(in crate::daemon) fn mud(daemon: &Daemon, mac: Mac) -> Answer {
    let accepted = daemon.descriptions.accepted(mac);
    let shown = daemon.descriptions.shown(mac);
    let (url, by_hand, sha256, description, signature) = match (shown, accepted) {
        (Some(one), _) => (
            &one.url,
            one.by_hand,
            &one.sha256,
            &one.description,
            &one.signature,
        ),
        (None, Some(one)) => (
            &one.url,
            one.by_hand,
            &one.sha256,
            &one.description,
            &one.signature,
        ),
        (None, None) => {
            let what = format!("nothing was fetched for {mac}, and nothing is accepted");
            return Err(MethodError::new(Status::NotFound, what));
        }
    };
    let same = accepted.is_some_and(|one| one.sha256 == *sha256 && one.url == *url);
    let plaintext = &daemon.configuration.settings.main.plaintext_ports;
    let filters = Filters::of(daemon, mac);
    let needs = need::needs(description, plaintext).into_iter();
    let needs = needs.map(|need| (need.says, need.hole.is_some(), need.why));
    let requests = description.topics.requests();
    let requests = requests.map(|one| (filters.says(&one), one.is_taken, one.why));
    let needs = needs.chain(requests).map(|(says, taken, why)| {
        json!({
            "says": says,
            "taken": taken,
            "why": why,
        })
    });
    let mut out = json!({
        "mac": mac.to_string(),
        "name": name(daemon, mac),
        "url": url,
        "by_hand": by_hand,
        "sha256": sha256,
        "signature": signed(signature),
        "accepted": same,
        "accepted_ms": accepted.map(|one| one.accepted_ms),
        "accepted_sha256": accepted.map(|one| &one.sha256).filter(|_| !same),
        "acceptable": match signature {
            Signature::Valid { .. } => "yes",
            Signature::Unknown { .. } | Signature::Absent => "unverified",
            Signature::Invalid { .. } => "no",
        },
        "tls_only": need::is_tls_only(description, plaintext),
        "needs": needs.collect::<Vec<_>>(),
        "exceptions": need::holes(description, plaintext).into_iter().map(|hole| json!({
            "to": hole.to.to_string(),
            "port": hole.port,
        })).collect::<Vec<_>>(),
        "grants": filters.grants(&description.topics),
    });
    if let Some(object) = out.as_object_mut() {
        object.extend(facts(description));
        object.retain(|_, value| !value.is_null());
    }
    Ok(out)
}

/// What `device` shows: what is accepted, and whether that is another file by now.
pub(super) fn of_device(daemon: &Daemon, mac: Mac) -> Option<Value> {
    let accepted = daemon.descriptions.accepted(mac)?;
    let mut out = json!({
        "url": accepted.url,
        "by_hand": accepted.by_hand,
        "signature": signed(&accepted.signature),
        "accepted_ms": accepted.accepted_ms,
        "fetched_ms": accepted.fetched_ms,
        "changed": daemon.descriptions.is_changed(mac),
    });
    if let Some(object) = out.as_object_mut() {
        object.extend(facts(&accepted.description));
        object.retain(|_, value| !value.is_null());
    }
    Some(out)
}

/// What an accepted file grants a device; None if nothing.
pub(super) fn grants(daemon: &Daemon, mac: Mac) -> Option<Value> {
    let accepted = daemon.descriptions.accepted(mac)?;
    let grants = Filters::of(daemon, mac).grants(&accepted.description.topics);
    (!grants.is_empty()).then(|| grants.into())
}

/// What accepted files let leave, for these devices: one row a destination.
/// What found no room in the kernel program does not hold.
pub(super) fn exceptions(daemon: &Daemon, wanted: impl Fn(Mac) -> bool) -> Vec<Value> {
    let standing = daemon.registry.described_exceptions();
    let plaintext = &daemon.configuration.settings.main.plaintext_ports;
    let all = daemon.descriptions.exceptions(plaintext).into_iter();
    let all = all.filter(|(mac, ..)| wanted(*mac));
    all.flat_map(|(mac, hole, nets)| {
        // A name that has no address lets nothing out, and has no row.
        let rows = nets.into_iter().map(move |net| {
            let holds = standing
                .iter()
                .any(|one| one.mac == Some(mac) && one.destination == net);
            let mut out = json!({
                "mud": hole.to.to_string(),
                "mac": mac.to_string(),
                "name": name(daemon, mac),
                "destination": net.to_string(),
                "port": hole.port,
                "holds": holds,
            });
            if let Some(object) = out.as_object_mut() {
                object.retain(|_, value: &mut Value| !value.is_null());
            }
            out
        });
        rows.collect::<Vec<_>>()
    })
    .collect()
}

/// What patterns stand for, of one device.
struct Filters<'a> {
    names: Option<Names<'a>>,
}

impl<'a> Filters<'a> {
    fn of(daemon: &'a Daemon, mac: Mac) -> Filters<'a> {
        let device = daemon.registry.device(mac);
        let names = device.map(|device| Names {
            device: &device.name,
            username: (device.credential.as_ref()).map_or("", |credential| &credential.username),
            client_id: "",
            mac,
        });
        Filters { names }
    }

    /// None for what its client decides, or what grants this device nothing.
    fn filter(&self, pattern: &str) -> Option<String> {
        let publish = vec![pattern.to_owned()];
        let profile = Profile {
            publish,
            ..Profile::default()
        };
        expand(&profile, self.names?).publish.pop()
    }

    /// What is asked for as a sentence.
    fn says(&self, request: &Request<'_>) -> String {
        let (does, pattern) = (request.access.words(), request.pattern);
        match self.filter(pattern).filter(|filter| filter != pattern) {
            Some(filter) => format!("{does} {pattern}, which is {}", clip(&filter)),
            None => format!("{does} {pattern}"),
        }
    }

    /// What is taken over.
    fn grants(&self, topics: &Topics) -> Vec<Value> {
        let taken = topics.requests().filter(|one| one.is_taken);
        let rows = taken.map(|one| {
            let mut row = json!({ "access": one.access.option(), "pattern": one.pattern });
            if let (Some(filter), Some(object)) = (self.filter(one.pattern), row.as_object_mut()) {
                object.insert("filter".to_owned(), json!(filter));
            }
            row
        });
        rows.collect()
    }
}

fn facts(description: &Description) -> Map<String, Value> {
    [
        ("systeminfo", json!(description.systeminfo)),
        ("mfg_name", json!(description.mfg_name)),
        ("model_name", json!(description.model_name)),
        ("last_update", json!(description.last_update)),
        ("is_supported", json!(description.is_supported)),
        ("cache_validity_h", json!(description.cache_validity_h)),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect()
}

fn signed(signature: &Signature) -> Value {
    let mut out = json!({
        "state": signature.state(),
        "signer": signature.signer(),
        "why": signature.why(),
    });
    if let Some(object) = out.as_object_mut() {
        object.retain(|_, value| !value.is_null());
    }
    out
}
