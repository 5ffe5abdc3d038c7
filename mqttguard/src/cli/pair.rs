//! `mqttguard pair`: lets what a device presents become its credential.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::config;
use crate::registry::Registry;

pub(super) static COMMAND: Command = Command {
    name: "pair",
    usage: "DEVICE [--for TIME] [--profile NAME] | DEVICE --cancel",
    about: "For two minutes, let the user name and password that a device presents become its \
            credential.",
    words: 1,
    values: &["for", "profile"],
    flags: &["cancel"],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    arguments.insert("device".into(), args.word().into());
    let cancel = args.flag("cancel");
    if cancel {
        arguments.insert("cancel".into(), true.into());
    }
    if let Some(profile) = args.text("profile")? {
        arguments.insert("profile".into(), profile.into());
    }
    put_time(args, &mut arguments, "for", Registry::PAIRING_TIMES)?;
    let reply = remote::call(args, "pair", arguments.into())?;
    match (args.json(), cancel) {
        (true, _) => output.json(&reply)?,
        (false, true) => {
            let [name, mac] = ["name", "mac"].map(|key| text::field(&reply, key));
            output.line(&format!("The pairing window of {name} ({mac}) is closed."))?;
            output.write(&text::warning(&reply))?;
        }
        (false, false) => output.write(&show(&reply))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A time such as `2m`, if it is given, as the seconds that a method takes.
pub(super) fn put_time(
    args: &Args,
    arguments: &mut Map<String, Value>,
    name: &str,
    (shortest, longest): (std::time::Duration, std::time::Duration),
) -> Result<(), Failure> {
    if let Some(time) = args.text(name)? {
        let time = config::time(&time, shortest, longest)
            .map_err(|error| Failure::Usage(format!("--{name}: {error}")))?;
        arguments.insert(name.into(), time.as_secs().into());
    }
    Ok(())
}

fn show(reply: &Value) -> String {
    let field = |name| text::field(reply, name);
    let [name, mac, profile] = ["name", "mac", "profile"].map(field);
    let [server, address, port] = ["server", "address", "port"].map(field);
    let time = text::duration(text::number(reply, "for_s"));
    let shared = text::strings(reply, "shared_by");
    let shared = match shared.is_empty() {
        true => String::new(),
        false => format!(
            "\nSeveral addresses ({}) share this MAC address, as behind a repeater: whichever of \
             them\nlogs in first with an unknown user name is taken for this device.\n",
            shared.join(", ")
        ),
    };
    format!(
        "\
For {time}, {name} ({mac}) can be paired: the user name and password that it presents
become its credential, under the profile {profile}. Point it to:

  server      {server} ({address})
  port        {port}, with TLS
  CA file     {ca_file} on this router

'mqttguard device {mac}' shows what is left, 'mqttguard events' what it tried.
{shared}{warning}",
        ca_file = field("ca_file"),
        warning = text::warning(reply)
    )
}
