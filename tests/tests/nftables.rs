//! A router without BPF, or with an interface that it cannot be had on: nftables stands in, as far
//! as it can and as the owner has it, and that is told.

#![allow(
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::process::Command;
use std::time::{Duration, Instant};

use mqttguard_lab::packet::UDP;
use mqttguard_lab::traffic::{ask_name, plaintext_connect, web_request};
use mqttguard_lab::{Device, Guard, Lab, Means, ODD_MQTT_PORT, tools, until};
use mqttguard_tests::house::{
    IN_VAIN, PATIENCE, assert_nothing_leaked, cloud, cloud6, enrol, guarded, router,
};
use serde_json::{Value, json};

/// A house with these devices on a router without BPF, when nftables stands in.
fn reduced(names: &[&str], main: &str, sections: &str) -> (Lab, Guard) {
    let lab = Lab::new(names).unwrap();
    let guard = lab.launch_guard(Means::NoBpf, main, sections).unwrap();
    wait_protection(&guard, "reduced");
    lab.wait_known(&guard).unwrap();
    (lab, guard)
}

fn wait_protection(guard: &Guard, wanted: &str) -> Value {
    guard
        .wait_status(wanted, |status| {
            status.get("protection").and_then(Value::as_str) == Some(wanted)
        })
        .unwrap()
}

/// How a TCP connection was refused.
fn refusal(device: &Device, to: SocketAddr) -> ErrorKind {
    kind(device.connect(to, PATIENCE).unwrap_err())
}

/// That a TCP connection is not answered.
#[track_caller]
fn assert_silence(device: &Device, to: SocketAddr) {
    let error = device.connect(to, IN_VAIN).unwrap_err();
    assert_eq!(kind(error), ErrorKind::TimedOut, "{to}");
}

fn kind(error: anyhow::Error) -> ErrorKind {
    error.downcast::<std::io::Error>().unwrap().kind()
}

/// Waits until the device is cut off from there: nftables takes its time.
fn wait_cut_off(device: &Device, from: SocketAddr) {
    assert!(until(PATIENCE, || device.connect(from, IN_VAIN).is_err()));
}

fn nft(lab: &Lab, args: &[&str]) -> std::process::Output {
    let mut command = Command::new(tools::system("nft").unwrap());
    lab.router.netns().output(command.args(args)).unwrap()
}

/// Our table as the kernel has it; None if there is none.
fn table(lab: &Lab) -> Option<String> {
    let output = nft(lab, &["list", "table", "inet", "mqttguard"]);
    let listing = String::from_utf8(output.stdout).unwrap();
    output.status.success().then_some(listing)
}

#[test]
fn without_bpf_the_plaintext_ports_are_refused_and_all_else_passes() {
    let (lab, guard) = reduced(&["plug"], "", "");
    let plug = lab.device(0);
    for to in [cloud(1883), cloud6(1883)] {
        assert_eq!(refusal(plug, to), ErrorKind::ConnectionRefused, "{to}");
    }
    let sn = plug.udp(cloud(1883)).unwrap();
    sn.send(b"\x08\x04\x04\x01\x00\x3clb").unwrap();
    let source = plug.address().unwrap().into();
    let arrived = lab.cloud.witness().tally(source, UDP, 1883).unwrap();
    assert_eq!(arrived.frames, 0);
    assert_nothing_leaked(&lab);

    plug.connect(router(8883), PATIENCE).unwrap();
    assert_eq!(refusal(plug, router(1883)), ErrorKind::ConnectionRefused);
    for to in [cloud(80), cloud6(80)] {
        web_request(plug, to).unwrap();
    }
    ask_name(plug, cloud(53)).unwrap();
    plug.connect(cloud(8883), PATIENCE).unwrap();
    // What is told of it: ports are all that nftables knows.
    plaintext_connect(plug, cloud(ODD_MQTT_PORT), PATIENCE).unwrap();
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protected").unwrap(), false, "{status}");
    let said = status.get("why").unwrap().to_string();
    assert!(said.contains("the kernel program is not loaded"), "{said}");
    let plainly = "reduced protection: nftables, plaintext ports only, on br-lan";
    assert!(said.contains(plainly), "{said}");
    let event = guard.wait_event("fallback", None).unwrap();
    assert_eq!(event.get("message").unwrap(), plainly, "{event}");
    assert_eq!(event.get("severity").unwrap(), "warning", "{event}");
}

