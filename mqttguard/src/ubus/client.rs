//! The client side: one call, or all notifications of an object.

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::path::Path;
use std::time::Duration;

use serde_json::{Map, Value};

use super::Status;
use super::connection::{Bus, BusError, Message};
use super::wake::wait;

/// Why a call gave no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// ubusd is not there, or refuses the connection.
    #[error("{0}")]
    Connect(String),
    /// No such object on the bus, or none that the caller may see.
    #[error("there is no object {0} on the bus")]
    NoObject(String),
    /// The method said no.
    #[error("{message}")]
    Refused {
        /// The number it gave.
        status: Status,
        /// The text it gave, or the number in words.
        message: String,
        /// All that it gave: `error`, `code` and values, or nothing.
        data: Map<String, Value>,
    },
    /// No answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The connection broke, or the arguments or the reply cannot be carried over the bus.
    #[error("{0}")]
    Failed(String),
}

impl From<BusError> for CallError {
    fn from(error: BusError) -> Self {
        match error {
            BusError::Connect { .. } => CallError::Connect(error.to_string()),
            BusError::Timeout => CallError::Timeout,
            BusError::Refused {
                status, ref data, ..
            } => CallError::Refused {
                status,
                message: error.to_string(),
                data: data.clone(),
            },
            BusError::Closed | BusError::Malformed(_) | BusError::Blob(_) => {
                CallError::Failed(error.to_string())
            }
        }
    }
}

fn find(bus: &mut Bus, object: &str) -> Result<u32, CallError> {
    bus.lookup(object).map_err(|error| match error {
        BusError::Refused {
            status: Status::NotFound,
            ..
        } => CallError::NoObject(object.into()),
        error => error.into(),
    })
}

/// Calls a method and returns its reply, an object; empty if it replied nothing. `args` is an
/// object, or null for none. `timeout` is what the method may take; ubusd gets a few seconds more.
pub fn call(
    socket: &Path,
    object: &str,
    method: &str,
    args: Value,
    timeout: Duration,
) -> Result<Value, CallError> {
    let args = match args {
        Value::Object(args) => args,
        Value::Null => Map::new(),
        other => {
            return Err(CallError::Failed(format!(
                "arguments must be an object, found {other}"
            )));
        }
    };
    let mut bus = Bus::connect(socket)?;
    let object = find(&mut bus, object)?;
    Ok(Value::Object(bus.invoke(object, method, &args, timeout)?))
}

/// Hands every notification of an object to `each`, its name and its data, until `each` breaks.
/// An error says why there will be no more: the object or the bus is gone.
pub fn subscribe(
    socket: &Path,
    object: &str,
    mut each: impl FnMut(&str, Value) -> ControlFlow<()>,
) -> Result<(), CallError> {
    let mut bus = Bus::connect(socket)?;
    let target = find(&mut bus, object)?;
    let subscriber = bus.add_subscriber()?;
    bus.subscribe(subscriber, target)?;
    loop {
        while let Some(message) = bus.next()? {
            match message {
                Message::Invoke(invoke) => {
                    bus.answer(invoke.to, None, None)?;
                    let data = Value::Object(invoke.data.map_err(BusError::from)?);
                    if each(&invoke.method, data).is_break() {
                        return Ok(());
                    }
                }
                Message::Unsubscribed { target: gone } if gone == target => {
                    return Err(CallError::NoObject(object.into()));
                }
                Message::Unsubscribed { .. } | Message::Active(_) | Message::Other => {}
            }
        }
        wait(&[bus.as_fd()], None).map_err(|error| CallError::Failed(error.to_string()))?;
    }
}
