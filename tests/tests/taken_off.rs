//! Somebody takes the kernel program off: the owner is told, and it is put back.

#![allow(clippy::unwrap_used)]

use std::fs;

use mqttguard_lab::{Guard, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, guarded};
use serde_json::{Value, json};

fn told(guard: &Guard, what: &str) -> usize {
    let events = guard.events().unwrap();
    let field = |event: &Value, name| event.get(name).and_then(Value::as_str) == Some(what);
    events.iter().filter(|event| field(event, "what")).count()
}

#[test]
fn a_program_that_is_taken_off_is_told_of_and_put_back() {
    let (lab, mut guard) = guarded(&["plug"]);
    let plug = lab.device(0);
    let attached = told(&guard, "attached");
    for pin in fs::read_dir(guard.files().bpf.join("links")).unwrap() {
        fs::remove_file(pin.unwrap().path()).unwrap();
    }
    // The kernel says nothing when a pin is removed: it is looked for.
    assert!(until(PATIENCE, || told(&guard, "lost") == 1));
    assert!(until(PATIENCE, || told(&guard, "attached") == attached + 1));
    lab.wait_protected(&mut guard).unwrap();
    let before = guard.dropped("plug", "plaintext-port").unwrap();
    plug.connect(cloud(1883), IN_VAIN).unwrap_err();
    assert!(guard.dropped("plug", "plaintext-port").unwrap() > before);

    let status = guard.ubus("status", &json!({})).unwrap();
    let attachment = status.pointer("/kernel/attachments/0").unwrap();
    assert_eq!(attachment.get("hook").unwrap(), "xdp", "{attachment}");
    assert_eq!(attachment.get("proof").unwrap(), "seen", "{attachment}");
}
