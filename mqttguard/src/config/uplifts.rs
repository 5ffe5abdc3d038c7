//! The `uplift` sections, and what only shows between them.

use std::collections::BTreeMap;

use mqttguard_common::Mac;

use super::check::Place;
use super::mistake::{ConfigError, found};
use super::settings::Uplift;
use super::table::*;

/// None if something is missing, which is a mistake noted before.
pub(super) fn uplifts<'a>(
    places: impl Iterator<Item = &'a Place>,
    errors: &mut ConfigError,
) -> Option<Vec<Uplift>> {
    let mut uplifts = Vec::new();
    let mut taken: BTreeMap<Mac, &str> = BTreeMap::new();
    for place in places {
        let raw = &place.raw;
        if !place.is_sound(&[UPLIFT_ENABLED.name]) || !UPLIFT_ENABLED.one(raw)? {
            continue;
        }
        let mut macs = Vec::new();
        for mac in UPLIFT_MACS.all(raw) {
            match taken.get(&mac) {
                Some(first) => errors.push(
                    place.line("mac"),
                    format!("{}: option mac", place.label),
                    found(
                        &mac.to_string(),
                        format!("a device that {first} does not name"),
                    ),
                ),
                None => macs.push(mac),
            }
            taken.entry(mac).or_insert(&place.label);
        }
        if !place.fits {
            continue;
        }
        uplifts.push(Uplift {
            name: place.name.clone(),
            macs,
            host: UPLIFT_HOST.one(raw)?,
            port: UPLIFT_PORT.one(raw)?,
            ca: UPLIFT_CA.one(raw)?,
        });
    }
    Some(uplifts)
}
