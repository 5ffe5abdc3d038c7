//! What an earlier daemon left standing, seen without loading anything.

use std::path::Path;

use super::bpffs::Pins;
use super::links::Links;
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
