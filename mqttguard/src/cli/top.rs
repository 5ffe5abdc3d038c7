//! `mqttguard top`: which devices are busy, as it changes.

use std::process::ExitCode;
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::args::Args;
use super::output::{Output, Style};
use super::table::Table;
use super::{Command, Failure, devices, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "top",
    usage: "[--count N]",
    about: "Show the busiest devices every two seconds, until it is stopped or N times.",
    words: 0,
    values: &["count"],
    flags: &[],
    run,
};

const INTERVAL: Duration = Duration::from_secs(2);
/// Devices shown.
const ROWS: usize = 20;
/// To the upper left corner, and clear what is below.
const CLEAR: &str = "\x1b[H\x1b[J";

/// The counters at one moment.
struct Sample {
    at: Instant,
    devices: Value,
    stats: Value,
}

impl Sample {
    fn take(args: &Args) -> Result<Sample, Failure> {
        Ok(Sample {
            devices: remote::call(args, "devices", Value::Null)?,
            stats: remote::call(args, "stats", Value::Null)?,
            at: Instant::now(),
        })
    }

    fn device(&self, mac: &str) -> &Value {
        let all = text::items(&self.devices, "devices").iter();
        let mut wanted = all.filter(|device| text::field(device, "mac") == mac);
        wanted.next().unwrap_or(&Value::Null)
    }

    fn frames(&self, mac: &str, which: &str) -> u64 {
        let frames = self.device(mac).get("frames");
        frames.map_or(0, |frames| text::number(frames, which))
    }

    fn bytes(&self, mac: &str) -> u64 {
        let verdicts = self.stats.get("devices").and_then(|all| all.get(mac));
        let verdicts = verdicts.and_then(Value::as_object).into_iter().flatten();
        verdicts
            .map(|(_, counters)| text::number(counters, "bytes"))
            .fold(0, u64::saturating_add)
    }

    fn messages(&self, mac: &str) -> u64 {
        let messages = self.stats.get("messages");
        messages.map_or(0, |messages| text::number(messages, mac))
    }

    fn broker(&self, name: &str) -> u64 {
        let broker = self.stats.get("broker");
        broker.map_or(0, |broker| text::number(broker, name))
    }
}

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    if args.json() {
        let message = "top has no --json; 'stats --json' has the counters".to_owned();
        return Err(Failure::Usage(message));
    }
    let mut left = args.number("count")?;
    let mut before = Sample::take(args)?;
    while left != Some(0) {
        thread::sleep(INTERVAL);
        let after = Sample::take(args)?;
        let seconds = after.at.saturating_duration_since(before.at).as_secs_f64();
        let shown = show(&before, &after, seconds, output.style);
        let is_terminal = output.style.width.is_some();
        let clear = if is_terminal { CLEAR } else { "" };
        output.line(&format!("{clear}{shown}"))?;
        before = after;
        left = left.map(|left| left.saturating_sub(1));
    }
    Ok(ExitCode::SUCCESS)
}

fn show(before: &Sample, after: &Sample, seconds: f64, style: Style) -> String {
    // Counters begin anew when a device was gone.
    let rate = |before: u64, after: u64| {
        let count = after.saturating_sub(before);
        (count as f64 / seconds.max(0.001)).round() as u64
    };
    let broker = |name| rate(before.broker(name), after.broker(name));
    let mut rows: Vec<(u64, &Value)> = text::items(&after.devices, "devices")
        .iter()
        .map(|device| {
            let mac = text::field(device, "mac");
            let frames = ["passed", "dropped"].map(|which| {
                let (then, now) = (before.frames(&mac, which), after.frames(&mac, which));
                rate(then, now)
            });
            (frames.into_iter().fold(0, u64::saturating_add), device)
        })
        .collect();
    rows.sort_by_key(|(frames, _)| std::cmp::Reverse(*frames));
    let mut table = Table::new([
        "NAME",
        "STATE",
        "PACKETS/S",
        "BYTES/S",
        "DROPPED/S",
        "WHY",
        "MESSAGES/S",
        "MQTT",
    ]);
    for (frames, device) in rows.into_iter().take(ROWS) {
        let mac = text::field(device, "mac");
        let earlier = text::counts(before.device(&mac), "dropped");
        let earlier = |reason: &str| {
            let mut same = earlier.iter().filter(|(name, _)| name == reason);
            same.next().map_or(0, |(_, count)| *count)
        };
        let why: Vec<(String, u64)> = text::counts(device, "dropped")
            .into_iter()
            .map(|(reason, now)| (rate(earlier(&reason), now), reason))
            .filter(|(dropped, _)| *dropped > 0)
            .map(|(dropped, reason)| (reason, dropped))
            .collect();
        let dropped = rate(
            before.frames(&mac, "dropped"),
            after.frames(&mac, "dropped"),
        );
        table.row([
            text::field(device, "name").into(),
            devices::state(device),
            frames.to_string().into(),
            text::bytes(rate(before.bytes(&mac), after.bytes(&mac))).into(),
            dropped.to_string().into(),
            text::enumerate(&why).into(),
            rate(before.messages(&mac), after.messages(&mac))
                .to_string()
                .into(),
            text::items(device, "connected").len().to_string().into(),
        ]);
    }
    format!(
        "Broker: {} connections, {} messages/s in, {} out\n\n{}",
        after.broker("connections"),
        broker("messages_in"),
        broker("messages_out"),
        table.write(0, style)
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn sample(passed: u64, dropped: u64, messages: u64) -> Sample {
        let device = |mac: &str, name: &str, passed: u64, dropped: u64| {
            json!({
                "mac": mac, "name": name, "state": "enrolled", "connected": [{}],
                "frames": { "passed": passed, "dropped": dropped },
                "dropped": { "flood-packets": dropped, "blocked": 7 },
            })
        };
        Sample {
            at: Instant::now(),
            devices: json!({ "devices": [
                device("02:00:00:00:00:01", "lamp", 5, 0),
                device("02:00:00:00:00:02", "camera", passed, dropped),
            ] }),
            stats: json!({
                "devices": { "02:00:00:00:00:02": { "pass": { "frames": passed, "bytes": passed * 100 } } },
                "messages": { "02:00:00:00:00:02": messages },
                "broker": { "connections": 2, "messages_in": messages, "messages_out": 0 },
            }),
        }
    }

    #[test]
    fn the_busiest_comes_first_with_what_changed() {
        let style = Style {
            colour: false,
            width: None,
        };
        let shown = show(&sample(1_000, 0, 10), &sample(2_000, 600, 30), 2.0, style);
        assert_eq!(
            shown,
            "\
Broker: 2 connections, 10 messages/s in, 0 out

NAME    STATE     PACKETS/S  BYTES/S  DROPPED/S  WHY                MESSAGES/S  MQTT
camera  enrolled  800        50.0 kB  300        300 flood-packets  10          1
lamp    enrolled  0          0 B      0          -                  0           1
"
        );
        // Counters that begin anew are no negative rate.
        let shown = show(&sample(2_000, 600, 30), &sample(0, 0, 0), 2.0, style);
        assert!(shown.contains("camera  enrolled  0"), "{shown}");
    }
}
