//! What a device seems to be, the profile made for it, and what it is refused.

use mqttguard_lab::{Credential, Guard, until};
use mqttguard_tests::house::{PATIENCE, enrol, guarded, guarded_with};
use serde_json::{Value, json};

#[test]
fn a_device_is_known_by_what_it_says_and_may_do_what_its_firmware_does() {
    let (lab, guard) = guarded(&["kettle"]);
    let kettle = enrol(&guard, "kettle");
    let device = lab.device(0);
    let mac = device.mac_text().replace(':', "").to_uppercase();
    let client = device.client(&kettle).v5();
    let discovery = format!("tasmota/discovery/{mac}/config");
    let refused = client.publish(&discovery, "{}", 1).unwrap();
    assert!(refused.complaint.contains("Not authorized"), "{refused:?}");
    let known = || {
        let shown = guard
            .ubus("device", &json!({ "device": "kettle" }))
            .unwrap();
        let text = |name: &str| shown.get(name).and_then(Value::as_str).map(str::to_owned);
        text("firmware").as_deref() == Some("tasmota")
            && text("suggested_profile").as_deref() == Some("tasmota")
            // Suggested, not taken.
            && text("profile").as_deref() == Some("device")
    };
    assert!(until(PATIENCE, known));

    let answer = guard
        .ubus(
            "enrol",
            &json!({ "device": "kettle", "profile": "tasmota" }),
        )
        .unwrap();
    let text = answer.pointer("/snippets/0/text").and_then(Value::as_str);
    let password = answer.get("password").and_then(Value::as_str).unwrap();
    assert!(text.is_some_and(|text| text.starts_with("Backlog0 ") && text.contains(password)));
    let kettle = Credential::from_enrolment(&answer).unwrap();
    let client = device.client(&kettle).v5();
    for topic in [&*discovery, "tele/kettle/LWT", "stat/kettle/RESULT"] {
        let outcome = client.publish(topic, "{}", 1).unwrap();
        assert!(outcome.complaint.is_empty(), "{topic}: {outcome:?}");
    }
    for filter in ["cmnd/kettle/#", "cmnd/tasmotas/#"] {
        assert_eq!(
            client.subscribe(filter, 1).unwrap().granted(),
            Some(1),
            "{filter}"
        );
    }
    for topic in ["cmnd/lamp/POWER", "tasmota/discovery/000000000000/config"] {
        let outcome = client.publish(topic, "{}", 1).unwrap();
        assert!(
            outcome.complaint.contains("Not authorized"),
            "{topic}: {outcome:?}"
        );
    }
    let again = guard
        .ubus("snippet", &json!({ "device": "kettle" }))
        .unwrap();
    assert!(!again.to_string().contains(password), "{again}");
}

#[test]
fn what_a_device_is_refused_becomes_a_proposal_that_works() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let lamp = enrol(&guard, "lamp");
    guard
        .ubus("learn", &json!({ "device": "lamp", "for": 600 }))
        .unwrap();
    let client = lab.device(0).client(&lamp).v5();
    for topic in ["garden/lamp/power", "plug/switch"] {
        let outcome = client.publish(topic, "1", 1).unwrap();
        // Nothing is opened by looking.
        assert!(
            outcome.complaint.contains("Not authorized"),
            "{topic}: {outcome:?}"
        );
    }
    let mut learned = Value::Null;
    assert!(until(PATIENCE, || {
        learned = guard.ubus("learn", &json!({ "device": "lamp" })).unwrap();
        learned
            .get("wishes")
            .and_then(Value::as_array)
            .map(Vec::len)
            == Some(2)
    }));
    let uci = learned
        .get("uci")
        .and_then(Value::as_str)
        .unwrap()
        .to_owned();
    assert!(uci.contains("\tlist publish 'garden/%d/power'\n"), "{uci}");
    assert!(uci.contains("\t#list publish 'plug/switch'\n"), "{uci}");
    drop(guard);
    drop(lab);

    let (lab, guard) = guarded_with(&["lamp", "plug"], "\toption profile 'own_lamp'\n", &uci);
    let lamp = enrol(&guard, "lamp");
    let client = lab.device(0).client(&lamp).v5();
    let outcome = client.publish("garden/lamp/power", "1", 1).unwrap();
    assert!(outcome.complaint.is_empty(), "{outcome:?}");
    let outcome = client.publish("plug/switch", "1", 1).unwrap();
    assert!(outcome.complaint.contains("Not authorized"), "{outcome:?}");
}

