//! The only place that talks to nftables: a table of our own, set as a whole.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::process::{Command, Stdio};

use mqttguard_common::Mac;

/// Our table, of the families `inet` and `bridge`.
const TABLE: &str = "mqttguard";

/// What is to be in our table. An empty one stands for no table at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ruleset {
    /// Devices whose plaintext MQTT the router takes over.
    pub uplift: Vec<Uplift>,
}

/// A device whose plaintext MQTT to other hosts goes to a proxy on the router instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Uplift {
    /// The device.
    pub mac: Mac,
    /// TCP ports that are taken over.
    pub ports: Vec<u16>,
    /// The proxy's TCP port on the router.
    pub listener: u16,
}

/// A ruleset in force, and how the kernel shows it.
#[derive(Clone, Debug)]
pub struct Applied {
    /// None: there is no table, nor should there be.
    listing: Option<Vec<u8>>,
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
    /// It refused.
    #[error("nft: {0}")]
    Refused(String),
}

/// Replaces our table by this ruleset, in one transaction.
///
/// # Errors
///
/// `nft` is not there or refuses. Then the table is as it was.
pub fn apply(ruleset: &Ruleset) -> Result<Applied, NftError> {
    nft(&["-f", "-"], &transaction(ruleset))?;
    let listing = match ruleset.uplift.is_empty() {
        true => None,
        false => Some(list()?),
    };
    Ok(Applied { listing })
}

impl Applied {
    /// Whether the table is still as it was set, to the last rule; a kernel that cannot be asked
    /// counts as a no.
    pub fn is_standing(&self) -> bool {
        match &self.listing {
            None => true,
            Some(listing) => list().is_ok_and(|now| now == *listing),
        }
    }
}

fn transaction(ruleset: &Ruleset) -> String {
    let mut out = String::new();
    for family in ["inet", "bridge"] {
        // Adding the table first lets the deletion succeed where there is none.
        let _ = writeln!(
            out,
            "add table {family} {TABLE}\ndelete table {family} {TABLE}"
        );
    }
    if ruleset.uplift.is_empty() {
        return out;
    }
    let (mut takeover, mut forward) = (String::new(), String::new());
    let mut groups: BTreeMap<(&[u16], u16), Vec<String>> = BTreeMap::new();
    for device in &ruleset.uplift {
        let group = groups.entry((&device.ports, device.listener)).or_default();
        group.push(device.mac.to_string());
    }
    for ((ports, listener), macs) in groups {
        let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
        let (macs, ports) = (macs.join(", "), ports.join(", "));
        let plaintext = format!("ether saddr {{ {macs} }} tcp dport {{ {ports} }}");
        let _ = writeln!(
            takeover,
            "{plaintext} fib daddr type != local redirect to :{listener}"
        );
        let _ = writeln!(forward, "{plaintext} drop");
    }
    let _ = write!(
        out,
        "table inet {TABLE} {{\n\
         chain takeover {{ type nat hook prerouting priority dstnat - 10; policy accept;\n\
         {takeover}}}\n\
         chain forward {{ type filter hook forward priority filter - 10; policy accept;\n\
         {forward}}}\n}}\n\
         table bridge {TABLE} {{\n\
         chain forward {{ type filter hook forward priority filter - 10; policy accept;\n\
         {forward}}}\n}}\n"
    );
    out
}

fn list() -> Result<Vec<u8>, NftError> {
    let mut all = nft(&["-a", "-s", "list", "table", "inet", TABLE], "")?;
    all.extend(nft(&["-a", "-s", "list", "table", "bridge", TABLE], "")?);
    Ok(all)
}

fn nft(args: &[&str], input: &str) -> Result<Vec<u8>, NftError> {
    let mut command = Command::new("nft");
    command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => NftError::Missing,
        _ => NftError::Run(error),
    })?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(input.as_bytes())?;
    }
    let output = child.wait_with_output()?;
    match output.status.success() {
        true => Ok(output.stdout),
        false => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(NftError::Refused(said.trim().replace('\n', "; ")))
        }
    }
}
