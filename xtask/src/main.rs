//! The chores of mqttguard: `cargo xtask --help`.

mod ebpf;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The chores of mqttguard")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(clap::Subcommand)]
enum Chore {
    Ebpf(ebpf::Args),
}

fn main() -> anyhow::Result<()> {
    match Args::parse().chore {
        Chore::Ebpf(args) => ebpf::run(&args),
    }
}