#[test]
fn what_is_noted_outlasts_a_stop_and_a_kill_and_a_torn_file_costs_nothing_else() {
    let (lab, mut guard) = guarded(&["lamp"]);
    let lamp = enrol(&guard, "lamp");
    guard
        .ubus("learn", &json!({ "device": "lamp", "for": 600 }))
        .unwrap();
    let refused = |topic: &str| {
        let client = lab.device(0).client(&lamp).v5();
        let outcome = client.publish(topic, "1", 1).unwrap();
        assert!(outcome.complaint.contains("Not authorized"), "{outcome:?}");
    };
    let learned = |guard: &Guard| guard.ubus("learn", &json!({ "device": "lamp" }));
    let patterns = |guard: &Guard| {
        let learned = learned(guard).unwrap();
        let wishes = learned.get("wishes").and_then(Value::as_array).unwrap();
        let patterns = wishes.iter().filter_map(|wish| wish.get("pattern"));
        patterns.cloned().collect::<Vec<_>>()
    };
    let again = |guard: &mut Guard| {
        guard.start_again().unwrap();
        lab.wait_protected(guard).unwrap();
    };
    refused("garden/lamp/power");
    assert!(until(PATIENCE, || patterns(&guard).len() == 1));
    let first = learned(&guard).unwrap();
    assert_eq!(first.get("gaps").unwrap(), 0, "{first}");
    assert_eq!(first.get("last_gap").unwrap(), &Value::Null, "{first}");

    guard.stop().unwrap();
    again(&mut guard);
    assert_eq!(patterns(&guard), ["garden/%d/power"]);
    let second = learned(&guard).unwrap();
    assert_eq!(second.get("since_ms"), first.get("since_ms"));
    assert_eq!(second.get("gaps").unwrap(), 1, "{second}");
    let of_gap = |which: &str| second.pointer(which).and_then(Value::as_u64).unwrap();
    let (from, to) = (of_gap("/last_gap/from_ms"), of_gap("/last_gap/to_ms"));
    assert!(of_gap("/since_ms") < from && from < to, "{second}");
    // The time goes on with what was left of it.
    let until_ms = |learned: &Value| learned.get("until_ms").and_then(Value::as_u64).unwrap();
    assert_eq!(until_ms(&second) - until_ms(&first), to - from);
    refused("garden/lamp/switch");
    assert!(until(PATIENCE, || patterns(&guard).len() == 2));

    // What was noted since it was written last goes with a daemon that is killed, and no more.
    guard.kill().unwrap();
    again(&mut guard);
    assert_eq!(patterns(&guard), ["garden/%d/power"]);
    let third = learned(&guard).unwrap();
    assert_eq!(third.pointer("/last_gap/from_ms").unwrap(), from, "{third}");

    guard.kill().unwrap();
    std::fs::write(guard.files().data.join("learning.json"), "{\"version\":1,").unwrap();
    again(&mut guard);
    let told = guard.run(&["learn", "lamp"]).unwrap();
    let error = String::from_utf8_lossy(&told.stderr);
    assert!(error.contains("learning.json: EOF"), "{told:?}");
    let outcome = lab
        .device(0)
        .client(&lamp)
        .publish("lamp/x", "1", 1)
        .unwrap();
    assert!(outcome.succeeded(), "its credential holds: {outcome:?}");
}
