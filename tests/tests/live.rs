//! Topics and values while somebody looks, topics that were refused, and grants that let them
//! through.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

use std::net::SocketAddr;

use mqttguard::ubus::{self, CallError};
use mqttguard_lab::{Credential, Guard, Lab, tools, wait_for};
use mqttguard_tests::house::{PATIENCE, enrol, guarded, guarded_with, router};
use mqttguard_tests::mqtt::client::Client;
use mqttguard_tests::mqtt::packet::{Connect, Publish, Version};
use serde_json::{Value, json};

const LAMP: &str = "02:4d:47:00:01:01";
const EVIL: &str = "02:4d:47:00:01:02";

/// A listener without TLS, for clients that a test writes every byte of, and who may use it.
fn island(more: &str) -> String {
    format!(
        "config listener 'island'\n\toption kind 'plain'\n\
         config device\n\toption mac '{LAMP}'\n\toption name 'lamp'\n\toption plaintext '1'\n{more}\
         config device\n\toption mac '{EVIL}'\n\toption name 'evil'\n\toption plaintext '1'\n\
         \toption profile 'evil'\n\
         config profile 'evil'\n\tlist publish 'evil/#'\n\tlist publish 'a/#'\n\
         \toption limits 'fast'\n\
         config limits 'fast'\n\toption messages_per_s '100000'\n\toption bytes_per_s '100M'\n"
    )
}

fn island_address() -> SocketAddr {
    router(1883)
}

/// A client on the device at `index`, over the island.
fn client(lab: &Lab, index: usize, credential: &Credential, version: Version) -> Client {
    let connect = Connect::new(version, "c").login(&credential.username, &credential.password);
    let device = lab.device(index);
    device
        .netns()
        .run(|| Ok(Client::connect(island_address(), &connect)))
        .unwrap()
}

fn live(guard: &Guard, arguments: &Value) -> Value {
    guard.ubus("live", arguments).unwrap()
}

/// Why `live` says no.
fn refusal(lab: &Lab, arguments: Value) -> String {
    let socket = lab.router.bus().socket();
    match ubus::call(socket, ubus::OBJECT, "live", arguments, PATIENCE) {
        Err(CallError::Refused { message, .. }) => message,
        other => panic!("{other:?}"),
    }
}

fn topics(answer: &Value) -> Vec<&str> {
    let topics = answer["topics"].as_array().unwrap();
    topics
        .iter()
        .map(|one| one["topic"].as_str().unwrap())
        .collect()
}

/// What mosquitto's client shows is what is seen, by whom, and nothing of before.
#[test]
fn values_show_while_somebody_looks() {
    let (lab, guard) = guarded(&["lamp", "plug"]);
    let (lamp, plug) = (enrol(&guard, "lamp"), enrol(&guard, "plug"));
    let client = lab.device(0).client(&lamp);
    let before = client.publish("lamp/before", "1", 1).unwrap();
    assert!(before.succeeded());
    assert!(
        client
            .publish_retained("lamp/state", "21 °C")
            .unwrap()
            .succeeded()
    );
    let first = live(&guard, &json!({}));
    assert_eq!(topics(&first), ["lamp/state"], "{first}");
    let one = &first["topics"][0];
    assert_eq!(one["value"], "21 °C");
    assert_eq!(one["retained"], true);
    assert_eq!(one["name"], "lamp");
    assert_eq!(one["mac"], LAMP);
    assert_eq!(one["count"], 0);
    assert!(one.get("time_ms").is_none(), "{one}");

    assert!(client.publish("lamp/power", "5", 1).unwrap().succeeded());
    let other = lab.device(1).client(&plug);
    assert!(other.publish("plug/power", "7", 0).unwrap().succeeded());
    let answer = wait_for("the plug's", PATIENCE, || {
        let answer = live(&guard, &json!({}));
        Ok((topics(&answer).len() == 3).then_some(answer))
    })
    .unwrap();
    assert_eq!(topics(&answer), ["lamp/power", "lamp/state", "plug/power"]);
    let power = &answer["topics"][0];
    assert_eq!((&power["qos"], &power["count"]), (&json!(1), &json!(1)));
    assert!(
        power["time_ms"].as_u64() > Some(1_600_000_000_000),
        "{power}"
    );
    assert_eq!(answer["more"], false);

    let of = |arguments: Value| live(&guard, &arguments);
    assert_eq!(topics(&of(json!({"filter": "+/power"}))).len(), 2);
    assert_eq!(topics(&of(json!({"device": "plug"}))), ["plug/power"]);
    let one = of(json!({"limit": 1}));
    assert_eq!((topics(&one).len(), &one["more"]), (1, &json!(true)));
    let own = of(json!({"filter": "$SYS/broker/version"}));
    assert_eq!(topics(&own), ["$SYS/broker/version"]);
    assert!(
        !topics(&of(json!({})))
            .iter()
            .any(|name| name.starts_with('$'))
    );

    for (arguments, words) in [
        (json!({"filter": "a/#/b"}), "filter: found 'a/#/b'"),
        (json!({"filter": "a+"}), "does not stand alone"),
        (
            json!({"limit": 0}),
            "limit: found 0, expected a number from 1 to 1000",
        ),
        (json!({"limit": 1001}), "limit: found 1001"),
        (json!({"device": "nobody"}), "nobody"),
    ] {
        let error = refusal(&lab, arguments.clone());
        assert!(error.contains(words), "{arguments}: {error}");
    }

    // Switched off, nobody sees anything, and what was seen is forgotten.
    let files = guard.files();
    guard
        .write_config(&files.uci("\toption live '0'\n", ""))
        .unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    let error = refusal(&lab, json!({}));
    assert!(error.contains("option live"), "{error}");
    guard.write_config(&files.uci("", "")).unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(topics(&live(&guard, &json!({}))), ["lamp/state"]);
}

