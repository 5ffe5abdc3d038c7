//! The ubus object `uci` as rpcd has it, for one configuration file: changes are staged, and written
//! and told to the daemon when they are applied.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::{Map, Value, json};

/// The status of libubus for each kind of failure.
const INVALID_ARGUMENT: u32 = 2;
const NOT_FOUND: u32 = 4;
const NO_DATA: u32 = 5;
const PERMISSION_DENIED: u32 = 6;

/// The configuration file and what is staged for it.
#[derive(Debug)]
pub(super) struct Uci {
    file: PathBuf,
    /// The file with its changes; None while there are none.
    staged: Option<Vec<Section>>,
    changes: Vec<Value>,
    /// What was applied is taken back by a router unless somebody confirms it.
    awaits_confirmation: bool,
}

#[derive(Clone, Debug, Default, PartialEq)]
struct Section {
    kind: String,
    name: String,
    is_anonymous: bool,
    /// Text, or a list of texts.
    options: Vec<(String, Value)>,
}

impl Uci {
    pub(super) fn new(file: &Path) -> Self {
        Self {
            file: file.to_owned(),
            staged: None,
            changes: Vec::new(),
            awaits_confirmation: false,
        }
    }

    /// Whether rpcd would apply what is staged: one thing after the other, and not nothing.
    pub(super) fn may_apply(&self) -> Result<(), u32> {
        match (self.awaits_confirmation, &self.staged) {
            (true, _) => Err(PERMISSION_DENIED),
            (false, None) => Err(NO_DATA),
            (false, Some(_)) => Ok(()),
        }
    }

    /// What was applied is to be confirmed. Nothing is rolled back here: [`Uci::is_awaiting`] says
    /// what would be.
    pub(super) fn await_confirmation(&mut self) {
        self.awaits_confirmation = true;
    }

    pub(super) fn confirm(&mut self) -> Result<(), u32> {
        match std::mem::take(&mut self.awaits_confirmation) {
            true => Ok(()),
            false => Err(NO_DATA),
        }
    }

    pub(super) fn is_awaiting(&self) -> bool {
        self.awaits_confirmation
    }

    /// The configuration's name: that of its file.
    pub(super) fn package(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    /// Answers a method, with null where rpcd answers without data, or fails with a status of libubus.
    pub(super) fn call(&mut self, method: &str, arguments: &Value) -> Result<Value, u32> {
        let text = |name: &str| arguments.get(name).and_then(Value::as_str);
        if method == "changes" {
            return Ok(json!({ "changes": { self.package(): self.changes } }));
        }
        // How the owner likes LuCI's own tables: as it comes.
        if (method, text("config")) == ("get", Some("luci")) {
            return Ok(json!({ "values": {} }));
        }
        if text("config") != Some(self.package().as_str()) {
            return Err(NOT_FOUND);
        }
        let sections = match self.staged.clone() {
            Some(staged) => staged,
            None => read(&self.file).map_err(|_| NO_DATA)?,
        };
        match method {
            "get" => get(&sections, text("section"), text("option")),
            "add" => self.add(sections, arguments),
            "set" => self.set(sections, arguments),
            "delete" => self.delete(sections, arguments),
            "order" => self.order(sections, arguments),
            "revert" => {
                self.revert();
                Ok(Value::Null)
            }
            _ => Err(NOT_FOUND),
        }
    }

    /// Writes what is staged. True if there was anything.
    pub(super) fn commit(&mut self) -> Result<bool> {
        let Some(staged) = self.staged.take() else {
            return Ok(false);
        };
        self.changes.clear();
        // As `uci commit` does: whoever reads finds the old file or the new one.
        let new = self.file.with_extension("uci-new");
        fs::write(&new, write(&staged))?;
        fs::rename(new, &self.file)?;
        Ok(true)
    }

    /// Forgets what is staged.
    pub(super) fn revert(&mut self) {
        self.staged = None;
        self.changes.clear();
    }

    fn add(&mut self, mut sections: Vec<Section>, arguments: &Value) -> Result<Value, u32> {
        let kind = arguments.get("type").and_then(Value::as_str);
        let kind = kind.ok_or(INVALID_ARGUMENT)?.to_owned();
        let given = arguments.get("name").and_then(Value::as_str);
        let name = match given {
            Some(name) if is_name(name) => name.to_owned(),
            Some(_) => return Err(INVALID_ARGUMENT),
            None => anonymous(sections.len(), &kind),
        };
        if sections.iter().any(|section| section.name == name) {
            return Err(INVALID_ARGUMENT);
        }
        let mut section = Section {
            kind: kind.clone(),
            name: name.clone(),
            is_anonymous: given.is_none(),
            options: Vec::new(),
        };
        self.changes.push(json!(["add", name, kind]));
        self.put(&mut section, arguments)?;
        sections.push(section);
        self.staged = Some(sections);
        Ok(json!({ "section": name }))
    }

    fn set(&mut self, mut sections: Vec<Section>, arguments: &Value) -> Result<Value, u32> {
        let section = find(&mut sections, arguments)?;
        self.put(section, arguments)?;
        self.staged = Some(sections);
        Ok(Value::Null)
    }

    /// Puts the `values` of a call into a section.
    fn put(&mut self, section: &mut Section, arguments: &Value) -> Result<(), u32> {
        let values = arguments.get("values").and_then(Value::as_object);
        for (option, value) in values.into_iter().flatten() {
            let value = as_uci(value).ok_or(INVALID_ARGUMENT)?;
            self.changes
                .push(json!(["set", section.name, option, value]));
            match section.options.iter_mut().find(|(name, _)| name == option) {
                Some((_, old)) => *old = value,
                None => section.options.push((option.clone(), value)),
            }
        }
        Ok(())
    }

    fn delete(&mut self, mut sections: Vec<Section>, arguments: &Value) -> Result<Value, u32> {
        let name = find(&mut sections, arguments)?.name.clone();
        let one = arguments.get("option").and_then(Value::as_str);
        let many = arguments.get("options").and_then(Value::as_array);
        let options: Vec<&str> = many
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .chain(one)
            .collect();
        if options.is_empty() {
            sections.retain(|section| section.name != name);
            self.changes.push(json!(["remove", name]));
        }
        for option in options {
            let section = find(&mut sections, arguments)?;
            section.options.retain(|(name, _)| name != option);
            self.changes.push(json!(["remove", name, option]));
        }
        self.staged = Some(sections);
        Ok(Value::Null)
    }

    fn order(&mut self, mut sections: Vec<Section>, arguments: &Value) -> Result<Value, u32> {
        let wanted = arguments.get("sections").and_then(Value::as_array);
        let wanted = wanted.ok_or(INVALID_ARGUMENT)?;
        sections.sort_by_key(|section| {
            let at = wanted.iter().position(|name| *name == section.name);
            at.unwrap_or(usize::MAX)
        });
        self.staged = Some(sections);
        Ok(Value::Null)
    }
}

fn find<'a>(sections: &'a mut [Section], arguments: &Value) -> Result<&'a mut Section, u32> {
    let name = arguments.get("section").and_then(Value::as_str);
    let name = name.ok_or(INVALID_ARGUMENT)?;
    let mut sections = sections.iter_mut();
    sections
        .find(|section| section.name == name)
        .ok_or(NOT_FOUND)
}

