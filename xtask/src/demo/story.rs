//! The story, scene by scene. Every claim is checked by what really arrived or by what a real
//! client was answered; the table at the end is mqttguard's.

use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use mqttguard_lab::packet::UDP;
use mqttguard_lab::traffic::{flood, plaintext_connect, web_request};
use mqttguard_lab::{Credential, Guard, ODD_MQTT_PORT, PLAIN_MQTT_PORT, Subscription, until};
use serde_json::{Value, json};

use super::house::{
    House, LOGIN_FAILURES, NAMES, PACKETS_PER_S, PATIENCE, cloud, uci_main, uci_sections,
};
use super::stage::Stage;
use super::table;

/// The topic of the lamp.
const TOPIC: &str = "lamp/state";
/// Datagrams a second that the camera sends.
const FLOOD: u32 = 20_000;
/// How long it does so.
const FLOOD_TIME: Duration = Duration::from_secs(3);

/// Tells the story. An error means that it could not be told to its end.
pub(super) fn tell(stage: &mut Stage, keep: bool) -> Result<()> {
    let house = House::build()?;
    as_it_is(stage, &house)?;
    let mut guard = moves_in(stage, &house)?;
    let lamp = good(stage, &house, &guard)?;
    insecure(stage, &house, &guard)?;
    killed(stage, &house, &mut guard)?;
    let _session = flooded(stage, &house, &guard, &lamp)?;
    guessed(stage, &house, &guard, &lamp)?;
    stolen(stage, &house, &guard, &lamp)?;
    account(stage, &guard)?;
    if keep {
        stage.print("\nThe house stays. Look around in it, as root:");
        for line in house.tour(&guard)? {
            stage.print(&format!("   {line}"));
        }
        guard.keep();
        house.lab.keep()?;
    }
    Ok(())
}

fn as_it_is(stage: &mut Stage, house: &House) -> Result<()> {
    stage.scene(
        "A house like any other",
        "A router, a cloud, and four devices that got their addresses by DHCP: a lamp, a plug, \
         a camera and a visitor. Nobody guards it yet. The plug reports to its maker's cloud, in \
         the clear.",
    );
    let outcome = house
        .plug()
        .plain_client(cloud(PLAIN_MQTT_PORT).ip(), PLAIN_MQTT_PORT)
        .publish("maker/plug", "who is at home, for everybody to read", 1)?;
    let leaked = house.leaked()?;
    stage.check(
        "What the plug says travels in the clear to the cloud",
        outcome.succeeded() && leaked > 0,
        format!("{leaked} plaintext frames arrived"),
    );
    Ok(())
}

fn moves_in(stage: &mut Stage, house: &House) -> Result<Guard> {
    stage.scene(
        "mqttguard moves in",
        "One UCI file, one service. It makes its own certificate authority, attaches its kernel \
         program to the ports of br-lan, and learns from DHCP who lives here.",
    );
    let start = Instant::now();
    let guard = house.lab.start_guard(&uci_main(), &uci_sections())?;
    let status = guard.ubus("status", &json!({}))?;
    let hooks = status
        .pointer("/kernel/attachments")
        .and_then(Value::as_array);
    let hooks: Vec<String> = hooks
        .into_iter()
        .flatten()
        .map(|a| format!("{} by {}", field(a, "interface"), field(a, "hook")))
        .collect();
    stage.check(
        "It protects, and has seen frames to prove it",
        status.get("protected") == Some(&Value::Bool(true)),
        format!(
            "after {:.1} s: {}",
            start.elapsed().as_secs_f32(),
            hooks.join(", ")
        ),
    );
    let known = until(Duration::from_secs(5), || {
        NAMES
            .iter()
            .all(|name| guard.device(name).is_ok_and(|d| has_address(&d)))
    });
    let devices = devices(&guard)?;
    let named: Vec<String> = devices.iter().map(|device| field(device, "name")).collect();
    stage.check("It knows all four devices by name", known, named.join(", "));
    Ok(guard)
}

