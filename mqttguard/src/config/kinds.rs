//! The kinds of value an option can have: how each is read, and what to say of it when it
//! cannot be.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use mqttguard_common::Mac;

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
}

/// A TCP or UDP port.
pub(super) struct Port;

impl Kind for Port {
    type Value = u16;
    fn read(&self, text: &str) -> Option<u16> {
        digits(text)
            .and_then(|port| u16::try_from(port).ok())
            .filter(|&port| port > 0)
    }
    fn expected(&self) -> String {
        "a TCP port from 1 to 65535".into()
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
}

/// A MAC address of a single device.
pub(super) struct MacAddress;

impl Kind for MacAddress {
    type Value = Mac;
    fn read(&self, text: &str) -> Option<Mac> {
        text.parse().ok().filter(|mac: &Mac| mac.is_device())
    }
    fn expected(&self) -> String {
        "a device's MAC address such as 02:c1:1e:17:00:01".into()
    }
}

/// An IP address of this router.
pub(super) struct Address;

impl Kind for Address {
    type Value = IpAddr;
    fn read(&self, text: &str) -> Option<IpAddr> {
        text.parse()
            .ok()
            .filter(|address: &IpAddr| !address.is_multicast())
    }
    fn expected(&self) -> String {
        "an IPv4 or IPv6 address such as 192.168.1.1 or fd00::1".into()
    }
}

/// A prefix, or a single address. Bits behind the prefix length must be zero: who writes
/// `10.1.2.3/8` has made a slip in one of the two.
pub(super) struct Prefix;

impl Kind for Prefix {
    type Value = IpNet;
    fn read(&self, text: &str) -> Option<IpNet> {
        let net = match text.parse::<IpAddr>() {
            Ok(address) => IpNet::from(address),
            Err(_) => text.parse().ok()?,
        };
        (net.trunc() == net).then_some(net)
    }
    fn expected(&self) -> String {
        "an IPv4 or IPv6 address or prefix such as 203.0.113.7 or 2001:db8::/32, \
         without bits behind the prefix length"
            .into()
    }
}

/// Text of certain characters and at most so many bytes.
pub(super) struct Text {
    pub(super) max: usize,
    pub(super) allowed: fn(&str) -> bool,
    /// What it is, and of which characters.
    pub(super) what: &'static str,
}

impl Kind for Text {
    type Value = String;
    fn read(&self, text: &str) -> Option<String> {
        let fits = !text.is_empty() && text.len() <= self.max && (self.allowed)(text);
        fits.then(|| text.to_owned())
    }
    fn expected(&self) -> String {
        format!("{}, at most {} characters", self.what, self.max)
    }
}

/// A device's name. It stands for `%d` in topic patterns, so it has no `/`, `+`, `#` or `%`.
pub(super) const DEVICE_NAME: Text = Text {
    max: 63,
    allowed: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    },
    what: "a device name of letters, digits, '-', '_' and '.'",
};

/// A network of `/etc/config/network`.
pub(super) const NETWORK: Text = Text {
    max: 32,
    allowed: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    },
    what: "the name of an OpenWrt network such as lan",
};

/// A Linux network device; the kernel's `dev_valid_name` and `IFNAMSIZ`.
pub(super) const DEVICE: Text = Text {
    max: 15,
    allowed: |text| {
        !matches!(text, "." | "..")
            && text
                .bytes()
                .all(|b| b.is_ascii_graphic() && !b"/:".contains(&b))
    },
    what: "the name of a Linux network device such as br-lan",
};

/// A DNS host name (RFC 1123 section 2.1).
pub(super) const HOSTNAME: Text = Text {
    max: 253,
    allowed: |text| {
        text.split('.').all(|label| {
            (1..=63).contains(&label.len())
                && label
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'-')
                && !label.starts_with('-')
                && !label.ends_with('-')
        })
    },
    what: "a host name of letters, digits, '-' and '.', such as openwrt.lan",
};

/// An absolute path without detours.
pub(super) struct Path;

impl Kind for Path {
    type Value = PathBuf;
    fn read(&self, text: &str) -> Option<PathBuf> {
        let plain = text.len() <= 200
            && text.starts_with('/')
            && !text.chars().any(char::is_control)
            && !text.split('/').any(|part| part == "..");
        plain.then(|| PathBuf::from(text))
    }
    fn expected(&self) -> String {
        "an absolute path without '..', at most 200 characters".into()
    }
}

