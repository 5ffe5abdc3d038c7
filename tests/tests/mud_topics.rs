//! Topics that makers ask for in their MUD files: granted when the owner accepts, and until the owner
//! takes that back.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Credential, PLAIN_MQTT_PORT, until, wait_for};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, router};
use mqttguard_tests::mqtt::client::Client;
use mqttguard_tests::mqtt::packet::{Connect, Publish, Version};
use mqttguard_tests::mud::house::{House, mud};
use mqttguard_tests::mud::{asking, lamp, url};
use serde_json::{Value, json};

const LAMP: &str = "02:4d:47:00:01:01";
const PLUG: &str = "02:4d:47:00:01:02";
/// Not authorized, in PUBACK and SUBACK.
const REFUSED: u8 = 0x87;

/// A listener without TLS, for clients that a test writes every byte of.
fn island() -> String {
    let device = |mac, name| {
        format!(
            "config device\n\toption mac '{mac}'\n\toption name '{name}'\n\toption plaintext '1'\n"
        )
    };
    let (lamp, plug) = (device(LAMP, "lamp"), device(PLUG, "plug"));
    format!("config listener 'island'\n\toption kind 'plain'\n{lamp}{plug}")
}

fn client(house: &House, index: usize, credential: &Credential) -> Client {
    let connect = Connect::new(Version::V5, "c").login(&credential.username, &credential.password);
    let netns = house.lab.device(index).netns();
    netns
        .run(|| Ok(Client::connect(router(1883), &connect)))
        .unwrap()
}

fn publish(client: &mut Client, topic: &str) -> u8 {
    client.publish(Publish::new(topic, "on"), 1)
}

fn accept(house: &House) -> Value {
    mud(&house.lab, json!({ "device": "lamp" })).unwrap();
    let word = json!({ "device": "lamp", "accept": true, "unverified": true });
    mud(&house.lab, word).unwrap()
}

#[test]
fn what_a_device_asks_for_of_its_own_is_granted_at_once_and_ends_at_once() {
    let mut house = House::with(&["lamp", "plug"], &island());
    let at = url("lamp.json");
    let file = asking(
        &at,
        &[
            "acme/%m/#",
            "sites/%d/state",
            "homeassistant/#",
            "cmnd/doorloc%d",
        ],
        &["acme/%m/set", "#", "$SYS/#"],
    );
    house.maker.publish("lamp.json", file.to_string());
    house.announce(0, &at);
    house.join(1);
    let (lamp_login, plug_login) = (enrol(&house.guard, "lamp"), enrol(&house.guard, "plug"));
    let mut lamp = client(&house, 0, &lamp_login);
    let mut plug = client(&house, 1, &plug_login);
    let own = "acme/024D47000101";
    let (state, set) = (format!("{own}/state"), format!("{own}/set"));
    assert_eq!(publish(&mut lamp, &state), REFUSED);

    // What is asked for is shown, with what that is for this device and what becomes of it.
    let shown = mud(&house.lab, json!({ "device": "lamp" })).unwrap();
    let needs: Vec<_> = shown["needs"].as_array().unwrap().iter().collect();
    let says: Vec<_> = needs
        .iter()
        .map(|need| need["says"].as_str().unwrap())
        .collect();
    assert_eq!(says[0], format!("publishes to acme/%m/#, which is {own}/#"));
    assert_eq!(
        says[1],
        "publishes to sites/%d/state, which is sites/lamp/state"
    );
    let taken: Vec<_> = needs.iter().map(|need| need["taken"] == true).collect();
    assert_eq!(
        taken,
        [true, true, false, false, true, false, false],
        "{shown}"
    );
    let why = needs[2]["why"].as_str().unwrap();
    assert!(why.contains("nothing in it is the device's own"), "{why}");
    assert_eq!(
        shown["grants"],
        json!([
            { "access": "publish", "pattern": "acme/%m/#", "filter": format!("{own}/#") },
            { "access": "publish", "pattern": "sites/%d/state", "filter": "sites/lamp/state" },
            { "access": "subscribe", "pattern": "acme/%m/set", "filter": &set },
        ])
    );
    assert_eq!(publish(&mut lamp, &state), REFUSED);

    // Accepted, it holds for the connection that stands: that device's, and no more than was shown.
    accept(&house);
    wait_for("the grant", PATIENCE, || {
        Ok((publish(&mut lamp, &state) < 0x80).then_some(()))
    })
    .unwrap();
    assert!(publish(&mut lamp, "sites/lamp/state") < 0x80);
    assert_eq!(lamp.subscribe(&set, 1), 1);
    for topic in [
        "homeassistant/light/x/config",
        "cmnd/doorloclamp",
        "sites/plug/state",
    ] {
        assert_eq!(publish(&mut lamp, topic), REFUSED, "{topic}");
    }
    for filter in ["#", "$SYS/#", "acme/#", "acme/+/set"] {
        assert_eq!(lamp.subscribe(filter, 1), REFUSED, "{filter}");
    }
    assert_eq!(publish(&mut plug, &state), REFUSED);
    let device = house.guard.device("lamp").unwrap();
    assert_eq!(device["connected"].as_array().unwrap().len(), 1, "{device}");
    assert_eq!(device["mud_grants"], shown["grants"]);
    assert!(device.get("grants").is_none(), "{device}");
    let other = house.guard.device("plug").unwrap();
    assert!(other.get("mud_grants").is_none(), "{other}");

    // It outlives a reload and the daemon.
    assert_eq!(house.guard.ubus("reload", &json!({})).unwrap()["ok"], true);
    assert!(publish(&mut lamp, &state) < 0x80);
    house.guard.kill().unwrap();
    house.guard.start_again().unwrap();
    house.lab.wait_protected(&mut house.guard).unwrap();
    let mut lamp = client(&house, 0, &lamp_login);
    assert!(publish(&mut lamp, &state) < 0x80);

    // A file that asks for more by now is proposed, and not in force.
    let more = asking(&at, &["acme/%m/#", "acme/%x/#"], &[]);
    house.maker.publish("lamp.json", more.to_string());
    let shown = mud(&house.lab, json!({ "device": "lamp" })).unwrap();
    assert_eq!(shown["accepted"], false, "{shown}");
    assert_eq!(publish(&mut lamp, "acme/024d47000101/x"), REFUSED);
    assert!(publish(&mut lamp, &state) < 0x80);

    // What is taken back ends for the connection that stands.
    mud(&house.lab, json!({ "device": "lamp", "forget": true })).unwrap();
    wait_for("the end", PATIENCE, || {
        Ok((publish(&mut lamp, &state) == REFUSED).then_some(()))
    })
    .unwrap();
    let device = house.guard.device("lamp").unwrap();
    assert!(device.get("mud_grants").is_none(), "{device}");
    assert_eq!(device["connected"].as_array().unwrap().len(), 1, "{device}");
}