#[test]
fn an_exception_passes_and_drop_says_nothing() {
    let exceptions = "config exception 'maker'\n\toption destination '203.0.113.0/24'\n\
         \toption port '1883'\n\toption mac '02:4d:47:00:01:01'\n";
    let main = "\toption verdict 'drop'\n\tlist plaintext_port '1883'\n\
         \tlist plaintext_port '18830'\n";
    let (lab, _guard) = reduced(&["plug", "lamp"], main, exceptions);
    let (plug, lamp) = (lab.device(0), lab.device(1));
    assert_eq!(plug.mac_text(), "02:4d:47:00:01:01");
    let answer = plaintext_connect(plug, cloud(1883), PATIENCE).unwrap();
    assert_eq!(answer, b"\x20\x02\x00\x00");
    for (device, to) in [
        (plug, cloud(ODD_MQTT_PORT)),
        (plug, cloud6(1883)),
        (lamp, cloud(1883)),
        (lamp, cloud(ODD_MQTT_PORT)),
    ] {
        assert_silence(device, to);
    }
}

#[test]
fn a_blocked_device_is_cut_off_and_keeps_its_address() {
    let (mut lab, guard) = reduced(&["plug", "lamp"], "", "");
    lab.device(0).connect(router(8883), PATIENCE).unwrap();
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    wait_cut_off(lab.device(0), router(8883));
    for to in [cloud(80), cloud6(80), cloud(8883), router(8883)] {
        assert_silence(lab.device(0), to);
    }
    lab.device_mut(0).request_address().unwrap();
    web_request(lab.device(1), cloud(80)).unwrap();
    guard.ubus("unblock", &json!({ "device": "plug" })).unwrap();
    assert!(until(PATIENCE, || web_request(lab.device(0), cloud(80)).is_ok()));
}

#[test]
fn a_quarantined_device_is_kept_from_mqtt_alone() {
    let (lab, guard) = reduced(&["plug"], "\toption login_failures '2'\n", "");
    let wrong = enrol(&guard, "plug").with_password("wrong");
    let plug = lab.device(0);
    for _ in 0..2 {
        let outcome = plug.client(&wrong).publish("plug/state", "on", 1).unwrap();
        assert!(outcome.login_refused(), "{outcome:?}");
    }
    assert!(until(PATIENCE, || guard.state("plug").unwrap() == "quarantined"));
    wait_cut_off(plug, router(8883));
    for to in [cloud(8883), router(8883), cloud(1883)] {
        assert_silence(plug, to);
    }
    web_request(plug, cloud(80)).unwrap();
}

#[test]
fn monitor_mode_counts_and_lets_pass() {
    let lab = Lab::new(&["plug"]).unwrap();
    let main = "\toption mode 'monitor'\n\toption on_error 'closed'\n";
    let guard = lab.launch_guard(Means::NoBpf, main, "").unwrap();
    guard
        .wait_status("nftables", |status| {
            status.pointer("/nftables/state").and_then(Value::as_str) == Some("standing")
        })
        .unwrap();
    plaintext_connect(lab.device(0), cloud(1883), PATIENCE).unwrap();
    let counted = table(&lab).unwrap();
    let mut lines = counted.lines();
    lines.find(|line| line.contains("counter plaintext"));
    let packets = lines.next().unwrap();
    assert!(!packets.contains("packets 0"), "{counted}");
    assert!(!counted.contains("drop"), "{counted}");
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protection").unwrap(), "none", "{status}");
}

