//! What a device says in the clear goes on over TLS, or not at all.

use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr};
use std::process::Command;
use std::thread;
use std::time::Duration;

use mqttguard_lab::packet::TCP;
use mqttguard_lab::traffic::{CONNECT, say};
use mqttguard_lab::{address, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, cloud6, router};
use mqttguard_tests::uplift::{
    House, PASSWORD, USER, answers, counter, is_cut, logged_in, login, nft, reload, wait_ready,
    wait_refused,
};
use rustix::process::Signal;
use serde_json::{Value, json};

#[test]
fn messages_go_both_ways_and_cross_the_wan_encrypted() {
    let house = House::new(&["plug"]);
    let plug = house.lab.device(0);
    let witness = house.lab.cloud.witness();
    witness.look_for(PASSWORD.as_bytes());
    // So it is without a guard; and so the witness would tell.
    house.client(plug).publish("tele/plug", "bare", 0).unwrap();
    let plaintext = witness.plaintext().unwrap().len();
    let secrets = witness.secret_frames().unwrap();
    assert!(plaintext > 0 && secrets > 0);

    let guard = house.guard(&house.section("vendor", &[0], ""));
    for to in [address::CLOUD.to_string(), address::CLOUD6.to_string()] {
        let client = plug.plain_client(&to, 1883).login(USER, PASSWORD);
        let (_subscriber, log) = house.subscribe_in_cloud("tele/#", 1);
        let sent = client.publish("tele/plug", "on", 1).unwrap();
        assert!(sent.succeeded(), "{sent:?}, {:?}", guard.events());
        house.wait_in_cloud(&log, "tele/plug on");

        let subscription = client.subscribe("cmnd/#", 1).unwrap();
        assert_eq!(subscription.granted(), Some(1));
        house.publish_in_cloud("cmnd/plug", "off");
        assert_eq!(subscription.finish().unwrap(), ["cmnd/plug off"], "{to}");
    }
    // MQTT 5 too, and a wrong password is between the device and its vendor.
    let sent = house.client(plug).v5().publish("tele/plug", "5", 1);
    assert!(sent.unwrap().succeeded());
    let wrong = house.client(plug).login(USER, "wrong");
    assert!(wrong.publish("tele/plug", "x", 1).unwrap().login_refused());

    assert_eq!(witness.plaintext().unwrap().len(), plaintext);
    assert_eq!(witness.secret_frames().unwrap(), secrets);
    let wan = witness.tally(address::WAN.into(), TCP, 8883).unwrap();
    assert!(wan.frames > 10, "{wan:?}");
    let event = guard.wait_event("uplift", Some(&plug.mac_text())).unwrap();
    assert_eq!(event["port"], 1883, "{event}");
    assert_eq!(event["server"], "mqtt.example.org:8883");
    assert_eq!(counter(&guard, "connections"), 6);
    assert_eq!(counter(&guard, "refused"), 0);
    assert!(counter(&guard, "bytes_out") > 200 && counter(&guard, "bytes_in") > 50);
    let device = guard.device("plug").unwrap();
    assert_eq!(device["uplift"]["section"], "vendor", "{device}");
    assert_eq!(device["state"], "new");
    // Nobody has said the password.
    let said = format!("{}{:?}", guard.log(), guard.events().unwrap());
    assert!(!said.contains(PASSWORD));
}

