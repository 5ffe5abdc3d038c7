//! The kinds of value that name something: a device, a file, a place in the network.

use std::net::IpAddr;
use std::path::PathBuf;

use ipnet::IpNet;
use mqttguard_common::Mac;
use serde_json::Value as Json;

use crate::json::json;

use super::kinds::Kind;

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
    fn form(&self) -> Json {
        json!({ "type": "mac" })
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
    fn form(&self) -> Json {
        json!({ "type": "address" })
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
    fn form(&self) -> Json {
        json!({ "type": "prefix" })
    }
}

/// Text of certain characters and at most so many bytes.
pub(super) struct Text {
    pub(super) max: usize,
    pub(super) allowed: fn(&str) -> bool,
    /// The same as `allowed`, for forms: a regular expression of JavaScript's.
    pub(super) pattern: &'static str,
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
    fn form(&self) -> Json {
        json!({ "type": "text", "max": self.max, "pattern": self.pattern })
    }
}

/// A device's name. It stands for `%d` in topic patterns, so it has no `/`, `+`, `#` or `%`.
pub(super) const DEVICE_NAME: Text = Text {
    max: 63,
    allowed: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    },
    pattern: r"^[A-Za-z0-9_.-]+$",
    what: "a device name of letters, digits, '-', '_' and '.'",
};

/// A network of `/etc/config/network`.
pub(super) const NETWORK: Text = Text {
    max: 32,
    allowed: |text| {
        text.bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b))
    },
    pattern: r"^[A-Za-z0-9_.-]+$",
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
    pattern: r"^(?!\.{1,2}$)(?![^]*[/:])[!-~]+$",
    what: "the name of a Linux network device such as br-lan",
};

/// A web page's origin as browsers write it: RFC 6454 section 6.2.
pub(super) const ORIGIN: Text = Text {
    max: 267,
    allowed: |text| {
        let host = text
            .strip_prefix("https://")
            .or_else(|| text.strip_prefix("http://"));
        text == "*"
            || host.is_some_and(|host| {
                let allowed =
                    |b: u8| b.is_ascii_digit() || b.is_ascii_lowercase() || b"-.:[]_".contains(&b);
                !host.is_empty() && host.bytes().all(allowed)
            })
    },
    pattern: r"^(\*|https?://[0-9a-z.:\[\]_-]+)$",
    what: "an origin such as https://ha.lan:8123, in lower case and without a path, or *",
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
    pattern: r"^(?!-)(?!.*(-\.|\.-))[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63})*(?<!-)$",
    what: "a host name of letters, digits, '-' and '.', such as openwrt.lan",
};

/// The user name on another MQTT server.
pub(super) const USERNAME: Text = Text {
    max: 1024,
    allowed: |text| !text.chars().any(char::is_control),
    pattern: r"^\P{Cc}+$",
    what: "a user name without control characters",
};

/// The client identifier on another MQTT server.
pub(super) const CLIENT_ID: Text = Text {
    max: 256,
    allowed: |text| !text.chars().any(char::is_control),
    pattern: r"^\P{Cc}+$",
    what: "a client identifier without control characters",
};

/// The first part of a topic name.
pub(super) const LOCAL_PREFIX: Text = Text {
    max: 128,
    allowed: |text| !text.starts_with('$') && is_prefix(text),
    pattern: r"^(?!\$)[^+#\p{Cc}]*/$",
    what: "the beginning of topics such as cloud/, that end with '/', without '+', '#' and a '$' in front",
};

/// The same on another server, where `$` may have a meaning.
pub(super) const REMOTE_PREFIX: Text = Text {
    max: 128,
    allowed: |text| !text.starts_with("$share/") && is_prefix(text),
    pattern: r"^(?!\$share/)[^+#\p{Cc}]*/$",
    what: "the beginning of topics such as home/ that end with '/', without '+' and '#'",
};

/// Whole levels: anything else would make a level of two halves, which no pattern can match.
fn is_prefix(text: &str) -> bool {
    text.ends_with('/') && !text.contains(['+', '#']) && !text.chars().any(char::is_control)
}

/// A host name or an IP address.
pub(super) struct Host;

impl Kind for Host {
    type Value = String;
    fn read(&self, text: &str) -> Option<String> {
        match text.parse::<IpAddr>() {
            Ok(address) => (!address.is_multicast()).then(|| text.to_owned()),
            Err(_) => HOSTNAME.read(text),
        }
    }
    fn expected(&self) -> String {
        "a host name such as mqtt.example.org, or an IPv4 or IPv6 address".into()
    }
    fn form(&self) -> Json {
        json!({ "type": "host", "pattern": HOSTNAME.pattern })
    }
}

/// A value of a claim in a token, often a URL.
pub(super) const TOKEN_TEXT: Text = Text {
    max: 200,
    allowed: |text| !text.chars().any(char::is_control),
    pattern: r"^\P{Cc}+$",
    what: "a text without control characters",
};

/// The name of a claim in a token.
pub(super) const CLAIM: Text = Text {
    max: 64,
    allowed: |text| text.bytes().all(|b| b.is_ascii_graphic()),
    pattern: r"^[!-~]+$",
    what: "the name of a claim such as sub",
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
    fn form(&self) -> Json {
        json!({ "type": "path" })
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
    fn form(&self) -> Json {
        json!({ "type": "reference", "to": self.0 })
    }
    fn refers_to(&self) -> Option<&'static str> {
        Some(self.0)
    }
}

/// The name of a section.
pub(super) const SECTION_NAME: Text = Text {
    max: 32,
    allowed: |text| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
    pattern: r"^[A-Za-z0-9_]+$",
    what: "a section name of letters, digits and '_'",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_and_names_are_exact() {
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
