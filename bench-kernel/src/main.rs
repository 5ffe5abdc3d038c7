//! Measures the kernel program beside xdp-filter and nftables: `cargo xtask bench kernel` starts
//! it, as root.
//!
//! Whatever is compared is measured in turns, so that what else the machine does hits all of them
//! alike; the medians of the rounds are shown.
//!
//! Nothing is left behind, however it ends: network namespaces, interfaces, programs and a BPF file
//! system of its own live as long as this process's threads and descriptors.
//!
//! # Layout
//!
//! - `frame_cost`: what one frame costs, by `BPF_PROG_TEST_RUN`.
//! - `forward`: what a frame costs on its whole way through a router, and `rulesets` of nftables for
//!   the same.
//! - `tcp`: what TCP gets through.
//! - `network`: device, router and cloud for these two; `blaster` sends frames there.
//! - `xdp_filter`: xdp-filter of xdp-tools, loaded by its own command.

mod blaster;
mod bpf;
mod command;
mod forward;
mod frame_cost;
mod network;
mod priority;
mod rulesets;
mod tcp;
mod xdp_filter;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};
use mqttguard_bench::{load_average, machine, write_section};
use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_change};
use rustix::thread::{UnshareFlags, unshare_unsafe};

struct Args {
    quick: bool,
    only: String,
    document: Option<PathBuf>,
}

fn main() -> ExitCode {
    match parse().and_then(|args| run(&args)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Args> {
    use lexopt::prelude::*;
    let mut args = Args {
        quick: false,
        only: String::new(),
        document: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("quick") => args.quick = true,
            Long("only") => args.only = parser.value()?.string()?,
            Long("document") => args.document = Some(parser.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    Ok(args)
}

fn run(args: &Args) -> Result<()> {
    own_bpf_file_system()?;
    let start = Instant::now();
    let mut text = String::new();
    let mut measured = false;
    for (name, part) in PARTS {
        if name.contains(&args.only) {
            let section = part(args.quick).with_context(|| name)?;
            println!("\n{section}");
            text.push_str(&section);
            measured = true;
        }
    }
    if !measured {
        let names: Vec<&str> = PARTS.iter().map(|(name, _)| *name).collect();
        bail!("--only {}: there is {}", args.only, names.join(", "));
    }
    println!("{} s.", start.elapsed().as_secs());
    if let Some(path) = &args.document {
        let text = format!(
            "Written by `cargo xtask bench kernel`, in one run of interleaved rounds; medians.\n\n\
             {text}\nMachine: {}.\nLoad average (one minute) at the end of the run: {}.\n",
            machine(),
            load_average()
        );
        write_section(path, "The kernel program", &text)
            .with_context(|| format!("cannot write {}", path.display()))?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Measures and tells in Markdown; quickly, if that is wanted.
type Part = fn(bool) -> Result<String>;

const PARTS: [(&str, Part); 3] = [
    ("frame", frame_cost::measure),
    ("forward", forward::measure),
    ("tcp", tcp::measure),
];

/// Mounts a BPF file system that this process and its children alone see: xdp-filter has one place
/// for its pins on a whole machine.
fn own_bpf_file_system() -> Result<()> {
    // SAFETY: only `UnshareFlags::FILES` is of concern to file descriptors.
    unsafe { unshare_unsafe(UnshareFlags::NEWNS) }.context("no mount namespace; root?")?;
    let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
    mount_change("/", private).context("cannot keep mounts to ourselves")?;
    mount("bpf", "/sys/fs/bpf", "bpf", MountFlags::empty(), None)
        .context("cannot mount a BPF file system")
}
