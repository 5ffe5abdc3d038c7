//! `mqttguard learn`: notes what a device asks for in vain, and proposes a profile of it.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;
use crate::config;
use crate::json::json;
use crate::registry::Registry;

pub(super) static COMMAND: Command = Command {
    name: "learn",
    usage: "DEVICE [--for TIME]",
    about: "Note for a time (such as 1d) what a device is refused; without --for, propose a profile of it.",
    words: 1,
    values: &["for"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = json!({ "device": args.word() });
    if let Some(time) = args.text("for")? {
        let (shortest, longest) = Registry::LEARNING_TIMES;
        let time = config::time(&time, shortest, longest)
            .map_err(|error| Failure::Usage(format!("--for: {error}")))?;
        if let Some(arguments) = arguments.as_object_mut() {
            arguments.insert("for".to_owned(), time.as_secs().into());
        }
    }
    let reply = remote::call(args, "learn", arguments)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, text::now_ms()))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(reply: &Value, now_ms: u64) -> String {
    let field = |name| text::field(reply, name);
    let until = text::number(reply, "until_ms");
    let mut shown = match until > now_ms {
        true => format!(
            "{}: what it is refused is noted for another {}; its profile stays '{}'.\n",
            field("name"),
            text::duration((until - now_ms) / 1000),
            field("present")
        ),
        false => format!("{}: its time is over.\n", field("name")),
    };
    shown.push_str(&text::warning(reply));
    shown.push_str(&format!("Noted since {}", utc(reply, "since_ms")));
    let gap = reply.get("last_gap").filter(|gap| gap.is_object());
    shown.push_str(&match gap {
        None => ".\n".to_owned(),
        Some(gap) => format!(
            ". The daemon was not there {}; at last nothing was noted from {} to {}.\n",
            match text::number(reply, "gaps") {
                0 | 1 => "once".to_owned(),
                times => format!("{times} times"),
            },
            utc(gap, "from_ms"),
            utc(gap, "to_ms"),
        ),
    });
    if text::items(reply, "wishes").is_empty() {
        shown.push_str("It was refused nothing so far.\n");
        return shown;
    }
    let left_out = text::number(reply, "left_out");
    if left_out > 0 {
        shown.push_str(&format!("{left_out} refusals were not noted.\n"));
    }
    let diff = reply
        .get("diff")
        .and_then(Value::as_str)
        .unwrap_or_default();
    shown.push_str(&format!(
        "\nProposed, to be put into /etc/config/mqttguard by you alone ('#' marks what reaches beyond the \
         device). To grant this device alone a topic or two, put those lines into its 'device' section \
         instead:\n\n{}\n",
        // A tab is a control character to a terminal.
        text::safe_lines(&diff.replace('\t', "    "))
    ));
    shown
}

fn utc(object: &Value, name: &str) -> String {
    calendar::utc(text::number(object, name))
}
