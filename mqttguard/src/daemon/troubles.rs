//! Why the house is not protected, as `status` tells it: in words, and as codes by which the web
//! interface says it in the owner's language with what to do about it.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;
use crate::events::{AttachNote, JournalNews, StandIn};
use crate::json::json;

/// What is amiss.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// The owner has it so.
    Monitor,
    /// A network of the configuration that no device stands for.
    NoDevice { network: String },
    /// The kernel program does not stand.
    Unloaded(Unloaded),
    /// An interface that the kernel program is not attached to.
    NotAttached {
        interface: String,
        notes: Vec<AttachNote>,
    },
    /// An interface with frames that pass the kernel program by.
    Blind { interface: String },
    /// Nothing proves yet that the kernel program sees anything.
    Unproven,
    /// What nftables does, or fails to do, in its place.
    StandIn(StandIn),
    /// There is no broker.
    NoBroker { why: String },
    /// The registry could not be read.
    Unreadable { why: String },
    /// The registry cannot be written.
    Unsaved { why: String },
    /// The broker's journal cannot be written.
    Journal(JournalNews),
    /// Uplift does not stand.
    Uplift { why: String },
    /// The configuration file was refused.
    Configuration,
}

/// Why the kernel program does not stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unloaded {
    /// The configuration has it off.
    Off,
    /// It is being loaded; `succeeds`: that of the run before stands meanwhile.
    Loading { succeeds: bool },
    /// It could not be loaded.
    Failed { why: String },
}

impl Trouble {
    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<Trouble> {
        let text = |name: &str| format!("{{{name}}}");
        let why = || text("why");
        let mut samples = vec![
            Trouble::Monitor,
            Trouble::NoDevice {
                network: text("network"),
            },
            Trouble::Unloaded(Unloaded::Off),
            Trouble::Unloaded(Unloaded::Loading { succeeds: true }),
            Trouble::Unloaded(Unloaded::Failed { why: why() }),
            Trouble::NotAttached {
                interface: text("interface"),
                notes: vec![AttachNote::NoDevice],
            },
            Trouble::Blind {
                interface: text("interface"),
            },
            Trouble::Unproven,
            Trouble::NoBroker { why: why() },
            Trouble::Unreadable { why: why() },
            Trouble::Unsaved { why: why() },
            Trouble::Uplift { why: why() },
            Trouble::Configuration,
        ];
        let standins = StandIn::samples().into_iter();
        let standins = standins.filter(|one| !matches!(one, StandIn::None | StandIn::Restored));
        samples.extend(standins.map(Trouble::StandIn));
        let journals = JournalNews::samples().into_iter();
        let journals = journals.filter(|one| {
            matches!(
                one,
                JournalNews::Unusable { .. } | JournalNews::Unwritable { .. }
            )
        });
        samples.extend(journals.map(Trouble::Journal));
        samples
    }
}

impl Coded for Trouble {
    fn code(&self) -> &'static str {
        match self {
            Trouble::StandIn(standin) => standin.code(),
            Trouble::Journal(news) => news.code(),
            Trouble::Monitor => "monitor",
            Trouble::NoDevice { .. } => "no-device",
            Trouble::Unloaded(Unloaded::Off) => "program-off",
            Trouble::Unloaded(Unloaded::Loading { .. }) => "program-loading",
            Trouble::Unloaded(Unloaded::Failed { .. }) => "program-failed",
            Trouble::NotAttached { .. } => "not-attached",
            Trouble::Blind { .. } => "blind",
            Trouble::Unproven => "unproven",
            Trouble::NoBroker { .. } => "no-broker",
            Trouble::Unreadable { .. } => "registry-unreadable",
            Trouble::Unsaved { .. } => "registry-unsaved",
            Trouble::Uplift { .. } => "uplift",
            Trouble::Configuration => "configuration",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            Trouble::StandIn(standin) => standin.values(),
            Trouble::Journal(news) => news.values(),
            Trouble::Monitor
            | Trouble::Unloaded(Unloaded::Off)
            | Trouble::Unproven
            | Trouble::Configuration => Vec::new(),
            Trouble::NoDevice { network } => vec![("network", json!(network))],
            Trouble::Unloaded(Unloaded::Loading { succeeds }) => {
                vec![("succeeds", json!(succeeds))]
            }
            Trouble::NotAttached { interface, notes } => vec![
                ("interface", json!(interface)),
                ("why", json!(AttachNote::join(notes))),
                (
                    "notes",
                    json!(notes.iter().map(Coded::to_json).collect::<Vec<_>>()),
                ),
            ],
            Trouble::Blind { interface } => vec![("interface", json!(interface))],
            Trouble::Unloaded(Unloaded::Failed { why })
            | Trouble::NoBroker { why }
            | Trouble::Unreadable { why }
            | Trouble::Unsaved { why }
            | Trouble::Uplift { why } => vec![("why", json!(why))],
        }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Monitor => f.write_str("monitor mode: nothing is dropped"),
            Trouble::NoDevice { network } => write!(f, "network '{network}' has no device yet"),
            Trouble::Unloaded(unloaded) => write!(f, "the kernel program is {unloaded}"),
            Trouble::NotAttached { interface, notes } => {
                let why = AttachNote::join(notes);
                write!(f, "not attached to {interface}: {why}")
            }
            Trouble::Blind { interface } => write!(
                f,
                "{interface} has frames that the kernel program does not see"
            ),
            Trouble::Unproven => f.write_str("no frame has been seen yet"),
            Trouble::StandIn(standin) => standin.fmt(f),
            Trouble::NoBroker { why } => write!(f, "the broker is not running: {why}"),
            Trouble::Unreadable { why } => {
                write!(f, "blocks and credentials are not in force: {why}")
            }
            Trouble::Unsaved { why } => write!(f, "changes are lost at the next restart: {why}"),
            Trouble::Journal(news) => {
                write!(f, "what the broker acknowledges is lost in a crash: {news}")
            }
            Trouble::Uplift { why } => write!(
                f,
                "devices that are to be uplifted are cut off from their servers: {why}"
            ),
            Trouble::Configuration => {
                f.write_str("the configuration has mistakes; an earlier one is in force")
            }
        }
    }
}

impl fmt::Display for Unloaded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Unloaded::Off => f.write_str("not loaded: switched off in the configuration"),
            Unloaded::Loading { succeeds: false } => f.write_str("being loaded"),
            Unloaded::Loading { succeeds: true } => {
                f.write_str("being loaded; that of the run before stands meanwhile")
            }
            Unloaded::Failed { why } => write!(f, "not loaded: {why}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let own = codes_of(include_str!("troubles.rs"), "impl Coded for Trouble");
        let samples = Trouble::samples();
        let of_others = |one: &&Trouble| matches!(one, Trouble::StandIn(_) | Trouble::Journal(_));
        assert_eq!(samples.iter().filter(of_others).count(), 7);
        let samples = samples.iter().filter(|one| !of_others(one));
        let samples = samples.map(|one| one.code().to_owned()).collect();
        assert_eq!(own, samples);
    }
}
