//! The UCI file format, read as libuci reads it, but strictly: what libuci lets pass in
//! silence (an option without a value) is a mistake here, and so is a `;` outside quotes, of
//! which libuci makes one thing or another.
//!
//! Rules of libuci kept: `#` outside quotes starts a comment, even inside a word; words are put
//! together from bare, `'single'` and `"double"` quoted pieces; a backslash outside single quotes
//! takes the next character as it is, or joins lines; a newline inside quotes belongs to the
//! value; keywords may be cut down to their first letter.

use std::iter::Peekable;
use std::str::Chars;

/// A `config` line and what stands below it, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawSection {
    pub(crate) line: u32,
    pub(crate) kind: String,
    /// None for an anonymous section.
    pub(crate) name: Option<String>,
    /// In the order of the file.
    pub(crate) options: Vec<RawOption>,
}

/// An `option` or `list` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RawOption {
    pub(crate) line: u32,
    pub(crate) name: String,
    pub(crate) value: String,
    /// Whether it was a `list` line.
    pub(crate) list: bool,
}

/// A line that is not UCI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SyntaxError {
    pub(super) line: u32,
    pub(super) found: String,
    pub(super) expected: &'static str,
}

/// Reads a whole file. A line in error is left out and reading goes on behind it, so that one
/// run finds every mistake.
pub(super) fn read(package: &str, text: &str) -> (Vec<RawSection>, Vec<SyntaxError>) {
    let mut lexer = Lexer::new(text);
    let mut sections = Vec::new();
    let mut errors = Vec::new();
    // Options below a `config` line in error are read, but belong to nothing.
    let mut orphans_excused = false;
    while let Some(statement) = lexer.statement() {
        let read = statement.and_then(|(line, words)| Statement::read(package, line, words));
        match read {
            Ok(Statement::Package) => {}
            Ok(Statement::Config(section)) => {
                orphans_excused = false;
                sections.push(section);
            }
            Ok(Statement::Option(option)) => match sections.last_mut() {
                _ if orphans_excused => {}
                Some(section) => section.options.push(option),
                None => errors.push(SyntaxError {
                    line: option.line,
                    found: format!("option {}", option.name),
                    expected: "a 'config' line before the first option",
                }),
            },
            Err(error) => {
                orphans_excused |= error.found.starts_with("config");
                errors.push(error);
            }
        }
    }
    (sections, errors)
}

enum Statement {
    Package,
    Config(RawSection),
    Option(RawOption),
}

impl Statement {
    fn read(package: &str, line: u32, words: Vec<String>) -> Result<Statement, SyntaxError> {
        let wrong = |found: String, expected| {
            Err(SyntaxError {
                line,
                found,
                expected,
            })
        };
        let mut words = words.into_iter();
        let keyword = words.next().unwrap_or_default();
        let (first, second, more) = (words.next(), words.next(), words.next());
        match (keyword.as_str(), first, second, more) {
            ("p" | "package", Some(name), None, None) if name == package => Ok(Statement::Package),
            ("p" | "package", name, _, _) => wrong(
                format!("package {}", name.unwrap_or_default()),
                "no 'package' line, or the package mqttguard",
            ),
            ("c" | "config", Some(kind), name, None) => {
                // libuci takes an empty name for none.
                let name = name.filter(|name| !name.is_empty());
                if !is_word(&kind) {
                    return wrong(
                        format!("config {kind}"),
                        "a section type of letters, digits and '_'",
                    );
                }
                if name.as_deref().is_some_and(|name| !is_word(name)) {
                    return wrong(
                        format!("config {kind} '{}'", name.unwrap_or_default()),
                        "a section name of letters, digits and '_'",
                    );
                }
                Ok(Statement::Config(RawSection {
                    line,
                    kind,
                    name,
                    options: Vec::new(),
                }))
            }
            ("c" | "config", kind, _, _) => wrong(
                format!("config {}", kind.unwrap_or_default()),
                "config <type> ['name'] and nothing more",
            ),
            ("o" | "option" | "l" | "list", Some(name), Some(value), None) => {
                if !is_word(&name) {
                    return wrong(
                        format!("option {name}"),
                        "an option name of letters, digits and '_'",
                    );
                }
                let list = keyword.starts_with('l');
                Ok(Statement::Option(RawOption {
                    line,
                    name,
                    value,
                    list,
                }))
            }
            ("o" | "option" | "l" | "list", name, _, _) => wrong(
                format!("{keyword} {}", name.unwrap_or_default()),
                "one name and one value (a value with spaces goes in quotes)",
            ),
            _ => wrong(keyword, "one of: config, option, list, package"),
        }
    }
}

