//! `mqttguard unblock`: lets a blocked or quarantined device back in.

use std::process::ExitCode;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, block, remote};

pub(super) static COMMAND: Command = Command {
    name: "unblock",
    usage: "DEVICE",
    about: "Let a blocked or quarantined device back in.",
    words: 1,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let device = remote::call(args, "unblock", remote::about_device(args, COMMAND.values)?)?;
    block::write_state(args, &device, output)
}
