use std::time::Duration;

use super::*;
use crate::events::{PairingChange, RotationEnd};

const MINUTE: Duration = Duration::from_secs(60);
const WEEK: Duration = Duration::from_secs(7 * 24 * 60 * 60);

fn earlier(registry: &Registry) -> Option<Hidden> {
    let credential = registry.device(PLUG)?.credential.as_ref()?;
    credential.earlier.as_ref().map(|old| old.hash.clone())
}

#[test]
fn what_a_device_presents_in_its_window_becomes_its_credential_once() {
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    registry.pair(1_000, PLUG, None, MINUTE).expect("open");
    registry.take_effects();
    assert!(registry.directory().pairings.contains_key(&PLUG));
    registry.paired(2_000, LAMP, "lamp", verifiers("other"), false);
    assert!(registry.directory().accounts.is_empty());

    registry.paired(2_000, PLUG, "tasmota", verifiers("hash"), true);
    let directory = registry.directory();
    assert_eq!(directory.accounts["tasmota"].mac, PLUG);
    assert!(directory.pairings.is_empty());
    let effects = registry.take_effects();
    assert_eq!(effects.save, Save::Now);
    assert!(effects.told.iter().any(|(_, _, kind)| *kind
        == EventKind::Pairing {
            change: PairingChange::Done {
                username: "tasmota".into(),
                weak: true
            }
        }));
    // The window has closed behind it.
    registry.paired(2_001, PLUG, "other", verifiers("second"), false);
    assert!(!registry.directory().accounts.contains_key("other"));
}

#[test]
fn a_user_name_of_another_device_cannot_be_paired_with() {
    let mut registry = registry();
    registry
        .enrol(1, LAMP, None, Some("mqtt"), verifiers("lamp"))
        .expect("enrolled");
    registry.pair(1_000, PLUG, None, MINUTE).expect("open");
    registry.paired(2_000, PLUG, "mqtt", verifiers("plug"), false);
    registry.paired(2_000, PLUG, "a/b", verifiers("plug"), false);
    assert_eq!(registry.directory().accounts["mqtt"].mac, LAMP);
    assert!(registry.pairing(PLUG).is_some(), "still open");
}

#[test]
fn a_window_closes_and_they_are_bounded() {
    let mut registry = registry();
    registry.pair(1_000, PLUG, None, MINUTE).expect("open");
    registry.tick(60_999);
    assert!(registry.pairing(PLUG).is_some());
    registry.take_effects();
    registry.tick(61_000);
    assert!(registry.pairing(PLUG).is_none());
    assert_eq!(codes(&mut registry), ["pairing-expired"]);
    for last in 0..Registry::MAX_PAIRINGS {
        let mac = Mac([2, 9, 9, 9, 9, last as u8]);
        registry.pair(61_000, mac, None, MINUTE).expect("room");
    }
    let refused = registry.pair(61_000, PLUG, None, MINUTE);
    assert_eq!(refused, Err(Refused::TooManyPairings(8)));
    assert!(registry.cancel_pairing(Mac([2, 9, 9, 9, 9, 0])));
    assert!(!registry.cancel_pairing(Mac([2, 9, 9, 9, 9, 0])));
    registry
        .pair(61_000, PLUG, None, MINUTE)
        .expect("room again");
}

#[test]
fn a_window_ends_a_quarantine_and_not_a_block() {
    let mut registry = registry_with("config mqttguard 'main'\n\toption login_failures '1'\n");
    registry.login_failed(1, PLUG);
    assert_eq!(state(&registry, PLUG), Some(State::Quarantined));
    registry.pair(2, PLUG, None, MINUTE).expect("open");
    assert_eq!(state(&registry, PLUG), Some(State::New));
    // Nor does what it tries then put it back.
    registry.login_failed(3, PLUG);
    assert_eq!(state(&registry, PLUG), Some(State::New));
    registry.block(4, LAMP, note("out")).expect("blocked");
    assert_eq!(
        registry.pair(5, LAMP, None, MINUTE),
        Err(Refused::Blocked(LAMP))
    );
}

#[test]
fn only_while_the_window_is_open_may_a_new_device_use_the_island() {
    let uci = format!("config device 'plug'\n\toption mac '{PLUG}'\n\toption plaintext '1'\n");
    let mut registry = registry_with(&uci);
    let plaintext = |registry: &Registry| {
        registry
            .policy(registry.device(PLUG).expect("known"))
            .plaintext
    };
    assert!(!plaintext(&registry));
    registry.pair(1, PLUG, None, MINUTE).expect("open");
    assert!(plaintext(&registry));
    assert!(registry.take_effects().policies.contains(&PLUG));
    registry.cancel_pairing(PLUG);
    assert!(!plaintext(&registry));
    assert!(registry.take_effects().policies.contains(&PLUG));
}

#[test]
fn the_old_password_ends_when_the_new_one_is_used() {
    let mut registry = registry();
    let refused = registry.rotate(0, PLUG, verifiers("x"), WEEK);
    assert_eq!(refused, Err(Refused::NoCredential(PLUG)));
    registry
        .enrol(1, PLUG, None, Some("plug"), verifiers("first"))
        .expect("enrolled");
    registry
        .rotate(2, PLUG, verifiers("second"), WEEK)
        .expect("rotated");
    // What was never used gives way: the device still has the first.
    registry
        .rotate(3, PLUG, verifiers("third"), WEEK)
        .expect("rotated");
    assert_eq!(earlier(&registry).as_deref(), Some("first"));
    let account = registry.directory().accounts["plug"].clone();
    assert!(account.has_hash("first") && account.has_hash("third") && !account.has_hash("second"));
    registry.take_effects();
    registry.used("plug", "first");
    assert!(earlier(&registry).is_some());
    registry.used("plug", "third");
    assert_eq!(earlier(&registry), None);
    let told = registry.take_effects().told;
    assert!(
        matches!(
            &told[..],
            [(
                Some(PLUG),
                _,
                EventKind::RotationEnded {
                    how: RotationEnd::Used,
                    ..
                }
            )]
        ),
        "{told:?}"
    );
}

