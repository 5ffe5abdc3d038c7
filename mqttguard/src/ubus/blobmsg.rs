//! JSON to blobmsg and back.
//!
//! Integers go out as libubox's `blobmsg_add_json_element` sends them: INT32 where they fit, or
//! objects written in C that ask for INT32 would not find them. Text comes in lossily: hostnames
//! are whatever a device sent, and one bad byte must not hide a whole message.

use serde_json::{Map, Number, Value};
use ubus::{BlobBuilder, BlobIter, BlobMsgTable, BlobRef, BlobType, BlobValue};

/// Deeper nesting than this is refused, either way.
const MAX_DEPTH: usize = 32;

/// Most bytes of a table in one message: libubus's `UBUS_MAX_MSGLEN` of 1 MiB, less the envelope.
pub(super) const MAX_TABLE: usize = ubus::wire::MAX_MSG_LEN - 256;

/// A value that cannot be put into, or read from, a message.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlobError {
    /// Larger than a bus message may be.
    #[error("the message has {0} bytes, the bus takes {MAX_TABLE}")]
    TooLarge(usize),
    /// Nested too deeply.
    #[error("the message is nested more than {MAX_DEPTH} levels deep")]
    TooDeep,
    /// A member's name that blobmsg cannot carry.
    #[error("a member's name has a NUL character or more than 65535 bytes")]
    Name,
    /// Broken bytes.
    #[error("the message is malformed: {0}")]
    Malformed(String),
}

/// Encodes an object's members as a table.
pub(crate) fn encode(members: &Map<String, Value>) -> Result<BlobMsgTable, BlobError> {
    let mut size = 0;
    for (name, value) in members {
        measure(Some(name), value, 1, &mut size)?;
    }
    if size > MAX_TABLE {
        return Err(BlobError::TooLarge(size));
    }
    Ok(BlobMsgTable::build(|builder| {
        for (name, value) in members {
            push(builder, Some(name), value);
        }
    }))
}

/// Adds up what `value` takes on the wire, checking what the encoder would panic on.
fn measure(
    name: Option<&str>,
    value: &Value,
    depth: usize,
    size: &mut usize,
) -> Result<(), BlobError> {
    if depth > MAX_DEPTH {
        return Err(BlobError::TooDeep);
    }
    let name = name.unwrap_or("");
    if name.len() > usize::from(u16::MAX) || name.contains('\0') {
        return Err(BlobError::Name);
    }
    // Attribute header, name length, name, NUL, padding.
    *size = size.saturating_add(4 + (name.len() + 3).next_multiple_of(4));
    match value {
        Value::Null => {}
        Value::Bool(_) => *size = size.saturating_add(4),
        Value::Number(_) => *size = size.saturating_add(8),
        Value::String(text) => {
            let nuls = text.bytes().filter(|byte| *byte == 0).count();
            *size = size.saturating_add((text.len() + 1 + 2 * nuls).next_multiple_of(4));
        }
        Value::Array(items) => {
            for item in items {
                measure(None, item, depth + 1, size)?;
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                measure(Some(name), member, depth + 1, size)?;
            }
        }
    }
    Ok(())
}

fn push(builder: &mut BlobBuilder, name: Option<&str>, value: &Value) {
    match value {
        Value::Null => builder.put_null(name),
        Value::Bool(value) => builder.put_bool(name, *value),
        Value::Number(number) => push_number(builder, name, number),
        // A text ends at its first NUL on the wire: nothing hostile may hide behind one.
        Value::String(text) if text.contains('\0') => {
            builder.put_str(name, &text.replace('\0', "\u{fffd}"));
        }
        Value::String(text) => builder.put_str(name, text),
        Value::Array(items) => {
            builder.open_array(name);
            for item in items {
                push(builder, None, item);
            }
            builder.close_array();
        }
        Value::Object(members) => {
            builder.open_table(name);
            for (name, member) in members {
                push(builder, Some(name), member);
            }
            builder.close_table();
        }
    }
}

fn push_number(builder: &mut BlobBuilder, name: Option<&str>, number: &Number) {
    if let Some(value) = number.as_i64() {
        match i32::try_from(value) {
            Ok(value) => builder.put_i32(name, value),
            Err(_) => builder.put_i64(name, value),
        }
    } else if number.is_u64() {
        // Above i64::MAX: saturated, as json-c does.
        builder.put_i64(name, i64::MAX);
    } else if let Some(value) = number.as_f64() {
        builder.put_double(name, value);
    }
}

/// Decodes a table's contents. A repeated name counts by its last value.
pub(crate) fn decode(contents: &[u8]) -> Result<Map<String, Value>, BlobError> {
    decode_table(contents, 1)
}

fn decode_table(contents: &[u8], depth: usize) -> Result<Map<String, Value>, BlobError> {
    let mut members = Map::new();
    for_each(contents, depth, |attribute| {
        let value = decode_value(&attribute, depth)?;
        members.insert(attribute.name.unwrap_or("").to_owned(), value);
        Ok(())
    })?;
    Ok(members)
}

