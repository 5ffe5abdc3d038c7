//! What there is to know of the kernel program on a network interface.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;
use crate::json::json;

/// Why the program sits where it does, or does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AttachNote {
    /// The kernel is still to verify it.
    Verifying,
    /// There is no such interface.
    NoDevice,
    /// The bridge has no ports.
    NoPorts,
    /// The kernel does not take it at a hook.
    Refused {
        /// `xdp`, `xdp-generic`, `tcx` or `tc`.
        hook: &'static str,
        /// What the kernel says, and who holds the hook.
        why: String,
    },
    /// At native XDP it saw nothing of what arrived.
    XdpBlind,
    /// A run of before had it there.
    Chosen,
    /// Another program has its say before it.
    Before {
        /// What that is called; another's word.
        program: String,
    },
    /// What holds it in place was removed.
    PinRemoved,
    /// Somebody took it off.
    TakenOff {
        /// From where.
        hook: &'static str,
    },
    /// Somebody put another into its place.
    Replaced {
        /// Where.
        hook: &'static str,
        /// What that is called; another's word.
        program: String,
    },
}

impl AttachNote {
    /// Several as one sentence.
    pub fn join(notes: &[AttachNote]) -> String {
        let notes = notes.iter().map(AttachNote::to_string);
        notes.collect::<Vec<_>>().join("; ")
    }

    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<AttachNote> {
        let program = || "{program}".to_owned();
        let hook = "{hook}";
        vec![
            AttachNote::Verifying,
            AttachNote::NoDevice,
            AttachNote::NoPorts,
            AttachNote::Refused {
                hook,
                why: "{why}".to_owned(),
            },
            AttachNote::XdpBlind,
            AttachNote::Chosen,
            AttachNote::Before { program: program() },
            AttachNote::PinRemoved,
            AttachNote::TakenOff { hook },
            AttachNote::Replaced {
                hook,
                program: program(),
            },
        ]
    }
}

impl Coded for AttachNote {
    fn code(&self) -> &'static str {
        match self {
            AttachNote::Verifying => "verifying",
            AttachNote::NoDevice => "no-interface",
            AttachNote::NoPorts => "no-ports",
            AttachNote::Refused { .. } => "hook-refused",
            AttachNote::XdpBlind => "xdp-blind",
            AttachNote::Chosen => "chosen-before",
            AttachNote::Before { .. } => "others-before",
            AttachNote::PinRemoved => "pin-removed",
            AttachNote::TakenOff { .. } => "taken-off",
            AttachNote::Replaced { .. } => "replaced",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            AttachNote::Refused { hook, why } => {
                vec![("hook", json!(hook)), ("why", json!(why))]
            }
            AttachNote::Before { program } => vec![("program", json!(program))],
            AttachNote::TakenOff { hook } => vec![("hook", json!(hook))],
            AttachNote::Replaced { hook, program } => {
                vec![("hook", json!(hook)), ("program", json!(program))]
            }
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for AttachNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            AttachNote::Verifying => f.write_str("the kernel verifies the program"),
            AttachNote::NoDevice => f.write_str("there is no such device"),
            AttachNote::NoPorts => f.write_str("the bridge has no ports"),
            AttachNote::Refused { hook, why } => write!(f, "no {hook}: {why}"),
            AttachNote::XdpBlind => f.write_str("native XDP saw none of the frames that arrived"),
            AttachNote::Chosen => f.write_str("an earlier run had chosen it"),
            AttachNote::Before { program } => write!(f, "{program} runs before"),
            AttachNote::PinRemoved => f.write_str("its pin was removed"),
            AttachNote::TakenOff { hook } => write!(f, "somebody took it off {hook}"),
            AttachNote::Replaced { hook, program } => write!(f, "{hook} has {program} now"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = AttachNote::samples();
        let codes = samples.iter().map(|one| one.code().to_owned()).collect();
        let source = include_str!("attach_note.rs");
        assert_eq!(codes_of(source, "impl Coded for AttachNote"), codes);
    }
}
