//! What is told of the journal.

use std::fmt;

use serde_json::Value;

use crate::coded::Coded;
use crate::json::json;

/// How the journal is, or what was restored from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JournalNews {
    /// It cannot be used until the next start.
    Unusable {
        /// Where it is.
        directory: String,
        /// The system's error.
        why: String,
    },
    /// It cannot be written, for now.
    Unwritable {
        /// Where it is.
        directory: String,
        /// The system's error.
        why: String,
    },
    /// It is written again, and nothing is missing in it.
    Whole {
        /// Where it is.
        directory: String,
    },
    /// A file of it is damaged, and was not read to its end.
    Damaged {
        /// The file.
        file: String,
        /// Bytes that were read.
        read: u64,
        /// Bytes behind them.
        unread: u64,
    },
    /// What was restored.
    Restored {
        /// Sessions.
        sessions: u64,
        /// Their subscriptions.
        subscriptions: u64,
        /// Messages that wait in them.
        messages: u64,
        /// Retained messages.
        retained: u64,
    },
    /// What was left out because its user is no more.
    Disowned {
        /// Sessions and retained messages.
        count: u64,
    },
    /// What could not be restored.
    Missing {
        /// Sessions above the limit.
        sessions: u64,
        /// Messages that the journal has lost.
        messages: u64,
    },
}

impl JournalNews {
    /// Whether all is well with it.
    pub const fn is_well(&self) -> bool {
        matches!(
            self,
            JournalNews::Whole { .. } | JournalNews::Restored { .. } | JournalNews::Disowned { .. }
        )
    }

    /// One of each, for the reference.
    pub(crate) fn samples() -> Vec<JournalNews> {
        let (directory, why) = ("{directory}".to_owned(), "{why}".to_owned());
        vec![
            JournalNews::Unusable {
                directory: directory.clone(),
                why: why.clone(),
            },
            JournalNews::Unwritable {
                directory: directory.clone(),
                why,
            },
            JournalNews::Whole { directory },
            JournalNews::Damaged {
                file: "{file}".to_owned(),
                read: 4096,
                unread: 512,
            },
            JournalNews::Restored {
                sessions: 12,
                subscriptions: 30,
                messages: 7,
                retained: 80,
            },
            JournalNews::Disowned { count: 2 },
            JournalNews::Missing {
                sessions: 1,
                messages: 3,
            },
        ]
    }
}

impl Coded for JournalNews {
    fn code(&self) -> &'static str {
        match self {
            JournalNews::Unusable { .. } => "journal-unusable",
            JournalNews::Unwritable { .. } => "journal-unwritable",
            JournalNews::Whole { .. } => "journal-whole",
            JournalNews::Damaged { .. } => "journal-damaged",
            JournalNews::Restored { .. } => "journal-restored",
            JournalNews::Disowned { .. } => "journal-disowned",
            JournalNews::Missing { .. } => "journal-missing",
        }
    }

    fn values(&self) -> Vec<(&'static str, Value)> {
        match self {
            JournalNews::Unusable { directory, why }
            | JournalNews::Unwritable { directory, why } => {
                vec![("directory", json!(directory)), ("why", json!(why))]
            }
            JournalNews::Whole { directory } => vec![("directory", json!(directory))],
            JournalNews::Damaged { file, read, unread } => vec![
                ("file", json!(file)),
                ("read", json!(read)),
                ("unread", json!(unread)),
            ],
            JournalNews::Restored {
                sessions,
                subscriptions,
                messages,
                retained,
            } => vec![
                ("sessions", json!(sessions)),
                ("subscriptions", json!(subscriptions)),
                ("messages", json!(messages)),
                ("retained", json!(retained)),
            ],
            JournalNews::Disowned { count } => vec![("count", json!(count))],
            JournalNews::Missing { sessions, messages } => {
                vec![("sessions", json!(sessions)), ("messages", json!(messages))]
            }
        }
    }
}

impl fmt::Display for JournalNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            JournalNews::Unusable { directory, why } => write!(
                f,
                "the journal in {directory} cannot be used until the next start, and what is \
                 acknowledged is lost in a crash: {why}"
            ),
            JournalNews::Unwritable { directory, why } => {
                write!(f, "the journal in {directory} cannot be written: {why}")
            }
            JournalNews::Whole { directory } => {
                write!(f, "the journal in {directory} is whole again")
            }
            JournalNews::Damaged { file, read, unread } => write!(
                f,
                "{file}: damaged after {read} bytes; the {unread} bytes behind were not read, and what \
                 they record may be lost. The file is kept as 'damaged'"
            ),
            JournalNews::Restored {
                sessions,
                subscriptions,
                messages,
                retained,
            } => write!(
                f,
                "restored {sessions} sessions with {subscriptions} subscriptions and {messages} \
                 messages, and {retained} retained messages"
            ),
            JournalNews::Disowned { count } => write!(
                f,
                "{count} sessions and retained messages of users that are no more were left out"
            ),
            JournalNews::Missing { sessions, messages } => write!(
                f,
                "not restored: {sessions} sessions above the limit, {messages} messages that the \
                 journal has lost"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::coded::codes_of;

    #[test]
    fn the_samples_are_all_there_is() {
        let samples = JournalNews::samples();
        let codes = samples.iter().map(|one| one.code().to_owned()).collect();
        let source = include_str!("journal.rs");
        assert_eq!(codes_of(source, "impl Coded for JournalNews"), codes);
    }
}
