//! The kinds of value an option can have: how each is read, and what to say of it when it
//! cannot be.

use std::time::Duration;

use serde_json::Value as Json;

use crate::calendar;
use crate::json::json;

/// A kind of value.
pub(super) trait Kind: Sync {
    /// What it is read as.
    type Value;
    /// Reads it; None if it is not of this kind.
    fn read(&self, text: &str) -> Option<Self::Value>;
    /// What is expected, to stand behind "expected".
    fn expected(&self) -> String;
    /// The section type whose sections it names, if it is a reference.
    fn refers_to(&self) -> Option<&'static str> {
        None
    }
    /// What a form has to know of it to tell what is read from what is not: `type` and its bounds.
    fn form(&self) -> Json;
}

/// As OpenWrt's `config_get_bool` reads them.
pub(super) struct Bool;

impl Kind for Bool {
    type Value = bool;
    fn read(&self, text: &str) -> Option<bool> {
        match text {
            "1" | "on" | "yes" | "true" | "enabled" => Some(true),
            "0" | "off" | "no" | "false" | "disabled" => Some(false),
            _ => None,
        }
    }
    fn expected(&self) -> String {
        "1 or 0 (or on/off, yes/no, true/false, enabled/disabled)".into()
    }
    fn form(&self) -> Json {
        json!({ "type": "bool" })
    }
}

/// One word of a few.
pub(super) struct Choice<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl<T: Copy + Sync> Kind for Choice<T> {
    type Value = T;
    fn read(&self, text: &str) -> Option<T> {
        self.0
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
    }
    fn expected(&self) -> String {
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        format!("one of: {}", words.join(", "))
    }
    fn form(&self) -> Json {
        let words: Vec<&str> = self.0.iter().map(|(word, _)| *word).collect();
        json!({ "type": "choice", "words": words })
    }
}

/// A whole number.
pub(super) struct Number {
    pub(super) min: u32,
    pub(super) max: u32,
    /// What is counted, as `packets a second`.
    pub(super) of: &'static str,
}

impl Kind for Number {
    type Value = u32;
    fn read(&self, text: &str) -> Option<u32> {
        digits(text)
            .and_then(|number| u32::try_from(number).ok())
            .filter(|number| (self.min..=self.max).contains(number))
    }
    fn expected(&self) -> String {
        format!("a number of {} from {} to {}", self.of, self.min, self.max)
    }
    fn form(&self) -> Json {
        json!({ "type": "number", "min": self.min, "max": self.max })
    }
}

/// A port, of the protocol named: `TCP`, `TCP or UDP`.
pub(super) struct Port(pub(super) &'static str);

impl Kind for Port {
    type Value = u16;
    fn read(&self, text: &str) -> Option<u16> {
        digits(text)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|&port| port > 0)
    }
    fn expected(&self) -> String {
        format!("a {} port from 1 to 65535", self.0)
    }
    fn form(&self) -> Json {
        json!({ "type": "number", "min": 1, "max": u16::MAX })
    }
}

/// A number of bytes, with `k` (1024) or `M` (1024 times 1024) behind it where wanted.
pub(super) struct Size {
    pub(super) min: u32,
    pub(super) max: u32,
    /// `` or ` a second`.
    pub(super) per: &'static str,
}

const SIZE_UNITS: [(&str, u64); 3] = [("", 1), ("k", 1 << 10), ("M", 1 << 20)];

impl Kind for Size {
    type Value = u32;
    fn read(&self, text: &str) -> Option<u32> {
        with_unit(text, &SIZE_UNITS)
            .and_then(|bytes| u32::try_from(bytes).ok())
            .filter(|bytes| (self.min..=self.max).contains(bytes))
    }
    fn expected(&self) -> String {
        format!(
            "a number of bytes{} such as 512, 16k or 1M, from {} to {}",
            self.per,
            size(self.min),
            size(self.max)
        )
    }
    fn form(&self) -> Json {
        json!({ "type": "size", "min": self.min, "max": self.max })
    }
}

/// Bytes as [`Size`] reads them, in the largest unit without a remainder.
pub(super) fn size(bytes: u32) -> String {
    write_unit(bytes.into(), &SIZE_UNITS)
}

