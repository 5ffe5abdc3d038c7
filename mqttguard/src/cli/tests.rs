//! What people and scripts get to see, through a real bus: a ubusd, the object as the daemon
//! serves it, and in the place of the daemon a function that answers.

use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use super::*;
use crate::daemon::METHODS;
use crate::ubus::{self, MethodError, State, Status, UbusHandle};

type Answer = fn(&str, &Map<String, Value>) -> Result<Value, MethodError>;

/// A ubusd of its own, on a socket in a directory of its own.
struct Bus {
    dir: tempfile::TempDir,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Bus {
    fn start() -> Bus {
        let dir = tempfile::tempdir().unwrap();
        let config = ubusd::Config {
            socket_path: dir.path().join("ubus.sock").to_str().unwrap().into(),
            ..ubusd::Config::default()
        };
        let mut broker = ubusd::Broker::bind(config).unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                broker.poll_once(20).unwrap();
            }
        });
        Bus {
            dir,
            stop,
            thread: Some(thread),
        }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("ubus.sock")
    }

    /// Puts the object on the bus; the calls that came are handed back.
    fn serve(&self, answer: Answer) -> (UbusHandle, Receiver<(String, Value)>) {
        let (calls, called) = sync_channel::<ubus::Call>(16);
        let (seen, log) = channel();
        thread::spawn(move || {
            for call in called {
                let result = answer(call.method, &call.args);
                let _ = seen.send((call.method.to_owned(), Value::Object(call.args)));
                call.reply.send(result);
            }
        });
        let handle = ubus::serve(self.socket(), &METHODS, calls).unwrap();
        wait_for(|| handle.state() == State::Up);
        (handle, log)
    }

    fn run(&self, args: &[&str]) -> (Result<ExitCode, Failure>, String) {
        let written = Written::default();
        let socket = self.socket();
        let all = ["--socket", socket.to_str().unwrap()]
            .into_iter()
            .chain(args.iter().copied());
        let mut output = Output::plain(Box::new(written.clone()));
        let result = dispatch(all.map(OsString::from), &mut output);
        (result, written.text())
    }

    /// What a command that succeeds prints.
    fn prints(&self, args: &[&str]) -> String {
        match self.run(args) {
            (Ok(code), text) if code == ExitCode::SUCCESS => text,
            other => panic!("{args:?}: {other:?}"),
        }
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let ended = self.thread.take().unwrap().join();
        assert!(ended.is_ok() || thread::panicking());
    }
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

