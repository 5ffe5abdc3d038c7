//! `mqttguard push`: sets the broker and the login on a device, over the device's web interface.

use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::process::ExitCode;
use std::time::Duration;

use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};
use serde_json::Value;
use zeroize::Zeroizing;

use super::args::Args;
use super::output::Output;
use super::{Command, Failure, remote, text};
use crate::calendar;

pub(super) static COMMAND: Command = Command {
    name: "push",
    usage: "DEVICE [--firmware NAME] [--profile NAME] [--password] [--user NAME] [--dry-run]",
    about: "Set the broker and a new login on a Tasmota, OpenBeken or Shelly device, over its web \
            interface. --password: that asks for one, which is read from the terminal or standard \
            input. --dry-run: only show what would be sent.",
    words: 1,
    values: &["firmware", "profile", "user"],
    flags: &["password", "dry-run"],
    run,
};

/// Longer than the daemon takes for it.
const TIMEOUT: Duration = Duration::from_secs(25);
/// Longest password that is read, in bytes.
const MAX_PASSWORD: u64 = 256;

fn run(args: &Args, output: &mut Output) -> Result<ExitCode, Failure> {
    let mut arguments = remote::about_device(args, COMMAND.values)?;
    if let Some(all) = arguments.as_object_mut() {
        if args.flag("dry-run") {
            all.insert("dry_run".to_owned(), true.into());
        }
        if args.flag("password") {
            let password = read_password()?;
            all.insert("password".to_owned(), password.as_str().into());
        }
    }
    if args.text("user")?.is_some() && !args.flag("password") {
        return Err(Failure::Usage("--user goes with --password".into()));
    }
    let reply = remote::call_within(TIMEOUT, args, "push", arguments)?;
    match args.json() {
        true => output.json(&reply)?,
        false => output.write(&show(&reply))?,
    }
    Ok(match text::truth(&reply, "ok") {
        true => ExitCode::SUCCESS,
        false => ExitCode::from(1),
    })
}

fn show(reply: &Value) -> String {
    let field = |name| text::field(reply, name);
    let [name, mac, firmware, address] = ["name", "mac", "firmware", "address"].map(field);
    let mut shown = format!("{name} ({mac}), {firmware}, at {address}:\n\n");
    for step in text::items(reply, "steps") {
        let [what, method, path] = ["what", "method", "path"].map(|name| text::field(step, name));
        let outcome = match step.get("ok") {
            None => "not sent".to_owned(),
            Some(_) if text::truth(step, "ok") => "done".to_owned(),
            Some(_) => match step.get("status") {
                Some(status) => format!("failed (status {status})"),
                None => "failed".to_owned(),
            },
        };
        shown.push_str(&format!("  {what}: {outcome}\n    {method} {path}\n"));
        if step.get("sent").is_some() {
            shown.push_str(&format!("    {}\n", text::field(step, "sent")));
        }
    }
    shown.push('\n');
    match text::truth(reply, "ok") {
        true => shown.push_str(&format!("{name}: {}.\n", field("next"))),
        false => shown.push_str(&format!("It did not work: {}.\n", field("why"))),
    }
    shown.push_str(&credential(reply));
    if reply.get("suggested_profile").is_some() && text::truth(reply, "ok") {
        shown.push_str(&format!(
            "Its profile is '{}'; the one made for this firmware is '{}'.\n",
            field("profile"),
            field("suggested_profile")
        ));
    }
    shown + &text::warning(reply)
}

/// What became of the device's credential.
fn credential(reply: &Value) -> String {
    if reply.get("username").is_none() {
        return match text::truth(reply, "dry_run") {
            true => String::new(),
            false => "Its credential is as it was.\n".to_owned(),
        };
    }
    let username = text::field(reply, "username");
    match text::number(reply, "old_until_ms") {
        0 => format!("It has a credential now, user name {username}.\n"),
        until => format!(
            "It has a new password for {username}. The old one works until the new one was used once, at \
             the latest until {}.\n",
            calendar::utc(until)
        ),
    }
}

/// A line of standard input; typed on a terminal it is not shown.
fn read_password() -> Result<Zeroizing<String>, Failure> {
    let stdin = io::stdin();
    let unreadable = |error| Failure::Usage(format!("--password: standard input: {error}"));
    let hidden = match stdin.is_terminal() {
        true => {
            let _ = write!(io::stderr(), "Password of the device's web interface: ");
            Some(Hidden::begin().map_err(unreadable)?)
        }
        false => None,
    };
    let mut line = Zeroizing::new(String::new());
    let read = stdin.lock().take(MAX_PASSWORD).read_line(&mut line);
    if hidden.is_some() {
        // The newline that was typed was not shown either.
        let _ = writeln!(io::stderr());
    }
    drop(hidden);
    read.map_err(unreadable)?;
    let password = line.trim_end_matches(['\n', '\r']);
    match password.is_empty() {
        true => Err(Failure::Usage(
            "--password: found nothing on standard input, expected the password".into(),
        )),
        false => Ok(Zeroizing::new(password.to_owned())),
    }
}

/// A terminal that does not show what is typed, until this is dropped.
struct Hidden(rustix::termios::Termios);

impl Hidden {
    fn begin() -> io::Result<Hidden> {
        let before = tcgetattr(io::stdin())?;
        let mut quiet = before.clone();
        quiet.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &quiet)?;
        Ok(Hidden(before))
    }
}

impl Drop for Hidden {
    fn drop(&mut self) {
        // What else could be done about a terminal that has gone?
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &self.0);
    }
}
