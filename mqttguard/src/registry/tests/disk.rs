//! What is written down is read again.

use super::*;

#[test]
fn survives_the_disk() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = registry();
    registry.sighting(1, &lease(PLUG, "plug", true));
    registry
        .enrol(2, PLUG, Some("hub"), None, verifiers("$7$hash"))
        .expect("enrolled");
    registry.block(3, LAMP, note("why not")).expect("blocked");
    let (nothing, _) = store::load(dir.path()).expect("nothing yet");
    assert!(nothing.devices.is_empty());
    store::save(dir.path(), &registry).expect("saved");
    store::save(dir.path(), &registry).expect("saved twice");
    let mode = std::os::unix::fs::MetadataExt::mode(
        &std::fs::metadata(dir.path().join("registry.json")).expect("there"),
    );
    assert_eq!(mode & 0o777, 0o600);
    let (contents, damage) = store::load(dir.path()).expect("loaded");
    assert!(damage.is_none());
    let settings = registry.settings.clone();
    let again = Registry::new(contents, settings, 4);
    assert_eq!(state(&again, PLUG), Some(State::Enrolled));
    assert_eq!(state(&again, LAMP), Some(State::Blocked));
    assert_eq!(
        again.device(PLUG).map(|d| &d.credential),
        registry.device(PLUG).map(|d| &d.credential)
    );
}

#[test]
fn a_damaged_file_falls_back_on_the_one_before() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = registry();
    registry
        .enrol(2, PLUG, None, None, verifiers("$7$hash"))
        .expect("enrolled");
    store::save(dir.path(), &registry).expect("saved");
    store::save(dir.path(), &registry).expect("saved twice");
    let file = dir.path().join("registry.json");
    let whole = std::fs::read(&file).expect("read");
    std::fs::write(&file, &whole[..whole.len() / 2]).expect("torn");
    let (contents, damage) = store::load(dir.path()).expect("the old one is whole");
    assert_eq!(contents.devices.len(), 1);
    assert!(damage.expect("told").to_string().contains("registry.json"));
    std::fs::remove_file(dir.path().join("registry.json.old")).expect("removed");
    assert!(
        store::load(dir.path()).is_err(),
        "never starts over on its own"
    );
}

#[test]
fn a_credential_of_before_scram_is_read_and_completed_by_a_login() {
    let dir = tempfile::tempdir().expect("a directory");
    let old = format!(
        r#"{{"version": 1, "devices": [{{"mac": "{PLUG}", "name": "plug", "credential": {{
            "username": "plug", "hash": "$7$hash", "profile": null, "issued_ms": 1
        }}, "first_seen_ms": 1, "last_seen_ms": 1}}]}}"#
    );
    std::fs::write(dir.path().join("registry.json"), old).expect("written");
    let (contents, damage) = store::load(dir.path()).expect("an older registry");
    assert!(damage.is_none());
    let mut registry = Registry::new(contents, registry().settings.clone(), 2);
    let scram = |registry: &Registry| registry.directory().accounts["plug"].scram.clone();
    assert!(scram(&registry).is_empty());
    registry.take_effects();
    // Those of another password do not go with it.
    registry.verified(PLUG, &verifiers("other"));
    assert!(scram(&registry).is_empty());
    registry.verified(PLUG, &verifiers("$7$hash"));
    assert_eq!(scram(&registry), verifiers("$7$hash").scram);
    let effects = registry.take_effects();
    assert!(effects.directory && effects.save == Save::Soon);
    store::save(dir.path(), &registry).expect("saved");
    let (contents, _) = store::load(dir.path()).expect("loaded");
    let again = Registry::new(contents, registry.settings.clone(), 3);
    assert_eq!(scram(&again), verifiers("$7$hash").scram);
}

#[test]
fn why_a_device_is_cut_off_outlives_a_restart() {
    let dir = tempfile::tempdir().expect("a directory");
    let kept = |why: Because, is_block: bool| {
        let mut registry = registry();
        registry.frame(1, PLUG);
        match is_block {
            true => registry.block(2, PLUG, why).expect("blocked"),
            false => registry.confine(2, PLUG, None, why).expect("confined"),
        }
        store::save(dir.path(), &registry).expect("saved");
        let (mut contents, damage) = store::load(dir.path()).expect("loaded");
        assert!(damage.is_none());
        let device = contents.devices.pop().expect("a device");
        match is_block {
            true => device.blocked,
            false => device.quarantine.map(|quarantine| quarantine.why),
        }
    };
    let ways = [
        Because::Confined,
        Because::Resumed,
        Because::Guessed { failures: 7 },
        Because::Flooded { seconds: 8 },
        note("too chatty"),
    ];
    for why in ways {
        assert_eq!(kept(why.clone(), false), Some(why));
    }
    for why in [Because::Blocked, note("too chatty")] {
        assert_eq!(kept(why.clone(), true), Some(why));
    }
}
