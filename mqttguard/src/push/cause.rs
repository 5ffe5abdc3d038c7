//! Why a push did not work.

use std::fmt;
use std::net::IpAddr;

use mqttguard_common::Mac;
use serde_json::Value;

use super::outcome::Task;
use super::session::PORT;
use crate::coded::Coded;
use crate::json::json;
use crate::naming::snippet;

/// What went wrong. What devices say in it is cut and escaped, and may be hostile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The router has no listener with TLS that it could use.
    NoTlsListener,
    /// The router's CA certificate cannot be read.
    NoCa,
    /// Its build has no TLS, and there is no island.
    IslandOff {
        /// Which builds have it.
        builds: &'static str,
    },
    /// Its build has no TLS, and it may not use the island.
    IslandBarred {
        /// Which builds have it.
        builds: &'static str,
        /// The device.
        mac: Mac,
    },
    /// The router's certificate with the key that it verifies is still being made.
    NoKey,
    /// Its web interface asks for a login, and none was given.
    LoginMissing,
    /// Its web interface refuses the login.
    LoginRefused,
    /// Nobody answers at its address.
    Silent {
        /// The address.
        address: IpAddr,
    },
    /// No connection to its web interface.
    Unreachable {
        /// The address.
        address: IpAddr,
        /// The system's error.
        why: String,
    },
    /// The address is another device's by now.
    Stranger {
        /// The address.
        address: IpAddr,
        /// Whose it is.
        found: Mac,
        /// Whose it was to be.
        expected: Mac,
    },
    /// The kernel does not say whose the address is.
    Unproven {
        /// The address.
        address: IpAddr,
        /// The system's error, if there was one.
        why: Option<String>,
    },
    /// The exchange with it failed.
    Broken {
        /// How.
        why: String,
    },
    /// It answered with another status than 200.
    Status {
        /// The status.
        found: u16,
        /// What it said.
        said: String,
    },
    /// Its answer is no JSON.
    NoJson {
        /// What it said.
        said: String,
    },
    /// It is not the firmware that it was taken for.
    OtherFirmware {
        /// The one that was expected.
        firmware: &'static str,
        /// What it said.
        said: String,
    },
    /// A setting would not fit.
    TooLong {
        /// The setting's name.
        setting: &'static str,
        /// Its length in bytes.
        found: usize,
        /// The most that fits, in bytes.
        most: usize,
    },
    /// A value would stand for something else.
    Shortcut {
        /// The setting's name.
        setting: &'static str,
        /// The value.
        value: String,
    },
    /// It has not stored the CA certificate as a whole.
    CaNotStored {
        /// What it said.
        said: String,
        /// The length in bytes.
        expected: usize,
    },
    /// It has not taken a setting.
    Differs {
        /// The setting's name.
        setting: String,
        /// What it has instead.
        found: String,
    },
    /// There is no credential for it.
    NoCredential {
        /// Why.
        why: String,
    },
    /// Its credential was revoked or made anew meanwhile.
    Superseded,
}

impl Cause {
    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<Cause> {
        let (address, mac) = (IpAddr::from([192, 0, 2, 7]), Mac([2, 0, 0, 0, 0, 7]));
        let text = |name: &str| format!("{{{name}}}");
        vec![
            Cause::NoTlsListener,
            Cause::NoCa,
            Cause::IslandOff { builds: "{builds}" },
            Cause::IslandBarred {
                builds: "{builds}",
                mac,
            },
            Cause::NoKey,
            Cause::LoginMissing,
            Cause::LoginRefused,
            Cause::Silent { address },
            Cause::Unreachable {
                address,
                why: text("why"),
            },
            Cause::Stranger {
                address,
                found: Mac([2, 0, 0, 0, 0, 9]),
                expected: mac,
            },
            Cause::Unproven {
                address,
                why: Some(text("why")),
            },
            Cause::Broken { why: text("why") },
            Cause::Status {
                found: 500,
                said: text("said"),
            },
            Cause::NoJson { said: text("said") },
            Cause::OtherFirmware {
                firmware: "{firmware}",
                said: text("said"),
            },
            Cause::TooLong {
                setting: "{setting}",
                found: 1004,
                most: 999,
            },
            Cause::Shortcut {
                setting: "{setting}",
                value: text("value"),
            },
            Cause::CaNotStored {
                said: text("said"),
                expected: 640,
            },
            Cause::Differs {
                setting: text("setting"),
                found: text("found"),
            },
            Cause::NoCredential { why: text("why") },
            Cause::Superseded,
        ]
    }
}