fn get(sections: &[Section], section: Option<&str>, option: Option<&str>) -> Result<Value, u32> {
    let Some(name) = section else {
        let values = sections.iter().enumerate();
        let values: Map<String, Value> = values
            .map(|(index, section)| (section.name.clone(), section.json(index)))
            .collect();
        return Ok(json!({ "values": values }));
    };
    let index = sections.iter().position(|section| section.name == name);
    let index = index.ok_or(NOT_FOUND)?;
    let section = sections.get(index).ok_or(NOT_FOUND)?;
    match option {
        None => Ok(json!({ "values": section.json(index) })),
        Some(option) => section
            .options
            .iter()
            .find(|(name, _)| name == option)
            .map(|(_, value)| json!({ "value": value }))
            .ok_or(NOT_FOUND),
    }
}

/// A value as UCI has it: text, or a list of texts.
fn as_uci(value: &Value) -> Option<Value> {
    match value {
        Value::String(_) => Some(value.clone()),
        Value::Bool(value) => Some(json!(if *value { "1" } else { "0" })),
        Value::Number(value) => Some(json!(value.to_string())),
        Value::Array(values) => values.iter().map(as_uci).collect(),
        Value::Null | Value::Object(_) => None,
    }
}

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(fits)
}

/// The name that UCI gives the section at `index`, which has none: as long as nothing before it
/// changes, it is the same the next time.
fn anonymous(index: usize, kind: &str) -> String {
    let hash = kind.bytes().fold(5381_u16, |hash, byte| {
        hash.wrapping_mul(33).wrapping_add(u16::from(byte))
    });
    format!("cfg{index:02x}{hash:04x}")
}

impl Section {
    fn json(&self, index: usize) -> Value {
        let mut section: Map<String, Value> = self.options.iter().cloned().collect();
        section.insert(".type".to_owned(), json!(self.kind));
        section.insert(".name".to_owned(), json!(self.name));
        section.insert(".anonymous".to_owned(), json!(self.is_anonymous));
        section.insert(".index".to_owned(), json!(index));
        Value::Object(section)
    }
}

