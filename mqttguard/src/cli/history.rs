//! `mqttguard history`: the last hour by the minute.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::{Colour, Output, Style};
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "history",
    usage: "[DEVICE]",
    about: "Show the last hour by the minute, of the house or of a device.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

/// Series, in the order in which they are shown, and what they count.
const SERIES: [(&str, &str, Option<Colour>); 10] = [
    ("plaintext", "dropped: plaintext", Some(Colour::Red)),
    ("floods", "dropped: floods", Some(Colour::Red)),
    ("other", "dropped: other", Some(Colour::Red)),
    ("refused", "refused", Some(Colour::Yellow)),
    ("frames", "frames", None),
    ("dropped", "dropped", Some(Colour::Red)),
    ("bytes", "bytes", None),
    ("messages", "messages in", None),
    ("delivered", "messages out", None),
    ("sessions", "clients", None),
];
/// From nothing to the most.
const BARS: [char; 9] = ['·', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// Columns of what stands before the bars.
const LABEL: usize = 20;
/// Columns of what stands behind them.
const FIGURES: usize = 32;

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    if !args.word().is_empty() {
        arguments.insert("device".into(), args.word().into());
    }
    let reply = remote::call(args, "history", arguments.into())?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, output.style))?,
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn show(reply: &Value, style: Style) -> String {
    let mut shown = match text::field(reply, "name").as_str() {
        "-" => String::new(),
        name => format!("{name} ({})\n", text::field(reply, "mac")),
    };
    let all = reply.get("series").unwrap_or(&Value::Null);
    // A narrow terminal has the latest of it.
    let room = style.width.unwrap_or(usize::MAX);
    let room = room.saturating_sub(LABEL.saturating_add(FIGURES)).max(10);
    for (name, label, colour) in SERIES {
        let samples: Vec<u64> = text::items(all, name)
            .iter()
            .filter_map(Value::as_u64)
            .collect();
        let Some(now) = samples.last() else {
            continue;
        };
        let most = samples.iter().max().copied().unwrap_or(0);
        let sum = samples.iter().copied().fold(0, u64::saturating_add);
        let number = |count: u64| match name {
            "bytes" => text::bytes(count),
            _ => count.to_string(),
        };
        let figures = match name {
            "sessions" => format!("{} now, {} at most", number(*now), number(most)),
            _ => format!(
                "{} now, {} at most, {} in all",
                number(*now),
                number(most),
                number(sum)
            ),
        };
        let from = samples.len().saturating_sub(room);
        let latest = samples.get(from..).unwrap_or_default();
        let bars: String = latest.iter().map(|sample| bar(*sample, most)).collect();
        let bars = style.paint(&bars, colour.filter(|_| most > 0));
        shown.push_str(&format!("{label:<LABEL$}{bars}  {figures}\n"));
    }
    shown.push_str("A mark is a minute, the last one is running.\n");
    shown
}

/// A sample among others of which one is `most`: what is not nothing does not look like it.
fn bar(sample: u64, most: u64) -> char {
    let highest = BARS.len().saturating_sub(1) as u128;
    let height = (u128::from(sample) * highest).div_ceil(u128::from(most.max(1)));
    let height = usize::try_from(height).unwrap_or(usize::MAX);
    BARS.get(height).copied().unwrap_or('█')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn style(width: Option<usize>) -> Style {
        Style {
            colour: false,
            width,
        }
    }

    #[test]
    fn small_is_not_nothing_and_the_most_is_full() {
        let bars: String = [0, 1, 500, 999, 1000]
            .map(|n| bar(n, 1000))
            .iter()
            .collect();
        assert_eq!(bars, "·▁▄██");
        assert_eq!(bar(0, 0), '·');
        assert_eq!(bar(u64::MAX, u64::MAX), '█');
        assert_eq!(bar(7, 3), '█');
    }

    #[test]
    fn a_device_and_the_house() {
        let mut frames = vec![0; 60];
        (frames[57], frames[58], frames[59]) = (1, 8, 4);
        let reply = json!({
            "mac": "02:00:00:00:00:01", "name": "lamp\u{1b}[2J",
            "series": { "frames": frames, "bytes": vec![0; 60], "strange": [1] },
        });
        let shown = show(&reply, style(Some(70)));
        assert_eq!(
            shown,
            format!(
                "lamp\\u{{1b}}[2J (02:00:00:00:00:01)\n\
                 frames              {}▁█▄  4 now, 8 at most, 13 in all\n\
                 bytes               {}  0 B now, 0 B at most, 0 B in all\n\
                 A mark is a minute, the last one is running.\n",
                "·".repeat(15),
                "·".repeat(18)
            )
        );
        let reply = json!({ "series": { "sessions": [1, 3, 2] } });
        let shown = show(&reply, style(None));
        assert!(
            shown.starts_with("clients             ▃█▆  2 now, 3 at most\n"),
            "{shown}"
        );
    }
}
