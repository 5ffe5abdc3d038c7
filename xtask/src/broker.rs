//! `cargo xtask broker --open`: the broker alone, for interoperability suites and load
//! generators.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use mqttguard_lab::tools;

use crate::command::{cargo, must};

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Let everybody in, without a password. There is no other way to run the broker alone
    #[arg(long, required = true)]
    open: bool,
    /// The port to listen on in the clear, on 127.0.0.1
    #[arg(long, default_value_t = 1883)]
    port: u16,
    /// A port to listen on with TLS too, with a certificate of a CA that is good for nothing else
    #[arg(long)]
    tls_port: Option<u16>,
    /// Refuse subscriptions that no such filter covers; may be given several times
    #[arg(long, value_name = "FILTER")]
    subscribe: Vec<String>,
    /// Keep topics out of reach that such a filter matches; may be given several times
    #[arg(long, value_name = "FILTER")]
    deny: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let broker = build("fast")?;
    let pki = tools::target_dir()?.join("open-broker");
    let mut command = Command::new(broker);
    command.arg("--pki").arg(&pki);
    command.args(["--port", &args.port.to_string()]);
    if let Some(port) = args.tls_port {
        command.args(["--tls-port", &port.to_string()]);
        println!("ca {}", pki.join("ca.crt").display());
    }
    for filter in &args.subscribe {
        command.args(["--subscribe", filter]);
    }
    for filter in &args.deny {
        command.args(["--deny", filter]);
    }
    let mut child = command.stdin(Stdio::piped()).spawn()?;
    // It ends with its standard input, and so with this program.
    let _held = child.stdin.take();
    let status = child.wait()?;
    if !status.success() {
        bail!("the broker ended: {status}");
    }
    Ok(())
}

/// Builds the open broker; gives its program. The daemon is never built with that feature.
pub(crate) fn build(profile: &str) -> Result<PathBuf> {
    must(&mut build_command(profile)).context("the broker does not build")?;
    program(profile)
}

/// The command that builds the open broker.
pub(crate) fn build_command(profile: &str) -> Command {
    let mut build = cargo();
    build.args(["build", "--package", "mqttguard", "--profile", profile]);
    build.args(["--features", "open", "--example", "open_broker"]);
    build
}

/// Where the open broker is, once it is built.
pub(crate) fn program(profile: &str) -> Result<PathBuf> {
    let built = tools::target_dir()?.join(profile);
    Ok(built.join("examples/open_broker"))
}
