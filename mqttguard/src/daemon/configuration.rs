//! Which configuration is in force, and what became of the last one that was tried.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, ConfigError, Settings};
use crate::registry::UnixMs;

/// Where the configuration is, and what came of reading it.
#[derive(Debug)]
pub(super) struct Configuration {
    file: PathBuf,
    /// A copy of the last configuration that was in force, for a start with a bad one.
    last_good: PathBuf,
    /// What is in force.
    pub(super) settings: Arc<Settings>,
    /// When it came into force.
    pub(super) loaded_ms: UnixMs,
    /// What is wrong with the file as it is now; empty when it is in force.
    pub(super) errors: Vec<String>,
}

impl Configuration {
    /// Reads the configuration at start. A bad one is answered by the last good one, and that by
    /// the built-in defaults: a mistake in a file does not open the house.
    ///
    /// # Errors
    ///
    /// Never, while the built-in defaults are valid.
    pub(super) fn at_start(file: PathBuf, now: UnixMs) -> Result<Configuration, ConfigError> {
        let last_good = last_good(&file);
        let (settings, errors) = match config::load(&file) {
            Ok(settings) => (settings, Vec::new()),
            Err(error) => (fall_back(&last_good)?, lines(&error)),
        };
        let settings = Arc::new(settings);
        let configuration = Configuration {
            file,
            last_good,
            settings,
            loaded_ms: now,
            errors,
        };
        if configuration.errors.is_empty() {
            configuration.keep();
        }
        Ok(configuration)
    }

    /// Reads the configuration again. True if it is in force now; if not, `errors` says why and
    /// nothing has changed.
    pub(super) fn reload(&mut self, now: UnixMs) -> bool {
        match config::load(&self.file) {
            Ok(settings) => {
                self.settings = Arc::new(settings);
                self.loaded_ms = now;
                self.errors.clear();
                self.keep();
                true
            }
            Err(error) => {
                self.errors = lines(&error);
                false
            }
        }
    }

    /// The file's name, as events show it.
    pub(super) fn file(&self) -> String {
        self.file.display().to_string()
    }

    /// Copies the file, unless the copy is the same: flash wears.
    fn keep(&self) {
        let copy = || -> io::Result<()> {
            let text = fs::read(&self.file)?;
            if fs::read(&self.last_good).is_ok_and(|known| known == text) {
                return Ok(());
            }
            if let Some(dir) = self.last_good.parent() {
                fs::create_dir_all(dir)?;
            }
            let new = self.last_good.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &self.last_good)
        };
        if let Err(error) = copy() {
            log::warn!("{}: {error}", self.last_good.display());
        }
    }
}

fn fall_back(last_good: &Path) -> Result<Settings, ConfigError> {
    if let Ok(settings) = config::load(last_good) {
        log::warn!(
            "the configuration of {} is in force instead",
            last_good.display()
        );
        return Ok(settings);
    }
    log::warn!("the built-in defaults are in force instead");
    config::parse("built-in defaults", "")
}

fn lines(error: &ConfigError) -> Vec<String> {
    error.to_string().lines().map(str::to_owned).collect()
}

/// Where the copy of a file goes: beside it, or, since UCI takes all that lies in `/etc/config` for
/// its own, to where the router keeps mqttguard's other things.
fn last_good(file: &Path) -> PathBuf {
    if file.parent() == Some(Path::new("/etc/config")) {
        PathBuf::from("/etc/mqttguard/last-good.uci")
    } else {
        file.with_extension("last-good")
    }
}
