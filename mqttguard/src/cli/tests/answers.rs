//! What stands in the place of the daemon: a function that answers.

use serde_json::{Map, Value, json};

use crate::ubus::{MethodError, Status};

/// A device that chose its name and client identifier to take over a terminal.
pub(super) fn device() -> Value {
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

pub(super) fn event(seq: u64) -> Value {
    json!({
        "seq": seq, "time_ms": 1_795_369_473_000u64, "mac": "02:c1:1e:17:00:01", "name": "plug",
        "event": "login-refused", "severity": "warning",
        "message": format!("login {seq} as '\u{1b}[31mroot' refused\r\nforged line"),
    })
}

pub(super) fn certificates() -> Value {
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

pub(super) fn answer(method: &str, args: &Map<String, Value>) -> Result<Value, MethodError> {
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
