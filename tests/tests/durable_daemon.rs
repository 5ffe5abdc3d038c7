//! What the daemon's broker has acknowledged outlives the daemon, however it ends; and a full disk
//! is told and stops nobody.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use mqttguard_lab::{Guard, Lab, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, enrol, guarded, guarded_with};
use serde_json::{Value, json};

fn journal(guard: &Guard) -> Value {
    let status = guard.ubus("status", &json!({})).unwrap();
    status.pointer("/broker/journal").unwrap().clone()
}

fn back(lab: &Lab, guard: &mut Guard) {
    guard.start_again().unwrap();
    lab.wait_protected(guard).unwrap();
}

#[test]
fn sessions_and_retained_messages_outlive_kills_and_stops() {
    let (lab, mut guard) = guarded(&["lamp"]);
    let credential = enrol(&guard, "lamp");
    let client = || lab.device(0).client(&credential);
    let session = || client().lasting("reader");
    let subscription = session().subscribe("lamp/#", 1).unwrap();
    assert_eq!(subscription.granted(), Some(1));
    drop(subscription);
    let state = client().publish_retained("lamp/state", "on").unwrap();
    assert!(state.succeeded(), "{state:?}");
    guard.kill().unwrap();
    back(&lab, &mut guard);
    let event = guard.wait_event("journal", None).unwrap();
    assert!(event.to_string().contains("restored"), "{event}");
    let sent = client().publish("lamp/1", "one", 1).unwrap();
    assert!(sent.succeeded(), "{sent:?}");
    // As an update of the package does.
    guard.stop().unwrap();
    back(&lab, &mut guard);
    let sent = client().publish("lamp/2", "two", 1).unwrap();
    assert!(sent.succeeded(), "{sent:?}");
    guard.kill().unwrap();
    back(&lab, &mut guard);
    let found = session()
        .subscribe("lamp/none", 3)
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(found, ["lamp/state on", "lamp/1 one", "lamp/2 two"]);
    let retained = client().subscribe("lamp/#", 1).unwrap().finish().unwrap();
    assert_eq!(retained, ["lamp/state on"]);
    let journal = journal(&guard);
    assert_eq!(journal.get("durable").unwrap(), true, "{journal}");
    assert_eq!(journal.get("disk").unwrap(), false, "{journal}");
}

/// A file system that is soon full.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(directory: &Path) -> SmallDisk {
        let mount = Command::new("mount")
            .args(["-t", "tmpfs", "-o", "size=64k", "mqttguard-journal"])
            .arg(directory)
            .status()
            .unwrap();
        assert!(mount.success());
        SmallDisk(directory.to_owned())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // The daemon may still have it open.
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn a_full_disk_is_told_and_stops_nobody() {
    let directory = tempfile::tempdir().unwrap();
    let disk = SmallDisk::mount(directory.path());
    let option = format!("\toption persist '{}'\n", directory.path().display());
    let (lab, mut guard) = guarded_with(&["lamp"], &option, "");
    let credential = enrol(&guard, "lamp");
    let client = || lab.device(0).client(&credential);
    let outcome = client().publish_retained("lamp/state", "on").unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_eq!(journal(&guard).get("durable").unwrap(), true);
    let long = "x".repeat(30_000);
    for n in 0..4 {
        let outcome = client()
            .publish_retained(&format!("lamp/{n}"), &long)
            .unwrap();
        assert!(outcome.succeeded(), "{outcome:?}");
    }
    let event = guard.wait_event("journal-trouble", None).unwrap();
    assert!(event.to_string().contains("No space left"), "{event}");
    let found = journal(&guard);
    assert_eq!(found.get("durable").unwrap(), false, "{found}");
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protected").unwrap(), true, "{status}");
    // What was written before is there after a crash.
    guard.kill().unwrap();
    back(&lab, &mut guard);
    let state = client()
        .subscribe("lamp/state", 1)
        .unwrap()
        .finish()
        .unwrap();
    assert_eq!(state, ["lamp/state on"]);
    guard.stop().unwrap();
    drop(disk);
}

/// Its users are out of sight for a while: what waits for them is not theirs to lose.
#[test]
fn a_registry_that_cannot_be_read_costs_nobody_a_session() {
    let (lab, mut guard) = guarded(&["lamp"]);
    let credential = enrol(&guard, "lamp");
    let client = || lab.device(0).client(&credential);
    drop(client().lasting("reader").subscribe("lamp/#", 1).unwrap());
    let sent = client().publish("lamp/1", "one", 1).unwrap();
    assert!(sent.succeeded(), "{sent:?}");
    guard.kill().unwrap();
    let file = guard.files().data.join("registry.json");
    let stored = std::fs::read(&file).unwrap();
    std::fs::write(&file, "{").unwrap();
    let _ = std::fs::remove_file(guard.files().data.join("registry.json.old"));
    guard.start_again().unwrap();
    let answers = || guard.ubus("status", &json!({})).is_ok();
    assert!(until(PATIENCE, answers));
    let in_vain = client().limit(IN_VAIN * 5).publish("lamp/2", "two", 1);
    assert!(!in_vain.unwrap().succeeded());
    guard.kill().unwrap();
    std::fs::write(&file, stored).unwrap();
    back(&lab, &mut guard);
    let session = client().lasting("reader");
    let found = session.subscribe("lamp/none", 1).unwrap().finish().unwrap();
    assert_eq!(found, ["lamp/1 one"]);
}
