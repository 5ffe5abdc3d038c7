//! What devices say of themselves over DHCP, and what their makers say of them (RFC 8520): real
//! clients, a real dnsmasq, the package's own hotplug script, a real web server and signatures.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Lab, ODD_MQTT_PORT, PLAIN_MQTT_PORT, address, until, wait_for};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol};
use mqttguard_tests::luci::{Luci, check};
use mqttguard_tests::mud::house::{House, MUD_URL, install_hotplug, mud};
use mqttguard_tests::mud::{asking, lamp, url};
use rustix::process::Signal;
use serde_json::{Value, json};

fn leaves(lab: &Lab, index: usize, to: SocketAddr) -> bool {
    plaintext_connect(lab.device(index), to, PATIENCE).is_ok()
}

fn stays(lab: &Lab, index: usize, to: SocketAddr) -> bool {
    plaintext_connect(lab.device(index), to, IN_VAIN).is_err()
}

#[test]
fn what_a_device_says_over_dhcp_is_known_and_harmless() {
    let mut lab = Lab::new_before_dhcp(&["lamp", "evil"]).unwrap();
    install_hotplug(&lab);
    let mut guard = lab.start_guard("", "").unwrap();
    let announced = "https://maker.example/lamp.json";
    lab.device_mut(0)
        .request_address_saying(
            Some("dhcpcd-9.4.1:Linux-6.1.21-v8+:aarch64:BCM2835"),
            &[(MUD_URL, announced.as_bytes())],
        )
        .unwrap();
    let lamp = wait_for("the vendor class", PATIENCE, || {
        let lamp = guard.device("lamp")?;
        Ok(lamp.get("vendor_class").is_some().then_some(lamp))
    })
    .unwrap();
    assert_eq!(
        lamp["vendor_class"],
        "dhcpcd-9.4.1:Linux-6.1.21-v8+:aarch64:BCM2835"
    );
    assert_eq!(lamp["system"], "Linux (dhcpcd 9.4.1)");
    assert_eq!(lamp["mud_url"], announced);
    let event = guard
        .wait_event("mud-announced", Some(&lab.device(0).mac_text()))
        .unwrap();
    assert_eq!(event["url"], announced);

    // What a shell, a terminal or a log would act on.
    let trap = lab.dir().join("trap");
    let class = format!(
        "x'\";$(touch {0})`touch {0}`|touch {0}\n\u{1b}[2J\u{202e}y",
        trap.display()
    );
    lab.device_mut(1)
        .request_address_saying(
            Some(&class),
            &[(MUD_URL, b"http://maker.example/$(reboot)")],
        )
        .unwrap();
    let evil = wait_for("the vendor class", PATIENCE, || {
        let evil = guard.device("evil")?;
        Ok(evil.get("vendor_class").is_some().then_some(evil))
    })
    .unwrap();
    let found = evil["vendor_class"].as_str().unwrap();
    let expected: String = class
        .chars()
        .filter(|c| !c.is_control() && *c != '\u{202e}')
        .collect();
    assert_eq!(found, expected);
    assert!(evil.get("mud_url").is_none(), "{evil}");
    assert!(!trap.exists());

    // It is written down with what is decided, and known to the next daemon.
    enrol(&guard, "lamp");
    guard.kill().unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert_eq!(guard.device("lamp").unwrap()["mud_url"], announced);
}

