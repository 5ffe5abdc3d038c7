//! Settings pushed onto devices: what arrives, is used by a real client against a real daemon.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that cannot be set up has failed"
)]

use std::fs;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

use mqttguard_lab::{Credential, Device, Guard, Lab, Outcome, address, tools, until};
use mqttguard_tests::firmware::{Fault, Mqtt, OpenBeken, Served, Shelly, Tasmota, push};
use mqttguard_tests::house::{PATIENCE, enrol, guarded};
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use serde_json::{Value, json};

const WEB_PASSWORD: &str = "web s3cret & more";
const ISLAND: &str = "config listener 'tls'\nconfig listener 'plain'\n\toption kind 'plain'\n\
    \toption port '1883'\n\toption enabled '1'\n";

/// A router makes its RSA key beside its work.
fn wait_for_rsa_key(guard: &Guard) {
    let is_there = || {
        let status = guard.ubus("status", &json!({})).unwrap();
        status
            .pointer("/broker/certificates/rsa")
            .is_some_and(Value::is_string)
    };
    assert!(until(Duration::from_secs(60), is_there));
}

/// The device connects with what it was set to, and says something under its topic.
fn connect(device: &Device, set: &Mqtt, topic: &str) -> Outcome {
    assert_eq!(set.host, "openwrt.lan");
    if !set.tls {
        return device
            .plain_client(address::ROUTER, set.port)
            .login(&set.username, &set.password)
            .publish(topic, "Online", 1)
            .unwrap();
    }
    let ca_file = device.dir().join("arrived-ca.pem");
    fs::write(&ca_file, &set.ca).unwrap();
    let credential = Credential {
        username: set.username.clone(),
        password: set.password.clone(),
        ca_file,
        address: address::ROUTER.to_string(),
        port: set.port,
    };
    device
        .client(&credential)
        .publish(topic, "Online", 1)
        .unwrap()
}

/// Nothing secret may be in what the daemon says.
fn assert_secret(guard: &Guard, answers: &[&Value], secrets: &[&str]) {
    let events = Value::from(guard.events().unwrap()).to_string();
    for secret in secrets {
        assert!(!secret.is_empty() && !guard.log().contains(secret));
        assert!(!events.contains(secret), "{events}");
        for answer in answers {
            assert!(!answer.to_string().contains(secret), "{answer}");
        }
    }
}

/// What Tasmota sees of the router's certificate, by openssl: SHA-1 of the RSA key's parts.
fn key_that_the_router_shows(device: &Device, port: u16) -> Vec<u8> {
    let script = format!(
        "openssl s_client -connect {}:{port} -tls1_2 -cipher ECDHE-RSA-AES128-GCM-SHA256 </dev/null \
         2>/dev/null | openssl x509 -noout -modulus",
        address::ROUTER
    );
    let mut shell = Command::new("sh");
    let output = device.netns().output(shell.args(["-c", &script])).unwrap();
    let said = String::from_utf8(output.stdout).unwrap();
    let digits = said.trim().strip_prefix("Modulus=").unwrap();
    let modulus: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap())
        .collect();
    let mut parts = Vec::new();
    for part in [b"ssh-rsa".as_slice(), &[1, 0, 1], &modulus] {
        parts.extend(u32::try_from(part.len()).unwrap().to_be_bytes());
        parts.extend(part);
    }
    digest(&SHA1_FOR_LEGACY_USE_ONLY, &parts).as_ref().to_vec()
}

