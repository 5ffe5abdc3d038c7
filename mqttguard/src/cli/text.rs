//! Words and numbers for people. Whatever a device chose goes through [`safe`] on its way to a
//! terminal: a host name may be an escape sequence.

use serde_json::Value;

use crate::calendar;

/// With everything escaped that a terminal would act on or that hides itself: control
/// characters, bidirectional overrides, zero-width and line-separating characters.
pub(super) fn safe(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match is_unsafe(c) {
            true => safe.extend(c.escape_default()),
            false => safe.push(c),
        }
    }
    safe
}

/// As [`safe`], but keeps the lines of a message of more than one.
pub(super) fn safe_lines(text: &str) -> String {
    text.lines().map(safe).collect::<Vec<_>>().join("\n")
}

fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

/// JSON that means the same and has nothing for a terminal to act on.
pub(super) fn safe_json(json: &str) -> String {
    let mut safe = String::with_capacity(json.len());
    for c in json.chars() {
        // Outside strings JSON has no such characters but the newlines of a pretty print.
        if c != '\n' && is_unsafe(c) {
            let mut units = [0u16; 2];
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            safe.push(c);
        }
    }
    safe
}

/// A field of a reply, fit to be shown; `-` where it is missing or null.
pub(super) fn field(object: &Value, name: &str) -> String {
    match object.get(name) {
        None | Some(Value::Null) => "-".into(),
        Some(Value::String(text)) if text.is_empty() => "-".into(),
        Some(Value::String(text)) => safe(text),
        Some(Value::Bool(true)) => "yes".into(),
        Some(Value::Bool(false)) => "no".into(),
        Some(other) => safe(&other.to_string()),
    }
}

/// The line in which the daemon says what was not as it should be when it did as it was told;
/// empty if there is none.
pub(super) fn warning(reply: &Value) -> String {
    match reply.get("warning") {
        Some(Value::String(warning)) => format!("Warning: {}\n", safe(warning)),
        _ => String::new(),
    }
}

/// A number in a reply; 0 where it is missing.
pub(super) fn number(object: &Value, name: &str) -> u64 {
    object.get(name).and_then(Value::as_u64).unwrap_or(0)
}

/// Whether a field of a reply is true.
pub(super) fn truth(object: &Value, name: &str) -> bool {
    object.get(name).and_then(Value::as_bool).unwrap_or(false)
}

/// The strings of an array in a reply, fit to be shown.
pub(super) fn strings(object: &Value, name: &str) -> Vec<String> {
    items(object, name)
        .iter()
        .filter_map(Value::as_str)
        .map(safe)
        .collect()
}

/// The values of an array in a reply.
pub(super) fn items<'a>(object: &'a Value, name: &str) -> &'a [Value] {
    object
        .get(name)
        .and_then(Value::as_array)
        .map_or(&[], Vec::as_slice)
}

/// The numbers of an object in a reply that are not zero, largest first.
pub(super) fn counts(object: &Value, name: &str) -> Vec<(String, u64)> {
    let mut counts: Vec<(String, u64)> = object
        .get(name)
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
        .filter_map(|(name, count)| Some((safe(name), count.as_u64().filter(|count| *count > 0)?)))
        .collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
}

/// Where an exception in a reply reaches: `203.0.113.9/32, port 1883`.
pub(super) fn reach(exception: &Value) -> String {
    let destination = match field(exception, "destination").as_str() {
        "-" => "any address".to_owned(),
        destination => destination.to_owned(),
    };
    match number(exception, "port") {
        0 => destination,
        port => format!("{destination}, port {port}"),
    }
}

/// Until when an exception in a reply holds, and for how long that is.
pub(super) fn until(exception: &Value, now_ms: u64) -> String {
    let end = number(exception, "until_ms");
    match (truth(exception, "holds"), end) {
        (true, 0) => "for good".to_owned(),
        (true, end) => {
            let left = duration(end.saturating_sub(now_ms) / 1000);
            format!("another {left}, until {}", calendar::utc(end))
        }
        (false, 0) => "not now: there is no room for it".to_owned(),
        (false, end) => format!("no more, since {}", calendar::utc(end)),
    }
}

/// `3 plaintext-port, 1 blocked`; `-` for none.
pub(super) fn enumerate(counts: &[(String, u64)]) -> String {
    match counts {
        [] => "-".into(),
        counts => {
            let words: Vec<String> = counts
                .iter()
                .map(|(name, n)| format!("{n} {name}"))
                .collect();
            words.join(", ")
        }
    }
}

/// A number of bytes in the largest unit that leaves a digit before the point.
pub(super) fn bytes(bytes: u64) -> String {
    let mut unit = 1u64;
    let mut name = "B";
    for next in ["kB", "MB", "GB", "TB"] {
        let larger = unit.saturating_mul(1000);
        if bytes < larger {
            break;
        }
        (unit, name) = (larger, next);
    }
    let tenths = bytes.saturating_mul(10).checked_div(unit).unwrap_or(0);
    match unit {
        1 => format!("{bytes} B"),
        _ => format!("{}.{} {name}", tenths / 10, tenths % 10),
    }
}

/// A time in its two largest units: `3d 4h`, `12s`.
pub(super) fn duration(seconds: u64) -> String {
    let (days, hours) = (seconds / 86_400, seconds / 3600 % 24);
    let (minutes, seconds) = (seconds / 60 % 60, seconds % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {seconds}s"),
        (0, _, _) => format!("{hours}h {minutes}m"),
        _ => format!("{days}d {hours}h"),
    }
}

/// How long ago a time in a reply is; `-` where it is missing.
pub(super) fn ago(object: &Value, name: &str, now_ms: u64) -> String {
    match number(object, name) {
        0 => "-".into(),
        then => format!("{} ago", duration(now_ms.saturating_sub(then) / 1000)),
    }
}

/// Milliseconds since the Unix epoch, now.
pub(super) fn now_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_shown_or_escaped() {
        for (text, shown) in [
            ("plug-1 käse 家", "plug-1 käse 家"),
            ("\x1b[2J", "\\u{1b}[2J"),
            ("a\r\nb\tc\0", "a\\r\\nb\\tc\\u{0}"),
            ("\u{7f}\u{9b}", "\\u{7f}\\u{9b}"),
            (
                "\u{202e}\u{200b}\u{feff}\u{2028}\u{e0041}",
                "\\u{202e}\\u{200b}\\u{feff}\\u{2028}\\u{e0041}",
            ),
        ] {
            assert_eq!(safe(text), shown);
            assert_eq!(
                serde_json::from_str::<Value>(&safe_json(&Value::from(text).to_string())).unwrap(),
                text
            );
        }
    }

    #[test]
    fn spans_and_sizes_for_people() {
        for (seconds, shown) in [(0, "0s"), (61, "1m 1s"), (7260, "2h 1m"), (93_784, "1d 2h")] {
            assert_eq!(duration(seconds), shown);
        }
        for (count, shown) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1.0 kB"),
            (1_234_567, "1.2 MB"),
            (u64::MAX, "1844674.4 TB"),
        ] {
            assert_eq!(bytes(count), shown);
        }
    }
}
