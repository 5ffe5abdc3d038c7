//! `mqttguard status`: whether the network is protected, and if not, why.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::{Colour, Output, Style};
use super::table::{Cell, Table};
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "status",
    usage: "",
    about: "Tell whether the network is protected, and how every part does.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "status", Value::Null)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, text::now_ms(), output.style))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(status: &Value, now_ms: u64, style: Style) -> String {
    let none = Value::Null;
    let part = |name| status.get(name).unwrap_or(&none);
    let (words, colour) = match text::field(status, "protection").as_str() {
        _ if text::truth(status, "protected") => ("protected", Colour::Green),
        "reduced" => ("REDUCED PROTECTION", Colour::Yellow),
        "closed" => ("NOT PROTECTED, CLOSED", Colour::Yellow),
        _ => ("NOT PROTECTED", Colour::Red),
    };
    let protected = style.paint(words, Some(colour));
    let mut shown = format!(
        "mqttguard {}, {}, mode {}, up {}\n",
        text::field(status, "version"),
        protected,
        text::field(status, "mode"),
        text::duration(text::number(status, "uptime_s")),
    );
    for why in text::strings(status, "why") {
        shown.push_str(&format!("  {why}\n"));
    }
    shown.push_str(&kernel(part("kernel"), style));
    shown.push_str(&nftables(part("nftables"), style));
    shown.push_str(&broker(part("broker"), style));
    shown.push_str(&uplift(part("uplift"), style));
    shown.push_str(&discovery(status, style));
    let devices = enumerate_all(
        part("devices"),
        &["new", "enrolled", "quarantined", "blocked", "gone"],
    );
    let dropped = text::enumerate(&text::counts(status, "dropped"));
    shown.push_str(&format!(
        "\nDevices: {devices}\nFrames dropped: {dropped}\n"
    ));
    let reported = text::counts(status, "reported");
    if !reported.is_empty() {
        let reported = text::enumerate(&reported);
        shown.push_str(&format!("Frames let through and told of: {reported}\n"));
    }
    shown.push_str(&exceptions(status, now_ms, style));
    let config = part("config");
    let (file, loaded) = (
        text::field(config, "file"),
        text::ago(config, "loaded_ms", now_ms),
    );
    shown.push_str(&format!("Configuration: {file}, loaded {loaded}\n"));
    for note in text::strings(config, "at_next_start") {
        shown.push_str(&format!("  {}\n", style.paint(&note, Some(Colour::Yellow))));
    }
    for error in text::strings(config, "errors") {
        shown.push_str(&format!("  {}\n", style.paint(&error, Some(Colour::Red))));
    }
    shown
}

fn kernel(kernel: &Value, style: Style) -> String {
    let loaded = match kernel.get("error").is_some_and(Value::is_string) {
        false => style.paint("loaded", Some(Colour::Green)),
        true => style.paint(&text::field(kernel, "error"), Some(Colour::Red)),
    };
    let mut shown = format!("\nKernel program: {loaded}\n");
    let attachments = text::items(kernel, "attachments");
    if !attachments.is_empty() {
        let mut table = Table::new(["INTERFACE", "HOOK", "FRAMES", "WHY"]);
        for attachment in attachments {
            let proof = text::field(attachment, "proof");
            let colour = match proof.as_str() {
                "seen" => Some(Colour::Green),
                "blind" => Some(Colour::Red),
                _ => Some(Colour::Yellow),
            };
            table.row([
                text::field(attachment, "interface").into(),
                text::field(attachment, "hook").into(),
                Cell::coloured(proof, colour),
                text::field(attachment, "why").into(),
            ]);
        }
        shown.push_str(&table.write(2, style));
    }
    shown
}

/// Nothing while it is not needed.
fn nftables(nftables: &Value, style: Style) -> String {
    let interfaces = text::items(nftables, "interfaces");
    if interfaces.is_empty() {
        return String::new();
    }
    let state = text::field(nftables, "state");
    let stands = state == "standing";
    let colour = match state.as_str() {
        "failing" => Colour::Red,
        _ => Colour::Yellow,
    };
    let state = style.paint(&state, Some(colour));
    let mut shown = format!("\nnftables in its place: {state}\n");
    if nftables.get("error").is_some_and(Value::is_string) {
        shown.push_str(&format!("  {}\n", text::field(nftables, "error")));
    }
    let mut table = Table::new(["INTERFACE", "WHAT IT DOES"]);
    for interface in interfaces {
        let what = match text::field(interface, "protection").as_str() {
            "reduced" => "drops the plaintext ports",
            "closed" => "forwards nothing",
            _ if !stands => "nothing",
            _ => "counts",
        };
        table.row([text::field(interface, "interface").into(), what.into()]);
    }
    shown.push_str(&table.write(2, style));
    shown
}

