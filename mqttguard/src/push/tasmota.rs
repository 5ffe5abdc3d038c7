//! Tasmota: commands by `GET /cm?cmnd=…`, whose answers are JSON.

use std::thread;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use super::session::{Ask, Session};
use super::{Cause, Failure, Given, Next, Order, SECRET, Task, both, digest, given, way};
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
) -> Result<Next, Failure> {
    let (port, tls) = look(session)?;
    let given = given(session, credential)?;
    let order = session.order;
    let both = both(order, &given);
    let commands = settings::tasmota(&both.real, port, tls);
    check(&commands)?;
    let real = Zeroizing::new(settings::backlog(&commands));
    if real.len() >= MAX_COMMAND {
        return Err(Cause::TooLong {
            setting: "commands",
            found: real.len(),
            most: MAX_COMMAND.saturating_sub(1),
        }
        .into());
    }
    let shown = settings::backlog(&settings::tasmota(&both.shown, port, tls));
    let mut ask = command(order, Task::Set, &real, shown);
    ask.is_secret = true;
    if order.dry_run {
        session.plan(&ask);
        return Ok(Next::DryRun);
    }
    session.ask(&ask)?;
    read_back(session, &given.username, port)?;
    Ok(Next::Restarts)
}

/// Whether it is Tasmota, lets us in, and has TLS in its build.
fn look(session: &mut Session<'_>) -> Result<(u16, bool), Failure> {
    let order = session.order;
    let status = show(session, order, Task::AskVersion, "Status 2")?;
    let version = status.pointer("/StatusFWR/Version").and_then(Value::as_str);
    if version.is_none() {
        let cause = match status.get("WARNING") {
            Some(_) if order.login.is_none() => Cause::LoginMissing,
            Some(_) => Cause::LoginRefused,
            None => Cause::OtherFirmware {
                firmware: order.firmware.firmware().title(),
                said: session.shown(&status.to_string()),
            },
        };
        return Err(session.failed(Task::AskVersion, cause));
    }
    // Builds without TLS do not know the command: it is then answered as any unknown one.
    let fingerprint = show(session, order, Task::AskTls, "MqttFingerprint1")?;
    let has_tls = fingerprint.get("MqttFingerprint1").is_some();
    let way = way(order, has_tls)?;
    session.tls = Some(way.1);
    // Most builds verify RSA alone, and a router makes that key in its first minutes.
    if way.1 && order.place.keys.len() < 2 {
        return Err(Cause::NoKey.into());
    }
    Ok(way)
}

fn show(
    session: &mut Session<'_>,
    order: &Order,
    task: Task,
    text: &str,
) -> Result<Value, Failure> {
    session.ask_json(&command(order, task, text, text.to_owned()))
}

/// A value of a single digit stands for something else: `0` for nothing, `1` for the default.
fn check(commands: &[Setting]) -> Result<(), Cause> {
    let texts = ["MqttUser", "MqttPassword", "Topic", "MqttHost"];
    for (name, value) in commands {
        let is_shortcut = value.len() == 1 && value.bytes().all(|b| b.is_ascii_digit());
        if texts.contains(name) && is_shortcut {
            return Err(Cause::Shortcut {
                setting: name,
                value: value.clone(),
            });
        }
    }
    Ok(())
}

/// The command that is asked, with the login of the web interface.
fn command(order: &Order, task: Task, text: &str, shown: String) -> Ask<'static> {
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
        ..Ask::get(task, "/cm")
    }
}

/// That it has what it was sent, but for the password, which it does not tell.
fn read_back(session: &mut Session<'_>, username: &str, port: u16) -> Result<(), Failure> {
    let order = session.order;
    let task = Task::ReadBack;
    loop {
        // A connection that is refused is no failure yet: it may be restarting.
        thread::sleep(PAUSE);
        let found = show(session, order, task, "Status 6");
        let differs = match &found {
            Ok(status) => differing(status, &order.place.server, username, port),
            Err(_) => None,
        };
        let may_wait = session.has(PATIENCE);
        match (found, differs) {
            (Ok(_), None) => return Ok(()),
            (Ok(_), Some((name, found))) if !may_wait => {
                let found = session.shown(&found);
                let setting = name.to_owned();
                return Err(session.failed(task, Cause::Differs { setting, found }));
            }
            (Err(why), _) if !may_wait => {
                return Err(Failure {
                    perhaps: true,
                    ..why
                });
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
