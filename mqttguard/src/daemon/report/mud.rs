//! What makers say of devices, as the `mqttguard` object shows it.

use mqttguard_common::Mac;
use serde_json::{Map, Value};

use super::name;
use crate::daemon::answers::Answer;
use crate::daemon::wiring::Daemon;
use crate::json::json;
use crate::mud::cms::Signature;
use crate::mud::file::Description;
use crate::mud::need;
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
        "needs": need::needs(description, plaintext).into_iter().map(|need| json!({
            "says": need.says,
            "taken": need.hole.is_some(),
            "why": need.why,
        })).collect::<Vec<_>>(),
        "exceptions": need::holes(description, plaintext).into_iter().map(|hole| json!({
            "to": hole.to.to_string(),
            "port": hole.port,
        })).collect::<Vec<_>>(),
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
