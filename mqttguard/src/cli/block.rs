//! `mqttguard block`: cuts a device off.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "block",
    usage: "DEVICE [--why TEXT]",
    about: "Cut a device off until it is unblocked.",
    words: 1,
    values: &["why"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let device = remote::call(args, "block", remote::about_device(args, COMMAND.values)?)?;
    write_state(args, &device, output)
}

/// Who the device is and how it stands now.
pub(super) fn write_state(
    args: &Args,
    device: &Value,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    if args.json() {
        output.json(device)?;
    } else {
        let [name, mac, state] = ["name", "mac", "state"].map(|key| text::field(device, key));
        output.line(&format!("{name} ({mac}) is {state}."))?;
        output.write(&text::warning(device))?;
    }
    Ok(ExitCode::SUCCESS)
}
