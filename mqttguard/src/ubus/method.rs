//! What a method looks like from both sides of the channel.

use std::fmt;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Duration;

use serde_json::{Map, Value};
use ubus::{BlobBuilder, BlobType};

use super::wake::Wake;
use super::{Status, Unanswered};
use crate::coded::Coded;

/// What an argument must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ArgType {
    /// Text.
    String,
    /// A whole number; INT32 in the signature, INT64 is taken too.
    Integer,
    /// True or false; INT8 on the wire.
    Boolean,
    /// A list.
    Array,
    /// An object.
    Table,
}

impl ArgType {
    fn blob_type(self) -> BlobType {
        match self {
            ArgType::String => BlobType::String,
            ArgType::Integer => BlobType::Int32,
            ArgType::Boolean => BlobType::Int8,
            ArgType::Array => BlobType::Array,
            ArgType::Table => BlobType::Table,
        }
    }

    fn admits(self, value: &Value) -> bool {
        match self {
            ArgType::String => value.is_string(),
            ArgType::Integer => value.is_i64() || value.is_u64(),
            ArgType::Boolean => value.is_boolean(),
            ArgType::Array => value.is_array(),
            ArgType::Table => value.is_object(),
        }
    }

    fn name(self) -> &'static str {
        match self {
            ArgType::String => "a string",
            ArgType::Integer => "an integer",
            ArgType::Boolean => "a boolean",
            ArgType::Array => "an array",
            ArgType::Table => "a table",
        }
    }
}

/// One method of the object: its name and arguments, as `ubus -v list` shows them.
#[derive(Clone, Copy, Debug)]
pub struct MethodSpec {
    /// The method's name.
    pub name: &'static str,
    /// Every argument it knows. None is mandatory on the wire; the handler decides.
    pub args: &'static [(&'static str, ArgType)],
}

impl MethodSpec {
    /// The arguments this method declares, checked for type. Others are dropped, as libubus does:
    /// uhttpd adds `ubus_rpc_session` to every call.
    pub(super) fn check(
        &self,
        mut given: Map<String, Value>,
    ) -> Result<Map<String, Value>, MethodError> {
        let mut args = Map::new();
        for (name, kind) in self.args {
            let Some(value) = given.remove(*name) else {
                continue;
            };
            if !kind.admits(&value) {
                return Err(MethodError::new(
                    Status::InvalidArgument,
                    format!(
                        "argument {name}: expected {}, found {}",
                        kind.name(),
                        found(&value)
                    ),
                ));
            }
            args.insert((*name).to_owned(), value);
        }
        Ok(args)
    }
}

fn found(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(number) if number.is_f64() => "a real number",
        Value::Number(_) => "an integer",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "a table",
    }
}

/// The methods as ADD_OBJECT carries them: a table a method, an INT32 an argument whose value is
/// the blobmsg type.
pub(super) fn signature(methods: &[MethodSpec]) -> Vec<u8> {
    let mut builder = BlobBuilder::new();
    for method in methods {
        builder.open_table(Some(method.name));
        for (name, kind) in method.args {
            builder.put_i32(Some(name), i32::from(kind.blob_type() as u8));
        }
        builder.close_table();
    }
    builder.finish()
}

/// Why a method did not do what was asked.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct MethodError {
    /// The number the caller gets.
    pub status: Status,
    /// What to tell the person behind the caller. Goes over the bus: no secrets.
    pub message: String,
    /// `code` and the values of the sentence, if it has a code.
    pub coded: Map<String, Value>,
}

impl MethodError {
    /// An error with this status and text.
    pub fn new(status: Status, message: impl Into<String>) -> Self {
        MethodError {
            status,
            message: message.into(),
            coded: Map::new(),
        }
    }

    /// An error with this status, and the sentence, code and values of what is told.
    pub fn coded(status: Status, told: &impl Coded) -> Self {
        let mut coded = Map::from_iter([("code".to_owned(), told.code().into())]);
        for (name, value) in told.values() {
            coded.insert(name.to_owned(), value);
        }
        MethodError {
            status,
            message: told.to_string(),
            coded,
        }
    }
}

/// A method call that waits for its answer.
pub struct Call {
    /// The method, one of those given to [`super::serve`].
    pub method: &'static str,
    /// The declared arguments that were given, each of its declared type.
    pub args: Map<String, Value>,
    /// Where the answer goes.
    pub reply: Reply,
}

/// Shows no arguments: passwords are among them.
impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Takes one answer. Dropped without one, the caller is told that the method failed.
pub struct Reply {
    pub(super) token: u64,
    pub(super) answers: SyncSender<Answer>,
    pub(super) wake: Arc<Wake>,
    pub(super) answered: bool,
}

/// What a method says of a call.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) token: u64,
    pub(super) said: Said,
}

#[derive(Debug)]
pub(super) enum Said {
    /// The answer.
    Result(Result<Value, MethodError>),
    /// It comes within this time from now.
    Later(Duration),
}

impl Reply {
    /// Answers the call with an object, or with an error. Never blocks. An answer that comes after
    /// the call timed out is dropped.
    pub fn send(mut self, result: Result<Value, MethodError>) {
        self.put(result);
    }

    /// The answer takes longer than a call may otherwise, but not longer than this. To be said once.
    pub fn later(&self, time: Duration) {
        self.say(Said::Later(time));
    }

    fn put(&mut self, result: Result<Value, MethodError>) {
        self.answered = true;
        self.say(Said::Result(result));
    }

    fn say(&self, said: Said) {
        // Twice as many slots as calls can wait: only answers to calls that timed out can fill it.
        let _ = self.answers.try_send(Answer {
            token: self.token,
            said,
        });
        self.wake.wake();
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        if !self.answered {
            self.put(Err(Unanswered::Dropped.into()));
        }
    }
}

impl fmt::Debug for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reply")
            .field("token", &self.token)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SPEC: MethodSpec = MethodSpec {
        name: "pair",
        args: &[("mac", ArgType::String), ("seconds", ArgType::Integer)],
    };

    fn check(given: Value) -> Result<Value, String> {
        let Value::Object(given) = given else {
            panic!("not an object")
        };
        SPEC.check(given)
            .map(Value::Object)
            .map_err(|error| error.message)
    }

    #[test]
    fn keeps_what_is_declared_and_drops_the_rest() {
        assert_eq!(
            check(json!({"mac": "x", "seconds": 5, "ubus_rpc_session": "0000"})),
            Ok(json!({"mac": "x", "seconds": 5}))
        );
        assert_eq!(check(json!({})), Ok(json!({})));
    }

    #[test]
    fn names_the_argument_that_is_of_the_wrong_type() {
        assert_eq!(
            check(json!({"mac": 1})),
            Err("argument mac: expected a string, found an integer".to_owned())
        );
        assert_eq!(
            check(json!({"seconds": 1.5})),
            Err("argument seconds: expected an integer, found a real number".to_owned())
        );
    }
}