impl Coded for Cause {
    fn code(&self) -> &'static str {
        match self {
            Cause::NoTlsListener => "no-tls-listener",
            Cause::NoCa => "no-ca",
            Cause::IslandOff { .. } => "island-off",
            Cause::IslandBarred { .. } => "island-barred",
            Cause::NoKey => "no-key",
            Cause::LoginMissing => "login-missing",
            Cause::LoginRefused => "login-refused",
            Cause::Silent { .. } => "silent",
            Cause::Unreachable { .. } => "unreachable",
            Cause::Stranger { .. } => "stranger",
            Cause::Unproven { .. } => "unproven",
            Cause::Broken { .. } => "broken",
            Cause::Status { .. } => "status",
            Cause::NoJson { .. } => "no-json",
            Cause::OtherFirmware { .. } => "other-firmware",
            Cause::TooLong { .. } => "too-long",
            Cause::Shortcut { .. } => "shortcut",
            Cause::CaNotStored { .. } => "ca-not-stored",
            Cause::Differs { .. } => "differs",
            Cause::NoCredential { .. } => "no-credential",
            Cause::Superseded => "superseded",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            Cause::NoTlsListener
            | Cause::NoCa
            | Cause::NoKey
            | Cause::LoginMissing
            | Cause::LoginRefused
            | Cause::Superseded => Vec::new(),
            Cause::IslandOff { builds } => vec![("builds", json!(builds))],
            Cause::IslandBarred { builds, mac } => {
                vec![("builds", json!(builds)), ("mac", json!(mac.to_string()))]
            }
            Cause::Silent { address } => vec![("address", json!(address))],
            Cause::Unreachable { address, why } => {
                vec![("address", json!(address)), ("why", json!(why))]
            }
            Cause::Stranger {
                address,
                found,
                expected,
            } => vec![
                ("address", json!(address)),
                ("found", json!(found.to_string())),
                ("expected", json!(expected.to_string())),
            ],
            Cause::Unproven { address, why } => {
                vec![("address", json!(address)), ("why", json!(why))]
            }
            Cause::Broken { why } | Cause::NoCredential { why } => vec![("why", json!(why))],
            Cause::Status { found, said } => vec![("found", json!(found)), ("said", json!(said))],
            Cause::NoJson { said } => vec![("said", json!(said))],
            Cause::OtherFirmware { firmware, said } => {
                vec![("firmware", json!(firmware)), ("said", json!(said))]
            }
            Cause::TooLong {
                setting,
                found,
                most,
            } => vec![
                ("setting", json!(setting)),
                ("found", json!(found)),
                ("most", json!(most)),
            ],
            Cause::Shortcut { setting, value } => {
                vec![("setting", json!(setting)), ("value", json!(value))]
            }
            Cause::CaNotStored { said, expected } => {
                vec![("said", json!(said)), ("expected", json!(expected))]
            }
            Cause::Differs { setting, found } => {
                vec![("setting", json!(setting)), ("found", json!(found))]
            }
        }
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cause::NoTlsListener => f.write_str(
                "the router has no listener with TLS that takes passwords: add a section 'listener' \
                 with option kind 'tls'",
            ),
            Cause::NoCa => f.write_str("the router's CA certificate cannot be read: see the log"),
            Cause::IslandOff { builds } => {
                let island = snippet::NO_ISLAND;
                write!(
                    f,
                    "its build has no TLS, which is in {builds}; without, it needs {island}"
                )
            }
            Cause::IslandBarred { builds, mac } => {
                let barred = snippet::not_on_island(*mac);
                write!(f, "its build has no TLS, which is in {builds}. {barred}")
            }
            Cause::NoKey => f.write_str(
                "the router is still making the key that Tasmota verifies: try again in a minute",
            ),
            Cause::LoginMissing => {
                f.write_str("its web interface asks for a password; give it one")
            }
            Cause::LoginRefused => f.write_str("its web interface refuses the login"),
            Cause::Silent { address } => write!(f, "{address} does not answer"),
            Cause::Unreachable { address, why } => write!(f, "{address}, port {PORT}: {why}"),
            Cause::Stranger {
                address,
                found,
                expected,
            } => write!(
                f,
                "{address} is {found} now, not {expected}: nothing was sent"
            ),
            Cause::Unproven { address, why: None } => write!(
                f,
                "the kernel does not know whose {address} is: nothing was sent"
            ),
            Cause::Unproven {
                address,
                why: Some(why),
            } => write!(f, "the kernel does not say whose {address} is: {why}"),
            Cause::Broken { why } | Cause::NoCredential { why } => f.write_str(why),
            Cause::Status { found, said } => {
                write!(f, "found status {found}, expected 200 ('{said}')")
            }
            Cause::NoJson { said } => write!(f, "found '{said}', expected JSON"),
            Cause::OtherFirmware { firmware, said } => {
                write!(f, "found '{said}', expected {firmware}")
            }
            Cause::TooLong {
                setting,
                found,
                most,
            } => write!(f, "{setting}: found {found} bytes, expected at most {most}"),
            Cause::Shortcut { setting, value } => write!(
                f,
                "{setting}: '{value}' is a shortcut to Tasmota; give the device another name"
            ),
            Cause::CaNotStored { said, expected } => {
                write!(f, "found '{said}', expected a size of {expected}")
            }
            Cause::Differs { setting, found } => {
                write!(f, "{setting}: found '{found}', expected what was sent")
            }
            Cause::Superseded => {
                f.write_str("its credential was revoked or made anew meanwhile: push again")
            }
        }
    }
}

