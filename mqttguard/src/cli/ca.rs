//! `mqttguard ca`: the certificate that devices are given to trust.

use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};

pub(super) static COMMAND: Command = Command {
    name: "ca",
    usage: "",
    about: "Print the CA certificate that devices are given to trust, in PEM; --json has the \
            fingerprints, and the broker's certificates.",
    words: 0,
    values: &[],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let reply = remote::call(args, "ca", Value::Null)?;
    if args.json() {
        output.json(&reply)?;
        return Ok(ExitCode::SUCCESS);
    }
    // Nothing beside it: this is written into a file.
    let pem = reply.pointer("/ca/pem").and_then(Value::as_str);
    let pem = pem.unwrap_or_default().trim_end();
    if pem.is_empty() {
        return Err(Failure::Refused("the daemon has no CA certificate".into()));
    }
    output.line(&text::safe_lines(pem))?;
    Ok(ExitCode::SUCCESS)
}
