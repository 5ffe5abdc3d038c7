//! JSON read field by field, each mistake told with its path.

use serde_json::{Map, Value};

use crate::text::is_dangerous;

/// A value, and where it stands.
#[derive(Clone, Copy)]
pub(super) struct At<'a> {
    value: &'a Value,
    place: Place<'a>,
}

/// An object whose members are read.
#[derive(Clone, Copy)]
pub(super) struct Object<'a> {
    pub(super) members: &'a Map<String, Value>,
    place: Place<'a>,
}

/// `name` of the object, or number of the list, that is at `of`. Written out only for an error.
#[derive(Clone, Copy)]
struct Place<'a> {
    /// The last steps, the innermost last.
    steps: [Step<'a>; STEPS],
}

const STEPS: usize = 4;

#[derive(Clone, Copy)]
enum Step<'a> {
    None,
    Name(&'a str),
    Number(usize),
}

impl<'a> Place<'a> {
    fn then(self, step: Step<'a>) -> Place<'a> {
        let [_, b, c, d] = self.steps;
        Place {
            steps: [b, c, d, step],
        }
    }

    /// The last few steps: enough to find it, and no longer than what a device wrote is let be.
    fn words(&self) -> String {
        let mut out = String::new();
        for step in &self.steps {
            match step {
                Step::None => {}
                Step::Name(name) if out.is_empty() => out.push_str(&crate::text::clip(name)),
                Step::Name(name) => {
                    out.push('.');
                    out.push_str(&crate::text::clip(name));
                }
                Step::Number(number) => out.push_str(&format!("[{number}]")),
            }
        }
        match out.is_empty() {
            true => "the file".to_owned(),
            false => out,
        }
    }
}

impl<'a> At<'a> {
    pub(super) fn root(value: &'a Value) -> At<'a> {
        let place = Place {
            steps: [Step::None; STEPS],
        };
        At { value, place }
    }

    /// `PLACE: found …, expected …`.
    pub(super) fn wrong(&self, expected: &str) -> String {
        let found = match self.value {
            Value::Null => "null".to_owned(),
            Value::Bool(value) => value.to_string(),
            Value::Number(value) => value.to_string(),
            Value::String(text) => format!("'{}'", crate::text::clip(text)),
            Value::Array(items) => format!("a list of {}", items.len()),
            Value::Object(members) => format!("an object of {}", members.len()),
        };
        format!("{}: found {found}, expected {expected}", self.place.words())
    }

    pub(super) fn object(&self) -> Result<Object<'a>, String> {
        match self.value {
            Value::Object(members) => Ok(Object {
                members,
                place: self.place,
            }),
            _ => Err(self.wrong("an object")),
        }
    }

    pub(super) fn list(
        &self,
        most: usize,
    ) -> Result<impl Iterator<Item = At<'a>> + use<'a>, String> {
        let place = self.place;
        match self.value {
            Value::Array(items) if items.len() <= most => {
                Ok(items.iter().enumerate().map(move |(number, value)| At {
                    value,
                    place: place.then(Step::Number(number)),
                }))
            }
            _ => Err(self.wrong(&format!("a list of at most {most}"))),
        }
    }

    pub(super) fn text(&self, most: usize) -> Result<&'a str, String> {
        match self.value {
            Value::String(text) if text.len() <= most => Ok(text),
            _ => Err(self.wrong(&format!("a text of at most {most} bytes"))),
        }
    }

    pub(super) fn number(&self, from: u64, to: u64) -> Result<u64, String> {
        let number = self.value.as_u64();
        let number = number.filter(|number| (from..=to).contains(number));
        number.ok_or_else(|| self.wrong(&format!("a number from {from} to {to}")))
    }

    pub(super) fn truth(&self) -> Result<bool, String> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong("true or false"))
    }
}

impl<'a> Object<'a> {
    /// A member that may be missing.
    pub(super) fn find(&self, name: &'static str) -> Option<At<'a>> {
        self.members.get(name).map(|value| At {
            value,
            place: self.place.then(Step::Name(name)),
        })
    }

    /// A member that has to be there.
    pub(super) fn get(&self, name: &'static str) -> Result<At<'a>, String> {
        self.find(name).ok_or_else(|| {
            let place = self.place.words();
            format!("{place}: found no {name}")
        })
    }

    /// The members' names, and the members.
    pub(super) fn each(&self) -> impl Iterator<Item = (&'a str, At<'a>)> + use<'a> {
        let place = self.place;
        self.members.iter().map(move |(name, value)| {
            let at = At {
                value,
                place: place.then(Step::Name(name)),
            };
            (name.as_str(), at)
        })
    }
}

/// A text on one line, fit to be shown.
pub(super) fn line(at: &At<'_>, most: usize) -> Result<String, String> {
    let text = at.text(most)?;
    match text.chars().any(is_dangerous) {
        false => Ok(text.to_owned()),
        true => Err(at.wrong("printable text")),
    }
}
