//! `mqttguard sighting`: what a device told the DHCP server of itself, from the environment in which
//! OpenWrt runs its hotplug scripts. Devices chose these values: read here, they go through no shell
//! and no argument list.

use std::process::ExitCode;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote};

pub(super) static COMMAND: Command = Command {
    name: "sighting",
    usage: "",
    about: "Tell the daemon what a device said over DHCP; /etc/hotplug.d/dhcp runs this.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

/// Arguments of the method, and the variables that they come from. dnsmasq sets these and ends a
/// value at its first `=`.
const VARIABLES: [(&str, &str); 3] = [
    ("mac", "MACADDR"),
    ("vendor_class", "DNSMASQ_VENDOR_CLASS"),
    ("mud_url", "DNSMASQ_MUD_URL"),
];

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    for (argument, variable) in VARIABLES {
        if let Some(value) = std::env::var_os(variable) {
            let value = value.to_string_lossy().into_owned();
            arguments.insert(argument.to_owned(), Value::String(value));
        }
    }
    if !arguments.contains_key("mac") {
        return Err(Failure::Usage(
            "MACADDR: expected in the environment; hotplug scripts have it there".to_owned(),
        ));
    }
    let reply = remote::call(args, "sighting", arguments.into())?;
    if args.json() {
        output.json(&reply)?;
    }
    Ok(ExitCode::SUCCESS)
}
