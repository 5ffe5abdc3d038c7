//! The last hour by the minute: what devices do shows in the minute that is running, and nothing
//! of before.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use mqttguard::ubus::{self, CallError, Status};
use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Guard, PLAIN_MQTT_PORT, until, wait_for};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded};
use serde_json::{Value, json};

/// Each series of the house, or of a device: the sum over the hour.
fn sums(guard: &Guard, device: Option<&str>) -> Value {
    let arguments = device.map_or(json!({}), |device| json!({ "device": device }));
    let answer = guard.ubus("history", &arguments).unwrap();
    assert_eq!(answer["step_s"], 60, "{answer}");
    let all = answer["series"].as_object().unwrap().iter();
    let sums = all.map(|(name, samples)| {
        let samples = samples.as_array().unwrap();
        assert_eq!(samples.len(), 60, "{name}");
        let sum: u64 = samples.iter().map(|sample| sample.as_u64().unwrap()).sum();
        // A test takes two minutes at most.
        let latest: u64 = samples[57..].iter().map(|s| s.as_u64().unwrap()).sum();
        assert_eq!(sum, latest, "{name}: {samples:?}");
        (name.clone(), json!(sum))
    });
    Value::Object(sums.collect())
}

#[test]
fn what_a_device_does_is_in_its_history_and_the_houses() {
    let (lab, mut guard) = guarded(&["lamp", "plug"]);
    let lamp = enrol(&guard, "lamp");
    let client = lab.device(0).client(&lamp);
    // Clients that are gone before anybody looks.
    for payload in ["on", "off", "on"] {
        assert!(
            client
                .publish("lamp/state", payload, 1)
                .unwrap()
                .succeeded()
        );
    }
    assert!(client.publish("plug/state", "x", 0).unwrap().succeeded());
    // The last of them waited for no answer.
    let house = wait_for("the messages", PATIENCE, || {
        let house = sums(&guard, None);
        Ok((house["messages"] == 4 && house["refused"] == 1).then_some(house))
    })
    .unwrap_or_else(|error| panic!("{error}: {}", sums(&guard, None)));
    assert_eq!(house["plaintext"], 0, "{house}");
    let device = sums(&guard, Some("lamp"));
    assert_eq!(device["messages"], 4, "{device}");
    assert!(device["frames"].as_u64() > Some(20), "{device}");
    assert!(device["bytes"].as_u64() > Some(2000), "{device}");
    assert_eq!(device["dropped"], 0, "{device}");
    assert_eq!(sums(&guard, Some("plug"))["messages"], 0);

    // Subscribers count as clients for as long as they are looked at, and are delivered to.
    let ears = client.subscribe("lamp/#", 1).unwrap();
    let house = sums(&guard, None);
    assert!(house["sessions"].as_u64() >= Some(1), "{house}");
    assert!(client.publish("lamp/state", "on", 1).unwrap().succeeded());
    assert_eq!(ears.finish().unwrap(), ["lamp/state on"]);
    assert_eq!(sums(&guard, None)["delivered"], 1);

    // What the kernel drops is in it, too, and only once however often it is asked for.
    plaintext_connect(lab.device(1), cloud(PLAIN_MQTT_PORT), IN_VAIN).unwrap_err();
    let dropped = wait_for("a drop", PATIENCE, || {
        let house = sums(&guard, None)["plaintext"].as_u64().unwrap();
        Ok((house > 0).then_some(house))
    })
    .unwrap();
    let plug = sums(&guard, Some("plug"));
    assert!(plug["dropped"].as_u64() >= Some(dropped), "{plug}");
    assert!(plug["frames"].as_u64() > plug["dropped"].as_u64(), "{plug}");
    let all = guard.device("plug").unwrap()["frames"]["dropped"].as_u64();
    assert_eq!(plug["dropped"].as_u64(), all);

    // The counters outlive a killed daemon, and are of no minute of the next.
    guard.kill().unwrap();
    guard.start_again().unwrap();
    guard.wait_protected(|| {}).unwrap();
    assert_eq!(
        guard.device("plug").unwrap()["frames"]["dropped"].as_u64(),
        all
    );
    let house = sums(&guard, None);
    assert_eq!(house["plaintext"], 0, "{house}");
    assert_eq!(house["messages"], 0, "{house}");
    assert_eq!(sums(&guard, Some("plug"))["dropped"], 0);
    // But what comes now is.
    plaintext_connect(lab.device(1), cloud(PLAIN_MQTT_PORT), IN_VAIN).unwrap_err();
    wait_for("a drop", PATIENCE, || {
        let plug = sums(&guard, Some("plug"));
        Ok((plug["dropped"].as_u64() > Some(0)).then_some(()))
    })
    .unwrap();
    let counted = || guard.device("plug").unwrap()["frames"]["dropped"].as_u64();
    let is_the_rest = || {
        let now = sums(&guard, Some("plug"))["dropped"].as_u64();
        now.zip(all).map(|(now, before)| now + before) == counted()
    };
    assert!(until(PATIENCE, is_the_rest), "{all:?}, {:?}", counted());
}

#[test]
fn who_is_asked_for_has_to_be_known() {
    let (lab, _guard) = guarded(&["lamp"]);
    let history = |device: &str| {
        let (socket, arguments) = (lab.router.bus().socket(), json!({ "device": device }));
        ubus::call(socket, ubus::OBJECT, "history", arguments, PATIENCE)
    };
    for (device, words) in [
        ("nobody", "nobody"),
        ("02:00:00:00:00:99", "no device has the MAC address"),
    ] {
        match history(device) {
            Err(CallError::Refused {
                status: Status::NotFound,
                message,
                ..
            }) => assert!(message.contains(words), "{message}"),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(history("lamp").unwrap()["name"], "lamp");
}
