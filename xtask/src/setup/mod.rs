//! `cargo xtask setup`: what a bare Debian 12 with rustup's stable cargo lacks.

mod clients;
mod debian;
mod lists;
mod need;
pub(crate) mod zig;

use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use mqttguard_lab::tools;

use crate::command::{cargo, must};
use clients::Client;
pub(crate) use lists::*;
pub(crate) use need::Need;
use need::Tool;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only say what is missing, and fail if anything is
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let installed = ensure(
        &[
            HOUSE,
            CLIENTS,
            BROWSER,
            TRANSLATIONS,
            CHECKS,
            EBPF,
            FUZZ,
            BENCH,
            BENCH_KERNEL,
            PACKAGE,
            PACKAGE_CHECK,
            KERNELS,
        ],
        args.no_install,
    )?;
    if !installed {
        println!("Nothing is missing.");
    }
    Ok(())
}

/// Installs what is missing of `needs`, after saying what; with `no_install` fails instead.
/// Gives whether anything was missing.
pub(crate) fn ensure(needs: &[&[Need]], no_install: bool) -> Result<bool> {
    let missing = Missing::find(needs)?;
    if missing.is_empty() {
        return Ok(false);
    }
    if no_install {
        bail!(
            "missing, and --no-install forbids to install it:\n{}",
            missing.list()
        );
    }
    eprintln!("To be installed first:\n{}", missing.list());
    missing.install()?;
    let left = Missing::find(needs)?;
    if !left.is_empty() {
        bail!("installed, but still missing:\n{}", left.list());
    }
    Ok(true)
}

#[derive(Default)]
struct Missing<'a> {
    packages: Vec<&'static str>,
    components: Vec<&'static str>,
    crates: Vec<&'a Tool>,
    clients: Vec<&'a Client>,
    zig: bool,
}

impl<'a> Missing<'a> {
    fn find(needs: &[&'a [Need]]) -> Result<Self> {
        let mut missing = Self::default();
        for need in needs.iter().copied().flatten() {
            match need {
                Need::Program { name, package } if tools::find_system(name).is_none() => {
                    missing.packages.push(package);
                }
                Need::Package(package) if !debian::is_installed(package) => {
                    missing.packages.push(package)
                }
                Need::Component {
                    subcommand,
                    component,
                } if !has_subcommand(subcommand) => missing.components.push(component),
                Need::Crate(tool) if !tool.is_installed()? => missing.crates.push(tool),
                Need::Client(client) if !client.is_installed()? => missing.clients.push(client),
                Need::Zig => missing.zig = !zig::is_installed()?,
                _ => {}
            }
        }
        missing.packages.dedup();
        Ok(missing)
    }

    fn is_empty(&self) -> bool {
        self.packages.is_empty()
            && self.components.is_empty()
            && self.crates.is_empty()
            && self.clients.is_empty()
            && !self.zig
    }

    fn list(&self) -> String {
        let mut lines = Vec::new();
        if !self.packages.is_empty() {
            lines.push(format!(
                "  Debian packages (apt-get install): {}",
                self.packages.join(" ")
            ));
        }
        if !self.components.is_empty() {
            let list = self.components.join(" ");
            lines.push(format!("  parts of Rust (rustup component add): {list}"));
        }
        if !self.crates.is_empty() {
            let names: Vec<&str> = self.crates.iter().map(|tool| tool.name).collect();
            let list = names.join(" ");
            lines.push(format!(
                "  programs below target/tools (cargo install): {list}"
            ));
        }
        if !self.clients.is_empty() {
            let names: Vec<&str> = self.clients.iter().map(|client| client.name).collect();
            let list = names.join(" ");
            lines.push(format!(
                "  clients below target/tools (pip, npm, cargo): {list}"
            ));
        }
        if self.zig {
            lines.push(format!("  zig {} below target/tools (pip)", zig::VERSION));
        }
        lines.join("\n")
    }

    fn install(&self) -> Result<()> {
        if !self.packages.is_empty() {
            debian::install(&self.packages)?;
        }
        if !self.components.is_empty() {
            let mut rustup = Command::new("rustup");
            rustup.args(["component", "add"]).args(&self.components);
            must(&mut rustup)?;
        }
        for tool in &self.crates {
            tool.install()?;
        }
        for client in &self.clients {
            client.install()?;
        }
        if self.zig {
            zig::install()?;
        }
        Ok(())
    }
}

fn has_subcommand(subcommand: &str) -> bool {
    cargo()
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}
