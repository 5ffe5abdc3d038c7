//! `mqttguard reload`: the daemon reads its configuration again.

use std::io;
use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "reload",
    usage: "",
    about: "Put a changed configuration into force; one with mistakes is refused as a whole.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "reload", Value::Null)?;
    let ok = text::truth(&reply, "ok");
    if args.json() {
        output.json(&reply)?;
    } else if ok {
        output.line("The configuration is in force.")?;
        write_mistakes(&text::strings(&reply, "at_next_start"), output)?;
    } else {
        let errors = text::strings(&reply, "errors");
        write_mistakes(&errors, output)?;
        output.line("The last good configuration stays in force.")?;
    }
    Ok(ExitCode::from(u8::from(!ok)))
}

/// One line a mistake.
pub(super) fn write_mistakes(errors: &[String], output: &mut Output) -> io::Result<()> {
    errors
        .iter()
        .try_for_each(|error| output.line(&text::safe(error)))
}
