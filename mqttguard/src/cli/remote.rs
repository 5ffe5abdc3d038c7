//! Calls to the daemon, and what to say when they fail.

use std::time::Duration;

use serde_json::{Map, Value};

use super::Failure;
use super::args::Args;
use crate::ubus::{self, CallError, Status};

/// How long the daemon may take. Making a credential is the longest: the hash of a password is
/// slow on purpose, and more so on a small router.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Calls a method of the daemon.
pub(super) fn call(args: &Args, method: &str, arguments: Value) -> Result<Value, Failure> {
    call_within(TIMEOUT, args, method, arguments)
}

/// The same, where the daemon may take so long.
pub(super) fn call_within(
    time: Duration,
    args: &Args,
    method: &str,
    arguments: Value,
) -> Result<Value, Failure> {
    ubus::call(args.socket(), ubus::OBJECT, method, arguments, time).map_err(explain)
}

/// The arguments of a method that is about one device: the device, and those of `options` that
/// were given.
pub(super) fn about_device(args: &Args, options: &[&str]) -> Result<Value, Failure> {
    let mut arguments = Map::new();
    arguments.insert("device".into(), args.word().into());
    for name in options {
        if let Some(value) = args.text(name)? {
            arguments.insert((*name).into(), value.into());
        }
    }
    Ok(arguments.into())
}

/// What failed, and what to do about it.
pub(super) fn explain(error: CallError) -> Failure {
    match error {
        CallError::Connect(why) => Failure::Unreachable(format!(
            "ubusd cannot be reached: {why}. On a router it always runs; elsewhere name its \
             socket with --socket"
        )),
        CallError::NoObject(_) => Failure::Unreachable(
            "mqttguard is not running: /etc/init.d/mqttguard start (if that does not help: \
             logread -e mqttguard)"
                .into(),
        ),
        CallError::Timeout => Failure::Unreachable(
            "mqttguard does not answer: see logread -e mqttguard, then \
             /etc/init.d/mqttguard restart"
                .into(),
        ),
        CallError::Refused {
            status: Status::PermissionDenied,
            message,
            ..
        } => Failure::Refused(format!("{message}: run this as root")),
        CallError::Refused { message, .. } => Failure::Refused(message),
        CallError::Failed(why) => {
            Failure::Unreachable(format!("the call to mqttguard failed: {why}"))
        }
    }
}
