//! The log: lines on standard output and standard error, where procd picks them up for logread.

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
        match record.level() {
            Level::Error => eprintln!("error: {}", record.args()),
            Level::Warn => eprintln!("warning: {}", record.args()),
            Level::Info => println!("{}", record.args()),
            Level::Debug | Level::Trace => println!("debug: {}", record.args()),
        }
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
