//! Each item in both directions: as it stands in a good house, and what it comes to when something is
//! amiss that it asks about.

mod amiss;

use std::collections::BTreeSet;

use mqttguard_common::Mac;

use super::*;
use crate::config::{Bindings, Mode};
use crate::registry::State;
use amiss::{AMISS, certificate};

const NOW: u64 = 1_800_000_000_000;
const DAY: u64 = 24 * 3600 * 1000;

/// An enrolled lamp and an enrolled plug, both connected encrypted, and a laptop that speaks no MQTT.
fn good() -> House {
    let broker = Broker {
        encrypted: 1,
        on_disk: true,
        ca_fingerprint: "AB:CD".to_owned(),
        ..Broker::default()
    };
    House {
        now_ms: NOW,
        enabled: true,
        mode: Mode::Enforce,
        protection: Protection::Full,
        sees: true,
        problems: Vec::new(),
        detection: Detection {
            connect: true,
            websocket: true,
            mqtt_sn: true,
        },
        bindings: Bindings::Drop,
        login_failures: 5,
        floods_quarantine: true,
        broker: Some(broker),
        exceptions: Vec::new(),
        plain_bridges: Vec::new(),
        uplift_problem: None,
        foreign_users: None,
        tokens: false,
        silent_sources: Vec::new(),
        registry_trouble: None,
        mistakes: 0,
        at_next_start: 0,
        members: vec![
            enrolled("lamp", 1),
            enrolled("plug", 2),
            member("laptop", 3),
        ],
    }
}

fn member(name: &str, number: u8) -> Member {
    Member {
        mac: Mac([2, 0, 0, 0, 0, number]),
        name: name.to_owned(),
        state: State::New,
        credential: None,
        roaming: false,
        island: false,
        in_encrypted: false,
        in_clear: false,
        uplifted: false,
        plaintext: 0,
        floods: 0,
        mismatches: 0,
        failed_logins: 0,
        all_topics: false,
    }
}

fn enrolled(name: &str, number: u8) -> Member {
    Member {
        state: State::Enrolled,
        credential: Some(Credential::default()),
        in_encrypted: true,
        ..member(name, number)
    }
}

fn item(id: &str) -> &'static Item {
    let mut items = Standard::ALL.into_iter().flat_map(Standard::items);
    items
        .find(|item| item.id == id)
        .unwrap_or_else(|| panic!("no item {id}"))
}

/// How a house that is good but for `change` stands to an item.
fn judged(id: &str, change: impl FnOnce(&mut House)) -> Finding {
    let mut house = good();
    change(&mut house);
    let finding = item(id).judge(&house);
    check(id, &finding);
    finding
}

/// What is true of any finding.
fn check(id: &str, finding: &Finding) {
    let sentences = finding.says.iter();
    let sentences = sentences.chain(finding.devices.iter().map(|concern| &concern.why));
    let known = texts();
    for sentence in sentences {
        let places = sentence.text.0.matches("%s").count();
        assert_eq!(places, sentence.values.len(), "{id}: {sentence:?}");
        assert!(known.contains(&sentence.text.0), "{id}: {sentence:?}");
    }
    match finding.verdict {
        Verdict::Outside | Verdict::Holds => {
            assert_eq!(
                (&*finding.devices, &*finding.acts),
                (&[][..], &[][..]),
                "{id}"
            );
        }
        Verdict::Partly | Verdict::Open => {}
    }
    assert!(!finding.says.is_empty(), "{id} says nothing");
}

/// What the best house has not.
const NEVER: [&str; 2] = ["etsi-5.11", "nist-data-protection-2"];

#[test]
fn in_a_good_house_all_holds_that_the_router_can_say() {
    for item in Standard::ALL.into_iter().flat_map(Standard::items) {
        let finding = judged(item.id, |_| {});
        match finding.verdict {
            Verdict::Partly => assert!(NEVER.contains(&item.id), "{}: {finding:?}", item.id),
            Verdict::Open => panic!("{}: {finding:?}", item.id),
            Verdict::Holds | Verdict::Outside => {}
        }
    }
}

#[test]
fn what_is_amiss_shows_in_the_items_that_ask_about_it() {
    for (at, (ids, change, verdict, devices)) in AMISS.iter().enumerate() {
        for id in *ids {
            let finding = judged(id, change);
            assert_eq!(finding.verdict, *verdict, "{id}, change {at}: {finding:?}");
            let concerned: Vec<_> = finding.devices.iter().map(|one| &*one.name).collect();
            assert_eq!(concerned, *devices, "{id}, change {at}");
            assert!(
                !finding.acts.is_empty(),
                "{id}, change {at}: nothing mends it"
            );
        }
    }
}

