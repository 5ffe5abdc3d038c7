//! `mqttguard profiles`: what each profile grants, and who is under it.

use std::process::ExitCode;

use serde_json::Value;

use crate::json::json;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "profiles",
    usage: "",
    about: "Show what each profile grants, and how many devices are under it.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "profiles", json!({}))?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(reply: &Value) -> String {
    let mut shown = String::new();
    for profile in text::items(reply, "profiles") {
        let is_default = profile.get("default") == Some(&Value::Bool(true));
        let devices = text::strings(profile, "devices").len();
        shown.push_str(&format!(
            "{}{}: {devices} enrolled, limits {}\n",
            text::field(profile, "name"),
            if is_default { " (default)" } else { "" },
            text::field(profile, "limits")
        ));
        for right in ["publish", "subscribe", "deny"] {
            for pattern in text::strings(profile, right) {
                shown.push_str(&format!("  {right:<10} {pattern}\n"));
            }
        }
    }
    shown
}
