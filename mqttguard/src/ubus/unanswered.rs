//! Calls that no method has answered.

use std::fmt;

use serde_json::Value;

use super::{MethodError, Status};
use crate::coded::Coded;

/// Why a call was not answered by the method that it was for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unanswered {
    /// Too many calls wait, or nobody takes them any more.
    Busy,
    /// It took too long.
    Late(&'static str),
    /// The method has given its answer up.
    Dropped,
}

impl Unanswered {
    /// One of each, for the reference.
    pub(crate) const ALL: [Unanswered; 3] = [
        Unanswered::Busy,
        Unanswered::Late("{method}"),
        Unanswered::Dropped,
    ];
}

impl From<Unanswered> for MethodError {
    fn from(why: Unanswered) -> MethodError {
        let status = match why {
            Unanswered::Busy => Status::NoMemory,
            Unanswered::Late(_) => Status::Timeout,
            Unanswered::Dropped => Status::UnknownError,
        };
        MethodError::coded(status, &why)
    }
}

impl Coded for Unanswered {
    fn code(&self) -> &'static str {
        match self {
            Unanswered::Busy => "daemon-busy",
            Unanswered::Late(_) => "late",
            Unanswered::Dropped => "no-answer",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            Unanswered::Late(method) => vec![("method", Value::from(*method))],
            Unanswered::Busy | Unanswered::Dropped => Vec::new(),
        }
    }
}

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unanswered::Busy => f.write_str("the daemon is busy or stopping, try again"),
            Unanswered::Late(method) => write!(f, "{method} gave no answer in time"),
            Unanswered::Dropped => f.write_str("the method gave no answer"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn all_of_them_are_all_there_is() {
        let codes = Unanswered::ALL.iter().map(|one| one.code().to_owned());
        let source = include_str!("unanswered.rs");
        assert_eq!(
            codes_of(source, "impl Coded for Unanswered"),
            codes.collect()
        );
    }
}
