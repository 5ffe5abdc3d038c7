//! `cargo xtask package`: packages for OpenWrt routers, and the feeds that they come from.
//!
//! What is in a package stands in its Makefile below `openwrt/`, which is OpenWrt's own feed too.

mod adb;
mod apk;
mod arch;
mod build;
mod check;
mod contents;
mod feed;
mod ipk;
mod keys;
mod recipe;
#[cfg(test)]
#[allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
mod tests;

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use clap::ValueEnum;
use mqttguard_lab::tools;

use crate::command::workspace;
use crate::setup;
use arch::Arch;
use contents::Contents;
use keys::Keys;

/// The largest package of the daemon that a router's flash is asked to hold.
const LARGEST: usize = 2 << 20;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// The architectures; all if none is named
    #[arg(long, value_name = "ARCH")]
    arch: Vec<Arch>,
    /// The package formats; all if none is named
    #[arg(long)]
    format: Vec<Format>,
    /// Where the feeds go [default: feed, below the target directory]
    #[arg(long, value_name = "DIRECTORY")]
    output: Option<PathBuf>,
    /// Where the keys are that the feeds are signed with; made if they are not there [default:
    /// feed-keys, below the target directory]
    #[arg(long, value_name = "DIRECTORY")]
    keys: Option<PathBuf>,
    /// Run each program too, under qemu: it must make its CA, serve TLS and answer on ubus
    #[arg(long)]
    check: bool,
    /// Pack this program, and build none; for one architecture
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

/// What OpenWrt's package managers install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// opkg: OpenWrt 24.10 and older
    Ipk,
    /// apk 3: OpenWrt 25.12 and newer
    Apk,
}

impl Format {
    fn name(self) -> &'static str {
        match self {
            Format::Ipk => "opkg",
            Format::Apk => "apk",
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let target_dir = tools::target_dir()?;
    let below = |given: &Option<PathBuf>, name: &str| match given {
        Some(path) => path.clone(),
        None => target_dir.join(name),
    };
    let archs = match args.arch.as_slice() {
        [] => Arch::value_variants(),
        some => some,
    };
    let formats = match args.format.as_slice() {
        [] => Format::value_variants(),
        some => some,
    };
    if args.program.is_some() && archs.len() != 1 {
        bail!("--program is of one architecture: name it with --arch");
    }
    let build: &[setup::Need] = match args.program {
        Some(_) => &[],
        None => setup::PACKAGE,
    };
    let check: &[setup::Need] = match args.check {
        true => setup::PACKAGE_CHECK,
        false => &[],
    };
    setup::ensure(&[setup::SIGNING, build, check], args.no_install)?;

    let (output, keys) = (below(&args.output, "feed"), below(&args.keys, "feed-keys"));
    let keys = Keys::open(&keys)?;
    let mtime = source_date()?;
    let openwrt = workspace().join("openwrt");
    let for_all = [
        Contents::of_data(&openwrt.join("mqttguard-vendors"), mtime)?,
        Contents::of_luci(&openwrt.join("luci-app-mqttguard"), mtime)?,
    ];
    let mut too_large = Vec::new();
    for arch in archs {
        let start = Instant::now();
        let program = match &args.program {
            Some(program) => program.clone(),
            None => build::build(*arch)?,
        };
        let took = start.elapsed().as_secs();
        let size = std::fs::metadata(&program)?.len();
        println!("{}: a program of {size} bytes, in {took} s", arch.name());
        if args.check {
            check::run(*arch, &program)?;
        }
        let directory = openwrt.join("mqttguard");
        let mut packages = vec![Contents::of_daemon(
            &directory,
            arch.name(),
            &program,
            mtime,
        )?];
        packages.extend(for_all.clone());
        for format in formats {
            for written in feed::write(&output, *format, arch.name(), &packages, &keys)? {
                println!("  {:>9} {}", written.bytes, written.file.display());
                let name = written.file.file_name().unwrap_or_default();
                if name.to_string_lossy().starts_with("mqttguard") && written.bytes > LARGEST {
                    too_large.push(written.file);
                }
            }
        }
    }
    if !too_large.is_empty() && (args.check || args.program.is_none()) {
        bail!("larger than {LARGEST} bytes, which small routers have no room for: {too_large:?}");
    }
    Ok(())
}

/// The time that everything in a package has: that of the commit, or what `SOURCE_DATE_EPOCH` says.
fn source_date() -> Result<u64> {
    if let Some(given) = std::env::var_os("SOURCE_DATE_EPOCH") {
        let given = given.to_string_lossy();
        return given
            .parse()
            .with_context(|| format!("SOURCE_DATE_EPOCH: found '{given}', expected seconds"));
    }
    let output = Command::new("git")
        .args(["log", "-1", "--format=%ct"])
        .current_dir(workspace())
        .output()
        .context("cannot start git; SOURCE_DATE_EPOCH can say the time instead")?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    text.parse()
        .context("no commit to take the time from; SOURCE_DATE_EPOCH can say it")
}
