//! `mqttguard migrate`: what of a mosquitto's configuration there is here. Needs no daemon.

use std::path::Path;
use std::process::ExitCode;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, text};
use crate::json::json;
use crate::mosquitto::conf::{self, Conf};
use crate::mosquitto::uci;
use crate::mosquitto::{Proposal, proposal};

pub(super) static COMMAND: Command = Command {
    name: "migrate",
    usage: "[--uci FILE | --conf FILE]",
    about: "Propose a configuration that corresponds to that of a mosquitto, and name what does not; \
            nothing is changed.",
    words: 0,
    values: &["uci", "conf"],
    flags: &[],
    run,
};

/// Where OpenWrt's package keeps them.
const UCI: &str = "/etc/config/mosquitto";
const CONF: &str = "/etc/mosquitto/mosquitto.conf";

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let (file, conf) = match (args.text("uci")?, args.text("conf")?) {
        (Some(_), Some(_)) => {
            return Err(Failure::Usage(
                "found --uci and --conf, expected one of them: mosquitto goes by one".into(),
            ));
        }
        (Some(file), None) => {
            let uci = uci::load(Path::new(&file)).map_err(Failure::Refused)?;
            (file, uci.conf)
        }
        (None, Some(file)) => with_conf(file)?,
        (None, None) => by_router()?,
    };
    let proposal = proposal::propose(&conf);
    if args.json() {
        output.json(&json!({
            "file": file,
            "uci": proposal.uci,
            "commands": proposal.commands,
            "notes": proposal.notes,
        }))?;
    } else {
        output.write(&show(&file, &proposal))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The one that the router's mosquitto goes by.
fn by_router() -> Result<(String, Conf), Failure> {
    if !Path::new(UCI).exists() {
        return with_conf(CONF.to_owned());
    }
    let uci = uci::load(Path::new(UCI)).map_err(Failure::Refused)?;
    match uci.is_used {
        true => Ok((UCI.to_owned(), uci.conf)),
        false => with_conf(CONF.to_owned()),
    }
}

fn with_conf(file: String) -> Result<(String, Conf), Failure> {
    let conf = conf::load(Path::new(&file)).map_err(Failure::Refused)?;
    Ok((file, conf))
}

/// One text that is a valid configuration: all but the sections stands in comments.
fn show(file: &str, proposal: &Proposal) -> String {
    let mut shown = format!(
        "# Proposed by 'mqttguard migrate' for {}. Nothing was changed.\n\n",
        text::safe(file)
    );
    match proposal.uci.is_empty() {
        true => shown.push_str("# mqttguard's own defaults do: there is nothing to configure.\n"),
        false => shown.push_str(&proposal.uci),
    }
    if !proposal.notes.is_empty() {
        shown.push_str("\n# What is different here, or has no equivalent:\n#\n");
        for note in &proposal.notes {
            shown.push_str(&format!("# - {}\n", text::safe(note)));
        }
    }
    shown.push_str(
        "\n# What to do, once the sections above are in /etc/config/mqttguard as you want them:\n#\n",
    );
    let stop = "/etc/init.d/mosquitto stop && /etc/init.d/mosquitto disable".to_owned();
    let (imports, secrets): (Vec<&String>, Vec<&String>) = proposal
        .commands
        .iter()
        .partition(|command| command.starts_with("mqttguard "));
    let steps = [
        "mqttguard check".to_owned(),
        stop,
        "mqttguard reload".to_owned(),
    ];
    for command in secrets.into_iter().chain(&steps).chain(imports) {
        shown.push_str(&format!("#   {}\n", text::safe(command)));
    }
    shown
}
