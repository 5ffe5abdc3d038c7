//! The only place that talks to nftables: a table of our own, set as a whole.
//!
//! It stands in for the kernel program where that cannot, and takes connections over for
//! devices that are uplifted. Text goes to `nft -f -`, so that it works with and without JSON
//! support, and takes force in one transaction or not at all.

mod drops;
mod keeper;
mod process;
mod text;
mod watch;

use std::collections::BTreeSet;
use std::io;
use std::time::Duration;

use mqttguard_common::Mac;

use crate::config::Exception;

pub use drops::Drops;
pub use keeper::{Keeper, State};

/// What is to be in our table. An empty one stands for no table at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// What is done about plaintext MQTT where the kernel program does not stand.
    pub plaintext: Option<Plaintext>,
    /// Devices, as `iifname` names them, from which nothing is forwarded.
    pub closed: Vec<String>,
    /// Devices whose plaintext MQTT the router takes over.
    pub uplift: Vec<Uplift>,
}

impl Ruleset {
    /// Whether no table is needed.
    pub fn is_empty(&self) -> bool {
        !self.stands_in() && self.uplift.is_empty()
    }

    /// Whether anything of it stands in for the kernel program.
    fn stands_in(&self) -> bool {
        self.plaintext.is_some() || !self.closed.is_empty()
    }
}

/// What nftables can do in the kernel program's place: ports, and cut-off devices by MAC.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plaintext {
    /// Devices, as `iifname` names them, to which it applies.
    pub devices: Vec<String>,
    /// What becomes of what is matched.
    pub action: Action,
    /// TCP ports that are plaintext MQTT.
    pub ports: Vec<u16>,
    /// Whether MQTT-SN (UDP port 1883) is matched too.
    pub mqtt_sn: bool,
    /// Plaintext MQTT that may leave.
    pub exceptions: Vec<Exception>,
    /// The broker's TCP ports on the router: a quarantined device does not reach them.
    pub broker_ports: Vec<u16>,
    /// The port of the router's plaintext listener, if it is on.
    pub local_port: Option<u16>,
    /// Devices that may use that listener.
    pub local_macs: BTreeSet<Mac>,
    /// Devices of which everything is dropped but DHCP.
    pub blocked: BTreeSet<Mac>,
    /// Devices of which all MQTT is dropped, and all they send to the broker.
    pub quarantined: BTreeSet<Mac>,
}

/// What becomes of a packet that is matched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Plaintext over TCP is answered with a reset, all else dropped.
    Reject,
    /// Dropped.
    Drop,
    /// Counted, and let pass.
    Count,
}

/// A device whose plaintext MQTT to other hosts goes to a proxy on the router instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplift {
    /// The device.
    pub mac: Mac,
    /// TCP ports that are taken over.
    pub ports: Vec<u16>,
    /// The proxy's TCP port on the router. Only connections that were taken over reach it.
    pub listener: u16,
}

/// A ruleset in force, and how the kernel shows it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// Each table by its family; none where none is wanted.
    listings: Vec<(&'static str, Vec<u8>)>,
}

/// Why nftables does not hold what it was to.
#[derive(Debug, thiserror::Error)]
pub enum NftError {
    /// There is no `nft` in PATH.
    #[error("nft is not installed (package nftables)")]
    Missing,
    /// It could not be run.
    #[error("nft: {0}")]
    Run(#[from] io::Error),
    /// It took too long and was killed.
    #[error("nft did not end within {} s", .0.as_secs())]
    Timeout(Duration),
    /// It refused.
    #[error("nft: {0}")]
    Refused(String),
    /// A device's name cannot be written in a ruleset.
    #[error("nft: {0:?} is not the name of a network device")]
    Name(String),
}

/// Replaces our table by this ruleset, in one transaction: whatever happens, either the old one
/// or the new one is in force.
///
/// # Errors
///
/// `nft` is not there, refuses or hangs, or a device's name cannot be written. Then the table is
/// as it was; only after [`NftError::Timeout`] it may be either.
pub fn apply(ruleset: &Ruleset) -> Result<Applied, NftError> {
    set(ruleset)?;
    Applied::read(ruleset)
}

fn set(ruleset: &Ruleset) -> Result<(), NftError> {
    let text = text::transaction(ruleset)?;
    let is_needed = match ruleset.is_empty() {
        true => is_there()?,
        false => true,
    };
    if is_needed {
        process::nft(&["-f", "-"], text.as_bytes())?;
    }
    if ruleset.uplift.is_empty() {
        // Not in the transaction: without the module for bridges that would fail. Where there is
        // no such table it fails here, as it should.
        let _ = process::nft(&["delete", "table", "bridge", text::TABLE], &[]);
    }
    Ok(())
}

fn is_there() -> Result<bool, NftError> {
    match list("inet") {
        Ok(_) => Ok(true),
        // There is no such table, or nothing that could hold one.
        Err(NftError::Missing | NftError::Refused(_)) => Ok(false),
        Err(error) => Err(error),
    }
}

impl Applied {
    fn read(ruleset: &Ruleset) -> Result<Applied, NftError> {
        let families: &[&str] = match (ruleset.is_empty(), ruleset.uplift.is_empty()) {
            (true, _) => &[],
            (false, true) => &["inet"],
            (false, false) => &["inet", "bridge"],
        };
        let one = |family: &&'static str| Ok((*family, list(family)?));
        let listings: Result<Vec<_>, NftError> = families.iter().map(one).collect();
        Ok(Applied {
            listings: listings?,
        })
    }

    /// Whether the tables are still as they were set, to the last rule; a kernel that cannot be
    /// asked counts as a no.
    pub fn is_standing(&self) -> bool {
        let mut all = self.listings.iter();
        all.all(|(family, listing)| list(family).is_ok_and(|now| now == *listing))
    }
}

/// Our table of a family as the kernel has it. With handles, so that a rule put in another's place
/// shows, and without counters.
fn list(family: &str) -> Result<Vec<u8>, NftError> {
    process::nft(&["-a", "-s", "list", "table", family, text::TABLE], &[])
}
