//! `mqttguard release`: ends a quarantine.

use std::process::ExitCode;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, block, remote};

pub(super) static COMMAND: Command = Command {
    name: "release",
    usage: "DEVICE",
    about: "End the quarantine of a device. A block stays.",
    words: 1,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let device = remote::call(args, "release", remote::about_device(args, COMMAND.values)?)?;
    block::write_state(args, &device, output)
}
