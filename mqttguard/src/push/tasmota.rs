//! Tasmota: commands by `GET /cm?cmnd=…`, whose answers are JSON.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::session::{Ask, Session};
use super::{Given, Order, SECRET, both, digest, given, way};
use crate::naming::settings::{self, Setting, query};

/// The web server takes commands that are shorter than a packet of MQTT: 1,000 bytes in versions
/// before 8.1.0.8, 1,200 since.
const MAX_COMMAND: usize = 1000;
/// Until when the settings are asked for again: a backlog is worked off after the answer, and then
/// Tasmota restarts.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(400);

pub(super) fn push(
    session: &mut Session<'_>,
    credential: &mut dyn FnMut() -> Result<Given, String>,
) -> Result<String, String> {
    let (port, tls) = look(session)?;
    let given = given(session, credential)?;
    let order = session.order;
    let both = both(order, &given);
    let commands = settings::tasmota(&both.real, port, tls);
    check(&commands)?;
    let real = Zeroizing::new(settings::backlog(&commands));
    if real.len() >= MAX_COMMAND {
        return Err(format!(
            "found {} bytes of commands, expected less than {MAX_COMMAND}",
            real.len()
        ));
    }
    let shown = settings::backlog(&settings::tasmota(&both.shown, port, tls));
    let mut ask = command(order, "set the broker and the login", &real, shown);
    ask.is_secret = true;
    if order.dry_run {
        session.plan(&ask);
        return Ok("nothing was set: this was a dry run".to_owned());
    }
    session.ask(&ask)?;
    read_back(session, &given.username, port)?;
    Ok("it restarts by itself and connects within a minute".to_owned())
}

/// Whether it is Tasmota, lets us in, and has TLS in its build.
fn look(session: &mut Session<'_>) -> Result<(u16, bool), String> {
    let order = session.order;
    let status = show(session, order, "ask which version it is", "Status 2")?;
    let version = status.pointer("/StatusFWR/Version").and_then(Value::as_str);
    if version.is_none() {
        let said = session.shown(&status.to_string());
        let why = match status.get("WARNING") {
            Some(_) if order.login.is_none() => {
                "its web interface asks for a password; give it one".to_owned()
            }
            Some(_) => "it refuses the login of its web interface".to_owned(),
            None => format!("found '{said}', expected Tasmota's version"),
        };
        return Err(session.failed("ask which version it is", why));
    }
    // Builds without TLS do not know the command: it is then answered as any unknown one.
    let what = "ask whether its build has TLS";
    let fingerprint = show(session, order, what, "MqttFingerprint1")?;
    let has_tls = fingerprint.get("MqttFingerprint1").is_some();
    let way = way(order, has_tls)?;
    session.tls = Some(way.1);
    // Most builds verify RSA alone, and a router makes that key in its first minutes.
    if way.1 && order.place.keys.len() < 2 {
        return Err(
            "the router is still making the key that Tasmota verifies: try again in a \
             minute"
                .to_owned(),
        );
    }
    Ok(way)
}

fn show(
    session: &mut Session<'_>,
    order: &Order,
    what: &'static str,
    text: &str,
) -> Result<Value, String> {
    session.ask_json(&command(order, what, text, text.to_owned()))
}

/// A value of a single digit stands for something else: `0` for nothing, `1` for the default.
fn check(commands: &[Setting]) -> Result<(), String> {
    let texts = ["MqttUser", "MqttPassword", "Topic", "MqttHost"];
    for (name, value) in commands {
        let is_shortcut = value.len() == 1 && value.bytes().all(|b| b.is_ascii_digit());
        if texts.contains(name) && is_shortcut {
            return Err(format!(
                "{name}: '{value}' is a shortcut to Tasmota; give the device another name"
            ));
        }
    }
    Ok(())
}

/// The command that is asked, with the login of the web interface.
fn command(order: &Order, what: &'static str, text: &str, shown: String) -> Ask<'static> {
    let mut fields = Vec::new();
    let mut login = String::new();
    if let Some(given) = &order.login {
        let user = given.user.as_deref().unwrap_or(digest::USER);
        fields.push(("user", user));
        fields.push(("password", given.password.as_str()));
        login = format!("user={user} password={SECRET} ");
    }
    fields.push(("cmnd", text));
    Ask {
        query: Zeroizing::new(query(&fields)),
        shown: Some(format!("{login}cmnd={shown}")),
        ..Ask::get(what, "/cm")
    }
}

/// That it has what it was sent, but for the password, which it does not tell.
fn read_back(session: &mut Session<'_>, username: &str, port: u16) -> Result<(), String> {
    let order = session.order;
    let what = "read the settings back";
    loop {
        // A connection that is refused is no failure yet: it may be restarting.
        thread::sleep(PAUSE);
        let found = show(session, order, what, "Status 6");
        let differs = match &found {
            Ok(status) => differing(status, &order.place.server, username, port),
            Err(_) => None,
        };
        let may_wait = session.has(PATIENCE);
        match (found, differs) {
            (Ok(_), None) => return Ok(()),
            (Ok(_), Some((name, found))) if !may_wait => {
                let found = session.shown(&found);
                let why = format!("{name}: found '{found}', expected what was sent");
                return Err(session.failed(what, why));
            }
            (Err(why), _) if !may_wait => {
                return Err(format!("{why}; it may have taken them all the same"));
            }
            _ => session.forget_last(),
        }
    }
}

/// A setting that is not what was sent, and what it is.
fn differing(
    status: &Value,
    server: &str,
    username: &str,
    port: u16,
) -> Option<(&'static str, String)> {
    let wanted = [
        ("MqttHost", Value::from(server)),
        ("MqttPort", Value::from(port)),
        ("MqttUser", Value::from(username)),
    ];
    wanted.into_iter().find_map(|(name, wanted)| {
        let found = status.get("StatusMQT").and_then(|all| all.get(name));
        let found = found.cloned().unwrap_or_default();
        (found != wanted).then(|| (name, found.to_string()))
    })
}
