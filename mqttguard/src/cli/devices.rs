//! `mqttguard devices`: every device, one a line.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::{Colour, Output, Style};
use super::table::{Cell, Table};
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "devices",
    usage: "",
    about: "List the devices: state, address, profile, what was dropped.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "devices", Value::Null)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, text::now_ms(), output.style))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(reply: &Value, now_ms: u64, style: Style) -> String {
    let devices = text::items(reply, "devices");
    if devices.is_empty() {
        return "No device has been seen yet.\n".into();
    }
    let mut table = Table::new([
        "NAME", "STATE", "MAC", "KIND", "ADDRESS", "PROFILE", "MQTT", "DROPPED", "SEEN",
    ]);
    for device in devices {
        let mqtt = match text::items(device, "connected").len() {
            0 => "-".to_owned(),
            connections => format!("{connections} connected"),
        };
        let addresses = text::strings(device, "addresses");
        // The one that people know it by.
        let short = addresses.iter().find(|one| !one.contains(':'));
        table.row([
            text::field(device, "name").into(),
            state(device),
            text::field(device, "mac").into(),
            kind(device).into(),
            short
                .or(addresses.first())
                .map_or("-", String::as_str)
                .into(),
            text::field(device, "profile").into(),
            mqtt.into(),
            text::enumerate(&text::counts(device, "dropped")).into(),
            text::ago(device, "last_seen_ms", now_ms).into(),
        ]);
    }
    table.write(0, style)
}

/// What it probably runs, else who made it, cut to what a table has room for.
fn kind(device: &Value) -> String {
    const WIDTH: usize = 16;
    if device.get("firmware").is_some_and(Value::is_string) {
        return text::field(device, "firmware");
    }
    let maker = text::field(device, "vendor");
    match maker.char_indices().nth(WIDTH) {
        Some((end, _)) => format!("{}…", maker.get(..end).unwrap_or_default().trim_end()),
        None => maker,
    }
}

/// The state in its colour.
pub(super) fn state(device: &Value) -> Cell {
    let state = text::field(device, "state");
    let colour = match state.as_str() {
        "enrolled" => Some(Colour::Green),
        "quarantined" => Some(Colour::Yellow),
        "blocked" => Some(Colour::Red),
        _ => None,
    };
    Cell::coloured(state, colour)
}
