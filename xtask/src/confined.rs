//! The daemon with no more power than procd leaves it on a router: root's files, and of root's
//! capabilities those of the package alone.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use mqttguard_lab::tools;

use crate::command::workspace;

/// What ujail does of `procd_add_jail` without mounts, `capabilities` and `no_new_privs`.
const SECURE: &str = "+noroot,+noroot_locked,+no_setuid_fixup,+no_setuid_fixup_locked";

/// Writes a program that runs `daemon` so; gives it.
pub(crate) fn wrap(daemon: &Path) -> Result<PathBuf> {
    let file = workspace().join("openwrt/mqttguard/files/mqttguard.capabilities");
    let text = fs::read_to_string(&file).with_context(|| file.display().to_string())?;
    let sets: serde_json::Value =
        serde_json::from_str(&text).with_context(|| file.display().to_string())?;
    let names = sets.get("bounding").and_then(serde_json::Value::as_array);
    let names: Vec<String> = names
        .with_context(|| format!("{}: no set 'bounding'", file.display()))?
        .iter()
        .filter_map(serde_json::Value::as_str)
        .map(|name| name.trim_start_matches("CAP_").to_lowercase())
        .collect();
    let list = format!("-all,+{}", names.join(",+"));
    let wrapper = tools::target_dir()?.join("confined");
    let script = format!(
        "#!/bin/sh\nexec setpriv --securebits={SECURE} --bounding-set={list} --inh-caps={list} \\\n\
         \t--ambient-caps={list} --no-new-privs '{}' \"$@\"\n",
        daemon.display()
    );
    fs::write(&wrapper, script)?;
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755))?;
    Ok(wrapper)
}
