//! What may leave, and for how long.

use super::*;
use crate::events::ExceptionChange;

const HOUR: std::time::Duration = std::time::Duration::from_secs(3600);
const HOUR_MS: u64 = 3_600_000;
/// 2026-12-31T18:00Z.
const END: u64 = 1_798_740_000_000;

const TIMED: &str = "config exception 'solar'\n\
                     \toption destination '203.0.113.0/24'\n\
                     \toption expires '2026-12-31T18:00Z'\n\
                     config exception 'always'\n\
                     \toption destination '198.51.100.7'\n";

fn at(uci: &str, now: UnixMs) -> Registry {
    let settings = config::parse("test", uci).expect("a valid configuration");
    Registry::new(Contents::default(), Arc::new(settings), now)
}

fn names(registry: &Registry) -> Vec<String> {
    let exceptions = registry.exceptions().into_iter();
    exceptions.map(|exception| exception.name).collect()
}

fn destination(text: &str) -> Option<ipnet::IpNet> {
    Some(config::destination(text).expect("a destination"))
}

fn changes(registry: &mut Registry) -> Vec<(ExceptionChange, Option<String>)> {
    let told = registry.take_effects().told.into_iter();
    told.filter_map(|(_, _, kind)| match kind {
        EventKind::Exception {
            change, section, ..
        } => Some((change, section)),
        _ => None,
    })
    .collect()
}

#[test]
fn an_exception_ends_at_its_time_and_is_told_once() {
    let mut registry = at(TIMED, END - 10_000);
    registry.tick(END - 1);
    assert_eq!(names(&registry), ["solar", "always"]);
    registry.take_effects();
    registry.tick(END);
    assert_eq!(names(&registry), ["always"]);
    let effects = registry.take_effects();
    assert!(effects.exceptions && effects.save == Save::Soon);
    let [(None, None, kind)] = effects.told.as_slice() else {
        panic!("{:?}", effects.told)
    };
    assert_eq!(kind.code(), "exception-expired");
    registry.tick(END + 1_000);
    let effects = registry.take_effects();
    assert!(effects.told.is_empty() && !effects.exceptions);
}

#[test]
fn one_that_has_passed_before_just_does_not_hold() {
    let mut registry = at(TIMED, END + 10_000);
    assert_eq!(names(&registry), ["always"]);
    registry.tick(END + 11_000);
    assert!(changes(&mut registry).is_empty());
    let settings = registry.settings.clone();
    registry.set_settings(settings, END + 12_000);
    assert_eq!(names(&registry), ["always"]);
    assert!(changes(&mut registry).is_empty());
}

#[test]
fn what_has_passed_has_passed_whatever_the_clock_says_after_the_next_boot() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = at(TIMED, END - 1);
    registry.tick(END);
    store::save(dir.path(), &registry).expect("saved");
    let (contents, _) = store::load(dir.path()).expect("loaded");
    let mut again = Registry::new(contents, registry.settings.clone(), 0);
    again.tick(1_000);
    assert_eq!(names(&again), ["always"]);
    // Another end is another exception.
    let longer = TIMED.replace("2026-12-31T18:00Z", "2027-01-31");
    let longer = Arc::new(config::parse("test", &longer).expect("valid"));
    again.set_settings(longer, 2_000);
    assert_eq!(names(&again), ["solar", "always"]);
    // And what is named no more is forgotten.
    again.set_settings(registry.settings.clone(), 3_000);
    assert_eq!(names(&again), ["solar", "always"]);
}

#[test]
fn a_clock_that_is_behind_lets_it_hold_and_one_that_is_set_ends_it() {
    let mut registry = at(TIMED, 0);
    assert_eq!(names(&registry), ["solar", "always"]);
    registry.clock_set(1_000, END + 1_000);
    registry.tick(END + 1_000);
    assert_eq!(names(&registry), ["always"]);
}

#[test]
fn the_owner_allows_a_device_something_for_a_time() {
    let mut registry = registry();
    registry.take_effects();
    let to = destination("203.0.113.9");
    let until = registry.allow(5_000, PLUG, to, Some(1883), HOUR);
    assert_eq!(until, Ok(5_000 + HOUR_MS));
    let [exception] = registry.exceptions().try_into().expect("one");
    assert_eq!((exception.mac, exception.port), (Some(PLUG), Some(1883)));
    assert_eq!(Some(exception.destination), to);
    let effects = registry.take_effects();
    assert!(effects.exceptions && effects.save == Save::Now);
    assert_eq!(effects.told[0].2.code(), "exception-made");
    registry.tick(4_999 + HOUR_MS);
    assert_eq!(registry.exceptions().len(), 1);
    registry.tick(5_000 + HOUR_MS);
    assert!(registry.exceptions().is_empty());
    assert_eq!(changes(&mut registry), [(ExceptionChange::Expired, None)]);
}

