//! `cargo xtask bench`: how fast it is, beside others.

use std::process::Command;

use anyhow::{Context, Result};
use mqttguard_lab::tools;

use crate::broker;
use crate::command::{cargo, must, workspace};
use crate::root::as_root;
use crate::setup;

#[derive(clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    what: What,
}

#[derive(clap::Subcommand)]
enum What {
    /// The broker, beside mosquitto and rumqttd. Takes about five minutes, and two CPU cores
    Broker(Broker),
    /// The kernel program, beside xdp-filter and nftables. Takes about five minutes, and root
    Kernel(Kernel),
}

#[derive(clap::Args)]
struct Broker {
    /// One short round; docs/benchmarks.md stays as it is
    #[arg(long)]
    quick: bool,
    /// Only what has this in its name (Idle, Fresh, FanIn, FanOut, RoundTrips, Connects, Latency,
    /// Retained); docs/benchmarks.md stays as it is
    #[arg(long)]
    only: Option<String>,
    /// Leave rumqttd out, which is long to build
    #[arg(long)]
    no_rumqttd: bool,
    /// Run brokers and load at real-time priority, on a machine that does other things too; needs
    /// root
    #[arg(long)]
    realtime: bool,
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

#[derive(clap::Args)]
struct Kernel {
    /// A few short rounds; docs/benchmarks.md stays as it is
    #[arg(long)]
    quick: bool,
    /// Only one part (frame, forward, tcp); docs/benchmarks.md stays as it is
    #[arg(long)]
    only: Option<String>,
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    match &args.what {
        What::Broker(args) => run_broker(args),
        What::Kernel(args) => run_kernel(args),
    }
}

fn run_broker(args: &Broker) -> Result<()> {
    setup::ensure(&[setup::BENCH], args.no_install)?;
    if !args.no_rumqttd {
        setup::ensure(&[setup::RUMQTTD], args.no_install)?;
    }
    let ours = broker::build("release")?;
    let mut build = cargo();
    build.args(["build", "--release", "--package", "mqttguard-bench"]);
    must(&mut build).context("the load generator does not build")?;

    let generator = tools::target_dir()?.join("release/mqttguard-bench");
    let mut bench = Command::new(generator);
    bench.arg("--mqttguard").arg(ours);
    bench.arg("--mosquitto").arg(tools::system("mosquitto")?);
    if !args.no_rumqttd {
        bench.arg("--rumqttd").arg(tools::tool("rumqttd")?);
    }
    if args.realtime {
        bench.arg("--realtime");
    }
    if args.quick {
        bench.arg("--quick");
    }
    if let Some(only) = &args.only {
        bench.args(["--only", only]);
    }
    if !args.quick && args.only.is_none() {
        let document = workspace().join("docs/benchmarks.md");
        bench.arg("--document").arg(document);
    }
    let status = bench.status().context("cannot start the load generator")?;
    anyhow::ensure!(status.success(), "the load generator: {status}");
    Ok(())
}

fn run_kernel(args: &Kernel) -> Result<()> {
    setup::ensure(&[setup::BENCH_KERNEL], args.no_install)?;
    let mut build = cargo();
    build.args(["build", "--profile", "fast"]);
    build.args(["--package", "mqttguard-bench-kernel"]);
    must(&mut build).context("the benchmark does not build")?;

    let program = tools::target_dir()?.join("fast/mqttguard-bench-kernel");
    let mut bench = as_root(program, "Loading programs into the kernel")?;
    if args.quick {
        bench.arg("--quick");
    }
    if let Some(only) = &args.only {
        bench.args(["--only", only]);
    }
    if !args.quick && args.only.is_none() {
        let document = workspace().join("docs/benchmarks.md");
        bench.arg("--document").arg(document);
    }
    let status = bench.status().context("cannot start the benchmark")?;
    anyhow::ensure!(status.success(), "the benchmark: {status}");
    Ok(())
}
