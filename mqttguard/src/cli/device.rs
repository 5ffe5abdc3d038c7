//! `mqttguard device`: all that is known of one device.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::{Output, Style};
use super::{Command, Failure, events, remote, text};
use crate::calendar;

pub(super) static COMMAND: Command = Command {
    name: "device",
    usage: "DEVICE",
    about: "Show one device: state, connections, counters, its last events.",
    words: 1,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let device = remote::call(args, "device", remote::about_device(args, COMMAND.values)?)?;
    match args.json() {
        true => output.json(&device)?,
        false => output.write(&show(&device, text::now_ms(), output.style))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What it probably runs, and the profile for that.
fn firmware(device: &Value) -> String {
    let [firmware, suggested, profile] =
        ["firmware", "suggested_profile", "profile"].map(|name| text::field(device, name));
    match suggested == "-" || suggested == profile {
        true => firmware,
        false => format!("{firmware}; its profile is '{suggested}'"),
    }
}

/// What it says of itself over DHCP.
fn dhcp(device: &Value) -> String {
    let [class, system, url] =
        ["vendor_class", "system", "mud_url"].map(|name| text::field(device, name));
    let class = match system.as_str() {
        "-" => class,
        system => format!("{class}: {system}"),
    };
    match (class.as_str(), url.as_str()) {
        (_, "-") => class,
        ("-", url) => format!("described at {url}"),
        (class, url) => format!("{class}; described at {url}"),
    }
}

/// The interface and the address that a device is to send from.
fn bound_to(bound: &Value) -> String {
    let [interface, missing, address] =
        ["interface", "missing", "address"].map(|name| text::field(bound, name));
    let interface = match (interface.as_str(), missing.as_str()) {
        ("-", _) => "any interface".to_owned(),
        (name, "-") => name.to_owned(),
        (name, missing) => format!("no interface, {name} will not do: {missing}"),
    };
    match address.as_str() {
        "-" => format!("{interface}, any address"),
        address => format!("{interface}, {address}"),
    }
}

/// A topic that it was refused, and what would grant it.
fn refusal(refused: &Value, now_ms: u64) -> String {
    let [access, topic] = ["access", "topic"].map(|name| text::field(refused, name));
    let count = text::number(refused, "count");
    let last = text::ago(refused, "last_ms", now_ms);
    let told = format!("{access} {topic}: {count} times, last {last}");
    match text::field(refused, "grant").as_str() {
        "-" => told,
        pattern => format!("{told}; granted by: list {access} '{pattern}'"),
    }
}

pub(super) fn show(device: &Value, now_ms: u64, style: Style) -> String {
    let field = |name| text::field(device, name);
    let mut state = field("state");
    if let Some(until) = device.get("until_ms").and_then(Value::as_u64) {
        let left = text::duration(until.saturating_sub(now_ms) / 1000);
        state.push_str(&format!(" for another {left}"));
    }
    if device.get("why").is_some_and(Value::is_string) {
        state.push_str(&format!(": {}", field("why")));
    }
    let none = Value::Null;
    let frames = device.get("frames").unwrap_or(&none);
    let logins = device.get("logins").unwrap_or(&none);
    let addresses = text::strings(device, "addresses").join(", ");
    let mut lines = vec![
        ("name", field("name")),
        ("MAC", field("mac")),
        ("host name", field("hostname")),
        (
            "addresses",
            if addresses.is_empty() {
                "-".into()
            } else {
                addresses
            },
        ),
        ("interface", field("interface")),
        ("made by", field("vendor")),
        ("runs, it seems", firmware(device)),
        ("says over DHCP", dhcp(device)),
        ("state", state),
        ("profile", field("profile")),
        ("user name", field("username")),
        ("first seen", text::ago(device, "first_seen_ms", now_ms)),
        ("last seen", text::ago(device, "last_seen_ms", now_ms)),
        (
            "frames",
            format!(
                "{} passed, {} dropped",
                text::number(frames, "passed"),
                text::number(frames, "dropped")
            ),
        ),
        ("dropped", text::enumerate(&text::counts(device, "dropped"))),
        ("failed logins", text::number(logins, "failed").to_string()),
    ];
    if let Some(pairing) = device.get("pairing") {
        let left = text::duration(text::number(pairing, "left_s"));
        lines.push(("pairing", format!("for another {left}")));
    }
    if let Some(credential) = device.get("credential") {
        if credential.get("weak") == Some(&Value::Bool(true)) {
            lines.push((
                "password",
                "weak; 'mqttguard rotate' makes a strong one".into(),
            ));
        }
        if let Some(until) = credential.get("old_until_ms").and_then(Value::as_u64) {
            let left = text::duration(until.saturating_sub(now_ms) / 1000);
            let old = format!("until the new one is used, at most another {left}");
            lines.push(("old password", old));
        }
        for one in text::items(credential, "certificates") {
            let until = calendar::utc(text::number(one, "until_ms"));
            let serial = text::field(one, "serial");
            lines.push(("certificate", format!("{serial}, until {until}")));
        }
    }
    let reported = text::counts(device, "reported");
    if !reported.is_empty() {
        lines.push(("let through", text::enumerate(&reported)));
    }
    if let Some(bound) = device.get("bound") {
        lines.push(("bound to", bound_to(bound)));
    }
    if let Some(grants) = device.get("grants") {
        for right in ["publish", "subscribe"] {
            for pattern in text::strings(grants, right) {
                lines.push(("granted", format!("{right} {pattern}")));
            }
        }
    }
    for grant in text::items(device, "mud_grants") {
        let [access, pattern] = ["access", "pattern"].map(|name| text::field(grant, name));
        lines.push(("granted", format!("{access} {pattern}, as its maker says")));
    }
    for refused in text::items(device, "refused") {
        lines.push(("refused", refusal(refused, now_ms)));
    }
    for refused in text::items(logins, "refused") {
        let (count, why) = (text::number(refused, "count"), text::field(refused, "why"));
        let last = text::ago(refused, "last_ms", now_ms);
        lines.push((
            "login refused",
            format!("{count} times, last {last}: {why}"),
        ));
    }
    for exception in text::items(device, "exceptions") {
        let (to, until) = (text::reach(exception), text::until(exception, now_ms));
        lines.push(("exception", format!("{to}: {until}")));
    }
    for connection in text::items(device, "connected") {
        let [client, address, protocol] =
            ["client_id", "address", "protocol"].map(|name| text::field(connection, name));
        let since = text::ago(connection, "since_ms", now_ms);
        lines.push((
            "connected",
            format!("{client} from {address}, MQTT {protocol}, {since}"),
        ));
    }
    if let Some(uplift) = device.get("uplift") {
        let number = |name| text::number(uplift, name);
        let mut line = format!(
            "by '{}': {} open, {} carried on, {} refused, {} out, {} in",
            text::field(uplift, "section"),
            number("open"),
            number("connections"),
            number("refused"),
            text::bytes(number("bytes_out")),
            text::bytes(number("bytes_in"))
        );
        if uplift.get("last_error").is_some_and(Value::is_string) {
            line.push_str(&format!("; last: {}", text::field(uplift, "last_error")));
        }
        lines.push(("uplift", line));
    }
    let mut shown: String = lines
        .into_iter()
        .map(|(name, value)| format!("{name:<15}{value}\n"))
        .collect();
    let events = text::items(device, "events");
    if !events.is_empty() {
        shown.push_str("\nLast events:\n");
        for event in events {
            shown.push_str(&format!("{}\n", events::show(event, style)));
        }
    }
    shown
}
