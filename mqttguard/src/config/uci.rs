//! The UCI file format, read as libuci reads it, but strictly: what libuci would let pass in
//! silence (an option without a section, a second value) is a mistake here.
//!
//! Rules of libuci kept: `#` outside quotes starts a comment, even inside a word; `;` ends a
//! statement; words are put together from bare, `'single'` and `"double"` quoted pieces; a
//! backslash outside single quotes takes the next character as it is, or joins lines; a newline
//! inside quotes belongs to the value; keywords may be cut down to their first letter.

use std::iter::Peekable;
use std::str::Chars;

/// A `config` line and what stands below it, unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawSection {
    pub(super) line: u32,
    pub(super) kind: String,
    /// None for an anonymous section.
    pub(super) name: Option<String>,
    /// In the order of the file.
    pub(super) options: Vec<RawOption>,
}

/// An `option` or `list` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RawOption {
    pub(super) line: u32,
    pub(super) name: String,
    pub(super) value: String,
    /// Whether it was a `list` line.
    pub(super) list: bool,
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
                Some('\n' | ';') => {
                    self.next();
                    if !words.is_empty() {
                        return Some(Ok((line, words)));
                    }
                }
                Some('#') => self.skip_comment(),
                Some(space) if space.is_ascii_whitespace() => {
                    self.next();
                }
                Some(_) => {
                    if words.is_empty() {
                        line = self.line;
                    }
                    match self.word() {
                        // A joined line with nothing on it makes no word.
                        Ok(None) => {}
                        Ok(Some(word)) => words.push(word),
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

    fn word(&mut self) -> Result<Option<String>, SyntaxError> {
        let mut word = String::new();
        let mut is_word = false;
        while let Some(&next) = self.chars.peek() {
            match next {
                '#' | ';' => break,
                space if space.is_ascii_whitespace() => break,
                '\'' | '"' => {
                    is_word = true;
                    self.quoted(next, &mut word)?;
                }
                '\\' => {
                    self.next();
                    is_word |= self.escaped(&mut word)?;
                }
                _ => {
                    is_word = true;
                    self.plain(&mut word)?;
                }
            }
        }
        Ok(is_word.then_some(word))
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

    /// What follows a backslash: itself, or nothing where a line is joined to the next. Tells
    /// whether something was added.
    fn escaped(&mut self, word: &mut String) -> Result<bool, SyntaxError> {
        let mut ahead = self.chars.clone();
        match (ahead.next(), ahead.next()) {
            (None, _) => Ok(false),
            (Some('\n'), _) => {
                self.next();
                Ok(false)
            }
            (Some('\r'), Some('\n')) => {
                self.next();
                self.next();
                Ok(false)
            }
            _ => self.plain(word).map(|()| true),
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
mod tests {
    use super::*;

    /// One section with one option of this value, as the file would have it.
    fn value(written: &str) -> Result<String, SyntaxError> {
        let (sections, errors) = read(
            "mqttguard",
            &format!("config a 'b'\n\toption c {written}\n\toption d 'e'\n"),
        );
        if let Some(error) = errors.into_iter().next() {
            return Err(error);
        }
        let options = &sections[0].options;
        assert_eq!(
            (options.len(), options[1].value.as_str()),
            (2, "e"),
            "{written}"
        );
        Ok(options[0].value.clone())
    }

    #[test]
    fn reads_values_as_libuci_does() {
        for (written, read) in [
            ("bare", "bare"),
            ("'single'", "single"),
            ("\"double\"", "double"),
            ("''", ""),
            ("a'b c'\"d e\"f", "ab cd ef"),
            ("'a\"b'", "a\"b"),
            ("\"a'b\"", "a'b"),
            ("'it'\\''s'", "it's"),
            ("'back\\slash'", "back\\slash"),
            ("\"back\\slash\"", "backslash"),
            ("\"\\\"\\\\\"", "\"\\"),
            ("a\\ b", "a b"),
            ("'a#b'", "a#b"),
            ("a#b", "a"),
            ("a # b", "a"),
            ("a ;", "a"),
            ("'two\nlines'", "two\nlines"),
            ("\"two\nlines\"", "two\nlines"),
            ("\"joined \\\nline\"", "joined line"),
            ("joined\\\nline", "joinedline"),
            ("joined\\\r\nline", "joinedline"),
            ("\\\n  later", "later"),
            ("crlf\r", "crlf"),
            ("'käse'", "käse"),
        ] {
            assert_eq!(value(written).as_deref(), Ok(read), "{written:?}");
        }
    }

    #[test]
    fn short_keywords_and_semicolons_are_uci_too() {
        let (sections, errors) = read("mqttguard", "p mqttguard;c a b;o x 1; l y 2\nl y 3");
        assert_eq!(errors, []);
        let [section] = sections.as_slice() else {
            panic!("{sections:?}")
        };
        assert_eq!(
            (section.kind.as_str(), section.name.as_deref()),
            ("a", Some("b"))
        );
        let read: Vec<_> = section
            .options
            .iter()
            .map(|o| (o.name.as_str(), o.value.as_str(), o.list))
            .collect();
        assert_eq!(
            read,
            [("x", "1", false), ("y", "2", true), ("y", "3", true)]
        );
    }

    #[test]
    fn an_empty_name_is_none() {
        let (sections, errors) = read("mqttguard", "config a ''\nconfig b");
        assert_eq!(errors, []);
        assert!(sections.iter().all(|section| section.name.is_none()));
    }

    #[test]
    fn says_which_line_is_not_uci_and_reads_on() {
        for (text, line, found, expected) in [
            (
                "option a b",
                1,
                "option a",
                "a 'config' line before the first option",
            ),
            (
                "config",
                1,
                "config ",
                "config <type> ['name'] and nothing more",
            ),
            (
                "config a b c",
                1,
                "config a",
                "config <type> ['name'] and nothing more",
            ),
            (
                "config a-b",
                1,
                "config a-b",
                "a section type of letters, digits and '_'",
            ),
            (
                "config a 'b c'",
                1,
                "config a 'b c'",
                "a section name of letters, digits and '_'",
            ),
            (
                "config a\noption b",
                2,
                "option b",
                "one name and one value (a value with spaces goes in quotes)",
            ),
            (
                "config a\noption b c d",
                2,
                "option b",
                "one name and one value (a value with spaces goes in quotes)",
            ),
            (
                "config a\noption b-c d",
                2,
                "option b-c",
                "an option name of letters, digits and '_'",
            ),
            (
                "\n\nconfigure a",
                3,
                "configure",
                "one of: config, option, list, package",
            ),
            (
                "package network",
                1,
                "package network",
                "no 'package' line, or the package mqttguard",
            ),
            (
                "config a\n\noption b 'c\n\n",
                3,
                "the end of the file",
                "a closing ' for the quote opened here",
            ),
            (
                "config a\noption b \"c\\\"",
                2,
                "the end of the file",
                "a closing \" for the quote opened here",
            ),
            ("config a\noption b c\0d", 2, "a NUL byte", "text"),
        ] {
            let (_, errors) = read("mqttguard", text);
            assert_eq!(
                errors,
                [SyntaxError {
                    line,
                    found: found.into(),
                    expected
                }],
                "{text:?}"
            );
        }
        let (sections, errors) = read("mqttguard", "x\nconfig a\noption b\noption c d\ny");
        assert_eq!(
            errors.iter().map(|error| error.line).collect::<Vec<_>>(),
            [1, 3, 5]
        );
        assert_eq!(sections[0].options.len(), 1);
    }

    #[test]
    fn options_of_a_broken_section_do_not_fall_to_the_one_before() {
        let (sections, errors) = read("mqttguard", "config a\nconfig b-c\noption d e\n");
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert_eq!(sections[0].options, []);
    }
}
