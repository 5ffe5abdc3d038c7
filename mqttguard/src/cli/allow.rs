//! `mqttguard allow`: lets a device's plaintext MQTT leave for a time.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;
use crate::config;
use crate::registry::Registry;

pub(super) static COMMAND: Command = Command {
    name: "allow",
    usage: "DEVICE [--to ADDRESS] [--port N] --for TIME",
    about: "Let a device send unencrypted MQTT for a time such as 1h: to one address or prefix, or \
            to any.",
    words: 1,
    values: &["to", "port", "for"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = about(args)?;
    let (shortest, longest) = Registry::ALLOWANCE_TIMES;
    let time = args.text("for")?.unwrap_or_default();
    let time = config::time(&time, shortest, longest)
        .map_err(|error| Failure::Usage(format!("--for: {error}")))?;
    arguments.insert("for".into(), time.as_secs().into());
    let reply = remote::call(args, "allow", arguments.into())?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// The device, and what of its exceptions is meant.
pub(super) fn about(args: &Args) -> Result<Map<String, Value>, Failure> {
    let mut arguments = Map::new();
    arguments.insert("device".into(), args.word().into());
    if let Some(to) = args.text("to")? {
        arguments.insert("destination".into(), to.into());
    }
    if let Some(port) = args.number("port")? {
        arguments.insert("port".into(), port.into());
    }
    Ok(arguments)
}

fn show(reply: &Value) -> String {
    let [name, mac] = ["name", "mac"].map(|key| text::field(reply, key));
    let until = calendar::utc(text::number(reply, "until_ms"));
    let reach = text::reach(reply);
    format!(
        "{name} ({mac}) may send unencrypted MQTT to {reach} until {until}.\n{}",
        text::warning(reply)
    )
}
