//! `cargo xtask test`: every check, as continuous integration runs it.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use mqttguard_lab::tools;

use crate::broker;
use crate::command::{cargo, workspace};
use crate::confined;
use crate::root::is_root;
use crate::setup;

/// The crates whose tests need neither root nor namespaces.
const UNITS: [&str; 6] = [
    "mqttguard-common",
    "mqttguard-broker",
    "mqttguard",
    "mqttguard-bench",
    "mqttguard-bench-kernel",
    "xtask",
];
/// The crates of the end-to-end tests.
const END_TO_END: [&str; 2] = ["mqttguard-lab", "mqttguard-tests"];
/// Where their tests are.
const TEST_DIRECTORIES: [&str; 2] = ["lab/tests", "tests/tests"];
/// Those that need neither root nor a broker or the machine for themselves.
const LOOPBACK: [&str; 4] = ["bridge", "clients", "conformance", "durable"];

/// Names the directory for pictures of the LuCI views, in the test of them.
const PICTURES_VARIABLE: &str = "MQTTGUARD_PICTURES";
/// Names a checkout of LuCI to test the views on.
const LUCI_VARIABLE: &str = "MQTTGUARD_LUCI";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
    /// Run only the end-to-end tests whose name contains this
    filter: Option<String>,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    setup::ensure(
        &[setup::HOUSE, setup::CLIENTS, setup::BROWSER, setup::CHECKS],
        args.no_install,
    )?;
    let mut checks = Checks::default();
    if args.filter.is_none() {
        checks.source(args.no_install)?;
    }
    checks.must("daemon", build_daemon())?;
    checks.must("open broker", broker::build_command("fast"))?;
    if args.filter.is_none() {
        checks.run("unit tests", cargo().arg("test").args(packages(&UNITS)))?;
        checks.run("packages", &mut pack()?)?;
    }
    let filter = args.filter.as_deref();
    checks.run("tests on loopback", &mut on_loopback(filter)?)?;
    checks.run("tests in houses", &mut in_houses(filter)?)?;
    if args.filter.is_none() {
        checks.run("tests, confined", &mut confined()?)?;
    }
    checks.finish()
}

/// Packs the daemon that was built for the tests. For routers, `cargo xtask package --check` builds
/// it, which takes too long here.
fn pack() -> Result<Command> {
    let target = tools::target_dir()?;
    // Not this program itself: the tests of this crate may have built it anew.
    let mut pack = cargo();
    pack.args([
        "xtask",
        "package",
        "--no-install",
        "--arch",
        "x86_64",
        "--program",
    ])
    .arg(target.join("fast/mqttguard"))
    .arg("--output")
    .arg(target.join("feed-test"));
    Ok(pack)
}

/// The end-to-end tests of start, takeover and stop, of a daemon with no more capabilities than on a
/// router.
fn confined() -> Result<Command> {
    let daemon = tools::target_dir()?.join("fast/mqttguard");
    let mut test = end_to_end()?;
    test.env(tools::DAEMON_VARIABLE, confined::wrap(&daemon)?);
    test.args(["--test", "takeover", "--", "--test-threads=1"]);
    run_as_root(&mut test)?;
    Ok(test)
}

/// The command that builds the daemon that demo and tests run.
pub(crate) fn build_daemon() -> Command {
    let mut build = cargo();
    build.args(["build", "--package", "mqttguard", "--profile", "fast"]);
    build
}

/// `cargo test` of the end-to-end tests, with what they run.
fn end_to_end() -> Result<Command> {
    let mut test = cargo();
    test.args(["test", "--no-fail-fast"])
        .args(packages(&END_TO_END))
        .env(
            tools::DAEMON_VARIABLE,
            tools::target_dir()?.join("fast/mqttguard"),
        )
        .env(tools::OPEN_BROKER_VARIABLE, broker::program("fast")?);
    Ok(test)
}

/// The end-to-end tests that may run side by side.
fn on_loopback(filter: Option<&str>) -> Result<Command> {
    let mut test = end_to_end()?;
    for name in LOOPBACK {
        test.args(["--test", name]);
    }
    test.arg("--").args(filter);
    Ok(test)
}

/// The end-to-end tests that make namespaces, load kernel programs or take the time, one after the
/// other.
fn in_houses(filter: Option<&str>) -> Result<Command> {
    let mut test = end_to_end()?;
    test.arg("--lib");
    for name in test_names()? {
        if !LOOPBACK.contains(&name.as_str()) {
            test.args(["--test", &name]);
        }
    }
    test.args(["--", "--test-threads=1"]).args(filter);
    run_as_root(&mut test)?;
    Ok(test)
}

/// The tests of the LuCI views, which take pictures of them into `directory`.
pub(crate) fn pictures(directory: &Path) -> Result<Command> {
    let mut test = end_to_end()?;
    test.args([
        "--test",
        "luci",
        "--test",
        "luci_enrol",
        "--test",
        "luci_pages",
        "--test",
        "ten_minutes",
    ]);
    test.args(["--", "--test-threads=1"]);
    test.env(PICTURES_VARIABLE, directory);
    run_as_root(&mut test)?;
    Ok(test)
}