#[test]
fn whatever_a_device_says_over_dhcp_is_bounded_and_about_its_own_address() {
    let mut house = House::new(&["lamp", "evil"]);
    house.maker.publish_signed("lamp", "signer");
    let announced = url("lamp.json");
    house.announce(0, &announced);
    let accept = json!({ "device": "lamp", "url": announced, "accept": true });
    mud(&house.lab, accept).unwrap();

    // As long as udhcpc has room for in a packet; as an option can be, and one more.
    let of_length = |length: usize| format!("https://maker.example/{}", "a".repeat(length - 22));
    house.announce(1, &of_length(200));
    let evil = house.lab.device(1).mac_text();
    for (length, is_taken) in [(255, true), (256, false)] {
        let said = json!({ "mac": evil, "mud_url": of_length(length) });
        house.guard.ubus("sighting", &said).unwrap();
        let found = house.guard.device("evil").unwrap();
        assert_eq!(found["mud_url"] == of_length(length), is_taken, "{found}");
    }

    // What RFC 8520 reserves behind a space.
    let reserved = format!("{announced} reserved\u{1b}[2J");
    let device = house.lab.device_mut(1);
    let options: &[(u8, &[u8])] = &[(MUD_URL, reserved.as_bytes())];
    device.request_address_saying(None, options).unwrap();
    wait_for("the URL before the space", PATIENCE, || {
        Ok((house.guard.device("evil")?["mud_url"] == announced).then_some(()))
    })
    .unwrap();

    // What is no URL of HTTPS changes nothing: the vendor class beside it arrives.
    for (number, bytes) in [
        &b"https://maker.example/\xff\xfe\xc3"[..],
        b"https://maker.example/\xe2\x80\xae.json",
        b"https://user:password@maker.example/",
        b"https://maker.example/\x1b[2J\n",
        b"\xff",
        b" ",
        &[b'a'; 255],
    ]
    .into_iter()
    .enumerate()
    {
        let class = format!("try {number}");
        let device = house.lab.device_mut(1);
        let options = [(MUD_URL, bytes)];
        device
            .request_address_saying(Some(&class), &options)
            .unwrap();
        let evil = wait_for("the vendor class", PATIENCE, || {
            let evil = house.guard.device("evil")?;
            Ok((evil["vendor_class"] == class).then_some(evil))
        })
        .unwrap();
        assert_eq!(evil["mud_url"], announced, "{number}: {evil}");
    }

    // Under the address of another it says where to look, and no more: what was accepted stays.
    let lamp = house.lab.device(0).mac_text();
    let become_ = |house: &House, mac: &str| {
        let mut link = std::process::Command::new("ip");
        link.args(["link", "set", "eth0", "address", mac]);
        let output = house.lab.device(1).netns().output(&mut link).unwrap();
        assert!(output.status.success(), "{output:?}");
    };
    become_(&house, &lamp);
    let elsewhere = "https://evil.example/lamp.json";
    let options: &[(u8, &[u8])] = &[(MUD_URL, elsewhere.as_bytes())];
    let device = house.lab.device_mut(1);
    let said = device.request_address_saying(None, options);
    become_(&house, &evil);
    said.unwrap();
    let found = wait_for("the announced URL", PATIENCE, || {
        let found = house.guard.device(&lamp)?;
        Ok((found["mud_url"] == elsewhere).then_some(found))
    })
    .unwrap();
    assert_eq!(found["mud"]["url"], announced, "{found}");
    assert_eq!(found["mud"]["systeminfo"], "The Acme lamp");
    let shown = mud(&house.lab, json!({ "device": lamp })).unwrap();
    assert_eq!(
        (&shown["url"], &shown["accepted"]),
        (&json!(announced), &json!(true))
    );
}