/// What libuci allows in names.
fn is_word(text: &str) -> bool {
    !text.is_empty()
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

struct Lexer<'a> {
    chars: Peekable<Chars<'a>>,
    line: u32,
}

/// A statement's first line and its words.
type Words = (u32, Vec<String>);

impl<'a> Lexer<'a> {
    fn new(text: &'a str) -> Self {
        Lexer {
            chars: text.chars().peekable(),
            line: 1,
        }
    }

    fn next(&mut self) -> Option<char> {
        let next = self.chars.next();
        if next == Some('\n') {
            self.line = self.line.saturating_add(1);
        }
        next
    }

    /// The next statement that has words; None at the end of the file.
    fn statement(&mut self) -> Option<Result<Words, SyntaxError>> {
        let mut words = Vec::new();
        let mut line = self.line;
        loop {
            match self.chars.peek().copied() {
                None if words.is_empty() => return None,
                None => return Some(Ok((line, words))),
                Some('\n') => {
                    self.next();
                    if !words.is_empty() {
                        return Some(Ok((line, words)));
                    }
                }
                Some('#') => self.skip_comment(),
                Some(';') => {
                    self.skip_comment();
                    return Some(Err(SyntaxError {
                        line: self.line,
                        found: ";".into(),
                        expected: "the end of the line (a ';' in a value goes in quotes)",
                    }));
                }
                Some(space) if space.is_ascii_whitespace() => {
                    self.next();
                }
                Some(_) => {
                    if words.is_empty() {
                        line = self.line;
                    }
                    match self.word() {
                        Ok(word) => words.push(word),
                        Err(error) => {
                            self.skip_comment();
                            return Some(Err(error));
                        }
                    }
                }
            }
        }
    }

    /// Goes to the end of the line, which is left standing.
    fn skip_comment(&mut self) {
        while self.chars.peek().is_some_and(|&next| next != '\n') {
            self.next();
        }
    }

    /// One word; an empty one where a joined line brings nothing, as in libuci.
    fn word(&mut self) -> Result<String, SyntaxError> {
        let mut word = String::new();
        while let Some(&next) = self.chars.peek() {
            match next {
                '#' | ';' => break,
                space if space.is_ascii_whitespace() => break,
                '\'' | '"' => self.quoted(next, &mut word)?,
                '\\' => {
                    self.next();
                    self.escaped(&mut word)?;
                }
                _ => self.plain(&mut word)?,
            }
        }
        Ok(word)
    }

    /// A piece in quotes, from the opening quote to the closing one.
    fn quoted(&mut self, quote: char, word: &mut String) -> Result<(), SyntaxError> {
        let line = self.line;
        self.next();
        loop {
            match self.chars.peek().copied() {
                None => {
                    return Err(SyntaxError {
                        line,
                        found: "the end of the file".into(),
                        expected: match quote {
                            '"' => "a closing \" for the quote opened here",
                            _ => "a closing ' for the quote opened here",
                        },
                    });
                }
                Some(next) if next == quote => {
                    self.next();
                    return Ok(());
                }
                Some('\\') if quote == '"' => {
                    self.next();
                    self.escaped(word)?;
                }
                Some(_) => self.plain(word)?,
            }
        }
    }

    /// What follows a backslash: itself, or nothing where a line is joined to the next.
    fn escaped(&mut self, word: &mut String) -> Result<(), SyntaxError> {
        let mut ahead = self.chars.clone();
        match (ahead.next(), ahead.next()) {
            (Some('\n'), _) => {
                self.next();
                Ok(())
            }
            (Some('\r'), Some('\n')) => {
                self.next();
                self.next();
                Ok(())
            }
            _ => self.plain(word),
        }
    }

    fn plain(&mut self, word: &mut String) -> Result<(), SyntaxError> {
        match self.next() {
            Some('\0') => Err(SyntaxError {
                line: self.line,
                found: "a NUL byte".into(),
                expected: "text",
            }),
            Some(next) => {
                word.push(next);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
