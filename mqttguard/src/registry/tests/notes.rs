//! What is noted of devices that learn outlasts the daemon.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use super::*;
use crate::registry::notes;

const DAY: Duration = Duration::from_secs(86_400);
const HOUR_MS: u64 = 3_600_000;
const NOW: UnixMs = 1_800_000_000_000;

/// The plug learns for a day, and has asked for something once.
fn learning() -> Registry {
    let mut registry = registry();
    registry.sighting(NOW, &lease(PLUG, "plug", true));
    assert_eq!(registry.learn(NOW, PLUG, DAY), Ok(true));
    registry.wished(NOW + 1, PLUG, Wish::Publish, "stat/plug/POWER", 2);
    registry
}

/// A daemon that starts at `now` with what is in `dir` and knows the plug.
fn started(dir: &Path, now: UnixMs) -> Registry {
    let mut registry = registry();
    registry.sighting(now, &lease(PLUG, "plug", true));
    if let Some(notes) = notes::load(dir).expect("what was written") {
        registry.resume_learning(now, notes);
    }
    registry
}

fn noted(registry: &Registry) -> &Learning {
    let device = registry.device(PLUG).expect("known");
    device.learning.as_ref().expect("notes")
}

#[test]
fn a_day_outlasts_the_daemon_and_tells_of_the_gap() {
    let dir = tempfile::tempdir().expect("a directory");
    assert!(notes::load(dir.path()).expect("nothing yet").is_none());
    let first = learning();
    let (stop, start) = (NOW + 6 * HOUR_MS, NOW + 8 * HOUR_MS);
    notes::save(dir.path(), &first, stop).expect("saved");
    let file = dir.path().join("learning.json");
    let mode = fs::metadata(&file).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "root's alone");

    let mut second = started(dir.path(), start);
    assert_eq!(noted(&second).wishes, noted(&first).wishes);
    assert_eq!(noted(&second).left_out, 2);
    assert_eq!(noted(&second).since_ms, NOW);
    assert_eq!(noted(&second).until_ms, start + 18 * HOUR_MS, "as was left");
    let gap = Gap {
        from_ms: stop,
        to_ms: start,
    };
    assert_eq!(
        (noted(&second).gaps, noted(&second).last_gap),
        (1, Some(gap))
    );
    second.wished(start + 1, PLUG, Wish::Publish, "stat/plug/POWER", 0);
    second.wished(start + 1, PLUG, Wish::Subscribe, "cmnd/plug/#", 0);
    let counts: Vec<u64> = noted(&second).wishes.values().copied().collect();
    assert_eq!(counts, [2, 1]);

    // Its time is over: what is there stays as it is, however often the daemon starts.
    let end = noted(&second).until_ms;
    notes::save(dir.path(), &second, end).expect("saved");
    let third = started(dir.path(), end + HOUR_MS);
    assert_eq!(noted(&third), noted(&second));
    assert!(!third.is_learning(end + HOUR_MS));
}

#[test]
fn a_router_that_boots_in_the_past_neither_shortens_nor_prolongs_the_day() {
    let dir = tempfile::tempdir().expect("a directory");
    let (stop, boot, hears) = (NOW + 6 * HOUR_MS, HOUR_MS, NOW + 8 * HOUR_MS);
    notes::save(dir.path(), &learning(), stop).expect("saved");
    let mut registry = started(dir.path(), boot);
    registry.wished(boot, PLUG, Wish::Publish, "a/in-the-past", 0);
    // It hears of the present an hour after it has booted.
    registry.clock_set(boot + HOUR_MS, hears);
    assert_eq!(noted(&registry).wishes.len(), 2);
    assert_eq!(noted(&registry).since_ms, NOW);
    assert_eq!(noted(&registry).until_ms, hears + 17 * HOUR_MS);
    let gap = Gap {
        from_ms: stop,
        to_ms: hears - HOUR_MS,
    };
    assert_eq!(noted(&registry).last_gap, Some(gap));
}

#[test]
fn notes_of_a_device_that_is_gone_bring_it_not_back() {
    let dir = tempfile::tempdir().expect("a directory");
    notes::save(dir.path(), &learning(), NOW).expect("saved");
    let mut other = registry();
    let stored = notes::load(dir.path()).expect("loaded").expect("notes");
    other.resume_learning(NOW, stored);
    assert!(other.device(PLUG).is_none());
}

