//! What was noted of a device, and the profile that is proposed of it.

use mqttguard_common::Mac;
use serde_json::Value;

use super::wiring::Daemon;
use crate::json::json;
use crate::registry::{Proposal, Wish};

/// `learn`: what was noted and the proposal. None if nothing ever was.
pub(super) fn report(daemon: &Daemon, mac: Mac) -> Option<Value> {
    let device = daemon.registry.device(mac)?;
    let learning = device.learning.as_ref()?;
    let proposal = daemon.registry.proposal(mac)?;
    let wishes = learning.wishes.iter().map(|((wish, pattern), count)| {
        let beyond = proposal.beyond.contains(&(*wish, pattern.clone()));
        json!({ "wish": wish.option(), "pattern": pattern, "count": count, "beyond": beyond })
    });
    Some(json!({
        "mac": mac.to_string(),
        "name": device.name,
        "since_ms": learning.since_ms,
        "until_ms": learning.until_ms,
        "left_out": learning.left_out,
        "gaps": learning.gaps,
        "last_gap": learning.last_gap.map(|gap| json!({ "from_ms": gap.from_ms, "to_ms": gap.to_ms })),
        "present": proposal.present,
        "wishes": wishes.collect::<Vec<_>>(),
        "uci": text(&proposal, false),
        "diff": text(&proposal, true),
    }))
}

/// The proposal as a section of `/etc/config/mqttguard`, or how it differs from the present profile.
/// What reaches beyond the device is a comment.
fn text(proposal: &Proposal, diff: bool) -> String {
    let [same, less, more] = match diff {
        true => [" ", "-", "+"],
        false => [""; 3],
    };
    let base = &proposal.base;
    let mut out = String::new();
    if diff {
        out.push_str(&format!("{less}config profile '{}'\n", proposal.present));
    }
    out.push_str(&format!("{more}config profile '{}'\n", proposal.name));
    out.push_str(&format!("{same}\toption limits '{}'\n", base.limits));
    let lists = [
        (Wish::Publish, &base.publish),
        (Wish::Subscribe, &base.subscribe),
    ];
    for (wish, patterns) in lists {
        let option = wish.option();
        for pattern in patterns {
            out.push_str(&format!("{same}\tlist {option} {}\n", quoted(pattern)));
        }
        let of = |list: &[(Wish, String)]| -> Vec<String> {
            let mine = list.iter().filter(|(kind, _)| *kind == wish);
            mine.map(|(_, pattern)| pattern.clone()).collect()
        };
        for pattern in of(&proposal.added) {
            out.push_str(&format!("{more}\tlist {option} '{pattern}'\n"));
        }
        for pattern in of(&proposal.beyond) {
            out.push_str(&format!("{more}\t#list {option} '{pattern}'\n"));
        }
    }
    for pattern in &base.deny {
        out.push_str(&format!("{same}\tlist deny {}\n", quoted(pattern)));
    }
    out
}

/// A value as UCI takes it. Patterns of the owner's may have quotes in them; none that was noted has.
fn quoted(pattern: &str) -> String {
    format!("'{}'", pattern.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    fn proposal() -> Proposal {
        let settings = config::parse("test", "").unwrap();
        let own = |wish, pattern: &str| (wish, pattern.to_owned());
        Proposal {
            present: "wled".to_owned(),
            name: "own_shelf".to_owned(),
            base: settings.profiles["wled"].clone(),
            added: vec![own(Wish::Publish, "homeassistant/+/%d/config")],
            beyond: vec![own(Wish::Subscribe, "#")],
        }
    }

    #[test]
    fn a_proposal_is_a_section_that_can_be_pasted() {
        let mut proposal = proposal();
        proposal.base.deny.push("it's/#".to_owned());
        let text = text(&proposal, false);
        let settings = config::parse("test", &text).unwrap();
        let profile = &settings.profiles["own_shelf"];
        let present = &settings.profiles["wled"];
        assert_eq!(profile.limits, present.limits);
        assert_eq!(profile.deny, ["it's/#"]);
        assert_eq!(profile.subscribe, present.subscribe);
        let [first, second, added] = profile.publish.as_slice() else {
            panic!("{profile:?}");
        };
        assert_eq!([first, second], [&present.publish[0], &present.publish[1]]);
        assert_eq!(added, "homeassistant/+/%d/config");
    }

    #[test]
    fn the_difference_is_shown() {
        let expected = "\
-config profile 'wled'
+config profile 'own_shelf'
 \toption limits 'small'
 \tlist publish 'wled/%d/#'
 \tlist publish 'wled/%y/#'
+\tlist publish 'homeassistant/+/%d/config'
 \tlist subscribe 'wled/%d/#'
 \tlist subscribe 'wled/%y/#'
 \tlist subscribe 'wled/all/#'
+\t#list subscribe '#'
";
        assert_eq!(text(&proposal(), true), expected);
    }
}
