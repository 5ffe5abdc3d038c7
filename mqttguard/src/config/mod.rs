//! UCI in, validated [`Settings`] out. The only place that knows UCI.
//!
//! - `uci`: the file format, without meaning.
//! - `kinds`, `names`: the kinds of value an option can have.
//! - `schema`, `table`: every section and option, once; `builtin.uci` has the sections that
//!   are there without being written.
//! - `door`: bounds that no option sets.
//! - `check`, `build`: the file held against the table, and made into [`Settings`].
//! - `reference`: `docs/configuration.md`, written from the table; `form`: the same for LuCI.

mod bridges;
mod build;
mod check;
mod door;
mod form;
mod kinds;
mod mistake;
mod names;
mod patterns;
mod reference;
mod schema;
mod settings;
mod table;
#[cfg(test)]
mod tests;
mod uci;
mod uplifts;
mod urls;

use std::fs::File;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use ipnet::IpNet;

pub use door::DOOR;
pub(crate) use door::{
    CONNECTIONS_OF_LISTENER, CONNECTIONS_PER_DEVICE, CONNECTIONS_TOTAL, CONNECTS_PER_S,
};
pub use form::luci_options;
pub use mistake::ConfigError;
pub use reference::reference;
pub use settings::*;
pub(crate) use uci::{RawOption, RawSection};

/// Where OpenWrt keeps the configuration.
pub const DEFAULT_PATH: &str = "/etc/config/mqttguard";

/// The UCI package.
const PACKAGE: &str = "mqttguard";

/// Largest file that is read, in bytes.
const FILE_MAX: u64 = 1 << 20;

/// Sections that are there without being written.
const BUILTIN: &str = include_str!("builtin.uci");

/// Whether a text can stand as `publish` or, with `$SYS` and the like, `subscribe` in a profile.
pub fn is_pattern(text: &str, dollar: bool) -> bool {
    kinds::Kind::read(
        &patterns::Pattern {
            dollar,
            variables: true,
        },
        text,
    )
    .is_some()
}

/// The sections of another package's file, without a look at what they say, and its lines that are
/// not UCI.
pub(crate) fn raw_sections(package: &str, text: &str) -> (Vec<RawSection>, Vec<(u32, String)>) {
    let (sections, errors) = uci::read(package, text);
    let errors = errors.into_iter();
    let told = errors.map(|error| (error.line, mistake::found(&error.found, error.expected)));
    (sections, told.collect())
}

/// Reads a destination as `exception` sections have it: a prefix, or a single address.
///
/// # Errors
///
/// What was expected.
pub fn destination(text: &str) -> Result<IpNet, String> {
    read_as(&names::Prefix, text)
}

/// Reads a URL of HTTPS, or of HTTP to this router itself. None if it is none.
pub(crate) fn url(text: &str) -> Option<Url> {
    kinds::Kind::read(&urls::HttpUrl, text)
}

/// Reads a time of at least `min` and at most `max`, with its unit behind it.
///
/// # Errors
///
/// What was expected.
pub fn time(text: &str, min: Duration, max: Duration) -> Result<Duration, String> {
    read_as(&kinds::Time { min, max }, text)
}

fn read_as<K: kinds::Kind>(kind: &K, text: &str) -> Result<K::Value, String> {
    let expected = || mistake::found(text, kind.expected());
    kind.read(text).ok_or_else(expected)
}

/// Reads and validates a file.
///
/// # Errors
///
/// Every mistake in it, or why it cannot be read: missing, larger than 1 MiB, not UTF-8.
pub fn load(path: &Path) -> Result<Settings, ConfigError> {
    parse(&path.display().to_string(), &read(path)?)
}

/// Reads a file without a look at what it says.
///
/// # Errors
///
/// Why it cannot be read, as [`load`].
pub fn read(path: &Path) -> Result<String, ConfigError> {
    let unreadable = |why: &dyn std::fmt::Display| ConfigError::unreadable(path, why);
    let file = File::open(path).map_err(|error| unreadable(&error))?;
    let mut bytes = Vec::new();
    // Read one byte more than allowed: the size a file claims to have proves nothing.
    file.take(FILE_MAX.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(&error))?;
    if u64::try_from(bytes.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err(unreadable(
            &"found more than 1 MiB, expected a UCI file of at most that",
        ));
    }
    String::from_utf8(bytes).map_err(|error| {
        let valid = error
            .as_bytes()
            .get(..error.utf8_error().valid_up_to())
            .unwrap_or_default();
        let line = valid.split(|&byte| byte == b'\n').count();
        unreadable(&format_args!(
            "line {line}: found bytes that are not UTF-8, expected text"
        ))
    })
}

/// Validates the text of a file. `file_name` only appears in messages.
///
/// # Errors
///
/// Every mistake in it.
pub fn parse(file_name: &str, text: &str) -> Result<Settings, ConfigError> {
    let mut errors = ConfigError::new(file_name);
    let (sections, not_uci) = uci::read(PACKAGE, text);
    for error in not_uci {
        let what = mistake::found(&error.found, error.expected);
        errors.push(Some(error.line), String::new(), what);
    }
    let (builtin, _) = uci::read(PACKAGE, BUILTIN);
    let checked = check::check(check::overlay(sections, builtin), &mut errors);
    let settings = build::build(&checked, &mut errors);
    match settings {
        Some(settings) if errors.count() == 0 => Ok(settings),
        _ => {
            errors.sort();
            Err(errors)
        }
    }
}