fn good(stage: &mut Stage, house: &House, guard: &Guard) -> Result<Credential> {
    stage.scene(
        "The lamp does it right",
        "The owner enrols the lamp: it gets a credential of its own, for its own topics. It \
         talks MQTT over TLS to the router, and nothing of it leaves the house.",
    );
    let answer = guard.ubus("enrol", &json!({ "device": "lamp" }))?;
    let credential = Credential::from_enrolment(&answer)?;
    let client = house.lamp().client(&credential);
    let subscription = client.subscribe(TOPIC, 1)?;
    let outcome = client.publish(TOPIC, "on", 1)?;
    let heard = subscription.finish()?;
    stage.check(
        "The lamp publishes over TLS and hears itself",
        outcome.succeeded() && heard == [format!("{TOPIC} on")],
        if outcome.succeeded() {
            heard.join(", ")
        } else {
            outcome.first_complaint()
        },
    );
    let foreign = client.v5().publish("plug/state", "off", 1)?;
    stage.check(
        "It may not speak for the plug, and is told so",
        foreign.complaint.contains("Not authorized"),
        foreign.first_complaint(),
    );
    Ok(credential)
}

fn insecure(stage: &mut Stage, house: &House, guard: &Guard) -> Result<()> {
    stage.scene(
        "The plug tries again",
        "First on port 1883, which any firewall rule could close. Then where no such rule looks: \
         its maker's cloud listens on port 18830 too. mqttguard reads the first bytes of every \
         TCP connection and finds the CONNECT.",
    );
    let before = house.leaked()?;
    for (port, reason) in [
        (PLAIN_MQTT_PORT, "plaintext-port"),
        (ODD_MQTT_PORT, "plaintext-connect"),
    ] {
        let client = house
            .plug()
            .plain_client(cloud(port).ip(), port)
            .limit(PATIENCE);
        let outcome = client.publish("maker/plug", "hello?", 1)?;
        let dropped = guard.dropped("plug", reason)?;
        let leaked = house.leaked()? - before;
        stage.check(
            format!("Port {port}: not one plaintext frame reaches the cloud"),
            !outcome.succeeded() && leaked == 0 && dropped > 0,
            format!("{leaked} arrived, {dropped} dropped as {reason}"),
        );
    }
    let web = web_request(house.plug(), cloud(80));
    stage.check(
        "The rest of the plug's traffic passes",
        web.is_ok(),
        shown(&web),
    );
    Ok(())
}

fn killed(stage: &mut Stage, house: &House, guard: &mut Guard) -> Result<()> {
    stage.scene(
        "The daemon is killed",
        "kill -9, while the plug keeps trying. The kernel program stands on its own; a new daemon \
         takes over what it finds, counters and all.",
    );
    let before = house.leaked()?;
    let counted = guard.dropped("plug", "plaintext-connect")?;
    let stop = AtomicBool::new(false);
    let tries = AtomicU32::new(0);
    thread::scope(|scope| -> Result<()> {
        let plug = house.plug();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let limit = Duration::from_millis(100);
                let _ = plaintext_connect(plug, cloud(ODD_MQTT_PORT), limit);
                tries.fetch_add(1, Ordering::Relaxed);
            }
        });
        let result = die_and_return(stage, house, guard);
        stop.store(true, Ordering::Relaxed);
        result
    })?;
    let leaked = house.leaked()? - before;
    let tries = tries.into_inner();
    stage.check(
        "Not one plaintext frame passed meanwhile",
        leaked == 0 && tries > 5,
        format!("{tries} tries, {leaked} frames arrived"),
    );
    let now = guard.dropped("plug", "plaintext-connect")?;
    stage.check(
        "The new daemon goes on counting where the old one stopped",
        now >= counted + u64::from(tries),
        format!("{counted} frames before, {now} now"),
    );
    Ok(())
}

