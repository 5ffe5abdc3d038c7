//! Accounts that wait for their devices.

use std::time::Duration;

use super::*;
use crate::events::ImportChange;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn import(username: &str, mac: Option<Mac>) -> Import {
    Import {
        username: username.into(),
        hash: format!("$6$of {username}").into(),
        mac,
        profile: None,
    }
}

fn serial(registry: &Registry, username: &str) -> u64 {
    registry.directory().claims[username].serial
}

fn owner(registry: &Registry, username: &str) -> Option<Mac> {
    let directory = registry.directory();
    directory.accounts.get(username).map(|account| account.mac)
}

#[test]
fn the_first_device_has_the_account_as_if_paired() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    registry.take_effects();
    let until = registry.import(1_000, vec![import("tasmota", None)], DAY);
    assert_eq!(until, Ok(1_000 + DAY_MS));
    assert_eq!(registry.take_effects().save, Save::Now);
    let waiting = serial(&registry, "tasmota");
    // What waits cannot be printed: whoever reads a hash can guess at the password at leisure.
    let shown = format!("{:?} {:?}", registry.claims(), registry.directory());
    assert!(
        shown.contains("tasmota") && !shown.contains("$6$"),
        "{shown}"
    );
    registry.claimed(2_000, PLUG, waiting, verifiers("anew"), false);
    let shown = format!("{:?} {:?}", registry.device(PLUG), registry.directory());
    assert!(
        shown.contains("tasmota") && !shown.contains("anew"),
        "{shown}"
    );
    assert_eq!(owner(&registry, "tasmota"), Some(PLUG));
    assert!(registry.directory().claims.is_empty());
    assert_eq!(state(&registry, PLUG), Some(State::Enrolled));
    assert_eq!(codes(&mut registry), ["paired", "state-changed"]);
    // What the login thread still believes in is over.
    registry.claimed(2_001, LAMP, waiting, verifiers("late"), false);
    assert_eq!(owner(&registry, "tasmota"), Some(PLUG));
    assert_eq!(registry.directory().accounts.len(), 1);
}

#[test]
fn only_a_device_that_it_can_be_of_has_it() {
    let uci = "config mqttguard 'main'\n\toption login_failures '1'\n";
    let mut registry = registry_with(uci);
    registry
        .enrol(1, LAMP, None, Some("lamp"), verifiers("lamp"))
        .expect("enrolled");
    let accounts = vec![import("any", None), import("of-plug", Some(PLUG))];
    registry.import(2, accounts, DAY).expect("imported");
    let [any, of_plug] = ["any", "of-plug"].map(|name| serial(&registry, name));
    let other = Mac([2, 9, 9, 9, 9, 9]);
    registry.claimed(3, other, of_plug, verifiers("x"), false);
    // It has a credential.
    registry.claimed(3, LAMP, any, verifiers("x"), false);
    registry.login_failed(4, other);
    assert_eq!(state(&registry, other), Some(State::Quarantined));
    registry.claimed(5, other, any, verifiers("x"), false);
    assert_eq!(registry.directory().accounts.len(), 1);
    assert_eq!(registry.claims().len(), 2);
    // One the house has not seen before: it has shown the password.
    registry.claimed(6, PLUG, of_plug, verifiers("x"), false);
    assert_eq!(owner(&registry, "of-plug"), Some(PLUG));
}

