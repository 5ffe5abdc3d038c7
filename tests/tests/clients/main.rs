//! Clients that others have written, over TLS, with MQTT 3.1.1 and 5.0: mosquitto's from Debian,
//! paho-mqtt, rumqttc and mqtt.js from their registries. `cargo xtask setup` installs
//! them.
//!
//! Each is a program in `clients/` that goes through the steps below and says so; mosquitto's are
//! driven from here.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "a test that cannot be set up has failed"
)]

mod mosquitto;

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mqttguard_lab::{tools, until};
use mqttguard_tests::mqtt::{Broker, open_broker};

/// What every client goes through: it believes no other CA; takes and gives every QoS; a retained
/// message, a will, and what it missed while its session was without it.
const STEPS: [&str; 7] = [
    "ok another CA",
    "ok qos 0",
    "ok qos 1",
    "ok qos 2",
    "ok retained",
    "ok will",
    "ok session",
];
/// How long all of that may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The levels of MQTT 3.1.1 and 5.0.
const LEVELS: [&str; 2] = ["4", "5"];

/// The certificate of a CA that has nothing to do with the broker.
fn another_ca() -> (Broker, PathBuf) {
    let other = Broker::start();
    let ca = other.ca_file();
    (other, ca)
}

/// Runs a program through the steps, once with each version.
fn goes_through(command: impl Fn() -> Command) {
    let broker = open_broker();
    let (_other, wrong_ca) = another_ca();
    for level in LEVELS {
        let mut command = command();
        let mut child = command
            .arg(broker.tls.port().to_string())
            .args([broker.ca_file(), wrong_ca.clone()])
            .arg(level)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        if !until(PATIENCE, || child.try_wait().unwrap().is_some()) {
            child.kill().unwrap();
        }
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout);
        let complaint = String::from_utf8_lossy(&output.stderr);
        let steps: Vec<_> = said.lines().collect();
        assert_eq!(steps, STEPS, "MQTT level {level}: {complaint}");
        assert!(output.status.success(), "MQTT level {level}: {complaint}");
    }
}

/// A file of `clients/`.
fn client(file: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "clients", file]
        .iter()
        .collect()
}

/// What `cargo xtask setup` has put below the directory of tools.
fn installed(path: &str) -> PathBuf {
    let found = tools::tools_dir().unwrap().join(path);
    assert!(
        found.exists(),
        "{} is missing: run `cargo xtask setup`",
        found.display()
    );
    found
}

#[test]
fn paho() {
    goes_through(|| {
        let mut python = Command::new(installed("python/bin/python"));
        python.arg(client("paho_client.py"));
        python
    });
}

#[test]
fn mqtt_js() {
    goes_through(|| {
        let mut node = Command::new(tools::system("node").unwrap());
        node.env("NODE_PATH", installed("mqttjs/node_modules"));
        node.arg(client("mqttjs_client.js"));
        node
    });
}

#[test]
fn rumqttc() {
    goes_through(|| Command::new(installed("build/debug/rumqttc-client")));
}
