//! Root only where it is needed: packages and namespaces. What cargo writes stays the user's.

use std::ffi::OsStr;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use anyhow::{Result, bail};
use mqttguard_lab::tools;

/// Whether this process is root.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|meta| meta.uid() == 0)
}

/// A command that runs as root: as it is if we are, else under sudo, which may ask for a
/// password.
pub(crate) fn as_root(program: impl AsRef<OsStr>, why: &str) -> Result<Command> {
    if is_root() {
        return Ok(Command::new(program));
    }
    let Some(sudo) = tools::find_system("sudo") else {
        bail!("{why} needs root, and there is no sudo: run this as root");
    };
    eprintln!("{why} needs root: running it under sudo.");
    let mut command = Command::new(sudo);
    command.arg("--").arg(program);
    Ok(command)
}
