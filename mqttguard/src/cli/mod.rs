//! The command line: one file a subcommand, a thin client of the ubus object.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs the command with its arguments (the program's name left out).
pub fn run(_args: impl Iterator<Item = OsString>) -> ExitCode {
    ExitCode::from(64)
}
