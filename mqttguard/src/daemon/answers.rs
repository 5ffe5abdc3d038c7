//! What a call is answered when it fails: the status of libubus, and a sentence.

use mqttguard_common::Mac;
use serde_json::Value;

use super::fault::Fault;
use crate::registry::Refused;
use crate::ubus::{MethodError, Status};

/// What a method comes to.
pub(super) type Answer = Result<Value, MethodError>;

/// An argument does not fit.
pub(super) fn invalid(message: String) -> MethodError {
    MethodError::new(Status::InvalidArgument, message)
}

/// The registry has no such device.
pub(super) fn never_seen(mac: Mac) -> MethodError {
    Fault::NeverSeen { mac }.into()
}

/// The registry's rules are against it.
pub(super) fn refused(why: Refused) -> MethodError {
    let status = match why {
        Refused::Full(_)
        | Refused::TooManyAllowances(_)
        | Refused::TooManyLearning(_)
        | Refused::TooManyPairings(_)
        | Refused::TooManyClaims(_)
        | Refused::NoRoomForAllowance => Status::NoMemory,
        Refused::NoCredential(_) => Status::NotFound,
        // Not for want of rights: the command line would advise to become root.
        Refused::BlockedByConfig(_) | Refused::Blocked(_) => Status::NotSupported,
        Refused::NoSuchProfile { .. }
        | Refused::BadUsername(_)
        | Refused::UsernameTaken { .. }
        | Refused::UsernameTwice(_)
        | Refused::HasCredential { .. }
        | Refused::TwoAccounts(_) => Status::InvalidArgument,
    };
    MethodError::coded(status, &why)
}

/// It needs the broker, which is not running, or fails.
pub(super) fn no_broker(why: &str) -> MethodError {
    Fault::NoBroker {
        why: why.to_owned(),
    }
    .into()
}