#[test]
fn what_a_maker_signs_and_the_owner_accepts_is_in_force_until_it_is_forgotten() {
    let mut house = House::new(&["lamp", "plug"]);
    house.maker.publish_signed("lamp", "signer");
    house.announce(0, &url("lamp.json"));
    house.join(1);
    let port = cloud(PLAIN_MQTT_PORT);

    // Nothing is fetched, accepted or let out unasked.
    let error = mud(&house.lab, json!({ "device": "lamp", "accept": true })).unwrap_err();
    assert!(error.contains("look at it first"), "{error}");
    let shown = mud(&house.lab, json!({ "device": "lamp" })).unwrap();
    assert_eq!(shown["signature"]["state"], "valid", "{shown}");
    assert_eq!(
        shown["signature"]["signer"], "O=Acme, CN=MUD signer",
        "{shown}"
    );
    assert_eq!(
        (&shown["acceptable"], &shown["accepted"]),
        (&json!("yes"), &json!(false))
    );
    assert_eq!(shown["systeminfo"], "The Acme lamp");
    assert_eq!(
        shown["exceptions"],
        json!([{ "to": "mqtt.maker.example", "port": 1883 }])
    );
    let taken: Vec<_> = shown["needs"]
        .as_array()
        .unwrap()
        .iter()
        .map(|need| &need["taken"])
        .collect();
    assert_eq!(taken, [true, false]);
    assert!(stays(&house.lab, 0, port));

    let wrong = json!({ "device": "lamp", "accept": true, "sha256": "00" });
    assert!(mud(&house.lab, wrong).unwrap_err().contains("sha256"));
    let sum = shown["sha256"].clone();
    let accepted = mud(
        &house.lab,
        json!({ "device": "lamp", "accept": true, "sha256": sum }),
    )
    .unwrap();
    assert_eq!(accepted["accepted"], true, "{accepted}");
    let resolved = house.guard.wait_event("mud-resolved", None).unwrap();
    assert_eq!(resolved["addresses"], json!(["203.0.113.10"]));
    assert!(until(PATIENCE, || leaves(&house.lab, 0, port)));
    // That device, to that port.
    assert!(stays(&house.lab, 1, port));
    assert!(stays(&house.lab, 0, cloud(ODD_MQTT_PORT)));
    let lamp = house.guard.device("lamp").unwrap();
    let expected = json!([{
        "mud": "mqtt.maker.example", "mac": house.lab.device(0).mac_text(), "name": "lamp",
        "destination": "203.0.113.10/32", "port": 1883, "holds": true,
    }]);
    assert_eq!(lamp["exceptions"], expected);
    assert_eq!(lamp["mud"]["signature"]["state"], "valid");
    let stored = house.guard.files().data.join("mud.json");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = fs::metadata(stored).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);

    // It outlives the daemon; and from the start, with no name server to ask.
    house.guard.kill().unwrap();
    house.names.stop().unwrap();
    assert!(leaves(&house.lab, 0, port));
    house.guard.start_again().unwrap();
    house.lab.wait_protected(&mut house.guard).unwrap();
    assert!(leaves(&house.lab, 0, port) && stays(&house.lab, 1, port));

    let forgotten = mud(&house.lab, json!({ "device": "lamp", "forget": true })).unwrap();
    assert_eq!(forgotten["forgotten"], true);
    assert!(until(PATIENCE, || stays(&house.lab, 0, port)));
    assert!(house.guard.device("lamp").unwrap().get("mud").is_none());
    house.guard.wait_event("mud-forgotten", None).unwrap();
    let again = json!({ "device": "lamp", "forget": true });
    assert!(
        mud(&house.lab, again)
            .unwrap_err()
            .contains("nothing is accepted")
    );
}

#[test]
fn the_owner_sees_and_accepts_it_in_the_browser() {
    let mut house = House::new(&["lamp", "plug", "quiet"]);
    house.maker.publish_signed("lamp", "signer");
    let unsigned = lamp(&url("plug.json"), None).to_string();
    house.maker.publish("plug.json", unsigned);
    let typed = asking(
        &url("typed.json"),
        &["acme/%m/#", "homeassistant/#"],
        &["acme/%m/set"],
    );
    house.maker.publish("typed.json", typed.to_string());
    house.announce(0, &url("lamp.json"));
    house.announce(1, &url("plug.json"));
    house.join(2);
    let config = house.guard.files().config.clone();
    let luci = Luci::start(house.lab.router.bus().socket(), &config).unwrap();
    let port = cloud(PLAIN_MQTT_PORT);
    let lab = &house.lab;
    check(&luci, &["mud"]).unwrap();
    for index in 0..2 {
        assert!(until(PATIENCE, || leaves(lab, index, port)), "{index}");
    }
    assert!(stays(lab, 2, port));
    check(&luci, &["mud_forget"]).unwrap();
    assert!(until(PATIENCE, || stays(lab, 0, port)));
    assert!(leaves(lab, 1, port));
    let guard = &house.guard;
    assert!(guard.device("lamp").unwrap().get("mud").is_none());
    let plug = guard.device("plug").unwrap();
    assert_eq!(plug["mud"]["signature"]["state"], "absent", "{plug}");
}

