//! How a device gets, changes and loses its credential, with real clients against a real daemon.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use mqttguard_lab::{Credential, Guard, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, enrol, guarded, guarded_with};
use serde_json::{Value, json};

/// Opens a window; what the device would be told, with what it has been set up with.
fn pair(guard: &Guard, device: &str, username: &str, password: &str) -> Credential {
    let answer = guard
        .ubus("pair", &json!({ "device": device, "for": 60 }))
        .unwrap();
    let mut told = answer.clone();
    let fields = told.as_object_mut().unwrap();
    fields.insert("username".to_owned(), json!(username));
    fields.insert("password".to_owned(), json!(password));
    Credential::from_enrolment(&told).unwrap()
}

fn username(guard: &Guard, device: &str) -> Option<String> {
    let device = guard.device(device).unwrap();
    device
        .get("username")
        .and_then(Value::as_str)
        .map(str::to_owned)
}

/// Nothing of a secret may be in what the daemon says or keeps.
fn assert_secret(guard: &Guard, secret: &str) {
    assert!(!guard.log().contains(secret));
    let events = guard.events().unwrap();
    assert!(!Value::from(events).to_string().contains(secret));
}

#[test]
fn what_a_device_presents_in_its_window_is_its_credential_from_then_on() {
    let (lab, mut guard) = guarded(&["plug", "lamp"]);
    let lamp = enrol(&guard, "lamp");
    let set_up = pair(&guard, "plug", "DVES_USER", "tasmota-secret");
    let shown = guard.device("plug").unwrap();
    let left = shown["pairing"]["left_s"].as_u64().unwrap();
    assert!((50..=60).contains(&left), "{shown}");
    assert_eq!(
        guard.ubus("status", &json!({})).unwrap()["pairing"][0]["mac"],
        lab.device(0).mac_text()
    );

    // Another device's window is not this one's.
    let outcome = lab.device(1).client(&set_up).publish("plug/x", "1", 1);
    assert!(outcome.unwrap().login_refused());
    // Nor does it pair without a password, or by another device's user name.
    let client = lab.device(0).client(&set_up);
    let outcome = client.anonymous().publish("plug/x", "1", 1).unwrap();
    assert!(outcome.login_refused(), "{outcome:?}");
    let theirs = Credential {
        username: lamp.username.clone(),
        ..set_up.clone()
    };
    let outcome = lab.device(0).client(&theirs).publish("plug/x", "1", 1);
    assert!(outcome.unwrap().login_refused());
    let mac = lab.device(0).mac_text();
    let told = |words: &str| {
        let events = guard.events().unwrap();
        let mut why = events.iter().filter_map(|event| event["why"].as_str());
        why.any(|why| why.contains(words))
    };
    assert!(until(PATIENCE, || told("sent no user name or no password")));
    assert!(until(PATIENCE, || told(
        "the user name is another device's"
    )));

    // The first login is let in already.
    let outcome = lab.device(0).client(&set_up).publish("plug/x", "1", 1);
    assert!(outcome.as_ref().unwrap().succeeded(), "{outcome:?}");
    let event = guard.wait_event("paired", Some(&mac)).unwrap();
    assert_eq!(event["username"], "DVES_USER", "{event}");
    assert_eq!(event["weak"], false, "{event}");
    assert_eq!(guard.state("plug").unwrap(), "enrolled");
    assert!(guard.device("plug").unwrap().get("pairing").is_none());

    // The window is closed, and what was paired outlives the daemon.
    let other = set_up.with_password("another one");
    let outcome = lab.device(0).client(&other).publish("plug/x", "1", 1);
    assert!(outcome.unwrap().login_refused());
    guard.kill().unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    let outcome = lab.device(0).client(&set_up).publish("plug/x", "1", 1);
    assert!(outcome.as_ref().unwrap().succeeded(), "{outcome:?}");
    assert_secret(&guard, "tasmota-secret");
}

#[test]
fn a_device_on_the_island_is_paired_in_the_clear_only_where_it_may_use_it() {
    let sections = "config listener 'plain'\n\toption kind 'plain'\n\toption port '1883'\n\
        \toption enabled '1'\nconfig device 'plug'\n\toption mac '%MAC%'\n\toption plaintext '1'\n";
    let lab = mqttguard_lab::Lab::new(&["plug", "lamp"]).unwrap();
    let sections = sections.replace("%MAC%", &lab.device(0).mac_text());
    let guard = lab.start_guard("", &sections).unwrap();
    for (device, name) in [(1, "lamp"), (0, "plug")] {
        let set_up = pair(&guard, &lab.device(device).mac_text(), name, "short");
        let client = lab.device(device).plain_client(&set_up.address, 1883);
        // The kernel program does not even answer the lamp.
        let limit = if name == "plug" { PATIENCE } else { IN_VAIN };
        let outcome =
            client
                .limit(limit)
                .login(name, "short")
                .publish(&format!("{name}/x"), "1", 1);
        let is_in = outcome.as_ref().is_ok_and(|outcome| outcome.succeeded());
        assert_eq!(is_in, name == "plug", "{outcome:?}");
    }
    assert_eq!(guard.state("lamp").unwrap(), "new");
    let event = guard
        .wait_event("paired", Some(&lab.device(0).mac_text()))
        .unwrap();
    assert_eq!(event["weak"], true, "{event}");
}

