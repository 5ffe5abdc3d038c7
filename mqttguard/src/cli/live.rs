//! `mqttguard live`: topics and values, as they change.

use std::collections::HashMap;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::{Output, Style};
use super::{Command, Failure, remote, text};
use crate::calendar;

pub(super) static COMMAND: Command = Command {
    name: "live",
    usage: "[FILTER] [--device DEVICE] [--count N]",
    about: "Show topics and their values as they change, every second, until it is stopped or N times.",
    words: 0,
    values: &["device", "count"],
    flags: &[],
    run,
};

const INTERVAL: Duration = Duration::from_secs(1);
/// Topics asked for at a time.
const LIMIT: u64 = 1000;
/// Topics shown at a time: nobody reads more in a second.
const LINES: usize = 100;
/// Topics that are remembered.
const REMEMBERED: usize = 4096;
/// Columns that a topic is given on a terminal, if there is room.
const TOPIC: usize = 40;

/// What was shown of each topic.
#[derive(Default)]
struct Shown(HashMap<String, (u64, u64, Option<String>)>);

impl Shown {
    /// The topics of an answer that are not as they were.
    fn changes<'a>(&mut self, reply: &'a Value) -> Vec<&'a Value> {
        let topics = text::items(reply, "topics");
        if self.0.len().saturating_add(topics.len()) > REMEMBERED {
            self.0.clear();
        }
        let changed = topics.iter().filter(|one| {
            let own = |name| one.get(name).and_then(Value::as_str).map(str::to_owned);
            let now = (
                text::number(one, "count"),
                text::number(one, "bytes"),
                own("value"),
            );
            let before = self.0.insert(own("topic").unwrap_or_default(), now.clone());
            before != Some(now)
        });
        changed.collect()
    }
}

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    arguments.insert("limit".into(), LIMIT.into());
    if !args.word().is_empty() {
        arguments.insert("filter".into(), args.word().into());
    }
    if let Some(device) = args.text("device")? {
        arguments.insert("device".into(), device.into());
    }
    let mut left = args.number("count")?;
    let mut shown = Shown::default();
    while left != Some(0) {
        let reply = remote::call(args, "live", arguments.clone().into())?;
        let mut changes = shown.changes(&reply);
        // The latest last, as they come in.
        changes.sort_by_key(|one| text::number(one, "time_ms"));
        let more = changes.len().saturating_sub(LINES);
        for one in changes.iter().skip(more) {
            match args.json() {
                true => output.json_line(one)?,
                false => output.line(&line(one, output.style))?,
            }
        }
        if more > 0 && !args.json() {
            output.line(&format!("({more} more have changed)"))?;
        }
        left = left.map(|left| left.saturating_sub(1));
        if left != Some(0) {
            thread::sleep(INTERVAL);
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn line(one: &Value, style: Style) -> String {
    let time = match text::number(one, "time_ms") {
        0 => "retained".to_owned(),
        time => calendar::utc(time),
    };
    let bytes = text::number(one, "bytes");
    let value = match one.get("value").and_then(Value::as_str) {
        Some(value) if u64::try_from(value.len()).is_ok_and(|len| len < bytes) => {
            format!("{}… ({})", text::safe(value), text::bytes(bytes))
        }
        Some(value) => text::safe(value),
        None => format!("({} that are no text)", text::bytes(bytes)),
    };
    let from = match text::field(one, "name").as_str() {
        "-" => text::field(one, "publisher"),
        name => name.to_owned(),
    };
    let topic = text::field(one, "topic");
    let line = format!("{time:<20}  {from:<16}  {topic:<TOPIC$}  {value}");
    match style.width {
        None => line,
        // A line that wraps is two to the eye.
        Some(width) => line.chars().take(width).collect(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn one(topic: &str, value: &str, count: u64) -> Value {
        json!({
            "topic": topic, "value": value, "bytes": value.len(), "count": count,
            "time_ms": 1_700_000_000_000u64, "name": "lamp",
        })
    }

    #[test]
    fn only_what_changed_is_shown_and_little_is_remembered() {
        let mut shown = Shown::default();
        let first = json!({ "topics": [one("a", "1", 1), one("b", "1", 1)] });
        assert_eq!(shown.changes(&first).len(), 2);
        assert_eq!(shown.changes(&first).len(), 0);
        let next = json!({ "topics": [one("a", "1", 2), one("b", "1", 1)] });
        assert_eq!(shown.changes(&next), [&one("a", "1", 2)]);
        for part in 0..20 {
            let topics = (0..1000).map(|number| one(&format!("{part}/{number}"), "", 1));
            let flood = json!({ "topics": topics.collect::<Vec<_>>() });
            assert_eq!(shown.changes(&flood).len(), 1000);
            assert!(shown.0.len() <= REMEMBERED);
        }
    }

    #[test]
    fn whatever_a_device_says_is_harmless_on_a_terminal() {
        let style = |width| Style {
            colour: false,
            width,
        };
        let evil = one("a\u{202e}b", "\x1b]0;x\x07\r\nfake line", 1);
        let shown = line(&evil, style(None));
        assert!(!shown.chars().any(char::is_control), "{shown:?}");
        assert!(shown.contains("a\\u{202e}b"), "{shown}");
        assert_eq!(line(&evil, style(Some(50))).chars().count(), 50);
        let long = json!({ "topic": "a", "value": "x", "bytes": 5000, "publisher": "hub" });
        let shown = line(&long, style(None));
        assert!(shown.starts_with("retained              hub"), "{shown}");
        assert!(shown.ends_with("x… (5.0 kB)"), "{shown}");
        let binary = json!({ "topic": "a", "bytes": 3 });
        assert!(line(&binary, style(None)).ends_with("(3 B that are no text)"));
    }
}
