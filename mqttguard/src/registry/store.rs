//! The registry on disk: `registry.json`, readable by root alone, replaced as a whole.
//!
//! A write goes to a temporary file that is synced and renamed over the old one; the old one stays
//! beside it as `registry.json.old`, to fall back on should the flash fail later.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use crate::coded::Coded;
use crate::events::Because;
use crate::kept;
use crate::naming::Firmware;

use super::claims::StoredClaim;
use super::pairing::StoredPairing;
use super::{Allowance, Claim, Credential, Device, Pairing, Quarantine, Registry, UnixMs};

const FILE: &str = "registry.json";
const OLD: &str = "registry.json.old";
const VERSION: u32 = 1;
/// Far above what [`Registry::MAX_DEVICES`] devices take.
const MAX_BYTES: u64 = 4 << 20;

/// The registry cannot be read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The file cannot be read or written.
    #[error("{path}: {error}", path = .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        error: io::Error,
    },
    /// The file is not what was written.
    #[error("{path}: {what}", path = .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found and expected.
        what: String,
    },
}

/// What is stored of a registry.
#[derive(Debug, Default)]
pub struct Contents {
    /// Devices.
    pub devices: Vec<Device>,
    /// Exceptions for a time.
    pub allowances: Vec<Allowance>,
    /// Ends of the configuration's exceptions that have passed.
    pub passed: BTreeSet<UnixMs>,
    /// Pairing windows.
    pub pairings: Vec<Pairing>,
    /// Accounts that wait for their devices.
    pub claims: Vec<Claim>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u32,
    devices: Vec<StoredDevice>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    allowances: Vec<StoredAllowance>,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    passed: BTreeSet<UnixMs>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pairings: Vec<StoredPairing>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    claims: Vec<StoredClaim>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredAllowance {
    mac: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    destination: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    port: Option<u16>,
    until_ms: UnixMs,
    for_ms: u64,
}

/// The sentence, for those who read the file; of what it can be beside the owner's own words, the code
/// and the number in it.
#[derive(Serialize, Deserialize)]
struct StoredQuarantine {
    until_ms: UnixMs,
    why: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    count: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    for_ms: Option<u64>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredDevice {
    mac: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    hostname: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    vendor_class: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mud_url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    credential: Option<Credential>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    blocked: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    quarantine: Option<StoredQuarantine>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    firmware: Option<String>,
    first_seen_ms: UnixMs,
    last_seen_ms: UnixMs,
}

/// What was stored; nothing if nothing ever was. If the file is damaged and the one before
/// it is whole, that one is read and the damage told as a warning.
///
/// # Errors
///
/// When there is a file and neither it nor the one before it can be read: the credentials in it
/// are not to be overwritten unasked.
pub fn load(dir: &Path) -> Result<(Contents, Option<StoreError>), StoreError> {
    match read(&dir.join(FILE)) {
        Ok(Some(contents)) => Ok((contents, None)),
        // A power cut between the two renames of `save` leaves only the old one.
        Ok(None) => read(&dir.join(OLD)).map(|contents| (contents.unwrap_or_default(), None)),
        Err(error) => match read(&dir.join(OLD)) {
            Ok(Some(contents)) => Ok((contents, Some(error))),
            _ => Err(error),
        },
    }
}

fn read(path: &Path) -> Result<Option<Contents>, StoreError> {
    let io = |error| StoreError::Io {
        path: path.to_owned(),
        error,
    };
    let damaged = |what: String| StoreError::Damaged {
        path: path.to_owned(),
        what,
    };
    let Some(text) = kept::read(path, MAX_BYTES).map_err(io)? else {
        return Ok(None);
    };
    let stored: Stored =
        serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
    if stored.version != VERSION {
        return Err(damaged(format!(
            "version: found {}, expected {VERSION}",
            stored.version
        )));
    }
    if stored.devices.len() > Registry::MAX_DEVICES {
        let (found, most) = (stored.devices.len(), Registry::MAX_DEVICES);
        return Err(damaged(format!(
            "devices: found {found}, expected at most {most}"
        )));
    }
    if stored.allowances.len() > Registry::MAX_ALLOWANCES {
        let (found, most) = (stored.allowances.len(), Registry::MAX_ALLOWANCES);
        return Err(damaged(format!(
            "allowances: found {found}, expected at most {most}"
        )));
    }
    let allowances = stored.allowances.into_iter();
    let allowances = allowances
        .map(StoredAllowance::into_allowance)
        .collect::<Result<_, _>>()
        .map_err(damaged)?;
    if stored.pairings.len() > Registry::MAX_PAIRINGS {
        let (found, most) = (stored.pairings.len(), Registry::MAX_PAIRINGS);
        return Err(damaged(format!(
            "pairings: found {found}, expected at most {most}"
        )));
    }
    let pairings = stored.pairings.into_iter();
    let pairings = pairings
        .map(StoredPairing::into_pairing)
        .collect::<Result<_, _>>()
        .map_err(damaged)?;
    if stored.claims.len() > Registry::MAX_CLAIMS {
        let (found, most) = (stored.claims.len(), Registry::MAX_CLAIMS);
        return Err(damaged(format!(
            "claims: found {found}, expected at most {most}"
        )));
    }
    let claims = stored.claims.into_iter().zip(1..);
    let claims = claims
        .map(|(claim, serial)| claim.into_claim(serial))
        .collect::<Result<Vec<_>, _>>()
        .map_err(damaged)?;
    let (mut macs, mut users) = (BTreeSet::new(), BTreeSet::new());
    let mut devices = Vec::with_capacity(stored.devices.len());
    for stored in stored.devices {
        let device = stored.into_device().map_err(damaged)?;
        if !macs.insert(device.mac) {
            return Err(damaged(format!("mac: found {} twice", device.mac)));
        }
        if let Some(credential) = &device.credential
            && !users.insert(credential.username.clone())
        {
            return Err(damaged(format!(
                "username: found '{}' twice",
                credential.username
            )));
        }
        devices.push(device);
    }
    Ok(Some(Contents {
        devices,
        allowances,
        passed: stored.passed,
        pairings,
        claims,
    }))
}

/// Replaces what is stored. When it returns, a power cut no longer loses it.
///
/// # Errors
///
/// When the directory cannot be written; what was stored before is then still there.
pub fn save(dir: &Path, registry: &Registry) -> Result<(), StoreError> {
    let stored = Stored {
        version: VERSION,
        devices: registry
            .devices()
            .filter(|device| device.is_worth_keeping())
            .map(StoredDevice::from)
            .collect(),
        allowances: registry.allowances().iter().map(Into::into).collect(),
        passed: registry.passed().clone(),
        pairings: registry.pairings().iter().map(Into::into).collect(),
        claims: registry.claims().iter().map(Into::into).collect(),
    };
    let (file, old) = (dir.join(FILE), dir.join(OLD));
    let io = |path: &Path| {
        let path = path.to_owned();
        move |error| StoreError::Io { path, error }
    };
    let text = serde_json::to_vec_pretty(&stored).map_err(|error| io(&file)(error.into()))?;
    let new = kept::prepare(&file, &text).map_err(io(&file))?;
    match fs::rename(&file, &old) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(io(&old)(error)),
        _ => {}
    }
    kept::put(&new, &file).map_err(io(&file))
}

impl From<&Device> for StoredDevice {
    fn from(device: &Device) -> StoredDevice {
        StoredDevice {
            mac: device.mac.to_string(),
            name: device.name.clone(),
            hostname: device.hostname.clone(),
            vendor_class: device.vendor_class.clone(),
            mud_url: device.mud_url.clone(),
            credential: device.credential.clone(),
            blocked: device.blocked.as_ref().map(Because::to_string),
            quarantine: device.quarantine.as_ref().map(Into::into),
            firmware: device.firmware.map(|firmware| firmware.name().to_owned()),
            first_seen_ms: device.first_seen_ms,
            last_seen_ms: device.last_seen_ms,
        }
    }
}

/// Why the owner has blocked a device. The sentence is all that is stored of it.
fn blocked(why: String) -> Because {
    match why == Because::Blocked.to_string() {
        true => Because::Blocked,
        false => Because::Note(why),
    }
}

impl From<&Quarantine> for StoredQuarantine {
    fn from(quarantine: &Quarantine) -> StoredQuarantine {
        let why = &quarantine.why;
        let count = match why {
            Because::Guessed { failures: count } | Because::Flooded { seconds: count } => {
                Some(*count)
            }
            _ => None,
        };
        StoredQuarantine {
            until_ms: quarantine.until_ms,
            why: why.to_string(),
            code: (!matches!(why, Because::Note(_))).then(|| why.code().to_owned()),
            count,
            for_ms: quarantine.for_ms,
        }
    }
}

impl From<StoredQuarantine> for Quarantine {
    fn from(stored: StoredQuarantine) -> Quarantine {
        let ways = [Because::Confined, Because::Resumed].into_iter();
        let count = stored.count.unwrap_or_default();
        let counted = [
            Because::Guessed { failures: count },
            Because::Flooded { seconds: count },
        ];
        let mut ways = ways.chain(counted);
        let code = stored.code.as_deref();
        let known = ways.find(|why| Some(why.code()) == code);
        Quarantine {
            until_ms: stored.until_ms,
            why: known.unwrap_or(Because::Note(stored.why)),
            for_ms: stored.for_ms,
        }
    }
}

impl From<&Allowance> for StoredAllowance {
    fn from(allowance: &Allowance) -> StoredAllowance {
        StoredAllowance {
            mac: allowance.mac.to_string(),
            destination: allowance.destination.map(|prefix| prefix.to_string()),
            port: allowance.port,
            until_ms: allowance.until_ms,
            for_ms: allowance.for_ms,
        }
    }
}

impl StoredAllowance {
    fn into_allowance(self) -> Result<Allowance, String> {
        let destination = self.destination.map(|text| {
            let parsed = text.parse();
            parsed.map_err(|error| format!("destination: found '{text}', {error}"))
        });
        Ok(Allowance {
            mac: mac(&self.mac)?,
            destination: destination.transpose()?,
            port: self.port,
            until_ms: self.until_ms,
            for_ms: self.for_ms,
            fresh: false,
        })
    }
}

fn mac(text: &str) -> Result<Mac, String> {
    text.parse()
        .map_err(|error| format!("mac: found '{text}', {error}"))
}

impl StoredDevice {
    fn into_device(self) -> Result<Device, String> {
        let mac = mac(&self.mac)?;
        Ok(Device {
            name: self.name,
            hostname: self.hostname,
            vendor_class: self.vendor_class,
            mud_url: self.mud_url,
            credential: self.credential,
            blocked: self.blocked.map(blocked),
            quarantine: self.quarantine.map(Into::into),
            // A name of another version is no reason to lose the device.
            firmware: self.firmware.as_deref().and_then(Firmware::named),
            last_seen_ms: self.last_seen_ms,
            ..Device::new(mac, self.first_seen_ms)
        })
    }
}