#[test]
fn all_or_none_are_taken_and_everything_wrong_is_told() {
    let mut registry = registry();
    registry
        .enrol(1, LAMP, None, Some("lamp"), verifiers("lamp"))
        .expect("enrolled");
    registry.block(1, PLUG, note("out")).expect("blocked");
    let other = Mac([2, 9, 9, 9, 9, 9]);
    let mut unknown = import("unknown", Some(other));
    unknown.profile = Some("nowhere".into());
    let accounts = vec![
        import("good", None),
        import("a/b", None),
        import("lamp", None),
        import("on-lamp", Some(LAMP)),
        import("on-plug", Some(PLUG)),
        unknown,
        import("again", Some(other)),
        import("again", None),
    ];
    let wrong = registry.check_import(&accounts);
    let wrong: Vec<&Refused> = wrong.iter().map(|(_, why)| why).collect();
    assert!(
        matches!(
            wrong.as_slice(),
            [
                Refused::BadUsername(_),
                Refused::UsernameTaken { .. },
                Refused::HasCredential { mac: LAMP, .. },
                Refused::Blocked(PLUG),
                Refused::NoSuchProfile { .. },
                Refused::TwoAccounts(_),
                Refused::UsernameTwice(_),
            ]
        ),
        "{wrong:#?}"
    );
    assert!(registry.import(2, accounts, DAY).is_err());
    assert!(registry.claims().is_empty());
    let many = |count| (0..count).map(|n| import(&format!("u{n}"), None)).collect();
    let refused = registry.import(2, many(257), DAY);
    assert_eq!(refused, Err(Refused::TooManyClaims(256)));
    registry.import(2, many(256), DAY).expect("as many");
    // The same ones again take no more room, and wait anew.
    registry.import(5, many(256), DAY).expect("the same");
    assert_eq!(registry.claims().len(), 256);
    assert!(
        registry
            .claims()
            .iter()
            .all(|one| one.until_ms == 5 + DAY_MS)
    );
}

#[test]
fn they_wait_no_longer_than_that_whatever_the_clock_does() {
    let mut registry = registry();
    let accounts = vec![import("plug", None), import("lamp", None)];
    registry.import(1_000, accounts, DAY).expect("imported");
    assert!(registry.cancel_claim("lamp") && !registry.cancel_claim("lamp"));
    registry.clock_set(1_000, 500_000);
    registry.tick(499_999 + DAY_MS);
    assert_eq!(registry.claims().len(), 1);
    registry.take_effects();
    // Booted in the past.
    registry.tick(7);
    registry.tick(6 + DAY_MS);
    assert_eq!(registry.claims().len(), 1);
    registry.tick(7 + DAY_MS);
    assert!(registry.claims().is_empty());
    let effects = registry.take_effects();
    assert_eq!(effects.save, Save::Now);
    let expired = ImportChange::Expired {
        usernames: vec!["plug".into()],
    };
    assert!(effects.told.iter().any(|(_, _, kind)| *kind
        == EventKind::Import {
            change: expired.clone()
        }));
}

#[test]
fn who_takes_the_name_by_the_owners_word_ends_the_wait() {
    let mut registry = registry();
    registry
        .import(1, vec![import("plug", None)], DAY)
        .expect("imported");
    registry
        .enrol(2, LAMP, None, Some("plug"), verifiers("x"))
        .expect("enrolled");
    assert!(registry.claims().is_empty());
}

#[test]
fn a_device_of_the_island_may_come_for_its_account() {
    let uci = format!("config device 'plug'\n\toption mac '{PLUG}'\n\toption plaintext '1'\n");
    let mut registry = registry_with(&uci);
    let plaintext = |registry: &Registry| {
        let device = registry.device(PLUG).expect("known");
        registry.policy(device).plaintext
    };
    registry.take_effects();
    assert!(!plaintext(&registry));
    registry
        .import(1, vec![import("lamp", Some(LAMP))], DAY)
        .expect("imported");
    assert!(!plaintext(&registry));
    registry
        .import(1, vec![import("plug", None)], DAY)
        .expect("imported");
    assert!(plaintext(&registry));
    assert!(registry.take_effects().policies.contains(&PLUG));
    assert!(registry.directory().islanders.contains(&PLUG));
    registry.cancel_claim("plug");
    assert!(!plaintext(&registry));
    assert!(registry.take_effects().policies.contains(&PLUG));
}

