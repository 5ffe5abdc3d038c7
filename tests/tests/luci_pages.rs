//! The LuCI views in houses that are not well, and in one that is large: see `tests/luci`.

use std::fmt::Write as _;
use std::io::{Read as _, Write as _};

use mqttguard_lab::traffic::plaintext_connect;
use mqttguard_lab::{Lab, Means, PLAIN_MQTT_PORT};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, cloud, enrol, guarded_with, router};
use mqttguard_tests::luci::{Luci, check, check_with};
use mqttguard_tests::mqtt::packet::{Connect, Version, packet, text};
use serde_json::json;

#[test]
fn the_pages_say_what_is_wrong_and_what_to_do() {
    let (lab, mut guard) = guarded_with(&["lamp"], "\toption mode 'monitor'\n", "");
    let luci = Luci::start(lab.router.bus().socket(), &guard.files().config).unwrap();
    let _ = plaintext_connect(lab.device(0), cloud(PLAIN_MQTT_PORT), PATIENCE);
    guard.wait_event("frame-would-drop", None).unwrap();
    check(&luci, &["watching"]).unwrap();
    assert_eq!(guard.ubus("status", &json!({})).unwrap()["mode"], "enforce");

    let mistake = guard.files().uci("\toption mode 'no-such-mode'\n", "");
    guard.write_config(&mistake).unwrap();
    assert_eq!(guard.ubus("reload", &json!({})).unwrap()["ok"], false);
    check(&luci, &["mistaken"]).unwrap();

    guard.stop().unwrap();
    check(&luci, &["stopped"]).unwrap();

    let well = guard.files().uci("", "");
    guard.write_config(&well).unwrap();
    let back = check_with(&luci, &["returning"], |order| match order.as_str() {
        Some("start") => guard.start_again(),
        _ => guard.stop().map(|_| ()),
    });
    back.unwrap_or_else(|error| panic!("{error:#}\n{}", guard.log()));
    guard.stop().unwrap();
    for (means, protection, page) in [
        (Means::NoBpf, "reduced", "reduced"),
        (Means::NoBpfNoNft, "none", "unguarded"),
    ] {
        guard.give(means);
        guard.start_again().unwrap();
        guard
            .wait_status(protection, |status| status["protection"] == protection)
            .unwrap();
        check(&luci, &[page]).unwrap();
        guard.stop().unwrap();
    }
}

/// Devices beside the one that is really there.
const NEIGHBOURS: u8 = 120;
/// Topics that it publishes to.
const TOPICS: u32 = 2000;

#[test]
fn a_hundred_devices_and_thousands_of_topics_are_shown() {
    let lab = Lab::new(&["tasmota-1A2B3C"]).unwrap();
    let device = lab.device(0);
    let sections = format!(
        "config listener 'plain'\n\toption kind 'plain'\n\toption port '1883'\n\toption enabled '1'\n\
         config device 'tasmota'\n\toption mac '{}'\n\toption plaintext '1'\n\toption profile 'talker'\n\
         config profile 'talker'\n\toption limits 'talking'\n\tlist publish 'many/#'\n\
         config limits 'talking'\n\toption messages_per_s '10000'\n\toption bytes_per_s '4M'\n",
        device.mac_text()
    );
    let guard = lab.start_guard("", &sections).unwrap();
    let neighbours = (1..=NEIGHBOURS).fold(String::new(), |mut commands, number| {
        let _ = writeln!(
            commands,
            "neigh replace {} lladdr {} dev br-lan nud reachable",
            neighbour_address(number),
            neighbour_mac(number)
        );
        commands
    });
    lab.router.netns().ip_batch(&neighbours).unwrap();
    guard
        .wait_status("all devices", |status| {
            status["devices"]["new"] == u32::from(NEIGHBOURS) + 1
        })
        .unwrap();
    for number in 1..=5 {
        let mac = neighbour_mac(number);
        guard.ubus("block", &json!({ "device": mac })).unwrap();
    }

    let credential = enrol(&guard, &device.mac_text());
    let mut stream = device.connect(router(PLAIN_MQTT_PORT), PATIENCE).unwrap();
    let connect =
        Connect::new(Version::V311, "talker").login(&credential.username, &credential.password);
    stream.write_all(&connect.bytes()).unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    let publishes: Vec<u8> = (0..TOPICS)
        .flat_map(|number| {
            let topic = format!("many/room{}/topic{number}", number % 20);
            packet(0x30, &[text(topic), b"21.5".to_vec()].concat())
        })
        .collect();
    let luci = Luci::start(lab.router.bus().socket(), &guard.files().config).unwrap();
    std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            // Values are kept while somebody looks: they are said again and again.
            while ended.recv_timeout(IN_VAIN * 2) == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
            {
                stream.write_all(&publishes).unwrap();
            }
        });
        let outcome = check(&luci, &["many"]);
        drop(done);
        outcome.unwrap();
    });
}

fn neighbour_mac(number: u8) -> String {
    format!("02:4e:00:00:00:{number:02x}")
}

fn neighbour_address(number: u8) -> String {
    format!("192.168.77.{}", number.saturating_add(100))
}
