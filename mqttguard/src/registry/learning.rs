//! What a device asks for and does not get, noted for a time, and the profile that would grant it.
//! The device stays in its present profile meanwhile: nothing is opened by looking.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use mqttguard_common::Mac;
use serde::{Deserialize, Serialize};

use super::{Refused, Registry, Save, UnixMs};
use crate::config::{self, Profile};
use crate::text::is_dangerous;

/// What a device wishes to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Wish {
    /// To publish, a will included.
    Publish,
    /// To subscribe.
    Subscribe,
}

impl Wish {
    /// The option of a profile that grants it.
    pub const fn option(self) -> &'static str {
        match self {
            Wish::Publish => "publish",
            Wish::Subscribe => "subscribe",
        }
    }
}

/// A time in which a device's refused wishes are noted; see [`super::notes`] for how it outlasts the
/// daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Learning {
    /// When it began.
    pub since_ms: UnixMs,
    /// When it ends; what was noted stays until another begins.
    pub until_ms: UnixMs,
    /// How often it wished what, as patterns; at most [`Learning::MAX_WISHES`].
    pub wishes: BTreeMap<(Wish, String), u64>,
    /// Refusals that were not noted: one too many, cut off, or the broker left them out.
    pub left_out: u64,
    /// How often nothing could be noted for a while, since the daemon was not there.
    pub gaps: u64,
    /// The latest of these.
    pub last_gap: Option<Gap>,
}

/// A time in which nothing was noted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gap {
    /// Since when notes may be missing: the daemon stopped, or they were last written before it died.
    pub from_ms: UnixMs,
    /// When the daemon was there again. Before that where a router without a clock boots in the past.
    pub to_ms: UnixMs,
}

impl Learning {
    /// Patterns that are noted of one device.
    pub const MAX_WISHES: usize = 64;

    /// Whether wishes are noted now.
    pub(super) fn is_running(&self, now: UnixMs) -> bool {
        now < self.until_ms
    }
}

/// A profile made of a device's present one and its wishes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Name of the present profile.
    pub present: String,
    /// Name of the proposed one.
    pub name: String,
    /// What the present one grants, and its limits.
    pub base: Profile,
    /// What would be added: wishes that only concern the device itself.
    pub added: Vec<(Wish, String)>,
    /// Wishes that reach beyond it: for the owner to decide on, one by one.
    pub beyond: Vec<(Wish, String)>,
}

impl Registry {
    /// Shortest and longest time for which wishes are noted.
    pub const LEARNING_TIMES: (Duration, Duration) =
        (Duration::from_secs(60), Duration::from_secs(7 * 86_400));

    /// Devices of which notes are kept at most.
    pub const MAX_LEARNING: usize = 64;

    /// Begins to note what a device asks for in vain, and forgets what was noted before. False if
    /// there is no such device.
    ///
    /// # Errors
    ///
    /// When as many devices learn as can. The oldest notes whose time is over make room.
    pub fn learn(&mut self, now: UnixMs, mac: Mac, time: Duration) -> Result<bool, Refused> {
        let Some(device) = self.devices.get(&mac) else {
            return Ok(false);
        };
        if device.learning.is_none() {
            self.make_room_for_notes(now)?;
        }
        let time = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let Some(device) = self.devices.get_mut(&mac) else {
            return Ok(false);
        };
        // Notes of a device that is not there after a restart would be of nobody.
        if !device.is_worth_keeping() {
            self.effects.save(Save::Now);
        }
        device.learning = Some(Learning {
            since_ms: now,
            until_ms: now.saturating_add(time),
            wishes: BTreeMap::new(),
            left_out: 0,
            gaps: 0,
            last_gap: None,
        });
        self.effects.notes = true;
        Ok(true)
    }

    fn make_room_for_notes(&mut self, now: UnixMs) -> Result<(), Refused> {
        let noted = || {
            let devices = self.devices.values();
            devices.filter_map(|one| Some((one.mac, one.learning.as_ref()?)))
        };
        if noted().count() < Self::MAX_LEARNING {
            return Ok(());
        }
        let over = noted().filter(|(_, learning)| !learning.is_running(now));
        let oldest = over.min_by_key(|(_, learning)| learning.until_ms);
        let oldest = oldest.map(|(mac, _)| mac);
        let oldest = oldest.and_then(|mac| self.devices.get_mut(&mac));
        let oldest = oldest.ok_or(Refused::TooManyLearning(Self::MAX_LEARNING))?;
        oldest.learning = None;
        Ok(())
    }

