//! OpenBeken: the form of its web page for MQTT. Its commands do not reach the port and TLS.

use serde_json::Value;
use zeroize::Zeroizing;

use super::session::{Ask, Session};
use super::{Given, both, digest, given, way};
use crate::naming::settings::{self, OPENBEKEN_CA_FILE, Setting, query};

const FORM: &str = "/cfg_mqtt";
/// What the handler of the form has room for, beside a zero.
const MAX_VALUE: usize = 127;

pub(super) fn push(
    session: &mut Session<'_>,
    credential: &mut dyn FnMut() -> Result<Given, String>,
) -> Result<String, String> {
    let order = session.order;
    let user = order.login.as_ref().and_then(|login| login.user.as_deref());
    let user = user.unwrap_or(digest::USER);
    let form = |what| Ask {
        basic: Some(user),
        ..Ask::get(what, FORM)
    };
    let what = "look at its settings of MQTT";
    let page = session.ask(&form(what))?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    if !page.contains("cfg_mqtt_set") {
        return Err(session.failed(what, "it is not OpenBeken's page"));
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
        let length = value.len();
        return Err(format!(
            "{name}: found {length} bytes, expected at most {MAX_VALUE}"
        ));
    }
    let shown = settings::openbeken(&both.shown, port, tls);
    let shown: Vec<_> = shown.iter().map(|(n, v)| format!("{n}={v}")).collect();
    let pairs: Vec<_> = fields.iter().map(|(n, v)| (*n, v.as_str())).collect();
    let ask = Ask {
        query: Zeroizing::new(query(&pairs)),
        shown: Some(shown.join(" ")),
        is_secret: true,
        basic: Some(user),
        ..Ask::get("set the broker and the login", "/cfg_mqtt_set")
    };
    if order.dry_run {
        session.plan(&ask);
        return Ok("nothing was set: this was a dry run".to_owned());
    }
    session.ask(&ask)?;
    let what = "read the settings back";
    let page = session.ask(&form(what))?;
    let page = String::from_utf8_lossy(&page.body).into_owned();
    if let Some(name) = differing(&page, &fields) {
        let found = value_of(&page, name).map_or("nothing".to_owned(), |v| session.shown(v));
        // Its page shows the password.
        let found = if name == "password" {
            "another"
        } else {
            &found
        };
        let why = format!("{name}: found '{found}', expected what was sent");
        return Err(session.failed(what, why));
    }
    Ok("it connects again within ten seconds".to_owned())
}

/// Writes the CA into the device's file system. Held against its length: with a file that is no
/// certificate OpenBeken would go on without TLS.
fn put_ca(session: &mut Session<'_>, user: &str) -> Result<(), String> {
    let order = session.order;
    let ca = &order.place.ca;
    let what = "store the router's CA certificate";
    let ask = Ask {
        body: Some(("text/plain", Zeroizing::new(ca.clone()))),
        shown: Some(format!("the CA certificate, {} bytes", ca.len())),
        basic: Some(user),
        ..Ask::get(what, &format!("/api/lfs/{OPENBEKEN_CA_FILE}"))
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
            let found = session.shown(&answer.to_string());
            let why = format!("found '{found}', expected a size of {}", ca.len());
            Err(session.failed(what, why))
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