#[test]
fn a_device_is_kept_for_its_notes() {
    let mut registry = registry();
    registry.frame(NOW, PLUG);
    registry.take_effects();
    assert_eq!(registry.learn(NOW, PLUG, DAY), Ok(true));
    let effects = registry.take_effects();
    assert!(effects.notes && effects.save == Save::Now);
    let dir = tempfile::tempdir().expect("a directory");
    store::save(dir.path(), &registry).expect("saved");
    let (contents, _) = store::load(dir.path()).expect("loaded");
    assert_eq!(contents.devices.len(), 1);
}

#[test]
fn a_file_that_is_torn_or_hostile_is_told_and_not_taken() {
    let dir = tempfile::tempdir().expect("a directory");
    notes::save(dir.path(), &learning(), NOW).expect("saved");
    let file = dir.path().join("learning.json");
    let whole = fs::read_to_string(&file).expect("text");
    let many: Vec<String> = (0..65).map(|number| format!(r#""x/{number}":1"#)).collect();
    let many = many.join(",");
    let mine = r#""stat/%d/POWER":1"#;
    for (from, to, words) in [
        (&*whole, &whole[..whole.len() / 2], "EOF"),
        (&*whole, "", "EOF"),
        (
            r#""version":1"#,
            r#""version":2"#,
            "version: found 2, expected 1",
        ),
        (&*PLUG.to_string(), "plug", "devices: found 'plug'"),
        (mine, &many, "found 65 patterns, expected at most 64"),
        (
            mine,
            r#""a'\n\tlist publish '#":1"#,
            "publish: found 'a'\\n",
        ),
        (mine, r##""a/#/b":1"##, "expected a pattern"),
        (mine, r#""$SYS/x":1"#, "expected a pattern"),
        (mine, r#""a":-1"#, "invalid value"),
        (r#""since_ms""#, r#""more":1,"since_ms""#, "unknown field"),
    ] {
        assert!(whole.contains(from), "{from} in {whole}");
        fs::write(&file, whole.replace(from, to)).expect("written");
        let error = notes::load(dir.path()).expect_err(words).to_string();
        assert!(
            error.contains(words) && error.contains("learning.json: "),
            "{error}"
        );
    }
    fs::write(&file, vec![b' '; 3 << 20]).expect("written");
    let error = notes::load(dir.path()).expect_err("too long").to_string();
    assert!(error.contains("found more than 2097152 bytes"), "{error}");
    // No time is longer than one that can be begun.
    let endless = whole.replace(&(NOW + 24 * HOUR_MS).to_string(), &u64::MAX.to_string());
    fs::write(&file, endless).expect("written");
    let registry = started(dir.path(), NOW);
    assert_eq!(noted(&registry).until_ms, NOW + 7 * DAY_MS);
}

#[test]
fn all_notes_that_there_can_be_are_read_again_and_there_are_no_more() {
    let dir = tempfile::tempdir().expect("a directory");
    let mut registry = registry();
    let mac = |number: u8| Mac([2, 0, 0, 0, 0, number]);
    for number in 0..=64 {
        registry.frame(NOW + u64::from(number) * 60_000, mac(number));
        let learnt = registry.learn(NOW + u64::from(number), mac(number), DAY);
        match number {
            64 => assert_eq!(learnt, Err(Refused::TooManyLearning(64))),
            _ => assert_eq!(learnt, Ok(true)),
        }
        for wish in 0..64 {
            let topic = format!("{wish:02}/{}", "ä".repeat(98));
            registry.wished(NOW + 100, mac(number), Wish::Publish, &topic, 0);
        }
    }
    notes::save(dir.path(), &registry, NOW).expect("saved");
    let size = fs::metadata(dir.path().join("learning.json")).expect("there");
    assert!(size.len() > 64 * 64 * 200, "{} bytes", size.len());
    assert!(notes::load(dir.path()).expect("read again").is_some());
    // Whose time is over makes room, the oldest first.
    assert_eq!(registry.learn(NOW + DAY_MS + 1, mac(64), DAY), Ok(true));
    let has = |number| {
        registry
            .device(mac(number))
            .expect("known")
            .learning
            .is_some()
    };
    assert_eq!([0, 1, 64].map(has), [false, true, true]);
}
