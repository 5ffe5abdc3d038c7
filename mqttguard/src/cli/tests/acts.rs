//! What is done, and what is told of it.

use std::fs;

use serde_json::{Value, json};

use super::answers::{answer, certificates};
use super::bus::Bus;
use crate::cli::Failure;
use crate::ubus::{MethodError, Status};

#[test]
fn enrol_keeps_the_password_out_of_command_lines() {
    let bus = Bus::start();
    let (_object, calls) = bus.serve(answer);
    let text = bus.prints(&["enrol", "--profile", "sensor", "plug", "--username=p1"]);
    assert_eq!(
        calls.try_iter().last().unwrap().1,
        json!({ "device": "plug", "profile": "sensor", "username": "p1" })
    );
    let with_password: Vec<&str> = text
        .lines()
        .filter(|line| line.contains("correct-horse"))
        .collect();
    assert_eq!(
        with_password,
        ["  password    correct-horse", "  -P correct-horse"]
    );
    for line in [
        "  server      openwrt.lan (192.168.1.1)",
        "  scp -O root@192.168.1.1:/etc/mqttguard/ca.crt .",
        "  mosquitto_pub -h openwrt.lan -p 8883 --cafile ca.crt -t plug/test -m hello",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
}

#[test]
fn enrol_tells_what_has_ended_and_what_is_in_the_way() {
    let bus = Bus::start();
    let (_object, _calls) = bus.serve(answer);
    let text = bus.prints(&["enrol", "plug"]);
    let ended = "The credential that it had, 'old-plug' and its 2 certificates, has ended";
    assert!(text.contains(ended), "{text}");
    assert!(
        text.contains("in quarantine: 'release' ends that"),
        "{text}"
    );
}

#[test]
fn the_ca_is_printed_to_be_kept_and_renewed_certificates_to_be_compared() {
    let bus = Bus::start();
    let (_object, _calls) = bus.serve(answer);
    assert_eq!(
        bus.prints(&["ca"]),
        certificates()["ca"]["pem"].as_str().unwrap()
    );
    let reply: Value = serde_json::from_str(&bus.prints(&["--json", "ca"])).unwrap();
    assert_eq!(reply, certificates());
    let text = bus.prints(&["renew"]);
    for line in [
        "The broker has new certificates, made out for openwrt.lan, 192.168.1.1:",
        "  ecdsa-p256, good until 2026-12-31 18:00:00Z",
        "    SHA-256 12:34",
        "  rsa-2048, good until -",
    ] {
        assert!(text.lines().any(|found| found == line), "{line}\n{text}");
    }
    let reply: Value = serde_json::from_str(&bus.prints(&["--json", "renew"])).unwrap();
    assert_eq!(reply, certificates());
}

#[test]
fn that_renewing_has_a_limit_is_told_in_the_daemons_words() {
    let bus = Bus::start();
    let (_object, _calls) = bus.serve(|_, _| {
        let why = "the certificates were made anew less than a minute ago, and once a minute is the limit";
        Err(MethodError::new(Status::NotSupported, why))
    });
    let refused = bus.run(&["renew"]).0.unwrap_err();
    assert!(
        matches!(&refused, Failure::Refused(why) if why.contains("once a minute is the limit")),
        "{refused:?}"
    );
}

#[test]
fn the_profiles_that_an_import_needs_can_be_copied() {
    let bus = Bus::start();
    let (_object, _calls) = bus.serve(answer);
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &str| {
        let path = dir.path().join(name);
        fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let hash = format!("$6$c2FsdHNhbHQ=${}==", "A".repeat(86));
    let passwords = file("passwd", &format!("plug:{hash}\nlamp:{hash}\n"));
    let acl = file("acl", "user lamp\ntopic read it's/#\n");
    let text = bus.prints(&["import", "--passwords", &passwords, "--acl", &acl]);
    let sections = text.split_once("alone):\n").unwrap().1;
    let sections = sections.split_once("\n\nUnlike").unwrap().0;
    let settings = crate::config::parse("shown", sections).unwrap();
    assert_eq!(settings.profiles["acl_lamp"].subscribe, ["it's/#"]);
    assert!(
        text.contains("02:c1:1e:17:00:01, has come: stays as it is"),
        "{text}"
    );
    assert!(!text.contains("AAAA"), "{text}");
}

#[test]
fn block_and_unblock_tell_the_new_state() {
    let bus = Bus::start();
    let (_object, calls) = bus.serve(answer);
    let text = bus.prints(&["block", "plug", "--why", "too loud"]);
    assert_eq!(text, "plug (02:c1:1e:17:00:01) is blocked.\n");
    let expected = json!({ "device": "plug", "why": "too loud" });
    assert_eq!(calls.try_iter().last().unwrap().1, expected);
    let text = bus.prints(&["unblock", "02:c1:1e:17:00:01"]);
    assert_eq!(
        text,
        "plug (02:c1:1e:17:00:01) is enrolled.\n\
         Warning: in force, but lost at the next restart: disk full\n"
    );
}

#[test]
fn allow_and_disallow_say_what_they_did() {
    let bus = Bus::start();
    let (_object, calls) = bus.serve(answer);
    let wish = [
        "allow",
        "plug",
        "--to",
        "203.0.113.9",
        "--port",
        "1883",
        "--for",
        "90m",
    ];
    assert_eq!(
        bus.prints(&wish),
        "plug (02:c1:1e:17:00:01) may send unencrypted MQTT to 203.0.113.9/32, port 1883 until \
         2026-12-31 18:00:00Z.\n"
    );
    assert_eq!(
        bus.prints(&["disallow", "plug", "--port", "1883"]),
        "plug (02:c1:1e:17:00:01) lost 2 of its exceptions.\n"
    );
    let calls: Vec<(String, Value)> = calls.try_iter().collect();
    assert_eq!(
        calls,
        [
            (
                "allow".to_owned(),
                json!({ "device": "plug", "destination": "203.0.113.9", "port": 1883, "for": 5400 })
            ),
            (
                "disallow".to_owned(),
                json!({ "device": "plug", "port": 1883 })
            ),
        ]
    );
    for (wrong, words) in [
        (vec!["allow", "plug"], "--for: found nothing"),
        (vec!["allow", "plug", "--for", "1"], "--for: found '1'"),
        (vec!["allow", "plug", "--for", "31d"], "from 1m to 30d"),
        (
            vec!["allow", "plug", "--for", "1h", "--port", "x"],
            "--port: found 'x'",
        ),
        (
            vec!["block", "plug", "--for", "1h"],
            "block has no option --for",
        ),
    ] {
        match bus.run(&wrong) {
            (Err(Failure::Usage(message)), _) => assert!(message.contains(words), "{message}"),
            other => panic!("{wrong:?}: {other:?}"),
        }
    }
}
