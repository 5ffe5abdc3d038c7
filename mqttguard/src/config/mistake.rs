//! What is wrong in a configuration, said so that it can be put right.

use std::fmt;
use std::path::Path;

/// Mistakes that are listed before the rest is only counted.
const MISTAKES_MAX: usize = 100;

/// Characters of a wrong value that are shown.
const FOUND_MAX: usize = 80;

/// Why a configuration was refused: every mistake in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    file: String,
    mistakes: Vec<Mistake>,
    /// Mistakes beyond [`MISTAKES_MAX`].
    more: usize,
}

/// One mistake.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Mistake {
    line: Option<u32>,
    /// Section and option, as far as it is about one: `listener 'tls': option port`.
    place: String,
    what: String,
}

impl ConfigError {
    pub(super) fn new(file: &str) -> Self {
        ConfigError {
            file: file.into(),
            mistakes: Vec::new(),
            more: 0,
        }
    }

    pub(super) fn unreadable(file: &Path, why: impl fmt::Display) -> Self {
        let mut error = ConfigError::new(&file.display().to_string());
        error.push(None, String::new(), format!("cannot be read: {why}"));
        error
    }

    /// Notes a mistake.
    pub(super) fn push(&mut self, line: Option<u32>, place: String, what: String) {
        if self.mistakes.len() < MISTAKES_MAX {
            self.mistakes.push(Mistake { line, place, what });
        } else {
            self.more = self.more.saturating_add(1);
        }
    }

    /// How many mistakes there are, listed or not.
    pub(super) fn count(&self) -> usize {
        self.mistakes.len().saturating_add(self.more)
    }

    /// Puts the mistakes in the order of the file.
    pub(super) fn sort(&mut self) {
        self.mistakes.sort_by_key(|mistake| mistake.line);
    }

    /// One line a mistake: file, line, section, option, what was found and what was expected.
    pub fn lines(&self) -> Vec<String> {
        let mut lines: Vec<String> = self
            .mistakes
            .iter()
            .map(|Mistake { line, place, what }| {
                let mut text = self.file.clone();
                if let Some(line) = line {
                    text.push_str(&format!(":{line}"));
                }
                for part in [place, what] {
                    if !part.is_empty() {
                        text.push_str(": ");
                        text.push_str(part);
                    }
                }
                text
            })
            .collect();
        if self.more > 0 {
            lines.push(format!("{}: {} more mistakes", self.file, self.more));
        }
        lines
    }
}

/// All of [`ConfigError::lines`].
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.lines().join("\n"))
    }
}

impl std::error::Error for ConfigError {}

/// Says that one thing was found where another was expected.
pub(super) fn found(found: &str, expected: impl fmt::Display) -> String {
    match found {
        "" => format!("found nothing, expected {expected}"),
        found => format!("found '{}', expected {expected}", excerpt(found)),
    }
}

/// The start of a wrong value, on one line whatever it holds.
fn excerpt(text: &str) -> String {
    let mut shown = String::new();
    for (count, c) in text.chars().enumerate() {
        if count == FOUND_MAX {
            shown.push_str("...");
            break;
        }
        match c.is_control() {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    shown
}