#[test]
fn tasmota_gets_its_login_and_the_routers_key() {
    let (lab, guard) = guarded(&["kettle", "lamp"]);
    wait_for_rsa_key(&guard);
    let kettle = lab.device(0);
    let tasmota = Served::on(kettle, Tasmota::new(true, Some(WEB_PASSWORD)));
    let before = tasmota.now().set.clone();

    // Without the password of its web interface, or with another, nothing happens on either side.
    let plain = json!({ "device": "kettle", "firmware": "tasmota", "profile": "tasmota" });
    let with = |more: Value| {
        let mut args = plain.clone();
        args.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        args
    };
    let answer = push(&lab, &plain).unwrap();
    assert_eq!(answer["ok"], false, "{answer}");
    assert!(
        answer["why"].as_str().unwrap().contains("password"),
        "{answer}"
    );
    let answer = push(&lab, &with(json!({ "password": "another" }))).unwrap();
    assert!(
        answer["why"]
            .as_str()
            .unwrap()
            .contains("refuses the login"),
        "{answer}"
    );

    // Nor in a dry run, which tells what there would be.
    let good = with(json!({ "password": WEB_PASSWORD }));
    let dry = push(
        &lab,
        &with(json!({ "password": WEB_PASSWORD, "dry_run": true })),
    )
    .unwrap();
    assert_eq!(dry["ok"], true, "{dry}");
    let steps = dry["steps"].as_array().unwrap();
    let (last, looks) = steps.split_last().unwrap();
    assert!(
        looks
            .iter()
            .all(|step| step["status"] == 200 && step["ok"] == true),
        "{dry}"
    );
    assert!(
        last.get("status").is_none() && last.get("ok").is_none(),
        "{dry}"
    );
    let sent = last["sent"].as_str().unwrap();
    for part in [
        "user=admin password=*** cmnd=Backlog0 ",
        "MqttUser kettle; MqttPassword ***; Topic kettle; MqttPort 8883; MqttHost openwrt.lan",
    ] {
        assert!(sent.contains(part), "{sent}");
    }
    assert_eq!(tasmota.now().set, before);
    assert!(guard.device("kettle").unwrap().get("username").is_none());

    let done = push(&lab, &good).unwrap();
    assert_eq!(done["ok"], true, "{done}");
    assert_eq!(
        (&done["tls"], &done["username"]),
        (&json!(true), &json!("kettle"))
    );
    assert_eq!(
        done["steps"].as_array().unwrap().last().unwrap()["what"],
        "read the settings back"
    );
    let set = tasmota.now().set.clone();
    let key = key_that_the_router_shows(kettle, set.port);
    assert!(tasmota.now().accepts(&key));
    assert!(!tasmota.now().accepts(&[7; 20]), "it would take any key");
    let mut with_ca = set.clone();
    with_ca.ca = fs::read_to_string(guard.files().data.join("ca.crt")).unwrap();
    let outcome = connect(kettle, &with_ca, "tele/kettle/LWT");
    assert!(outcome.succeeded(), "{outcome:?}");
    // The credential is bound to the device.
    let outcome = connect(lab.device(1), &with_ca, "tele/kettle/LWT");
    assert!(outcome.login_refused(), "{outcome:?}");

    // Again: the old password works until the new one was used, and the device has the new one.
    assert!(until(PATIENCE, || {
        tasmota.now().settle();
        push(
            &lab,
            &with(json!({ "password": WEB_PASSWORD, "dry_run": true })),
        )
        .unwrap()["ok"]
            == true
    }));
    let again = push(&lab, &good).unwrap();
    assert_eq!(again["ok"], true, "{again}");
    assert!(again["old_until_ms"].is_u64(), "{again}");
    let new = tasmota.now().set.password.clone();
    assert_ne!(new, set.password);
    assert!(connect(kettle, &with_ca, "tele/kettle/LWT").succeeded());
    let renewed = Mqtt {
        password: new.clone(),
        ..with_ca.clone()
    };
    assert!(connect(kettle, &renewed, "tele/kettle/LWT").succeeded());
    assert!(until(PATIENCE, || connect(
        kettle,
        &with_ca,
        "tele/kettle/LWT"
    )
    .login_refused()));

    let event = guard
        .wait_event("pushed", Some(&kettle.mac_text()))
        .unwrap();
    assert_eq!(event["firmware"], "tasmota", "{event}");
    assert_secret(
        &guard,
        &[&dry, &done, &again],
        &[&new, &set.password, WEB_PASSWORD],
    );
}

#[test]
fn what_has_no_tls_comes_by_the_island_only_where_it_may() {
    let lab = Lab::new(&["plug"]).unwrap();
    let guard = lab.start_guard("", ISLAND).unwrap();
    let plug = lab.device(0);
    let tasmota = Served::on(plug, Tasmota::new(false, None));
    let args = json!({ "device": "plug", "firmware": "tasmota", "profile": "tasmota" });
    let refused = push(&lab, &args).unwrap();
    let why = refused["why"].as_str().unwrap();
    assert!(
        why.contains("its build has no TLS") && why.contains("option plaintext '1'"),
        "{why}"
    );
    assert_eq!(guard.state("plug").unwrap(), "new");
    assert!(tasmota.now().set.host.is_empty());

    let may = format!(
        "{ISLAND}config device\n\toption mac '{}'\n\toption plaintext '1'\n",
        plug.mac_text()
    );
    guard.write_config(&guard.files().uci("", &may)).unwrap();
    assert_eq!(guard.ubus("reload", &json!({})).unwrap()["ok"], true);
    let done = push(&lab, &args).unwrap();
    assert_eq!(
        (&done["ok"], &done["tls"]),
        (&json!(true), &json!(false)),
        "{done}"
    );
    let set = tasmota.now().set.clone();
    assert_eq!((set.port, set.tls), (1883, false));
    let outcome = connect(plug, &set, "tele/plug/LWT");
    assert!(outcome.succeeded(), "{outcome:?}");
}

#[test]
fn openbeken_gets_the_ca_before_its_login() {
    let (lab, guard) = guarded(&["socket"]);
    let socket = lab.device(0);
    let device = Served::on(socket, OpenBeken::new(true, Some(WEB_PASSWORD)));
    let args = json!({
        "device": "socket", "firmware": "openbeken", "profile": "openbeken", "password": WEB_PASSWORD,
    });
    let done = push(&lab, &args).unwrap();
    assert_eq!(done["ok"], true, "{done}");
    let set = device.now().mqtt();
    assert!(set.tls && set.ca.contains("BEGIN CERTIFICATE"), "{set:?}");
    let asked = device.asked();
    let at = |path: &str| {
        asked
            .iter()
            .position(|asked| asked.ends_with(path))
            .unwrap()
    };
    assert!(
        at("/api/lfs/mqttguard.pem") < at("/cfg_mqtt_set"),
        "{asked:?}"
    );
    let outcome = connect(socket, &set, "socket/1/get");
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_secret(&guard, &[&done], &[&set.password, WEB_PASSWORD]);
}

