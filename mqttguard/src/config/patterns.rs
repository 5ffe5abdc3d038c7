//! The kind of value that stands for topics.

use serde_json::Value as Json;

use crate::json::json;

use super::kinds::Kind;

/// A topic filter with variables (`%d` and the like) in it (MQTT 5 section 4.7).
pub(super) struct Pattern {
    /// Whether topics of the server itself may be named (`$SYS/...`). Clients must not publish
    /// there (MQTT 5 section 4.7.2).
    pub(super) dollar: bool,
    /// Whether `%` stands for something else.
    pub(super) variables: bool,
}

impl Kind for Pattern {
    type Value = String;
    fn read(&self, text: &str) -> Option<String> {
        let dollar_fits = match text.strip_prefix('$') {
            Some(rest) => self.dollar && !rest.starts_with("share/"),
            None => true,
        };
        let mut after_percent = text.split('%').skip(1);
        let percent_fits = !self.variables
            || loop {
                match after_percent.next().map(|rest| rest.chars().next()) {
                    None => break true,
                    Some(Some('d' | 'u' | 'c' | 'm' | 'n' | 'x' | 'y')) => {}
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
        let percent = match self.variables {
            true => "'%' only in %d, %u, %c, %m, %n, %x, %y and %%, ",
            false => "",
        };
        format!(
            "a topic pattern: '+' and '#' only as whole levels, '#' only as the last, {percent}\
             {dollar}, at most 32 levels and 256 bytes"
        )
    }
    fn form(&self) -> Json {
        json!({ "type": "pattern", "dollar": self.dollar, "variables": self.variables })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_topic_filters_with_variables() {
        let (publish, subscribe) = (
            Pattern {
                dollar: false,
                variables: true,
            },
            Pattern {
                dollar: true,
                variables: true,
            },
        );
        for text in [
            "%d/#",
            "#",
            "+",
            "a/+/%u",
            "+/%c/#",
            "tasmota/discovery/%m/#",
            "wled/%y/tasmota_%n/%x",
            "100%%",
            "%%%d",
            "/",
            "a//b",
            "käse/%d",
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
            "%z",
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
}