    /// A device was refused something. `suppressed` refusals before this one were not told.
    pub fn wished(&mut self, now: UnixMs, mac: Mac, wish: Wish, topic: &str, suppressed: u32) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let learning = device.learning.as_mut();
        let Some(learning) = learning.filter(|learning| learning.is_running(now)) else {
            return;
        };
        learning.left_out = learning.left_out.saturating_add(suppressed.into());
        let full = learning.wishes.len() >= Learning::MAX_WISHES;
        let key = generalise(topic, &device.name, mac, wish).map(|pattern| (wish, pattern));
        match key.filter(|key| !full || learning.wishes.contains_key(key)) {
            Some(key) => {
                let count = learning.wishes.entry(key).or_default();
                *count = count.saturating_add(1);
            }
            None => learning.left_out = learning.left_out.saturating_add(1),
        }
    }

    /// The clock was set; what is left of each time stays.
    pub(super) fn move_learning(&mut self, before: UnixMs, after: UnixMs) {
        let devices = self.devices.values_mut();
        for learning in devices.filter_map(|device| device.learning.as_mut()) {
            let moved = |time: UnixMs| after.saturating_sub(before.saturating_sub(time));
            let left = learning.until_ms.saturating_sub(before);
            learning.until_ms = after.saturating_add(left);
            match &mut learning.last_gap {
                None => learning.since_ms = moved(learning.since_ms),
                // What was before it is by the clock of an earlier run, and right.
                Some(gap) => gap.to_ms = moved(gap.to_ms),
            }
        }
    }

    /// The profile that would grant what was noted. None if nothing ever was.
    pub fn proposal(&self, mac: Mac) -> Option<Proposal> {
        let device = self.devices.get(&mac)?;
        let learning = device.learning.as_ref()?;
        let present = self.profile_name(device).to_owned();
        let base = self.settings.profiles.get(&present)?.clone();
        let others: BTreeSet<&str> = self
            .devices
            .values()
            .filter(|other| other.mac != mac)
            .map(|other| other.name.as_str())
            .collect();
        let (added, beyond) = learning
            .wishes
            .keys()
            .cloned()
            .partition(|(_, pattern)| is_own(pattern, &device.name, &others));
        let plain = |c: char| if c.is_ascii_alphanumeric() { c } else { '_' };
        let name: String = device.name.chars().take(24).map(plain).collect();
        Some(Proposal {
            present,
            name: format!("own_{name}"),
            base,
            added,
            beyond,
        })
    }
}

/// The pattern that a topic is an instance of: the device's name and address become variables,
/// numbers `+`, and what is deeper than eight levels `#`. None for what no profile could grant, or
/// what was cut off on its way here.
fn generalise(topic: &str, name: &str, mac: Mac, wish: Wish) -> Option<String> {
    const DEPTH: usize = 8;
    if !is_quotable(topic) {
        return None;
    }
    // A shared subscription needs the right to what is shared (MQTT 5 section 4.8.2).
    let topic = match topic.strip_prefix("$share/") {
        Some(rest) => rest.split_once('/')?.1,
        None => topic,
    };
    let whole = mac.0.map(|byte| format!("{byte:02X}")).concat();
    let (_, end) = whole.split_at_checked(6)?;
    let known = [
        (whole.clone(), "%m"),
        (whole.to_lowercase(), "%x"),
        (end.to_owned(), "%n"),
        (end.to_lowercase(), "%y"),
    ];
    let mut levels: Vec<String> = Vec::new();
    for (depth, level) in topic.split('/').enumerate() {
        if depth == DEPTH {
            levels.push("#".to_owned());
            break;
        }
        if depth > 0 && is_number(level) {
            levels.push("+".to_owned());
            continue;
        }
        let mut level = level.replace('%', "%%");
        match level == name {
            true => level = "%d".to_owned(),
            // `homeassistant/switch/kettle_relay_1/config`
            false => {
                if topic.starts_with("homeassistant/")
                    && let Some(rest) = level.strip_prefix(name)
                    && rest.starts_with('_')
                {
                    level = format!("%d{rest}");
                }
                for (digits, variable) in &known {
                    level = level.replace(digits, variable);
                }
            }
        }
        levels.push(level);
    }
    let pattern = levels.join("/");
    is_pattern(&pattern, wish).then_some(pattern)
}