#[test]
fn nothing_of_a_revoked_device_stays_open() {
    let mut house = House::with(&["lamp"], &island());
    let at = url("lamp.json");
    let mut file = lamp(&at, None);
    let topics = asking(&at, &["acme/%m/#"], &[]);
    for member in ["extensions", "mqttguard-topics:topics"] {
        file["ietf-mud:mud"][member] = topics["ietf-mud:mud"][member].clone();
    }
    house.maker.publish("lamp.json", file.to_string());
    house.announce(0, &at);
    let login = enrol(&house.guard, "lamp");
    let accepted = accept(&house);
    assert_eq!(accepted["accepted"], true, "{accepted}");
    let leaves = |limit| {
        let device = house.lab.device(0);
        plaintext_connect(device, cloud(PLAIN_MQTT_PORT), limit).is_ok()
    };
    assert!(until(PATIENCE, || leaves(PATIENCE)));
    let mut client_before = client(&house, 0, &login);
    assert!(publish(&mut client_before, "acme/024D47000101/x") < 0x80);

    let answer = house
        .guard
        .ubus("revoke", &json!({ "device": "lamp" }))
        .unwrap();
    assert_eq!(answer["mud_forgotten"], at, "{answer}");
    assert!(until(PATIENCE, || !leaves(IN_VAIN)));
    let event = house.guard.wait_event("mud-forgotten", Some(LAMP)).unwrap();
    assert_eq!(event["url"], at);
    let device = house.guard.device("lamp").unwrap();
    assert!(
        device.get("mud").is_none() && device.get("mud_grants").is_none(),
        "{device}"
    );
    // On disk too, and whoever is enrolled anew begins anew.
    let stored = std::fs::read_to_string(house.guard.files().data.join("mud.json")).unwrap();
    assert!(!stored.contains("maker.example"), "{stored}");
    let login = enrol(&house.guard, "lamp");
    let mut again = client(&house, 0, &login);
    assert_eq!(publish(&mut again, "acme/024D47000101/x"), REFUSED);
    let answer = house
        .guard
        .ubus("revoke", &json!({ "device": "lamp" }))
        .unwrap();
    assert!(answer.get("mud_forgotten").is_none(), "{answer}");
}
