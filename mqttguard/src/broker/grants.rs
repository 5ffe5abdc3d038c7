//! From a profile's patterns to the filters of one client.

use mqttguard_broker::Grants;

use crate::config::Profile;

/// What `%d`, `%u` and `%c` stand for. All of it may be hostile text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Names<'a> {
    /// `%d`, the device's name.
    pub(super) device: &'a str,
    /// `%u`, the user name.
    pub(super) username: &'a str,
    /// `%c`, the client identifier.
    pub(super) client_id: &'a str,
}

/// Expands a profile for one client. A pattern whose names cannot stand in a topic, or that has
/// an unknown `%`, grants nothing: never more than was meant.
pub(super) fn expand(profile: &Profile, names: Names<'_>) -> Grants {
    let all = |patterns: &[String]| {
        patterns
            .iter()
            .filter_map(|pattern| expand_pattern(pattern, names))
            .collect()
    };
    Grants {
        publish: all(&profile.publish),
        subscribe: all(&profile.subscribe),
    }
}

fn expand_pattern(pattern: &str, names: Names<'_>) -> Option<String> {
    let mut filter = String::with_capacity(pattern.len());
    let mut rest = pattern.chars();
    while let Some(next) = rest.next() {
        if next != '%' {
            filter.push(next);
            continue;
        }
        filter.push_str(match rest.next()? {
            'd' => one_level(names.device)?,
            'u' => one_level(names.username)?,
            'c' => one_level(names.client_id)?,
            '%' => "%",
            _ => return None,
        });
    }
    Some(filter)
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
    };

    #[test]
    fn puts_names_in_their_places() {
        let profile = Profile {
            publish: vec!["tele/%d/#".into(), "%u/100%%/%c".into()],
            subscribe: vec!["cmnd/%d/+".into(), "all".into()],
            limits: "default".into(),
        };
        let grants = expand(&profile, NAMES);
        assert_eq!(grants.publish, ["tele/lamp/#", "user-1/100%/DVES_0001"]);
        assert_eq!(grants.subscribe, ["cmnd/lamp/+", "all"]);
    }

    #[test]
    fn names_that_would_widen_a_grant_grant_nothing() {
        for hostile in ["", "+", "#", "a/b", "x\0", "lamp+", "lamp/#"] {
            let names = Names {
                client_id: hostile,
                ..NAMES
            };
            assert_eq!(expand_pattern("cmnd/%c/#", names), None, "{hostile:?}");
            assert_eq!(
                expand_pattern("cmnd/%d/#", names),
                Some("cmnd/lamp/#".into())
            );
        }
    }

    #[test]
    fn a_name_is_not_expanded_again() {
        let names = Names {
            device: "%u",
            ..NAMES
        };
        assert_eq!(expand_pattern("a/%d", names), Some("a/%u".into()));
    }

    #[test]
    fn unknown_or_cut_off_escapes_grant_nothing() {
        assert_eq!(expand_pattern("a/%x", NAMES), None);
        assert_eq!(expand_pattern("a/%", NAMES), None);
    }
}