/// A time, with its unit behind it.
pub(super) struct Time {
    pub(super) min: Duration,
    pub(super) max: Duration,
}

const TIME_UNITS: [(&str, u64); 4] = [("s", 1), ("m", 60), ("h", 3600), ("d", 86_400)];

impl Kind for Time {
    type Value = Duration;
    fn read(&self, text: &str) -> Option<Duration> {
        with_unit(text, &TIME_UNITS)
            .map(Duration::from_secs)
            .filter(|time| (self.min..=self.max).contains(time))
    }
    fn expected(&self) -> String {
        let [min, max] = [self.min, self.max].map(|time| write_unit(time.as_secs(), &TIME_UNITS));
        format!("a time such as 90s, 10m, 12h or 30d, from {min} to {max}")
    }
    fn form(&self) -> Json {
        json!({ "type": "time", "min": self.min.as_secs(), "max": self.max.as_secs() })
    }
}

/// A moment, in milliseconds since the Unix epoch.
pub(super) struct Moment;

impl Kind for Moment {
    type Value = u64;
    fn read(&self, text: &str) -> Option<u64> {
        calendar::moment(text)
    }
    fn expected(&self) -> String {
        "a date such as 2026-12-31, whose end it is, in UTC, or a time such as 2026-12-31T18:00Z or \
         2026-12-31T18:00+01:00"
            .into()
    }
    fn form(&self) -> Json {
        json!({ "type": "moment" })
    }
}

/// Digits only: `u64::from_str` would take a `+` too.
fn digits(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())
        .flatten()
}

fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let end = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at_checked(end)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    digits(number)?.checked_mul(*factor)
}

fn write_unit(number: u64, units: &[(&str, u64)]) -> String {
    let fits = |(_, factor): &&(&str, u64)| number != 0 && number.is_multiple_of(*factor);
    let (name, factor) = units
        .iter()
        .rev()
        .find(fits)
        .or(units.first())
        .unwrap_or(&("", 1));
    format!("{}{name}", number.checked_div(*factor).unwrap_or(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn booleans_as_openwrt_reads_them() {
        for text in ["1", "on", "yes", "true", "enabled"] {
            assert_eq!(Bool.read(text), Some(true), "{text}");
        }
        for text in ["0", "off", "no", "false", "disabled"] {
            assert_eq!(Bool.read(text), Some(false), "{text}");
        }
        for text in ["", "2", "On", "y", "1 "] {
            assert_eq!(Bool.read(text), None, "{text}");
        }
    }

    #[test]
    fn times_and_sizes_have_units_and_ends() {
        let time = Time {
            min: Duration::from_secs(10),
            max: Duration::from_secs(86_400),
        };
        assert_eq!(time.read("90s"), Some(Duration::from_secs(90)));
        assert_eq!(time.read("10m"), Some(Duration::from_secs(600)));
        assert_eq!(time.read("1d"), Some(Duration::from_secs(86_400)));
        for text in [
            "",
            "s",
            "10",
            "9s",
            "25h",
            "-10s",
            "+10s",
            "1.5h",
            "10 m",
            "99999999999999999999s",
            "18446744073709551615d",
        ] {
            assert_eq!(time.read(text), None, "{text}");
        }
        let bytes = Size {
            min: 1024,
            max: 1 << 20,
            per: "",
        };
        assert_eq!(bytes.read("16k"), Some(16_384));
        assert_eq!(bytes.read("1M"), Some(1 << 20));
        assert_eq!(bytes.read("1025"), Some(1025));
        for text in ["", "k", "1K", "1m", "2M", "1023", "0x400", "4294967296k"] {
            assert_eq!(bytes.read(text), None, "{text}");
        }
        assert_eq!(
            (size(1 << 20), size(1536), size(7)),
            ("1M".into(), "1536".into(), "7".into())
        );
    }

    #[test]
    fn ports_are_exact() {
        assert_eq!(Port("TCP").read("8883"), Some(8883));
        for text in ["0", "65536", "", "+1", " 1"] {
            assert_eq!(Port("TCP").read(text), None, "{text}");
        }
    }
}
