//! What keeps a method from doing what the owner wants: in words, and as codes by which the web
//! interface says it in the owner's language. What only a caller's mistake can lead to has none.

use std::fmt;

use mqttguard_common::Mac;
use serde_json::Value;

use crate::coded::Coded;
use crate::json::json;
use crate::ubus::{MethodError, Status};

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The registry has no such device.
    NeverSeen { mac: Mac },
    /// Nothing is what a device was named by.
    Unknown { wanted: String },
    /// It is to be released, and is in no quarantine.
    NotQuarantined { mac: Mac },
    /// It is not let out.
    NotAllowed { mac: Mac },
    /// It has no pairing window.
    NotPairing { mac: Mac },
    /// It has no credential to tell of.
    NotEnrolled { mac: Mac, name: String },
    /// The owner's words are too long.
    NoteTooLong { found: usize, most: usize },
    /// There is no broker, or it fails.
    NoBroker { why: String },
    /// The certificates were made anew a moment ago.
    RenewedLately { seconds: u64 },
    /// Too many devices are sent their settings, or this one is.
    PushesBusy { count: usize },
    /// Nothing is sent to a device that is blocked or in quarantine.
    CutOff { name: String, state: &'static str },
    /// Where the device is, is not known.
    NoAddress { name: String },
    /// It is at several addresses.
    Addresses {
        name: String,
        addresses: Vec<String>,
    },
    /// It is not behind the router.
    Unguarded { address: String },
    /// What the device runs is not known, or takes no push.
    NoPush {
        name: String,
        firmware: Option<&'static str>,
        known: Vec<&'static str>,
    },
    /// The owner wants nobody to look.
    LiveOff,
    /// That is no topic filter.
    BadFilter { found: String, why: String },
    /// That is no URL of a MUD file.
    MudUrl { found: String },
    /// It announces none.
    MudUnannounced { mac: Mac },
    /// The owner has not seen what is to be accepted.
    MudUnseen,
    /// It is not what the owner has seen.
    MudOther { wanted: String, found: String },
    /// Its signature is wrong.
    MudInvalid { why: String },
    /// Nobody vouches for it.
    MudUnverified { why: String },
    /// Nothing is accepted.
    MudNone { mac: Mac },
    /// Too many are accepted.
    MudFull { most: usize },
    /// It cannot be fetched.
    MudUnfetched { why: String },
}

impl Fault {
    const fn status(&self) -> Status {
        match self {
            Fault::NeverSeen { .. }
            | Fault::Unknown { .. }
            | Fault::NotQuarantined { .. }
            | Fault::NotAllowed { .. }
            | Fault::NotPairing { .. }
            | Fault::NotEnrolled { .. }
            | Fault::MudUnannounced { .. }
            | Fault::MudUnseen
            | Fault::MudNone { .. } => Status::NotFound,
            Fault::NoteTooLong { .. }
            | Fault::Addresses { .. }
            | Fault::BadFilter { .. }
            | Fault::MudUrl { .. }
            | Fault::MudOther { .. } => Status::InvalidArgument,
            Fault::NoBroker { .. } | Fault::MudUnfetched { .. } => Status::SystemError,
            Fault::PushesBusy { .. } | Fault::MudFull { .. } => Status::NoMemory,
            Fault::RenewedLately { .. }
            | Fault::CutOff { .. }
            | Fault::NoAddress { .. }
            | Fault::Unguarded { .. }
            | Fault::NoPush { .. }
            | Fault::LiveOff
            | Fault::MudInvalid { .. }
            | Fault::MudUnverified { .. } => Status::NotSupported,
        }
    }

    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<Fault> {
        let text = |name: &str| format!("{{{name}}}");
        let mac = Mac([0x02, 0xc1, 0x1e, 0x17, 0, 1]);
        let (name, why) = (|| text("name"), || text("why"));
        vec![
            Fault::NeverSeen { mac },
            Fault::Unknown {
                wanted: text("wanted"),
            },
            Fault::NotQuarantined { mac },
            Fault::NotAllowed { mac },
            Fault::NotPairing { mac },
            Fault::NotEnrolled { mac, name: name() },
            Fault::NoteTooLong {
                found: 300,
                most: 200,
            },
            Fault::NoBroker { why: why() },
            Fault::RenewedLately { seconds: 30 },
            Fault::PushesBusy { count: 4 },
            Fault::CutOff {
                name: name(),
                state: "blocked",
            },
            Fault::NoAddress { name: name() },
            Fault::Addresses {
                name: name(),
                addresses: vec![text("addresses")],
            },
            Fault::Unguarded {
                address: text("address"),
            },
            Fault::NoPush {
                name: name(),
                firmware: Some("{firmware}"),
                known: vec!["{known}"],
            },
            Fault::LiveOff,
            Fault::BadFilter {
                found: text("found"),
                why: why(),
            },
            Fault::MudUrl {
                found: text("found"),
            },
            Fault::MudUnannounced { mac },
            Fault::MudUnseen,
            Fault::MudOther {
                wanted: text("wanted"),
                found: text("found"),
            },
            Fault::MudInvalid { why: why() },
            Fault::MudUnverified { why: why() },
            Fault::MudNone { mac },
            Fault::MudFull { most: 64 },
            Fault::MudUnfetched { why: why() },
        ]
    }
}

