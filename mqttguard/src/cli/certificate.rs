//! `mqttguard certificate`: makes a client certificate for a device and writes it to files.

use std::fs::{DirBuilder, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;
use crate::files;
use crate::json::json;
use crate::pki::RsaRequest;

pub(super) static COMMAND: Command = Command {
    name: "certificate",
    usage: "DEVICE --out DIR [--csr FILE | --key-type ecdsa|rsa] [--days N] [--profile NAME]",
    about: "Make a client certificate for a device, USER.crt in DIR, for the key of a request or \
            with a new key, USER.key.",
    words: 1,
    values: &["out", "csr", "key-type", "days", "profile"],
    flags: &[],
    run,
};

/// Whose key the certificate is for.
enum Key {
    /// The daemon makes one, ECDSA P-256.
    Daemon,
    /// The device has it; this is its request.
    Device(String),
    /// Made here: a small router takes up to a minute for it, which the daemon has not.
    Rsa(RsaRequest),
}

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
    directory(Path::new(&dir))?;
    let places = |username: &str| {
        ["crt", "key"].map(|extension| Path::new(&dir).join(format!("{username}.{extension}")))
    };
    // As far as is known how they will be called.
    let known = remote::call(args, "device", json!({ "device": args.word() }));
    let known = known.map(|device| text::field(&device, "username"));
    let brings_key = args.text("csr")?.is_some();
    for place in known.iter().flat_map(|username| places(username)) {
        let is_written = !brings_key || place.extension().is_some_and(|kind| kind == "crt");
        if is_written && place.exists() {
            let found = place.display();
            return Err(Failure::Refused(format!(
                "{found} is there already: move it away first"
            )));
        }
    }
    let key = key(args)?;
    match &key {
        Key::Daemon => {}
        Key::Device(request) => drop(arguments.insert("csr".into(), request.clone().into())),
        Key::Rsa(made) => drop(arguments.insert("csr".into(), made.request.clone().into())),
    }
    let mut reply = remote::call(args, "certificate", arguments.into())?;
    let username = text::field(&reply, "username");
    let [certificate_file, key_file] = places(&username);
    let mut taken = |field: &str| {
        let pem = reply.as_object_mut().and_then(|reply| reply.remove(field));
        pem.as_ref()
            .and_then(Value::as_str)
            .map(|pem| Zeroizing::new(pem.to_owned()))
    };
    let certificate = (certificate_file, taken("certificate").unwrap_or_default());
    let of_daemon = taken("key");
    let private = match key {
        Key::Rsa(made) => Some(made.key),
        Key::Daemon | Key::Device(_) => of_daemon,
    };
    let private = private.map(|pem| (key_file, pem));
    for (path, pem) in [Some(&certificate), private.as_ref()].into_iter().flatten() {
        write(path, pem).map_err(|error| {
            Failure::Refused(format!("cannot write {}: {error}", path.display()))
        })?;
    }
    if args.json() {
        output.json(&reply)?;
        return Ok(ExitCode::SUCCESS);
    }
    let files = [Some(&certificate.0), private.as_ref().map(|(path, _)| path)];
    output.write(&show(
        &reply,
        &files.into_iter().flatten().collect::<Vec<_>>(),
    ))?;
    Ok(ExitCode::SUCCESS)
}

/// Makes the directory for the files, for root alone, unless it is there.
fn directory(dir: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().mode(0o700).create(dir);
    match made {
        Ok(()) => Ok(()),
        Err(_) if dir.is_dir() => Ok(()),
        Err(error) => Err(Failure::Usage(format!(
            "--out: found '{}', expected a directory, or the name of a new one ({error})",
            dir.display()
        ))),
    }
}

fn key(args: &Args) -> Result<Key, Failure> {
    let request = args.text("csr")?;
    match (request, args.text("key-type")?.as_deref()) {
        (Some(_), Some(_)) => Err(Failure::Usage(
            "found --csr and --key-type, expected one of them: a request brings its key".into(),
        )),
        (Some(file), None) => {
            let (request, _) = files::read(Path::new(&file)).map_err(Failure::Refused)?;
            Ok(Key::Device(request))
        }
        (None, None | Some("ecdsa")) => Ok(Key::Daemon),
        (None, Some("rsa")) => {
            let made = RsaRequest::make();
            made.map(Key::Rsa)
                .map_err(|why| Failure::Refused(why.to_string()))
        }
        (None, Some(found)) => Err(Failure::Usage(format!(
            "--key-type: found '{found}', expected ecdsa or rsa"
        ))),
    }
}

fn show(reply: &Value, files: &[&PathBuf]) -> String {
    let [name, mac, serial] = ["name", "mac", "serial"].map(|key| text::field(reply, key));
    let until = calendar::utc(text::number(reply, "until_ms"));
    let written: String = files
        .iter()
        .map(|file| format!("  {}\n", file.display()))
        .collect();
    let what = match files.len() {
        1 => "it",
        _ => "both",
    };
    format!(
        "{name} ({mac}) has the certificate {serial}, good until {until}:\n\n{written}\n\
         Give the device {what}, and {} of this router. Listeners with option client_certificate\n\
         take it.\n{}",
        text::field(reply, "ca_file"),
        text::warning(reply)
    )
}

/// Readable by root alone, and never over a file that is there.
pub(super) fn write(path: &Path, content: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    file.write_all(content.as_bytes())?;
    file.sync_all()
}
