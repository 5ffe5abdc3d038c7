//! zig, the C compiler and linker of programs for routers: it brings musl for every processor. It
//! comes from the Python registry, into an environment below the target directory.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use mqttguard_lab::tools;

use crate::command::must;

/// No other is known to work.
pub(crate) const VERSION: &str = "0.17.1";

/// The Python environment that it is in: `bin/python -m ziglang` runs it.
pub(crate) fn directory() -> Result<PathBuf> {
    Ok(tools::tools_dir()?.join("zig"))
}

/// Whether that very version is there.
pub(crate) fn is_installed() -> Result<bool> {
    let noted = fs::read_to_string(directory()?.join(".installed"));
    Ok(noted.is_ok_and(|noted| noted == VERSION))
}

/// Installs it, in place of another version.
pub(crate) fn install() -> Result<()> {
    let directory = directory()?;
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    must(Command::new("python3").args(["-m", "venv"]).arg(&directory))?;
    let mut pip = Command::new(directory.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    must(pip.arg(format!("ziglang=={VERSION}")))?;
    Ok(fs::write(directory.join(".installed"), VERSION)?)
}
