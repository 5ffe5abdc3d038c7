//! The log: lines on standard output and standard error, where procd picks them up for logread.

use std::io::{self, Write};

use log::{Level, LevelFilter, Log, Metadata, Record};

/// procd logs standard output as `info` and standard error as `err`, so the stream carries the
/// severity.
struct Stdio;

impl Log for Stdio {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.level() <= log::max_level()
    }

    fn log(&self, record: &Record<'_>) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let args = record.args();
        // Not `println!`, which panics when nobody reads any more: a guard outlives its log.
        let _ = match record.level() {
            Level::Error => writeln!(io::stderr(), "error: {args}"),
            Level::Warn => writeln!(io::stderr(), "warning: {args}"),
            Level::Info => writeln!(io::stdout(), "{args}"),
            Level::Debug | Level::Trace => writeln!(io::stdout(), "debug: {args}"),
        };
    }

    fn flush(&self) {}
}

/// Starts the log. `MQTTGUARD_LOG=debug` shows more.
pub(super) fn start() {
    let level = match std::env::var("MQTTGUARD_LOG").as_deref() {
        Ok("debug") => LevelFilter::Debug,
        Ok("warn") => LevelFilter::Warn,
        _ => LevelFilter::Info,
    };
    // A second start in one process (tests) keeps the first one's log.
    let _ = log::set_logger(&Stdio);
    log::set_max_level(level);
}
