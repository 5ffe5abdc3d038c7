//! `mqttguard enrol`: makes a credential for a device and shows it, once.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, snippet, text};

pub(super) static COMMAND: Command = Command {
    name: "enrol",
    usage: "DEVICE [--profile NAME] [--username NAME]",
    about: "Make a credential for a device and show it, once.",
    words: 1,
    values: &["profile", "username"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "enrol", remote::about_device(args, COMMAND.values)?)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply, "is enrolled"))?,
    }
    Ok(ExitCode::SUCCESS)
}

/// A new password and what to do with it; `what` has become of the device.
pub(super) fn show(reply: &Value, what: &str) -> String {
    let field = |name| text::field(reply, name);
    let [name, mac, username, password] = ["name", "mac", "username", "password"].map(field);
    let [profile, server, address, port] = ["profile", "server", "address", "port"].map(field);
    let ca_file = field("ca_file");
    let host = match address.contains(':') {
        true => format!("[{address}]"),
        false => address.clone(),
    };
    let ca_name = ca_file.rsplit('/').next().unwrap_or("ca.crt");
    // An argument is seen by every user of a computer and kept by its shell: mosquitto_pub
    // reads its password from a file instead.
    format!(
        "\
{name} ({mac}) {what}. The password is shown this once; 'rotate' makes a new one.

  server      {server} ({address})
  port        {port}, with TLS
  CA file     {ca_file} on this router
  user name   {username}
  password    {password}
  profile     {profile}

To try it with mosquitto_pub, make a file ~/.config/mosquitto_pub that only you can read
(chmod 600) with these two lines:

  -u {username}
  -P {password}

Then:

  scp -O root@{host}:{ca_file} .
  mosquitto_pub -h {server} -p {port} --cafile {ca_name} -t {name}/test -m hello
{}{}",
        snippet::show(reply),
        text::warning(reply)
    )
}
