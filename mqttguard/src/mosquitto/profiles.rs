//! What an ACL file grants its users, as `profile` sections.

use std::collections::BTreeMap;

use super::acl::{Access, Acl, Rule};
use super::section::{Section, free, word};
use super::{Mistake, quoted};
use crate::broker::login::grants::is_shared;
use crate::config::is_pattern;

/// Patterns that a list of a profile holds.
const LIST_MAX: usize = 64;
/// The built-in profile that grants everything.
const HUB: &str = "hub";

/// What corresponds to an ACL file.
#[derive(Debug, Default)]
pub struct Proposal {
    /// The profile of each user, by name.
    pub of: BTreeMap<String, String>,
    /// New profiles, as a file for `/etc/config/mqttguard`.
    pub uci: String,
    /// Their names and what they grant.
    pub profiles: Vec<(String, Lists)>,
    /// What there is no way to say here, by line.
    pub left_out: Vec<Mistake>,
}

/// The topics of a profile, as patterns.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Lists {
    /// That may be published to.
    pub publish: Vec<String>,
    /// That may be subscribed to.
    pub subscribe: Vec<String>,
    /// That may be neither.
    pub deny: Vec<String>,
}

/// A profile for each of `users`; those with the same rights share one, their own names in them
/// aside.
pub fn propose(acl: &Acl, users: &[&str]) -> Proposal {
    let mut proposal = Proposal::default();
    let mut left_out = BTreeMap::new();
    let mut leave = |rule: &Rule, why: &str| {
        left_out.entry(rule.line).or_insert_with(|| {
            let (access, topic) = (rule.access.name(), quoted(&rule.topic));
            format!("{access} {topic}: {why}")
        });
    };
    for rule in &acl.anonymous {
        leave(
            rule,
            "it is for clients without a user name, and nobody gets in without one here",
        );
    }
    let mut groups: BTreeMap<Lists, Vec<&str>> = BTreeMap::new();
    for user in users {
        let own = acl.users.get(*user).map(|(_, rules)| rules.as_slice());
        let own = own.unwrap_or_default();
        let mut lists = Lists::default();
        for rule in own {
            lists.add(rule, literal(&rule.topic), &mut leave);
        }
        for rule in &acl.patterns {
            lists.add(rule, variable(&rule.topic), &mut leave);
            if rule.access == Access::Deny && !own.is_empty() {
                leave(
                    rule,
                    "taken over, but here it goes before a user's own 'topic' lines, which come \
                     first in mosquitto",
                );
            }
        }
        groups.entry(lists).or_default().push(user);
    }
    let strangers = acl.users.iter();
    for (name, (line, _)) in strangers.filter(|(name, _)| !users.contains(&name.as_str())) {
        let what = format!(
            "user {}: found no account of this name in the password file, its rules are left out",
            quoted(name)
        );
        left_out.insert(*line, what);
    }
    for (lists, users) in by_name(groups) {
        let name = match lists.is_everything() {
            true => HUB.to_owned(),
            false => proposal.add(&lists, &users),
        };
        let users = users
            .into_iter()
            .map(|user| (user.to_owned(), name.clone()));
        proposal.of.extend(users);
    }
    let left_out = left_out.into_iter();
    proposal.left_out = left_out
        .map(|(line, what)| Mistake { line, what })
        .collect();
    proposal
}

impl Lists {
    fn add(&mut self, rule: &Rule, pattern: String, leave: &mut impl FnMut(&Rule, &str)) {
        let (write, read) = match rule.access {
            Access::Read => (false, true),
            Access::Write => (true, false),
            Access::ReadWrite => (true, true),
            Access::Deny => (false, false),
        };
        // What only the client identifier ties to a client, that client chooses.
        if pattern.replace("%%", "").contains("%c") {
            leave(
                rule,
                "taken over, but any client can call itself by any client identifier: better tie it \
                 to the user, by %u",
            );
        }
        let mut put = |list: &mut Vec<String>, dollar: bool| {
            if !is_pattern(&pattern, dollar) {
                leave(rule, unfit(&pattern, dollar));
            } else if list.len() >= LIST_MAX && !list.contains(&pattern) {
                leave(rule, "a profile has room for 64 patterns of a kind");
            } else if !list.contains(&pattern) {
                list.push(pattern.clone());
            }
        };
        if rule.access == Access::Deny {
            put(&mut self.deny, true);
        }
        if write {
            put(&mut self.publish, false);
        }
        if read {
            put(&mut self.subscribe, true);
        }
    }