#[test]
fn who_signed_decides_whether_a_file_can_be_accepted() {
    let mut house = House::new(&["lamp"]);
    house.join(0);
    let maker = &house.maker;
    for signer in [
        "signer", "rsa", "pss", "p384", "stranger", "reader", "web", "expired",
    ] {
        maker.publish_signed(signer, signer);
    }
    maker.publish_signed("tampered", "signer");
    let file = lamp(&url("tampered.json"), Some(&url("tampered.p7s"))).to_string();
    maker.publish("tampered.json", file.replace("1883", "1884"));
    maker.publish_signed("swapped", "signer");
    let rsa = fs::read(maker.path("www/rsa.p7s")).unwrap();
    maker.publish("swapped.p7s", rsa);
    maker.publish_signed("garbage", "signer");
    maker.publish("garbage.p7s", "garbage");
    maker.publish_signed("lost", "signer");
    fs::remove_file(maker.path("www/lost.p7s")).unwrap();
    maker.publish(
        "unsigned.json",
        lamp(&url("unsigned.json"), None).to_string(),
    );
    let inside = "https://inner.maker.example/a.p7s";
    let file = lamp(&url("inside.json"), Some(inside)).to_string();
    maker.publish("inside.json", file);

    for (name, state, acceptable, why) in [
        ("signer", "valid", "yes", ""),
        ("rsa", "valid", "yes", ""),
        ("pss", "valid", "yes", ""),
        ("p384", "valid", "yes", ""),
        ("unsigned", "absent", "unverified", "names no signature"),
        ("stranger", "unknown", "unverified", "no authority"),
        ("reader", "unknown", "unverified", "keyUsage"),
        ("web", "unknown", "unverified", "does not prove"),
        ("expired", "invalid", "no", "expired"),
        ("tampered", "invalid", "no", "of another file"),
        ("swapped", "invalid", "no", "of another file"),
        ("garbage", "invalid", "no", "no CMS"),
        ("lost", "invalid", "no", "404"),
        ("inside", "invalid", "no", "not on the internet"),
    ] {
        let url = url(&format!("{name}.json"));
        let shown = mud(&house.lab, json!({ "device": "lamp", "url": url })).unwrap();
        let signature = &shown["signature"];
        assert_eq!(signature["state"], state, "{name}: {shown}");
        assert_eq!(shown["acceptable"], acceptable, "{name}: {shown}");
        let told = signature
            .get("why")
            .and_then(Value::as_str)
            .unwrap_or_default();
        assert!(told.contains(why), "{name}: {told}");
        let plain = mud(&house.lab, json!({ "device": "lamp", "accept": true }));
        assert_eq!(plain.is_ok(), acceptable == "yes", "{name}: {plain:?}");
        let word = json!({ "device": "lamp", "accept": true, "unverified": true });
        if acceptable == "unverified" {
            mud(&house.lab, word).unwrap();
        } else if acceptable == "no" {
            let error = mud(&house.lab, word).unwrap_err();
            assert!(error.contains("cannot be accepted"), "{name}: {error}");
        }
    }
    // What was accepted last is in force still.
    let lamp = house.guard.device("lamp").unwrap();
    assert_eq!(lamp["mud"]["url"], url("web.json"), "{lamp}");

    // A signer whom the owner trusts beside the authorities of the web.
    let main = format!(
        "\toption mud_ca '{}'\n\toption mud_signers '{}'\n",
        house.maker.path("ca.crt").display(),
        house.maker.path("other-ca.crt").display()
    );
    let config = house.guard.files().uci(&main, "");
    house.guard.write_config(&config).unwrap();
    assert_eq!(house.guard.ubus("reload", &json!({})).unwrap()["ok"], true);
    let shown = mud(
        &house.lab,
        json!({ "device": "lamp", "url": url("stranger.json") }),
    )
    .unwrap();
    assert_eq!(shown["signature"]["state"], "valid", "{shown}");
}

