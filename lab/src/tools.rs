//! Where the programs are that the house runs.

use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, bail};

/// Names the daemon's executable. Without it the daemon is built, with profile `fast`.
pub const DAEMON_VARIABLE: &str = "MQTTGUARD_DAEMON";

/// Names the executable of the broker that is open to everybody. Without it that is built, with
/// profile `fast`.
pub const OPEN_BROKER_VARIABLE: &str = "MQTTGUARD_OPEN_BROKER";

/// What cargo leaves in a target directory.
const MARKS: [&str; 2] = ["CACHEDIR.TAG", ".rustc_info.json"];

/// Cargo's target directory: where this very program was built.
pub fn target_dir() -> Result<PathBuf> {
    let program = std::env::current_exe().context("cannot tell where this program is")?;
    program
        .ancestors()
        // The first is missing where cargo did not make the directory itself.
        .find(|dir| MARKS.iter().any(|mark| dir.join(mark).is_file()))
        .map(PathBuf::from)
        .with_context(|| format!("{} is in no cargo target directory", program.display()))
}

/// A program that `cargo xtask setup` installed below the target directory.
pub fn tool(name: &str) -> Result<PathBuf> {
    let path = tools_dir()?.join("bin").join(name);
    if !path.is_file() {
        bail!("{} is missing: run `cargo xtask setup`", path.display());
    }
    Ok(path)
}

/// The root below which `cargo xtask setup` installs programs.
pub fn tools_dir() -> Result<PathBuf> {
    Ok(target_dir()?.join("tools"))
}

/// A system program, looked for where Debian puts it even if PATH lacks sbin.
pub fn system(name: &str) -> Result<PathBuf> {
    find_system(name).with_context(|| format!("{name} is missing: run `cargo xtask setup`"))
}

/// Like [`system`], None when the program is missing.
pub fn find_system(name: &str) -> Option<PathBuf> {
    let mut found = search_path().into_iter().map(|dir| dir.join(name));
    found.find(|path| path.is_file())
}

/// PATH, and where Debian puts programs: a user's PATH lacks sbin there.
pub fn search_path() -> Vec<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin", "/usr/bin", "/sbin", "/bin"].map(PathBuf::from))
        .collect()
}

/// The daemon's executable, built first if need be, once a process.
pub fn daemon() -> Result<PathBuf> {
    static DAEMON: OnceLock<Built> = OnceLock::new();
    let build = || build(DAEMON_VARIABLE, &[], "mqttguard");
    built(&DAEMON, build)
}

/// The executable of the broker that is open to everybody, built first if need be, once a
/// process.
pub fn open_broker() -> Result<PathBuf> {
    static BROKER: OnceLock<Built> = OnceLock::new();
    let example = ["--features", "open", "--example", "open_broker"];
    let build = || build(OPEN_BROKER_VARIABLE, &example, "examples/open_broker");
    built(&BROKER, build)
}

type Built = std::result::Result<PathBuf, String>;

fn built(once: &OnceLock<Built>, build: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    once.get_or_init(|| build().map_err(|error| format!("{error:#}")))
        .clone()
        .map_err(anyhow::Error::msg)
}

/// Builds a program of the package `mqttguard`, unless `variable` names it.
fn build(variable: &str, what: &[&str], program: &str) -> Result<PathBuf> {
    if let Some(path) = std::env::var_os(variable) {
        return Ok(PathBuf::from(path));
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["build", "--quiet", "--package", "mqttguard"])
        .args(["--profile", "fast"])
        .args(what)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .with_context(|| format!("cannot start cargo to build {program}"))?;
    if !output.status.success() {
        bail!(
            "{program} does not build:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    Ok(target_dir()?.join("fast").join(program))
}
