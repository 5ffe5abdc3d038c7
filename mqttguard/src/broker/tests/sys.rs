//! `$SYS/broker/...`, beside the mosquitto that the names come from.

use std::collections::BTreeSet;
use std::process::{Child, Command, Stdio};

use super::*;

/// A process that does not outlive its test.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What a subscriber of `$SYS/#` is sent in so many seconds, as topics and payloads.
fn read_sys(address: SocketAddr, seconds: u32, login: bool) -> Vec<(String, String)> {
    let mut command = Command::new("mosquitto_sub");
    command.args(["-h", &address.ip().to_string()]);
    command.args(["-p", &address.port().to_string()]);
    command.args(["-t", "$SYS/#", "-F", "%t\t%p", "-W", &seconds.to_string()]);
    if login {
        command.args(["-u", "plug", "-P", PASSWORD]);
    }
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .filter_map(|line| line.split_once('\t'))
        .map(|(topic, payload)| (topic.to_owned(), payload.to_owned()))
        .collect()
}

fn household_with_sys() -> Arc<Directory> {
    let mut plug = account("plug", LAMP);
    plug.plaintext = true;
    plug.profile = Arc::new(Profile {
        publish: vec!["#".into()],
        subscribe: vec!["$SYS/#".into()],
        ..Profile::default()
    });
    directory([plug, account("lamp", LAMP)])
}

#[test]
fn sys_topics_have_the_names_and_shapes_of_mosquittos() {
    let port = {
        let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        free.local_addr().unwrap()
    };
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("mosquitto.conf");
    let text = format!(
        "listener {} 127.0.0.1\nallow_anonymous true\nsys_interval 1\n",
        port.port()
    );
    std::fs::write(&config, text).unwrap();
    let mosquitto = Command::new("mosquitto")
        .arg("-c")
        .arg(&config)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let _mosquitto = Guard(mosquitto);
    let rig = Rig::with(household_with_sys(), bounds(10_000));
    rig.handle.set_sys_interval(Duration::from_secs(1));
    let end = Instant::now() + Duration::from_secs(5);
    while std::net::TcpStream::connect(port).is_err() {
        assert!(Instant::now() < end, "mosquitto does not listen");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (theirs, ours) = std::thread::scope(|scope| {
        let theirs = scope.spawn(|| read_sys(port, 4, false));
        let ours = read_sys(rig.plain, 4, true);
        (theirs.join().unwrap(), ours)
    });
    let names = |list: &[(String, String)]| -> BTreeSet<String> {
        list.iter().map(|(topic, _)| topic.clone()).collect()
    };
    assert!(names(&theirs).len() >= 50, "{theirs:?}");
    assert_eq!(names(&ours), names(&theirs));
    // Numbers where mosquitto has numbers.
    let shape = |payload: &str| -> String {
        let digits = payload.trim_start_matches(|c: char| c.is_ascii_digit());
        digits.replace(|c: char| c.is_ascii_digit(), "0")
    };
    let last = |list: &[(String, String)], name: &str| {
        let mut all = list.iter().rev();
        all.find(|(topic, _)| *topic == *name).unwrap().1.clone()
    };
    for name in names(&ours) {
        if !name.ends_with("version") {
            let (our, their) = (last(&ours, &name), last(&theirs, &name));
            assert_eq!(shape(&our), shape(&their), "{name}");
        }
    }
    // Again only what has changed.
    let told = |name: &str| {
        ours.iter()
            .filter(|(topic, _)| topic.ends_with(name))
            .count()
    };
    assert_eq!((told("/version"), told("clients/expired")), (1, 1));
    assert!(told("/uptime") >= 3, "{ours:?}");
    assert_eq!(last(&ours, "$SYS/broker/clients/connected"), "1");
    // And nothing at all once it is switched off.
    rig.handle.set_sys_interval(Duration::ZERO);
    assert_eq!(read_sys(rig.plain, 1, true), []);
}

#[test]
fn sys_topics_are_for_those_whose_profile_says_so_and_for_nobody_to_write() {
    let rig = Rig::with(household_with_sys(), bounds(10_000));
    rig.handle.set_sys_interval(Duration::from_secs(1));
    let mut lamp = rig.member("lamp", "l", true);
    assert_eq!(lamp.subscribe("$SYS/#"), 0x87);
    let mut plug = rig.plain_client(LAMP_IP, true);
    assert_eq!(plug.login("p", Some(("plug", PASSWORD))), 0);
    plug.publish("$SYS/broker/version", b"mine");
    rig.event(|event| match &event.kind {
        BrokerEventKind::TopicRefused { topic, .. } if topic == "$SYS/broker/version" => Some(()),
        _ => None,
    });
}
