//! A proposal: a configuration, commands and notes, put together line by line.

use std::path::PathBuf;

use super::conf::{Directive, Place};
use super::quoted;
use super::section::Section;
use crate::config;

/// A configuration for `/etc/config/mqttguard`, and what else there is to do.
#[derive(Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The configuration, which is valid.
    pub uci: String,
    /// Commands of the shell, in the order in which they make sense.
    pub commands: Vec<String>,
    /// What has no equivalent or needs a thought, with its place.
    pub notes: Vec<String>,
}

/// A proposal, on its way.
#[derive(Default)]
pub(super) struct Draft {
    sections: Vec<Section>,
    commands: Vec<String>,
    /// Each with the file and line that it is about, by which they are sorted in the end.
    notes: Vec<((PathBuf, u32), String)>,
}

impl Draft {
    /// Something that needs a thought.
    pub(super) fn note(&mut self, place: &Place, name: &str, why: &str) {
        let at = (place.file.clone(), place.line);
        let note = format!("{}: {}: {why}", place.shown(), quoted(name));
        self.notes.push((at, note));
    }

    /// The same, of no line.
    pub(super) fn remark(&mut self, what: &str) {
        self.notes.push((Default::default(), what.to_owned()));
    }

    pub(super) fn unknown(&mut self, directive: &Directive) {
        self.note(&directive.place, &directive.name, "not known");
    }

    pub(super) fn command(&mut self, command: &str) {
        self.commands.push(command.to_owned());
    }

    pub(super) fn has(&self, kind: &str, name: &str) -> bool {
        self.sections.iter().any(|one| one.is(kind, name))
    }

    /// Adds a section, if the configuration stays a valid one with it.
    pub(super) fn add(&mut self, section: Section, place: &Place) {
        let before: String = self.sections.iter().map(Section::text).collect();
        let whole = format!("{before}{}", section.text());
        match config::parse("proposal", &whole) {
            Ok(_) => self.sections.push(section),
            Err(error) => {
                // Lines of a file that nobody sees say nothing.
                let errors = error.lines();
                let errors = errors.iter().map(|line| without_place(line));
                let errors = errors.collect::<Vec<_>>().join("; ");
                let what = section.label();
                self.note(place, &what, &format!("left out: {errors}"));
            }
        }
    }

    /// The proposal; its notes in the order of the lines that they are about.
    pub(super) fn finish(mut self) -> Proposal {
        self.notes.sort_by(|a, b| a.0.cmp(&b.0));
        let sections = self.sections.iter().map(Section::text);
        Proposal {
            uci: sections.collect::<Vec<_>>().join("\n"),
            commands: self.commands,
            notes: self.notes.into_iter().map(|(_, note)| note).collect(),
        }
    }
}

/// A mistake without the file and line that it is on.
fn without_place(line: &str) -> String {
    let rest = line.strip_prefix("proposal:").unwrap_or(line);
    let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit() || c == ':');
    rest.trim().to_owned()
}
