//! What devices were noted to ask for, on disk: `learning.json` beside the registry, in a file of its
//! own. To lose it costs a device another day, and the registry with its credentials is not written
//! for it again and again.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::learning::{Gap, Learning, is_pattern};
use super::store::StoreError;
use super::{Registry, UnixMs, Wish};
use crate::kept;

const FILE: &str = "learning.json";
const VERSION: u32 = 1;
/// Far above what [`Registry::MAX_LEARNING`] devices take that ask for the longest topics.
const MAX_BYTES: u64 = 2 << 20;

/// How often notes are written while a device learns, and so what a crash costs at most: flash wears.
pub const SAVE_EVERY: Duration = Duration::from_secs(15 * 60);

/// Notes that were stored.
#[derive(Debug)]
pub struct Notes {
    /// When they were written.
    kept_ms: UnixMs,
    devices: BTreeMap<Mac, Learning>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    kept_ms: UnixMs,
    devices: BTreeMap<String, StoredLearning>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredLearning {
    since_ms: UnixMs,
    until_ms: UnixMs,
    #[serde(default, skip_serializing_if = "is_zero")]
    left_out: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    gaps: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last_gap: Option<Gap>,
    /// How often what was asked for, by pattern.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    publish: BTreeMap<String, u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    subscribe: BTreeMap<String, u64>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// What was stored; None if nothing ever was.
///
/// # Errors
///
/// When the file cannot be read or is not what was written.
pub fn load(dir: &Path) -> Result<Option<Notes>, StoreError> {
    let path = dir.join(FILE);
    let bytes = match kept::read(&path, MAX_BYTES) {
        Ok(Some(bytes)) => bytes,
        Ok(None) => return Ok(None),
        Err(error) => return Err(StoreError::Io { path, error }),
    };
    match read(&bytes) {
        Ok(notes) => Ok(Some(notes)),
        Err(what) => Err(StoreError::Damaged { path, what }),
    }
}

fn read(bytes: &[u8]) -> Result<Notes, String> {
    let stored: Stored = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let Stored {
        version,
        kept_ms,
        devices,
    } = stored;
    if version != VERSION {
        return Err(format!("version: found {version}, expected {VERSION}"));
    }
    let (found, most) = (devices.len(), Registry::MAX_LEARNING);
    if found > most {
        return Err(format!("devices: found {found}, expected at most {most}"));
    }
    let read = |(mac, stored): (String, StoredLearning)| {
        let parsed = mac.parse();
        let parsed: Mac = parsed.map_err(|error| format!("devices: found '{mac}', {error}"))?;
        let learning = stored.into_learning();
        Ok((parsed, learning.map_err(|what| format!("{mac}: {what}"))?))
    };
    let devices = devices.into_iter().map(read).collect::<Result<_, String>>();
    Ok(Notes {
        kept_ms,
        devices: devices?,
    })
}

/// Replaces what is stored. When it returns, a power cut no longer loses it.
///
/// # Errors
///
/// When the directory cannot be written; what was stored before is then still there.
pub fn save(dir: &Path, registry: &Registry, now: UnixMs) -> Result<(), StoreError> {
    let path = dir.join(FILE);
    let learning = registry.devices().filter_map(|device| {
        let learning = device.learning.as_ref()?;
        Some((device.mac.to_string(), StoredLearning::from(learning)))
    });
    let stored = Stored {
        version: VERSION,
        kept_ms: now,
        devices: learning.collect(),
    };
    let written = serde_json::to_vec(&stored).map_err(Into::into);
    let written = written.and_then(|text| kept::replace(&path, &text));
    written.map_err(|error| StoreError::Io { path, error })
}

impl From<&Learning> for StoredLearning {
    fn from(learning: &Learning) -> StoredLearning {
        let of = |wanted: Wish| {
            let wishes = learning.wishes.iter();
            let wishes = wishes.filter(|((wish, _), _)| *wish == wanted);
            wishes
                .map(|((_, pattern), count)| (pattern.clone(), *count))
                .collect()
        };
        StoredLearning {
            since_ms: learning.since_ms,
            until_ms: learning.until_ms,
            left_out: learning.left_out,
            gaps: learning.gaps,
            last_gap: learning.last_gap,
            publish: of(Wish::Publish),
            subscribe: of(Wish::Subscribe),
        }
    }
}

impl StoredLearning {
    fn into_learning(self) -> Result<Learning, String> {
        let of = |wish: Wish, patterns: BTreeMap<String, u64>| {
            let wishes = patterns.into_iter();
            wishes.map(move |(pattern, count)| ((wish, pattern), count))
        };
        let publish = of(Wish::Publish, self.publish);
        let wishes: BTreeMap<_, _> = publish.chain(of(Wish::Subscribe, self.subscribe)).collect();
        let (found, most) = (wishes.len(), Learning::MAX_WISHES);
        if found > most {
            return Err(format!("found {found} patterns, expected at most {most}"));
        }
        // They are proposed as lines of a configuration.
        if let Some((wish, pattern)) = wishes.keys().find(|(wish, text)| !is_pattern(text, *wish)) {
            return Err(format!(
                "{}: found '{}', expected a pattern as it is noted",
                wish.option(),
                crate::text::printable(&crate::text::clip(pattern))
            ));
        }
        Ok(Learning {
            since_ms: self.since_ms,
            until_ms: self.until_ms,
            wishes,
            left_out: self.left_out,
            gaps: self.gaps,
            last_gap: self.last_gap,
        })
    }
}

impl Registry {
    /// Goes on with what an earlier run noted, of the devices that are known. What is left of each time
    /// is what was left then: whether the clock went on meanwhile, not every router can say. The time
    /// between is a gap.
    pub fn resume_learning(&mut self, now: UnixMs, notes: Notes) {
        let (longest, kept_ms) = (Self::LEARNING_TIMES.1, notes.kept_ms);
        let longest = u64::try_from(longest.as_millis()).unwrap_or(u64::MAX);
        for (mac, mut learning) in notes.devices {
            let Some(device) = self.devices.get_mut(&mac) else {
                continue;
            };
            let left = learning.until_ms.saturating_sub(kept_ms).min(longest);
            if left > 0 {
                learning.until_ms = now.saturating_add(left);
                learning.gaps = learning.gaps.saturating_add(1);
                learning.last_gap = Some(Gap {
                    from_ms: kept_ms,
                    to_ms: now,
                });
            }
            device.learning = Some(learning);
        }
    }

    /// Whether wishes of any device are noted now.
    pub fn is_learning(&self, now: UnixMs) -> bool {
        let devices = self.devices.values();
        let mut learning = devices.filter_map(|one| one.learning.as_ref());
        learning.any(|one| one.is_running(now))
    }
}
