//! `mqttguard report`: the house held against security baselines.

use std::process::ExitCode;

use serde_json::Value;

use crate::json::json;

use super::args::Args;
use super::output::{Colour, Output, Style};
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "report",
    usage: "[--open]",
    about: "Hold the house against ETSI EN 303 645, NIST IR 8425A and the OWASP IoT Top 10; \
            --open leaves out what holds and what the router cannot say.",
    words: 0,
    values: &[],
    flags: &["open"],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "report", json!({}))?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, args.flag("open"), output.style))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(report: &Value, only_open: bool, style: Style) -> String {
    let made = report.get("made_ms").and_then(Value::as_u64).unwrap_or(0);
    let mut shown = format!(
        "mqttguard {}, {}\n",
        text::field(report, "version"),
        crate::calendar::utc(made)
    );
    for note in text::items(report, "notes") {
        shown.push_str(&format!("{}\n", sentence(note)));
    }
    let items = text::items(report, "items");
    for standard in text::items(report, "standards") {
        let id = text::field(standard, "id");
        shown.push_str(&format!("\n{}\n", text::field(standard, "name")));
        let mut counts = [0_usize; VERDICTS.len()];
        for item in items {
            if text::field(item, "standard") != id {
                continue;
            }
            let verdict = text::field(item, "verdict");
            let known = VERDICTS.iter().zip(&mut counts);
            for (_, count) in known.filter(|((name, _), _)| *name == verdict) {
                *count = count.saturating_add(1);
            }
            if !only_open || is_open(&verdict) {
                shown.push_str(&one(item, &verdict, style));
            }
        }
        let counts = VERDICTS.iter().zip(counts);
        let counts: Vec<String> = counts
            .map(|((name, _), count)| format!("{count} {name}"))
            .collect();
        shown.push_str(&format!("  {}\n", counts.join(", ")));
    }
    shown
}

/// What an item can be, and the colour of that.
const VERDICTS: [(&str, Option<Colour>); 4] = [
    ("holds", Some(Colour::Green)),
    ("partly", Some(Colour::Yellow)),
    ("open", Some(Colour::Red)),
    ("outside", None),
];

fn is_open(verdict: &str) -> bool {
    matches!(verdict, "partly" | "open")
}

fn one(item: &Value, verdict: &str, style: Style) -> String {
    let known = VERDICTS.iter().find(|(name, _)| *name == verdict);
    let colour = known.and_then(|(_, colour)| *colour);
    let none = Value::Null;
    let title = sentence(item.get("title").unwrap_or(&none));
    let mut shown = format!(
        "  {} {}: {title}\n",
        style.paint(&format!("{verdict:<7}"), colour),
        text::field(item, "clause"),
    );
    for said in text::items(item, "says") {
        shown.push_str(&format!("            {}\n", sentence(said)));
    }
    for device in text::items(item, "devices") {
        let why = sentence(device.get("why").unwrap_or(&none));
        let name = text::field(device, "name");
        let mac = text::field(device, "mac");
        shown.push_str(&format!("          - {name} ({mac}) {why}\n"));
    }
    let more = text::number(item, "more");
    if more > 0 {
        shown.push_str(&format!("          - and {more} more\n"));
    }
    for act in text::items(item, "acts") {
        shown.push_str(&format!("         => {}\n", text::field(act, "text")));
    }
    shown
}

/// A text with its values in their places.
fn sentence(sentence: &Value) -> String {
    let mut values = text::strings(sentence, "values").into_iter();
    let words = text::field(sentence, "text");
    let mut parts = words.split("%s");
    let mut filled = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        filled.push_str(values.next().as_deref().unwrap_or("-"));
        filled.push_str(part);
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLAIN: Style = Style {
        colour: false,
        width: None,
    };

    fn report() -> Value {
        json!({
            "made_ms": 0, "version": "1", "notes": [{ "text": "A note." }],
            "standards": [{ "id": "s", "name": "A standard" }, { "id": "t", "name": "Another" }],
            "items": [
                { "standard": "s", "clause": "1", "title": { "text": "One" }, "verdict": "holds",
                  "says": [{ "text": "%s and %s.", "values": ["50 %s", "\u{1b}[31m"] }],
                  "devices": [], "acts": [] },
                { "standard": "s", "clause": "2", "title": { "text": "Two" }, "verdict": "partly",
                  "says": [], "more": 3, "acts": [{ "text": "Do it.", "page": "enrol" }],
                  "devices": [{ "mac": "02:00:00:00:00:01", "name": "plug",
                                "why": { "text": "to %s", "values": ["there"] } }] },
            ],
        })
    }

    #[test]
    fn every_item_is_under_its_standard() {
        let shown = show(&report(), false, PLAIN);
        assert_eq!(
            shown,
            "mqttguard 1, 1970-01-01 00:00:00Z\nA note.\n\nA standard\n\
             \x20 holds   1: One\n            50 %s and \\u{1b}[31m.\n\
             \x20 partly  2: Two\n          - plug (02:00:00:00:00:01) to there\n\
             \x20         - and 3 more\n         => Do it.\n\
             \x20 1 holds, 1 partly, 0 open, 0 outside\n\nAnother\n\
             \x20 0 holds, 0 partly, 0 open, 0 outside\n"
        );
    }

    #[test]
    fn what_holds_is_left_out_on_request() {
        let shown = show(&report(), true, PLAIN);
        assert!(!shown.contains("One") && shown.contains("Two"), "{shown}");
        assert!(shown.contains("1 holds, 1 partly"), "{shown}");
    }
}