impl From<Fault> for MethodError {
    fn from(fault: Fault) -> MethodError {
        MethodError::coded(fault.status(), &fault)
    }
}

impl Coded for Fault {
    fn code(&self) -> &'static str {
        match self {
            Fault::NeverSeen { .. } => "never-seen",
            Fault::Unknown { .. } => "no-such-device",
            Fault::NotQuarantined { .. } => "not-quarantined",
            Fault::NotAllowed { .. } => "not-allowed",
            Fault::NotPairing { .. } => "not-pairing",
            Fault::NotEnrolled { .. } => "not-enrolled",
            Fault::NoteTooLong { .. } => "note-too-long",
            Fault::NoBroker { .. } => "no-broker",
            Fault::RenewedLately { .. } => "renewed-lately",
            Fault::PushesBusy { .. } => "pushes-busy",
            Fault::CutOff { .. } => "cut-off",
            Fault::NoAddress { .. } => "no-address",
            Fault::Addresses { .. } => "several-addresses",
            Fault::Unguarded { .. } => "unguarded",
            Fault::NoPush { .. } => "no-push",
            Fault::LiveOff => "live-off",
            Fault::BadFilter { .. } => "bad-filter",
            Fault::MudUrl { .. } => "mud-url",
            Fault::MudUnannounced { .. } => "mud-unannounced",
            Fault::MudUnseen => "mud-unseen",
            Fault::MudOther { .. } => "mud-other",
            Fault::MudInvalid { .. } => "mud-invalid",
            Fault::MudUnverified { .. } => "mud-unverified",
            Fault::MudNone { .. } => "mud-none",
            Fault::MudFull { .. } => "mud-full",
            Fault::MudUnfetched { .. } => "mud-unfetched",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            Fault::LiveOff | Fault::MudUnseen => Vec::new(),
            Fault::NeverSeen { mac }
            | Fault::NotQuarantined { mac }
            | Fault::NotAllowed { mac }
            | Fault::NotPairing { mac }
            | Fault::MudUnannounced { mac }
            | Fault::MudNone { mac } => vec![("mac", json!(mac.to_string()))],
            Fault::NotEnrolled { mac, name } => {
                vec![("mac", json!(mac.to_string())), ("name", json!(name))]
            }
            Fault::Unknown { wanted } => vec![("wanted", json!(wanted))],
            Fault::NoteTooLong { found, most } => {
                vec![("found", json!(found)), ("most", json!(most))]
            }
            Fault::NoBroker { why }
            | Fault::MudInvalid { why }
            | Fault::MudUnverified { why }
            | Fault::MudUnfetched { why } => vec![("why", json!(why))],
            Fault::RenewedLately { seconds } => vec![("seconds", json!(seconds))],
            Fault::PushesBusy { count } => vec![("count", json!(count))],
            Fault::CutOff { name, state } => vec![("name", json!(name)), ("state", json!(state))],
            Fault::NoAddress { name } => vec![("name", json!(name))],
            Fault::Addresses { name, addresses } => {
                vec![("name", json!(name)), ("addresses", json!(addresses))]
            }
            Fault::Unguarded { address } => vec![("address", json!(address))],
            Fault::NoPush {
                name,
                firmware,
                known,
            } => vec![
                ("name", json!(name)),
                ("firmware", json!(firmware)),
                ("known", json!(known)),
            ],
            Fault::BadFilter { found, why } => vec![("found", json!(found)), ("why", json!(why))],
            Fault::MudUrl { found } => vec![("found", json!(found))],
            Fault::MudOther { wanted, found } => {
                vec![("wanted", json!(wanted)), ("found", json!(found))]
            }
            Fault::MudFull { most } => vec![("most", json!(most))],
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::NeverSeen { mac } => write!(f, "no device has the MAC address {mac}"),
            Fault::Unknown { wanted } => write!(
                f,
                "no device has the MAC address, name, user name or IP address '{wanted}'"
            ),
            Fault::NotQuarantined { mac } => write!(f, "{mac} is not in quarantine"),
            Fault::NotAllowed { mac } => {
                write!(f, "{mac} has no such allowance; 'status' lists them")
            }
            Fault::NotPairing { mac } => write!(f, "no pairing window is open for {mac}"),
            Fault::NotEnrolled { mac, name } => {
                write!(f, "{name} ({mac}) has no credential yet: enrol it first")
            }
            Fault::NoteTooLong { found, most } => {
                write!(f, "why: found {found} bytes, expected at most {most}")
            }
            Fault::NoBroker { why } => f.write_str(why),
            Fault::RenewedLately { seconds } => write!(
                f,
                "the certificates were made anew less than a minute ago, and once a minute is the \
                 limit; again in {seconds} s"
            ),
            Fault::PushesBusy { count } => {
                write!(f, "{count} pushes are under way: try again later")
            }
            Fault::CutOff { name, state } => write!(f, "{name} is {state}: let it go first"),
            Fault::NoAddress { name } => write!(f, "no address of {name} is known"),
            Fault::Addresses { name, addresses } => write!(
                f,
                "device: {name} has several addresses; name one of them: {}",
                addresses.join(", ")
            ),
            Fault::Unguarded { address } => write!(f, "{address} is in no guarded network"),
            Fault::NoPush {
                name,
                firmware,
                known,
            } => {
                match firmware {
                    Some(firmware) => write!(f, "firmware: {firmware} takes no push")?,
                    None => write!(f, "firmware: the firmware of {name} is not known")?,
                }
                let known = known.join(", ");
                write!(
                    f,
                    "; expected one of: {known} ('snippet' tells what to set by hand)"
                )
            }
            Fault::LiveOff => {
                f.write_str("switched off by 'option live' in section 'main' of the configuration")
            }
            Fault::BadFilter { found, why } => write!(
                f,
                "filter: found '{found}', expected an MQTT topic filter: {why}"
            ),
            Fault::MudUrl { found } => write!(
                f,
                "url: found '{found}', expected one such as https://maker.example/lamp.json"
            ),
            Fault::MudUnannounced { mac } => write!(
                f,
                "{mac} announces no URL of a MUD file: give one with 'url'"
            ),
            Fault::MudUnseen => f.write_str("nothing was shown in the last hour: look at it first"),
            Fault::MudOther { wanted, found } => write!(
                f,
                "sha256: found '{wanted}', the file that was fetched is {found}"
            ),
            Fault::MudInvalid { why } => write!(
                f,
                "its signature is not valid, and it cannot be accepted: {why}"
            ),
            Fault::MudUnverified { why } => write!(
                f,
                "nobody whom this router trusts vouches for it ({why}): it can be accepted only with \
                 'unverified'"
            ),
            Fault::MudNone { mac } => write!(f, "nothing is accepted for {mac}"),
            Fault::MudFull { most } => {
                write!(f, "{most} files are accepted, which is the most")
            }
            Fault::MudUnfetched { why } => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = Fault::samples();
        let codes = samples.iter().map(|one| one.code().to_owned()).collect();
        let source = include_str!("fault.rs");
        assert_eq!(codes_of(source, "impl Coded for Fault"), codes);
    }
}
