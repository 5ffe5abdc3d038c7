//! `mqttguard check`: the mistakes in a configuration, without a daemon.

use std::process::ExitCode;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure};
use crate::json::json;
use crate::{config, daemon, report};

pub(super) static COMMAND: Command = Command {
    name: "check",
    usage: "[--config FILE] [--reference] [--reference-luci] [--reference-ubus] [--reference-report]",
    about: "List every mistake in the configuration; --reference prints what it may contain, \
            --reference-luci the same for the settings page, --reference-ubus the methods of the \
            ubus object, --reference-report all that `report` can say.",
    words: 0,
    values: &["config"],
    flags: &[
        "reference",
        "reference-luci",
        "reference-ubus",
        "reference-report",
    ],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    if args.flag("reference") {
        output.write(&config::reference())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.flag("reference-luci") {
        output.write(&config::luci_options())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.flag("reference-ubus") {
        output.write(&daemon::reference())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.flag("reference-report") {
        output.json(&json!(report::texts()))?;
        return Ok(ExitCode::SUCCESS);
    }
    let file = args.config();
    let errors = config::load(&file)
        .map(|_| Vec::new())
        .unwrap_or_else(|error| error.lines());
    if args.json() {
        output.json(&json!({ "ok": errors.is_empty(), "errors": errors }))?;
    } else if errors.is_empty() {
        output.line(&format!("{}: no mistakes", file.display()))?;
    } else {
        super::reload::write_mistakes(&errors, output)?;
    }
    Ok(ExitCode::from(u8::from(!errors.is_empty())))
}
