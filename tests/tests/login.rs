//! One credential per device, and no way in without.

use mqttguard_lab::traffic::web_request;
use mqttguard_lab::{Outcome, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded, guarded_with, router};

/// MQTT 5 reason codes of a CONNACK (section 3.2.2.2), with which the client ends.
const BAD_USER_NAME_OR_PASSWORD: Option<i32> = Some(0x86);
const NOT_AUTHORIZED: Option<i32> = Some(0x87);

fn assert_refused(outcome: &Outcome) {
    assert!(outcome.login_refused(), "{outcome:?}");
    assert!(
        [BAD_USER_NAME_OR_PASSWORD, NOT_AUTHORIZED].contains(&outcome.code),
        "{outcome:?}"
    );
}

#[test]
fn an_enrolled_device_publishes_and_subscribes_in_both_protocols() {
    let (lab, guard) = guarded(&["lamp"]);
    let credential = enrol(&guard, "lamp");
    for v5 in [false, true] {
        let client = lab.device(0).client(&credential);
        let client = if v5 { client.v5() } else { client };
        let subscription = client.subscribe("lamp/#", 2).unwrap();
        assert_eq!(subscription.granted(), Some(1));
        for (qos, payload) in [(0, "on"), (1, "off")] {
            let outcome = client.publish("lamp/state", payload, qos).unwrap();
            assert!(outcome.succeeded(), "{outcome:?}");
        }
        assert_eq!(
            subscription.finish().unwrap(),
            ["lamp/state on", "lamp/state off"]
        );
    }
    let mac = lab.device(0).mac_text();
    guard.wait_event("connected", Some(&mac)).unwrap();
    guard.wait_event("disconnected", Some(&mac)).unwrap();
}

#[test]
fn a_wrong_password_is_refused() {
    let (lab, guard) = guarded(&["lamp"]);
    let credential = enrol(&guard, "lamp").with_password("wrong");
    let outcome = lab
        .device(0)
        .client(&credential)
        .v5()
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert_eq!(outcome.code, BAD_USER_NAME_OR_PASSWORD, "{outcome:?}");
    // MQTT 3.1.1 has the return code 4 for it (section 3.2.2.3).
    let outcome = lab
        .device(0)
        .client(&credential)
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert_eq!(outcome.code, Some(4), "{outcome:?}");
    guard
        .wait_event("login-refused", Some(&lab.device(0).mac_text()))
        .unwrap();
}

#[test]
fn another_devices_password_is_refused() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let lamp = enrol(&guard, "lamp");
    let plug = enrol(&guard, "plug");
    let mixed = lamp.with_password(&plug.password);
    assert_refused(
        &lab.device(0)
            .client(&mixed)
            .v5()
            .publish("lamp/state", "on", 1)
            .unwrap(),
    );
}

#[test]
fn a_credential_is_refused_from_another_device() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let lamp = enrol(&guard, "lamp");
    assert_refused(
        &lab.device(1)
            .client(&lamp)
            .v5()
            .publish("lamp/state", "on", 1)
            .unwrap(),
    );
    guard
        .wait_event("login-refused", Some(&lab.device(1).mac_text()))
        .unwrap();
    let outcome = lab
        .device(0)
        .client(&lamp)
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[test]
fn no_password_is_refused() {
    let (lab, guard) = guarded(&["lamp"]);
    let credential = enrol(&guard, "lamp");
    let client = lab.device(0).client(&credential).anonymous().v5();
    assert_refused(&client.publish("lamp/state", "on", 1).unwrap());
}

#[test]
fn a_guessing_device_is_cut_off_by_the_kernel_and_others_are_not() {
    let main = "\toption login_failures '3'\n\toption quarantine '10m'\n";
    let (lab, guard) = guarded_with(&["lamp", "visitor"], main, "");
    let lamp = enrol(&guard, "lamp");
    let visitor = lab.device(1);
    for guess in 0..3 {
        let wrong = lamp.with_password(&format!("guess{guess}"));
        assert!(
            visitor
                .client(&wrong)
                .publish("lamp/state", "off", 1)
                .unwrap()
                .login_refused()
        );
    }
    assert!(until(PATIENCE, || guard.state("visitor").unwrap()
        == "quarantined"));
    visitor.connect(router(lamp.port), IN_VAIN).unwrap_err();
    assert!(guard.dropped("visitor", "quarantined").unwrap() > 0);
    web_request(visitor, cloud(80)).unwrap();
    let outcome = lab
        .device(0)
        .client(&lamp)
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[test]
fn a_quarantine_ends() {
    let main = "\toption login_failures '1'\n\toption quarantine '10s'\n";
    let (lab, guard) = guarded_with(&["lamp"], main, "");
    let credential = enrol(&guard, "lamp");
    let wrong = credential.with_password("wrong");
    lab.device(0)
        .client(&wrong)
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert!(until(PATIENCE, || guard.state("lamp").unwrap() == "quarantined"));
    assert!(until(PATIENCE, || guard.state("lamp").unwrap() == "enrolled"));
    let outcome = lab
        .device(0)
        .client(&credential)
        .publish("lamp/state", "on", 1)
        .unwrap();
    assert!(outcome.succeeded(), "{outcome:?}");
}