fn for_each(
    contents: &[u8],
    depth: usize,
    mut take: impl FnMut(BlobRef<'_>) -> Result<(), BlobError>,
) -> Result<(), BlobError> {
    if depth > MAX_DEPTH {
        return Err(BlobError::TooDeep);
    }
    let mut attributes = BlobIter::new(contents);
    while let Some(attribute) = attributes
        .try_next()
        .map_err(|error| BlobError::Malformed(error.to_string()))?
    {
        take(attribute)?;
    }
    Ok(())
}

fn decode_value(attribute: &BlobRef<'_>, depth: usize) -> Result<Value, BlobError> {
    if attribute.ty == BlobType::String {
        let text = attribute
            .payload
            .split(|byte| *byte == 0)
            .next()
            .unwrap_or_default();
        return Ok(Value::String(String::from_utf8_lossy(text).into_owned()));
    }
    let value = attribute
        .value()
        .map_err(|error| BlobError::Malformed(error.to_string()))?;
    Ok(match value {
        BlobValue::Int8(value) => Value::Bool(value != 0),
        BlobValue::Int16(value) => Value::from(value),
        BlobValue::Int32(value) => Value::from(value),
        BlobValue::Int64(value) => Value::from(value),
        BlobValue::Double(value) => Number::from_f64(value).map_or(Value::Null, Value::Number),
        BlobValue::Table(contents) => Value::Object(decode_table(contents, depth + 1)?),
        BlobValue::Array(contents) => {
            let mut items = Vec::new();
            for_each(contents, depth + 1, |attribute| {
                items.push(decode_value(&attribute, depth + 1)?);
                Ok(())
            })?;
            Value::Array(items)
        }
        BlobValue::String(_) | BlobValue::Raw(_) => Value::Null,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn members(value: Value) -> Map<String, Value> {
        match value {
            Value::Object(members) => members,
            other => panic!("not an object: {other}"),
        }
    }

    #[test]
    fn every_kind_of_value_survives_the_round_trip() {
        let value = members(json!({
            "text": "héllo", "small": -42, "large": 1_795_404_902_000_i64, "real": 3.5,
            "yes": true, "no": false, "nothing": null,
            "list": [1, "two", {"three": [3]}], "empty": {}, "": "nameless",
        }));
        let table = encode(&value).unwrap();
        assert_eq!(decode(table.contents()).unwrap(), value);
    }

    #[test]
    fn integers_are_as_narrow_as_libubox_makes_them() {
        let table = encode(&members(
            json!({"n": 1, "big": 1_i64 << 40, "huge": u64::MAX}),
        ))
        .unwrap();
        let kind = |name: &str| ubus::blobmsg::lookup(table.contents(), name).unwrap().ty;
        assert_eq!(kind("n"), BlobType::Int32);
        assert_eq!(kind("big"), BlobType::Int64);
        assert_eq!(decode(table.contents()).unwrap()["huge"], json!(i64::MAX));
    }

    #[test]
    fn the_measure_is_what_the_encoder_writes() {
        let value = members(json!({"a": [1, 2, true, "xyz"], "bcd": {"": null, "n": 1.5}}));
        let mut size = 0;
        for (name, value) in &value {
            measure(Some(name), value, 1, &mut size).unwrap();
        }
        let written = encode(&value).unwrap().contents().len();
        assert!(
            size >= written && size <= written + 4 * 8,
            "{size} for {written}"
        );
    }

    #[test]
    fn refuses_what_a_message_cannot_carry() {
        assert_eq!(
            encode(&members(json!({"a\0": 1}))).unwrap_err(),
            BlobError::Name
        );
        let long = "x".repeat(MAX_TABLE);
        assert!(matches!(
            encode(&members(json!({"a": long}))),
            Err(BlobError::TooLarge(_))
        ));
        let mut deep = json!(1);
        for _ in 0..=MAX_DEPTH {
            deep = json!([deep]);
        }
        assert_eq!(
            encode(&members(json!({"a": deep}))).unwrap_err(),
            BlobError::TooDeep
        );
    }

    #[test]
    fn nothing_hides_behind_a_nul() {
        let table = encode(&members(json!({"topic": "a\0b"}))).unwrap();
        assert_eq!(
            decode(table.contents()).unwrap()["topic"],
            json!("a\u{fffd}b")
        );
    }

    #[test]
    fn a_bad_byte_in_a_name_does_not_hide_the_message() {
        let table = BlobMsgTable::build(|builder| {
            builder.put_str(Some("mac"), "02:c1:1e:17:00:01");
            builder.put_str(Some("name"), "ab");
        });
        let mut contents = table.contents().to_vec();
        let at = contents
            .windows(3)
            .position(|bytes| bytes == b"ab\0")
            .unwrap();
        contents[at] = 0xff;
        let decoded = decode(&contents).unwrap();
        assert_eq!(decoded["mac"], json!("02:c1:1e:17:00:01"));
        assert_eq!(decoded["name"], json!("\u{fffd}b"));
    }

    #[test]
    fn broken_bytes_are_an_error_at_every_length() {
        let value = members(json!({"a": {"b": [1, 2]}, "c": "text"}));
        let contents = encode(&value).unwrap().contents().to_vec();
        for cut in 1..contents.len() {
            if let Ok(part) = decode(&contents[..cut]) {
                assert!(part.len() < 2 || cut + 4 > contents.len(), "cut at {cut}");
            }
        }
        for at in 0..contents.len() {
            for bit in 0..8 {
                let mut broken = contents.clone();
                broken[at] ^= 1 << bit;
                // Any answer will do, as long as there is one.
                let _ = decode(&broken);
            }
        }
    }
}
