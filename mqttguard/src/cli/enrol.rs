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
        false => {
            output.write(&show(&reply, "is enrolled"))?;
            output.write(&besides(&reply))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// What whoever only reads that it is enrolled would not expect.
fn besides(reply: &Value) -> String {
    let mut out = String::new();
    if let Some(ended) = reply.get("ended").filter(|ended| ended.is_object()) {
        let username = text::field(ended, "username");
        let certificates = match text::number(ended, "certificates") {
            0 => String::new(),
            1 => " and its certificate".to_owned(),
            several => format!(" and its {several} certificates"),
        };
        out.push_str(&format!(
            "\nThe credential that it had, '{username}'{certificates}, has ended, and whoever was in by \
             it is cut off ('rotate' leaves the old password in force for a while).\n"
        ));
    }
    let cut_off = match text::field(reply, "state").as_str() {
        "quarantined" => "in quarantine: 'release' ends that",
        "blocked" => "blocked: 'unblock' ends that",
        _ => return out,
    };
    out.push_str(&format!("\nIt cannot log in yet, it is {cut_off}.\n"));
    out
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
