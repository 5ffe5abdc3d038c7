//! mosquitto's files, read and written, and what corresponds to them here.
//!
//! - `passwords`, `acl`: password and ACL files, as mosquitto 2.0 reads them.
//! - `profiles`: what an ACL file grants, as `profile` sections.
//! - `conf`, `uci`: `mosquitto.conf` with what it includes, and OpenWrt's `/etc/config/mosquitto`,
//!   which is made into one.
//! - `proposal`: what of such a configuration there is here, by which option; `bridges` likewise.
//! - `section`: UCI text.
//!
//! All of it is text in, text out; nothing here knows the daemon.

pub mod acl;
mod bridges;
pub mod conf;
pub mod passwords;
pub mod profiles;
pub mod proposal;
mod section;
pub mod uci;

use std::fmt;
use std::fs::File;
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use crate::text::printable;

/// Largest file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

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

/// A file's text, and whether others than its owner may read it.
///
/// # Errors
///
/// Why it cannot be read: missing, no regular file, larger than 1 MiB, not UTF-8.
pub fn read(path: &Path) -> Result<(String, bool), String> {
    let shown = path.display();
    let failed = |error: io::Error| format!("{shown}: {error}");
    // A pipe would be waited for without end, before there is anything to be told of it.
    if !std::fs::metadata(path).map_err(failed)?.is_file() {
        return Err(format!("{shown}: found no regular file, expected one"));
    }
    let file = File::open(path).map_err(failed)?;
    let metadata = file.metadata().map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(FILE_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(failed)?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err(format!(
            "{shown}: found more than 1 MiB, expected at most that"
        ));
    }
    let text = String::from_utf8(bytes).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().get(..valid).unwrap_or_default();
        let line = before.split(|byte| *byte == b'\n').count();
        format!("{shown}: line {line}: found bytes that are not UTF-8, expected text")
    })?;
    Ok((text, metadata.mode() & 0o077 != 0))
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
