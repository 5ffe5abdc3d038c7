//! `mqttguard stats`: the counters.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::{Output, Style};
use super::table::Table;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "stats",
    usage: "",
    about: "Print the counters: frames and bytes by device and verdict, and the broker's.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "stats", Value::Null)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, output.style))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(reply: &Value, style: Style) -> String {
    let mut table = Table::new(["DEVICE", "VERDICT", "FRAMES", "BYTES"]);
    let devices = reply.get("devices").and_then(Value::as_object);
    for (mac, reasons) in devices.into_iter().flatten() {
        for (reason, counters) in reasons.as_object().into_iter().flatten() {
            table.row([
                text::safe(mac).into(),
                text::safe(reason).into(),
                text::number(counters, "frames").to_string().into(),
                text::bytes(text::number(counters, "bytes")).into(),
            ]);
        }
    }
    let mut shown = table.write(0, style);
    shown.push_str(&uplift(reply, style));
    let broker = reply.get("broker").and_then(Value::as_object);
    if broker.is_some() {
        shown.push_str("\nBroker:\n");
    }
    for (name, count) in broker
        .into_iter()
        .flatten()
        .filter(|(_, count)| count.is_number())
    {
        shown.push_str(&format!("{:<18}{count}\n", text::safe(name)));
    }
    let met = broker.and_then(|broker| broker.get("limits_met"));
    let met = met.and_then(Value::as_object).into_iter().flatten();
    let mut met = met
        .filter(|(_, count)| count.as_u64() != Some(0))
        .peekable();
    if met.peek().is_some() {
        shown.push_str("\nLimits met:\n");
    }
    for (name, count) in met {
        shown.push_str(&format!("{:<24}{count}\n", text::safe(name)));
    }
    shown
}

fn uplift(reply: &Value, style: Style) -> String {
    let devices = reply.get("uplift").and_then(Value::as_object);
    let devices = devices.filter(|devices| !devices.is_empty());
    let mut table = Table::new([
        "DEVICE",
        "SECTION",
        "OPEN",
        "CARRIED ON",
        "REFUSED",
        "OUT",
        "IN",
    ]);
    for (mac, device) in devices.into_iter().flatten() {
        let number = |name| text::number(device, name).to_string().into();
        let bytes = |name| text::bytes(text::number(device, name)).into();
        table.row([
            text::safe(mac).into(),
            text::field(device, "section").into(),
            number("open"),
            number("connections"),
            number("refused"),
            bytes("bytes_out"),
            bytes("bytes_in"),
        ]);
    }
    devices.map_or_else(String::new, |_| {
        format!("\nUplift:\n{}", table.write(0, style))
    })
}
