//! `mqttguard renew`: the broker's certificates are made anew.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;

pub(super) static COMMAND: Command = Command {
    name: "renew",
    usage: "",
    about: "Make the broker's certificates anew, with the keys that they have; once a minute at \
            most.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "renew", Value::Null)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(reply: &Value) -> String {
    let names = text::strings(reply, "names").join(", ");
    let mut shown = format!("The broker has new certificates, made out for {names}:\n\n");
    for leaf in text::items(reply, "leaves") {
        let [key, sha256, sha1] = ["key", "sha256", "sha1"].map(|name| text::field(leaf, name));
        let until = match leaf.get("until_ms").and_then(Value::as_u64) {
            Some(until_ms) => calendar::utc(until_ms),
            None => "-".to_owned(),
        };
        shown.push_str(&format!(
            "  {key}, good until {until}\n    SHA-256 {sha256}\n    SHA-1   {sha1}\n"
        ));
    }
    shown.push_str(
        "\nThe CA and the keys are the same: a device that was told a fingerprint of the certificate \
         itself has to be told the new one.\n",
    );
    shown
}