#[test]
fn a_window_can_be_closed_and_closes_by_itself() {
    let (lab, guard) = guarded(&["plug"]);
    let set_up = pair(&guard, "plug", "plug", "password-1");
    let answer = guard
        .ubus("pair", &json!({ "device": "plug", "cancel": true }))
        .unwrap();
    assert_eq!(answer["cancelled"], true);
    let outcome = lab.device(0).client(&set_up).publish("plug/x", "1", 1);
    assert!(outcome.unwrap().login_refused());
    guard
        .ubus("pair", &json!({ "device": "plug", "for": 10 }))
        .unwrap();
    guard.wait_event("pairing-opened", None).unwrap();
    assert!(until(PATIENCE, || guard
        .device("plug")
        .unwrap()
        .get("pairing")
        .is_none()));
    let outcome = lab.device(0).client(&set_up).publish("plug/x", "1", 1);
    assert!(outcome.unwrap().login_refused());
    guard.wait_event("pairing-expired", None).unwrap();
}

#[test]
fn both_passwords_work_until_the_new_one_is_used() {
    let (lab, mut guard) = guarded(&["lamp"]);
    let old = enrol(&guard, "lamp");
    let device = lab.device(0);
    let subscription = device.client(&old).lasting("held").subscribe("lamp/#", 2);
    let subscription = subscription.unwrap();
    assert_eq!(subscription.granted(), Some(1));
    let answer = guard
        .ubus("rotate", &json!({ "device": "lamp", "overlap": 3600 }))
        .unwrap();
    let new = Credential::from_enrolment(&answer).unwrap();
    assert_ne!(old.password, new.password);
    assert!(guard.device("lamp").unwrap()["credential"]["old_until_ms"].is_u64());

    // Not even the session that was there before has been cut.
    let outcome = device.client(&old).publish("lamp/x", "old", 1).unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    assert!(until(PATIENCE, || subscription.messages() == ["lamp/x old"]));
    guard.kill().unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    let outcome = device.client(&old).publish("lamp/x", "old", 1).unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");

    let outcome = device.client(&new).publish("lamp/x", "new", 1).unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    let event = guard.wait_event("rotation-ended", None).unwrap();
    assert_eq!(event["used"], true, "{event}");
    let outcome = device.client(&old).publish("lamp/x", "old", 1).unwrap();
    assert!(outcome.login_refused(), "{outcome:?}");
    let outcome = device.client(&new).publish("lamp/x", "new", 1).unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_secret(&guard, &new.password);
}

#[test]
fn a_revoked_credential_lets_nobody_in_and_cuts_off_who_is() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let lamp = enrol(&guard, "lamp");
    let subscription = lab.device(0).client(&lamp).subscribe("lamp/#", 1).unwrap();
    assert_eq!(subscription.granted(), Some(1));
    let mac = lab.device(0).mac_text();
    guard.ubus("revoke", &json!({ "device": "lamp" })).unwrap();
    guard.wait_event("disconnected", Some(&mac)).unwrap();
    guard.wait_event("revoked", Some(&mac)).unwrap();
    drop(subscription);
    let outcome = lab.device(0).client(&lamp).publish("lamp/x", "1", 1);
    assert!(outcome.unwrap().login_refused());
    assert_eq!(username(&guard, &mac), None);
    assert_eq!(guard.state(&mac).unwrap(), "new");
    guard
        .ubus("revoke", &json!({ "device": mac }))
        .expect_err("it has none any more");
}

#[test]
fn a_quarantine_by_hand_holds_until_it_is_released() {
    let (lab, guard) = guarded_with(&["lamp"], "", "");
    let lamp = enrol(&guard, "lamp");
    guard
        .ubus(
            "quarantine",
            &json!({ "device": "lamp", "for": 3600, "why": "odd" }),
        )
        .unwrap();
    assert_eq!(guard.device("lamp").unwrap()["why"], "odd");
    let router = mqttguard_tests::house::router(lamp.port);
    lab.device(0).connect(router, IN_VAIN).unwrap_err();
    guard.ubus("release", &json!({ "device": "lamp" })).unwrap();
    let outcome = lab.device(0).client(&lamp).publish("lamp/x", "1", 1);
    assert!(outcome.unwrap().succeeded());
}

#[test]
fn the_daemon_lists_its_profiles_and_the_mistakes_in_its_file() {
    let (_lab, guard) = guarded(&["lamp"]);
    let answer = guard.ubus("profiles", &json!({})).unwrap();
    let default = answer["profiles"].as_array().unwrap().iter();
    let default = default.filter(|profile| profile["default"] == true);
    assert_eq!(default.count(), 1, "{answer}");
    assert_eq!(guard.ubus("check", &json!({})).unwrap()["ok"], true);
    guard
        .write_config("config mqttguard 'main'\n\toption mode 'x'\n")
        .unwrap();
    let answer = guard.ubus("check", &json!({})).unwrap();
    assert_eq!(answer["ok"], false, "{answer}");
    assert!(answer["errors"][0].as_str().unwrap().contains("mode"));
    // It was only looked at.
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status["config"]["errors"], json!([]), "{status}");
}
