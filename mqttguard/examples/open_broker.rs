//! The broker alone, on loopback, with everybody let in: `cargo xtask broker --open`. There is
//! no registry, no kernel program and no bus. Nothing of this is part of the daemon.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use mqttguard::broker::Place;
use mqttguard::broker::open::{Open, start_open};
use mqttguard::pki::{Names, Pki};

const USAGE: &str =
    "open_broker [--port PORT] [--tls-port PORT] [--wss-port PORT] [--subscribe FILTER]...
            [--deny FILTER]... [--journal DIRECTORY [--disk]] --pki DIRECTORY

Serves MQTT on 127.0.0.1 until its standard input ends. The CA for --tls-port is made in DIRECTORY.
Subscriptions that no --subscribe covers are refused; without any, none is. Topics of --deny are out
of reach all the same. With --journal what is acknowledged outlives a crash, with --disk a power
cut too.
";

#[derive(Default)]
struct Args {
    plain: Option<u16>,
    tls: Option<u16>,
    wss: Option<u16>,
    subscribe: Vec<String>,
    deny: Vec<String>,
    journal: Option<PathBuf>,
    disk: bool,
    pki: PathBuf,
}

fn main() -> ExitCode {
    match parse().and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("open_broker: {error}\n\n{USAGE}");
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Result<Args, Box<dyn std::error::Error>> {
    use lexopt::prelude::*;
    let mut args = Args::default();
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("port") => args.plain = Some(parser.value()?.parse()?),
            Long("tls-port") => args.tls = Some(parser.value()?.parse()?),
            Long("wss-port") => args.wss = Some(parser.value()?.parse()?),
            Long("subscribe") => args.subscribe.push(parser.value()?.string()?),
            Long("deny") => args.deny.push(parser.value()?.string()?),
            Long("journal") => args.journal = Some(parser.value()?.into()),
            Long("disk") => args.disk = true,
            Long("pki") => args.pki = parser.value()?.into(),
            other => return Err(other.unexpected().into()),
        }
    }
    if args.pki.as_os_str().is_empty() {
        return Err("--pki is missing".into());
    }
    Ok(args)
}

fn run(args: Args) -> Result<(), Box<dyn std::error::Error>> {
    let names = Names {
        hostname: "localhost".into(),
        addresses: vec![[127, 0, 0, 1].into()],
    };
    let pki = Pki::open_or_create(&args.pki, &names)?;
    let broker = start_open(Open {
        plain: args.plain,
        tls: args.tls,
        wss: args.wss,
        certificate: pki.tls_config(4096, None)?,
        subscribe: args.subscribe,
        deny: args.deny,
        journal: args.journal.map(|directory| Place {
            directory,
            disk: args.disk,
        }),
    })?;
    let stats = broker.stats().ok_or("the broker has stopped")?;
    let mut out = std::io::stdout();
    for listener in &stats.listeners {
        for address in &listener.addresses {
            // Whoever started this may have stopped reading.
            let _ = writeln!(out, "{} {address}", listener.name);
        }
        if let Some(error) = listener.errors.first() {
            return Err(error.clone().into());
        }
    }
    let _ = writeln!(
        out,
        "OPEN TO EVERYBODY on this machine: no passwords, no guard. Not for devices."
    );
    // Whoever started this holds the other end, so that no open broker outlives its purpose.
    let mut ignored = Vec::new();
    std::io::stdin().read_to_end(&mut ignored)?;
    broker.stop();
    Ok(())
}
