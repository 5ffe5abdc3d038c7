//! `mqttguard disallow`: takes back what `allow` gave.

use std::process::ExitCode;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, allow, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "disallow",
    usage: "DEVICE [--to ADDRESS] [--port N]",
    about: "Take back what 'allow' gave a device: all of it, or what is for this address or port.",
    words: 1,
    values: &["to", "port"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "disallow", allow::about(args)?.into())?;
    if args.json() {
        output.json(&reply)?;
    } else {
        let [name, mac] = ["name", "mac"].map(|key| text::field(&reply, key));
        output.line(&format!(
            "{name} ({mac}) lost {} of its exceptions.",
            text::number(&reply, "withdrawn")
        ))?;
        output.write(&text::warning(&reply))?;
    }
    Ok(ExitCode::SUCCESS)
}
