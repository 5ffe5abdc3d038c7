//! Which configuration is in force, and what became of the last one that was tried.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::config::{self, ConfigError, Settings};
use crate::kept;
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
    /// What of the file takes force with the next start only.
    pub(super) at_next_start: Vec<String>,
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
        let (settings, text, errors) = match load(&file) {
            Ok((settings, text)) => (settings, Some(text), Vec::new()),
            Err(error) => {
                let (settings, whose) = fall_back(&last_good)?;
                log::warn!("{whose} in force instead");
                (settings, None, lines(&error))
            }
        };
        let settings = Arc::new(settings);
        let configuration = Configuration {
            file,
            last_good,
            settings,
            loaded_ms: now,
            errors,
            at_next_start: Vec::new(),
        };
        if let Some(text) = text {
            configuration.keep(&text);
        }
        Ok(configuration)
    }

    /// Reads the configuration again. True if it is in force now; if not, `errors` says why and
    /// nothing has changed.
    pub(super) fn reload(&mut self, now: UnixMs) -> bool {
        match load(&self.file) {
            Ok((mut settings, text)) => {
                self.at_next_start = stay(&mut settings, &self.settings);
                self.settings = Arc::new(settings);
                self.loaded_ms = now;
                self.errors.clear();
                self.keep(&text);
                true
            }
            Err(error) => {
                self.errors = lines(&error);
                false
            }
        }
    }

    /// What is wrong with the file as it is now. Nothing of it takes force.
    pub(super) fn check(&self) -> Vec<String> {
        load(&self.file).map_or_else(|error| lines(&error), |_| Vec::new())
    }

    /// Whether a daemon that starts now would take over the kernel program that this one has attached:
    /// it is to guard, and looks for it in the same place.
    pub(super) fn has_successor(&self) -> bool {
        let settings = load(&self.file).map(|(settings, _)| settings);
        let settings =
            settings.or_else(|_| fall_back(&self.last_good).map(|(settings, _)| settings));
        settings.is_ok_and(|new| new.main.enabled && new.main.bpf_dir == self.settings.main.bpf_dir)
    }

    /// The file's name, as events show it.
    pub(super) fn file(&self) -> String {
        self.file.display().to_string()
    }

    /// Keeps what was read, unless it is kept already: flash wears.
    fn keep(&self, text: &str) {
        if fs::read_to_string(&self.last_good).is_ok_and(|known| known == text) {
            return;
        }
        // Of root alone: the owner may have taken others the right to read the file this is a copy of.
        if let Err(error) = kept::replace(&self.last_good, text.as_bytes()) {
            log::warn!("{}: {error}", self.last_good.display());
        }
    }
}

/// The settings and the text that they were read from.
fn load(file: &Path) -> Result<(Settings, String), ConfigError> {
    let text = config::read(file)?;
    let settings = config::parse(&file.display().to_string(), &text)?;
    Ok((settings, text))
}

/// Leaves the directories where they are that cannot be changed under a running daemon: what it
/// has written and pinned there would be left behind. Says which.
fn stay(new: &mut Settings, old: &Settings) -> Vec<String> {
    let mut said = Vec::new();
    for (option, new, old) in [
        ("data_dir", &mut new.main.data_dir, &old.main.data_dir),
        ("bpf_dir", &mut new.main.bpf_dir, &old.main.bpf_dir),
        ("run_dir", &mut new.main.run_dir, &old.main.run_dir),
    ] {
        if new != old {
            said.push(format!(
                "mqttguard 'main': option {option}: '{}' takes force with the next start, until \
                 then it is '{}'",
                new.display(),
                old.display()
            ));
            new.clone_from(old);
        }
    }
    let (new, old) = (&mut new.main.persist, &old.main.persist);
    if new != old {
        let was = old
            .as_deref()
            .map_or("not set".into(), |old| old.display().to_string());
        said.push(format!(
            "mqttguard 'main': option persist takes force with the next start, until then it is \
             {was}"
        ));
        new.clone_from(old);
    }
    said
}

/// What a start with mistakes goes by, and in words what that is.
fn fall_back(last_good: &Path) -> Result<(Settings, String), ConfigError> {
    if let Ok(settings) = config::load(last_good) {
        let whose = format!("the configuration of {} is", last_good.display());
        return Ok((settings, whose));
    }
    let settings = config::parse("built-in defaults", "")?;
    Ok((settings, "the built-in defaults are".to_owned()))
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

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    const GOOD: &str = "config mqttguard 'main'\n\toption login_failures '7'\n";

    fn started(dir: &Path, text: &str) -> Configuration {
        let file = dir.join("mqttguard");
        fs::write(&file, text).unwrap();
        Configuration::at_start(file, 1).unwrap()
    }

    #[test]
    fn a_start_with_mistakes_uses_the_last_good_file() {
        let dir = tempfile::tempdir().unwrap();
        assert!(started(dir.path(), GOOD).errors.is_empty());
        let later = started(dir.path(), "config mqttguard 'main'\n\toption mode 'x'\n");
        assert_eq!(later.errors.len(), 1, "{:?}", later.errors);
        assert_eq!(later.settings.main.login_failures, 7);
        let copy = fs::metadata(dir.path().join("mqttguard.last-good")).unwrap();
        assert_eq!(copy.permissions().mode() & 0o777, 0o600);
    }

    #[test]
    fn what_a_start_would_not_take_over_is_handed_to_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let configuration = started(dir.path(), GOOD);
        for (text, expected) in [
            (GOOD, true),
            ("config mqttguard 'main'\n\toption mode 'x'\n", true),
            ("config mqttguard 'main'\n\toption enabled '0'\n", false),
            (
                "config mqttguard 'main'\n\toption bpf_dir '/sys/fs/bpf/x'\n",
                false,
            ),
        ] {
            fs::write(&configuration.file, text).unwrap();
            assert_eq!(configuration.has_successor(), expected, "{text}");
        }
        // A start with mistakes goes by the last good file, where there is one.
        fs::write(&configuration.file, "mistake").unwrap();
        let off = "config mqttguard 'main'\n\toption enabled '0'\n";
        fs::write(dir.path().join("mqttguard.last-good"), off).unwrap();
        assert!(!configuration.has_successor());
    }

    #[test]
    fn directories_stay_until_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let mut configuration = started(dir.path(), GOOD);
        let before = configuration.settings.main.clone();
        let moved = format!(
            "{GOOD}\toption data_dir '/other'\n\toption bpf_dir '/sys/fs/bpf/other'\n\
             \toption run_dir '/tmp/other'\n\toption persist '/mnt/other'\n\
             \toption mode 'monitor'\n"
        );
        fs::write(&configuration.file, &moved).unwrap();
        assert!(configuration.reload(2));
        let main = &configuration.settings.main;
        assert_eq!(main.mode, config::Mode::Monitor);
        assert_eq!(
            (&main.data_dir, &main.bpf_dir, &main.run_dir, &main.persist),
            (
                &before.data_dir,
                &before.bpf_dir,
                &before.run_dir,
                &before.persist
            )
        );
        assert_eq!(configuration.at_next_start.len(), 4);
        fs::write(&configuration.file, GOOD).unwrap();
        assert!(configuration.reload(3));
        assert_eq!(configuration.at_next_start, [""; 0]);
        assert_eq!(
            started(dir.path(), &moved).settings.main.data_dir,
            Path::new("/other")
        );
    }
}
