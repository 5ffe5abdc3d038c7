//! `cargo xtask kernels`: the kernel program on kernels of many versions, each booted under qemu's
//! emulation with the tests as its only process.
//!
//! - `source`: where the kernels come from.
//! - `initramfs`: the file system of a guest.
//! - `outcome`: what a guest said.

mod initramfs;
mod outcome;
mod source;

use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mqttguard_lab::tools;

use crate::setup;
use outcome::{Outcome, Round};
use source::{Kernel, Source};

/// How long a guest may take; none needs half of it on an idle machine.
const LIMIT: Duration = Duration::from_secs(900);
/// The test files that a guest runs; `init.sh` says in which order and how.
const TESTS: [&str; 7] = [
    "kernel_attach",
    "kernel_decide",
    "kernel_differential",
    "kernel_evasion",
    "kernel_reject",
    "kernel_websocket",
    "kernel_websocket_split",
];
/// What they need of the kernel that may be in modules, in the order of their dependencies.
const MODULES: [&str; 10] = [
    "llc",
    "stp",
    "bridge",
    "veth",
    "macvlan",
    "sch_ingress",
    "cls_bpf",
    "cls_u32",
    "act_mirred",
    "tun",
];

/// Debian's for clouds are small and have all that is needed.
const fn debian(version: &'static str) -> Source {
    Source::Package {
        image: "linux-image-",
        version,
        flavour: "-cloud-amd64",
        modules: None,
    }
}

const fn ubuntu(version: &'static str) -> Source {
    Source::Package {
        image: "linux-image-unsigned-",
        version,
        flavour: "-generic",
        modules: Some("linux-modules-"),
    }
}

/// What `--only` calls them.
const KERNELS: [(&str, Source); 8] = [
    ("5.10", debian("5.10.")),
    ("5.15", ubuntu("5.15.")),
    ("5.15-no-btf", Source::Built("linux-source-5.15.0")),
    ("6.1", debian("6.1.")),
    ("6.5", ubuntu("6.5.")),
    ("6.8", ubuntu("6.8.")),
    ("6.12", debian("6.12.")),
    (
        "newest",
        Source::Package {
            image: "linux-binary-",
            version: "",
            flavour: "-cloud-amd64",
            modules: Some("linux-modules-"),
        },
    ),
];

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only this kernel: 5.10, 5.15, 5.15-no-btf, 6.1, 6.5, 6.8, 6.12 or newest
    #[arg(long, value_name = "VERSION")]
    only: Option<String>,
    /// Only these test files, such as kernel_differential,kernel_attach
    #[arg(long, value_name = "NAMES", value_delimiter = ',')]
    tests: Vec<String>,
    /// Fail if a program is missing, instead of installing it. Kernels are still fetched
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let chosen: Vec<_> = KERNELS
        .iter()
        .filter(|(name, _)| args.only.as_deref().is_none_or(|only| only == *name))
        .collect();
    if chosen.is_empty() {
        let names = KERNELS.map(|(name, _)| name).join(", ");
        bail!("no such kernel; there are {names}");
    }
    if let Some(unknown) = args.tests.iter().find(|it| !TESTS.contains(&it.as_str())) {
        bail!("no such test {unknown}; there are {}", TESTS.join(", "));
    }
    setup::ensure(&[setup::KERNELS], args.no_install)?;
    let work = tools::target_dir()?.join("kernels");
    fs::create_dir_all(&work)?;
    let root = work.join("root");
    initramfs::lay_out(&root, &initramfs::build_tests()?)?;
    let mut rows = Vec::new();
    let mut is_good = true;
    for (name, source) in chosen {
        println!("\n== {name}");
        let found = source::obtain(name, source)
            .with_context(|| format!("cannot get kernel {name}"))
            .and_then(|kernel| boot(name, &kernel, &root, &work, &args.tests));
        match found {
            Ok(outcome) => {
                is_good &= tell(name, &outcome, &work);
                rows.extend(rows_of(name, &outcome));
            }
            Err(error) => {
                is_good = false;
                println!("{error:#}");
                rows.push(format!("| {name} | {error} | | | | | |"));
            }
        }
    }
    println!(
        "\n| kernel | BTF | JIT | verifier, XDP | verifier, TC | passed | failed |\n\
         |---|---|---|---:|---:|---:|---:|\n{}",
        rows.join("\n")
    );
    ensure!(
        is_good,
        "not everything went well; what the guests said is in {}",
        work.display()
    );
    Ok(())
}

/// Boots a kernel and waits for its end, or for its time to be over.
fn boot(
    name: &str,
    kernel: &Kernel,
    root: &Path,
    work: &Path,
    tests: &[String],
) -> Result<Outcome> {
    let archive = work.join("initramfs.gz");
    initramfs::pack(root, &kernel.modules, &archive)?;
    let path = work.join(format!("{name}.log"));
    let log = File::create(&path)?;
    // It cannot be attacked by speculation, and pays for the defence.
    let mut line = "console=ttyS0 quiet panic=-1 mitigations=off".to_owned();
    if !tests.is_empty() {
        // What the kernel does not know becomes init's environment.
        line += &format!(" TESTS={}", tests.join(","));
    }
    let start = Instant::now();
    let mut guest = Command::new(tools::system("qemu-system-x86_64")?)
        .args(["-machine", "q35", "-accel", "tcg", "-cpu", "max"])
        .args(["-m", "1024", "-smp", "2", "-nic", "none"])
        .args(["-display", "none", "-serial", "stdio", "-no-reboot"])
        .args(["-append", &line])
        .arg("-kernel")
        .arg(&kernel.image)
        .arg("-initrd")
        .arg(&archive)
        .stdin(Stdio::null())
        .stdout(log.try_clone()?)
        .stderr(log)
        .spawn()
        .context("cannot start qemu")?;
    while guest.try_wait()?.is_none() {
        if start.elapsed() > LIMIT {
            println!("It took longer than {} s.", LIMIT.as_secs());
            guest.kill()?;
            guest.wait()?;
            break;
        }
        sleep(Duration::from_millis(200));
    }
    println!("{} s", start.elapsed().as_secs());
    Ok(outcome::read(&String::from_utf8_lossy(&fs::read(path)?)))
}

/// Says how it went, and whether well.
fn tell(name: &str, outcome: &Outcome, work: &Path) -> bool {
    let log = work.join(format!("{name}.log"));
    let mut is_good = outcome.done;
    if outcome.release.is_empty() {
        println!("It did not boot: {}", log.display());
    } else if !outcome.done {
        println!("It did not come to its end: {}", log.display());
    }
    for Round { jit, failed, .. } in &outcome.rounds {
        let how = if *jit { "compiled" } else { "interpreted" };
        for test in failed {
            is_good = false;
            println!("{how}: {test} FAILED, see {}", log.display());
        }
    }
    is_good
}

fn rows_of(name: &str, outcome: &Outcome) -> Vec<String> {
    if outcome.rounds.is_empty() {
        return vec![format!("| {name} | did not boot | | | | | |")];
    }
    let instructions = |count: Option<u64>| count.map_or("not told".into(), |n| n.to_string());
    let word = |is: bool, yes: &'static str, no: &'static str| if is { yes } else { no };
    let row = |round: &Round| {
        format!(
            "| {} | {} | {} | {} | {} | {} | {} |",
            outcome.release,
            word(outcome.btf, "yes", "no"),
            word(round.jit, "on", "off"),
            instructions(round.verified[0]),
            instructions(round.verified[1]),
            round.passed,
            round.failed.len()
        )
    };
    outcome.rounds.iter().map(row).collect()
}
