//! OpenBeken: the form of its web page for MQTT. Its commands do not reach the port and TLS.

use serde_json::Value;
use zeroize::Zeroizing;

use super::session::{Ask, Session};
use super::{Cause, Failure, Given, Next, Task, both, digest, given, way};
use crate::naming::settings::{self, OPENBEKEN_CA_FILE, Setting, query};

const FORM: &str = "/cfg_mqtt";
/// What the handler of the form has room for, beside a zero.
const MAX_VALUE: usize = 127;

pub(super) fn push(
    session: &mut Session<'_>,
    credential: &mut dyn FnMut() -> Result<Given, String>,
) -> Result<Next, Failure> {
    let order = session.order;
    let user = order.login.as_ref().and_then(|login| login.user.as_deref());
    let user = user.unwrap_or(digest::USER);
    let form = |task| Ask {
        basic: Some(user),
        ..Ask::get(task, FORM)
    };
    let page = session.ask(&form(Task::Look))?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    if !page.contains("cfg_mqtt_set") {
        let firmware = order.firmware.firmware().title();
        let said = session.shown(&page);
        return Err(session.failed(Task::Look, Cause::OtherFirmware { firmware, said }));
    }
    let has_tls = page.contains("name=\"mqtt_use_tls\"");
    let (port, tls) = way(order, has_tls)?;
    session.tls = Some(tls);
    if tls {
        put_ca(session, user)?;
    }
    let given = given(session, credential)?;
    let both = both(order, &given);
    let fields = settings::openbeken(&both.real, port, tls);
    if let Some((name, value)) = fields.iter().find(|(_, value)| value.len() > MAX_VALUE) {
        let (found, most) = (value.len(), MAX_VALUE);
        let setting = name;
        return Err(Cause::TooLong {
            setting,
            found,
            most,
        }
        .into());
    }
    let shown = settings::openbeken(&both.shown, port, tls);
    let shown: Vec<_> = shown.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let pairs: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let ask = Ask {
        query: Zeroizing::new(query(&pairs)),
        shown: Some(shown.join(" ")),
        is_secret: true,
        basic: Some(user),
        ..Ask::get(Task::Set, "/cfg_mqtt_set")
    };
    if order.dry_run {
        session.plan(&ask);
        return Ok(Next::DryRun);
    }
    session.ask(&ask)?;
    let page = session.ask(&form(Task::ReadBack))?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    if let Some(name) = differing(&page, &fields) {
        let found = match value_of(&page, name) {
            // Its page shows the password.
            Some(_) if name == "password" => "***".to_owned(),
            Some(value) => session.shown(value),
            None => String::new(),
        };
        let setting = name.to_owned();
        return Err(session.failed(Task::ReadBack, Cause::Differs { setting, found }));
    }
    Ok(Next::ConnectsSoon)
}

/// Writes the CA into the device's file system. Held against its length: with a file that is no
/// certificate OpenBeken would go on without TLS.
fn put_ca(session: &mut Session<'_>, user: &str) -> Result<(), Failure> {
    let order = session.order;
    let ca = &order.place.ca;
    let ask = Ask {
        body: Some(("text/plain", Zeroizing::new(ca.clone()))),
        shown: Some(format!("the CA certificate, {} bytes", ca.len())),
        basic: Some(user),
        ..Ask::get(Task::StoreCa, &format!("/api/lfs/{OPENBEKEN_CA_FILE}"))
    };
    if order.dry_run {
        session.plan(&ask);
        return Ok(());
    }
    let answer = session.ask_json(&ask)?;
    let size = answer.get("size").and_then(Value::as_u64);
    match size == u64::try_from(ca.len()).ok() {
        true => Ok(()),
        false => {
            let said = session.shown(&answer.to_string());
            let expected = ca.len();
            Err(session.failed(Task::StoreCa, Cause::CaNotStored { said, expected }))
        }
    }
}

/// The field that does not show what was sent.
fn differing(page: &str, fields: &[Setting]) -> Option<&'static str> {
    let differs = |(name, wanted): &&Setting| {
        let found = value_of(page, name);
        let is_box = matches!(*name, "mqtt_use_tls" | "mqtt_verify_tls_cert");
        let is_so = match is_box {
            true => page.contains(&format!("name=\"{name}\" value=\"1\" checked")),
            false => found == Some(wanted.as_str()),
        };
        !is_so
    };
    fields.iter().find(differs).map(|(name, _)| *name)
}

/// What a field of the page holds.
fn value_of<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = page.split_once(&format!("name=\"{name}\" value=\""))?;
    rest.split_once('"').map(|(value, _)| value)
}
