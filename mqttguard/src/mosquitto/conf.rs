//! `mosquitto.conf`, with the files of its `include_dir`.

use std::fs;
use std::path::{Path, PathBuf};

use super::{quoted, without_mark};
use crate::files::read;

/// Files that one configuration may include. mosquitto knows no such limit.
const FILES_MAX: usize = 64;

/// A line of a configuration.
#[derive(Clone, PartialEq, Eq)]
pub struct Directive {
    /// Where it stands.
    pub place: Place,
    /// What it sets, by mosquitto's name.
    pub name: String,
    /// To what; empty if nothing is there. May be a secret.
    pub value: String,
}

/// Where something stands in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: PathBuf,
    /// The line, from 1 on.
    pub line: u32,
    /// What `uci get` knows it by, behind the name of the file, if it is UCI.
    pub uci: Option<String>,
    /// The name that it has there.
    pub name: String,
}

impl Place {
    /// In words.
    pub fn shown(&self) -> String {
        format!(
            "{}, line {}",
            quoted(&self.file.display().to_string()),
            self.line
        )
    }
}

/// A whole configuration.
#[derive(Clone, Default)]
pub struct Conf {
    /// In mosquitto's order.
    pub directives: Vec<Directive>,
    /// What could not be read, with its place.
    pub unread: Vec<String>,
    /// Files that were included.
    included: usize,
}

/// Reads a file and what it includes.
///
/// # Errors
///
/// When the file itself cannot be read; an included one is named in the result.
pub fn load(path: &Path) -> Result<Conf, String> {
    let (text, _) = read(path)?;
    let mut conf = Conf::default();
    for directive in directives(path, &text) {
        if directive.name == "include_dir" {
            conf.include(&directive);
        } else {
            conf.directives.push(directive);
        }
    }
    Ok(conf)
}

impl Conf {
    /// Reads the files of an `include_dir`.
    pub(super) fn include(&mut self, directive: &Directive) {
        let mut files = match conf_files(Path::new(&directive.value)) {
            Ok(files) => files,
            Err(why) => {
                let place = directive.place.shown();
                return self.unread.push(format!("{place}: include_dir: {why}"));
            }
        };
        files.sort();
        for file in files {
            self.included = self.included.saturating_add(1);
            if self.included > FILES_MAX {
                let place = directive.place.shown();
                let why = format!("{place}: include_dir: more than {FILES_MAX} files");
                return self.unread.push(why);
            }
            match read(&file) {
                Ok((text, _)) => self.directives.extend(directives(&file, &text)),
                Err(why) => self.unread.push(why),
            }
        }
    }
}

fn conf_files(dir: &Path) -> Result<Vec<PathBuf>, String> {
    let shown = quoted(&dir.display().to_string());
    let failed = |error| format!("{shown}: {error}");
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path
            .extension()
            .is_some_and(|extension| extension == "conf")
        {
            files.push(path);
        }
    }
    Ok(files)
}

fn directives(file: &Path, text: &str) -> Vec<Directive> {
    let lines = (1..).zip(without_mark(text).lines());
    let lines = lines.map(|(line, text)| (line, text.trim()));
    let lines = lines.filter(|(_, text)| !text.is_empty() && !text.starts_with('#'));
    lines
        .map(|(line, text)| {
            let (name, value) = text.split_once([' ', '\t']).unwrap_or((text, ""));
            Directive {
                place: Place {
                    file: file.to_owned(),
                    line,
                    uci: None,
                    name: name.to_owned(),
                },
                name: name.to_owned(),
                value: value.trim().to_owned(),
            }
        })
        .collect()
}
