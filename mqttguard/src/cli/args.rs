//! The arguments, read in any order and held against the table of commands.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use lexopt::Arg;

use super::{COMMANDS, Command, Failure};
use crate::config;
use crate::ubus;

/// Options with a value that every command takes.
const VALUES: &[&str] = &["socket"];
/// Commands and their options that may be given several times.
const REPEATED: &[(&str, &str)] = &[("import", "device")];
/// Options without one that every command takes.
const FLAGS: &[&str] = &["json"];

/// What the command line asks for.
pub(super) enum Parsed {
    Version,
    Help(Option<&'static Command>),
    Run(&'static Command, Args),
}

/// The arguments of a command, of which it takes each that is there.
#[derive(Debug, Default)]
pub(super) struct Args {
    words: Vec<String>,
    values: BTreeMap<&'static str, Vec<OsString>>,
    flags: Vec<&'static str>,
}

impl Args {
    pub(super) fn parse(args: impl Iterator<Item = OsString>) -> Result<Parsed, Failure> {
        let mut parser = lexopt::Parser::from_args(args);
        let mut parsed = Args::default();
        let mut command: Option<&'static Command> = None;
        let mut help = false;
        while let Some(arg) = parser.next().map_err(usage)? {
            match arg {
                Arg::Short('h') => help = true,
                Arg::Short('V') => return Ok(Parsed::Version),
                Arg::Long("help") => help = true,
                Arg::Long("version") => return Ok(Parsed::Version),
                Arg::Long(name) => {
                    let known = |list: &'static [&str]| list.iter().find(|known| **known == name);
                    let values = COMMANDS
                        .iter()
                        .map(|command| command.values)
                        .chain([VALUES]);
                    let flags = COMMANDS.iter().map(|command| command.flags).chain([FLAGS]);
                    if let Some(name) = values.map(known).find_map(|found| found) {
                        let value = parser.value().map_err(usage)?;
                        parsed.values.entry(name).or_default().push(value);
                    } else if let Some(name) = flags.map(known).find_map(|found| found) {
                        parsed.flags.push(name);
                    } else {
                        return Err(Failure::Usage(format!("no command has an option --{name}")));
                    }
                }
                Arg::Short(_) => return Err(usage(arg.unexpected())),
                Arg::Value(word) => {
                    let word = word.string()?;
                    match command {
                        None => command = Some(find(&word)?),
                        Some(_) => parsed.words.push(word),
                    }
                }
            }
        }
        match command {
            command if help => Ok(Parsed::Help(command)),
            None => Err(Failure::Usage("expected a command".into())),
            Some(command) => {
                parsed.check(command)?;
                Ok(Parsed::Run(command, parsed))
            }
        }
    }

    fn check(&self, command: &Command) -> Result<(), Failure> {
        let name = command.name;
        let options = self.values.keys().chain(&self.flags);
        let allowed = [command.values, command.flags, VALUES, FLAGS].concat();
        for option in options {
            if !allowed.contains(option) {
                return Err(Failure::Usage(format!("{name} has no option --{option}")));
            }
        }
        for (option, values) in &self.values {
            if values.len() > 1 && !REPEATED.contains(&(name, option)) {
                return Err(Failure::Usage(format!("--{option} is given twice")));
            }
        }
        match self.words.get(command.words) {
            Some(word) => Err(Failure::Usage(format!("{name}: unexpected '{word}'"))),
            None if self.words.len() < command.words => Err(Failure::Usage(format!(
                "expected: mqttguard {name} {}",
                command.usage
            ))),
            None => Ok(()),
        }
    }

    /// The first word behind the command; empty only for commands that take none.
    pub(super) fn word(&self) -> &str {
        self.words.first().map_or("", String::as_str)
    }

    pub(super) fn flag(&self, name: &str) -> bool {
        self.flags.contains(&name)
    }

    pub(super) fn json(&self) -> bool {
        self.flag("json")
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        Ok(self.texts(name)?.into_iter().next())
    }

    /// Each value of an option that may be given several times.
    pub(super) fn texts(&self, name: &str) -> Result<Vec<String>, Failure> {
        let values = self.values.get(name).into_iter().flatten();
        values.map(|value| value.string()).collect()
    }

    fn path(&self, name: &str) -> Option<&Path> {
        let values = self.values.get(name);
        values.and_then(|values| values.first()).map(Path::new)
    }

    pub(super) fn number(&self, name: &str) -> Result<Option<u64>, Failure> {
        let Some(text) = self.text(name)? else {
            return Ok(None);
        };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(Failure::Usage(format!(
                "--{name}: found '{text}', expected a number"
            ))),
        }
    }

    pub(super) fn socket(&self) -> &Path {
        let default = Path::new(ubus::DEFAULT_SOCKET);
        self.path("socket").unwrap_or(default)
    }

    pub(super) fn config(&self) -> PathBuf {
        let default = Path::new(config::DEFAULT_PATH);
        self.path("config").unwrap_or(default).to_owned()
    }
}

fn find(word: &str) -> Result<&'static Command, Failure> {
    COMMANDS
        .iter()
        .find(|command| command.name == word)
        .copied()
        .ok_or_else(|| Failure::Usage(format!("unknown command '{word}'")))
}

fn usage(error: lexopt::Error) -> Failure {
    Failure::Usage(error.to_string())
}

trait StringArg {
    fn string(&self) -> Result<String, Failure>;
}

impl StringArg for OsString {
    fn string(&self) -> Result<String, Failure> {
        self.to_str().map(str::to_owned).ok_or_else(|| {
            Failure::Usage(format!("expected text, found '{}'", self.to_string_lossy()))
        })
    }
}
