//! `mqttguard mud`: what a device's maker says that it needs, and the owner's word on it.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;
use crate::json::json;

pub(super) static COMMAND: Command = Command {
    name: "mud",
    usage: "DEVICE [--url URL] [--accept [--unverified] [--sha256 SUM]] [--forget]",
    about: "Fetch and show what a device's maker says that it needs (MUD, RFC 8520); accept what was \
            shown, or take that back.",
    words: 1,
    values: &["url", "sha256"],
    flags: &["accept", "unverified", "forget"],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    for (option, needed) in [("unverified", "accept"), ("sha256", "accept")] {
        let is_given = args.flag(option) || args.text(option)?.is_some();
        if is_given && !args.flag(needed) {
            return Err(Failure::Usage(format!("--{option} goes with --{needed}")));
        }
    }
    let mut arguments = remote::about_device(args, COMMAND.values)?;
    if let Some(arguments) = arguments.as_object_mut() {
        for flag in COMMAND.flags {
            if args.flag(flag) {
                arguments.insert((*flag).to_owned(), json!(true));
            }
        }
    }
    let reply = remote::call(args, "mud", arguments)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(reply: &Value) -> String {
    let field = |name| text::field(reply, name);
    let (name, url) = (field("name"), field("url"));
    // A device that was never seen has no name.
    let name = match name.as_str() {
        "-" => field("mac"),
        _ => name,
    };
    if text::truth(reply, "forgotten") {
        return format!("What {url} says of {name} is not in force any more.\n");
    }
    let mut shown = format!("{name}, as described at {url}:\n");
    let whom = match text::truth(reply, "by_hand") {
        true => "the address is your own word",
        false => "the address is the device's own word",
    };
    shown.push_str(&format!("  ({whom})\n"));
    for (label, member) in [
        ("is", "systeminfo"),
        ("made by", "mfg_name"),
        ("model", "model_name"),
        ("last update", "last_update"),
    ] {
        if field(member) != "-" {
            shown.push_str(&format!("  {label}: {}\n", field(member)));
        }
    }
    if !text::truth(reply, "is_supported") {
        shown.push_str("  Its maker does not look after it any more: it gets no updates.\n");
    }
    shown.push_str(&format!("  signature: {}\n", signature(reply)));
    shown.push_str("\nIt says that the device\n");
    for need in text::items(reply, "needs") {
        let mark = match text::truth(need, "taken") {
            true => '+',
            false => ' ',
        };
        let (says, why) = (text::field(need, "says"), text::field(need, "why"));
        shown.push_str(&format!("{mark} {says}\n      {why}\n"));
    }
    if text::items(reply, "needs").is_empty() {
        shown.push_str("  needs nothing.\n");
    }
    shown.push('\n');
    shown.push_str(&consequence(reply));
    shown
}

fn signature(reply: &Value) -> String {
    let none = Value::Null;
    let signature = reply.get("signature").unwrap_or(&none);
    let [state, signer, why] = ["state", "signer", "why"].map(|name| text::field(signature, name));
    match state.as_str() {
        "valid" => format!("valid, by {signer}"),
        "unknown" => format!("by '{signer}', as it says itself: {why}"),
        "absent" => format!("none: {why}"),
        _ => format!("NOT VALID: {why}"),
    }
}

/// What follows, and what can be done.
fn consequence(reply: &Value) -> String {
    let holes = text::items(reply, "exceptions").iter().map(|hole| {
        let (to, port) = (text::field(hole, "to"), text::field(hole, "port"));
        format!("{to} port {port}")
    });
    let holes: Vec<String> = holes.collect();
    let grants = text::items(reply, "grants").iter().map(|grant| {
        let topic = match text::field(grant, "filter").as_str() {
            "-" => text::field(grant, "pattern"),
            filter => filter.to_owned(),
        };
        match text::field(grant, "access").as_str() {
            "publish" => format!("publish to {topic}"),
            _ => format!("subscribe to {topic}"),
        }
    });
    let grants: Vec<String> = grants.collect();
    let mut effect = match holes.is_empty() {
        true if text::truth(reply, "tls_only") => {
            "nothing is let out: it speaks MQTT over TLS, and if it tries without, you are told"
                .to_owned()
        }
        true => "nothing is let out".to_owned(),
        false => format!("unencrypted MQTT is let out to {}", holes.join(", ")),
    };
    if !grants.is_empty() {
        effect.push_str("; beside what its profile grants it may ");
        effect.push_str(&grants.join(", "));
    }
    if text::truth(reply, "accepted") {
        let since = calendar::utc(text::number(reply, "accepted_ms"));
        return format!("Accepted since {since}: {effect}.\n");
    }
    let device = text::field(reply, "mac");
    let how = match text::field(reply, "acceptable").as_str() {
        "yes" => format!("To accept it: mqttguard mud {device} --accept"),
        "unverified" => format!(
            "Nobody vouches for it. If you know better: mqttguard mud {device} --accept --unverified"
        ),
        _ => "It cannot be accepted.".to_owned(),
    };
    let other = match text::field(reply, "accepted_sha256").as_str() {
        "-" => "",
        _ => "What you accepted before is another file, and stays in force.\n",
    };
    format!("{other}If you accept it, {effect}.\n{how}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_says_who_vouches_for_it_and_what_follows() {
        let mut reply = json!({
            "mac": "02:c1:1e:17:00:01",
            "name": "lamp",
            "url": "https://maker.example/lamp.json",
            "by_hand": false,
            "systeminfo": "The \u{1b}[2Jlamp",
            "is_supported": false,
            "signature": { "state": "valid", "signer": "O=Acme" },
            "acceptable": "yes",
            "accepted": false,
            "needs": [
                { "says": "sends to mqtt.maker.example: TCP port 1883", "taken": true, "why": "may leave" },
                { "says": "sends to anybody: UDP", "taken": false, "why": "not taken over" },
            ],
            "exceptions": [{ "to": "mqtt.maker.example", "port": 1883 }],
            "grants": [
                { "access": "publish", "pattern": "acme/%m/#", "filter": "acme/02C11E170001/#" },
                { "access": "subscribe", "pattern": "%d/%c" },
            ],
        });
        let shown = show(&reply);
        for line in [
            "  (the address is the device's own word)",
            "  is: The \\u{1b}[2Jlamp",
            "  Its maker does not look after it any more: it gets no updates.",
            "  signature: valid, by O=Acme",
            "+ sends to mqtt.maker.example: TCP port 1883",
            "  sends to anybody: UDP",
            "If you accept it, unencrypted MQTT is let out to mqtt.maker.example port 1883; beside what its \
             profile grants it may publish to acme/02C11E170001/#, subscribe to %d/%c.",
            "To accept it: mqttguard mud 02:c1:1e:17:00:01 --accept",
        ] {
            assert!(shown.lines().any(|found| found == line), "{line}\n{shown}");
        }
        reply["signature"] = json!({ "state": "invalid", "why": "it is of another file" });
        reply["acceptable"] = json!("no");
        let shown = show(&reply);
        assert!(shown.contains("signature: NOT VALID: it is of another file"));
        assert!(shown.ends_with("It cannot be accepted.\n"), "{shown}");
        reply["acceptable"] = json!("unverified");
        assert!(show(&reply).contains("--accept --unverified"));
        reply["accepted"] = json!(true);
        assert!(show(&reply).contains("Accepted since 1970-01-01"));
        let forgotten = json!({ "name": "lamp", "url": "https://x/", "forgotten": true });
        assert_eq!(
            show(&forgotten),
            "What https://x/ says of lamp is not in force any more.\n"
        );
    }
}
