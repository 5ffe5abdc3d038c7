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
    values: BTreeMap<&'static str, OsString>,
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
                        if parsed.values.insert(name, value).is_some() {
                            return Err(Failure::Usage(format!("--{name} is given twice")));
                        }
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
        let usage = command.usage.split(' ');
        let is_optional =
            |word: &&str| word.starts_with('[') && !word.starts_with("[--") && word.ends_with(']');
        let most = command
            .words
            .saturating_add(usage.filter(is_optional).count());
        match self.words.get(most) {
            Some(word) => Err(Failure::Usage(format!("{name}: unexpected '{word}'"))),
            None if self.words.len() < command.words => Err(Failure::Usage(format!(
                "expected: mqttguard {name} {}",
                command.usage
            ))),
            None => Ok(()),
        }
    }

    /// The first word behind the command; empty only for commands that need none.
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
        self.values
            .get(name)
            .map(|value| value.string())
            .transpose()
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
        self.values
            .get("socket")
            .map_or(Path::new(ubus::DEFAULT_SOCKET), Path::new)
    }

    pub(super) fn config(&self) -> PathBuf {
        self.values
            .get("config")
            .map_or(config::DEFAULT_PATH.into(), PathBuf::from)
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
