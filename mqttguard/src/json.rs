//! JSON from literals. serde_json's `json!` puts every member in by code of its own, which was a
//! twentieth of the daemon's program; this one makes a list of them, and one loop puts them in.

use serde::Serialize;
use serde_json::Value;

/// A [`Value`] from a literal, as serde_json's `json!` has it; the keys of objects are literals
/// too. What cannot be JSON, a map whose keys are no texts, becomes null.
macro_rules! json {
    ({ $($members:tt)* }) => {
        $crate::json::object(&mut $crate::json::members!([] $($members)*))
    };
    ([ $($elements:tt)* ]) => {
        serde_json::Value::Array($crate::json::elements!([] $($elements)*))
    };
    (null) => {
        serde_json::Value::Null
    };
    ($value:expr) => {
        $crate::json::value(&$value)
    };
}

/// The members of an object: what is made of them already comes first.
macro_rules! members {
    ([$($done:tt)*]) => {
        [$($done)*]
    };
    ([$($done:tt)*] $key:literal: { $($value:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::members!([$($done)* ($key, $crate::json::json!({ $($value)* })),] $($($rest)*)?)
    };
    ([$($done:tt)*] $key:literal: [ $($value:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::json::members!([$($done)* ($key, $crate::json::json!([ $($value)* ])),] $($($rest)*)?)
    };
    ([$($done:tt)*] $key:literal: null $(, $($rest:tt)*)?) => {
        $crate::json::members!([$($done)* ($key, serde_json::Value::Null),] $($($rest)*)?)
    };
    ([$($done:tt)*] $key:literal: $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::members!([$($done)* ($key, $crate::json::value(&$value)),] $($($rest)*)?)
    };
}

/// The elements of an array, likewise.
macro_rules! elements {
    ([$($done:tt)*]) => {
        vec![$($done)*]
    };
    ([$($done:tt)*] { $($value:tt)* } $(, $($rest:tt)*)?) => {
        $crate::json::elements!([$($done)* $crate::json::json!({ $($value)* }),] $($($rest)*)?)
    };
    ([$($done:tt)*] [ $($value:tt)* ] $(, $($rest:tt)*)?) => {
        $crate::json::elements!([$($done)* $crate::json::json!([ $($value)* ]),] $($($rest)*)?)
    };
    ([$($done:tt)*] null $(, $($rest:tt)*)?) => {
        $crate::json::elements!([$($done)* serde_json::Value::Null,] $($($rest)*)?)
    };
    ([$($done:tt)*] $value:expr $(, $($rest:tt)*)?) => {
        $crate::json::elements!([$($done)* $crate::json::value(&$value),] $($($rest)*)?)
    };
}

pub(crate) use {elements, json, members};

/// An object of these members, whose values are taken.
pub(crate) fn object(members: &mut [(&str, Value)]) -> Value {
    let members = members.iter_mut();
    Value::Object(
        members
            .map(|(name, value)| ((*name).to_owned(), value.take()))
            .collect(),
    )
}

/// What this is as JSON.
pub(crate) fn value<T: Serialize + ?Sized>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    #[test]
    fn it_makes_what_serde_json_makes() {
        let (number, name, none) = (7u64, "plug".to_owned(), None::<u8>);
        assert_eq!(
            json!({
                "number": number + 1,
                "name": if number == 7 { &name } else { "" },
                "none": none,
                "null": null,
                "true": true,
                "map": (1..3).map(|n| json!({ "n": n })).collect::<Vec<_>>(),
                "nested": { "empty": {}, "list": [1, "two", { "three": [] }, [4, null]], },
            }),
            serde_json::json!({
                "number": number + 1,
                "name": if number == 7 { &name } else { "" },
                "none": none,
                "null": null,
                "true": true,
                "map": (1..3).map(|n| serde_json::json!({ "n": n })).collect::<Vec<_>>(),
                "nested": { "empty": {}, "list": [1, "two", { "three": [] }, [4, null]], },
            })
        );
        assert_eq!(json!(null), serde_json::Value::Null);
        assert_eq!(json!([name, none]), serde_json::json!(["plug", null]));
    }
}
