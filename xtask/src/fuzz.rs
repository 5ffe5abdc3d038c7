//! `cargo xtask fuzz`: the broker core, and the readers of what makers serve, under bytes that a fuzzer
//! finds.

use std::fs;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command::{cargo, must, workspace};
use crate::setup;
use crate::test::host;

/// What lets libFuzzer see where the code goes: LLVM's own instrumentation, which needs neither a
/// nightly toolchain nor a sanitizer's runtime. What is fuzzed has no `unsafe` for one to look at.
const FLAGS: [&str; 7] = [
    "--cfg=fuzzing",
    "-Cpasses=sancov-module",
    "-Cllvm-args=-sanitizer-coverage-level=4",
    "-Cllvm-args=-sanitizer-coverage-inline-8bit-counters",
    "-Cllvm-args=-sanitizer-coverage-pc-table",
    "-Cllvm-args=-sanitizer-coverage-trace-compares",
    "-Cforce-frame-pointers=yes",
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// What to fuzz; without it all, one after the other
    target: Option<Target>,
    /// Time for each, in seconds. It goes on with what earlier runs found, in fuzz/corpus; an input
    /// that fails is left in fuzz/artifacts
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(1..))]
    seconds: u32,
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Target {
    /// Packets: decoded, encoded and decoded again
    Codec,
    /// Schedules of clients and links, against the model
    Core,
    /// Journals to restore from
    Journal,
    /// MUD files
    Mud,
    /// Signatures of MUD files
    Cms,
}

impl Target {
    /// Its name, and the longest input that is worth trying.
    fn about(self) -> (&'static str, u32) {
        match self {
            Target::Codec => ("codec", 4_096),
            Target::Core => ("core", 1_216),
            Target::Journal => ("journal", 8_192),
            Target::Mud => ("mud", 8_192),
            Target::Cms => ("cms", 4_096),
        }
    }

    /// Inputs to start from beside what earlier runs found, if there are any.
    fn seeds(self) -> Option<&'static str> {
        match self {
            Target::Codec | Target::Core | Target::Journal => None,
            Target::Mud | Target::Cms => Some("mqttguard/src/mud/testdata"),
        }
    }
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[setup::FUZZ], args.no_install)?;
    let fuzz = workspace().join("fuzz");
    // With a target triple named, only what is fuzzed is instrumented, not what builds it. Not locked: the
    // lock file here follows when a crate of the main workspace gains or loses a dependency.
    let triple = host()?;
    let mut build = cargo();
    build
        .current_dir(&fuzz)
        .args(["build", "--release", "--target", &triple])
        .env("CARGO_ENCODED_RUSTFLAGS", FLAGS.join("\u{1f}"));
    must(&mut build).context("the fuzz targets do not build")?;
    let targets = match args.target {
        Some(target) => vec![target],
        None => vec![
            Target::Codec,
            Target::Journal,
            Target::Mud,
            Target::Cms,
            Target::Core,
        ],
    };
    for target in targets {
        let (name, longest) = target.about();
        let corpus = fuzz.join("corpus").join(name);
        fs::create_dir_all(&corpus).with_context(|| format!("cannot make {}", corpus.display()))?;
        let artifacts = fuzz.join("artifacts");
        fs::create_dir_all(&artifacts)?;
        let program = fuzz.join("target").join(&triple).join("release").join(name);
        let mut run = Command::new(program);
        run.arg(format!("-max_total_time={}", args.seconds))
            .arg(format!("-max_len={longest}"))
            .arg(format!("-artifact_prefix={}/{name}-", artifacts.display()))
            .arg("-print_final_stats=1")
            .arg(&corpus)
            .args(target.seeds().map(|seeds| workspace().join(seeds)));
        must(&mut run).with_context(|| {
            let kept = artifacts.display();
            format!("{name} failed; the input that it failed on is in {kept}")
        })?;
    }
    Ok(())
}
