//! `mqttguard-topics`, an extension of MUD files (RFC 8520 section 3.9): the topics that a device
//! asks for beside those of its profile, and which of them it may be granted.
//!
//! A maker is a stranger, who may have chosen the names of its devices too. So only topics that are
//! the device's own by their look are taken over: below its own name or address, and nothing that a
//! device could call itself makes them another's.

use serde::{Deserialize, Serialize};

use super::reading::{At, Object, line};
use crate::config::is_pattern;
use crate::trees::is_shared;

/// The name of the extension.
pub const EXTENSION: &str = "mqttguard-topics";
const CONTAINER: &str = "mqttguard-topics:topics";
/// Patterns to publish to, and as many to subscribe to.
pub const MAX_TOPICS: usize = 16;
/// Extensions that a file may name, and the longest name (RFC 8520 section 7), in bytes.
const MAX_EXTENSIONS: usize = 32;
const NAME: usize = 40;
/// Longest pattern, in bytes: what the configuration takes.
const PATTERN: usize = 256;

/// Patterns, with the variables of those in the configuration.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topics {
    /// To publish to.
    pub publish: Vec<String>,
    /// To subscribe to.
    pub subscribe: Vec<String>,
}

/// What a pattern is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To publish.
    Publish,
    /// To subscribe.
    Subscribe,
}

impl Access {
    /// As the configuration calls it.
    pub const fn option(self) -> &'static str {
        match self {
            Access::Publish => "publish",
            Access::Subscribe => "subscribe",
        }
    }

    /// What the device does, in words.
    pub const fn words(self) -> &'static str {
        match self {
            Access::Publish => "publishes to",
            Access::Subscribe => "subscribes to",
        }
    }
}

/// A pattern that is asked for, and what becomes of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request<'a> {
    /// What for.
    pub access: Access,
    /// The pattern.
    pub pattern: &'a str,
    /// Whether it is taken over.
    pub is_taken: bool,
    /// What becomes of it, or why nothing does.
    pub why: String,
}

impl Topics {
    /// Whether nothing is asked for.
    pub fn is_empty(&self) -> bool {
        self.publish.is_empty() && self.subscribe.is_empty()
    }

    /// Whether a stored one is what [`read`] may have read.
    pub(super) fn fits(&self) -> bool {
        let lists = [&self.publish, &self.subscribe];
        lists
            .iter()
            .all(|list| list.len() <= MAX_TOPICS && list.iter().all(|one| is_pattern(one, true)))
    }

    /// All that is asked for.
    pub fn requests(&self) -> impl Iterator<Item = Request<'_>> {
        let publish = self.publish.iter().map(|one| (Access::Publish, one));
        let subscribe = self.subscribe.iter().map(|one| (Access::Subscribe, one));
        publish.chain(subscribe).map(|(access, pattern)| {
            let (is_taken, why) = match judge(pattern) {
                Ok(()) => (true, "these are topics of its own".to_owned()),
                Err(why) => {
                    let option = access.option();
                    let why = format!(
                        "not taken over: {why}; if it is to have them, that is 'list {option}' in \
                         the device's own section"
                    );
                    (false, why)
                }
            };
            Request {
                access,
                pattern,
                is_taken,
                why,
            }
        })
    }

    /// What is taken over.
    pub fn taken(&self) -> Topics {
        let own = |list: &[String]| {
            let own = list.iter().filter(|pattern| judge(pattern).is_ok());
            own.cloned().collect()
        };
        Topics {
            publish: own(&self.publish),
            subscribe: own(&self.subscribe),
        }
    }
}

/// What the extension says, in the container `ietf-mud:mud`; nothing where it is not used.
pub(super) fn read(mud: &Object<'_>) -> Result<Topics, String> {
    let mut topics = Topics::default();
    let mut is_declared = false;
    if let Some(extensions) = mud.find("extensions") {
        for name in extensions.list(MAX_EXTENSIONS)? {
            is_declared |= name.text(NAME)? == EXTENSION;
        }
    }
    let Some(container) = mud.find(CONTAINER) else {
        return Ok(topics);
    };
    if !is_declared {
        // RFC 8520 section 3.9.
        return Err(container.wrong(&format!("'{EXTENSION}' among the extensions")));
    }
    for (name, list) in container.object()?.each() {
        let kept = match name {
            "publish" => &mut topics.publish,
            "subscribe" => &mut topics.subscribe,
            _ => return Err(list.wrong("publish and subscribe alone")),
        };
        for one in list.list(MAX_TOPICS)? {
            let pattern = pattern(&one)?;
            if !kept.contains(&pattern) {
                kept.push(pattern);
            }
        }
    }
    Ok(topics)
}

