use std::io::Write as _;
use std::process::{Command, Stdio};

use super::*;

const CA: &str = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n";

fn target() -> Target<'static> {
    Target {
        name: "kettle",
        server: "openwrt.lan",
        tls: Some(8883),
        island: None,
        plaintext: false,
        mac: Mac([2, 0xc1, 0x1e, 0x17, 0, 1]),
        username: "kettle",
        password: "s3cret",
        ca: CA,
        keys: &[],
    }
}

fn first(firmware: Firmware, target: &Target<'_>) -> Snippet {
    snippets(Some(firmware), target).remove(0)
}

#[test]
fn tasmota_takes_a_backlog() {
    let keys = ["AA 01".to_owned(), "BB 02".to_owned()];
    let known = Target {
        keys: &keys,
        ..target()
    };
    assert_eq!(
        first(Firmware::Tasmota, &known).text,
        "Backlog0 SetOption3 1; SetOption103 1; SetOption132 1; MqttFingerprint1 AA 01; MqttFingerprint2 BB \
         02; MqttUser kettle; MqttPassword s3cret; Topic kettle; MqttPort 8883; MqttHost openwrt.lan"
    );
    let hostile = Target {
        name: "x; Reset 1",
        ..target()
    };
    let snippet = first(Firmware::Tasmota, &hostile);
    assert!(
        snippet.text.contains("Topic x Reset 1; MqttPort"),
        "{snippet:?}"
    );
    // A slot of zeros would take any key, for good if both are: an unknown key is nobody's.
    assert_eq!(
        snippet.text.matches("DA 39 A3 EE").count(),
        2,
        "{snippet:?}"
    );
    assert!(snippet.notes.contains(&SnippetNote::NoRsaKey));
}

#[test]
fn openbeken_takes_a_form() {
    assert_eq!(
        first(Firmware::OpenBeken, &target()).text,
        "http://DEVICE/cfg_mqtt_set?host=openwrt.lan&port=8883&client=kettle&user=kettle&password=s3cret\
         &mqtt_use_tls=1&mqtt_verify_tls_cert=1&mqtt_cert_file=mqttguard.pem"
    );
}

#[test]
fn shelly_takes_json() {
    let odd = Target {
        password: "quo\"te\\ und Ümlaut",
        ..target()
    };
    let text = first(Firmware::ShellyGen2, &odd).text;
    let calls: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(calls.len(), 3);
    assert_eq!(calls[0]["params"]["data"], CA);
    let config = &calls[1]["params"]["config"];
    assert_eq!(config["server"], "openwrt.lan:8883");
    assert_eq!(config["pass"], odd.password);
    assert_eq!(config["topic_prefix"], "kettle");
    assert_eq!(config["ssl_ca"], "user_ca.pem");
}

/// What a YAML parser that is not ours reads, as JSON. None where there is no such parser.
fn read_yaml(text: &str) -> Option<Value> {
    let script = "import sys, json, yaml; print(json.dumps(yaml.safe_load(sys.stdin.buffer)))";
    let known = Command::new("python3").args(["-c", "import yaml"]).output();
    if !known.is_ok_and(|output| output.status.success()) {
        eprintln!("python3-yaml is not installed: YAML is not parsed");
        return None;
    }
    let mut python = Command::new("python3")
        .args(["-c", script])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python
        .stdin
        .take()
        .unwrap()
        .write_all(text.as_bytes())
        .unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success(), "{text}");
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

#[test]
fn yaml_is_read_by_others_as_it_was_meant() {
    let odd = Target {
        name: "yes",
        username: "0x10",
        password: "a: b # \"c\" \\ 'd' é",
        ..target()
    };
    let [esphome, zigbee, frigate] = [Firmware::EspHome, Firmware::Zigbee2Mqtt, Firmware::Frigate]
        .map(|firmware| first(firmware, &odd).text);
    assert!(esphome.starts_with("esphome:\n  name: \"yes\"\nmqtt:\n  broker: \"openwrt.lan\"\n"));
    let (Some(esphome), Some(zigbee), Some(frigate)) =
        (read_yaml(&esphome), read_yaml(&zigbee), read_yaml(&frigate))
    else {
        return;
    };
    assert_eq!(esphome["esphome"]["name"], "yes");
    assert_eq!(esphome["mqtt"]["certificate_authority"], CA);
    assert_eq!(zigbee["mqtt"]["server"], "mqtts://openwrt.lan:8883");
    assert_eq!(frigate["mqtt"]["port"], 8883);
    let users = [
        ("username", &esphome),
        ("user", &zigbee),
        ("user", &frigate),
    ];
    for (user, document) in users {
        assert_eq!(document["mqtt"][user], "0x10");
        assert_eq!(document["mqtt"]["password"], odd.password);
    }
}

#[test]
fn what_cannot_do_tls_is_told_of_the_island() {
    let [off] = &snippets(Some(Firmware::Wled), &target())[..] else {
        panic!();
    };
    assert!(
        off.text.is_empty() && off.notes[0] == SnippetNote::NoIsland,
        "{off:?}"
    );
    let on = Target {
        island: Some(1883),
        ..target()
    };
    let [wled] = &snippets(Some(Firmware::Wled), &on)[..] else {
        panic!();
    };
    assert!(
        wled.text.contains("Port: 1883\n") && wled.text.contains("wled/kettle"),
        "{wled:?}"
    );
    assert!(
        wled.notes.iter().any(|note| {
            matches!(note, SnippetNote::NotOnIsland(_))
                && note.to_string().contains("02:c1:1e:17:00:01")
        }),
        "{wled:?}"
    );
    let allowed = Target {
        plaintext: true,
        ..on
    };
    let both = snippets(Some(Firmware::Tasmota), &allowed);
    assert_eq!(both.len(), 2);
    assert!(both[1].text.contains("MqttPort 1883; ") && both[1].text.contains("SetOption103 0; "));
    let barred = |note: &SnippetNote| matches!(note, SnippetNote::NotOnIsland(_));
    assert!(!both[1].notes.iter().any(barred));
}

#[test]
fn every_firmware_gets_something_and_the_password_only_where_it_is_known() {
    for firmware in Firmware::ALL {
        let island = Target {
            island: Some(1883),
            ..target()
        };
        for snippet in snippets(Some(firmware), &island) {
            assert!(snippet.text.contains("s3cret"), "{firmware:?}: {snippet:?}");
        }
    }
    let unknown = snippets(None, &target());
    assert!(unknown[0].text.contains("-t 'kettle/test'"), "{unknown:?}");
    assert!(!unknown[0].text.contains("s3cret"));
}
