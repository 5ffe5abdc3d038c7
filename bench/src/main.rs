//! Measures MQTT brokers side by side: `cargo xtask bench broker` starts it.
//!
//! All brokers run at once, each is idle while another is measured. A round measures one thing
//! on each broker before it goes on to the next, so that what else the machine does hits all of
//! them alike; the medians of several rounds are shown. Brokers have one CPU, the load generator
//! another.

mod client;
mod contender;
mod crowd;
mod load;
mod plan;
mod report;
mod wire;

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mqttguard_bench::{load_average, machine, write_section};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

use contender::{Contender, Kind};
use plan::{Extent, Plan};

/// The run as a whole; no round begins that would not end before that.
const BOUND: Duration = Duration::from_secs(345);
const ROUNDS: u32 = 3;

struct Args {
    programs: Vec<(Kind, PathBuf)>,
    quick: bool,
    realtime: bool,
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
        programs: Vec::new(),
        quick: false,
        realtime: false,
        only: String::new(),
        document: None,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        let kind = match arg {
            Long("mosquitto") => Kind::Mosquitto,
            Long("rumqttd") => Kind::Rumqttd,
            Long("mqttguard") => Kind::Mqttguard,
            Long("quick") => {
                args.quick = true;
                continue;
            }
            Long("realtime") => {
                args.realtime = true;
                continue;
            }
            Long("only") => {
                args.only = parser.value()?.string()?;
                continue;
            }
            Long("document") => {
                args.document = Some(parser.value()?.into());
                continue;
            }
            other => return Err(other.unexpected().into()),
        };
        args.programs.push((kind, parser.value()?.into()));
    }
    if args.programs.is_empty() {
        bail!("no broker given: --mosquitto, --rumqttd or --mqttguard and its program");
    }
    args.programs.sort();
    Ok(args)
}

fn run(args: &Args) -> Result<()> {
    let core = divide_cores()?;
    if args.realtime {
        make_realtime()?;
    }
    raise_files()?;
    let directory = tempfile::tempdir()?;
    let mut contenders = Vec::new();
    // mqttguard first: it makes the certificate that all serve with.
    for (kind, program) in args.programs.iter().rev() {
        let mut contender = Contender::new(*kind, program.clone(), directory.path(), core);
        contender.restart()?;
        contenders.push(contender);
    }
    let start = Instant::now();
    let extent = if args.quick {
        Extent::Quick
    } else {
        Extent::Full
    };
    let mut plan = Plan::new(extent, args.only.clone())?;
    let rounds = if args.quick { 1 } else { ROUNDS };
    let mut done = 0;
    for round in 1..=rounds {
        let begin = Instant::now();
        eprintln!("round {round} of {rounds}");
        plan.round(&mut contenders)?;
        done = round;
        contenders.rotate_left(1);
        if start.elapsed() + begin.elapsed() > BOUND {
            break;
        }
    }
    let kinds: Vec<Kind> = args.programs.iter().map(|(kind, _)| *kind).collect();
    let table = plan.report.table(&kinds);
    println!("\n{table}");
    for failure in &plan.failures {
        println!("- {failure}");
    }
    println!("{} s, {done} rounds.", start.elapsed().as_secs());
    if let Some(path) = &args.document {
        write_document(path, args, &plan, &table, done)?;
        println!("{}", path.display());
    }
    Ok(())
}

/// Puts this program on one core; gives the one for the brokers.
fn divide_cores() -> Result<usize> {
    let allowed = sched_getaffinity(None)?;
    let mut cores = (0..CpuSet::MAX_CPU).filter(|core| allowed.is_set(*core));
    let (Some(brokers), Some(load)) = (cores.next(), cores.next()) else {
        bail!("a broker and its load need a CPU core each, and there is but one");
    };
    let mut own = CpuSet::new();
    own.set(load);
    sched_setaffinity(None, &own)?;
    Ok(brokers)
}

/// Before whatever else wants a CPU: this program, and the brokers, which inherit it.
fn make_realtime() -> Result<()> {
    let mut chrt = Command::new("chrt");
    chrt.args(["--rr", "--pid", "1", &std::process::id().to_string()]);
    let status = chrt.status().context("cannot start chrt")?;
    if !status.success() {
        bail!("no real-time priority: {status}");
    }
    Ok(())
}

/// Thousands of idle clients are thousands of open files, here and in the brokers.
fn raise_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    setrlimit(Resource::Nofile, raised).context("cannot raise the limit of open files")
}

fn write_document(path: &Path, args: &Args, plan: &Plan, table: &str, rounds: u32) -> Result<()> {
    let mut text = format!(
        "Written by `cargo xtask bench broker`, in one run: medians of {rounds} interleaved \
         rounds. `vs` says how many times better mqttguard is: above 1 it is faster, smaller or \
         sooner.\n\n{table}\n"
    );
    for failure in &plan.failures {
        writeln!(text, "- {failure}")?;
    }
    text.push_str(METHOD);
    writeln!(text, "\nMachine: {}.", machine())?;
    if args.realtime {
        text.push_str("Brokers and load ran at real-time priority, beside other work. ");
    }
    writeln!(
        text,
        "Load average (one minute) at the end of the run: {}.\n",
        load_average()
    )?;
    for (kind, program) in &args.programs {
        writeln!(text, "- {}", version(*kind, program))?;
    }
    write_section(path, "The broker", &text)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn version(kind: Kind, program: &Path) -> String {
    let said = |argument: &str| {
        let output = Command::new(program).arg(argument).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?;
        Some(text.lines().next()?.to_owned())
    };
    match kind {
        Kind::Mosquitto => said("-h").unwrap_or_else(|| "mosquitto".into()) + ", Debian's",
        Kind::Rumqttd => said("--version").unwrap_or_else(|| "rumqttd".into()),
        Kind::Mqttguard => format!("mqttguard {}, release profile", env!("CARGO_PKG_VERSION")),
    }
}

const METHOD: &str = "
### How the broker is measured

- One CPU core for the broker, another for the load generator (`bench/`, one thread), loopback
  between them. All speak MQTT 3.1.1 with payloads of 64 bytes.
- mosquitto runs with its defaults (so with Nagle's algorithm, which about doubles its throughput
  here), rumqttd with the numbers of its own example (with Nagle too), mqttguard (without) with
  everybody let in (`cargo xtask broker --open`) and the daemon's own bound of 16 MB for messages.
  Nobody checks passwords, all serve the same ECDSA P-256 certificate, clients do not verify it.
- Fan-in is 50 publishers and one subscriber, fan-out one publisher and 50 subscribers, at QoS 0,
  with at most 5,000 deliveries underway; what is counted is what arrives. CPU is the broker's,
  for one delivery.
- Round trips: 10 clients, each with 20 messages underway that come back to it; one counts when it
  has been acknowledged to its publisher and delivered.
- Latency: 10 publishers send 10,000 messages a second to one subscriber at QoS 0; a message is
  late from the moment when it was to be sent.
- Connects: 8 clients at a time connect, are let in, and leave. Resumed ones count only if the
  TLS session was. Clients acknowledge at once (TCP_QUICKACK): else brokers that leave Nagle's
  algorithm on would wait 40 ms in each TLS handshake, and not work.
- Idle clients: growth of the broker's resident memory; memory under load is the peak of a fresh
  broker after plain fan-in.
- Unread: fan-out with one more subscriber that never reads; the part of plain fan-out that
  remains for the others.
";
