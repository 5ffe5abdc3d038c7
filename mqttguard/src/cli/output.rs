//! Standard output, as whoever reads it wants it.

use std::io::{self, IsTerminal as _, Write as _};

use serde_json::Value;

use super::text;

/// How to write.
#[derive(Clone, Copy, Debug)]
pub(super) struct Style {
    /// With colours.
    pub(super) colour: bool,
    /// Columns of the terminal; None when it is none.
    pub(super) width: Option<usize>,
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colour {
    /// Wrong, or cut off.
    Red,
    /// As it should be.
    Green,
    /// Wants a look.
    Yellow,
}

impl Style {
    /// Colour for people at a terminal who did not decline it (<https://no-color.org>).
    fn of_stdout() -> Style {
        let stdout = io::stdout();
        let terminal = stdout.is_terminal();
        let set = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        let declined = set("NO_COLOR").is_some() || set("TERM").is_some_and(|term| term == "dumb");
        let width = terminal
            .then(|| rustix::termios::tcgetwinsize(&stdout).ok())
            .flatten()
            .map(|size| usize::from(size.ws_col))
            .filter(|columns| *columns > 0);
        Style {
            colour: terminal && !declined,
            width,
        }
    }

    pub(super) fn paint(self, text: &str, colour: Option<Colour>) -> String {
        match colour.filter(|_| self.colour) {
            None => text.to_owned(),
            Some(colour) => {
                let number = match colour {
                    Colour::Red => 31,
                    Colour::Green => 32,
                    Colour::Yellow => 33,
                };
                format!("\x1b[{number}m{text}\x1b[0m")
            }
        }
    }
}

/// Where a command writes.
pub(super) struct Output {
    to: Box<dyn io::Write>,
    pub(super) style: Style,
}

impl Output {
    pub(super) fn stdout() -> Output {
        Output {
            to: Box::new(io::stdout()),
            style: Style::of_stdout(),
        }
    }

    #[cfg(test)]
    pub(super) fn plain(to: Box<dyn io::Write>) -> Output {
        Output {
            to,
            style: Style {
                colour: false,
                width: None,
            },
        }
    }

    /// Writes text, all of it before this returns: `--follow` is read line by line.
    pub(super) fn write(&mut self, text: &str) -> io::Result<()> {
        self.to.write_all(text.as_bytes())?;
        self.to.flush()
    }

    pub(super) fn line(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// A reply as it is, over several lines.
    pub(super) fn json(&mut self, value: &Value) -> io::Result<()> {
        self.line(&text::safe_json(&format!("{value:#}")))
    }

    /// A value on one line.
    pub(super) fn json_line(&mut self, value: &Value) -> io::Result<()> {
        self.line(&text::safe_json(&value.to_string()))
    }
}