/// Whether a pattern can be one that was noted: a profile may grant it, and it stands on the line that
/// it is proposed in.
pub(super) fn is_pattern(pattern: &str, wish: Wish) -> bool {
    is_quotable(pattern) && config::is_pattern(pattern, wish == Wish::Subscribe)
}

/// Quotes and backslashes would end the line that a pattern is proposed in; what was cut off is no
/// topic any more.
fn is_quotable(text: &str) -> bool {
    !text.contains(['\'', '"', '\\', '…']) && !text.chars().any(is_dangerous)
}

/// A level that counts something: the next one will be another.
fn is_number(level: &str) -> bool {
    let digits = level.strip_prefix("0x");
    let hex = |digits: &str| digits.len() >= 8 && digits.bytes().all(|b| b.is_ascii_hexdigit());
    !level.is_empty() && level.bytes().all(|byte| byte.is_ascii_digit()) || digits.is_some_and(hex)
}

/// Whether a pattern is about the device alone: its name or address stands as one of the first two
/// levels, or where Home Assistant and Tasmota have the name of who announces itself. Deeper it says
/// nothing: `cmnd/lamp/x/%d` is the lamp's.
fn is_own(pattern: &str, name: &str, others: &BTreeSet<&str>) -> bool {
    let own = |level: &str| {
        let rest = level.replace("%%", "");
        ["%d", "%m", "%n", "%x", "%y"]
            .iter()
            .any(|variable| rest.contains(variable))
    };
    let levels: Vec<&str> = pattern.split('/').collect();
    let meant = |level: &&str| level.replace("%d", name);
    if levels
        .iter()
        .map(meant)
        .any(|level| others.contains(&*level))
    {
        return false;
    }
    match levels.as_slice() {
        [first, ..] if own(first) => true,
        ["homeassistant", component, third, ..] if *component != "#" => own(third),
        // Where Tasmota announces itself, by its whole address.
        ["tasmota", "discovery", third, ..] => *third == "%m",
        [first, second, ..] if !first.contains(['+', '#', '$']) => own(second),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MAC: Mac = Mac([0xa4, 0xcf, 0x12, 0x4a, 0x2b, 0x1c]);

    fn pattern(topic: &str) -> Option<String> {
        generalise(topic, "kettle", MAC, Wish::Subscribe)
    }

    #[test]
    fn topics_become_patterns() {
        for (topic, expected) in [
            ("stat/kettle/POWER", "stat/%d/POWER"),
            (
                "tasmota/discovery/A4CF124A2B1C/config",
                "tasmota/discovery/%m/config",
            ),
            ("wled/4a2b1c/g", "wled/%y/g"),
            ("cmnd/DVES_4A2B1C_fb/#", "cmnd/DVES_%n_fb/#"),
            ("solar/114182908123/0/power", "solar/+/+/power"),
            (
                "homeassistant/switch/kettle_relay_1/config",
                "homeassistant/switch/%d_relay_1/config",
            ),
            ("z/0x00158d0001a2b3c4/set", "z/+/set"),
            ("a/1/2/3/4/5/6/7/8/9", "a/+/+/+/+/+/+/+/#"),
            ("100%/x", "100%%/x"),
            ("$share/workers/job/kettle", "job/%d"),
            ("$SYS/broker/uptime", "$SYS/broker/uptime"),
            ("12/x", "12/x"),
        ] {
            assert_eq!(pattern(topic).as_deref(), Some(expected), "{topic}");
        }
        for hostile in [
            "a'\n\tlist publish '#",
            "a\u{202e}b",
            "a\\b",
            "",
            "x/cut…",
            "$share/x",
        ] {
            assert_eq!(pattern(hostile), None, "{hostile:?}");
        }
        assert_eq!(generalise("$SYS/x", "kettle", MAC, Wish::Publish), None);
    }

    #[test]
    fn only_what_is_the_devices_own_is_proposed() {
        let others = BTreeSet::from(["lamp", "kettle_2"]);
        for own in [
            "%d/#",
            "stat/%d/POWER",
            "cmnd/DVES_%n_fb/#",
            "homeassistant/switch/%d_relay_1/config",
            "homeassistant/+/%d/#",
            "tasmota/discovery/%m/config",
        ] {
            assert!(is_own(own, "kettle", &others), "{own}");
        }
        for beyond in [
            "#",
            "+/#",
            "+/%d",
            "cmnd/lamp/POWER",
            "cmnd/lamp/POWER/%d",
            "lamp/%d",
            "homeassistant/switch/%d_2/config",
            "cmnd/+/%d",
            "homeassistant/#",
            "homeassistant/switch/lamp/%d/config",
            "$SYS/%d",
            "x/%%d",
            "solar/+/+/power",
            "tasmota/discovery/#",
            "tasmota/discovery/%n/config",
            "tasmota/other/%m",
        ] {
            assert!(!is_own(beyond, "kettle", &others), "{beyond}");
        }
    }

    #[test]
    fn a_day_is_noted_to_its_end_whatever_becomes_of_the_clock() {
        const HOUR: UnixMs = 3_600_000;
        const NOW: UnixMs = 1_800_000_000_000;
        let settings = std::sync::Arc::new(config::parse("test", "").unwrap());
        let mut registry = Registry::new(super::super::Contents::default(), settings, 0);
        registry.frame(0, MAC);
        // A router boots in the past, and hears of the present an hour later.
        assert_eq!(
            registry.learn(0, MAC, Duration::from_secs(86_400)),
            Ok(true)
        );
        registry.wished(1, MAC, Wish::Publish, "a/before", 0);
        registry.clock_set(HOUR, NOW);
        registry.wished(NOW, MAC, Wish::Publish, "a/at-once", 0);
        registry.wished(NOW + 22 * HOUR, MAC, Wish::Publish, "a/later", 0);
        // Set back.
        registry.clock_set(NOW + 22 * HOUR, NOW);
        registry.wished(NOW, MAC, Wish::Publish, "a/set-back", 0);
        registry.wished(NOW + HOUR - 1, MAC, Wish::Publish, "a/at-last", 0);
        registry.wished(NOW + HOUR, MAC, Wish::Publish, "a/after-it", 0);
        registry.clock_set(NOW + HOUR, NOW + 48 * HOUR);
        registry.wished(NOW + 48 * HOUR, MAC, Wish::Publish, "a/much-later", 0);
        let learning = registry.device(MAC).unwrap().learning.as_ref().unwrap();
        let noted: Vec<&str> = learning.wishes.keys().map(|(_, topic)| &**topic).collect();
        let expected = [
            "a/at-last",
            "a/at-once",
            "a/before",
            "a/later",
            "a/set-back",
        ];
        assert_eq!(noted, expected);
        assert_eq!(learning.until_ms - learning.since_ms, 24 * HOUR);
    }

    #[test]
    fn what_is_noted_is_bounded() {
        let settings = std::sync::Arc::new(config::parse("test", "").unwrap());
        let mut registry = Registry::new(super::super::Contents::default(), settings, 0);
        assert_eq!(registry.learn(0, MAC, Duration::from_secs(60)), Ok(false));
        registry.frame(0, MAC);
        registry.wished(1, MAC, Wish::Publish, "before/it/began", 0);
        assert_eq!(registry.learn(1, MAC, Duration::from_secs(60)), Ok(true));
        for number in 0..1000 {
            registry.wished(2, MAC, Wish::Publish, &format!("x{number}/a"), 1);
        }
        registry.wished(2, MAC, Wish::Publish, "x1/a", 0);
        registry.wished(60_001, MAC, Wish::Publish, "after/it", 0);
        let learning = registry.device(MAC).unwrap().learning.as_ref().unwrap();
        assert_eq!(learning.wishes.len(), Learning::MAX_WISHES);
        assert_eq!(learning.wishes[&(Wish::Publish, "x1/a".to_owned())], 2);
        assert_eq!(learning.left_out, 1000 + 1000 - 64);
        let proposal = registry.proposal(MAC).unwrap();
        assert_eq!(proposal.added, []);
        assert_eq!(proposal.beyond.len(), 64);
    }
}
