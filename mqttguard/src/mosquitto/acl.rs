//! ACL files: who may read and write which topics.
//!
//! Rules before the first `user` line are of clients without a user name; those behind it of that
//! user; `pattern` rules, wherever they stand, of all. `deny` goes before everything else of its
//! list, and a user's own rules before patterns. mosquitto looks at what a client may read when
//! it sends it a message, not when it subscribes.

use std::collections::BTreeMap;

use super::{Mistake, lines, quoted, without_mark};

/// What a rule says of its topics.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// They may be read.
    Read,
    /// They may be published to.
    Write,
    /// Both.
    ReadWrite,
    /// Neither, whatever else is said.
    Deny,
}

impl Access {
    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Access::Read => "read",
            Access::Write => "write",
            Access::ReadWrite => "readwrite",
            Access::Deny => "deny",
        }
    }

    fn named(name: &str) -> Option<Access> {
        let all = [Access::Read, Access::Write, Access::ReadWrite, Access::Deny];
        all.into_iter().find(|access| access.name() == name)
    }
}

/// A `topic` or `pattern` line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rule {
    /// The line that it is on.
    pub line: u32,
    /// What it says.
    pub access: Access,
    /// Of which topics: a filter; `%u` and `%c` in it stand for user name and client identifier in
    /// patterns only.
    pub topic: String,
}

/// An ACL file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Acl {
    /// Of clients without a user name.
    pub anonymous: Vec<Rule>,
    /// By user name, with the line that names the user first.
    pub users: BTreeMap<String, (u32, Vec<Rule>)>,
    /// Of everybody.
    pub patterns: Vec<Rule>,
}

/// Reads an ACL file.
///
/// # Errors
///
/// Every line that mosquitto would not take either.
pub fn read(text: &str) -> Result<Acl, Vec<Mistake>> {
    let mut acl = Acl::default();
    let mut user: Option<String> = None;
    let mut mistakes = Vec::new();
    for (line, text) in lines(without_mark(text)) {
        let text = text.trim();
        let (keyword, rest) = word(text);
        match keyword {
            "user" if rest.is_empty() => mistakes.push(Mistake {
                line,
                what: "user: found nothing, expected a user name".to_owned(),
            }),
            "user" => {
                acl.users
                    .entry(rest.to_owned())
                    .or_insert_with(|| (line, Vec::new()));
                user = Some(rest.to_owned());
            }
            "topic" | "pattern" => match rule(line, rest) {
                Ok(rule) if keyword == "pattern" => acl.patterns.push(rule),
                Ok(rule) => match user.as_ref().and_then(|name| acl.users.get_mut(name)) {
                    Some((_, rules)) => rules.push(rule),
                    None => acl.anonymous.push(rule),
                },
                Err(what) => mistakes.push(Mistake {
                    line,
                    what: format!("{keyword}: {what}"),
                }),
            },
            other => mistakes.push(Mistake {
                line,
                what: format!(
                    "found '{}', expected one of: user, topic, pattern",
                    quoted(other)
                ),
            }),
        }
    }
    match mistakes.is_empty() {
        true => Ok(acl),
        false => Err(mistakes),
    }
}

/// The first word and the rest, both without blanks around them.
fn word(text: &str) -> (&str, &str) {
    match text.split_once([' ', '\t']) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

fn rule(line: u32, text: &str) -> Result<Rule, String> {
    // The access may be left out, but only of a topic without a blank.
    let (access, topic) = match word(text) {
        (topic, "") => (Access::ReadWrite, topic),
        (name, topic) => match Access::named(name) {
            Some(access) => (access, topic),
            None => {
                return Err(format!(
                    "found '{}', expected one of read, write, readwrite, deny before a topic with \
                     a space in it",
                    quoted(name)
                ));
            }
        },
    };
    if topic.is_empty() {
        return Err("found nothing, expected a topic".to_owned());
    }
    let levels: Vec<&str> = topic.split('/').collect();
    let last = levels.len().saturating_sub(1);
    let is_filter = levels
        .iter()
        .enumerate()
        .all(|(place, level)| match *level {
            "#" => place == last,
            "+" => true,
            level => !level.contains(['+', '#']),
        });
    match is_filter {
        true => Ok(Rule {
            line,
            access,
            topic: topic.to_owned(),
        }),
        false => Err(format!(
            "found '{}', expected '+' and '#' as whole levels, '#' as the last one",
            quoted(topic)
        )),
    }
}

/// What one user may do, to be written.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// The user name.
    pub username: String,
    /// Filters that may be published to.
    pub publish: Vec<String>,
    /// Filters that may be read.
    pub subscribe: Vec<String>,
    /// Filters that may be neither.
    pub deny: Vec<String>,
    /// Comments above the rules, a line each.
    pub comments: Vec<String>,
}