fn die_and_return(stage: &mut Stage, house: &House, guard: &mut Guard) -> Result<()> {
    thread::sleep(Duration::from_millis(300));
    let old = guard.id();
    guard.kill()?;
    thread::sleep(Duration::from_secs(1));
    let gone = guard.ubus("status", &json!({})).is_err();
    stage.check(
        "Nobody is at the controls",
        gone,
        format!("process {old} killed"),
    );
    guard.start_again()?;
    house.lab.wait_protected(guard)
}

fn flooded(
    stage: &mut Stage,
    house: &House,
    guard: &Guard,
    lamp: &Credential,
) -> Result<Subscription> {
    stage.scene(
        "The camera floods",
        "Twenty thousand datagrams a second. The kernel program holds the camera to its share \
         before the router's network stack pays for it, and the others do not notice.",
    );
    let witness = house.lab.cloud.witness();
    let camera = IpAddr::from(house.camera().address()?);
    let client = house.lamp().client(lamp).limit(Duration::from_secs(10));
    let session = client.subscribe(TOPIC, 1000)?;
    let before = witness.tally(camera, UDP, 9)?.frames;
    let (sent, lines, outcome, web) = thread::scope(|scope| {
        let flood = scope.spawn(|| flood(house.camera(), cloud(9), FLOOD, 64, FLOOD_TIME));
        thread::sleep(Duration::from_millis(500));
        let lines: Vec<String> = (1..=50).map(|count| count.to_string()).collect();
        let outcome = client.publish_all(TOPIC, &lines);
        let web = web_request(house.plug(), cloud(80));
        let busy = !flood.is_finished();
        let sent = flood
            .join()
            .map_err(|_| anyhow::anyhow!("the flood broke off"))?;
        anyhow::Ok((
            sent?,
            lines.len(),
            outcome.map(|o| o.succeeded() && busy)?,
            web,
        ))
    })?;
    let arrived = witness.tally(camera, UDP, 9)?.frames - before;
    // A second's worth may pass at once, and rates are kept to within a tenth.
    let seconds = FLOOD_TIME.as_secs() + 1;
    let allowed = u64::from(PACKETS_PER_S) * seconds * 11 / 10;
    stage.check(
        format!("The flood is held to {PACKETS_PER_S} packets a second"),
        arrived <= allowed && arrived > 0,
        format!("{sent} sent, {arrived} arrived in the cloud"),
    );
    let heard = until(Duration::from_secs(5), || session.messages().len() >= lines);
    stage.check(
        "The lamp's messages all get through meanwhile",
        outcome && heard,
        format!("{} of {lines}", session.messages().len()),
    );
    stage.check(
        "So does a web request of the plug",
        web.is_ok(),
        shown(&web),
    );
    let dropped = guard.dropped("camera", "flood-packets")?;
    stage.check(
        "mqttguard names the camera for it",
        dropped > 0,
        format!("{dropped} frames dropped as flood-packets"),
    );
    Ok(session)
}

fn guessed(stage: &mut Stage, house: &House, guard: &Guard, lamp: &Credential) -> Result<()> {
    stage.scene(
        "The visitor guesses passwords",
        "It knows the lamp's user name and tries one password after another. What the broker \
         learns, the kernel enforces: after five wrong ones the visitor does not even reach the \
         broker any more.",
    );
    let mut refused = 0;
    for guess in 0..LOGIN_FAILURES {
        let credential = lamp.with_password(&format!("lamp{guess}"));
        let outcome = house
            .visitor()
            .client(&credential)
            .v5()
            .publish(TOPIC, "off", 1)?;
        refused += u32::from(outcome.login_refused());
    }
    stage.check(
        "Every guess is refused",
        refused == LOGIN_FAILURES,
        format!("{refused} of {LOGIN_FAILURES}"),
    );
    until(Duration::from_secs(2), || {
        guard.state("visitor").is_ok_and(|s| s == "quarantined")
    });
    let state = guard.state("visitor")?;
    stage.check(
        "The visitor is in quarantine",
        state == "quarantined",
        state.clone(),
    );
    let knock = house
        .visitor()
        .connect((mqttguard_lab::address::ROUTER, lamp.port).into(), PATIENCE);
    stage.check(
        "The kernel drops its next knock at the broker",
        knock.is_err() && guard.dropped("visitor", "quarantined")? > 0,
        shown(&knock.map(|_| "connected".to_owned())),
    );
    let web = web_request(house.visitor(), cloud(80));
    stage.check("It may still surf", web.is_ok(), shown(&web));
    Ok(())
}

