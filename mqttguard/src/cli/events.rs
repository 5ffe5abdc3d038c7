//! `mqttguard events`: what happened, and what happens.

use std::ops::ControlFlow;
use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::{Colour, Output, Style};
use super::{Command, Failure, remote, text};
use crate::calendar;
use crate::json::json;
use crate::ubus;

pub(super) static COMMAND: Command = Command {
    name: "events",
    usage: "[--limit N] [--follow]",
    about: "Print what happened, one line an event; --follow goes on until it is stopped.",
    words: 0,
    values: &["limit"],
    flags: &["follow"],
    run,
};

/// Events shown when nobody says how many.
const LIMIT: u64 = 50;

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let limit = args.number("limit")?.unwrap_or(LIMIT);
    let reply = remote::call(args, "events", json!({ "limit": limit }))?;
    if !args.flag("follow") {
        if args.json() {
            output.json(&reply)?;
        } else {
            for event in text::items(&reply, "events") {
                output.line(&show(event, output.style))?;
            }
        }
        return Ok(ExitCode::SUCCESS);
    }
    let mut follower = Follower {
        args,
        output,
        last: 0,
    };
    follower.print(text::items(&reply, "events"))?;
    follower.follow()
}

/// Prints every event once, in order.
struct Follower<'a> {
    args: &'a Args,
    output: &'a mut Output,
    /// The number of the last event printed.
    last: u64,
}

impl Follower<'_> {
    fn print(&mut self, events: &[Value]) -> Result<(), Failure> {
        for event in events {
            let seq = text::number(event, "seq");
            if seq <= self.last {
                continue;
            }
            self.last = seq;
            match self.args.json() {
                true => self.output.json_line(event)?,
                false => self.output.line(&show(event, self.output.style))?,
            }
        }
        Ok(())
    }

    fn follow(&mut self) -> Result<ExitCode, Failure> {
        let mut failure = None;
        let socket = self.args.socket();
        let ended = ubus::subscribe(socket, ubus::OBJECT, |_, event| match self.take(&event) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failure = Some(error);
                ControlFlow::Break(())
            }
        });
        match (failure, ended) {
            (Some(failure), _) => Err(failure),
            (None, Err(error)) => Err(remote::explain(error)),
            (None, Ok(())) => Ok(ExitCode::SUCCESS),
        }
    }

    /// A notification. Those lost before it (the queue of the bus is bounded) are asked for.
    fn take(&mut self, event: &Value) -> Result<(), Failure> {
        if text::number(event, "seq") > self.last.saturating_add(1) {
            let missed = remote::call(self.args, "events", json!({ "since": self.last }))?;
            self.print(text::items(&missed, "events"))?;
        }
        self.print(std::slice::from_ref(event))
    }
}

/// One event on one line.
pub(super) fn show(event: &Value, style: Style) -> String {
    let severity = text::field(event, "severity");
    let colour = match severity.as_str() {
        "warning" => Some(Colour::Red),
        "notice" => Some(Colour::Yellow),
        _ => None,
    };
    let device = match (text::field(event, "name"), text::field(event, "mac")) {
        (name, mac) if name == "-" => mac,
        (name, mac) if mac == "-" => name,
        (name, mac) => format!("{name} ({mac})"),
    };
    let severity = style.paint(&format!("{severity:<7}"), colour);
    let [event_name, message] = ["event", "message"].map(|name| text::field(event, name));
    let time = calendar::utc(text::number(event, "time_ms"));
    format!("{time}  {severity}  {event_name:<15}  {device}  {message}")
}