/// An ACL file that grants this.
pub fn write(entries: &[Entry]) -> String {
    let mut out = String::new();
    for entry in entries {
        out.push_str(&format!("user {}\n", entry.username));
        for comment in &entry.comments {
            out.push_str(&format!("# {}\n", quoted(comment)));
        }
        let mut rule = |access: Access, topic: &str| match topic.trim() == topic {
            true => out.push_str(&format!("topic {} {topic}\n", access.name())),
            // mosquitto would read another topic.
            false => out.push_str(&format!(
                "# topic {} {}: a topic that begins or ends with a blank cannot stand here\n",
                access.name(),
                quoted(topic)
            )),
        };
        for topic in &entry.deny {
            rule(Access::Deny, topic);
        }
        for topic in &entry.publish {
            match entry.subscribe.contains(topic) {
                true => rule(Access::ReadWrite, topic),
                false => rule(Access::Write, topic),
            }
        }
        for topic in &entry.subscribe {
            if !entry.publish.contains(topic) {
                rule(Access::Read, topic);
            }
        }
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_that_mosquitto_takes_is_read() {
        let text = "# who may what\r\ntopic read public/#\r\n\r\nuser  lamp\r\ntopic lamp/#\r\n\
            topic read my lamp/state\r\ntopic  deny\tlamp/secret\r\npattern write %c/up\r\n\
            user plug\ntopic write plug/+/x\nuser lamp\ntopic write lamp/2\n";
        let acl = read(text).unwrap();
        let rules = |rules: &[Rule]| -> Vec<(u32, Access, String)> {
            let rules = rules.iter();
            rules
                .map(|one| (one.line, one.access, one.topic.clone()))
                .collect()
        };
        assert_eq!(
            rules(&acl.anonymous),
            [(2, Access::Read, "public/#".into())]
        );
        assert_eq!(
            rules(&acl.users["lamp"].1),
            [
                (5, Access::ReadWrite, "lamp/#".into()),
                (6, Access::Read, "my lamp/state".into()),
                (7, Access::Deny, "lamp/secret".into()),
                (12, Access::Write, "lamp/2".into()),
            ]
        );
        assert_eq!(acl.users["lamp"].0, 4);
        assert_eq!(rules(&acl.patterns), [(8, Access::Write, "%c/up".into())]);
    }

    #[test]
    fn every_mistake_is_named_by_line() {
        let text = "topics read a\nuser\ntopic my lamp\ntopic read\npattern write a/#/b\ntopic\n";
        let found: Vec<String> = read(text)
            .unwrap_err()
            .iter()
            .map(Mistake::to_string)
            .collect();
        // `topic read` is the topic `read`, to mosquitto too.
        assert_eq!(found.len(), 5, "{found:#?}");
        assert!(found[0].starts_with("line 1: found 'topics'"));
        assert!(found[1].starts_with("line 2: user: found nothing"));
        assert!(found[2].starts_with("line 3: topic: found 'my', expected one of read"));
        assert!(found[3].starts_with("line 5: pattern: found 'a/#/b'"));
        assert!(found[4].starts_with("line 6: topic: found nothing"));
    }

    #[test]
    fn what_is_written_is_read_as_it_was_meant() {
        let entry = Entry {
            username: "lamp".into(),
            publish: vec!["lamp/#".into(), "stat/lamp/x y".into()],
            subscribe: vec!["lamp/#".into(), "cmnd/lamp/#".into(), " odd".into()],
            deny: vec!["lamp/secret".into()],
            comments: vec!["one\nline".into()],
        };
        let acl = read(&write(&[entry])).unwrap();
        let rules: Vec<_> = acl.users["lamp"]
            .1
            .iter()
            .map(|one| (one.access, &*one.topic))
            .collect();
        assert_eq!(
            rules,
            [
                (Access::Deny, "lamp/secret"),
                (Access::ReadWrite, "lamp/#"),
                (Access::Write, "stat/lamp/x y"),
                (Access::Read, "cmnd/lamp/#"),
            ]
        );
    }
}