fn read(file: &Path) -> Result<Vec<Section>> {
    let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
    let mut sections: Vec<Section> = Vec::new();
    for line in text.lines() {
        let words = words(line);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        match *words.as_slice() {
            [] => {}
            ["config", kind] => sections.push(Section {
                kind: kind.to_owned(),
                name: anonymous(sections.len(), kind),
                is_anonymous: true,
                options: Vec::new(),
            }),
            ["config", kind, name] => sections.push(Section {
                kind: kind.to_owned(),
                name: name.to_owned(),
                is_anonymous: false,
                options: Vec::new(),
            }),
            [how @ ("option" | "list"), name, value] => {
                let section = sections.last_mut().context("an option without a section")?;
                section.read(how == "list", name, value);
            }
            _ => bail!("{}: not UCI: {line}", file.display()),
        }
    }
    Ok(sections)
}

impl Section {
    fn read(&mut self, is_list: bool, name: &str, value: &str) {
        let known = self.options.iter_mut().find(|(known, _)| known == name);
        match known {
            Some((_, Value::Array(values))) if is_list => values.push(json!(value)),
            Some((_, old)) => *old = json!(value),
            None if is_list => self.options.push((name.to_owned(), json!([value]))),
            None => self.options.push((name.to_owned(), json!(value))),
        }
    }
}

/// The words of a line; those in quotes may have spaces, and quotes may follow each other.
fn words(line: &str) -> Vec<String> {
    let (mut words, mut word, mut quote) = (Vec::new(), None::<String>, None);
    let mut chars = line.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => word.get_or_insert_default().extend(chars.next()),
            (Some(_), c) => word.get_or_insert_default().push(c),
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '#') if word.is_none() => break,
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (None, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

fn write(sections: &[Section]) -> String {
    let quoted = |text: &str| format!("'{}'", text.replace('\'', "'\\''"));
    let mut text = String::new();
    for section in sections {
        text.push_str(&format!("\nconfig {}", section.kind));
        if !section.is_anonymous {
            text.push_str(&format!(" {}", quoted(&section.name)));
        }
        text.push('\n');
        for (name, value) in &section.options {
            let (how, values) = match value {
                Value::Array(values) => ("list", values.as_slice()),
                value => ("option", std::slice::from_ref(value)),
            };
            for value in values.iter().filter_map(Value::as_str) {
                text.push_str(&format!("\t{how} {name} {}\n", quoted(value)));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let text = "# a comment\nconfig mqttguard 'main'\n\toption hostname \"it's \\\"here\\\"\"\n\
                    \tlist network lan\n\tlist network 'guest'   # why\n\nconfig device\n\
                    \toption name 'it'\\''s'\n";
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), text).unwrap();
        let sections = read(file.path()).unwrap();
        assert_eq!(
            sections[0].options,
            [
                ("hostname".to_owned(), json!("it's \"here\"")),
                ("network".to_owned(), json!(["lan", "guest"]))
            ]
        );
        assert!(sections[1].is_anonymous);
        assert_eq!(sections[1].options, [("name".to_owned(), json!("it's"))]);
        fs::write(file.path(), write(&sections)).unwrap();
        assert_eq!(read(file.path()).unwrap(), sections);
    }

    #[test]
    fn changes_wait_until_they_are_applied() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("mqttguard");
        fs::write(&file, "config mqttguard 'main'\n\toption mode 'enforce'\n").unwrap();
        let mut uci = Uci::new(&file);
        let call = |uci: &mut Uci, method: &str, arguments: Value| {
            let mut arguments = arguments;
            arguments["config"] = json!("mqttguard");
            uci.call(method, &arguments)
        };
        let set = json!({ "section": "main", "values": { "mode": "monitor", "network": ["lan"] } });
        call(&mut uci, "set", set).unwrap();
        let added = call(&mut uci, "add", json!({ "type": "device" })).unwrap();
        let name = added["section"].as_str().unwrap().to_owned();
        let values = json!({ "section": name, "values": { "mac": "02:00:00:00:00:01" } });
        call(&mut uci, "set", values).unwrap();
        let got = call(&mut uci, "get", json!({})).unwrap();
        assert_eq!(got["values"]["main"]["mode"], "monitor");
        assert_eq!(got["values"][&name]["mac"], "02:00:00:00:00:01");
        assert!(fs::read_to_string(&file).unwrap().contains("enforce"));
        assert!(uci.commit().unwrap());
        assert!(!uci.commit().unwrap());
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "\nconfig mqttguard 'main'\n\toption mode 'monitor'\n\tlist network 'lan'\n\n\
             config device\n\toption mac '02:00:00:00:00:01'\n"
        );
        call(
            &mut uci,
            "delete",
            json!({ "section": "main", "options": ["mode"] }),
        )
        .unwrap();
        call(&mut uci, "delete", json!({ "section": name })).unwrap();
        assert_eq!(
            call(&mut uci, "delete", json!({ "section": name })),
            Err(NOT_FOUND)
        );
        uci.commit().unwrap();
        assert_eq!(
            fs::read_to_string(&file).unwrap(),
            "\nconfig mqttguard 'main'\n\tlist network 'lan'\n"
        );
    }
}