/// The name of a section of another type.
pub(super) struct Ref(pub(super) &'static str);

impl Kind for Ref {
    type Value = String;
    fn read(&self, text: &str) -> Option<String> {
        SECTION_NAME.read(text)
    }
    fn expected(&self) -> String {
        format!("the name of a '{}' section", self.0)
    }
    fn refers_to(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

/// The name of a section.
pub(super) const SECTION_NAME: Text = Text {
    max: 32,
    allowed: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
    what: "a section name of letters, digits and '_'",
};

/// A topic filter with `%d`, `%u` and `%c` in it (MQTT 5 section 4.7).
pub(super) struct Pattern {
    /// Whether topics of the server itself may be named (`$SYS/...`). Clients must not publish
    /// there (MQTT 5 section 4.7.2).
    pub(super) dollar: bool,
}

impl Kind for Pattern {
    type Value = String;
    fn read(&self, text: &str) -> Option<String> {
        let dollar_fits = match text.strip_prefix('$') {
            Some(rest) => self.dollar && !rest.starts_with("share/"),
            None => true,
        };
        let mut after_percent = text.split('%').skip(1);
        let percent_fits = loop {
            match after_percent.next().map(|rest| rest.chars().next()) {
                None => break true,
                Some(Some('d' | 'u' | 'c')) => {}
                // The second one of `%%` starts an empty piece.
                Some(None) if after_percent.next().is_some() => {}
                Some(_) => break false,
            }
        };
        let levels: Vec<&str> = text.split('/').collect();
        let wildcards_fit = levels
            .iter()
            .enumerate()
            .all(|(index, level)| match *level {
                "#" => index.saturating_add(1) == levels.len(),
                "+" => true,
                level => !level.contains(['+', '#']),
            });
        let fits = (1..=256).contains(&text.len())
            && levels.len() <= 32
            && !text.chars().any(char::is_control)
            && dollar_fits
            && percent_fits
            && wildcards_fit;
        fits.then(|| text.to_owned())
    }
    fn expected(&self) -> String {
        let dollar = match self.dollar {
            true => "not starting with $share/",
            false => "not starting with $",
        };
        format!(
            "a topic pattern: '+' and '#' only as whole levels, '#' only as the last, '%' only \
             in %d, %u, %c and %%, {dollar}, at most 32 levels and 256 bytes"
        )
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
    fn patterns_are_topic_filters_with_three_variables() {
        let (publish, subscribe) = (Pattern { dollar: false }, Pattern { dollar: true });
        for text in [
            "%d/#", "#", "+", "a/+/%u", "+/%c/#", "100%%", "%%%d", "/", "a//b", "käse/%d",
        ] {
            assert_eq!(publish.read(text).as_deref(), Some(text));
            assert_eq!(subscribe.read(text).as_deref(), Some(text));
        }
        for text in [
            "",
            "a#",
            "#/a",
            "a/#/b",
            "a+",
            "+a/b",
            "%",
            "a/%",
            "%x",
            "%%%",
            "%D",
            "a\tb",
            "a\0b",
            "$share/g/%d/#",
        ] {
            assert_eq!(publish.read(text), None, "{text:?}");
            assert_eq!(subscribe.read(text), None, "{text:?}");
        }
        assert_eq!(publish.read("$SYS/x"), None);
        assert_eq!(subscribe.read("$SYS/#").as_deref(), Some("$SYS/#"));
        assert_eq!(publish.read(&"a/".repeat(32)), None);
        assert_eq!(publish.read(&"a".repeat(257)), None);
    }

    #[test]
    fn addresses_and_names_are_exact() {
        assert_eq!(Port.read("8883"), Some(8883));
        for text in ["0", "65536", "", "+1", " 1"] {
            assert_eq!(Port.read(text), None, "{text}");
        }
        for text in [
            "203.0.113.7",
            "203.0.113.0/24",
            "2001:db8::/32",
            "0.0.0.0/0",
        ] {
            assert!(Prefix.read(text).is_some(), "{text}");
        }
        for text in [
            "203.0.113.7/24",
            "203.0.113",
            "300.0.0.1",
            "::/129",
            "example.org",
        ] {
            assert!(Prefix.read(text).is_none(), "{text}");
        }
        for text in [
            "ff:ff:ff:ff:ff:ff",
            "00:00:00:00:00:00",
            "01:00:5e:00:00:01",
            "02:c1",
        ] {
            assert!(MacAddress.read(text).is_none(), "{text}");
        }
        for text in ["openwrt.lan", "a", "a-b.c1"] {
            assert!(HOSTNAME.read(text).is_some(), "{text}");
        }
        for text in ["", ".", "a..b", "-a", "a-.b", "a_b", "a.", &"a".repeat(64)] {
            assert!(HOSTNAME.read(text).is_none(), "{text}");
        }
        for text in ["", "a/b", "a+", "#", "a b", "%d", "é", &"a".repeat(64)] {
            assert!(DEVICE_NAME.read(text).is_none(), "{text}");
        }
        for text in ["/etc/mqttguard", "/"] {
            assert!(Path.read(text).is_some(), "{text}");
        }
        for text in ["", "etc", "/a/../b", "/a\nb"] {
            assert!(Path.read(text).is_none(), "{text}");
        }
        for text in ["", ".", "..", "a/b", "a b", "sixteen-letters-"] {
            assert!(DEVICE.read(text).is_none(), "{text}");
        }
    }
}
