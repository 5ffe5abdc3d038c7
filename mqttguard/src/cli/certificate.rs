//! `mqttguard certificate`: makes a client certificate for a device and writes it to files.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value};

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;

pub(super) static COMMAND: Command = Command {
    name: "certificate",
    usage: "DEVICE --out DIR [--days N] [--profile NAME]",
    about: "Make a client certificate and its key for a device: USER.crt and USER.key in DIR.",
    words: 1,
    values: &["out", "days", "profile"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = Map::new();
    arguments.insert("device".into(), args.word().into());
    if let Some(days) = args.number("days")? {
        let seconds = days.saturating_mul(Duration::from_secs(86_400).as_secs());
        arguments.insert("for".into(), seconds.into());
    }
    if let Some(profile) = args.text("profile")? {
        arguments.insert("profile".into(), profile.into());
    }
    let Some(dir) = args.text("out")? else {
        return Err(Failure::Usage(
            "--out: found nothing, expected a directory for the certificate and its key".into(),
        ));
    };
    // Before there is something that would be lost.
    if !Path::new(&dir).is_dir() {
        return Err(Failure::Usage(format!(
            "--out: found '{dir}', expected a directory"
        )));
    }
    let mut reply = remote::call(args, "certificate", arguments.into())?;
    let username = text::field(&reply, "username");
    let files = ["certificate", "key"].map(|field| {
        let extension = if field == "key" { "key" } else { "crt" };
        let path = Path::new(&dir).join(format!("{username}.{extension}"));
        (field, path)
    });
    for (field, path) in &files {
        let pem = reply.as_object_mut().and_then(|reply| reply.remove(*field));
        let pem = pem.as_ref().and_then(Value::as_str).unwrap_or_default();
        write(path, pem).map_err(|error| {
            Failure::Refused(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    if args.json() {
        output.json(&reply)?;
        return Ok(ExitCode::SUCCESS);
    }
    let [name, mac, serial] = ["name", "mac", "serial"].map(|key| text::field(&reply, key));
    let until = calendar::utc(text::number(&reply, "until_ms"));
    let [(_, certificate), (_, key)] = &files;
    output.write(&format!(
        "{name} ({mac}) has the certificate {serial}, good until {until}:\n\n  {}\n  {}\n\n\
         Give the device both, and {} of this router. Listeners with option client_certificate\n\
         take it.\n{}",
        certificate.display(),
        key.display(),
        text::field(&reply, "ca_file"),
        text::warning(&reply)
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Readable by root alone, and never over a file that is there.
fn write(path: &Path, pem: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(pem.as_bytes())?;
    file.sync_all()
}