fn stolen(stage: &mut Stage, house: &House, guard: &Guard, lamp: &Credential) -> Result<()> {
    stage.scene(
        "The plug has the lamp's password",
        "The right password this time, read off a stolen backup. But it is the lamp's, and the \
         router knows the lamp.",
    );
    let outcome = house.plug().client(lamp).v5().publish(TOPIC, "off", 1)?;
    stage.check(
        "The right password is refused from the wrong device",
        outcome.login_refused(),
        outcome.first_complaint(),
    );
    let mac = house.plug().mac_text();
    let event = guard.wait_event("login-refused", Some(&mac));
    stage.check(
        "The owner is told who tried",
        event.is_ok(),
        shown(&event.map(|event| field(&event, "message"))),
    );
    let again = house.lamp().client(lamp).publish(TOPIC, "on", 1)?;
    stage.check(
        "The lamp itself is as welcome as ever",
        again.succeeded(),
        if again.succeeded() {
            "published".to_owned()
        } else {
            again.first_complaint()
        },
    );
    Ok(())
}

fn account(stage: &mut Stage, guard: &Guard) -> Result<()> {
    stage.scene(
        "mqttguard's own account",
        "What `ubus call mqttguard devices` says now:",
    );
    let mut devices = devices(guard)?;
    for device in &mut devices {
        // The same, with the device's events.
        *device = guard.device(&field(device, "mac"))?;
    }
    stage.print("");
    table::print(stage, &devices);
    stage.print("");
    for (name, reasons) in [
        ("plug", &["plaintext-port", "plaintext-connect"][..]),
        ("camera", &["flood-packets"]),
        ("visitor", &["quarantined"]),
    ] {
        let device = devices.iter().find(|device| field(device, "name") == name);
        let dropped = device.map(table::dropped).unwrap_or_default();
        let told = reasons
            .iter()
            .all(|r| dropped.iter().any(|(reason, _)| reason == r));
        stage.check(format!("It tells on the {name}"), told, reasons.join(", "));
    }
    let lamp = devices
        .iter()
        .find(|device| field(device, "name") == "lamp");
    let drops: u64 = lamp
        .map(table::dropped)
        .unwrap_or_default()
        .iter()
        .map(|(_, n)| n)
        .sum();
    stage.check(
        "It has nothing against the lamp",
        drops == 0,
        format!("{drops} frames dropped"),
    );
    stage.set_devices(devices);
    Ok(())
}

fn devices(guard: &Guard) -> Result<Vec<Value>> {
    let answer = guard.ubus("devices", &json!({}))?;
    answer
        .get("devices")
        .and_then(Value::as_array)
        .cloned()
        .with_context(|| format!("no devices in {answer}"))
}

fn has_address(device: &Value) -> bool {
    device
        .get("addresses")
        .and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
}

fn field(value: &Value, name: &str) -> String {
    value
        .get(name)
        .and_then(Value::as_str)
        .unwrap_or_default()
        .to_owned()
}

/// A result in words.
fn shown(result: &Result<String>) -> String {
    match result {
        Ok(text) => text.clone(),
        Err(error) => format!("{error:#}"),
    }
}
