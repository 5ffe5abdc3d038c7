//! Wires the parts together; start, reload, stop.

use std::path::PathBuf;
use std::process::ExitCode;

/// What the command line tells the daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonOptions {
    /// The configuration file.
    pub config: PathBuf,
    /// Where ubusd listens.
    pub ubus_socket: PathBuf,
}

/// Runs until a signal stops it.
pub fn run(_options: DaemonOptions) -> ExitCode {
    ExitCode::FAILURE
}