/// Why a push did not work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The step that failed; None: it did not come to one.
    pub task: Option<Task>,
    /// What went wrong.
    pub cause: Cause,
    /// The device may have taken the settings all the same.
    pub perhaps: bool,
}

impl From<Cause> for Failure {
    fn from(cause: Cause) -> Failure {
        Failure {
            task: None,
            cause,
            perhaps: false,
        }
    }
}

impl Coded for Failure {
    fn code(&self) -> &'static str {
        self.cause.code()
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        let mut values = self.cause.values();
        values.push(("step", json!(self.task.map(|task| task.code()))));
        values.push(("perhaps", json!(self.perhaps.then_some(true))));
        values
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(task) = self.task {
            write!(f, "{task}: ")?;
        }
        self.cause.fmt(f)?;
        match self.perhaps {
            true => f.write_str("; it may have taken them all the same"),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let causes = Cause::samples()
            .iter()
            .map(|cause| cause.code().to_owned())
            .collect();
        assert_eq!(
            codes_of(include_str!("cause.rs"), "impl Coded for Cause"),
            causes
        );
    }

    #[test]
    fn a_failure_has_its_step_and_what_may_have_happened() {
        let failure = Failure {
            task: Some(Task::ReadBack),
            cause: Cause::Broken { why: "cut".into() },
            perhaps: true,
        };
        assert_eq!(
            failure.to_json(),
            json!({
                "code": "broken", "why": "cut", "step": "read-back", "perhaps": true,
                "message": "read the settings back: cut; it may have taken them all the same",
            })
        );
        let failure = Failure::from(Cause::NoCa).to_json();
        assert_eq!(failure.as_object().map(serde_json::Map::len), Some(2));
    }
}
