//! Holds what was read against the table, and reports all that does not fit.

use std::collections::HashMap;

use super::mistake::{ConfigError, found};
use super::schema::{Absent, LIST_MAX, Naming, Row, Section, nearest};

use super::table::SECTIONS;
use super::uci::{RawOption, RawSection};

/// Bytes that a section's name may have.
const NAME_MAX: usize = 32;

/// The sections of a file that are of a known type.
pub(super) struct Checked {
    pub(super) sections: Vec<Place>,
}

/// A section, and its place in messages.
pub(super) struct Place {
    pub(super) schema: &'static Section,
    pub(super) raw: RawSection,
    /// Whether it is without mistakes in itself.
    pub(super) fits: bool,
    /// Whether its name, or that it has none, is without mistakes.
    is_named_well: bool,
    /// The options that have a mistake, or are missing.
    mistaken: Vec<&'static str>,
    /// What it is called in messages: `listener 'tls'`, `device @device[0]`.
    pub(super) label: String,
    /// Its own name, or `@type[index]` as `uci show` has it.
    pub(super) name: String,
}

impl Place {
    /// Whether these options can be gone by, whatever is wrong with the others. Without a proper
    /// name it may be meant to change another section.
    pub(super) fn is_sound(&self, options: &[&str]) -> bool {
        self.is_named_well && !self.mistaken.iter().any(|name| options.contains(name))
    }

    /// The line of an option, or of the section; None for what is built in.
    pub(super) fn line(&self, option: &str) -> Option<u32> {
        let option = self.raw.options.iter().find(|given| given.name == option);
        line(option.map_or(self.raw.line, |option| option.line))
    }
}

/// Line 0 is what is built in.
fn line(line: u32) -> Option<u32> {
    Some(line).filter(|line| *line > 0)
}

/// Lays the sections of the file over the built-in ones: a section of the same type and name
/// changes the options that it has, and no others.
pub(super) fn overlay(file: Vec<RawSection>, builtin: Vec<RawSection>) -> Vec<RawSection> {
    let mut sections = file;
    for section in &mut sections {
        // UCI knows no empty option: setting one removes it.
        section
            .options
            .retain(|option| option.list || !option.value.is_empty());
    }
    let mut untouched = Vec::new();
    for mut default in builtin {
        default.line = 0;
        for option in &mut default.options {
            option.line = 0;
        }
        let own = sections
            .iter_mut()
            .find(|section| section.kind == default.kind && section.name == default.name);
        match own {
            Some(own) => {
                let given: Vec<String> = own.options.iter().map(|o| o.name.clone()).collect();
                default
                    .options
                    .retain(|option| !given.contains(&option.name));
                own.options.append(&mut default.options);
            }
            None => untouched.push(default),
        }
    }
    // In front, so that of two that clash the one in the file is to blame.
    untouched.append(&mut sections);
    untouched
}

/// Checks every section by itself, and every reference from one to another.
pub(super) fn check(sections: Vec<RawSection>, errors: &mut ConfigError) -> Checked {
    let names: Vec<(String, String)> = sections
        .iter()
        .filter_map(|section| Some((section.kind.clone(), section.name.clone()?)))
        .collect();
    let mut counts: HashMap<&str, usize> = HashMap::new();
    let mut seen: HashMap<String, u32> = HashMap::new();
    let mut checked = Vec::new();
    for raw in sections {
        let Some(schema) = SECTIONS.iter().find(|schema| schema.kind == raw.kind) else {
            let kinds: Vec<&str> = SECTIONS.iter().map(|schema| schema.kind).collect();
            let place = format!("section type '{}'", raw.kind);
            let what = format!("unknown, expected one of: {}", kinds.join(", "));
            errors.push(
                line(raw.line),
                place,
                what + &did_you_mean(&raw.kind, kinds),
            );
            continue;
        };
        let count = counts.entry(schema.kind).or_default();
        let name = raw
            .name
            .clone()
            .unwrap_or_else(|| format!("@{}[{count}]", schema.kind));
        *count = count.saturating_add(usize::from(raw.line > 0));
        let label = match &raw.name {
            Some(name) => format!("{} '{name}'", schema.kind),
            None => format!("{} {name}", schema.kind),
        };
        if *count > schema.max && *count == schema.max.saturating_add(1) && schema.max > 1 {
            let what = format!("too many, expected at most {}", schema.max);
            errors.push(line(raw.line), label.clone(), what);
        }
        // One name for two sections: UCI would merge them, or refuse the file.
        if let (Some(name), true) = (&raw.name, raw.line > 0) {
            if let Some(first) = seen.get(name) {
                let what = format!("the name is taken by the section on line {first}");
                errors.push(line(raw.line), label.clone(), what);
            } else {
                seen.insert(name.clone(), raw.line);
            }
        }
        let before = errors.count();
        let is_named_well = check_name(schema, &raw, &label, errors);
        let mistaken = check_options(schema, &raw, &label, &names, errors);
        checked.push(Place {
            schema,
            raw,
            fits: errors.count() == before,
            is_named_well,
            mistaken,
            label,
            name,
        });
    }
    Checked { sections: checked }
}

