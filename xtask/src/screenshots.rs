//! `cargo xtask screenshots`: pictures of the LuCI pages, taken by the test of them.

use anyhow::Result;
use mqttguard_lab::tools;

use crate::command::{must, workspace};
use crate::setup;
use crate::test;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(&[setup::HOUSE, setup::BROWSER], args.no_install)?;
    if std::env::var_os(tools::DAEMON_VARIABLE).is_none() {
        must(&mut test::build_daemon())?;
    }
    let directory = workspace().join("docs/images");
    std::fs::create_dir_all(&directory)?;
    must(&mut test::pictures(&directory)?)?;
    println!("The pictures are in {}.", directory.display());
    Ok(())
}
