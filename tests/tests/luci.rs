//! The LuCI views, in a real browser, on a real daemon in a house: see `tests/luci`.

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Credential, ODD_MQTT_PORT, PLAIN_MQTT_PORT, until};
use mqttguard_tests::house::{PATIENCE, cloud, enrol, guarded_with};
use mqttguard_tests::luci::{Luci, check};
use serde_json::Value;

/// A user name that is somebody's attempt at the owner's browser.
const HOSTILE: &str = "<img src=x onerror=\"window.hostile = 1\">";

#[test]
fn the_owner_sees_understands_and_acts() {
    let (lab, guard) = guarded_with(
        &["lamp", "plug", "camera", "visitor"],
        "\toption login_failures '3'\n\toption quarantine '10m'\n",
        "",
    );
    let (lamp, plug, camera) = (lab.device(0), lab.device(1), lab.device(2));
    let credential = enrol(&guard, "lamp");
    let client = lamp.client(&credential);
    let _session = client.subscribe("lamp/#", 100).unwrap();
    assert!(client.publish("lamp/state", "on", 1).unwrap().succeeded());
    for port in [PLAIN_MQTT_PORT, ODD_MQTT_PORT] {
        plaintext_connect(plug, cloud(port), PATIENCE).unwrap_err();
    }
    let hostile = Credential {
        username: HOSTILE.to_owned(),
        ..credential
    };
    let quarantined = until(PATIENCE * 20, || {
        let _ = camera.client(&hostile).publish("a", "b", 1);
        guard.state("camera").unwrap() == "quarantined"
    });
    assert!(quarantined, "{}", guard.log());

    let luci = Luci::start(lab.router.bus().socket(), &guard.files().config).unwrap();
    check(&luci, &["overview", "devices", "status", "report"]).unwrap();

    // What the browser showed is what was done.
    assert_eq!(guard.state("plug").unwrap(), "blocked");
    assert_eq!(guard.state("camera").unwrap(), "new");
    let visitor = guard.device("visitor").unwrap();
    assert_eq!(visitor["state"], "enrolled");
    assert_eq!(visitor["username"], "guest-room");
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