#[test]
fn a_device_cannot_have_the_router_ask_what_is_in_the_house() {
    let mut house = House::new(&["lamp"]);
    house.maker.publish_signed("lamp", "signer");
    for (announced, words) in [
        ("https://192.168.77.1:8443/lamp.json", "not on the internet"),
        ("https://127.0.0.1:8443/lamp.json", "not on the internet"),
        ("https://203.0.113.1:8443/lamp.json", "not on the internet"),
        ("https://[::1]:8443/lamp.json", "not on the internet"),
        (
            "https://[2001:db8::99]:8443/lamp.json",
            "not on the internet",
        ),
        (
            "https://inner.maker.example/lamp.json",
            "not on the internet",
        ),
        (
            "https://nowhere.maker.example/lamp.json",
            "cannot be looked up",
        ),
        // Moved: it is not followed, wherever to.
        (&url("moved.json"), "status 302"),
        // The certificate is for another name.
        ("https://both.maker.example:8443/lamp.json", "another name"),
    ] {
        house.announce(0, announced);
        let error = mud(&house.lab, json!({ "device": "lamp" })).unwrap_err();
        assert!(error.contains(words), "{announced}: {error}");
    }
    // By hand it may be in the house; that nobody answers there is another matter.
    let by_hand = json!({ "device": "lamp", "url": "https://192.168.77.1:8443/lamp.json" });
    let error = mud(&house.lab, by_hand).unwrap_err();
    assert!(error.contains("refused"), "{error}");
    for (wrong, words) in [
        (
            json!({ "device": "lamp", "url": "http://maker.example/lamp.json" }),
            "expected one such as",
        ),
        (
            json!({ "device": "lamp", "url": "https://a:b@maker.example/" }),
            "expected one such as",
        ),
        (json!({ "device": "nobody" }), "nobody"),
        (
            json!({ "device": "lamp", "forget": true, "accept": true }),
            "expected alone",
        ),
    ] {
        let error = mud(&house.lab, wrong.clone()).unwrap_err();
        assert!(error.contains(words), "{wrong}: {error}");
    }
}

#[test]
fn hostile_files_are_refused_in_words_and_nobody_waits_for_them() {
    let mut house = House::new(&["lamp"]);
    house.join(0);
    let maker = &house.maker;
    let good = |name: &str| lamp(&url(name), None);
    let with = |name: &str, change: &dyn Fn(&mut Value)| {
        let mut file = good(name);
        change(&mut file);
        maker.publish(name, file.to_string());
    };
    let ace = "/ietf-access-control-list:acls/acl/0/aces/ace";
    with("many.json", &|file| {
        let one = file.pointer(ace).unwrap()[0].clone();
        *file.pointer_mut(ace).unwrap() = Value::Array(vec![one; 200]);
    });
    with("million.json", &|file| {
        let one = file.pointer(ace).unwrap()[0].clone();
        *file.pointer_mut(ace).unwrap() = Value::Array(vec![one; 100_000]);
    });
    with("type.json", &|file| {
        file["ietf-mud:mud"]["is-supported"] = json!("yes")
    });
    with("port.json", &|file| {
        *file
            .pointer_mut(&format!("{ace}/0/matches/tcp/destination-port/port"))
            .unwrap() = json!(70_000);
    });
    with("host.json", &|file| {
        *file
            .pointer_mut(&format!("{ace}/0/matches/ipv4/ietf-acldns:dst-dnsname"))
            .unwrap() = json!("192.168.77.1");
    });
    with("other.json", &|file| {
        file["ietf-mud:mud"]["mud-url"] = json!("https://maker.example:8443/lamp.json");
    });
    with("escape.json", &|file| {
        file["ietf-mud:mud"]["systeminfo"] = json!("a\u{1b}[2J");
    });
    maker.publish("deep.json", "[".repeat(100_000));
    maker.publish("text.json", "hello");
    maker.publish("empty.json", "");
    for (name, words) in [
        ("many.json", "a list of at most 128"),
        ("million.json", "too large"),
        (
            "type.json",
            "is-supported: found 'yes', expected true or false",
        ),
        (
            "port.json",
            "port: found 70000, expected a number from 0 to 65535",
        ),
        (
            "host.json",
            "dst-dnsname: found '192.168.77.1', expected a host name",
        ),
        ("other.json", "mud-url: found"),
        ("escape.json", "systeminfo"),
        ("deep.json", "recursion"),
        ("text.json", "the MUD file"),
        ("empty.json", "the MUD file"),
        ("endless.json", "more than"),
        ("missing.json", "status 404"),
    ] {
        let error = mud(&house.lab, json!({ "device": "lamp", "url": url(name) })).unwrap_err();
        assert!(error.contains(words), "{name}: {error}");
    }

    // The daemon answers others while it waits for a slow one, and gives that one up.
    let begin = Instant::now();
    std::thread::scope(|scope| {
        let slow = scope.spawn(|| {
            mud(
                &house.lab,
                json!({ "device": "lamp", "url": url("slow.json") }),
            )
        });
        std::thread::sleep(Duration::from_millis(500));
        house.guard.ubus("status", &json!({})).unwrap();
        assert!(!slow.is_finished());
        let error = slow.join().unwrap().unwrap_err();
        assert!(error.contains("in time"), "{error}");
    });
    assert!(begin.elapsed() < Duration::from_secs(20));
}

