//! From a profile's patterns to the filters of one client.

use mqttguard_broker::Grants;
use mqttguard_common::Mac;

use crate::config::Profile;
use crate::trees::is_shared;

/// What the variables of a pattern stand for. All of it may be hostile text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Names<'a> {
    /// `%d`, the device's name.
    pub(crate) device: &'a str,
    /// `%u`, the user name.
    pub(crate) username: &'a str,
    /// `%c`, the client identifier.
    pub(crate) client_id: &'a str,
    /// The device's MAC address: `%m` as `02C11E00000A`, `%n` its last six digits (`00000A`), `%x` and
    /// `%y` the same two in lower case.
    pub(crate) mac: Mac,
}

/// Expands a profile for one client. A pattern whose names cannot stand in a topic, or that has
/// an unknown `%`, grants nothing, and denies all that it could have meant: never is more granted
/// than was meant.
pub(crate) fn expand(profile: &Profile, names: Names<'_>) -> Grants {
    let all = |patterns: &[String]| {
        patterns
            .iter()
            .filter_map(|pattern| expand_pattern(pattern, names).ok())
            .collect()
    };
    let denied = profile.deny.iter();
    let denied = denied.flat_map(|pattern| match expand_pattern(pattern, names) {
        Ok(filter) => vec![filter],
        Err(begun) => all_below(&begun),
    });
    Grants {
        publish: all(&profile.publish),
        subscribe: all(&profile.subscribe),
        deny: denied.collect(),
    }
}

/// Everything that begins with the whole levels of this beginning of a pattern.
fn all_below(begun: &str) -> Vec<String> {
    match begun.rsplit_once('/') {
        Some((levels, _)) => vec![format!("{levels}/#")],
        // `#` does not reach the server's own topics (MQTT-4.7.2-1), and of those there is one tree.
        None => vec!["#".to_owned(), "$SYS/#".to_owned()],
    }
}

/// The filter, or the beginning of one that comes to nothing.
fn expand_pattern(pattern: &str, names: Names<'_>) -> Result<String, String> {
    let mut filter = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            filter.push(next);
            continue;
        }
        let mut mac;
        let value = match rest.next() {
            Some('d') => {
                one_level(names.device).filter(|name| !filter.is_empty() || !is_shared(name))
            }
            Some('u') => {
                one_level(names.username).filter(|name| !filter.is_empty() || !is_shared(name))
            }
            Some('c') => {
                one_level(names.client_id).filter(|name| !filter.is_empty() || !is_shared(name))
            }
            // Not of users that no device stands behind.
            Some(digits @ ('m' | 'n' | 'x' | 'y')) if names.mac.is_device() => {
                mac = names.mac.0.map(|byte| format!("{byte:02X}")).concat();
                if matches!(digits, 'x' | 'y') {
                    mac.make_ascii_lowercase();
                }
                mac.get(if matches!(digits, 'n' | 'y') {
                    6..
                } else {
                    0..
                })
            }
            Some('%') => Some("%"),
            _ => None,
        };
        match value {
            Some(value) => filter.push_str(value),
            None => return Err(filter),
        }
    }
    Ok(filter)
}

/// A name that stays within its topic level: a wildcard or separator in it would widen the
/// grant, an empty one would make it somebody else's.
fn one_level(name: &str) -> Option<&str> {
    let safe = !name.is_empty() && !name.contains(['+', '#', '/', '\0']);
    safe.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAMES: Names<'_> = Names {
        device: "lamp",
        username: "user-1",
        client_id: "DVES_0001",
        mac: Mac([0x02, 0xc1, 0x1e, 0, 0, 0x0a]),
    };

    #[test]
    fn puts_names_in_their_places() {
        let profile = Profile {
            publish: vec!["tele/%d/#".into(), "%u/100%%/%c".into()],
            subscribe: vec!["cmnd/%d/+".into(), "all".into(), "disc/%m/#".into()],
            deny: vec!["tele/%d/secret/#".into()],
            limits: "default".into(),
        };
        let grants = expand(&profile, NAMES);
        assert_eq!(grants.publish, ["tele/lamp/#", "user-1/100%/DVES_0001"]);
        let subscribe = ["cmnd/lamp/+", "all", "disc/02C11E00000A/#"];
        assert_eq!(grants.subscribe, subscribe);
        assert_eq!(grants.deny, ["tele/lamp/secret/#"]);
    }

    #[test]
    fn names_that_would_widen_a_grant_grant_nothing() {
        for hostile in ["", "+", "#", "a/b", "x\0", "lamp+", "lamp/#"] {
            let names = Names {
                client_id: hostile,
                ..NAMES
            };
            assert!(expand_pattern("cmnd/%c/#", names).is_err(), "{hostile:?}");
            assert_eq!(expand_pattern("cmnd/%d/#", names), Ok("cmnd/lamp/#".into()));
            let profile = Profile {
                deny: vec!["a/b-%c/x".into(), "%c".into(), "$SYS/%c".into()],
                ..Profile::default()
            };
            let deny = expand(&profile, names).deny;
            assert_eq!(deny, ["a/#", "#", "$SYS/#", "$SYS/#"], "{hostile:?}");
        }
    }

    #[test]
    fn without_a_device_there_is_no_mac_address() {
        let names = Names {
            mac: Mac([0; 6]),
            ..NAMES
        };
        assert_eq!(expand_pattern("disc/%m/#", names), Err("disc/".into()));
    }

    #[test]
    fn the_mac_address_in_each_of_its_ways() {
        for (pattern, filter) in [
            ("a/%m/#", "a/02C11E00000A/#"),
            ("stat/tasmota_%n/#", "stat/tasmota_00000A/#"),
            ("a/%x", "a/02c11e00000a"),
            ("wled/%y/#", "wled/00000a/#"),
        ] {
            assert_eq!(expand_pattern(pattern, NAMES), Ok(filter.into()));
        }
    }

    #[test]
    fn a_device_named_like_a_shared_tree_does_not_get_the_tree() {
        for name in ["homeassistant", "cmnd", "TELE", "zigbee2mqtt"] {
            let names = Names {
                device: name,
                client_id: name,
                ..NAMES
            };
            assert!(expand_pattern("%d/#", names).is_err(), "{name}");
            assert!(expand_pattern("%c/#", names).is_err(), "{name}");
            let below = Ok(format!("stat/{name}/#"));
            assert_eq!(expand_pattern("stat/%d/#", names), below);
        }
    }

    #[test]
    fn a_name_is_not_expanded_again() {
        let names = Names {
            device: "%u",
            ..NAMES
        };
        assert_eq!(expand_pattern("a/%d", names), Ok("a/%u".into()));
    }

    #[test]
    fn unknown_or_cut_off_escapes_grant_nothing() {
        assert_eq!(expand_pattern("a/%z", NAMES), Err("a/".into()));
        assert_eq!(expand_pattern("a/%", NAMES), Err("a/".into()));
    }
}
