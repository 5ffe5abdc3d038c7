//! What a device asked for and did not get, the latest of it: for the owner to see, and to grant.

use mqttguard_common::Mac;

use super::{Registry, UnixMs, Wish};
use crate::config;
use crate::events::Denial;
use crate::text::is_clipped;

/// The latest refusals of one device. Kept in memory alone; 16 topics of at most 203 bytes each are
/// about 4 KiB, and a device that is refused nothing has none of it.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    /// The latest last.
    topics: Vec<RefusedTopic>,
    /// The latest last.
    logins: Vec<RefusedLogin>,
}

/// A topic that a device may not use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RefusedTopic {
    /// What it wanted to do.
    pub wish: Wish,
    /// The topic name or filter; hostile text, of a long one the beginning.
    pub topic: String,
    /// How often it was told. The broker tells a few a second of one client.
    pub count: u64,
    /// When last.
    pub last_ms: UnixMs,
}

/// Why a device was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefusedLogin {
    /// Why.
    pub why: Denial,
    /// How often.
    pub count: u64,
    /// When last.
    pub last_ms: UnixMs,
}

impl RefusedTopic {
    /// The pattern that grants this and nothing else; None if no pattern can.
    pub fn pattern(&self) -> Option<String> {
        if is_clipped(&self.topic) {
            return None;
        }
        let pattern = unshared(&self.topic).replace('%', "%%");
        config::is_pattern(&pattern, self.wish == Wish::Subscribe).then_some(pattern)
    }

    /// Whether these rights allow it.
    pub fn is_granted(&self, grants: &mqttguard_broker::Grants) -> bool {
        match self.wish {
            Wish::Publish => grants.may_publish(&self.topic),
            Wish::Subscribe => grants.allows_filter(unshared(&self.topic)),
        }
    }
}

/// The filter that a shared subscription needs the right to (MQTT 5 section 4.8.2).
fn unshared(filter: &str) -> &str {
    let rest = filter.strip_prefix("$share/");
    let shared = rest.and_then(|rest| rest.split_once('/'));
    shared.map_or(filter, |(_, filter)| filter)
}

impl Refusals {
    /// Different ones of each kind that are kept of a device.
    pub const MAX: usize = 16;

    /// Topics, the latest last.
    pub fn topics(&self) -> &[RefusedTopic] {
        &self.topics
    }

    /// Reasons of refused logins, the latest last.
    pub fn logins(&self) -> &[RefusedLogin] {
        &self.logins
    }
}

/// Puts what happened again behind all others, with `made` if it never happened before.
fn note<T>(list: &mut Vec<T>, same: impl Fn(&T) -> bool, made: T, again: impl FnOnce(&mut T)) {
    let mut one = match list.iter().position(same) {
        Some(place) => list.remove(place),
        None => made,
    };
    again(&mut one);
    if list.len() >= Refusals::MAX {
        list.remove(0);
    }
    list.push(one);
}

impl Registry {
    /// A device was refused a topic.
    pub fn topic_refused(&mut self, now: UnixMs, mac: Mac, wish: Wish, topic: &str) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let refusals = device.refusals.get_or_insert_default();
        let made = RefusedTopic {
            wish,
            topic: topic.to_owned(),
            count: 0,
            last_ms: now,
        };
        let same = |one: &RefusedTopic| one.wish == wish && one.topic == topic;
        note(&mut refusals.topics, same, made, |one| {
            one.count = one.count.saturating_add(1);
            one.last_ms = now;
        });
    }

    /// A login from a device was refused, and `suppressed` before it that were not told.
    pub fn login_refused(&mut self, now: UnixMs, mac: Mac, why: Denial, suppressed: u32) {
        let Some(device) = self.devices.get_mut(&mac) else {
            return;
        };
        let refusals = device.refusals.get_or_insert_default();
        let made = RefusedLogin {
            why,
            count: 0,
            last_ms: now,
        };
        let same = |one: &RefusedLogin| one.why == why;
        note(&mut refusals.logins, same, made, |one| {
            let more = u64::from(suppressed).saturating_add(1);
            one.count = one.count.saturating_add(more);
            one.last_ms = now;
        });
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

    fn registry() -> Registry {
        let settings = Arc::new(config::parse("test", "").unwrap());
        let mut registry = Registry::new(super::super::Contents::default(), settings, 0);
        registry.frame(0, MAC);
        registry
    }

    fn refusals(registry: &Registry) -> &Refusals {
        registry.device(MAC).unwrap().refusals.as_ref().unwrap()
    }

    #[test]
    fn the_last_different_topics_are_kept_and_counted() {
        let mut registry = registry();
        for number in 0..1000 {
            registry.topic_refused(number, MAC, Wish::Publish, &format!("x/{number}"));
        }
        for (now, wish) in [
            (1001, Wish::Publish),
            (1002, Wish::Subscribe),
            (1003, Wish::Publish),
        ] {
            registry.topic_refused(now, MAC, wish, "x/990");
        }
        let topics = refusals(&registry).topics();
        assert_eq!(topics.len(), Refusals::MAX);
        let last = topics.last().unwrap();
        let expected = (Wish::Publish, "x/990", 3, 1003);
        let found = (last.wish, last.topic.as_str(), last.count, last.last_ms);
        assert_eq!(found, expected);
        assert_eq!(topics[14].wish, Wish::Subscribe);
        assert_eq!(topics[0].topic, "x/985");
    }

    #[test]
    fn reasons_of_refused_logins_are_counted() {
        let mut registry = registry();
        registry.login_refused(1, MAC, Denial::WrongPassword, 0);
        registry.login_refused(2, MAC, Denial::UnknownUser, 2);
        registry.login_refused(3, MAC, Denial::WrongPassword, 4);
        let found: Vec<_> = refusals(&registry)
            .logins()
            .iter()
            .map(|one| (one.why, one.count, one.last_ms))
            .collect();
        let expected = [(Denial::UnknownUser, 3, 2), (Denial::WrongPassword, 6, 3)];
        assert_eq!(found, expected);
        registry.login_refused(4, Mac([2, 0, 0, 0, 0, 9]), Denial::Busy, 0);
    }

    #[test]
    fn a_refused_topic_has_a_pattern_that_grants_it_alone() {
        let of = |wish, topic: &str| {
            let one = RefusedTopic {
                wish,
                topic: topic.to_owned(),
                count: 1,
                last_ms: 0,
            };
            let pattern = one.pattern()?;
            // As the broker expands it.
            let filter = pattern.replace("%%", "%");
            let grants = mqttguard_broker::Grants {
                publish: vec![filter.clone()],
                subscribe: vec![filter],
                deny: Vec::new(),
            };
            assert!(one.is_granted(&grants), "{topic}");
            Some(pattern)
        };
        assert_eq!(of(Wish::Publish, "a/100%").as_deref(), Some("a/100%%"));
        assert_eq!(of(Wish::Subscribe, "a/+/#").as_deref(), Some("a/+/#"));
        let shared = of(Wish::Subscribe, "$share/g/a/+");
        assert_eq!(shared.as_deref(), Some("a/+"));
        assert_eq!(of(Wish::Subscribe, "$SYS/#").as_deref(), Some("$SYS/#"));
        // Nobody may publish there.
        assert_eq!(of(Wish::Publish, "$SYS/x"), None);
        let long = crate::text::clip(&"x/".repeat(300)).into_owned();
        assert_eq!(of(Wish::Publish, &long), None);
    }
}
