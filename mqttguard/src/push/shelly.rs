//! Shelly of the second and later generations: `POST /rpc/<method>`, parameters and answers in JSON.

use serde_json::Value;
use zeroize::Zeroizing;

use super::session::{Ask, Session};
use super::{Both, Cause, Failure, Given, Next, Task, both, given, way};
use crate::json::json;
use crate::naming::settings;

/// A file is taken in pieces, since a frame of the protocol has a limit. That is not documented;
/// this is what the maker's own tools send.
const PIECE: usize = 1024;

pub(super) fn push(
    session: &mut Session<'_>,
    credential: &mut dyn FnMut() -> Result<Given, String>,
) -> Result<Next, Failure> {
    let before = look(session)?;
    let (port, _) = way(session.order, true)?;
    session.tls = Some(true);
    put_ca(session)?;
    let given = given(session, credential)?;
    let order = session.order;
    let both = both(order, &given);
    let [_, (configure, config)] = settings::shelly(&both.real, port);
    let mut ask = call(Task::Set, configure, &config);
    let adjusted = adjust(&config, &before);
    ask.body = Some(body(&adjusted));
    ask.shown = Some(adjust(&shown(&both, port), &before).to_string());
    ask.is_secret = true;
    let mut restart = call(Task::Restart, settings::SHELLY_RESTART, &json!({}));
    restart.shown = None;
    if order.dry_run {
        session.plan(&ask);
        session.plan(&restart);
        return Ok(Next::DryRun);
    }
    let answer = session.ask_json(&ask)?;
    read_back(session, &adjusted)?;
    if answer.get("restart_required").and_then(Value::as_bool) == Some(false) {
        return Ok(Next::Connects);
    }
    session.ask(&restart)?;
    Ok(Next::Restarts)
}

fn shown(both: &Both<'_>, port: u16) -> Value {
    let [_, (_, config)] = settings::shelly(&both.shown, port);
    config
}

/// Whether it is a Shelly that can do this and lets us in; its settings of MQTT.
fn look(session: &mut Session<'_>) -> Result<Value, Failure> {
    let info = session.ask_json(&Ask::get(Task::AskWhat, "/shelly"))?;
    let generation = info.get("gen").and_then(Value::as_u64);
    if generation.is_none_or(|generation| generation < 2) {
        let said = session.shown(&info.to_string());
        let firmware = session.order.firmware.firmware().title();
        return Err(session.failed(Task::AskWhat, Cause::OtherFirmware { firmware, said }));
    }
    session.ask_json(&call(Task::Look, "MQTT.GetConfig", &json!({})))
}

/// A client certificate that the device was set up with would be used, and no password.
fn adjust(params: &Value, before: &Value) -> Value {
    let mut params = params.clone();
    let has_certificate = before.get("use_client_cert").and_then(Value::as_bool) == Some(true);
    let config = params.get_mut("config").and_then(Value::as_object_mut);
    if let (true, Some(config)) = (has_certificate, config) {
        config.insert("use_client_cert".to_owned(), false.into());
    }
    params
}

fn put_ca(session: &mut Session<'_>) -> Result<(), Failure> {
    let order = session.order;
    let ca = &order.place.ca;
    let mut rest = ca.as_str();
    while !rest.is_empty() {
        let (piece, after) = rest.split_at(rest.floor_char_boundary(PIECE));
        let params = json!({ "data": piece, "append": rest.len() < ca.len() });
        let mut ask = call(Task::StoreCa, settings::SHELLY_UPLOAD, &params);
        ask.shown = Some(format!("the CA certificate, {} bytes", piece.len()));
        match order.dry_run {
            true => session.plan(&ask),
            false => drop(session.ask(&ask)?),
        }
        rest = after;
    }
    Ok(())
}

/// That it has what it was sent, but for the password, which it does not tell.
fn read_back(session: &mut Session<'_>, sent: &Value) -> Result<(), Failure> {
    let found = session.ask_json(&call(Task::ReadBack, "MQTT.GetConfig", &json!({})))?;
    let sent = sent.get("config").and_then(Value::as_object);
    for (name, wanted) in sent.into_iter().flatten() {
        let is = found.get(name).unwrap_or(&Value::Null);
        if name != "pass" && is != wanted {
            let found = session.shown(&is.to_string());
            let setting = name.clone();
            return Err(session.failed(Task::ReadBack, Cause::Differs { setting, found }));
        }
    }
    Ok(())
}

fn call(task: Task, method: &str, params: &Value) -> Ask<'static> {
    Ask {
        body: Some(body(params)),
        ..Ask::get(task, &format!("/rpc/{method}"))
    }
}

fn body(params: &Value) -> (&'static str, Zeroizing<String>) {
    ("application/json", Zeroizing::new(params.to_string()))
}
