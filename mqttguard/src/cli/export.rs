//! `mqttguard export`: writes the credentials for a mosquitto to take.

use std::path::PathBuf;
use std::process::ExitCode;

use serde_json::Value;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, certificate, remote, text};
use crate::json::json;
use crate::mosquitto::acl::{self, Entry};
use crate::mosquitto::passwords;

pub(super) static COMMAND: Command = Command {
    name: "export",
    usage: "[--passwords FILE] [--acl FILE]",
    about: "Write the credentials as a password file and an ACL file of mosquitto; new files, \
            readable by root alone.",
    words: 0,
    values: &["passwords", "acl"],
    flags: &[],
    run,
};

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let [passwords, acl] = ["passwords", "acl"].map(|name| args.text(name));
    let (passwords, acl) = (passwords?.map(PathBuf::from), acl?.map(PathBuf::from));
    if passwords.is_none() && acl.is_none() {
        return Err(Failure::Usage(
            "found neither --passwords nor --acl, expected a file to write".into(),
        ));
    }
    for (name, file) in [("passwords", &passwords), ("acl", &acl)] {
        // Before one of two is written.
        if let Some(file) = file.as_ref().filter(|file| file.exists()) {
            let found = file.display();
            return Err(Failure::Usage(format!(
                "--{name}: found '{found}', which is there already, expected a new file"
            )));
        }
    }
    let reply = remote::call(args, "export", Value::Null)?;
    let accounts = text::items(&reply, "accounts");
    let written = |path: &PathBuf, content: &str| {
        certificate::write(path, content)
            .map_err(|error| Failure::Refused(format!("cannot write {}: {error}", path.display())))
    };
    if let Some(path) = &passwords {
        let field = |account: &'_ Value, name: &str| {
            let value = account.get(name).and_then(Value::as_str);
            value.unwrap_or_default().to_owned()
        };
        let pairs: Vec<(String, String)> = accounts
            .iter()
            .map(|account| (field(account, "username"), field(account, "hash")))
            .collect();
        let lines = pairs.iter().map(|(name, hash)| (&**name, &**hash));
        written(path, &passwords::write(lines))?;
    }
    let entries: Vec<Entry> = accounts.iter().map(entry).collect();
    if let Some(path) = &acl {
        written(path, &acl::write(&entries))?;
    }
    if args.json() {
        // What is secret is in the file.
        let known = accounts.iter().cloned().map(|mut account| {
            if let Some(fields) = account.as_object_mut() {
                fields.remove("hash");
            }
            account
        });
        output.json(&json!({ "accounts": known.collect::<Vec<_>>() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    for file in passwords.iter().chain(&acl) {
        output.line(&format!("{}: {} accounts", file.display(), accounts.len()))?;
    }
    for (account, entry) in accounts.iter().zip(&entries) {
        for comment in &entry.comments {
            output.line(&format!("  {}: {}", entry.username, text::safe(comment)))?;
        }
        if text::truth(account, "rotating") {
            output.line(&format!(
                "  {}: its new password was not used yet, the old one is exported",
                entry.username
            ))?;
        }
    }
    output
        .line("mosquitto reads them as the user it runs as: give that user the files (chown).")?;
    Ok(ExitCode::SUCCESS)
}

/// A list as it is: what goes into a file must not be changed for the sake of a terminal.
fn strings(account: &Value, name: &str) -> Vec<String> {
    let items = text::items(account, name).iter();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

fn entry(account: &Value) -> Entry {
    let left_out = strings(account, "left_out").into_iter();
    let mut comments: Vec<String> = left_out
        .map(|pattern| {
            format!("{pattern}: left out, an ACL file has client identifiers in rules for all users only")
        })
        .collect();
    comments.sort();
    Entry {
        username: text::field(account, "username"),
        publish: strings(account, "publish"),
        subscribe: strings(account, "subscribe"),
        deny: strings(account, "deny"),
        comments,
    }
}
