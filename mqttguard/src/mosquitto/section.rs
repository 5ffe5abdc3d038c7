//! UCI text.

/// A section on its way to be written, with comments above it and its options.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    comments: Vec<String>,
    kind: String,
    name: String,
    lines: Vec<String>,
}

impl Section {
    pub(super) fn new(kind: &str, name: &str) -> Section {
        Section {
            kind: kind.to_owned(),
            name: name.to_owned(),
            ..Section::default()
        }
    }

    /// A comment above the section.
    pub(super) fn comment(&mut self, text: &str) {
        self.comments.push(quoted_long(text));
    }

    /// A comment above the next option.
    pub(super) fn remark(&mut self, text: &str) {
        self.lines.push(format!("\t# {}", quoted_long(text)));
    }

    pub(super) fn option(&mut self, name: &str, value: &str) {
        self.lines.push(format!("\toption {name} {}", quote(value)));
    }

    pub(super) fn list(&mut self, name: &str, value: &str) {
        self.lines.push(format!("\tlist {name} {}", quote(value)));
    }

    /// The same under another name.
    pub(super) fn named(&self, name: &str) -> Section {
        Section {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    pub(super) fn is(&self, kind: &str, name: &str) -> bool {
        self.kind == kind && self.name == name
    }

    /// In words.
    pub(super) fn label(&self) -> String {
        format!("config {} '{}'", self.kind, self.name)
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn text(&self) -> String {
        let comments = self.comments.iter().map(|text| format!("# {text}\n"));
        let lines = self.lines.iter().map(|line| format!("{line}\n"));
        let head = format!("config {} {}\n", self.kind, quote(&self.name));
        comments.chain([head]).chain(lines).collect()
    }
}

/// Comments are ours, with pieces of files in them that were made short already.
fn quoted_long(text: &str) -> String {
    crate::text::printable(text).into_owned()
}

/// A value in single quotes; one of its own ends them, stands behind a backslash and begins them
/// again.
pub(super) fn quote(value: &str) -> String {
    format!("'{}'", value.replace('\'', "'\\''"))
}

/// A section's name made of any text: letters, digits and `_`.
pub(super) fn word(text: &str) -> String {
    let word = text.chars().take(32).map(|c| match c {
        c if c.is_ascii_alphanumeric() => c.to_ascii_lowercase(),
        _ => '_',
    });
    let word: String = word.collect();
    match word.trim_matches('_') {
        "" => "unnamed".to_owned(),
        trimmed => trimmed.to_owned(),
    }
}

/// A name that is not among these: with `_2`, `_3` and so on behind it if need be.
pub(super) fn free(wanted: &str, taken: impl Fn(&str) -> bool) -> String {
    if !taken(wanted) {
        return wanted.to_owned();
    }
    let numbered = (2..).map(|number: u32| format!("{wanted}_{number}"));
    let mut free = numbered.filter(|name| !taken(name));
    free.next().unwrap_or_else(|| wanted.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_and_names_are_as_uci_takes_them() {
        let mut section = Section::new("profile", &word("Kitchen's lamp #1"));
        section.comment("line 3\nand more");
        section.list("publish", "it's/#");
        let text = section.text();
        assert_eq!(
            text,
            "# line 3\\nand more\nconfig profile 'kitchen_s_lamp__1'\n\tlist publish 'it'\\''s/#'\n"
        );
        let settings = crate::config::parse("test", &text).unwrap();
        assert_eq!(settings.profiles["kitchen_s_lamp__1"].publish, ["it's/#"]);
        assert_eq!(word("///"), "unnamed");
        assert_eq!(free("a", |name| name == "a" || name == "a_2"), "a_3");
    }
}
