//! The broker as a process that is killed (SIGKILL), with real clients: what it has acknowledged
//! is there when it is started again.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

mod killed;
mod publisher;

use std::collections::BTreeMap;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use killed::Broker;
use mqttguard_lab::tools;
use publisher::Publisher;

const PATIENCE: &str = "5";

/// mosquitto's client, with what all have.
fn mosquitto(program: &str, broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(tools::system(program).unwrap());
    command.args(["-h", "127.0.0.1", "-p", &broker.port().to_string()]);
    command.args(arguments);
    command
}

fn run(program: &str, broker: &Broker, arguments: &[&str]) -> Output {
    mosquitto(program, broker, arguments).output().unwrap()
}

fn publish(broker: &Broker, arguments: &[&str]) {
    let output = run("mosquitto_pub", broker, arguments);
    assert!(output.status.success(), "{output:?}");
}

fn lines(output: &Output) -> Vec<String> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(str::to_owned).collect()
}

/// What a session of `mosquitto_sub` gets until it has `count` messages.
fn fetch(broker: &Broker, client_id: &str, count: usize) -> Vec<String> {
    let count = count.to_string();
    let arguments = [
        "-i", client_id, "-c", "-q", "2", "-t", "t/#", "-v", "-C", &count, "-W", PATIENCE,
    ];
    lines(&run("mosquitto_sub", broker, &arguments))
}

/// Leaves a session behind that is subscribed.
fn leave_session(broker: &Broker, client_id: &str) {
    let arguments = ["-i", client_id, "-c", "-q", "2", "-t", "t/#", "-E"];
    let output = run("mosquitto_sub", broker, &arguments);
    assert!(output.status.success(), "{output:?}");
}

fn offline_and_retained(disk: bool) {
    let mut broker = Broker::start(disk);
    leave_session(&broker, "away");
    let mut sent = Vec::new();
    for n in 0..20 {
        let (topic, payload, qos) = (format!("t/{n}"), n.to_string(), (n % 2 + 1).to_string());
        publish(&broker, &["-t", &topic, "-m", &payload, "-q", &qos]);
        sent.push(format!("t/{n} {n}"));
        if n % 7 == 0 {
            broker.kill();
            broker.start_again();
        }
    }
    publish(&broker, &["-t", "r/1", "-m", "old", "-q", "1", "-r"]);
    publish(&broker, &["-t", "r/1", "-m", "new", "-q", "1", "-r"]);
    publish(&broker, &["-t", "r/2", "-m", "gone", "-q", "1", "-r"]);
    publish(&broker, &["-t", "r/2", "-n", "-q", "1", "-r"]);
    broker.kill();
    broker.start_again();
    let mut got = fetch(&broker, "away", sent.len());
    // A client of QoS 2 shows a message when it is released, one of QoS 1 when it comes.
    got.sort();
    sent.sort();
    assert_eq!(got, sent);
    broker.kill();
    broker.start_again();
    // Each came once.
    let again = ["-i", "away", "-c", "-q", "2", "-t", "t/#", "-W", "1"];
    assert_eq!(lines(&run("mosquitto_sub", &broker, &again)), [""; 0]);
    let retained = ["-t", "r/#", "-v", "-W", "1"];
    assert_eq!(
        lines(&run("mosquitto_sub", &broker, &retained)),
        ["r/1 new"]
    );
}

#[test]
fn messages_for_an_absent_session_and_retained_ones_outlive_kills() {
    offline_and_retained(false);
}

#[test]
fn so_they_do_on_a_disk() {
    offline_and_retained(true);
}

/// Both ends hold sessions and come back by themselves after each kill.
fn exactly_once(disk: bool) {
    const MESSAGES: usize = 3000;
    const KILLS: u32 = 6;
    let mut broker = Broker::start(disk);
    let count = MESSAGES.to_string();
    let arguments = [
        "-i", "sub", "-c", "-q", "2", "-t", "t/#", "-C", &count, "-W", "60",
    ];
    let subscriber = mosquitto("mosquitto_sub", &broker, &arguments)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    broker.wait_for("t/#");
    let publisher = Publisher::start(broker.address(), MESSAGES);
    for kill in 0..KILLS {
        std::thread::sleep(Duration::from_millis(150 + 130 * u64::from(kill)));
        broker.kill();
        broker.start_again();
        // The subscriber is back a second after it has lost its connection.
        std::thread::sleep(Duration::from_millis(900));
        publisher.go_on(MESSAGES * (kill as usize + 1) / KILLS as usize);
    }
    let reconnects = publisher.finish();
    let output = subscriber.wait_with_output().unwrap();
    let got = lines(&output);
    let mut counts = BTreeMap::new();
    for line in &got {
        *counts.entry(line.parse::<usize>().unwrap()).or_insert(0) += 1;
    }
    let doubles: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubles.is_empty(), "came more than once: {doubles:?}");
    let missing: Vec<usize> = (0..MESSAGES).filter(|n| !counts.contains_key(n)).collect();
    assert!(missing.is_empty(), "never came: {missing:?}");
    assert!(got.is_sorted_by_key(|line| line.parse::<usize>().unwrap()));
    assert!(
        reconnects >= KILLS / 2,
        "only {reconnects} connections broke"
    );
}

#[test]
fn qos_2_is_exactly_once_through_kills_in_mid_traffic() {
    exactly_once(false);
}

#[test]
fn so_it_is_on_a_disk() {
    exactly_once(true);
}

#[test]
fn the_will_of_a_client_that_a_crash_cut_off_waits_for_it_to_come_back() {
    let mut broker = Broker::start(false);
    leave_session(&broker, "away");
    let arguments = [
        "-i",
        "device",
        "-t",
        "none",
        "-q",
        "0",
        "--will-topic",
        "t/device",
        "--will-payload",
        "offline",
        "--will-qos",
        "1",
    ];
    let mut device = mosquitto("mosquitto_sub", &broker, &arguments)
        .spawn()
        .unwrap();
    broker.wait_for("t/device");
    broker.kill();
    broker.start_again();
    // It reconnects a second later, which is no reason to call it offline.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(fetch_now(&broker), [""; 0]);
    device.kill().unwrap();
    device.wait().unwrap();
    // Now it is.
    assert_eq!(fetch(&broker, "away", 1), ["t/device offline"]);
}

fn fetch_now(broker: &Broker) -> Vec<String> {
    let arguments = ["-i", "away", "-c", "-q", "2", "-t", "t/#", "-v", "-W", "1"];
    lines(&run("mosquitto_sub", broker, &arguments))
}
