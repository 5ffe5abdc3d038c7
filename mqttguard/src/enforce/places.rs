use std::collections::{BTreeMap, BTreeSet};

use aya::maps::{Array, MapData};
use mqttguard_common::{Mac, Places};

use super::EnforceError;
use super::error::on;
use super::object::Object;

/// The kernel program's short way to known devices. Whoever has a place keeps it, so that no frame
/// comes while its device has none.
pub(super) struct ShortCuts {
    map: Array<MapData, Places>,
    /// Those that are to have a place, as they stand there, by index.
    wanted: BTreeMap<u32, BTreeSet<u64>>,
}

impl ShortCuts {
    /// Takes the map out of a loaded object, and makes what a predecessor left there fit the rows
    /// of its devices.
    pub(super) fn take(
        object: &mut Object,
        rows: &BTreeMap<Mac, u32>,
    ) -> Result<Self, EnforceError> {
        let mut short_cuts = ShortCuts {
            map: object.take("PLACES")?,
            wanted: BTreeMap::new(),
        };
        for (&mac, &row) in rows {
            let (index, word) = place(mac, row);
            short_cuts.wanted.entry(index).or_default().insert(word);
        }
        for index in 0..Places::COUNT {
            short_cuts.write(index)?;
        }
        Ok(short_cuts)
    }

    /// Gives a device a place, if there is one.
    pub(super) fn add(&mut self, mac: Mac, row: u32) -> Result<(), EnforceError> {
        let (index, word) = place(mac, row);
        self.wanted.entry(index).or_default().insert(word);
        self.write(index)
    }

    /// Takes a device's place away; who waits for one gets it.
    pub(super) fn remove(&mut self, mac: Mac, row: u32) -> Result<(), EnforceError> {
        let (index, word) = place(mac, row);
        if let Some(wanted) = self.wanted.get_mut(&index) {
            wanted.remove(&word);
        }
        self.write(index)
    }

    fn write(&mut self, index: u32) -> Result<(), EnforceError> {
        let mut waiting = self.wanted.get(&index).cloned().unwrap_or_default();
        let old = self.map.get(&index, 0).map_err(on("PLACES"))?;
        let mut kept = old;
        for place in &mut kept.places {
            if !waiting.remove(place) {
                *place = 0;
            }
        }
        let mut new = kept;
        for place in new.places.iter_mut().filter(|place| **place == 0) {
            *place = waiting.pop_first().unwrap_or(0);
        }
        new.more = waiting.len() as u64;
        // Who comes is written only after who went: a processor that reads half of a place sees
        // half of nobody there.
        for step in [kept, new] {
            if step != old {
                self.map.set(index, step, 0).map_err(on("PLACES"))?;
            }
        }
        Ok(())
    }
}

/// Where a device belongs, and what stands there for it.
fn place(mac: Mac, row: u32) -> (u32, u64) {
    let word = Places::word(mac);
    (Places::index(word), word | u64::from(row + 1))
}