/// Each item either is held to something above, or is never for the router to say.
#[test]
fn no_item_is_left_out() {
    let tried: BTreeSet<_> = AMISS.iter().flat_map(|(ids, ..)| *ids).copied().collect();
    for item in Standard::ALL.into_iter().flat_map(Standard::items) {
        let outside = judged(item.id, |_| {}).verdict == Verdict::Outside;
        assert_eq!(outside, !tried.contains(item.id), "{}", item.id);
        if outside {
            for (_, change, ..) in AMISS {
                let finding = judged(item.id, change);
                assert_eq!(finding.verdict, Verdict::Outside, "{}", item.id);
            }
        }
    }
}

#[test]
fn who_speaks_no_mqtt_or_is_blocked_is_not_asked_about() {
    let blocked = |house: &mut House| {
        house.members.push(Member {
            state: State::Blocked,
            plaintext: 1000,
            ..member("camera", 4)
        });
        house.members.push(Member {
            state: State::Gone,
            failed_logins: 1,
            ..member("old", 5)
        });
    };
    for id in ["etsi-5.1-1", "etsi-5.5-1", "owasp-i8"] {
        assert_eq!(judged(id, blocked).verdict, Verdict::Holds, "{id}");
    }
    let nobody = judged("etsi-5.1-1", |house| house.members.clear());
    assert_eq!(nobody.verdict, Verdict::Holds);
}

/// What passed is told as such, and not as stopped.
#[test]
fn what_was_stopped_and_what_was_not_are_told_apart() {
    let why = |mode| {
        let finding = judged("etsi-5.5-1", |house| {
            house.mode = mode;
            house.members[2].plaintext = 1;
        });
        finding.devices[0].why.text
    };
    assert_eq!(why(Mode::Enforce), texts::WHY_TRIED_CLEAR);
    assert_eq!(why(Mode::Monitor), texts::WHY_SENDS_CLEAR);
}

#[test]
fn who_is_uplifted_speaks_encrypted() {
    let finding = judged("etsi-5.5-1", |house| {
        house.members[2].uplifted = true;
        house.members[2].plaintext = 7;
    });
    assert_eq!(finding.verdict, Verdict::Holds);
    assert!(finding.says.iter().any(|said| said.text == texts::UPLIFTED));
}

#[test]
fn monitor_mode_sees_though_it_does_not_act() {
    let finding = judged("etsi-5.10-1", |house| house.mode = Mode::Monitor);
    assert_eq!(finding.verdict, Verdict::Holds);
}

#[test]
fn a_certificate_is_told_of_before_it_ends() {
    let ends = |days: u64| judged("etsi-5.5-8", |house| certificate(house, NOW + days * DAY));
    assert_eq!(ends(61).verdict, Verdict::Holds);
    assert_eq!(ends(59).devices[0].why.values, ["59"]);
}

#[test]
fn items_and_clauses_are_there_once() {
    for standard in Standard::ALL {
        let clauses: BTreeSet<_> = standard.items().iter().map(|item| item.clause).collect();
        assert_eq!(clauses.len(), standard.items().len());
    }
    let all = Standard::ALL.into_iter().flat_map(Standard::items);
    let ids: Vec<_> = all.map(|item| item.id).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len());
}

/// The provisions of ETSI EN 303 645 V2.1.1, by clause: none is missing, none made up.
#[test]
fn the_provisions_are_those_of_the_standard() {
    const CLAUSES: [(&str, u32); 13] = [
        ("5.1", 5),
        ("5.2", 3),
        ("5.3", 16),
        ("5.4", 4),
        ("5.5", 8),
        ("5.6", 9),
        ("5.7", 2),
        ("5.8", 3),
        ("5.9", 3),
        ("5.10", 1),
        ("5.11", 4),
        ("5.12", 3),
        ("5.13", 1),
    ];
    let mut named = Vec::new();
    for item in Standard::Etsi303645.items() {
        for part in item.clause.split(", ") {
            let (first, last) = part.split_once(" to ").unwrap_or((part, part));
            let number = |provision: &str| {
                let (clause, number) = provision.rsplit_once(['-', '.']).unwrap();
                (clause.to_owned(), number.parse::<u32>().unwrap())
            };
            let ((clause, first), (end, last)) = (number(first), number(last));
            assert_eq!(clause, end);
            named.extend((first..=last).map(|number| (clause.clone(), number)));
        }
    }
    let expected = CLAUSES.iter().chain(&[("6", 5)]);
    let expected = expected
        .flat_map(|(clause, last)| (1..=*last).map(move |number| ((*clause).to_owned(), number)));
    named.sort();
    let mut expected: Vec<_> = expected.collect();
    expected.sort();
    assert_eq!(named, expected);
}
