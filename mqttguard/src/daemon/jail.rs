//! The jail that procd starts the daemon in.

use rustix::process::{Signal, getppid, set_parent_process_death_signal};

/// The environment variable by which ujail tells what it starts that it is there, and its value.
const MARK: (&str, &str) = ("container", "ujail");

/// In a jail of ujail's: sees to it that this process does not outlive it.
///
/// procd knows of ujail alone, which hands on every signal but SIGKILL. A jail that is killed
/// (by procd, if the daemon takes longer to end than it may; by the init script, on an upgrade)
/// would leave the daemon behind, beside the one that is started next. ujail sees to that itself
/// since August 2026.
pub(super) fn stay_inside() -> std::io::Result<()> {
    let jail = getppid();
    // A router that is a container itself hands the mark on to what is in no jail of its own.
    if std::env::var_os(MARK.0).is_none_or(|found| found != MARK.1)
        || jail.is_none_or(|jail| jail.is_init())
    {
        return Ok(());
    }
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // Killed in between: somebody has adopted this process.
    if getppid() != jail {
        return Err(std::io::Error::other("it has ended"));
    }
    Ok(())
}