#[test]
fn a_server_that_does_not_prove_who_it_is_is_told_nothing() {
    let mut house = House::new(&["plug"]);
    house.lab.cloud.witness().look_for(PASSWORD.as_bytes());
    let sections = house.section("vendor", &[0], "");
    let other_ca = house.certificates.path("other-ca.crt");
    let ca = house.certificates.path("ca.crt");
    let guard = house.guard(&sections);
    let refused = |house: &House, words: &str| {
        let before = counter(&guard, "refused");
        let outcome = house
            .client(house.lab.device(0))
            .limit(IN_VAIN * 3)
            .publish("tele/plug", "on", 1)
            .unwrap();
        assert!(!outcome.succeeded(), "{outcome:?}");
        let event = wait_refused(&guard, words);
        assert_eq!(event["mac"], house.lab.device(0).mac_text());
        assert_eq!(event["destination"], address::CLOUD.to_string());
        assert!(until(PATIENCE, || counter(&guard, "refused") > before));
        assert_eq!(counter(&guard, "connections"), 0);
    };
    house.serve("misnamed");
    refused(
        &house,
        "its certificate is for another name than mqtt.example.org",
    );
    house.serve("cloud-expired");
    refused(&house, "its certificate has expired");
    house.stop_vendor();
    refused(&house, "Connection refused");
    {
        // It says back whatever it is told, as nothing does that speaks TLS.
        let sink = house.lab.cloud.sink(8883).unwrap();
        refused(&house, "TLS");
        assert_eq!(sink.told().first(), Some(&0x16), "a TLS record");
    }
    house.serve("cloud");
    let other = sections.replace(&ca.display().to_string(), &other_ca.display().to_string());
    reload(&guard, "", &other);
    refused(&house, "its certificate is from no authority in");
    reload(&guard, "", &sections.replace("ca.crt", "none.crt"));
    refused(&house, "none.crt");
    house.assert_nothing_leaked();
    // And with all as it should be:
    reload(&guard, "", &sections);
    let sent = house.client(house.lab.device(0)).publish("a", "b", 1);
    assert!(sent.unwrap().succeeded());
}

