//! `mqttguard snippet`: what to set on a device, so that it comes to the broker.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "snippet",
    usage: "DEVICE [--firmware NAME]",
    about: "Show what to set on an enrolled device, for its firmware or another.",
    words: 1,
    values: &["firmware"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "snippet", remote::about_device(args, COMMAND.values)?)?;
    match args.json() {
        true => output.json(&reply)?,
        false => {
            let [name, firmware] = ["name", "firmware"].map(|field| text::field(&reply, field));
            output.write(&format!(
                "{name}: {}\nThe password was shown when it was enrolled and cannot be shown again.\n{}",
                match firmware.as_str() {
                    "-" => "its firmware is not known; --firmware NAME shows what another needs",
                    known => known,
                },
                show(&reply)
            ))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// The snippets of a reply, one after the other.
pub(super) fn show(reply: &Value) -> String {
    let mut shown = String::new();
    for snippet in text::items(reply, "snippets") {
        shown.push_str(&format!("\n== {}\n", text::field(snippet, "title")));
        let lines = snippet
            .get("text")
            .and_then(Value::as_str)
            .unwrap_or_default();
        if !lines.is_empty() {
            shown.push_str(&format!("\n{}\n", text::safe_lines(lines)));
        }
        for note in text::strings(snippet, "notes") {
            shown.push_str(&format!("\nNote: {note}\n"));
        }
    }
    shown
}
