//! The `bridge` sections, and what only shows between them.

use std::collections::BTreeMap;

use mqttguard_broker::bridge::overlap;

use super::check::Place;
use super::mistake::{ConfigError, found};
use super::settings::{Bridge, BridgeTls, Limits};
use super::table::*;

/// Without those for which something is missing, which is a mistake noted before. None likewise.
pub(super) fn bridges<'a>(
    places: impl Iterator<Item = &'a Place>,
    limits: &BTreeMap<String, Limits>,
    errors: &mut ConfigError,
) -> Option<Vec<Bridge>> {
    let mut bridges = Vec::new();
    let mut roads: Vec<Road<'_>> = Vec::new();
    for place in places {
        let raw = &place.raw;
        if !place.is_sound(&[BRIDGE_ENABLED.name]) || !BRIDGE_ENABLED.one(raw)? {
            continue;
        }
        if let Some(road) = Road::of(place) {
            for other in &roads {
                check_loop(place, &road, other, errors);
            }
            roads.push(road);
        }
        if place.fits {
            bridges.extend(bridge(place, limits, errors));
        }
    }
    Some(bridges)
}

fn bridge(
    place: &Place,
    limits: &BTreeMap<String, Limits>,
    errors: &mut ConfigError,
) -> Option<Bridge> {
    let raw = &place.raw;
    let mut note = |option: &str, is: &str, expected: &str| {
        let what = found(is, expected);
        errors.push(
            place.line(option),
            format!("{}: option {option}", place.label),
            what,
        );
    };
    let certificate = BRIDGE_CERTIFICATE.one(raw);
    let key = BRIDGE_KEY.one(raw);
    let tls = BRIDGE_TLS.one(raw)?;
    match (tls, &certificate, &key) {
        (false, Some(_), _) => note("certificate", "it", "it only with tls '1'"),
        (_, Some(_), None) => note("key", "", "the private key of certificate"),
        (_, None, Some(_)) => note("certificate", "", "the certificate that key belongs to"),
        _ => {}
    }
    let username = BRIDGE_USERNAME.one(raw);
    let password_file = BRIDGE_PASSWORD_FILE.one(raw);
    if password_file.is_some() && username.is_none() {
        note("username", "", "the user name that the password belongs to");
    }
    let (outward, inward) = (BRIDGE_OUT.all(raw), BRIDGE_IN.all(raw));
    if outward.is_empty() && inward.is_empty() {
        note(
            "out",
            "",
            "a pattern in out or in: a bridge without topics does nothing",
        );
    }
    Some(Bridge {
        name: place.name.clone(),
        host: BRIDGE_HOST.one(raw)?,
        port: BRIDGE_PORT
            .one(raw)
            .unwrap_or(if tls { 8883 } else { 1883 }),
        tls: match tls {
            true => Some(BridgeTls {
                ca: BRIDGE_CA.one(raw)?,
                identity: certificate.zip(key),
            }),
            false => None,
        },
        username,
        password_file,
        client_id: BRIDGE_CLIENT_ID.one(raw),
        protocol: BRIDGE_PROTOCOL.one(raw)?,
        keep_alive_s: u16::try_from(BRIDGE_KEEPALIVE.one(raw)?.as_secs()).unwrap_or(u16::MAX),
        outward,
        inward,
        local_prefix: BRIDGE_LOCAL_PREFIX.one(raw).unwrap_or_default(),
        remote_prefix: BRIDGE_REMOTE_PREFIX.one(raw).unwrap_or_default(),
        qos: u8::try_from(BRIDGE_QOS.one(raw)?).unwrap_or(2),
        limits: limits.get(&BRIDGE_LIMITS.one(raw)?)?.broker.clone(),
    })
}

/// Which topics of which server a bridge carries.
struct Road<'a> {
    name: &'a str,
    host: String,
    outward: Vec<String>,
    inward: Vec<String>,
    local_prefix: String,
    remote_prefix: String,
}

impl<'a> Road<'a> {
    /// As far as it can be read: a pattern with a mistake is left out, the others may be in a loop.
    fn of(place: &'a Place) -> Option<Self> {
        let raw = &place.raw;
        let options = [
            BRIDGE_HOST.name,
            BRIDGE_LOCAL_PREFIX.name,
            BRIDGE_REMOTE_PREFIX.name,
        ];
        if !place.is_sound(&options) {
            return None;
        }
        Some(Road {
            name: &place.name,
            host: BRIDGE_HOST.one(raw)?,
            outward: BRIDGE_OUT.all(raw),
            inward: BRIDGE_IN.all(raw),
            local_prefix: BRIDGE_LOCAL_PREFIX.one(raw).unwrap_or_default(),
            remote_prefix: BRIDGE_REMOTE_PREFIX.one(raw).unwrap_or_default(),
        })
    }
}

/// Two bridges to one server each keep back what they had from it themselves, and know nothing of
/// the other: what one brings in and the other takes out to where the first takes it again goes
/// round for ever.
fn check_loop(place: &Place, bridge: &Road<'_>, other: &Road<'_>, errors: &mut ConfigError) {
    if !bridge.host.eq_ignore_ascii_case(&other.host) {
        return;
    }
    for (option, into, out) in [("in", bridge, other), ("out", other, bridge)] {
        let found_loop = into.inward.iter().find_map(|inward| {
            let outward = out
                .outward
                .iter()
                .find(|outward| goes_round(into, inward, out, outward))?;
            Some((inward, outward))
        });
        let Some((inward, outward)) = found_loop else {
            continue;
        };
        let (own, others) = match option {
            "in" => (inward, format!("out '{outward}'")),
            _ => (outward, format!("in '{inward}'")),
        };
        let what = found(
            own,
            format_args!(
                "a pattern that makes no loop with {others} of bridge '{}' to the same server",
                other.name
            ),
        );
        errors.push(
            place.line(option),
            format!("{}: option {option}", place.label),
            what,
        );
    }
}

fn goes_round(into: &Road<'_>, inward: &str, out: &Road<'_>, outward: &str) -> bool {
    let here = |bridge: &Road<'_>, pattern: &str| format!("{}{pattern}", bridge.local_prefix);
    let there = |bridge: &Road<'_>, pattern: &str| format!("{}{pattern}", bridge.remote_prefix);
    overlap(&here(into, inward), &here(out, outward))
        && overlap(&there(into, inward), &there(out, outward))
}
