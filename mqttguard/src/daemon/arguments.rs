//! The arguments of a call, as the methods want them: each that does not fit is told with what was
//! found and expected.

use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Map, Value};

use super::answers::invalid;
use super::fault::Fault;
use crate::config;
use crate::events::Because;
use crate::naming::Firmware;
use crate::ubus::MethodError;

/// Longest reason an owner may give for a block, in bytes.
const WHY_BYTES: usize = 200;

/// All arguments of a call, by their names.
pub(super) type Args = Map<String, Value>;

/// The owner's reason, or what stands for it.
pub(super) fn why(args: &Args, otherwise: Because) -> Result<Because, MethodError> {
    let Some(why) = text(args, "why") else {
        return Ok(otherwise);
    };
    match why.len() {
        ..=WHY_BYTES => Ok(Because::Note(why.to_owned())),
        found => Err(Fault::NoteTooLong {
            found,
            most: WHY_BYTES,
        }
        .into()),
    }
}

/// A text; None if there is none, or nothing in it.
pub(super) fn text<'a>(args: &'a Args, name: &str) -> Option<&'a str> {
    args.get(name)
        .and_then(Value::as_str)
        .filter(|text| !text.is_empty())
}

/// A firmware; None if none is named.
pub(super) fn firmware(args: &Args) -> Result<Option<Firmware>, MethodError> {
    let Some(name) = text(args, "firmware") else {
        return Ok(None);
    };
    Firmware::named(name).map(Some).ok_or_else(|| {
        let known = Firmware::ALL.map(Firmware::name).join(", ");
        invalid(format!(
            "firmware: found '{name}', expected one of: {known}"
        ))
    })
}

/// A destination; None if there is none.
pub(super) fn destination(args: &Args) -> Result<Option<IpNet>, MethodError> {
    let destination = text(args, "destination").map(config::destination);
    destination
        .transpose()
        .map_err(|error| invalid(format!("destination: {error}")))
}

/// A TCP or UDP port; None if there is none.
pub(super) fn port(args: &Args) -> Result<Option<u16>, MethodError> {
    let Some(found) = args.get("port") else {
        return Ok(None);
    };
    let port = found.as_u64().and_then(|port| u16::try_from(port).ok());
    port.filter(|port| *port > 0).map(Some).ok_or_else(|| {
        invalid(format!(
            "port: found {found}, expected a TCP or UDP port from 1 to 65535"
        ))
    })
}

/// A number of seconds within these bounds; None if there is none.
pub(super) fn span(
    args: &Args,
    name: &str,
    (shortest, longest): (Duration, Duration),
) -> Result<Option<Duration>, MethodError> {
    let Some(found) = args.get(name) else {
        return Ok(None);
    };
    let time = found.as_u64().map(Duration::from_secs);
    let time = time.filter(|time| (shortest..=longest).contains(time));
    time.map(Some).ok_or_else(|| {
        let (shortest, longest) = (shortest.as_secs(), longest.as_secs());
        invalid(format!(
            "{name}: found {found}, expected a number of seconds from {shortest} to {longest}"
        ))
    })
}