#[test]
fn the_overlap_ends_whatever_the_clock_does() {
    let mut registry = registry();
    registry
        .enrol(DAY_MS, PLUG, None, Some("plug"), verifiers("first"))
        .expect("enrolled");
    registry
        .rotate(10 * DAY_MS, PLUG, verifiers("second"), WEEK)
        .expect("rotated");
    // A router without a clock: no more than a week from now.
    registry.tick(DAY_MS);
    registry.tick(8 * DAY_MS - 1);
    assert!(earlier(&registry).is_some());
    registry.tick(8 * DAY_MS);
    assert_eq!(earlier(&registry), None);
    assert!(codes(&mut registry).contains(&"rotation-ended"));
}

#[test]
fn a_revoked_credential_is_gone_and_its_user_name_free() {
    let mut registry = registry();
    registry
        .enrol(1, PLUG, None, Some("plug"), verifiers("first"))
        .expect("enrolled");
    registry.pair(2, PLUG, None, MINUTE).expect("open");
    assert_eq!(registry.revoke(PLUG).as_deref(), Ok("plug"));
    assert_eq!(state(&registry, PLUG), Some(State::New));
    let directory = registry.directory();
    assert!(directory.accounts.is_empty() && directory.pairings.is_empty());
    assert_eq!(registry.revoke(PLUG), Err(Refused::NoCredential(PLUG)));
    registry
        .enrol(3, LAMP, None, Some("plug"), verifiers("lamp"))
        .expect("free");
}

#[test]
fn a_quarantine_by_hand_may_be_longer_than_the_configured_one() {
    let mut registry = registry();
    registry
        .confine(0, PLUG, Some(WEEK), note("sent rubbish"))
        .expect("room");
    registry.tick(6 * DAY_MS);
    assert_eq!(state(&registry, PLUG), Some(State::Quarantined));
    registry.tick(7 * DAY_MS);
    assert_ne!(state(&registry, PLUG), Some(State::Quarantined));
    registry
        .confine(7 * DAY_MS, PLUG, None, note("again"))
        .expect("room");
    assert!(registry.let_go(PLUG) && !registry.let_go(PLUG));
}

#[test]
fn windows_and_rotations_survive_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = registry();
    registry
        .enrol(1, PLUG, None, Some("plug"), verifiers("first"))
        .expect("enrolled");
    registry
        .rotate(2, PLUG, verifiers("second"), WEEK)
        .expect("rotated");
    registry.pair(3, LAMP, None, MINUTE).expect("open");
    store::save(dir.path(), &registry).expect("saved");
    let again = |now| {
        let (contents, damage) = store::load(dir.path()).expect("loaded");
        assert!(damage.is_none());
        let settings = config::parse("test", "config mqttguard 'main'\n").expect("valid");
        Registry::new(contents, Arc::new(settings), now)
    };
    let later = again(30_000);
    assert_eq!(earlier(&later).as_deref(), Some("first"));
    assert!(later.pairing(LAMP).is_some());
    assert!(later.directory().pairings.contains_key(&LAMP));
    assert!(again(60_003).pairing(LAMP).is_none(), "its time is over");
}

/// As the version before this one wrote it.
#[test]
fn a_registry_of_before_loads() {
    let dir = tempfile::tempdir().expect("a directory");
    let text = r#"{"version":1,"devices":[{"mac":"02:c1:1e:17:00:01","name":"plug",
        "credential":{"username":"plug","hash":"h","profile":null,"issued_ms":1},
        "quarantine":{"until_ms":5,"why":"w"},"first_seen_ms":1,"last_seen_ms":2}]}"#;
    std::fs::write(dir.path().join("registry.json"), text).expect("written");
    let (contents, damage) = store::load(dir.path()).expect("loaded");
    assert!(damage.is_none() && contents.pairings.is_empty());
    let credential = contents.devices[0].credential.clone().expect("kept");
    assert!(!credential.weak && credential.earlier.is_none());
}

#[test]
fn a_password_that_nobody_got_is_taken_back_without_a_trace() {
    let mut registry = registry();
    // The first of a device.
    registry
        .enrol(1, PLUG, None, None, verifiers("first"))
        .unwrap();
    registry.take_back(PLUG, "another", None);
    assert!(registry.device(PLUG).unwrap().credential.is_some());
    registry.take_back(PLUG, "first", None);
    assert_eq!(registry.device(PLUG).unwrap().credential, None);

    // One in the middle of a rotation goes on with that.
    registry
        .enrol(1, PLUG, None, None, verifiers("old"))
        .unwrap();
    registry
        .rotate(1, PLUG, verifiers("new"), Registry::OVERLAP)
        .unwrap();
    let before = registry.device(PLUG).unwrap().credential.clone();
    registry
        .rotate(2, PLUG, verifiers("lost"), Registry::OVERLAP)
        .unwrap();
    let _ = registry.take_effects();
    registry.take_back(PLUG, "lost", before.clone());
    assert_eq!(registry.device(PLUG).unwrap().credential, before);
    let effects = registry.take_effects();
    assert!(effects.directory && effects.save == Save::Now);
    // Only as long as it is the one.
    registry.take_back(PLUG, "lost", None);
    assert_eq!(registry.device(PLUG).unwrap().credential, before);
}
