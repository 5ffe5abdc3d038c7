//! `mqttguard revoke`: takes a device's credential away.

use std::process::ExitCode;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "revoke",
    usage: "DEVICE",
    about: "Take a device's credential and certificates away and cut its clients off.",
    words: 1,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "revoke", remote::about_device(args, COMMAND.values)?)?;
    if args.json() {
        output.json(&reply)?;
    } else {
        let [name, mac, user] = ["name", "mac", "username"].map(|key| text::field(&reply, key));
        output.line(&format!(
            "{name} ({mac}) has no credential any more; the user name {user} is free."
        ))?;
        if reply.get("mud_forgotten").is_some() {
            let url = text::field(&reply, "mud_forgotten");
            output.line(&format!("What {url} says of it is not in force any more."))?;
        }
        output.write(&text::warning(&reply))?;
    }
    Ok(ExitCode::SUCCESS)
}