/// Has the test programs run as root; cargo stays the user's.
fn run_as_root(test: &mut Command) -> Result<()> {
    if !is_root() {
        let sudo = tools::find_system("sudo")
            .context("the tests make network namespaces, which needs root, and there is no sudo")?;
        let variable = format!(
            "CARGO_TARGET_{}_RUNNER",
            host()?.to_uppercase().replace('-', "_")
        );
        let (daemon, broker) = (tools::DAEMON_VARIABLE, tools::OPEN_BROKER_VARIABLE);
        let keep = format!(
            "--preserve-env={daemon},{broker},{PICTURES_VARIABLE},{LUCI_VARIABLE},PATH,CARGO"
        );
        test.env(variable, format!("{} {keep} --", sudo.display()));
    }
    Ok(())
}

/// The names of all end-to-end tests: a file or a directory each.
fn test_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for directory in TEST_DIRECTORIES {
        let path = workspace().join(directory);
        let entries =
            fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
        for entry in entries {
            let path = entry?.path();
            let name = path.file_stem().context("a test without a name")?;
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn packages(names: &[&'static str]) -> Vec<&'static str> {
    names.iter().flat_map(|name| ["--package", *name]).collect()
}

/// The target that cargo builds for when nobody says otherwise.
pub(crate) fn host() -> Result<String> {
    let output = Command::new("rustc")
        .arg("-vV")
        .output()
        .context("cannot start rustc")?;
    let text = String::from_utf8(output.stdout)?;
    text.lines()
        .find_map(|line| line.strip_prefix("host: "))
        .map(str::to_owned)
        .context("rustc -vV names no host")
}

/// What was run, how long it took, whether it went well.
#[derive(Default)]
struct Checks {
    done: Vec<(&'static str, Duration, bool)>,
}

impl Checks {
    /// The checks that only read the source.
    fn source(&mut self, no_install: bool) -> Result<()> {
        self.run("format", cargo().args(["fmt", "--all", "--check"]))?;
        let mut clippy = cargo();
        clippy.args([
            "clippy",
            "--workspace",
            "--exclude",
            "mqttguard-ebpf",
            "--all-targets",
        ]);
        self.run("lints", clippy.args(["--", "-D", "warnings"]))?;
        let mut fuzzing = cargo();
        fuzzing.args(["clippy", "--package", "mqttguard-broker", "--package"]);
        fuzzing.args(["mqttguard", "--features", "mqttguard-broker/fuzzing"]);
        fuzzing.args(["--features", "mqttguard/fuzzing", "--", "-D", "warnings"]);
        self.run("lints, fuzzing", &mut fuzzing)?;
        let mut open = cargo();
        open.args(["clippy", "--package", "mqttguard", "--features", "open"]);
        open.args(["--example", "open_broker", "--", "-D", "warnings"]);
        self.run("lints, open broker", &mut open)?;
        let mut itself = Command::new(std::env::current_exe()?);
        itself.args(["ebpf", "--check"]);
        if no_install {
            itself.arg("--no-install");
        }
        self.run("kernel objects", &mut itself)?;
        let mut texts = Command::new(std::env::current_exe()?);
        texts.args(["translations", "--check"]);
        if no_install {
            texts.arg("--no-install");
        }
        self.run("translations", &mut texts)?;
        self.dependencies()
    }

    /// Licenses, and what must not come in with a dependency, where cargo-deny is installed.
    /// Advisories are left to `cargo deny check advisories`: they change without a change here.
    fn dependencies(&mut self) -> Result<()> {
        let mut deny = cargo();
        let installed = deny
            .args(["deny", "--version"])
            .output()
            .is_ok_and(|o| o.status.success());
        if !installed {
            println!("\n== dependencies: skipped, cargo-deny is not installed");
            return Ok(());
        }
        let check = [
            "deny",
            "--workspace",
            "check",
            "licenses",
            "bans",
            "sources",
        ];
        self.run("dependencies", cargo().args(check))
    }

    /// Runs a check and notes how it went; the others are run all the same.
    fn run(&mut self, name: &'static str, command: &mut Command) -> Result<()> {
        println!("\n== {name}");
        let start = Instant::now();
        let status = command
            .current_dir(workspace())
            .env("PATH", std::env::join_paths(tools::search_path())?)
            .status()
            .with_context(|| format!("cannot start {:?}", command.get_program()))?;
        self.done.push((name, start.elapsed(), status.success()));
        Ok(())
    }

    /// Runs what the checks after it need.
    fn must(&mut self, name: &'static str, mut command: Command) -> Result<()> {
        self.run(name, &mut command)?;
        if self.done.last().is_some_and(|(_, _, good)| !good) {
            bail!("{name} failed; the checks after it need it");
        }
        Ok(())
    }

    fn finish(&self) -> Result<()> {
        println!("\n== summary");
        for (name, took, good) in &self.done {
            let word = if *good { "good" } else { "FAILED" };
            println!("{name:<20} {word:<7} {:>4} s", took.as_secs());
        }
        if self.done.iter().any(|(_, _, good)| !good) {
            bail!("not all checks went well");
        }
        Ok(())
    }
}
