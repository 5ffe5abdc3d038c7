//! `mqttguard daemon`: the daemon itself, as procd runs it.

use super::Command;
use crate::daemon::{self, DaemonOptions};

pub(super) static COMMAND: Command = Command {
    name: "daemon",
    usage: "[--config FILE]",
    about: "Run the daemon in the foreground, as the init script does.",
    words: 0,
    values: &["config"],
    flags: &[],
    run: |args, _output| {
        Ok(daemon::run(DaemonOptions {
            config: args.config(),
            ubus_socket: args.socket().to_owned(),
        }))
    },
};
