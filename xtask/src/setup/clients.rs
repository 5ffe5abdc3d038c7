//! MQTT clients that others have written, and what drives a browser, for the tests: each at one
//! version, by its lock file, below the target directory.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use mqttguard_lab::tools;

use crate::command::{cargo, must, workspace};

/// A client of another project.
pub(crate) struct Client {
    /// Its directory below that of the tools.
    pub(crate) name: &'static str,
    /// What says which version it is, in `tests/clients`.
    files: &'static [&'static str],
    install: fn(&Path) -> Result<()>,
}

/// paho-mqtt, and scramp for SCRAM, in an environment of their own.
pub(crate) const PYTHON: Client = Client {
    name: "python",
    files: &["requirements.txt"],
    install: |directory| {
        must(Command::new("python3").args(["-m", "venv"]).arg(directory))?;
        let mut pip = Command::new(directory.join("bin/pip"));
        pip.args(["install", "--quiet", "--disable-pip-version-check"]);
        must(pip.arg("--requirement").arg(source("requirements.txt")))
    },
};

/// mqtt.js.
pub(crate) const MQTT_JS: Client = Client {
    name: "mqttjs",
    files: &["package.json", "package-lock.json"],
    install: |directory| install_npm(&MQTT_JS, directory),
};

/// What drives the browser in which the LuCI views are tested.
pub(crate) const BROWSER: Client = Client {
    name: "browser",
    files: &["browser/package.json", "browser/package-lock.json"],
    install: |directory| install_npm(&BROWSER, directory),
};

/// rumqttc, in a program of its own, so that nothing else is built with an async runtime.
pub(crate) const RUMQTTC: Client = Client {
    name: "rumqttc",
    files: &[
        "rumqttc/Cargo.toml",
        "rumqttc/Cargo.lock",
        "rumqttc/src/main.rs",
    ],
    install: |_| {
        let mut build = cargo();
        build.args(["build", "--locked", "--manifest-path"]);
        build.arg(source("rumqttc/Cargo.toml"));
        must(
            build
                .arg("--target-dir")
                .arg(tools::tools_dir()?.join("build")),
        )
    },
};

impl Client {
    /// Whether it was installed from what the files say now.
    pub(crate) fn is_installed(&self) -> Result<bool> {
        let noted = fs::read(self.note()?).unwrap_or_default();
        Ok(noted == self.wanted()?)
    }

    /// Installs it, in place of another version of it.
    pub(crate) fn install(&self) -> Result<()> {
        let directory = tools::tools_dir()?.join(self.name);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        fs::create_dir_all(&directory)?;
        (self.install)(&directory).with_context(|| format!("{} cannot be installed", self.name))?;
        Ok(fs::write(self.note()?, self.wanted()?)?)
    }

    fn note(&self) -> Result<PathBuf> {
        Ok(tools::tools_dir()?.join(self.name).join(".installed"))
    }

    fn wanted(&self) -> Result<Vec<u8>> {
        let mut wanted = Vec::new();
        for file in self.files {
            let path = source(file);
            let text =
                fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
            wanted.extend(text);
        }
        Ok(wanted)
    }
}

/// Installs what a client's `package-lock.json` names into `directory`.
fn install_npm(client: &Client, directory: &Path) -> Result<()> {
    for file in client.files {
        let file = source(file);
        let name = file.file_name().context("a file without a name")?;
        fs::copy(&file, directory.join(name))?;
    }
    let mut npm = Command::new("npm");
    npm.args(["ci", "--no-audit", "--no-fund", "--ignore-scripts"]);
    must(npm.current_dir(directory))
}

fn source(file: &str) -> PathBuf {
    workspace().join("tests/clients").join(file)
}