#[test]
fn a_pairing_window_gives_its_profile() {
    let mut registry = registry();
    registry
        .import(1, vec![import("plug", None)], DAY)
        .expect("imported");
    registry.pair(2, PLUG, Some("sensor"), DAY).expect("open");
    let waiting = serial(&registry, "plug");
    registry.claimed(3, PLUG, waiting, verifiers("x"), false);
    assert!(registry.pairing(PLUG).is_none());
    assert_eq!(registry.directory().accounts["plug"].profile_name, "sensor");
}

#[test]
fn they_outlive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = registry();
    let accounts = vec![import("plug", Some(PLUG)), import("lamp", None)];
    registry.import(1, accounts, DAY).expect("imported");
    store::save(dir.path(), &registry).expect("saved");
    let (contents, _) = store::load(dir.path()).expect("loaded");
    let mut again = Registry::new(contents, registry.settings.clone(), 2);
    let known = |registry: &Registry| -> Vec<(String, Hidden, Option<Mac>, u64)> {
        let claims = registry.claims().iter();
        let known = claims.map(|one| {
            (
                one.username.clone(),
                one.hash.clone(),
                one.mac,
                one.until_ms,
            )
        });
        known.collect()
    };
    assert_eq!(known(&again), known(&registry));
    again
        .import(3, vec![import("new", None)], DAY)
        .expect("imported");
    let mut serials: Vec<u64> = again.claims().iter().map(|one| one.serial).collect();
    serials.dedup();
    assert_eq!(serials.len(), 3);
}

#[test]
fn all_that_wait_share_what_they_would_be_granted() {
    let mut registry = registry();
    let accounts = (0..Registry::MAX_CLAIMS).map(|number| import(&format!("user{number}"), None));
    registry.import(1, accounts.collect(), DAY).expect("room");
    let directory = registry.directory();
    let mut profiles = directory.claims.values().map(|one| &one.account.profile);
    let first = profiles.next().expect("one waits");
    assert!(profiles.all(|profile| Arc::ptr_eq(profile, first)));
}

#[test]
fn a_file_that_is_imported_again_is_for_those_that_have_not_come() {
    let mut registry = registry();
    let file = || vec![import("plug", None), import("lamp", None)];
    registry.import(1, file(), DAY).expect("imported");
    let waiting = serial(&registry, "plug");
    registry.claimed(2, PLUG, waiting, verifiers("anew"), false);
    codes(&mut registry);
    // The file as it is: the plug stays as it is, for the lamp the time begins anew.
    assert_eq!(registry.check_import(&file()), []);
    assert_eq!(registry.import(3, file(), DAY), Ok(3 + DAY_MS));
    assert_eq!(owner(&registry, "plug"), Some(PLUG));
    assert_eq!(registry.directory().accounts["plug"].hash, *"anew");
    let waiting: Vec<_> = registry.claims().iter().map(|one| &*one.username).collect();
    assert_eq!(waiting, ["lamp"]);
    assert_eq!(codes(&mut registry), ["imported"]);
    // That it is known outlives a restart.
    let dir = tempfile::tempdir().expect("a directory");
    store::save(dir.path(), &registry).expect("saved");
    let (contents, _) = store::load(dir.path()).expect("loaded");
    let mut registry = Registry::new(contents, registry.settings.clone(), 4);
    registry.cancel_claim("lamp");
    codes(&mut registry);
    assert_eq!(
        registry.import(5, vec![import("plug", None)], DAY),
        Ok(5 + DAY_MS)
    );
    assert!(registry.claims().is_empty());
    assert_eq!(codes(&mut registry), [""; 0]);
    // For another device, or of a credential that was made here, it is another account.
    let wrong = |registry: &Registry, account| registry.check_import(&[account]).len();
    assert_eq!(wrong(&registry, import("plug", Some(LAMP))), 1);
    registry
        .enrol(6, PLUG, None, None, verifiers("ours"))
        .expect("enrolled");
    assert_eq!(wrong(&registry, import("plug", None)), 1);
}