    /// With `%u` for each level that is the user's name, unless that is a first level which no
    /// variable stands for.
    fn named_by(&self, user: &str) -> Lists {
        if is_shared(user) {
            return self.clone();
        }
        let level = |level: &'_ str| match level == user {
            true => "%u".to_owned(),
            false => level.to_owned(),
        };
        let all = |list: &[String]| {
            let patterns = list.iter();
            patterns
                .map(|pattern| pattern.split('/').map(level).collect::<Vec<_>>().join("/"))
                .collect()
        };
        Lists {
            publish: all(&self.publish),
            subscribe: all(&self.subscribe),
            deny: all(&self.deny),
        }
    }

    /// Whether it is what the built-in profile of Home Assistant grants, or less only of `$SYS`.
    fn is_everything(&self) -> bool {
        let all = |list: &[String]| list.iter().any(|pattern| pattern == "#");
        let within = self
            .subscribe
            .iter()
            .all(|pattern| !pattern.starts_with('$') || pattern.starts_with("$SYS/"));
        self.deny.is_empty() && all(&self.publish) && all(&self.subscribe) && within
    }
}

impl Proposal {
    /// A section for these users; its name.
    fn add(&mut self, lists: &Lists, users: &[&str]) -> String {
        let wanted = match users {
            [user] => format!("acl_{}", word(user)),
            _ => "acl_shared".to_owned(),
        };
        let name = free(&wanted, |name| {
            self.profiles.iter().any(|(taken, _)| taken == name)
        });
        let mut section = Section::new("profile", &name);
        section.comment(&format!("Rights of: {}", users.join(", ")));
        if *lists == Lists::default() {
            section.comment("The ACL file grants them nothing.");
        }
        for (option, patterns) in [
            ("publish", &lists.publish),
            ("subscribe", &lists.subscribe),
            ("deny", &lists.deny),
        ] {
            for pattern in patterns {
                section.list(option, pattern);
            }
        }
        self.uci.push_str(&section.text());
        self.uci.push('\n');
        self.profiles.push((name.clone(), lists.clone()));
        name
    }
}

/// The same groups, but users that are alone with their rights share one if these are the same with
/// `%u` for their names. A hundred blocks `user x`, `topic readwrite x/#` would be more profiles than
/// there is room for.
fn by_name(groups: BTreeMap<Lists, Vec<&str>>) -> Vec<(Lists, Vec<&str>)> {
    let (alone, together): (Vec<_>, Vec<_>) =
        groups.into_iter().partition(|(_, users)| users.len() == 1);
    let mut alike: BTreeMap<Lists, Vec<(Lists, &str)>> = BTreeMap::new();
    for (lists, users) in alone {
        for user in users {
            let named = lists.named_by(user);
            alike.entry(named).or_default().push((lists.clone(), user));
        }
    }
    let mut out = together;
    for (named, mut of) in alike {
        match of.len() {
            1 => out.extend(of.pop().map(|(lists, user)| (lists, vec![user]))),
            _ => out.push((named, of.into_iter().map(|(_, user)| user).collect())),
        }
    }
    out
}

/// A topic that stands for itself, as a pattern.
fn literal(topic: &str) -> String {
    topic.replace('%', "%%")
}

/// The same, where `%u` and `%c` are variables, which they are here as well.
fn variable(topic: &str) -> String {
    let mut pattern = String::with_capacity(topic.len());
    let mut rest = topic.chars().peekable();
    while let Some(next) = rest.next() {
        pattern.push(next);
        if next == '%' && !matches!(rest.peek(), Some('u' | 'c')) {
            pattern.push('%');
        }
    }
    pattern
}

/// Why a pattern cannot be one here.
fn unfit(pattern: &str, dollar: bool) -> &'static str {
    if pattern.starts_with("$share/") {
        "shared subscriptions are granted by the topic that they share"
    } else if pattern.starts_with('$') && !dollar {
        "topics that begin with $ are the broker's own, nobody publishes to them"
    } else if pattern.len() > 256 || pattern.split('/').count() > 32 {
        "a pattern has at most 32 levels and 256 bytes"
    } else {
        "control characters cannot stand in a topic"
    }
}

