//! The LuCI views, in a real browser, on a real daemon in a house: see `tests/luci`.

use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::Result;
use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Client, Credential, ODD_MQTT_PORT, PLAIN_MQTT_PORT, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded_with};
use mqttguard_tests::luci::{Luci, check};
use serde_json::{Value, json};

/// A user name that is somebody's attempt at the owner's browser.
const HOSTILE: &str = "<img src=x onerror=\"window.hostile = 1\">";

/// The same, of a topic.
const HOSTILE_TOPIC: &str = "door/<img src=x onerror=\"window.hostile = 1\">";

#[test]
fn the_owner_sees_understands_and_acts() {
    let (lab, guard) = guarded_with(
        &["lamp", "plug", "camera", "visitor", "spare"],
        "\toption login_failures '3'\n\toption quarantine '10m'\n",
        "",
    );
    let (lamp, plug, camera) = (lab.device(0), lab.device(1), lab.device(2));
    let credential = enrol(&guard, "lamp");
    enrol(&guard, "spare");
    let client = lamp.client(&credential);
    let _session = client.subscribe("lamp/#", 100).unwrap();
    assert!(client.publish("lamp/state", "on", 1).unwrap().succeeded());
    // Its profile grants neither: the broker takes the packets and tells the owner.
    for topic in ["garage/door", HOSTILE_TOPIC] {
        client.publish(topic, "open", 1).unwrap();
    }
    for port in [PLAIN_MQTT_PORT, ODD_MQTT_PORT] {
        plaintext_connect(plug, cloud(port), IN_VAIN).unwrap_err();
    }
    let hostile = Credential {
        username: HOSTILE.to_owned(),
        ..credential.clone()
    };
    let quarantined = until(PATIENCE, || {
        let client = camera.client(&hostile).limit(IN_VAIN * 5);
        let _ = client.publish("a", "b", 1);
        guard.state("camera").unwrap() == "quarantined"
    });
    assert!(quarantined, "{}", guard.log());

    let luci = Luci::start(lab.router.bus().socket(), &guard.files().config).unwrap();
    let client = lamp.client(&credential);
    let pages = [
        "foreign", "overview", "devices", "device", "live", "status", "report",
    ];
    publishing(&client, || check(&luci, &pages)).unwrap();

    // What the browser showed is what was done.
    assert_eq!(guard.state("plug").unwrap(), "blocked");
    assert_eq!(guard.state("camera").unwrap(), "quarantined");
    assert_eq!(guard.state("visitor").unwrap(), "new");
    // The password is the new one's forerunner still, and the grant holds.
    let client = lamp.client(&credential);
    assert!(
        client
            .publish("garage/door", "open", 1)
            .unwrap()
            .succeeded()
    );
    let lamp = guard.device("lamp").unwrap();
    assert_eq!(lamp["grants"]["publish"], json!(["garage/door"]));
    assert_eq!(
        lamp["credential"]["certificates"].as_array().unwrap().len(),
        1
    );
    assert_eq!(guard.device("spare").unwrap()["profile"], "tasmota");
    let plug = guard.device("plug").unwrap();
    assert_eq!(plug["why"], "<b>smells</b>");
    let exceptions = plug["exceptions"].as_array().unwrap();
    assert_eq!(exceptions.len(), 1, "{plug}");
    let destination = exceptions[0]["destination"].as_str();
    assert_eq!(destination, Some("203.0.113.10/32"));
    assert!(exceptions[0]["until_ms"].is_u64());
    assert!(
        exceptions[0].get("port").and_then(Value::as_u64).is_some(),
        "{plug}"
    );
}

/// Publishes as `client`, one value after the other, while `act` runs: `lamp/tick` again and again,
/// and once what the page of live topics has to cope with.
fn publishing<T>(client: &Client<'_>, act: impl FnOnce() -> Result<T>) -> Result<T> {
    client.publish_retained("lamp/mode", "night")?;
    client.publish_retained("lamp/deep/below/it", HOSTILE)?;
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for tick in 0_u32.. {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                let _ = client.publish("lamp/tick", &tick.to_string(), 0);
                std::thread::sleep(IN_VAIN / 2);
            }
        });
        let outcome = act();
        done.store(true, Ordering::Relaxed);
        outcome
    })
}