#[test]
fn on_error_closed_forwards_nothing_until_bpf_is_back() {
    let lab = Lab::new(&["plug"]).unwrap();
    let plug = lab.device(0);
    let main = "\toption on_error 'closed'\n";
    let mut guard = lab.launch_guard(Means::NoBpf, main, "").unwrap();
    wait_protection(&guard, "closed");
    for to in [cloud(80), cloud6(80), cloud(8883), cloud(1883)] {
        plug.connect(to, IN_VAIN).unwrap_err();
    }
    // The router itself can be reached, to mend it.
    plug.connect(router(8883), PATIENCE).unwrap();
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protected").unwrap(), false, "{status}");
    assert!(
        status
            .to_string()
            .contains("nothing is forwarded from br-lan"),
        "{status}"
    );
    guard.kill().unwrap();
    plug.connect(cloud(80), IN_VAIN).unwrap_err();

    guard.give(Means::All);
    guard.start_again().unwrap();
    lab.wait_protected(&mut guard).unwrap();
    web_request(plug, cloud(80)).unwrap();
    plug.connect(cloud(1883), IN_VAIN).unwrap_err();
    assert!(until(PATIENCE, || table(&lab).is_none()));
}

#[test]
fn on_error_closed_holds_before_netifd_has_named_the_network() {
    let lab = Lab::new(&["plug"]).unwrap();
    let main = "\toption on_error 'closed'\n";
    let mut guard = lab.launch_guard(Means::NoBpf, main, "").unwrap();
    wait_protection(&guard, "closed");
    guard.stop().unwrap();
    web_request(lab.device(0), cloud(80)).unwrap();
    // There is no netifd in this house.
    let by_network = guard.files().uci(main, "");
    let by_network = by_network.replace("list device 'br-lan'", "list network 'lan'");
    guard.write_config(&by_network).unwrap();
    guard.start_again().unwrap();
    let status = wait_protection(&guard, "closed");
    assert!(
        status
            .to_string()
            .contains("network 'lan' has no device yet"),
        "{status}"
    );
    lab.device(0).connect(cloud(80), IN_VAIN).unwrap_err();
    lab.device(0).connect(router(8883), PATIENCE).unwrap();
}

#[test]
fn closed_with_nothing_to_close_by_is_said_loudly() {
    let lab = Lab::new(&["plug"]).unwrap();
    let main = "\toption on_error 'closed'\n";
    let guard = lab.launch_guard(Means::NoBpfNoNft, main, "").unwrap();
    let event = guard.wait_event("fallback", None).unwrap();
    let message = event.get("message").unwrap().as_str().unwrap();
    assert!(
        message.contains("NO PROTECTION AND NOT CLOSED"),
        "{message}"
    );
    assert!(message.contains("nft is not installed"), "{message}");
    let status = guard.ubus("status", &json!({})).unwrap();
    assert_eq!(status.get("protection").unwrap(), "none", "{status}");
    assert!(
        status.get("why").unwrap().to_string().contains(message),
        "{status}"
    );
    let does = status.pointer("/nftables/interfaces/0/protection");
    assert_eq!(does.unwrap(), "none", "{status}");
}

#[test]
fn a_table_that_somebody_removes_or_changes_is_put_back_and_told() {
    let (lab, guard) = reduced(&["plug"], "", "");
    let plug = lab.device(0);
    let whole = table(&lab).unwrap();
    let rules = whole.lines().count();
    for (count, harm) in [
        &["flush", "ruleset"][..],
        &["flush", "chain", "inet", "mqttguard", "leaving"],
        &["delete", "table", "inet", "mqttguard"],
    ]
    .into_iter()
    .enumerate()
    {
        assert!(nft(&lab, harm).status.success(), "{harm:?}");
        let is_back = until(PATIENCE, || {
            table(&lab).is_some_and(|now| now.lines().count() == rules)
        });
        assert!(is_back, "{harm:?}");
        assert_eq!(refusal(plug, cloud(1883)), ErrorKind::ConnectionRefused);
        let told = until(PATIENCE, || {
            let events = guard.events().unwrap();
            let restored = |event: &&Value| event.get("what") == Some(&json!("restored"));
            events.iter().filter(restored).count() == count + 1
        });
        assert!(told, "{harm:?}: {:?}", guard.events());
    }
    // Another table is nobody's business here.
    assert!(nft(&lab, &["add", "table", "inet", "fw4"]).status.success());
    assert_nothing_leaked(&lab);
}