#[cfg(test)]
mod tests {
    use super::super::acl;
    use super::*;

    fn proposed(text: &str, users: &[&str]) -> Proposal {
        propose(&acl::read(text).unwrap(), users)
    }

    #[test]
    fn rights_become_profiles_that_the_configuration_takes() {
        let text = "topic read public\nuser lamp\ntopic lamp/#\ntopic deny lamp/secret\n\
            user ha\ntopic readwrite #\ntopic read $SYS/#\nuser plug\ntopic write 100%/x\n\
            user socket\ntopic write 100%/x\nuser gone\ntopic read x\n\
            pattern write up/%u/%c\npattern write $SYS/broker/connection/%c/state\n";
        let proposal = proposed(text, &["lamp", "ha", "plug", "socket", "quiet"]);
        let settings = crate::config::parse("test", &proposal.uci).unwrap();
        let profile = |user: &str| &settings.profiles[&proposal.of[user]];
        assert_eq!(profile("lamp").publish, ["lamp/#", "up/%u/%c"]);
        assert_eq!(profile("lamp").subscribe, ["lamp/#"]);
        assert_eq!(profile("lamp").deny, ["lamp/secret"]);
        assert_eq!(proposal.of["ha"], "hub");
        assert_eq!(proposal.of["plug"], "acl_shared");
        assert_eq!(proposal.of["plug"], proposal.of["socket"]);
        assert_eq!(profile("plug").publish, ["100%%/x", "up/%u/%c"]);
        assert_eq!(profile("quiet").publish, ["up/%u/%c"]);
        let lines: Vec<u32> = proposal.left_out.iter().map(|one| one.line).collect();
        assert_eq!(lines, [1, 12, 14, 15], "{:#?}", proposal.left_out);
        let told = |line: u32| {
            let mut all = proposal.left_out.iter();
            &all.find(|one| one.line == line).unwrap().what
        };
        assert!(told(1).contains("without a user name"));
        assert!(told(12).contains("no account"));
        assert!(told(14).contains("client identifier"));
    }

    #[test]
    fn the_same_rights_under_their_own_names_are_one_profile() {
        let users: Vec<String> = (0..100).map(|number| format!("plug{number}")).collect();
        let mut text = String::new();
        for user in &users {
            text.push_str(&format!(
                "user {user}\ntopic readwrite {user}/#\ntopic write tele/{user}/#\n"
            ));
        }
        text.push_str("user solar\ntopic readwrite solar/#\ntopic write tele/solar/#\n");
        text.push_str("user lamp\ntopic write tele/lamps/#\n");
        let mut all: Vec<&str> = users.iter().map(String::as_str).collect();
        all.extend(["solar", "lamp"]);
        let proposal = proposed(&text, &all);
        let settings = crate::config::parse("test", &proposal.uci).unwrap();
        let profile = |user: &str| &settings.profiles[&proposal.of[user]];
        assert_eq!(proposal.profiles.len(), 3);
        assert_eq!(profile("plug99").publish, ["%u/#", "tele/%u/#"]);
        assert_eq!(profile("plug99").subscribe, ["%u/#"]);
        // A name that `%u` does not stand for at the beginning of a topic.
        assert_eq!(profile("solar").publish, ["solar/#", "tele/solar/#"]);
        assert_eq!(profile("lamp").publish, ["tele/lamps/#"]);
    }

    #[test]
    fn a_user_without_rules_has_none_here() {
        let proposal = proposed("user lamp\ntopic lamp/#\n", &["lamp", "other"]);
        let settings = crate::config::parse("test", &proposal.uci).unwrap();
        let other = &settings.profiles[&proposal.of["other"]];
        assert!(other.publish.is_empty() && other.subscribe.is_empty());
    }

    #[test]
    fn what_has_no_room_is_named() {
        let mut text = "user lamp\n".to_owned();
        (0..66).for_each(|topic| text.push_str(&format!("topic read t{topic}\n")));
        text.push_str(&format!("topic read {}\n", "x/".repeat(40)));
        text.push_str("pattern deny %u/x\n");
        let proposal = proposed(&text, &["lamp"]);
        let lines: Vec<u32> = proposal.left_out.iter().map(|one| one.line).collect();
        assert_eq!(lines, [66, 67, 68, 69]);
        crate::config::parse("test", &proposal.uci).unwrap();
    }
}
