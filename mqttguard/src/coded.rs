//! What is told in two ways: as a sentence of ours, and as a code with values. The codes stay as they
//! are; of a code that it knows, the web interface makes a sentence in the owner's language.

use std::fmt;

use serde_json::{Map, Value};

/// Something to tell; [`fmt::Display`] is the sentence, without a capital and a full stop.
pub trait Coded: fmt::Display {
    /// What it is.
    fn code(&self) -> &'static str;

    /// What the sentence has beside its own words. May hold hostile text.
    fn values(&self) -> Vec<(&'static str, Value)>;

    /// As ubus shows it: `code`, `message` (the sentence), and the values.
    fn to_json(&self) -> Value {
        let mut out = Map::new();
        out.insert("code".to_owned(), self.code().into());
        out.insert("message".to_owned(), self.to_string().into());
        for (name, value) in self.values() {
            out.insert(name.to_owned(), value);
        }
        out.retain(|_, value| !value.is_null());
        Value::Object(out)
    }
}

/// What the reference tells of one: its code, the names of its values, and the sentence.
pub(crate) struct Told {
    pub(crate) code: &'static str,
    pub(crate) values: Vec<&'static str>,
    pub(crate) sentence: String,
}

/// What the reference tells of each of these.
pub(crate) fn told<T: Coded>(samples: &[T]) -> Vec<Told> {
    let told = samples.iter().map(|sample| Told {
        code: sample.code(),
        values: sample.values().into_iter().map(|(name, _)| name).collect(),
        sentence: sample.to_string(),
    });
    told.collect()
}

/// The codes that the `fn code` of a source has, which stands first in it or behind `after`.
#[cfg(test)]
pub(crate) fn codes_of(source: &str, after: &str) -> std::collections::BTreeSet<String> {
    let (_, rest) = source.split_once(after).expect("there");
    let (_, body) = rest.split_once("fn code(").expect("there");
    let (body, _) = body.split_once("\n    }").expect("there");
    let literals = body.split('"').skip(1).step_by(2);
    literals.map(str::to_owned).collect()
}
