//! Accounts from and to a real mosquitto, by the command line, with real devices.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use mqttguard_lab::{Credential, Guard, Lab, tools, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE, enrol, guarded};
use serde_json::{Value, json};

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What a command that succeeds prints.
fn prints(guard: &Guard, arguments: &[&str]) -> String {
    let output = guard.run(arguments).unwrap();
    let told = text(&output.stderr);
    assert!(
        output.status.success(),
        "{arguments:?}: {told}{}",
        text(&output.stdout)
    );
    text(&output.stdout)
}

/// What a command that does not complains of.
fn complains(guard: &Guard, arguments: &[&str]) -> String {
    let output = guard.run(arguments).unwrap();
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    text(&output.stderr) + &text(&output.stdout)
}

/// A password file as mosquitto_passwd writes it: user name, password, kind of hash.
fn password_file(path: &Path, accounts: &[(&str, &str, &str)]) {
    fs::write(path, "").unwrap();
    for (username, password, kind) in accounts {
        let written = Command::new(tools::system("mosquitto_passwd").unwrap())
            .args(["-H", kind, "-b"])
            .arg(path)
            .args([username, password])
            .output()
            .unwrap();
        assert!(written.status.success(), "{}", text(&written.stderr));
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// What a device that was set up for another broker is told: where to go, no more.
fn set_up(guard: &Guard, username: &str, password: &str) -> Credential {
    let status = guard.ubus("status", &json!({})).unwrap();
    let answer = json!({
        "username": username,
        "password": password,
        "ca_file": guard.files().data.join("ca.crt"),
        "address": mqttguard_lab::address::ROUTER.to_string(),
        "port": 8883,
    });
    assert!(status.get("broker").is_some());
    Credential::from_enrolment(&answer).unwrap()
}

fn waiting(guard: &Guard) -> Vec<Value> {
    let status = guard.ubus("status", &json!({})).unwrap();
    let waiting = status.get("import").and_then(Value::as_array);
    waiting.unwrap().clone()
}

/// Whether this login gets as far as publishing.
fn gets_in(lab: &Lab, device: usize, credential: &Credential, topic: &str) -> bool {
    let outcome = lab.device(device).client(credential).publish(topic, "1", 1);
    let outcome = outcome.unwrap();
    assert!(
        outcome.succeeded() || outcome.login_refused(),
        "{outcome:?}"
    );
    outcome.succeeded()
}

const ACL: &str = "# anybody\ntopic read public/#\nuser plug\ntopic readwrite plug/#\n\
    topic deny plug/secret\nuser lamp\ntopic write my lamp/#\nuser ha\ntopic #\n\
    pattern read to/%u\n";

#[test]
fn accounts_of_mosquitto_are_the_credentials_of_the_devices_that_show_them() {
    let (lab, mut guard) = guarded(&["plug", "lamp", "hub"]);
    let dir = tempfile::tempdir().unwrap();
    let (passwords, acl) = (dir.path().join("passwd"), dir.path().join("acl"));
    password_file(
        &passwords,
        &[
            ("plug", "plug secret", "sha512-pbkdf2"),
            ("lamp", "lamp-secret", "sha512"),
            ("ha", "ha-secret", "sha512-pbkdf2"),
        ],
    );
    fs::write(&acl, ACL).unwrap();
    let mac = lab.device(1).mac_text();
    let of_lamp = format!("lamp={mac}");
    let import = [
        "import",
        "--passwords",
        passwords.to_str().unwrap(),
        "--acl",
        acl.to_str().unwrap(),
        "--device",
        &of_lamp,
    ];
    let with = |more: &'static str| [&import[..], &[more]].concat();

    // The plan, and no more than that.
    let plan = prints(&guard, &import);
    for expected in [
        "acl_plug",
        "sha512-pbkdf2",
        "hub",
        &mac,
        "line 2: read public/#",
        "--apply",
    ] {
        assert!(plan.contains(expected), "{expected}: {plan}");
    }
    let refused = complains(&guard, &with("--apply"));
    assert!(
        refused.contains("acl_plug") && refused.contains("--profiles"),
        "{refused}"
    );
    assert!(waiting(&guard).is_empty());

    let profiles = prints(&guard, &with("--profiles"));
    guard
        .write_config(&guard.files().uci("", &profiles))
        .unwrap();
    assert_eq!(guard.ubus("reload", &json!({})).unwrap()["ok"], true);
    let done = prints(&guard, &with("--apply"));
    assert!(done.contains("wait for their devices until"), "{done}");
    assert_eq!(waiting(&guard).len(), 3);
    guard.wait_event("imported", None).unwrap();

    // They outlive the daemon.
    guard.kill().unwrap();
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert_eq!(waiting(&guard).len(), 3);

    let [plug, lamp, ha] = [
        ("plug", "plug secret"),
        ("lamp", "lamp-secret"),
        ("ha", "ha-secret"),
    ]
    .map(|(username, password)| set_up(&guard, username, password));
    assert!(!gets_in(&lab, 0, &plug.with_password("guess"), "plug/x"));
    // That account is for the lamp alone.
    assert!(!gets_in(&lab, 0, &lamp, "my lamp/x"));
    assert!(gets_in(&lab, 0, &plug, "plug/x"));
    let event = guard
        .wait_event("paired", Some(&lab.device(0).mac_text()))
        .unwrap();
    assert_eq!(event["username"], "plug");
    assert!(gets_in(&lab, 1, &lamp, "my lamp/x"));
    // A second account for the same device is refused and told.
    assert!(!gets_in(&lab, 0, &ha, "x"));
    assert!(gets_in(&lab, 2, &ha, "x"));
    assert!(waiting(&guard).is_empty());
    // From now on each is bound to its device.
    assert!(!gets_in(&lab, 2, &plug, "plug/x"));

    // With the rights that the ACL file gave them.
    let state = |device: &str| guard.device(device).unwrap();
    assert_eq!(state("plug")["profile"], "acl_plug");
    assert_eq!(state("ha")["profile"], "hub");
    let everything = lab.device(2).client(&ha).subscribe("#", 3).unwrap();
    assert_eq!(everything.granted(), Some(1));
    for topic in ["plug/secret", "lamp/x", "plug/y"] {
        lab.device(0)
            .client(&plug)
            .v5()
            .publish(topic, "1", 1)
            .unwrap();
    }
    assert!(
        until(PATIENCE, || everything.messages() == ["plug/y 1"]),
        "{:?}",
        everything.messages()
    );

    // The same file once more is for those that have not come, and they all have.
    let again = prints(&guard, &with("--apply"));
    assert_eq!(again.matches("has come").count(), 3, "{again}");
    assert!(waiting(&guard).is_empty());
    assert!(gets_in(&lab, 0, &plug, "plug/x"));

    // Hashed anew, whatever it was, and no secret told.
    let registry = fs::read_to_string(guard.files().data.join("registry.json")).unwrap();
    assert!(!registry.contains("$6$") && !registry.contains("$7$101$"));
    let events = Value::from(guard.events().unwrap()).to_string();
    for secret in ["plug secret", "lamp-secret", "$6$", "$7$"] {
        assert!(
            !guard.log().contains(secret) && !events.contains(secret),
            "{secret}"
        );
    }
}

#[test]
fn a_file_with_mistakes_is_refused_as_a_whole() {
    let (lab, guard) = guarded(&["plug"]);
    let dir = tempfile::tempdir().unwrap();
    let passwords = dir.path().join("passwd");
    password_file(
        &passwords,
        &[("good", "a", "sha512"), ("plug", "b", "sha512")],
    );
    let mut content = fs::read_to_string(&passwords).unwrap();
    content.push_str("in-the-clear:open-sesame\n");
    fs::write(&passwords, &content).unwrap();
    let file = passwords.to_str().unwrap();
    let told = complains(&guard, &["import", "--passwords", file, "--apply"]);
    assert!(
        told.contains("passwd: line 3: user 'in-the-clear': password: found no hash"),
        "{told}"
    );
    assert!(!told.contains("sesame"), "{told}");
    // What only the daemon can know is looked at there.
    enrol(&guard, "plug");
    let lines: Vec<&str> = content.lines().take(2).collect();
    fs::write(&passwords, lines.join("\n")).unwrap();
    let told = complains(&guard, &["import", "--passwords", file, "--apply"]);
    let mac = lab.device(0).mac_text();
    assert!(
        told.contains(&format!(
            "user 'plug': username: 'plug' is the credential of {mac}"
        )),
        "{told}"
    );
    assert!(waiting(&guard).is_empty());
    // Nor does it believe whoever calls it.
    for accounts in [
        json!([{ "username": "x", "hash": "open-sesame" }]),
        json!([{ "username": "a/b", "hash": content.lines().next().unwrap().split_once(':').unwrap().1 }]),
        json!(["x"]),
        json!([{ "username": "x", "hash": "$6$", "more": 1 }]),
    ] {
        let answer = guard
            .ubus("import", &json!({ "accounts": accounts, "apply": true }))
            .unwrap();
        assert_eq!(answer["ok"], false, "{answer}");
        assert_eq!(answer["applied"], false, "{answer}");
        assert!(!answer.to_string().contains("sesame"), "{answer}");
    }
    assert!(waiting(&guard).is_empty());
}

/// A mosquitto on loopback with this configuration. Ends when dropped.
struct Mosquitto {
    child: Child,
    port: u16,
}

impl Mosquitto {
    fn start(dir: &Path, lines: &str) -> Mosquitto {
        let free = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = free.local_addr().unwrap().port();
        drop(free);
        let config = dir.join("export.conf");
        let all = format!("user root\npersistence false\nlistener {port} 127.0.0.1\n{lines}");
        fs::write(&config, all).unwrap();
        let child = Command::new(tools::system("mosquitto").unwrap())
            .arg("-c")
            .arg(&config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let address = (std::net::Ipv4Addr::LOCALHOST, port);
        assert!(until(PATIENCE, || std::net::TcpStream::connect(address).is_ok()));
        Mosquitto { child, port }
    }

    fn client(&self, program: &str, dir: &Path, username: &str, password: &str) -> Command {
        let home = dir.join(format!("{program}-{username}-{}", password.len()));
        fs::create_dir_all(&home).unwrap();
        fs::write(
            home.join(program),
            format!("-u {username}\n-P {password}\n"),
        )
        .unwrap();
        let mut command = Command::new(tools::system(program).unwrap());
        command
            .args(["-h", "127.0.0.1", "-p", &self.port.to_string()])
            .env("XDG_CONFIG_HOME", home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    fn publish(&self, dir: &Path, username: &str, password: &str, topic: &str) -> Output {
        let mut command = self.client("mosquitto_pub", dir, username, password);
        command
            .args(["-t", topic, "-m", "1", "-q", "1"])
            .output()
            .unwrap()
    }
}

impl Drop for Mosquitto {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn what_is_exported_a_real_mosquitto_takes_and_so_does_this() {
    let (lab, guard) = guarded(&["plug", "lamp"]);
    let dir = tempfile::tempdir().unwrap();
    let plug = enrol(&guard, "plug");
    let lamp = enrol(&guard, "lamp");
    let [passwords, acl]: [PathBuf; 2] = ["passwd", "acl"].map(|name| dir.path().join(name));
    let files = [passwords.to_str().unwrap(), acl.to_str().unwrap()];
    let export = ["export", "--passwords", files[0], "--acl", files[1]];
    let told = prints(&guard, &export);
    assert!(told.contains("passwd: 2 accounts"), "{told}");
    for file in [&passwords, &acl] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Never over a file that is there.
    assert_eq!(guard.run(&export).unwrap().status.code(), Some(2));

    let lines = format!("password_file {}\nacl_file {}\n", files[0], files[1]);
    let mosquitto = Mosquitto::start(dir.path(), &lines);
    // What it subscribes to waits for it.
    let reader = |arguments: &[&str]| {
        let mut client =
            mosquitto.client("mosquitto_sub", dir.path(), &plug.username, &plug.password);
        client.args(["-i", "reader", "-c", "-q", "1", "-t", "#"]);
        client.args(arguments).output().unwrap()
    };
    assert!(reader(&["-E"]).status.success());
    let done = |username: &str, password: &str, topic: &str| {
        let output = mosquitto.publish(dir.path(), username, password, topic);
        output.status.success()
    };
    assert!(!done(
        &plug.username,
        &format!("{}x", plug.password),
        "plug/x"
    ));
    // Let in, and what it may not write is not handed on.
    assert!(done(&lamp.username, &lamp.password, "plug/x"));
    assert!(done(&lamp.username, &lamp.password, "lamp/x"));
    assert!(done(&plug.username, &plug.password, "plug/y"));
    let output = reader(&["-v", "-C", "1", "-W", "60"]);
    assert_eq!(text(&output.stdout).trim(), "plug/y 1");
    drop(mosquitto);

    // And back: the same password, on a router that has forgotten it.
    for device in ["plug", "lamp"] {
        guard.ubus("revoke", &json!({ "device": device })).unwrap();
    }
    prints(&guard, &["import", "--passwords", files[0], "--apply"]);
    assert!(gets_in(&lab, 0, &plug, "plug/x"));
    assert!(gets_in(&lab, 1, &lamp, "lamp/x"));
    assert!(!gets_in(&lab, 1, &plug, "plug/x"));
    // What was exported is as it was granted.
    let rights = fs::read_to_string(&acl).unwrap();
    assert!(rights.contains("topic readwrite plug/#\n"), "{rights}");
    assert!(rights.contains("topic read cmnd/plug/#\n"), "{rights}");
}

#[test]
fn a_configuration_that_mosquitto_runs_by_becomes_one_that_check_passes() {
    let dir = tempfile::tempdir().unwrap();
    let [passwords, acl] = ["passwd", "acl"].map(|name| dir.path().join(name));
    password_file(&passwords, &[("plug", "x", "sha512-pbkdf2")]);
    fs::write(&acl, ACL).unwrap();
    let more = dir.path().join("conf.d");
    fs::create_dir(&more).unwrap();
    let bridge = "connection cloud\naddress 127.0.0.1:9\ntopic tele/# out 1 \"\" home/\n\
        remote_username house\nremote_password not for the eyes\n";
    fs::write(more.join("bridge.conf"), bridge).unwrap();
    let lines = format!(
        "max_connections 100\nmax_queued_messages 200\nallow_anonymous false\n\
         password_file {}\nacl_file {}\ninclude_dir {}\n",
        passwords.display(),
        acl.display(),
        more.display()
    );
    let mosquitto = Mosquitto::start(dir.path(), &lines);
    let daemon = tools::daemon().unwrap();
    let conf = dir.path().join("export.conf");
    let migrated = Command::new(&daemon)
        .args(["migrate", "--conf"])
        .arg(&conf)
        .output()
        .unwrap();
    assert!(migrated.status.success(), "{}", text(&migrated.stderr));
    let proposal = text(&migrated.stdout);
    let file = dir.path().join("proposed");
    fs::write(&file, &proposal).unwrap();
    let checked = Command::new(&daemon)
        .args(["check", "--config"])
        .arg(&file)
        .output()
        .unwrap();
    assert!(
        checked.status.success(),
        "{}\n{proposal}",
        text(&checked.stdout)
    );
    for expected in [
        "list out 'tele/#'",
        "option remote_prefix 'home/'",
        "option queue_messages '200'",
        "bridge.conf, line 1: connection cloud",
        &format!("mqttguard import --passwords '{}'", passwords.display()),
    ] {
        assert!(proposal.contains(expected), "{expected}: {proposal}");
    }
    assert!(!proposal.contains("not for the eyes"));
    drop(mosquitto);
}

#[test]
fn a_device_without_tls_comes_for_its_account_over_the_island() {
    let lab = Lab::new(&["plug", "lamp"]).unwrap();
    let sections = format!(
        "config listener 'plain'\n\toption kind 'plain'\nconfig device 'plug'\n\toption mac '{}'\n\
         \toption plaintext '1'\n",
        lab.device(0).mac_text()
    );
    let guard = lab.start_guard("", &sections).unwrap();
    let dir = tempfile::tempdir().unwrap();
    let passwords = dir.path().join("passwd");
    password_file(
        &passwords,
        &[
            ("plug", "plug secret", "sha512"),
            ("lamp", "lamp-secret", "sha512"),
        ],
    );
    let gets_in = |device: usize, username: &str, password: &str, limit| {
        let client = lab
            .device(device)
            .plain_client(mqttguard_lab::address::ROUTER, 1883);
        let client = client.login(username, password).limit(limit);
        let outcome = client.publish(&format!("{username}/x"), "1", 1);
        outcome.is_ok_and(|outcome| outcome.succeeded())
    };
    // The kernel program lets nobody there whom nothing waits for.
    assert!(!gets_in(0, "plug", "plug secret", IN_VAIN));
    assert!(guard.dropped("plug", "plaintext-local").unwrap() > 0);
    let file = passwords.to_str().unwrap();
    prints(
        &guard,
        &["import", "--passwords", file, "--apply", "--for", "1h"],
    );
    assert!(!gets_in(1, "lamp", "lamp-secret", IN_VAIN));
    assert!(gets_in(0, "plug", "plug secret", PATIENCE));
    let told = prints(&guard, &["import", "--forget", "lamp"]);
    assert!(told.contains("lamp waits no longer"), "{told}");
    assert!(waiting(&guard).is_empty());
    guard.wait_event("import-cancelled", None).unwrap();
}
