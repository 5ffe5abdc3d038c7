//! mosquitto's files, read and written, and what corresponds to them here.
//!
//! - `passwords`, `acl`: password and ACL files, as mosquitto 2.0 reads them.
//! - `profiles`: what an ACL file grants, as `profile` sections.
//! - `conf`, `uci`: `mosquitto.conf` with what it includes, and OpenWrt's `/etc/config/mosquitto`,
//!   which is made into one.
//! - `proposal`, put together in `draft`: what of such a configuration there is here, by which option;
//!   `listeners` and `bridges` likewise.
//! - `section`: UCI text.
//!
//! All of it is text in, text out; nothing here knows the daemon.

pub mod acl;
mod bridges;
pub mod conf;
#[cfg(test)]
mod differential;
mod draft;
mod listeners;
pub mod passwords;
pub mod profiles;
pub mod proposal;
mod section;
pub mod uci;

pub use draft::Proposal;

use std::fmt;

use crate::text::printable;

/// A mistake in a file: what was found there and what was expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The line, from 1 on.
    pub line: u32,
    /// What is wrong. May hold hostile text; never a password or hash.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// Lines with their numbers, without line ends (of Windows either) and without comments, which
/// have a `#` as the first character.
fn lines(text: &str) -> impl Iterator<Item = (u32, &str)> {
    let numbered = (1..).zip(text.lines());
    numbered.filter(|(_, line)| !line.starts_with('#') && !line.trim().is_empty())
}

/// Text from a file as it can stand in a message or a comment: on one line, and short.
fn quoted(text: &str) -> String {
    printable(&crate::text::clip(text)).into_owned()
}

/// A file with one more byte-order mark or none is the same file.
fn without_mark(text: &str) -> &str {
    text.strip_prefix('\u{feff}').unwrap_or(text)
}