#[test]
fn everywhere_is_everywhere_in_both_families() {
    let mut registry = registry();
    registry.allow(0, PLUG, None, None, HOUR).expect("allowed");
    let exceptions = registry.exceptions().into_iter();
    let nets: Vec<String> = exceptions.map(|one| one.destination.to_string()).collect();
    assert_eq!(nets, ["0.0.0.0/0", "::/0"]);
}

#[test]
fn allowing_again_replaces_and_disallowing_takes_what_is_meant() {
    let mut registry = registry();
    let to = destination("203.0.113.9");
    for (mac, to, port) in [
        (PLUG, to, Some(1883)),
        (PLUG, to, Some(1883)),
        (PLUG, to, None),
        (PLUG, None, Some(1884)),
        (LAMP, to, Some(1883)),
    ] {
        registry.allow(0, mac, to, port, HOUR).expect("allowed");
    }
    assert_eq!(registry.allowances().len(), 4);
    assert_eq!(registry.disallow(PLUG, destination("203.0.113.8"), None), 0);
    assert_eq!(registry.disallow(PLUG, None, Some(1884)), 1);
    assert_eq!(registry.disallow(PLUG, to, None), 2);
    assert_eq!(registry.disallow(PLUG, None, None), 0);
    assert_eq!(registry.allowances().len(), 1);
}

#[test]
fn allowances_are_bounded_in_number_and_for_one_destination() {
    let mut registry = registry();
    for port in 1..=16 {
        let to = destination("203.0.113.9");
        registry
            .allow(0, PLUG, to, Some(port), HOUR)
            .expect("a row is 16 long");
    }
    let to = destination("203.0.0.0/16");
    let refused = registry.allow(0, PLUG, to, None, HOUR);
    assert_eq!(refused, Err(Refused::NoRoomForAllowance));
    for last in 1..=16 {
        let to = destination(&format!("198.51.100.{last}"));
        registry.allow(0, PLUG, to, None, HOUR).expect("allowed");
    }
    let to = destination("198.51.100.99");
    let refused = registry.allow(0, PLUG, to, None, HOUR);
    assert_eq!(refused, Err(Refused::TooManyAllowances(32)));
    // One that is there may still be given more time.
    let to = destination("198.51.100.1");
    assert_eq!(registry.allow(1, PLUG, to, None, HOUR), Ok(1 + HOUR_MS));
}

#[test]
fn a_configuration_that_needs_the_room_gets_it() {
    let mut registry = registry();
    let to = destination("203.0.113.9");
    registry.allow(0, PLUG, to, None, HOUR).expect("allowed");
    registry.take_effects();
    let many: String = (0..16)
        .map(|n| format!("config exception 'e{n}'\n\toption destination '203.0.113.0/24'\n"))
        .collect();
    let settings = config::parse("test", &many).expect("valid");
    registry.set_settings(Arc::new(settings), 1);
    assert_eq!(registry.exceptions().len(), 16);
    assert_eq!(changes(&mut registry), [(ExceptionChange::Crowded, None)]);
}

#[test]
fn allowances_survive_the_disk_and_no_clock_makes_more_of_them() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = registry();
    let to = destination("2001:db8::/32");
    registry
        .allow(END, PLUG, to, Some(1883), HOUR)
        .expect("allowed");
    store::save(dir.path(), &registry).expect("saved");
    let load = |now| {
        let (contents, damage) = store::load(dir.path()).expect("loaded");
        assert!(damage.is_none());
        Registry::new(contents, registry.settings.clone(), now)
    };
    // A boot in the past: not longer than it was made for.
    let mut again = load(1_000);
    again.tick(2_000);
    assert_eq!(again.allowances()[0].until_ms, 1_000 + HOUR_MS);
    // One a little in the past, and then the time comes in: the end stays where it was.
    let mut again = load(END + 1_000);
    again.clock_set(END + 1_000, END + HOUR_MS / 2);
    again.tick(END + HOUR_MS / 2);
    assert_eq!(again.allowances()[0].until_ms, END + HOUR_MS);
    // Made by the wrong clock of this run: it goes on for as long as it was made for.
    registry.clock_set(END, END + 1_000 * DAY_MS);
    registry.tick(END + 1_000 * DAY_MS);
    let until = registry.allowances()[0].until_ms;
    assert_eq!(until, END + 1_000 * DAY_MS + HOUR_MS);
}