#[test]
fn a_device_that_is_refused_again_and_again_is_not_news_each_time() {
    let mut house = House::new(&["plug"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    house.serve("misnamed");
    for _ in 0..5 {
        // The vendor's certificate is no good: a reset.
        say(house.lab.device(0), cloud(1883), &login(), IN_VAIN).unwrap_err();
    }
    assert!(until(PATIENCE, || counter(&guard, "refused") >= 5));
    let events = guard.events().unwrap();
    let told = events
        .iter()
        .filter(|event| event["event"] == "uplift-refused");
    assert_eq!(told.count(), 1);
}

#[test]
fn other_devices_are_held_to_what_they_were() {
    let house = House::new(&["plug", "tv"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    let tv = house.lab.device(1);
    for to in [cloud(1883), cloud6(1883)] {
        tv.connect(to, IN_VAIN).unwrap_err();
    }
    assert!(guard.dropped("tv", "plaintext-port").unwrap() > 0);
    let echo = say(tv, cloud(443), b"\x16\x03\x01hello", PATIENCE).unwrap();
    assert_eq!(echo, b"\x16\x03\x01hello");
    // Nor is the uplifted device free beyond the ports: a CONNECT elsewhere is caught.
    say(house.lab.device(0), cloud(443), CONNECT, IN_VAIN).unwrap_err();
    assert!(guard.dropped("plug", "plaintext-connect").unwrap() > 0);
    // Or to the router.
    house
        .lab
        .device(0)
        .connect(router(1883), IN_VAIN)
        .unwrap_err();
    house.assert_nothing_leaked();
}

#[test]
fn the_proxy_is_no_tunnel_and_takes_only_what_was_redirected() {
    let house = House::new(&["plug", "tv"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    let plug = house.lab.device(0);
    say(plug, cloud(1883), b"GET / HTTP/1.1\r\n\r\n", IN_VAIN).unwrap_err();
    let event = wait_refused(&guard, "it does not begin as MQTT does");
    assert_eq!(event["mac"], plug.mac_text());
    let wan = house.lab.cloud.witness();
    let wan = wan.tally(address::WAN.into(), TCP, 8883).unwrap();
    assert_eq!(wan.frames, 0, "the vendor is not even asked");

    let rules = nft(&house, &["list", "table", "inet", "mqttguard"]);
    let (_, rest) = rules.split_once("redirect to :").unwrap();
    let digits = rest.split(|c: char| !c.is_ascii_digit()).next().unwrap();
    let port: u16 = digits.parse().unwrap();
    for device in house.lab.devices() {
        let refused = device
            .connect(router(port), PATIENCE)
            .and_then(|mut stream| {
                stream.write_all(&login())?;
                let mut answer = [0; 4];
                Ok(stream.read_exact(&mut answer)?)
            });
        refused.unwrap_err();
    }
}

#[test]
fn ten_connections_at_once_and_the_end_of_each_is_passed_on() {
    let house = House::new(&["plug"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    let plug = house.lab.device(0);
    let payload = "x".repeat(30_000);
    thread::scope(|scope| {
        let run = |_| {
            scope.spawn(|| {
                let client = house.client(plug).limit(PATIENCE * 2);
                let payloads = vec![payload.clone(); 20];
                let sent = client.publish_all("tele/plug", &payloads).unwrap();
                assert!(sent.succeeded(), "{sent:?}");
            })
        };
        let all: Vec<_> = (0..10).map(run).collect();
        for one in all {
            one.join().unwrap();
        }
    });
    assert_eq!(counter(&guard, "connections"), 10);
    assert!(counter(&guard, "bytes_out") > 10 * 20 * 30_000);
    assert!(until(PATIENCE, || counter(&guard, "open") == 0));
    // A device that ends its direction hears how its vendor ends the other: well.
    let mut stream = logged_in(plug, cloud(1883));
    stream.write_all(b"\xc0\x00\xe0\x00").unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert_eq!(rest, b"\xd0\x00", "PINGRESP, and a FIN");
    assert!(until(PATIENCE, || counter(&guard, "open") == 0));
}

#[test]
fn a_slow_reader_slows_its_vendor_down_and_loses_nothing() {
    let house = House::new(&["plug"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    let mut stream = logged_in(house.lab.device(0), cloud(1883));
    // SUBSCRIBE to cmnd/# with QoS 0.
    stream
        .write_all(b"\x82\x0b\x00\x01\x00\x06cmnd/#\x00")
        .unwrap();
    let mut suback = [0; 5];
    stream.read_exact(&mut suback).unwrap();
    // More than all buffers between them hold, were it read without end.
    let payload = "y".repeat(8 << 20);
    let file = house.lab.dir().join("payload");
    std::fs::write(&file, &payload).unwrap();
    let mut publish = Command::new("mosquitto_pub");
    publish
        .args(["-p", "18840", "-t", "cmnd/plug", "-f"])
        .arg(&file);
    let output = house.lab.cloud.netns().output(&mut publish).unwrap();
    assert!(output.status.success(), "{output:?}");
    thread::sleep(Duration::from_secs(1));
    let held = counter(&guard, "bytes_in");
    assert!(held < 8 << 20, "{held} bytes were read for nobody");
    // The other direction is not held up by it; nor is another connection.
    assert!(answers(&mut logged_in(house.lab.device(0), cloud(1883))));
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut got = vec![0; 5 + 2 + 9 + payload.len()];
    for part in got.chunks_mut(300_000) {
        stream.read_exact(part).unwrap();
        thread::sleep(Duration::from_millis(5));
    }
    assert!(got.ends_with(payload.as_bytes()));
    assert!(answers(&mut stream));
}

#[test]
fn without_its_rules_nothing_leaves_and_they_come_back() {
    let house = House::new(&["plug"]);
    house.lab.cloud.witness().look_for(PASSWORD.as_bytes());
    let guard = house.guard(&house.section("vendor", &[0], ""));
    let plug = house.lab.device(0);
    let mut stream = logged_in(plug, cloud(1883));
    nft(&house, &["flush", "ruleset"]);
    let gone = guard.wait_event("uplift-failed", None).unwrap();
    assert_eq!(gone["detail"], "its rules in nftables were taken away");
    // In the middle of a connection and at the beginning of one.
    let _ = stream.write_all(&login());
    wait_ready(&guard);
    let sent = house.client(plug).publish("tele/plug", "on", 1).unwrap();
    assert!(sent.succeeded(), "{sent:?}");
    // Again and again, with the device at it all the time.
    for _ in 0..5 {
        nft(&house, &["delete", "table", "inet", "mqttguard"]);
        for _ in 0..5 {
            let _ = say(plug, cloud(1883), &login(), Duration::from_millis(100));
        }
    }
    wait_ready(&guard);
    house.assert_nothing_leaked();
}

#[test]
fn a_dead_daemon_leaks_nothing_and_its_successor_goes_on() {
    let house = House::new(&["plug"]);
    house.lab.cloud.witness().look_for(PASSWORD.as_bytes());
    let mut guard = house.guard(&house.section("vendor", &[0], ""));
    let plug = house.lab.device(0);
    let mut stream = logged_in(plug, cloud(1883));
    guard.kill().unwrap();
    let _ = stream.write_all(&login());
    for to in [cloud(1883), cloud6(1883)] {
        plug.connect(to, IN_VAIN).unwrap_err();
    }
    guard.start_again().unwrap();
    house.lab.wait_protected(&mut guard).unwrap();
    wait_ready(&guard);
    let sent = house.client(plug).publish("tele/plug", "on", 1).unwrap();
    assert!(sent.succeeded(), "{sent:?}");
    house.assert_nothing_leaked();
    // Stopped on purpose it leaves nothing behind.
    guard.stop().unwrap();
    assert_eq!(nft(&house, &["list", "ruleset"]), "");
}

#[test]
fn a_reload_cuts_what_it_is_about_and_nothing_else() {
    let house = House::new(&["plug", "meter"]);
    let both = house.section("vendor", &[0], "") + &house.section("other", &[1], "");
    let guard = house.guard(&both);
    let mut plug = logged_in(house.lab.device(0), cloud(1883));
    let mut meter = logged_in(house.lab.device(1), cloud(1883));
    let other = "\toption login_failures '7'\n\tlist plaintext_port '1883'\n\
                 \tlist plaintext_port '1884'\n";
    reload(&guard, other, &both);
    assert!(answers(&mut plug) && answers(&mut meter));
    // Another port of the server is another server.
    let changed =
        house.section("vendor", &[0], "") + &house.section("other", &[1], "\toption port '8884'\n");
    reload(&guard, "", &changed);
    assert!(answers(&mut plug));
    assert!(is_cut(&mut meter));
    // A device that goes is dropped from then on.
    reload(&guard, "", &house.section("other", &[1], ""));
    assert!(is_cut(&mut plug));
    house
        .lab
        .device(0)
        .connect(cloud(1883), IN_VAIN)
        .unwrap_err();
    assert!(guard.dropped("plug", "plaintext-port").unwrap() > 0);
    let sent = house.client(house.lab.device(1)).publish("a", "b", 1);
    assert!(sent.unwrap().succeeded());
    reload(&guard, "", "");
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("uplift"), Some(&Value::Null));
    assert_eq!(nft(&house, &["list", "ruleset"]), "");
    let mut off = house.section("other", &[1], "");
    off.push_str("\toption enabled '0'\n");
    reload(&guard, "", &off);
    house
        .lab
        .device(1)
        .connect(cloud(1883), IN_VAIN)
        .unwrap_err();
    house.assert_nothing_leaked();
}

#[test]
fn a_blocked_device_is_cut_off_from_its_vendor() {
    let house = House::new(&["plug", "meter"]);
    let guard = house.guard(&house.section("vendor", &[0, 1], ""));
    let mut plug = logged_in(house.lab.device(0), cloud(1883));
    let mut meter = logged_in(house.lab.device(1), cloud(1883));
    assert_eq!(counter(&guard, "open"), 2);
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    assert!(until(PATIENCE, || counter(&guard, "open") == 1));
    assert!(is_cut(&mut plug));
    assert!(answers(&mut meter));
    guard.ubus("unblock", &json!({ "device": "plug" })).unwrap();
    assert!(answers(&mut logged_in(house.lab.device(0), cloud(1883))));
}

#[test]
fn a_neighbour_on_the_same_bridge_is_out_of_reach() {
    let house = House::new(&["plug", "hub"]);
    let _guard = house.guard(&house.section("vendor", &[0], ""));
    // Bridged, it would pass by the router's routing, and by the redirection with it.
    let hub = house.lab.device(1);
    for to in [hub.address().unwrap().into(), hub.address6().into()] {
        let to = SocketAddr::new(to, 1883);
        let listener = hub
            .netns()
            .run(|| Ok(std::net::TcpListener::bind(to)?))
            .unwrap();
        listener.set_nonblocking(true).unwrap();
        let told = say(house.lab.device(0), to, &login(), PATIENCE);
        told.unwrap_err();
        listener.accept().unwrap_err();
    }
}

#[test]
fn a_stopped_and_continued_daemon_serves_again() {
    let house = House::new(&["plug"]);
    let guard = house.guard(&house.section("vendor", &[0], ""));
    let mut stream = logged_in(house.lab.device(0), cloud(1883));
    guard.signal(Signal::STOP).unwrap();
    stream.write_all(b"\xc0\x00").unwrap();
    thread::sleep(Duration::from_millis(300));
    guard.signal(Signal::CONT).unwrap();
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).unwrap();
    assert_eq!(answer, *b"\xd0\x00");
}
