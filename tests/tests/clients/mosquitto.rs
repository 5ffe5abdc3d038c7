//! mosquitto_pub and mosquitto_sub.

use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use mqttguard_lab::{tools, until};
use mqttguard_tests::mqtt::packet::{Publish, Version};
use mqttguard_tests::mqtt::{Client, open_broker};

use super::another_ca;

/// How long one of them may take.
const PATIENCE: Duration = Duration::from_secs(30);
const VERSIONS: [&str; 2] = ["mqttv311", "mqttv5"];

fn start(program: &str, ca: &Path, version: &str, arguments: &[&str]) -> Child {
    Command::new(tools::system(program).unwrap())
        .args([
            "-h",
            "localhost",
            "-p",
            &open_broker().tls.port().to_string(),
        ])
        .arg("--cafile")
        .arg(ca)
        .args(["-V", version])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(mut child: Child) -> Output {
    if !until(PATIENCE, || child.try_wait().unwrap().is_some()) {
        child.kill().unwrap();
    }
    child.wait_with_output().unwrap()
}

fn publish(version: &str, arguments: &[&str]) {
    let output = finish(start(
        "mosquitto_pub",
        &open_broker().ca_file(),
        version,
        arguments,
    ));
    assert!(output.status.success(), "{output:?}");
}

/// A subscriber that waits for one message.
struct Subscriber(Child);

impl Subscriber {
    fn start(version: &str, topic: &str, arguments: &[&str]) -> Self {
        let format = ["-C", "1", "-F", "%t %q %r %p", "-t", topic];
        let all = [&format[..], arguments].concat();
        Self(start(
            "mosquitto_sub",
            &open_broker().ca_file(),
            version,
            &all,
        ))
    }

    #[track_caller]
    fn said(self, expected: &str) {
        let output = finish(self.0);
        assert_eq!(
            String::from_utf8_lossy(&output.stdout).trim(),
            expected,
            "{output:?}"
        );
        assert!(output.status.success(), "{output:?}");
    }
}

/// MQTT 5 tells a publisher whether anybody has subscribed.
fn until_subscribed(witness: &mut Client, topic: &str) {
    let there = || witness.publish(Publish::new(topic, "").retain(), 1) != 0x10;
    assert!(until(PATIENCE, there), "nobody subscribes to {topic}");
}

#[test]
fn mosquitto_pub_and_mosquitto_sub() {
    let mut witness = open_broker().client(Version::V5, "mosquitto-witness");
    for version in VERSIONS {
        for qos in ["0", "1", "2"] {
            // One waits for what mosquitto_pub says, the other shows when that may be said.
            let topic = format!("{version}/qos{qos}");
            let id = format!("{version}-{qos}");
            let lasting: &[&str] = match version {
                "mqttv5" => &["-c", "-x", "60"],
                _ => &["-c"],
            };
            // A session with that subscription, and nobody there: -E leaves after the SUBACK.
            let made = [&["-E", "-i", &id, "-q", qos, "-t", &topic], lasting].concat();
            let ca = open_broker().ca_file();
            let output = finish(start("mosquitto_sub", &ca, version, &made));
            assert!(output.status.success(), "{output:?}");
            let payload = format!("hello {qos}");
            if qos == "0" {
                // Not kept for a session that is away: it has to be there.
                let live = Subscriber::start(version, &topic, &["-q", qos, "-i", &id]);
                until_connected(&mut witness, &topic, live, &payload, version);
                continue;
            }
            publish(version, &["-t", &topic, "-q", qos, "-m", &payload]);
            // The session comes back, and gets what it missed.
            let arguments = [&["-q", qos, "-i", &id][..], lasting].concat();
            let back = Subscriber::start(version, &topic, &arguments);
            back.said(&format!("{topic} {qos} 0 {payload}"));
        }
    }
}

/// Publishes until the subscriber, which may still be on its way, has one and ends.
fn until_connected(
    witness: &mut Client,
    topic: &str,
    mut live: Subscriber,
    payload: &str,
    version: &str,
) {
    let _ = witness.ping();
    let done = until(PATIENCE, || {
        publish(version, &["-t", topic, "-q", "0", "-m", payload]);
        live.0.try_wait().unwrap().is_some()
    });
    assert!(done, "nothing came on {topic}");
    live.said(&format!("{topic} 0 0 {payload}"));
}

#[test]
fn retained_messages() {
    for version in VERSIONS {
        let topic = format!("{version}/kept");
        publish(version, &["-t", &topic, "-q", "1", "-r", "-m", "kept"]);
        Subscriber::start(version, &topic, &["-q", "1"]).said(&format!("{topic} 1 1 kept"));
    }
}

#[test]
fn wills() {
    let mut witness = open_broker().client(Version::V5, "mosquitto-will-witness");
    for version in VERSIONS {
        let (topic, other) = (format!("{version}/will"), format!("{version}/none"));
        witness.subscribe(&topic, 1);
        // It must not leave by itself with its first message.
        let will = [
            "-C",
            "1000",
            "--will-topic",
            &topic,
            "--will-payload",
            "gone",
            "--will-qos",
            "1",
        ];
        let mut mortal = Subscriber::start(version, &other, &will);
        until_subscribed(&mut witness, &other);
        mortal.0.kill().unwrap();
        mortal.0.wait().unwrap();
        let delivery = witness.receive();
        assert_eq!(
            (delivery.brief(), delivery.qos),
            ((&topic[..], &b"gone"[..]), 1)
        );
    }
}

#[test]
fn another_ca_is_not_believed() {
    let (_other, ca) = another_ca();
    for version in VERSIONS {
        let output = finish(start(
            "mosquitto_pub",
            &ca,
            version,
            &["-t", "t", "-m", "x"],
        ));
        assert!(!output.status.success(), "{output:?}");
        let complaint = String::from_utf8_lossy(&output.stderr);
        assert!(
            complaint.contains("certificate") || complaint.contains("TLS"),
            "{complaint}"
        );
    }
}
