//! What is shown.

use std::ffi::OsString;
use std::io;
use std::thread;

use serde_json::{Value, json};

use super::answers::{answer, device, event};
use super::bus::{Bus, Written, wait_for};
use crate::cli::output::{Output, Style};
use crate::cli::{Failure, dispatch, events, status};

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
        let plain = Style {
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