fn pattern(at: &At<'_>) -> Result<String, String> {
    let pattern = line(at, PATTERN)?;
    // What begins with `$` is told with the others that are not taken over.
    match is_pattern(&pattern, true) {
        true => Ok(pattern),
        false => Err(at.wrong(
            "a topic pattern: '+' and '#' only as whole levels, '#' only as the last, '%' only in %d, \
             %u, %c, %m, %n, %x, %y and %%, at most 32 levels",
        )),
    }
}

/// How a level of a pattern is the device's own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Own {
    /// It is its address, or the last digits of that: nothing that means anything to others.
    Address,
    /// It is a name, which the device may have chosen, or has the address within it.
    Name,
}

/// Whether a pattern is of topics of the device's own; else whose they may be.
fn judge(pattern: &str) -> Result<(), &'static str> {
    if pattern.starts_with('$') {
        return Err("these are topics of the broker itself");
    }
    let levels: Vec<&str> = pattern.split('/').collect();
    let Some((place, own)) = levels
        .iter()
        .enumerate()
        .find_map(|(place, level)| Some((place, own(level)?)))
    else {
        return Err("nothing in it is the device's own name or address");
    };
    let before = levels.get(..place).unwrap_or_default();
    let fits = match before {
        [] => true,
        // Announcements to Home Assistant: the component, and then whose they are.
        ["homeassistant", "+"] => is_variable(levels.get(place)),
        _ if !before.iter().all(|level| is_plain(level)) => false,
        // Of others, a device might bear the name: `%d` below `zigbee2mqtt` is whom it calls itself.
        [root] => own == Own::Address || !is_shared(root),
        _ => own == Own::Address,
    };
    match fits {
        true => Ok(()),
        false => Err("it may reach topics of other devices"),
    }
}

fn own(level: &str) -> Option<Own> {
    match level {
        "%d" | "%u" => return Some(Own::Name),
        "%m" | "%n" | "%x" | "%y" => return Some(Own::Address),
        _ => {}
    }
    // A name beside other letters may make up another's; an address can, only where names are chosen.
    let level = level.replace("%%", "");
    let (_, rest) = level.split_once('%')?;
    (rest.starts_with(['m', 'n', 'x', 'y']) && !rest.contains('%')).then_some(Own::Name)
}

fn is_variable(level: Option<&&str>) -> bool {
    matches!(level, Some(&("%d" | "%u" | "%m" | "%n" | "%x" | "%y")))
}