impl io::Write for Written {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn wait_for(done: impl Fn() -> bool) {
    let end = Instant::now() + Duration::from_secs(10);
    while !done() {
        assert!(Instant::now() < end, "not within ten seconds");
        thread::sleep(Duration::from_millis(5));
    }
}

/// A device that chose its name and client identifier to take over a terminal.
fn device() -> Value {
    json!({
        "mac": "02:c1:1e:17:00:01", "name": "plug", "hostname": "\u{1b}]0;owned\u{7}\u{202e}plug",
        "addresses": ["fe80::20", "192.168.1.20"], "interface": "br-lan",
        "vendor": "Espressif\u{1b}[2J", "firmware": "tasmota", "suggested_profile": "tasmota",
        "state": "quarantined", "why": "5 failed logins in a minute", "until_ms": 4_000_000_000_000u64,
        "profile": "sensor", "username": "plug",
        "connected": [{
            "client_id": "a\u{1b}[2Jb\u{9b}2J", "address": "192.168.1.20", "protocol": "3.1.1",
            "since_ms": 1
        }],
        "first_seen_ms": 1, "last_seen_ms": 1, "frames": {"passed": 10, "dropped": 3},
        "dropped": {"plaintext-port": 2, "blocked": 0, "quarantined": 1}, "logins": {"failed": 5},
        "reported": {"address-mismatch": 4},
        "bound": {"interface": "lan9", "missing": "there is no such interface", "address": "192.168.1.20"},
        "exceptions": [{"destination": "203.0.113.9/32", "port": 1883, "holds": true}],
        "uplift": {"section": "vendor", "open": 1, "connections": 2, "refused": 3, "bytes_out": 400,
            "bytes_in": 5_000, "last_error": "its certificate is \u{1b}[2Jnot valid"},
    })
}

fn event(seq: u64) -> Value {
    json!({
        "seq": seq, "time_ms": 1_795_369_473_000u64, "mac": "02:c1:1e:17:00:01", "name": "plug",
        "event": "login-refused", "severity": "warning",
        "message": format!("login {seq} as '\u{1b}[31mroot' refused\r\nforged line"),
    })
}

fn certificates() -> Value {
    json!({
        "ca": { "pem": "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "sha256": "AB:CD", "sha1": "AB", "until_ms": 1_798_740_000_000u64 },
        "leaves": [
            { "key": "ecdsa-p256", "sha256": "12:34", "sha1": "12", "until_ms": 1_798_740_000_000u64 },
            { "key": "rsa-2048", "sha256": "56:78", "sha1": "56" },
        ],
        "names": ["openwrt.lan", "192.168.1.1"],
    })
}

fn answer(method: &str, args: &Map<String, Value>) -> Result<Value, MethodError> {
    let unknown = || Err(MethodError::new(Status::NotFound, "no device 'nobody'"));
    Ok(match method {
        _ if args.get("device").is_some_and(|device| device == "nobody") => return unknown(),
        "devices" => json!({ "devices": [device()] }),
        "device" => {
            let mut device = device();
            device["events"] = json!([event(7)]);
            device
        }
        "profiles" => json!({ "profiles": [] }),
        "import" => json!({
            "ok": true, "applied": false, "errors": [], "for_s": 604_800,
            "accounts": [
                { "username": "plug", "kind": "sha512", "profile": "device",
                  "mac": "02:c1:1e:17:00:01", "name": "plug", "come": true },
                { "username": "lamp", "kind": "sha512", "profile": "device" },
            ],
        }),
        "enrol" => json!({
            "state": "quarantined", "ended": { "username": "old-plug", "certificates": 2 },
            "mac": "02:c1:1e:17:00:01", "name": "plug", "username": "plug",
            "password": "correct-horse", "profile": "sensor", "server": "openwrt.lan",
            "address": "192.168.1.1", "port": 8883, "ca_file": "/etc/mqttguard/ca.crt",
        }),
        "snippet" => json!({ "mac": "02:c1:1e:17:00:01", "name": "plug", "firmware": "wled",
            "snippets": [{ "title": "WLED", "text": "Server: x\u{1b}[2J\nPort: 1883\n", "notes": ["By hand."] }] }),
        "ca" => certificates(),
        "renew" => certificates(),
        "learn" => {
            json!({ "mac": "02:c1:1e:17:00:01", "name": "plug", "present": "sensor", "until_ms": 1,
            "since_ms": 1_798_740_000_000u64, "gaps": 2,
            "last_gap": { "from_ms": 1_798_743_600_000u64, "to_ms": 1_798_743_660_000u64 },
            "warning": "disk full", "left_out": 3, "wishes": [{ "wish": "publish", "pattern": "x/%d", "count": 2 }],
            "diff": "-config profile 'sensor'\n+\tlist publish 'x/%d'\n", "uci": "" })
        }
        "block" => json!({ "mac": "02:c1:1e:17:00:01", "name": "plug", "state": "blocked" }),
        "unblock" => json!({ "mac": "02:c1:1e:17:00:01", "name": "plug", "state": "enrolled",
            "warning": "in force, but lost at the next restart: disk full" }),
        "stats" => json!({
            "devices": {"02:c1:1e:17:00:01": {"pass": {"frames": 10, "bytes": 1_234_567u64}}},
            "broker": {"connections": 3, "messages_in": 17},
            "uplift": {"02:c1:1e:17:00:01": {"section": "vendor", "open": 1, "connections": 2,
                "refused": 3, "bytes_out": 400, "bytes_in": 5_000}},
        }),
        "allow" => json!({ "mac": "02:c1:1e:17:00:01", "name": "plug",
            "destination": "203.0.113.9/32", "port": 1883, "until_ms": 1_798_740_000_000u64 }),
        "disallow" => json!({ "mac": "02:c1:1e:17:00:01", "name": "plug", "withdrawn": 2 }),
        "events" => {
            let since = args.get("since").and_then(Value::as_u64).unwrap_or(6);
            json!({ "events": (since + 1..=9).map(event).collect::<Vec<_>>() })
        }
        "reload" => json!({ "ok": false, "errors": ["/etc/config/mqttguard:2: wrong"] }),
        "status" => json!({
            "version": "0.1.0", "protected": false, "why": ["eth1: no frame has been seen yet"],
            "mode": "enforce", "uptime_s": 93_784,
            "kernel": {"loaded": true, "attachments": [
                {"interface": "eth1", "hook": "xdp", "proof": "waiting", "why": "native XDP"},
                {"interface": "wlan0", "hook": null, "proof": "blind", "why": "no such device"},
            ]},
            "broker": {
                "listeners": [{"name": "tls", "kind": "tls", "addresses": ["[::]:8883", "0.0.0.0:8883"], "up": true, "detail": ""}],
                "certificates": {"ca": "AB:CD", "ecdsa": "12:34", "rsa": null},
                "connections": 3, "sessions": 4, "subscriptions": 5, "retained": 6,
                "messages_in": 7, "messages_out": 8, "bytes_in": 900, "bytes_out": 12_345,
                "messages_dropped": 1, "refused": 2,
                "journal": {"directory": "/var/run/mqttguard", "disk": false, "durable": true, "bytes": 2_048, "why": null},
            },
            "uplift": {"ready": true, "sections": [
                {"name": "vendor", "host": "mqtt.example.org", "port": 8883,
                    "devices": ["02:c1:1e:17:00:01", "02:c1:1e:17:00:02"], "open": 1,
                    "connections": 2, "refused": 3, "bytes_out": 400, "bytes_in": 5_000,
                    "last_error": "its certificate has expired"},
            ]},
            "discovery": [{"source": "dnsmasq", "up": false, "detail": "not on the bus"}],
            "devices": {"new": 1, "enrolled": 2, "quarantined": 3, "blocked": 4, "gone": 5},
            "dropped": {"plaintext-port": 12, "flood-packets": 0},
            "reported": {"address-mismatch": 4},
            "exceptions": [
                {"section": "solar", "destination": "203.0.113.0/24", "holds": true},
                {"section": "old", "destination": "198.51.100.7/32", "port": 1883,
                    "mac": "02:c1:1e:17:00:02", "until_ms": 1_798_740_000_000u64, "holds": false},
                {"mac": "02:c1:1e:17:00:01", "name": "plug", "holds": true,
                    "until_ms": 1_700_000_000_000u64},
            ],
            "config": {"file": "/etc/config/mqttguard", "loaded_ms": 0, "errors": []},
        }),
        _ => return unknown(),
    })
}

#[test]
fn status_says_what_is_wrong_first() {
    let bus = Bus::start();
    let (_object, _) = bus.serve(answer);
    assert_eq!(
        bus.prints(&["status"]),
        "\
mqttguard 0.1.0, NOT PROTECTED, mode enforce, up 1d 2h
  eth1: no frame has been seen yet

Kernel program: loaded
  INTERFACE  HOOK  FRAMES   WHY
  eth1       xdp   waiting  native XDP
  wlan0      -     blind    no such device

Broker: 3 connections, 4 sessions, 5 subscriptions, 6 retained
  LISTENER  KIND  ADDRESSES                STATE  DETAIL
  tls       tls   [::]:8883, 0.0.0.0:8883  up     -
  CERTIFICATE  SHA-256 FINGERPRINT
  ca           AB:CD
  ecdsa        12:34
  rsa          -
  7 messages (900 B) in, 8 (12.3 kB) out, 1 dropped, 2 refused
  what was acknowledged outlives a crash (2.0 kB in /var/run/mqttguard)

Uplift: ready
  SECTION  SERVER                 DEVICES  OPEN  CARRIED ON  REFUSED  OUT    IN      LAST REFUSAL
  vendor   mqtt.example.org:8883  2        1     2           3        400 B  5.0 kB  its certificate has expired

Devices are seen by:
  SOURCE   STATE  DETAIL
  dnsmasq  down   not on the bus

Devices: 1 new, 2 enrolled, 3 quarantined, 4 blocked, 5 gone
Frames dropped: 12 plaintext-port
Frames let through and told of: 4 address-mismatch
Unencrypted MQTT that may leave:
  EXCEPTION  DEVICE             TO                          HOLDS
  solar      all                203.0.113.0/24              for good
  old        02:c1:1e:17:00:02  198.51.100.7/32, port 1883  no more, since 2026-12-31 18:00:00Z
  allowed    plug               any address                 another 0s, until 2023-11-14 22:13:20Z
Configuration: /etc/config/mqttguard, loaded -
"
    );
}

#[test]
fn status_does_not_call_reduced_protection_protected() {
    let shown = |protection: &str, state: &str, error: Option<&str>| {
        let status = json!({
            "version": "0.1.0", "protected": false, "protection": protection, "mode": "enforce",
            "nftables": {"state": state, "error": error, "interfaces": [
                {"interface": "br-lan", "protection": protection},
            ]},
        });
        let plain = output::Style {
            colour: false,
            width: None,
        };
        status::show(&status, 0, plain)
    };
    let reduced = shown("reduced", "standing", None);
    assert!(reduced.starts_with("mqttguard 0.1.0, REDUCED PROTECTION, mode enforce"));
    let part = "\nnftables in its place: standing\n  INTERFACE  WHAT IT DOES\n  br-lan     drops \
                the plaintext ports\n";
    assert!(reduced.contains(part), "{reduced}");
    let closed = shown("closed", "standing", None);
    assert!(closed.contains(", NOT PROTECTED, CLOSED, "), "{closed}");
    assert!(closed.contains("br-lan     forwards nothing\n"), "{closed}");
    let failing = shown("none", "failing", Some("nft is not installed"));
    assert!(failing.contains(", NOT PROTECTED, mode"), "{failing}");
    assert!(
        failing.contains("failing\n  nft is not installed\n"),
        "{failing}"
    );
    assert!(failing.contains("br-lan     nothing\n"), "{failing}");
    let monitored = shown("none", "standing", None);
    assert!(monitored.contains("br-lan     counts\n"), "{monitored}");
}

#[test]
fn devices_and_their_counters_are_listed() {
    let bus = Bus::start();
    let (_object, calls) = bus.serve(answer);
    let text = bus.prints(&["devices"]);
    let (heading, row) = text.trim_end().split_once('\n').unwrap();
    let words: Vec<&str> = heading.split_whitespace().collect();
    assert_eq!(
        words,
        [
            "NAME", "STATE", "MAC", "KIND", "ADDRESS", "PROFILE", "MQTT", "DROPPED", "SEEN"
        ]
    );
    let start = "plug  quarantined  02:c1:1e:17:00:01  tasmota  192.168.1.20  sensor   1 connected  \
                 2 plaintext-port, 1 quarantined  ";
    assert!(row.starts_with(start), "{row}");

    let text = bus.prints(&["device", "plug"]);
    assert_eq!(
        calls.try_iter().last().unwrap(),
        ("device".into(), json!({ "device": "plug" }))
    );
    assert!(
        text.contains("\nhost name      \\u{1b}]0;owned\\u{7}\\u{202e}plug\n"),
        "{text}"
    );
    for line in [
        "made by        Espressif\\u{1b}[2J",
        "runs, it seems tasmota; its profile is 'tasmota'",
        "let through    4 address-mismatch",
        "bound to       no interface, lan9 will not do: there is no such interface, 192.168.1.20",
        "exception      203.0.113.9/32, port 1883: for good",
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{text}");
    }
    assert!(text.contains("connected      a\\u{1b}[2Jb\\u{9b}2J from 192.168.1.20, MQTT 3.1.1"));
    let uplift = "uplift         by 'vendor': 1 open, 2 carried on, 3 refused, 400 B out, 5.0 kB in; \
                  last: its certificate is \\u{1b}[2Jnot valid\n";
    assert!(text.contains(uplift), "{text}");

    let text = bus.prints(&["stats"]);
    assert!(
        text.contains("02:c1:1e:17:00:01  pass     10      1.2 MB\n"),
        "{text}"
    );
    assert!(text.contains("messages_in       17\n"), "{text}");
    let uplift = "02:c1:1e:17:00:01  vendor   1     2           3        400 B  5.0 kB\n";
    assert!(text.contains(uplift), "{text}");

    let text = bus.prints(&["top", "--count", "1"]);
    assert!(
        text.starts_with("Broker: 3 connections, 0 messages/s in"),
        "{text}"
    );
    assert!(text.contains("plug  quarantined  0"), "{text}");
}

/// Nothing that a device chose reaches the terminal as more than text, in any command.
#[test]
fn hostile_text_stays_text() {
    let bus = Bus::start();
    let (_object, _) = bus.serve(answer);
    for command in [
        &["devices"][..],
        &["device", "x"],
        &["events"],
        &["events", "--limit", "3"],
        &["snippet", "x"],
        &["learn", "x"],
    ] {
        for json in [&[][..], &["--json"]] {
            let args = [command, json].concat();
            let text = bus.prints(&args);
            let hostile = |c: char| c.is_control() && c != '\n' || c == '\u{202e}';
            assert!(!text.contains(hostile), "{args:?}: {text:?}");
            assert!(
                text.lines().all(|line| !line.starts_with("forged")),
                "{args:?}: {text}"
            );
        }
    }
    // Escaped, but the same value for a script.
    let text = bus.prints(&["--json", "devices"]);
    assert_eq!(
        serde_json::from_str::<Value>(&text).unwrap(),
        json!({ "devices": [device()] })
    );
}

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
fn snippets_and_proposals_are_shown_as_text() {
    let bus = Bus::start();
    let (_object, calls) = bus.serve(answer);
    let text = bus.prints(&["snippet", "plug", "--firmware", "wled"]);
    let asked = json!({ "device": "plug", "firmware": "wled" });
    assert_eq!(calls.try_iter().last().unwrap().1, asked);
    let expected = "\n== WLED\n\nServer: x\\u{1b}[2J\nPort: 1883\n\nNote: By hand.\n";
    assert!(text.ends_with(expected), "{text}");

    let text = bus.prints(&["learn", "plug", "--for", "1d"]);
    let asked = json!({ "device": "plug", "for": 86_400 });
    assert_eq!(calls.try_iter().last().unwrap().1, asked);
    assert!(
        text.starts_with(
            "plug: its time is over.\nWarning: disk full\n\
             Noted since 2026-12-31 18:00:00Z. The daemon was not there 2 times; at last nothing was \
             noted from 2026-12-31 19:00:00Z to 2026-12-31 19:01:00Z.\n3 refusals"
        ),
        "{text}"
    );
    assert!(text.ends_with("\n+    list publish 'x/%d'\n"), "{text}");
    let (result, _) = bus.run(&["learn", "plug", "--for", "1s"]);
    assert!(matches!(result, Err(Failure::Usage(_))), "{result:?}");
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

#[test]
fn failures_say_what_to_do_and_have_their_codes() {
    let bus = Bus::start();
    let absent = bus.run(&["status"]).0.unwrap_err();
    assert!(
        matches!(&absent, Failure::Unreachable(why) if why.contains("/etc/init.d/mqttguard start")),
        "{absent:?}"
    );
    let (_object, _) = bus.serve(answer);
    let refused = bus.run(&["block", "nobody"]).0.unwrap_err();
    assert!(
        matches!(&refused, Failure::Refused(why) if why.contains("no device 'nobody'")),
        "{refused:?}"
    );
    let (code, text) = bus.run(&["reload"]);
    assert_eq!(code.unwrap(), ExitCode::from(1));
    assert!(
        text.starts_with("/etc/config/mqttguard:2: wrong\n"),
        "{text}"
    );

    let socket = bus.socket();
    drop(bus);
    let args = ["--socket", socket.to_str().unwrap(), "status"].map(OsString::from);
    let gone = dispatch(args.into_iter(), &mut Output::plain(Box::new(io::sink()))).unwrap_err();
    assert!(
        matches!(&gone, Failure::Unreachable(why) if why.contains("ubusd")),
        "{gone:?}"
    );
}

/// Each event once and in order, also one whose notification was lost, until the object goes.
#[test]
fn events_are_followed_without_a_gap() {
    let bus = Bus::start();
    let (object, _) = bus.serve(answer);
    let written = Written::default();
    let follower = {
        let (written, socket) = (written.clone(), bus.socket());
        thread::spawn(move || {
            let socket = socket.to_str().unwrap();
            let args = ["--socket", socket, "events", "--follow", "--json"].map(OsString::from);
            dispatch(args.into_iter(), &mut Output::plain(Box::new(written)))
        })
    };
    wait_for(|| object.has_subscribers());
    // 9 was in the list already; 12 shows that 10 and 11 went missing, which the list that is
    // asked for then does not have either.
    for seq in [9, 12, 12, 13] {
        object.notify("login-refused", event(seq));
    }
    wait_for(|| written.text().lines().count() >= 5);
    drop(object);
    let ended = follower.join().unwrap().unwrap_err();
    assert!(matches!(ended, Failure::Unreachable(_)), "{ended:?}");
    let printed: Vec<u64> = written
        .text()
        .lines()
        .map(|line| {
            serde_json::from_str::<Value>(line).unwrap()["seq"]
                .as_u64()
                .unwrap()
        })
        .collect();
    assert_eq!(printed, [7, 8, 9, 12, 13]);
}

#[test]
fn an_event_is_one_line() {
    assert_eq!(
        events::show(&event(7), Output::plain(Box::new(io::sink())).style),
        "2026-11-22 17:44:33Z  warning  login-refused    plug (02:c1:1e:17:00:01)  \
         login 7 as '\\u{1b}[31mroot' refused\\r\\nforged line"
    );
}

#[test]
fn wrong_usage_is_told() {
    for (args, told) in [
        (&[][..], "expected a command"),
        (&["fly"], "unknown command 'fly'"),
        (
            &["enrol"],
            "expected: mqttguard enrol DEVICE [--profile NAME] [--username NAME]",
        ),
        (&["ca", "plug"], "ca: unexpected 'plug'"),
        (&["status", "now"], "status: unexpected 'now'"),
        (&["status", "--follow"], "status has no option --follow"),
        (&["status", "--fly"], "no command has an option --fly"),
        (
            &["events", "--limit", "many"],
            "--limit: found 'many', expected a number",
        ),
        (
            &["block", "a", "--why", "b", "--why", "c"],
            "--why is given twice",
        ),
        (
            &["block", "a", "--why"],
            "missing argument for option '--why'",
        ),
        (&["-x", "status"], "invalid option '-x'"),
    ] {
        let mut output = Output::plain(Box::new(io::sink()));
        match dispatch(args.iter().map(OsString::from), &mut output) {
            Err(Failure::Usage(message)) => assert_eq!(message, told, "{args:?}"),
            other => panic!("{args:?}: {other:?}"),
        }
    }
}

#[test]
fn check_needs_no_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("mqttguard");
    std::fs::write(&file, "config mqttguard 'main'\n\toption mode 'x'\n").unwrap();
    let run = || {
        let written = Written::default();
        let args = ["check", "--config", file.to_str().unwrap()].map(OsString::from);
        let code = dispatch(
            args.into_iter(),
            &mut Output::plain(Box::new(written.clone())),
        );
        (code.unwrap(), written.text())
    };
    let name = file.display();
    let mistake = "mqttguard 'main': option mode: found 'x', expected one of: enforce, monitor";
    assert_eq!(run(), (ExitCode::from(1), format!("{name}:2: {mistake}\n")));
    std::fs::write(&file, "").unwrap();
    assert_eq!(run(), (ExitCode::SUCCESS, format!("{name}: no mistakes\n")));
}