#[test]
fn the_table_outlives_a_killed_daemon_and_goes_with_a_stopped_one() {
    let (lab, mut guard) = reduced(&["plug"], "", "");
    let plug = lab.device(0);
    guard.kill().unwrap();
    assert_eq!(refusal(plug, cloud(1883)), ErrorKind::ConnectionRefused);
    guard.start_again().unwrap();
    wait_protection(&guard, "reduced");
    assert_eq!(refusal(plug, cloud(1883)), ErrorKind::ConnectionRefused);
    guard.stop().unwrap();
    assert_eq!(table(&lab), None);
    plaintext_connect(plug, cloud(1883), PATIENCE).unwrap();

    // A start that is switched off clears away what a killed daemon left.
    guard.start_again().unwrap();
    wait_protection(&guard, "reduced");
    guard.kill().unwrap();
    let off = guard.files().uci("\toption enabled '0'\n", "");
    guard.write_config(&off).unwrap();
    guard.start_again().unwrap();
    assert!(until(PATIENCE, || table(&lab).is_none()));
}

#[test]
fn bpf_that_comes_back_ends_the_reduction() {
    let (lab, mut guard) = reduced(&["plug"], "", "");
    guard.kill().unwrap();
    // A directory in the way of the BPF file system, instead of the rights.
    let files = guard.files().clone();
    let place = files.data.with_extension("bpf");
    std::fs::create_dir(&place).unwrap();
    let pins = files.bpf.display().to_string();
    let elsewhere = place.join("pins").display().to_string();
    let config = files.uci("", "").replace(&pins, &elsewhere);
    guard.write_config(&config).unwrap();
    guard.give(Means::All);
    guard.start_again().unwrap();
    let status = wait_protection(&guard, "reduced");
    guard.wait_event("fallback", None).unwrap();
    assert!(
        status.to_string().contains("not on a BPF file system"),
        "{status}"
    );
    assert_eq!(
        refusal(lab.device(0), cloud(1883)),
        ErrorKind::ConnectionRefused
    );

    std::fs::remove_dir(&place).unwrap();
    std::fs::create_dir_all(&files.bpf).unwrap();
    std::os::unix::fs::symlink(&files.bpf, &place).unwrap();
    guard.ubus("reload", &json!({})).unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert!(until(PATIENCE, || table(&lab).is_none()));
    plaintext_connect(lab.device(0), cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();
    let ended = until(PATIENCE, || {
        let events = guard.events().unwrap();
        events.iter().any(|event| {
            event.get("event") == Some(&json!("fallback"))
                && event.get("what") == Some(&json!("none"))
        })
    });
    assert!(ended, "{:?}", guard.events());
    assert_nothing_leaked(&lab);
}

#[test]
fn one_port_that_cannot_be_guarded_reduces_its_bridge_until_it_can() {
    let (lab, mut guard) = guarded(&["plug", "lamp"]);
    guard.stop().unwrap();
    let foreign = lab.router.netns().run(|| Ok(foreign("lan0"))).unwrap();
    let native = guard.files().uci("\toption hook 'xdp'\n", "");
    guard.write_config(&native).unwrap();
    guard.start_again().unwrap();
    let status = guard
        .wait_status("program on the other port", |status| {
            status.get("protection") == Some(&json!("reduced"))
                && status.pointer("/kernel/loaded") == Some(&json!(true))
        })
        .unwrap();
    let nftables = status.get("nftables").unwrap().to_string();
    assert!(nftables.contains("br-lan"), "{status}");
    let plug = lab.device(0);
    assert_eq!(refusal(plug, cloud(1883)), ErrorKind::ConnectionRefused);
    // Where the program stands it sees what nftables does not.
    plaintext_connect(plug, cloud(ODD_MQTT_PORT), PATIENCE).unwrap();
    plaintext_connect(lab.device(1), cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();

    drop(foreign);
    lab.router
        .netns()
        .ip_batch("link set lan0 down\nlink set lan0 up\n")
        .unwrap();
    lab.wait_protected(&mut guard).unwrap();
    assert!(until(PATIENCE, || table(&lab).is_none()));
    plaintext_connect(plug, cloud(ODD_MQTT_PORT), IN_VAIN).unwrap_err();
}

#[test]
fn while_the_kernel_verifies_the_program_nftables_stands_in_and_the_bus_answers() {
    let lab = Lab::new(&["plug"]).unwrap();
    let guard = lab.launch_guard(Means::All, "", "").unwrap();
    let status = guard
        .wait_status("a program that is being loaded", |status| {
            let error = status.pointer("/kernel/error").and_then(Value::as_str);
            error == Some("being loaded")
        })
        .unwrap();
    assert_eq!(status.get("protected").unwrap(), false, "{status}");
    // What nftables does is told by the second.
    wait_protection(&guard, "reduced");
    guard
        .wait_status("the program", |status| {
            status.pointer("/kernel/loaded") == Some(&json!(true))
        })
        .unwrap();
    assert!(until(PATIENCE, || table(&lab).is_none()));
}

#[test]
fn a_stop_while_the_kernel_verifies_the_program_leaves_nothing_and_takes_no_time() {
    let lab = Lab::new(&["plug"]).unwrap();
    let mut guard = lab.launch_guard(Means::All, "", "").unwrap();
    guard
        .wait_status("a program that is being loaded", |status| {
            let error = status.pointer("/kernel/error").and_then(Value::as_str);
            error == Some("being loaded")
        })
        .unwrap();
    let pins = guard.files().bpf.clone();
    assert!(pins.exists());
    let start = Instant::now();
    let status = guard.stop().unwrap();
    let took = start.elapsed();
    assert!(status.success(), "{status}");
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert!(!pins.exists(), "pins are left");
    assert_eq!(table(&lab), None);
    let mut ip = Command::new(tools::system("ip").unwrap());
    let links = lab.router.netns().output(ip.args(["-d", "link"])).unwrap();
    let links = String::from_utf8(links.stdout).unwrap();
    assert!(!links.contains("prog/xdp"), "{links}");
    plaintext_connect(lab.device(0), cloud(1883), PATIENCE).unwrap();
}

#[test]
fn what_nftables_refuses_is_in_the_history_of_the_house() {
    let (lab, guard) = reduced(&["plug"], "", "");
    let refused = |series: &str| {
        let history = guard.ubus("history", &json!({})).unwrap();
        let samples = history.pointer(&format!("/series/{series}")).unwrap();
        let samples = samples.as_array().unwrap().iter();
        samples.map(|count| count.as_u64().unwrap()).sum::<u64>()
    };
    let plug = lab.device(0);
    for _ in 0..5 {
        assert_eq!(refusal(plug, cloud(1883)), ErrorKind::ConnectionRefused);
    }
    assert!(until(PATIENCE, || refused("plaintext") == 5));
    // A table that takes its place begins to count anew.
    guard.ubus("block", &json!({ "device": "plug" })).unwrap();
    wait_cut_off(plug, cloud(80));
    assert!(until(PATIENCE, || refused("other") >= 1));
    assert_eq!(refused("plaintext"), 5);
}

/// Somebody else's program on an interface of this namespace; it goes when it is dropped.
fn foreign(interface: &str) -> mqttguard::enforce::object::Object {
    use aya::programs::XdpMode;
    use mqttguard::enforce::object;
    let mut object = object::open(object::OBJECT, None).unwrap();
    let program = object.xdp().unwrap();
    program.attach(interface, XdpMode::Driver).unwrap();
    object
}
