use std::fs;

use anyhow::Result;
use mqttguard_lab::tools;

use super::clients::Client;
use crate::command::{cargo, must};

/// What a chore cannot do without.
pub(crate) enum Need {
    /// A program of a Debian package.
    Program {
        /// The program; found in PATH or an sbin directory.
        name: &'static str,
        /// Its package.
        package: &'static str,
    },
    /// A Debian package without a program of its own.
    Package(&'static str),
    /// A component of the Rust toolchain.
    Component {
        /// The cargo subcommand.
        subcommand: &'static str,
        /// rustup's name of the component.
        component: &'static str,
    },
    /// A program from the crate registry.
    Crate(Tool),
    /// A client that the broker is tested with.
    Client(Client),
    /// zig, from the Python registry.
    Zig,
}

impl Need {
    pub(super) const fn program(name: &'static str, package: &'static str) -> Need {
        Need::Program { name, package }
    }
}

/// A program from the crate registry, installed below the target directory.
pub(crate) struct Tool {
    /// The crate and its program.
    pub(super) name: &'static str,
    /// The version; no other is known to work.
    pub(super) version: &'static str,
    /// Whether it is built with the versions of its own lock file.
    pub(super) locked: bool,
    /// More arguments of `cargo install`.
    pub(super) arguments: &'static [&'static str],
    /// A variable that its build needs.
    pub(super) variable: Option<(&'static str, &'static str)>,
}

impl Tool {
    /// A crate that builds as it is.
    pub(super) const fn plain(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            locked: true,
            arguments: &[],
            variable: None,
        }
    }

    /// Whether cargo notes that very version as installed, and its program is there.
    pub(super) fn is_installed(&self) -> Result<bool> {
        let noted = tools::tools_dir()?.join(".crates.toml");
        let noted = fs::read_to_string(noted).unwrap_or_default();
        let line = format!("\"{} {} (", self.name, self.version);
        Ok(noted.contains(&line) && tools::tool(self.name).is_ok())
    }

    pub(super) fn install(&self) -> Result<()> {
        let root = tools::tools_dir()?;
        let mut install = cargo();
        install
            .args(["install", "--root"])
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build"))
            .args(self.locked.then_some("--locked"))
            .args(self.arguments)
            .arg(format!("{}@{}", self.name, self.version));
        if let Some((variable, value)) = self.variable {
            install.env(variable, value);
        }
        must(&mut install)
    }
}