#[test]
fn shelly_answers_a_digest_and_restarts() {
    let (lab, guard) = guarded(&["relay"]);
    let relay = lab.device(0);
    let shelly = Served::on(relay, Shelly::new(Some(WEB_PASSWORD)));
    let args = |password: &str| {
        json!({
            "device": "relay", "firmware": "shelly", "profile": "shelly", "password": password,
        })
    };
    let refused = push(&lab, &args("another")).unwrap();
    assert!(
        refused["why"]
            .as_str()
            .unwrap()
            .contains("refuses the login"),
        "{refused}"
    );
    assert!(shelly.now().user_ca.is_empty());
    let done = push(&lab, &args(WEB_PASSWORD)).unwrap();
    assert_eq!(done["ok"], true, "{done}");
    let set = shelly.now().in_force.clone();
    let outcome = connect(relay, &set, "relay/online");
    assert!(outcome.succeeded(), "{outcome:?}");
    assert_secret(&guard, &[&done], &[&set.password, WEB_PASSWORD]);
}

#[test]
fn what_goes_wrong_half_way_leaves_a_working_device_working() {
    let (lab, guard) = guarded(&["relay"]);
    let relay = lab.device(0);
    let shelly = Served::on(relay, Shelly::new(None));
    let old = enrol(&guard, "relay");
    let works = |credential: &Credential| {
        relay
            .client(credential)
            .publish("relay/online", "true", 1)
            .unwrap()
            .succeeded()
    };
    assert!(works(&old));
    let args = json!({ "device": "relay", "firmware": "shelly" });
    let mac = relay.mac_text();

    // Before anything of the password was sent: as if nothing had been.
    shelly.now().fault = Fault::RefusesCa;
    let answer = push(&lab, &args).unwrap();
    let why = answer["why"].as_str().unwrap();
    assert!(
        why.contains("store the router's CA certificate: found status 500"),
        "{why}"
    );
    assert!(
        answer.get("old_until_ms").is_none() && answer.get("username").is_none(),
        "{answer}"
    );
    let events = Value::from(guard.events().unwrap()).to_string();
    assert!(!events.contains("\"rotated\""), "{events}");
    assert!(
        guard.device("relay").unwrap()["credential"]
            .get("old_until_ms")
            .is_none()
    );
    assert!(works(&old));
    guard.wait_event("push-failed", Some(&mac)).unwrap();

    // The device has them, and nobody knows: both passwords work.
    shelly.now().fault = Fault::DiesAfterStoring;
    let answer = push(&lab, &args).unwrap();
    assert_eq!(answer["ok"], false, "{answer}");
    assert!(answer["old_until_ms"].is_u64(), "{answer}");
    let set = answer["steps"].as_array().unwrap();
    let done: Vec<_> = set.iter().map(|step| step["ok"].as_bool()).collect();
    assert_eq!(done, [true, true, true, false].map(Some), "{answer}");
    assert!(works(&old));
    shelly.now().restart();
    let set = shelly.now().in_force.clone();
    assert!(connect(relay, &set, "relay/online").succeeded());
    assert!(until(PATIENCE, || !works(&old)));
}

#[test]
fn the_command_reads_the_password_and_shows_the_steps() {
    let (lab, guard) = guarded(&["socket"]);
    let socket = lab.device(0);
    let device = Served::on(socket, OpenBeken::new(true, Some(WEB_PASSWORD)));
    let run = |args: &[&str], input: &str| {
        let mut command = Command::new(tools::daemon().unwrap());
        command
            .arg("--socket")
            .arg(lab.router.bus().socket())
            .args(["push", "socket", "--firmware", "openbeken"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        let both = [output.stdout, output.stderr].concat();
        (output.status.code(), String::from_utf8(both).unwrap())
    };
    let (code, said) = run(&[], "");
    assert_eq!(code, Some(1), "{said}");
    assert!(
        said.contains("asks for a password") && said.contains("Its credential is as it was"),
        "{said}"
    );
    let (code, said) = run(&["--password", "--dry-run"], &format!("{WEB_PASSWORD}\n"));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("set the broker and the login: not sent"),
        "{said}"
    );
    assert!(device.now().set.username.is_empty());
    let (code, said) = run(
        &["--password", "--profile", "openbeken"],
        &format!("{WEB_PASSWORD}\n"),
    );
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("password=***") && said.contains("It has a credential now"),
        "{said}"
    );
    let set = device.now().mqtt();
    assert!(
        !said.contains(&set.password) && !said.contains(WEB_PASSWORD),
        "{said}"
    );
    assert!(connect(socket, &set, "socket/1/get").succeeded());
    assert_eq!(run(&["--password"], "").0, Some(2));
    assert_eq!(run(&["--user", "admin"], "").0, Some(2));
    drop(guard);
}
