//! An ACL file grants in a real mosquitto what the profiles made of it grant here.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

use mqttguard_common::Mac;

use super::{acl, profiles};
use crate::broker::login::grants::{Names, expand};
use crate::config;

const ACL: &str = "topic read public\nuser alice\ntopic lamp/#\ntopic deny lamp/secret\n\
    topic read my lamp/+\ntopic write 100%/x\nuser bob\ntopic read lamp/+\ntopic deny lamp/y\n\
    topic readwrite a/+/c\npattern write up/%u\npattern read by/%c\npattern readwrite d/%u/#\n\
    pattern read it's %d/#\n";

const TOPICS: [&str; 20] = [
    "public",
    "lamp",
    "lamp/x",
    "lamp/y",
    "lamp/secret",
    "lamp/secret/deep",
    "my lamp/state",
    "my lamp/state/more",
    "100%/x",
    "100%%/x",
    "a/b/c",
    "a/b/c/d",
    "up/alice",
    "up/bob",
    "by/id-alice",
    "by/id-bob",
    "d/alice",
    "d/bob/x/y",
    "it's %d/x",
    "it's lamp/x",
];
const USERS: [&str; 3] = ["alice", "bob", "carol"];

struct Broker(Child);

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn client(program: &str, port: u16, username: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-V", "311"])
        .args(["-u", username, "-P", "x", "-q", "1"])
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// mosquitto with this ACL, an observer who reads everything and a speaker who writes everything.
fn start(dir: &Path) -> (Broker, u16) {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = free.local_addr().unwrap().port();
    drop(free);
    let [passwords, acl, conf] = ["passwd", "acl", "conf"].map(|name| dir.join(name));
    std::fs::write(&passwords, "").unwrap();
    for username in USERS.iter().chain(&["observer", "speaker"]) {
        let made = Command::new("mosquitto_passwd")
            .arg("-b")
            .arg(&passwords)
            .args([*username, "x"])
            .status();
        assert!(made.unwrap().success());
    }
    let all = format!("{ACL}user observer\ntopic read #\nuser speaker\ntopic write #\n");
    std::fs::write(&acl, all).unwrap();
    let lines = format!(
        "user root\nlistener {port} 127.0.0.1\npassword_file {}\nacl_file {}\n",
        passwords.display(),
        acl.display()
    );
    std::fs::write(&conf, lines).unwrap();
    let mosquitto = Command::new("mosquitto")
        .arg("-c")
        .arg(&conf)
        .stderr(Stdio::null())
        .spawn();
    let broker = Broker(mosquitto.expect("Debian's mosquitto"));
    let address = (std::net::Ipv4Addr::LOCALHOST, port);
    let is_up = || std::net::TcpStream::connect(address).is_ok();
    assert!((0..100).any(|_| {
        sleep(Duration::from_millis(50));
        is_up()
    }));
    (broker, port)
}

/// Who reads what by whom until the speaker says `end`.
fn reader(port: u16, username: &str) -> Child {
    client("mosquitto_sub", port, username)
        .args([
            "-i",
            &format!("id-{username}"),
            "-t",
            "#",
            "-F",
            "%p %t",
            "-W",
            "6",
        ])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn publish(port: u16, username: &str, topic: &str) {
    let done = client("mosquitto_pub", port, username)
        .args(["-t", topic, "-m", username])
        .status();
    assert!(done.unwrap().success(), "{username} {topic}");
}

#[test]
fn what_mosquitto_lets_a_user_do_the_profile_lets_it_do_and_no_more() {
    let dir = tempfile::tempdir().unwrap();
    let (_broker, port) = start(dir.path());
    let readers: Vec<Child> = USERS
        .iter()
        .chain(&["observer"])
        .map(|name| reader(port, name))
        .collect();
    sleep(Duration::from_millis(700));
    for topic in TOPICS {
        publish(port, "speaker", topic);
        USERS
            .iter()
            .for_each(|username| publish(port, username, topic));
    }
    // Of each reader: payload, which is who published, and topic.
    let seen: Vec<BTreeSet<(String, String)>> = readers
        .into_iter()
        .map(|reader| {
            let output = reader.wait_with_output().unwrap();
            let text = String::from_utf8(output.stdout).unwrap();
            let lines = text.lines().filter_map(|line| line.split_once(' '));
            lines
                .map(|(who, topic)| (who.to_owned(), topic.to_owned()))
                .collect()
        })
        .collect();
    let proposal = profiles::propose(&acl::read(ACL).unwrap(), &USERS);
    let settings = config::parse("proposal", &proposal.uci).unwrap();
    let observed = &seen[USERS.len()];
    assert!(
        TOPICS
            .iter()
            .all(|topic| observed.contains(&("speaker".into(), (*topic).into())))
    );
    let mut granted = 0;
    for (username, read) in USERS.iter().zip(&seen) {
        let grants = expand(
            &settings.profiles[&proposal.of[*username]],
            Names {
                device: "device-of-it",
                username,
                client_id: &format!("id-{username}"),
                mac: Mac([2, 0, 0, 0, 0, 1]),
            },
        );
        for topic in TOPICS {
            let there = observed.contains(&((*username).into(), topic.into()));
            assert_eq!(
                grants.may_publish(topic),
                there,
                "{username} writes {topic}"
            );
            let there = read.contains(&("speaker".into(), topic.into()));
            assert_eq!(
                grants.allows_filter(topic),
                there,
                "{username} reads {topic}"
            );
            granted += usize::from(there);
        }
    }
    assert!(granted > 10, "{granted}");
}