#[test]
fn a_hostile_publisher_hides_nobody_and_fills_no_memory() {
    let (lab, guard) = guarded_with(&["lamp", "evil"], "", &island(""));
    let (lamp, evil) = (enrol(&guard, "lamp"), enrol(&guard, "evil"));
    let mut lamp = client(&lab, 0, &lamp, Version::V311);
    let mut evil = client(&lab, 1, &evil, Version::V5);
    let used = |guard: &Guard| {
        let status = guard.ubus("status", &json!({})).unwrap();
        status["broker"]["memory_used"].as_u64().unwrap()
    };
    let before = used(&guard);
    live(&guard, &json!({}));
    lamp.publish(Publish::new("lamp/state", "on"), 1);
    let mut flood = Vec::new();
    for number in 0..100_000 {
        let publish = Publish::new(format!("a/{number:06}"), [0xff, 0xfe, 0, 0x1b]);
        flood.extend(publish.bytes(Version::V5));
    }
    evil.send(&flood);
    // Text that drives terminals, and text that is longer than is shown.
    let escape = "\u{1b}]0;owned\u{7}\r\n\u{202e}";
    assert_eq!(evil.publish(Publish::new("evil/escape", escape), 1), 0x10);
    assert_eq!(evil.publish(Publish::new("evil/nul", "a\0b"), 1), 0x10);
    assert_eq!(
        evil.publish(Publish::new("evil/long", "é".repeat(200)), 1),
        0x10
    );
    let answer = live(&guard, &json!({"limit": 1000}));
    let shown = topics(&answer);
    assert_eq!(shown.len(), 1000);
    assert!(shown.contains(&"lamp/state"), "{shown:?}");
    assert_eq!(answer["more"], true);
    assert!(
        answer["left_out"].as_u64() > Some(97_000),
        "{}",
        answer["left_out"]
    );
    let grown = used(&guard).saturating_sub(before);
    assert!(grown < 640 * 1024, "{grown} bytes");
    let find = |topic: &str| {
        let mut all = answer["topics"].as_array().unwrap().iter();
        all.find(|one| one["topic"] == topic).unwrap().clone()
    };
    assert_eq!(find("evil/escape")["value"], escape);
    assert!(find("evil/nul").get("value").is_none());
    let long = find("evil/long");
    assert_eq!(long["value"], "é".repeat(128));
    assert_eq!(long["bytes"], 400);
    let binary = find("a/099999");
    assert!(
        binary.get("value").is_none() && binary["bytes"] == 4,
        "{binary}"
    );
    // Only the owner's own word decides who is looked at.
    let lamps = live(&guard, &json!({"device": "lamp"}));
    assert_eq!(topics(&lamps), ["lamp/state"]);

    // As the command line shows it: nothing that a terminal acts on.
    let socket = lab.router.bus().socket().to_owned();
    let run = |words: &[&str]| {
        let mut command = std::process::Command::new(tools::daemon().unwrap());
        command.arg("--socket").arg(&socket).args(words);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    let text = run(&["live", "evil/+", "--count", "1"]);
    assert!(
        text.contains("evil/escape") && text.contains("owned"),
        "{text}"
    );
    let is_bad = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
    assert!(!text.contains(is_bad), "{text:?}");
    assert_eq!(text.lines().count(), 3, "{text}");
    let text = run(&["live", "--count", "1"]);
    assert!(text.contains("more have changed"), "{text}");
    assert!(text.lines().count() <= 101);
    let text = run(&["live", "evil/+", "--count", "1", "--json"]);
    for line in text.lines() {
        let one: Value = serde_json::from_str(line).unwrap();
        assert_eq!(one["name"], "evil");
    }
    let text = run(&["history", "evil"]);
    assert!(text.contains("messages in"), "{text}");
    // The broker is as well as ever.
    lamp.publish(Publish::new("lamp/state", "off"), 1);
    let answer = live(&guard, &json!({"filter": "lamp/#"}));
    assert_eq!(answer["topics"][0]["value"], "off");
}

#[test]
fn a_refused_topic_is_shown_granted_and_then_works_without_reconnecting() {
    let (lab, guard) = guarded_with(&["lamp", "evil"], "", &island(""));
    let lamp = enrol(&guard, "lamp");
    let mut client = client(&lab, 0, &lamp, Version::V5);
    // 0x87: not authorized, in PUBACK and SUBACK.
    let publish = || Publish::new("house/100%/lamp", "on");
    assert_eq!(client.publish(publish(), 1), 0x87);
    assert_eq!(client.publish(publish(), 1), 0x87);
    assert_eq!(client.subscribe("weather/+", 1), 0x87);
    let device = wait_for("the refusals", PATIENCE, || {
        let device = guard.device("lamp")?;
        let count = device["refused"].as_array().map_or(0, Vec::len);
        Ok((count == 2).then_some(device))
    })
    .unwrap();
    let [last, first] = device["refused"].as_array().unwrap().as_slice() else {
        panic!("{device}");
    };
    assert_eq!(
        (&last["access"], &last["topic"]),
        (&json!("subscribe"), &json!("weather/+"))
    );
    assert_eq!(
        (&last["count"], &last["grant"]),
        (&json!(1), &json!("weather/+"))
    );
    assert_eq!(first["access"], "publish");
    assert_eq!(first["topic"], "house/100%/lamp");
    assert_eq!(
        (&first["count"], &first["grant"]),
        (&json!(2), &json!("house/100%%/lamp"))
    );
    assert!(
        first["last_ms"].as_u64() > Some(1_600_000_000_000),
        "{first}"
    );
    assert!(device.get("grants").is_none(), "{device}");

    // The owner grants the one by its pattern, and reloads.
    let grant = first["grant"].as_str().unwrap();
    let granted = island(&format!("\tlist publish '{grant}'\n"));
    guard
        .write_config(&guard.files().uci("", &granted))
        .unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer["ok"], true, "{answer}");
    wait_for("the grant", PATIENCE, || {
        Ok((client.publish(publish(), 1) < 0x80).then_some(()))
    })
    .unwrap();
    assert_eq!(client.subscribe("weather/+", 1), 0x87);
    let device = guard.device("lamp").unwrap();
    assert_eq!(device["grants"]["publish"], json!([grant]));
    assert_eq!(device["connected"].as_array().unwrap().len(), 1, "{device}");
    let open = device["refused"].as_array().unwrap();
    assert_eq!(open.len(), 1, "{device}");
    assert_eq!(open[0]["topic"], "weather/+");
    // It is this device's alone.
    let other = guard.device("evil").unwrap();
    assert!(other.get("grants").is_none(), "{other}");

    // Taken back, it ends for the same connection.
    guard
        .write_config(&guard.files().uci("", &island("")))
        .unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    wait_for("the end", PATIENCE, || {
        Ok((client.publish(publish(), 1) == 0x87).then_some(()))
    })
    .unwrap();

    // A pattern that is none is refused with its place, and nothing changes.
    let bad = island("\tlist publish 'a/#/b'\n");
    guard.write_config(&guard.files().uci("", &bad)).unwrap();
    let answer = guard.ubus("reload", &json!({})).unwrap();
    assert_eq!(answer["ok"], false);
    assert!(
        answer["errors"].to_string().contains("option publish"),
        "{answer}"
    );
}

#[test]
fn refused_logins_are_told_with_their_reasons() {
    let (lab, guard) = guarded(&["lamp"]);
    let lamp = enrol(&guard, "lamp");
    for _ in 0..2 {
        let wrong = lamp.with_password("wrong");
        let outcome = lab
            .device(0)
            .client(&wrong)
            .publish("lamp/x", "1", 1)
            .unwrap();
        assert!(outcome.login_refused(), "{outcome:?}");
    }
    let refused = wait_for("both", PATIENCE, || {
        let device = guard.device("lamp")?;
        let refused = device["logins"]["refused"].clone();
        Ok((refused[0]["count"] == 2).then_some(refused))
    })
    .unwrap();
    assert_eq!(refused[0]["why"], "wrong password", "{refused}");
    assert_eq!(guard.device("lamp").unwrap()["logins"]["failed"], 2);
}