fn check_name(schema: &Section, raw: &RawSection, label: &str, errors: &mut ConfigError) -> bool {
    let given = raw.name.as_deref();
    let expected = match (schema.naming, given) {
        (Naming::Only(only), name) if name != Some(only) => format!("the only one, '{only}'"),
        (Naming::Named, None) => "a name".into(),
        (_, Some(name)) if name.len() > NAME_MAX => {
            format!("a name of at most {NAME_MAX} characters")
        }
        _ => return true,
    };
    let what = found(given.unwrap_or_default(), expected);
    errors.push(line(raw.line), format!("{label}: name"), what);
    false
}

/// The options of the table that have a mistake, or are missing.
fn check_options(
    schema: &Section,
    raw: &RawSection,
    label: &str,
    names: &[(String, String)],
    errors: &mut ConfigError,
) -> Vec<&'static str> {
    let mut mistaken = Vec::new();
    let mut note = |at: u32, option: &str, what: String| {
        errors.push(line(at), format!("{label}: option {option}"), what);
    };
    let mut counts: HashMap<&str, usize> = HashMap::new();
    for given in &raw.options {
        let Some(row) = schema.options.iter().find(|row| row.name() == given.name) else {
            let known = schema.options.iter().map(|row| row.name());
            let what = format!("unknown in a '{}' section", schema.kind);
            note(
                given.line,
                &given.name,
                what + &did_you_mean(&given.name, known),
            );
            continue;
        };
        let count = counts.entry(row.name()).or_default();
        *count = count.saturating_add(1);
        if let Some(what) = misfit(*row, given, *count, names) {
            note(given.line, &given.name, what);
            mistaken.push(row.name());
        }
    }
    for row in schema.options {
        if matches!(row.absent(), Absent::Mistake) && !counts.contains_key(row.name()) {
            note(raw.line, row.name(), found("", row.expected()));
            mistaken.push(row.name());
        }
    }
    mistaken
}

/// What is wrong with the `count`th value of an option.
fn misfit(
    row: &dyn Row,
    given: &RawOption,
    count: usize,
    names: &[(String, String)],
) -> Option<String> {
    let value = given.value.as_str();
    if given.list && !row.list() {
        return Some(found("list", "an 'option' line"));
    }
    if count > 1 && !row.list() {
        return Some(found(value, "no second value"));
    }
    if count > LIST_MAX {
        return Some(found(value, format_args!("at most {LIST_MAX} values")));
    }
    let Some(kind) = row.refers_to() else {
        return (!row.accepts(value)).then(|| found(value, row.expected()));
    };
    let mut known = names
        .iter()
        .filter(|(of, _)| of == kind)
        .map(|(_, name)| name.as_str());
    if known.clone().any(|name| name == value) {
        return None;
    }
    Some(found(value, row.expected()) + &did_you_mean(value, known.by_ref()))
}

fn did_you_mean<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates)
        .map(|name| format!(" (did you mean '{name}'?)"))
        .unwrap_or_default()
}