/// Whether a level stands for itself alone.
fn is_plain(level: &str) -> bool {
    level != "+" && level != "#" && !level.replace("%%", "").contains('%')
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::mud::file;

    const LAMP: &[u8] = include_bytes!("testdata/lamp.json");

    fn with(extensions: Value, topics: Value) -> Result<Topics, String> {
        let mut lamp: Value = serde_json::from_slice(LAMP).unwrap();
        let mud = lamp["ietf-mud:mud"].as_object_mut().unwrap();
        mud.insert("extensions".to_owned(), extensions);
        mud.insert(CONTAINER.to_owned(), topics);
        file::read(lamp.to_string().as_bytes()).map(|found| found.topics)
    }

    fn topics(topics: Value) -> Result<Topics, String> {
        with(json!(["transparency", EXTENSION]), topics)
    }

    #[test]
    fn a_file_without_it_asks_for_nothing() {
        assert!(file::read(LAMP).unwrap().topics.is_empty());
        assert_eq!(topics(json!({})), Ok(Topics::default()));
    }

    #[test]
    fn the_example_of_the_documentation_is_as_it_says() {
        let page = include_str!("../../../docs/mud.md");
        let example = page.split("```json\n").nth(1).unwrap();
        let example = example.split("```").next().unwrap();
        let topics = file::read(example.as_bytes()).unwrap().topics;
        assert_eq!(topics.publish, ["acme/%m/#", "homeassistant/+/%d/#"]);
        assert_eq!(topics.subscribe, ["acme/%m/set/+"]);
        assert_eq!(topics.taken(), topics);
    }

    #[test]
    fn topics_are_read_as_they_are() {
        let found = topics(json!({
            "publish": ["%d/#", "acme/%m/state", "%d/#"],
            "subscribe": ["acme/%m/+/set", "$SYS/broker/uptime"],
        }));
        let found = found.unwrap();
        assert_eq!(found.publish, ["%d/#", "acme/%m/state"]);
        assert_eq!(found.subscribe, ["acme/%m/+/set", "$SYS/broker/uptime"]);
        assert!(found.fits());
        let taken = found.taken();
        assert_eq!(taken.publish, ["%d/#", "acme/%m/state"]);
        assert_eq!(taken.subscribe, ["acme/%m/+/set"]);
        let whys: Vec<_> = found
            .requests()
            .map(|one| (one.is_taken, one.why))
            .collect();
        assert_eq!(whys[0], (true, "these are topics of its own".to_owned()));
        assert!(
            whys[3].1.contains("topics of the broker itself"),
            "{whys:?}"
        );
        assert!(whys[3].1.contains("'list subscribe'"), "{whys:?}");
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (found, words) in [
            (
                with(json!([]), json!({ "publish": [] })),
                "mqttguard-topics:topics: found an object of 1, expected 'mqttguard-topics' among the \
                 extensions",
            ),
            (with(json!({}), json!({})), "extensions: found an object"),
            (with(json!(["x".repeat(41)]), json!({})), "at most 40 bytes"),
            (
                with(json!(vec!["x"; 33]), json!({})),
                "a list of at most 32",
            ),
            (
                topics(json!([])),
                "topics: found a list of 0, expected an object",
            ),
            (
                topics(json!({ "subscribes": [] })),
                "topics.subscribes: found a list of 0, expected publish and subscribe alone",
            ),
            (
                topics(json!({ "publish": "a" })),
                "expected a list of at most 16",
            ),
            (
                topics(json!({ "publish": vec!["%d/#"; 17] })),
                "found a list of 17, expected a list of at most 16",
            ),
            (
                topics(json!({ "publish": ["%d/#", 7] })),
                "topics.publish[1]: found 7",
            ),
            (
                topics(json!({ "publish": ["%d#"] })),
                "expected a topic pattern",
            ),
            (
                topics(json!({ "publish": ["%q"] })),
                "expected a topic pattern",
            ),
            (
                topics(json!({ "publish": [""] })),
                "expected a topic pattern",
            ),
            (
                topics(json!({ "subscribe": ["$share/a/%d"] })),
                "expected a topic pattern",
            ),
            (topics(json!({ "publish": ["%d/\u{202e}"] })), "printable"),
            (
                topics(json!({ "publish": ["a".repeat(257)] })),
                "at most 256 bytes",
            ),
        ] {
            let error = found.unwrap_err();
            assert!(error.contains(words), "{error}");
        }
    }

    #[test]
    fn topics_of_the_device_s_own_are_taken_over() {
        for pattern in [
            "%d/#",
            "%u/state",
            "%m/+/x",
            "%d",
            "%d/%c/#",
            "acme-%x/#",
            "acme/%d/#",
            "acme/lamp-%n/state",
            "acme/%m/#",
            "acme/lamps/%x/set/+",
            "/acme/%m/#",
            "100%%/%d",
            "stat/%m/#",
            "homeassistant/light/%m/config",
            "homeassistant/+/%d/#",
            "homeassistant/+/%m/+/config",
        ] {
            assert_eq!(judge(pattern), Ok(()), "{pattern}");
        }
    }

    #[test]
    fn what_may_be_another_s_is_not() {
        for pattern in [
            // All there is, and what all hear.
            "#",
            "+",
            "+/#",
            "+/%d/#",
            "+/%m",
            "/#",
            "homeassistant/#",
            "homeassistant/+/#",
            "homeassistant/status",
            "homeassistant/light/kitchen/config",
            "homeassistant/+/+/%d/config",
            "homeassistant/+/+/%m/config",
            "homeassistant/+/x%m/config",
            "zigbee2mqtt/+/set",
            "zigbee2mqtt/bridge/request/#",
            "cmnd/#",
            "cmnd/+/%d",
            "acme/#",
            "acme/+/%m",
            // A device may call itself `light`, `kitchen`, `set`, `POWER`.
            "homeassistant/%d/#",
            "zigbee2mqtt/%d/set",
            "ZIGBEE2MQTT/%u/set",
            "zigbee2mqtt/kitchen/%d",
            "acme/kitchen/%d",
            "cmnd/%d/#",
            // `k` makes it the lock's.
            "cmnd/doorloc%d/#",
            "doorloc%d/#",
            "%d%d/#",
            "%d_relay/config",
            "zigbee2mqtt/0x0015%x/set",
            "%n%d/x",
            // The client identifier is the device's word from one moment to the next.
            "%c/#",
            "%c/%m/#",
            "acme/%c/%d",
            "%%d/#",
            "acme/%%m/#",
            "$SYS/%m",
            "$SYS/#",
        ] {
            assert!(judge(pattern).is_err(), "{pattern}");
        }
    }
}
