//! `mqttguard quarantine`: cuts a device off from MQTT for a time.

use std::process::ExitCode;

use serde_json::Map;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, block, pair, remote};
use crate::registry::Registry;

pub(super) static COMMAND: Command = Command {
    name: "quarantine",
    usage: "DEVICE [--for TIME] [--why TEXT]",
    about: "Cut a device off from MQTT for a time; the rest of its traffic goes on.",
    words: 1,
    values: &["for", "why"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    arguments.insert("device".into(), args.word().into());
    if let Some(why) = args.text("why")? {
        arguments.insert("why".into(), why.into());
    }
    pair::put_time(args, &mut arguments, "for", Registry::CONFINEMENTS)?;
    let device = remote::call(args, "quarantine", arguments.into())?;
    block::write_state(args, &device, output)
}
