//! `cargo xtask demo`: mqttguard at work, in a house of network namespaces, on real packets.

mod house;
mod stage;
mod story;
mod table;

use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, Result, bail};
use mqttguard_lab::{home, tools};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::root::{as_root, is_root};
use crate::setup;
use crate::test::build_daemon;

use stage::Stage;

/// Whether a signal has told the process to stop.
static STOPPING: AtomicBool = AtomicBool::new(false);

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Print one JSON object instead of the story
    #[arg(long)]
    json: bool,
    /// Leave the house standing and tell how to look around in it
    #[arg(long)]
    keep: bool,
    /// Take down the houses that were kept, and do nothing else
    #[arg(long, conflicts_with_all = ["json", "keep"])]
    down: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    if !is_root() {
        return run_as_root(args);
    }
    if args.down {
        for name in home::sweep_kept() {
            println!("took down {name}");
        }
        return Ok(());
    }
    prepare(args)?;
    clean_up_on_signals()?;
    let mut stage = Stage::new(args.json);
    let told = story::tell(&mut stage, args.keep);
    if STOPPING.load(Ordering::Relaxed) {
        // What went wrong went wrong because of it; the thread that cleans up ends the process.
        loop {
            thread::park();
        }
    }
    stage.finish(&told);
    told?;
    if !stage.all_good() {
        bail!("not everything went as it should: see the lines marked above");
    }
    Ok(())
}

/// Installs and builds. Needs root for Debian packages only.
fn prepare(args: &Args) -> Result<()> {
    setup::ensure(&[setup::HOUSE], args.no_install)?;
    if std::env::var_os(tools::DAEMON_VARIABLE).is_none() {
        eprintln!("Building mqttguard (the first time takes a while).");
        crate::command::must(&mut build_daemon())?;
    }
    Ok(())
}

/// Prepares as the user, whose files the build then are, and tells the story as root.
fn run_as_root(args: &Args) -> Result<()> {
    if !args.down {
        prepare(args)?;
    }
    let daemon = tools::target_dir()?.join("fast/mqttguard");
    let mut command: Command = as_root("env", "The demo makes network namespaces, which")?;
    command
        .arg(format!("{}={}", tools::DAEMON_VARIABLE, daemon.display()))
        .arg(std::env::current_exe()?)
        .args(["demo", "--no-install"]);
    for (wanted, flag) in [
        (args.json, "--json"),
        (args.keep, "--keep"),
        (args.down, "--down"),
    ] {
        if wanted {
            command.arg(flag);
        }
    }
    let status = command.status().context("cannot start sudo")?;
    std::process::exit(status.code().unwrap_or(1));
}

/// On Ctrl-C and its like the house is taken down before the process ends.
fn clean_up_on_signals() -> Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            STOPPING.store(true, Ordering::Relaxed);
            eprintln!("\nStopped. Taking the house down.");
            home::sweep_own();
            std::process::exit(128 + signal);
        }
    });
    Ok(())
}
