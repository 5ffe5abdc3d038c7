//! What the owner has accepted, on disk: `mud.json`, readable by root alone, replaced as a whole.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::IpAddr;
use std::path::Path;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::cms::Signature;
use super::file::{Description, MAX_ENTRIES};
use super::names::ADDRESSES;
use super::need::MAX_HOLES;
use crate::kept;
use crate::registry::UnixMs;

const FILE: &str = "mud.json";
const VERSION: u32 = 1;
/// Devices whose files are accepted.
pub const MAX_ACCEPTED: usize = 64;
/// Longest file, in bytes; 64 devices of usual makers take a tenth of it.
const MAX_BYTES: u64 = 4 << 20;

/// A file that the owner has accepted for a device.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Accepted {
    /// Where it is.
    pub url: String,
    /// The URL is the owner's word, and not the device's.
    pub by_hand: bool,
    /// Which file it was: SHA-256, in hexadecimal.
    pub sha256: String,
    /// Who signed it, when it was accepted.
    pub signature: Signature,
    /// What it says.
    pub description: Description,
    /// When it was accepted.
    pub accepted_ms: UnixMs,
    /// When it was last found unchanged.
    pub fetched_ms: UnixMs,
    /// Addresses of the names in it, as they were found last.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub addresses: BTreeMap<String, BTreeSet<IpAddr>>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    devices: BTreeMap<String, Accepted>,
}

/// What was stored; nothing if nothing ever was.
///
/// # Errors
///
/// When the file cannot be read or is damaged, in words.
pub fn load(dir: &Path) -> Result<BTreeMap<Mac, Accepted>, String> {
    let path = dir.join(FILE);
    let told = |what: String| format!("{}: {what}", path.display());
    let text = match kept::read(&path, MAX_BYTES) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(BTreeMap::new()),
        Err(error) => return Err(told(error.to_string())),
    };
    let stored: Stored = serde_json::from_slice(&text).map_err(|error| told(error.to_string()))?;
    if stored.version != VERSION {
        let found = stored.version;
        return Err(told(format!("version: found {found}, expected {VERSION}")));
    }
    let fits = |one: &Accepted| {
        one.description.entries.len() <= MAX_ENTRIES
            && one.description.topics.fits()
            && one.addresses.len() <= MAX_HOLES
            && one.addresses.values().all(|found| found.len() <= ADDRESSES)
    };
    if stored.devices.len() > MAX_ACCEPTED || !stored.devices.values().all(fits) {
        let what = "found more than there is room for, or a topic pattern that is none";
        return Err(told(what.to_owned()));
    }
    let devices = stored.devices.into_iter().map(|(mac, accepted)| {
        let mac = mac
            .parse()
            .map_err(|error| told(format!("found '{mac}', {error}")))?;
        Ok((mac, accepted))
    });
    devices.collect()
}

/// Replaces what is stored. When it returns, a power cut no longer loses it.
///
/// # Errors
///
/// When the directory cannot be written, in words; what was stored before is then still there.
pub fn save(dir: &Path, accepted: &BTreeMap<Mac, Accepted>) -> Result<(), String> {
    let path = dir.join(FILE);
    write(&path, accepted).map_err(|error| format!("{}: {error}", path.display()))
}

fn write(path: &Path, accepted: &BTreeMap<Mac, Accepted>) -> io::Result<()> {
    let devices = accepted.iter();
    let stored = Stored {
        version: VERSION,
        devices: devices
            .map(|(mac, accepted)| (mac.to_string(), accepted.clone()))
            .collect(),
    };
    let text = serde_json::to_vec(&stored)?;
    // What could not be read again is not written.
    if text.len() as u64 > MAX_BYTES {
        let found = text.len();
        let what = format!("found {found} bytes of accepted files, expected at most {MAX_BYTES}");
        return Err(io::Error::other(what));
    }
    kept::replace(path, &text)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    fn accepted() -> Accepted {
        let file = include_bytes!("testdata/lamp.json");
        Accepted {
            url: "https://maker.example/lamp.json".into(),
            by_hand: false,
            sha256: "00".repeat(32),
            signature: Signature::Valid {
                signer: "CN=Acme".into(),
            },
            description: super::super::file::read(file).unwrap(),
            accepted_ms: 1,
            fetched_ms: 2,
            addresses: BTreeMap::from([(
                "mqtt.maker.example".to_owned(),
                BTreeSet::from(["203.0.113.10".parse().unwrap()]),
            )]),
        }
    }

    #[test]
    fn what_is_saved_is_loaded_and_root_s_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(load(dir.path()), Ok(BTreeMap::new()));
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let all = BTreeMap::from([(mac, accepted())]);
        save(dir.path(), &all).unwrap();
        assert_eq!(load(dir.path()), Ok(all.clone()));
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions();
        assert_eq!(mode.mode() & 0o777, 0o600);
        save(dir.path(), &BTreeMap::new()).unwrap();
        assert_eq!(load(dir.path()), Ok(BTreeMap::new()));
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let dir = tempfile::tempdir().unwrap();
        let small = BTreeMap::from([(Mac([2, 0, 0, 0, 0, 1]), accepted())]);
        save(dir.path(), &small).unwrap();
        let mut large = accepted();
        let mut entry = large.description.entries.swap_remove(0);
        entry.conditions = vec!["x".repeat(64); 8];
        large.description.entries = vec![entry; MAX_ENTRIES];
        let large = (0..MAX_ACCEPTED as u8).map(|last| (Mac([2, 0, 0, 0, 0, last]), large.clone()));
        let error = save(dir.path(), &large.collect()).unwrap_err();
        assert!(error.contains("at most 4194304"), "{error}");
        assert_eq!(load(dir.path()), Ok(small));
    }

    #[test]
    fn topics_are_stored_and_an_older_file_has_none() {
        let dir = tempfile::tempdir().unwrap();
        let mac = Mac([2, 0, 0, 0, 0, 1]);
        let mut one = accepted();
        save(dir.path(), &BTreeMap::from([(mac, one.clone())])).unwrap();
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        assert!(!text.contains("topics"), "{text}");
        one.description.topics.publish = vec!["%d/#".to_owned()];
        let all = BTreeMap::from([(mac, one)]);
        save(dir.path(), &all).unwrap();
        assert_eq!(load(dir.path()), Ok(all));
        let text = fs::read_to_string(dir.path().join(FILE)).unwrap();
        let damaged = text.replace("%d/#", "%d#");
        fs::write(dir.path().join(FILE), damaged).unwrap();
        assert!(load(dir.path()).unwrap_err().contains("topic"), "damaged");
    }

    #[test]
    fn a_damaged_file_is_told() {
        let dir = tempfile::tempdir().unwrap();
        for (text, words) in [
            ("{", "EOF"),
            (r#"{"version":2,"devices":{}}"#, "version: found 2"),
            (r#"{"version":1,"devices":{},"more":1}"#, "unknown field"),
        ] {
            fs::write(dir.path().join(FILE), text).unwrap();
            let error = load(dir.path()).unwrap_err();
            assert!(error.contains(words) && error.contains(FILE), "{error}");
        }
        let many = (0..=MAX_ACCEPTED as u8).map(|last| (Mac([2, 0, 0, 0, 0, last]), accepted()));
        save(dir.path(), &many.collect()).unwrap();
        assert!(load(dir.path()).unwrap_err().contains("more than"));
    }
}