fn broker(broker: &Value, style: Style) -> String {
    if broker.get("error").is_some_and(Value::is_string) {
        let error = text::field(broker, "error");
        return format!("\nBroker: {}\n", style.paint(&error, Some(Colour::Red)));
    }
    let mut shown = format!(
        "\nBroker: {}\n",
        enumerate_all(
            broker,
            &["connections", "sessions", "subscriptions", "retained"]
        )
    );
    let mut table = Table::new(["LISTENER", "KIND", "ADDRESSES", "STATE", "DETAIL"]);
    for listener in text::items(broker, "listeners") {
        table.row([
            text::field(listener, "name").into(),
            text::field(listener, "kind").into(),
            text::strings(listener, "addresses").join(", ").into(),
            up(listener),
            text::field(listener, "detail").into(),
        ]);
    }
    shown.push_str(&table.write(2, style));
    if let Some(certificates) = broker.get("certificates") {
        let mut table = Table::new(["CERTIFICATE", "SHA-256 FINGERPRINT"]);
        for name in ["ca", "ecdsa", "rsa"] {
            table.row([name.into(), text::field(certificates, name).into()]);
        }
        shown.push_str(&table.write(2, style));
    }
    let [read, sent] =
        ["bytes_in", "bytes_out"].map(|name| text::bytes(text::number(broker, name)));
    shown.push_str(&format!(
        "  {} messages ({read}) in, {} ({sent}) out, {} dropped, {} refused\n",
        text::number(broker, "messages_in"),
        text::number(broker, "messages_out"),
        text::number(broker, "messages_dropped"),
        text::number(broker, "refused"),
    ));
    if let Some(journal) = broker.get("journal") {
        let outlives = match (
            text::truth(journal, "durable"),
            text::truth(journal, "disk"),
        ) {
            (false, _) => style.paint("nothing", Some(Colour::Red)),
            (true, false) => "a crash".to_owned(),
            (true, true) => "a crash and a power cut".to_owned(),
        };
        let bytes = text::bytes(text::number(journal, "bytes"));
        let directory = text::field(journal, "directory");
        shown.push_str(&format!(
            "  what was acknowledged outlives {outlives} ({bytes} in {directory})\n"
        ));
    }
    shown.push_str(&bridges(broker, style));
    shown
}

fn bridges(broker: &Value, style: Style) -> String {
    let all = text::items(broker, "bridges");
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new([
        "BRIDGE", "SERVER", "STATE", "IN", "OUT", "WAITING", "DROPPED", "DETAIL",
    ]);
    for bridge in all {
        let refused = text::strings(bridge, "refused");
        let detail = match (text::truth(bridge, "up"), refused.is_empty()) {
            (true, true) => format!("MQTT {}", text::field(bridge, "protocol")),
            (true, false) => format!("the server refuses {}", refused.join(", ")),
            (false, _) => text::field(bridge, "last_error"),
        };
        let number = |name| text::number(bridge, name).to_string().into();
        table.row([
            text::field(bridge, "name").into(),
            text::field(bridge, "server").into(),
            up(bridge),
            number("messages_in"),
            number("messages_out"),
            number("queued"),
            number("messages_dropped"),
            detail.into(),
        ]);
    }
    table.write(2, style)
}

fn uplift(uplift: &Value, style: Style) -> String {
    let sections = text::items(uplift, "sections");
    if sections.is_empty() {
        return String::new();
    }
    let ready = match text::truth(uplift, "ready") {
        true => style.paint("ready", Some(Colour::Green)),
        false => style.paint("not ready", Some(Colour::Red)),
    };
    let mut table = Table::new([
        "SECTION",
        "SERVER",
        "DEVICES",
        "OPEN",
        "CARRIED ON",
        "REFUSED",
        "OUT",
        "IN",
        "LAST REFUSAL",
    ]);
    for section in sections {
        let number = |name| text::number(section, name).to_string().into();
        let bytes = |name| text::bytes(text::number(section, name)).into();
        let (host, port) = (text::field(section, "host"), text::number(section, "port"));
        table.row([
            text::field(section, "name").into(),
            format!("{host}:{port}").into(),
            text::strings(section, "devices").len().to_string().into(),
            number("open"),
            number("connections"),
            number("refused"),
            bytes("bytes_out"),
            bytes("bytes_in"),
            text::field(section, "last_error").into(),
        ]);
    }
    format!("\nUplift: {ready}\n{}", table.write(2, style))
}

fn discovery(status: &Value, style: Style) -> String {
    let mut table = Table::new(["SOURCE", "STATE", "DETAIL"]);
    for source in text::items(status, "discovery") {
        table.row([
            text::field(source, "source").into(),
            up(source),
            text::field(source, "detail").into(),
        ]);
    }
    format!("\nDevices are seen by:\n{}", table.write(2, style))
}

fn exceptions(status: &Value, now_ms: u64, style: Style) -> String {
    let all = text::items(status, "exceptions");
    if all.is_empty() {
        return String::new();
    }
    let mut table = Table::new(["EXCEPTION", "DEVICE", "TO", "HOLDS"]);
    for exception in all {
        let section = match text::field(exception, "section").as_str() {
            "-" => "allowed".to_owned(),
            section => section.to_owned(),
        };
        let device = match (
            text::field(exception, "name"),
            text::field(exception, "mac"),
        ) {
            (name, mac) if name == "-" && mac == "-" => "all".to_owned(),
            (name, mac) if name == "-" => mac,
            (name, _) => name,
        };
        let holds = match text::truth(exception, "holds") {
            true => None,
            false => Some(Colour::Yellow),
        };
        table.row([
            section.into(),
            device.into(),
            text::reach(exception).into(),
            Cell::coloured(text::until(exception, now_ms), holds),
        ]);
    }
    format!(
        "Unencrypted MQTT that may leave:\n{}",
        table.write(2, style)
    )
}

fn up(part: &Value) -> Cell {
    match text::truth(part, "up") {
        true => Cell::coloured("up", Some(Colour::Green)),
        false => Cell::coloured("down", Some(Colour::Red)),
    }
}

fn enumerate_all(object: &Value, names: &[&str]) -> String {
    let words: Vec<String> = names
        .iter()
        .map(|name| format!("{} {name}", text::number(object, name)))
        .collect();
    words.join(", ")
}
