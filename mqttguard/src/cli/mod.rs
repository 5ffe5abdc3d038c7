//! The command line: one file a subcommand, a thin client of the ubus object.
//!
//! - `args`: the arguments, held against the table of commands below.
//! - `output`: standard output, as a terminal or a script wants it; `table`, `text`: what is
//!   written there.
//! - `remote`: calls to the daemon and what to say when they fail.

mod allow;
mod args;
mod block;
mod ca;
mod certificate;
mod check;
mod daemon;
mod device;
mod devices;
mod disallow;
mod enrol;
mod events;
mod export;
mod history;
mod import;
mod learn;
mod live;
mod migrate;
mod mud;
mod output;
mod pair;
mod profiles;
mod push;
mod quarantine;
mod release;
mod reload;
mod remote;
mod renew;
mod report;
mod revoke;
mod rotate;
mod sighting;
mod snippet;
mod stats;
mod status;
mod table;
#[cfg(test)]
mod tests;
mod text;
mod top;
mod unblock;

use std::ffi::OsString;
use std::io::{self, Write as _};
use std::process::ExitCode;

use args::{Args, Parsed};
use output::Output;

/// A subcommand.
struct Command {
    name: &'static str,
    /// What stands behind the name in the usage. A word in brackets of its own may be left out.
    usage: &'static str,
    about: &'static str,
    /// How many words without `--` it needs.
    words: usize,
    /// Options with a value.
    values: &'static [&'static str],
    /// Options without one.
    flags: &'static [&'static str],
    run: fn(&Args, &mut Output) -> Result<ExitCode, Failure>,
}

static COMMANDS: &[&Command] = &[
    &status::COMMAND,
    &devices::COMMAND,
    &device::COMMAND,
    &enrol::COMMAND,
    &snippet::COMMAND,
    &push::COMMAND,
    &learn::COMMAND,
    &pair::COMMAND,
    &rotate::COMMAND,
    &revoke::COMMAND,
    &certificate::COMMAND,
    &ca::COMMAND,
    &renew::COMMAND,
    &import::COMMAND,
    &export::COMMAND,
    &migrate::COMMAND,
    &mud::COMMAND,
    &profiles::COMMAND,
    &block::COMMAND,
    &unblock::COMMAND,
    &quarantine::COMMAND,
    &release::COMMAND,
    &allow::COMMAND,
    &disallow::COMMAND,
    &live::COMMAND,
    &history::COMMAND,
    &events::COMMAND,
    &report::COMMAND,
    &stats::COMMAND,
    &top::COMMAND,
    &reload::COMMAND,
    &check::COMMAND,
    &sighting::COMMAND,
    &daemon::COMMAND,
];

/// Why a command did not do what it was asked to. The numbers are a promise to scripts.
#[derive(Debug)]
enum Failure {
    /// Exit code 1: the daemon said no, or a file has mistakes.
    Refused(String),
    /// Exit code 2: the command line is wrong.
    Usage(String),
    /// Exit code 3: there is no daemon, or it does not answer.
    Unreachable(String),
    /// Standard output cannot be written. A reader that has gone is no failure.
    Output(io::Error),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}

/// Runs the command with its arguments (the program's name left out).
pub fn run(args: impl Iterator<Item = OsString>) -> ExitCode {
    let mut output = Output::stdout();
    match dispatch(args, &mut output) {
        Ok(code) => code,
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            ExitCode::SUCCESS
        }
        Err(failure) => {
            let (code, message) = match failure {
                Failure::Refused(message) => (1, message),
                Failure::Usage(message) => (2, format!("{message}\nTry 'mqttguard --help'.")),
                Failure::Unreachable(message) => (3, message),
                Failure::Output(error) => (1, format!("standard output: {error}")),
            };
            // Nobody is left to tell if this fails.
            let _ = writeln!(io::stderr(), "mqttguard: {}", text::safe_lines(&message));
            ExitCode::from(code)
        }
    }
}

fn dispatch(
    args: impl Iterator<Item = OsString>,
    output: &mut Output,
) -> Result<ExitCode, Failure> {
    match Args::parse(args)? {
        Parsed::Version => {
            output.line(&format!("mqttguard {}", env!("CARGO_PKG_VERSION")))?;
            Ok(ExitCode::SUCCESS)
        }
        Parsed::Help(command) => {
            output.write(&command.map_or_else(help, help_of))?;
            Ok(ExitCode::SUCCESS)
        }
        Parsed::Run(command, args) => (command.run)(&args, output),
    }
}

fn help() -> String {
    let mut text = String::from(
        "Makes MQTT at home safe by default: the command line of the mqttguard daemon.\n\n\
         Usage: mqttguard [--json] [--socket PATH] COMMAND\n\nCommands:\n",
    );
    for command in COMMANDS {
        let usage = format!("{} {}", command.name, command.usage);
        text.push_str(&format!("  {}\n", usage.trim_end()));
        text.push_str(&format!("      {}\n", command.about));
    }
    text.push_str(
        "\nDEVICE is a MAC address, a name or an IP address.\n\n\
         Options of every command:\n  \
           --json           print the daemon's reply as it is, for scripts\n  \
           --socket PATH    ubusd's socket [/var/run/ubus/ubus.sock]\n  \
           -h, --help       print this, or the help of a command\n  \
           -V, --version    print the version\n\n\
         Exit codes:\n  \
           0  done\n  \
           1  refused by the daemon, or mistakes found\n  \
           2  wrong usage\n  \
           3  the daemon is not running or does not answer\n",
    );
    text
}

fn help_of(command: &Command) -> String {
    let Command {
        name, usage, about, ..
    } = command;
    format!("{about}\n\nUsage: mqttguard {name} {usage}\n").replace(" \n", "\n")
}
