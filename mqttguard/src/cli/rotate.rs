//! `mqttguard rotate`: gives a device a new password while the old one still works.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, enrol, pair, remote, text};
use crate::calendar;
use crate::registry::Registry;

pub(super) static COMMAND: Command = Command {
    name: "rotate",
    usage: "DEVICE [--overlap TIME]",
    about: "Make a new password for a device and show it, once; the old one works until the new \
            one is used, or for 7d.",
    words: 1,
    values: &["overlap"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    arguments.insert("device".into(), args.word().into());
    pair::put_time(args, &mut arguments, "overlap", Registry::OVERLAPS)?;
    let reply = remote::call(args, "rotate", arguments.into())?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply))?,
    }
    Ok(ExitCode::SUCCESS)
}

fn show(reply: &Value) -> String {
    let until = calendar::utc(text::number(reply, "old_until_ms"));
    format!(
        "{}\nThe old password works until the new one was used once, at the latest until {until}. Of \
         several new ones only the last counts.\n",
        enrol::show(reply, "has a new password")
    )
}
