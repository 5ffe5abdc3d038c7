//! The chores of mqttguard: `cargo xtask --help`.

mod bench;
mod broker;
mod command;
mod confined;
mod demo;
mod ebpf;
mod fuzz;
mod kernels;
mod package;
mod root;
mod screenshots;
mod setup;
mod test;
mod translations;
mod vendors;

use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(bin_name = "cargo xtask", about = "The chores of mqttguard")]
struct Args {
    #[command(subcommand)]
    chore: Chore,
}

/// One module each.
#[derive(clap::Subcommand)]
enum Chore {
    /// Show mqttguard at work, in a house of network namespaces
    Demo(demo::Args),
    /// Run every check: format, lints, kernel objects, unit and end-to-end tests
    Test(test::Args),
    /// Measure the broker or the kernel program beside others
    Bench(bench::Args),
    /// Fuzz the broker core and the readers of MUD files
    Fuzz(fuzz::Args),
    /// Run the broker alone, open to everybody, on loopback
    Broker(broker::Args),
    /// Build the packages for routers, and the feeds that they come from
    Package(package::Args),
    /// Build the kernel program's objects, which are committed
    Ebpf(ebpf::Args),
    /// Run the kernel program on kernels of many versions, under emulation
    Kernels(kernels::Args),
    /// Take the pictures of the LuCI pages in docs/images
    Screenshots(screenshots::Args),
    /// Collect the texts of the LuCI pages for translators, which is committed
    Translations(translations::Args),
    /// Install what the other chores need, but for rumqttd, which is bench's
    Setup(setup::Args),
    /// Write the table of vendors anew, which is committed
    Vendors(vendors::Args),
}

fn main() -> ExitCode {
    let result = match Args::parse().chore {
        Chore::Demo(args) => demo::run(&args),
        Chore::Test(args) => test::run(&args),
        Chore::Bench(args) => bench::run(&args),
        Chore::Fuzz(args) => fuzz::run(&args),
        Chore::Broker(args) => broker::run(&args),
        Chore::Package(args) => package::run(&args),
        Chore::Ebpf(args) => ebpf::run(&args),
        Chore::Kernels(args) => kernels::run(&args),
        Chore::Screenshots(args) => screenshots::run(&args),
        Chore::Translations(args) => translations::run(&args),
        Chore::Setup(args) => setup::run(&args),
        Chore::Vendors(args) => vendors::run(&args),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