#[test]
fn names_and_files_that_change_are_followed_and_told() {
    let mut house = House::new(&["lamp"]);
    house.maker.publish_signed("lamp", "signer");
    house.announce(0, &url("lamp.json"));
    let url = url("lamp.json");
    let accept = json!({ "device": "lamp", "url": url, "accept": true });
    mud(&house.lab, accept).unwrap();
    let (mac, port) = (house.lab.device(0).mac_text(), cloud(PLAIN_MQTT_PORT));
    assert!(until(PATIENCE, || leaves(&house.lab, 0, port)));

    // The maker's file is another, it was fetched long ago, and its name leads into the house too.
    let mut file = lamp(&url, Some(&url.replace(".json", ".p7s")));
    file["ietf-mud:mud"]["systeminfo"] = json!("The Acme spy");
    house.maker.publish("lamp.json", file.to_string());
    house.maker.sign("lamp", "signer");
    let stored = house.guard.files().data.join("mud.json");
    house.guard.stop().unwrap();
    let mut text: Value = serde_json::from_slice(&fs::read(&stored).unwrap()).unwrap();
    text["devices"][&mac]["fetched_ms"] = json!(1);
    fs::write(&stored, text.to_string()).unwrap();
    let names = "203.0.113.11 mqtt.maker.example\n192.168.77.50 mqtt.maker.example\n\
                 203.0.113.10 maker.example\n";
    fs::write(house.lab.dir().join("hosts"), names).unwrap();
    let read = || house.names.log().matches("/hosts - ").count();
    let before = read();
    house.names.signal(Signal::HUP).unwrap();
    assert!(until(PATIENCE, || read() > before), "{}", house.names.log());
    house.guard.start_again().unwrap();
    house.lab.wait_protected(&mut house.guard).unwrap();
    let resolved = house.guard.wait_event("mud-resolved", Some(&mac)).unwrap();
    // The one before stays for an hour: connections to it are not cut. None is in the house.
    assert_eq!(
        resolved["addresses"],
        json!(["203.0.113.10", "203.0.113.11"])
    );

    let changed = wait_for("the changed file", PATIENCE * 2, || {
        let events = house.guard.events()?.into_iter();
        Ok(events
            .into_iter()
            .find(|event| event["event"] == "mud-changed"))
    });
    assert_eq!(changed.unwrap()["mac"], mac);
    let lamp = house.guard.device("lamp").unwrap();
    assert_eq!(lamp["mud"]["changed"], true, "{lamp}");
    assert_eq!(lamp["mud"]["systeminfo"], "The Acme lamp");
    // Nobody has seen it: it is to be looked at first.
    let word = json!({ "device": "lamp", "accept": true });
    let error = mud(&house.lab, word.clone()).unwrap_err();
    assert!(error.contains("look at it first"), "{error}");
    let shown = mud(&house.lab, json!({ "device": "lamp" })).unwrap();
    assert_eq!(shown["systeminfo"], "The Acme spy", "{shown}");
    assert!(shown["accepted_sha256"].is_string(), "{shown}");
    mud(&house.lab, word).unwrap();
    let lamp = house.guard.device("lamp").unwrap();
    assert_eq!(lamp["mud"]["changed"], false, "{lamp}");
    assert_eq!(lamp["mud"]["systeminfo"], "The Acme spy");

    // A port of which the maker says nothing.
    assert!(stays(&house.lab, 0, (address::CLOUD, ODD_MQTT_PORT).into()));
    let outside = house.guard.wait_event("mud-outside", Some(&mac)).unwrap();
    assert_eq!(outside["tls_only"], false, "{outside}");
}
