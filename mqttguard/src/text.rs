//! Hostile text made fit to be shown: names, topics and user names come from devices.

use std::borrow::Cow;

/// Bytes that are kept, for show, of a text that a device chose.
const SHOWN: usize = 200;

/// The text, cut to what is worth showing. MQTT lets a client identifier, a user name and a topic
/// have 65,535 bytes each (MQTT 5 section 1.5.4); a few hundred events of that would fill a
/// router's memory.
pub fn clip(text: &str) -> Cow<'_, str> {
    if text.len() <= SHOWN {
        return Cow::Borrowed(text);
    }
    let kept = text.get(..text.floor_char_boundary(SHOWN));
    Cow::Owned(format!("{}…", kept.unwrap_or_default()))
}

/// Whether this may be what [`clip`] has left of a longer text.
pub fn is_clipped(text: &str) -> bool {
    text.len() >= SHOWN && text.ends_with('…')
}

/// The text with every control character escaped, so that it can neither forge a log line nor
/// drive a terminal.
pub fn printable(text: &str) -> Cow<'_, str> {
    if text.chars().any(is_dangerous) {
        Cow::Owned(
            text.chars()
                .fold(String::with_capacity(text.len()), |mut out, c| {
                    if is_dangerous(c) {
                        out.extend(c.escape_default());
                    } else {
                        out.push(c);
                    }
                    out
                }),
        )
    } else {
        Cow::Borrowed(text)
    }
}

/// Control characters, and what hides or reorders text (Unicode's zero-width and bidirectional
/// controls).
pub fn is_dangerous(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{feff}'
        )
}

/// `text` as a name that can stand in a topic, a user name and a certificate: letters, digits,
/// `.`, `_` and `-`, at most 63 bytes. None if nothing is left.
pub fn slug(text: &str) -> Option<String> {
    let mut out = String::new();
    for c in text.chars().take(63) {
        if c.is_ascii_alphanumeric() || matches!(c, '.' | '_') {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with('-') {
            out.push('-');
        }
    }
    let name = out.trim_matches(['-', '.']);
    (!name.is_empty()).then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_what_drives_a_terminal() {
        assert_eq!(printable("Küche 1"), "Küche 1");
        assert_eq!(
            printable("a\x1b[2Jb\nc\u{202e}d"),
            "a\\u{1b}[2Jb\\nc\\u{202e}d"
        );
    }

    #[test]
    fn clips_between_characters() {
        assert_eq!(clip("kitchen"), "kitchen");
        assert!(!is_clipped("kitchen…") && !is_clipped(&clip(&"x".repeat(200))));
        let long = clip(&"é".repeat(40_000)).into_owned();
        assert!(long.len() <= SHOWN + '…'.len_utf8(), "{}", long.len());
        assert!(long.ends_with("é…"));
        for more in 0..4 {
            assert!(is_clipped(&clip(&format!(
                "{}{}",
                "x".repeat(more),
                "€".repeat(100)
            ))));
        }
    }

    #[test]
    fn makes_names_that_fit_a_topic() {
        assert_eq!(slug("Kitchen Plug #1").as_deref(), Some("Kitchen-Plug-1"));
        assert_eq!(slug("../+/#").as_deref(), None);
        assert_eq!(slug("..").as_deref(), None);
        assert_eq!(
            slug("tasmota_4F-12.lan").as_deref(),
            Some("tasmota_4F-12.lan")
        );
        assert_eq!(slug(&"x".repeat(300)).map(|name| name.len()), Some(63));
    }
}
