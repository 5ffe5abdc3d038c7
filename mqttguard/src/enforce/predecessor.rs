//! What an earlier daemon left standing, seen without loading anything.

use std::path::Path;

use super::bpffs::Pins;
use super::links::{Link, Links, resolve};
use super::{EnforceError, hook};

/// The interfaces on which a predecessor's program stands.
///
/// # Errors
///
/// Netlink does not answer.
pub fn standing(bpf_dir: &Path) -> Result<Vec<String>, EnforceError> {
    let pinned = hook::pinned(&Pins::at(bpf_dir).links());
    if pinned.is_empty() {
        return Ok(Vec::new());
    }
    let links = Links::open()
        .and_then(|mut links| links.list())
        .map_err(EnforceError::Netlink)?;
    Ok(links
        .into_iter()
        .filter(|link| pinned.iter().any(|(_, index)| *index == link.index))
        .map(|link| link.name)
        .collect())
}

/// The interfaces that `devices` stand for and on which no program of a predecessor stands. Devices
/// that stand for no interface yet are among them.
///
/// # Errors
///
/// Netlink does not answer.
pub fn bare(bpf_dir: &Path, devices: &[String]) -> Result<Vec<String>, EnforceError> {
    let pinned = hook::pinned(&Pins::at(bpf_dir).links());
    let links = Links::open()
        .and_then(|mut links| links.list())
        .map_err(EnforceError::Netlink)?;
    let (wanted, missing) = resolve(devices, &links);
    let is_bare = |link: &&&Link| pinned.iter().all(|(_, index)| *index != link.index);
    let bare = wanted.iter().filter(is_bare).map(|link| link.name.as_str());
    let missing = missing.iter().map(|(name, _)| *name);
    Ok(bare.chain(missing).map(str::to_owned).collect())
}

/// Ends the enforcement that a predecessor left standing. True if there was any.
///
/// # Errors
///
/// Netlink does not answer. Then everything is as it was.
pub fn take_off(bpf_dir: &Path) -> Result<bool, EnforceError> {
    let pins = Pins::at(bpf_dir);
    if hook::pinned(&pins.links()).is_empty() && !pins.has_maps() {
        return Ok(false);
    }
    let links = Links::open()
        .and_then(|mut links| links.list())
        .map_err(EnforceError::Netlink)?;
    hook::detach_all_but(&pins.links(), &links, |_, _| false);
    pins.remove_all();
    Ok(true)
}
