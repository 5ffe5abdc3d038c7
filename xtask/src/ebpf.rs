//! `cargo xtask ebpf`: builds the kernel program's objects, which are committed beside their
//! source so that nobody else needs a BPF toolchain.
//!
//! The build is reproducible: the same compilers make the same bytes from any directory.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use mqttguard_lab::tools::tools_dir;

use crate::command::workspace;
use crate::setup;

/// Build targets and the objects made for them.
const TARGETS: [(&str, &str); 2] = [
    ("bpfel-unknown-none", "mqttguard.bpfel.o"),
    ("bpfeb-unknown-none", "mqttguard.bpfeb.o"),
];

/// Says which compilers made the objects.
const BUILDINFO: &str = "BUILDINFO";

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Write nothing. Fail if the same compilers make other objects than the committed ones;
    /// with other compilers, run the tests of the kernel program on what they make (as root)
    #[arg(long)]
    check: bool,
    /// Fail if anything is missing, instead of installing it
    #[arg(long)]
    no_install: bool,
}

pub(crate) fn run(args: &Args) -> Result<()> {
    let root = workspace();
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(_) => {
            setup::ensure(&[setup::EBPF], args.no_install)?;
            Tools::find()?
        }
    };
    let objects = root.join("mqttguard-ebpf/obj");
    if args.check {
        return check(&root, &tools, &objects);
    }
    fs::create_dir_all(&objects)?;
    for (target, object) in TARGETS {
        build(&root, &tools, target, &objects.join(object))?;
        println!("{}", objects.join(object).display());
    }
    fs::write(objects.join(BUILDINFO), tools.buildinfo()?)?;
    Ok(())
}

fn check(root: &Path, tools: &Tools, objects: &Path) -> Result<()> {
    let built = root.join("target/ebpf-check");
    fs::create_dir_all(&built)?;
    for (target, object) in TARGETS {
        build(root, tools, target, &built.join(object))?;
    }
    let committed_by = fs::read_to_string(objects.join(BUILDINFO))
        .with_context(|| format!("{}", objects.join(BUILDINFO).display()))?;
    let found = tools.buildinfo()?;
    if committed_by == found {
        for (_, object) in TARGETS {
            ensure!(
                fs::read(objects.join(object))? == fs::read(built.join(object))?,
                "{object}: the committed object is not what its source makes; run cargo xtask ebpf"
            );
        }
        println!("The committed objects are what their source makes.");
        return Ok(());
    }
    println!("The committed objects are of other compilers:\n{committed_by}\nThese are:\n{found}");
    println!("Running the tests of the kernel program on what these make.");
    let (_, object) = if cfg!(target_endian = "big") {
        TARGETS[1]
    } else {
        TARGETS[0]
    };
    let mut tests = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    tests
        .current_dir(root)
        .args(["test", "--package", "mqttguard-tests"])
        .args(["--test", "kernel_decide", "--test", "kernel_standing"])
        .args(["--test", "kernel_limits", "--test", "kernel_differential"])
        .args(["--test", "kernel_evasion", "--test", "kernel_buckets"])
        .args(["--test", "kernel_linear", "--test", "kernel_split"])
        .args(["--test", "kernel_reject", "--test", "kernel_binding"])
        .args([
            "--test",
            "kernel_websocket",
            "--test",
            "kernel_websocket_split",
        ])
        .env("MQTTGUARD_EBPF_OBJECT", built.join(object));
    succeed(&mut tests)
}

fn build(root: &Path, tools: &Tools, target: &str, object: &Path) -> Result<()> {
    let target_dir = root.join("target/ebpf");
    let crate_dir = root.join("mqttguard-ebpf");
    let mut remaps = vec![format!("--remap-path-prefix={}=mqttguard", root.display())];
    for registry in registries()? {
        remaps.push(format!(
            "--remap-path-prefix={}=registry",
            registry.display()
        ));
    }
    let flags: Vec<String> = remaps.iter().map(|remap| format!("{remap:?}")).collect();
    let mut cargo = tools.cargo_build();
    cargo
        // Where .cargo/config.toml has the linker and its flags.
        .current_dir(&crate_dir)
        .args(["--release", "--locked", "--target", target])
        .arg("--target-dir")
        .arg(&target_dir)
        .arg("--config")
        .arg(format!("target.{target}.rustflags=[{}]", flags.join(",")));
    succeed(&mut cargo)?;
    let linked = target_dir.join(target).join("release/mqttguard-ebpf");
    fs::copy(&linked, object).with_context(|| format!("{}", linked.display()))?;
    Ok(())
}

/// The compilers.
struct Tools {
    toolchain: Toolchain,
    /// Search path, with the homes of `cargo install` last.
    path: OsString,
}

enum Toolchain {
    /// A compiler that brings the core library for BPF: its directory.
    Native(PathBuf),
    /// rustup's nightly, which compiles the core library first.
    Nightly,
}

impl Tools {
    fn find() -> Result<Self> {
        let mut dirs: Vec<PathBuf> =
            env::split_paths(&env::var_os("PATH").unwrap_or_default()).collect();
        dirs.push(tools_dir()?.join("bin"));
        dirs.push(cargo_home()?.join("bin"));
        let path = env::join_paths(&dirs)?;
        let native = dirs.iter().find(|dir| has_bpf_core(dir)).cloned();
        let toolchain = match native {
            Some(dir) => Toolchain::Native(dir),
            None if nightly_has_source() => Toolchain::Nightly,
            None => bail!(
                "no compiler with the core library for BPF found: cargo xtask setup installs \
                 Debian's; rustup toolchain install nightly --component rust-src will do too"
            ),
        };
        ensure!(
            dirs.iter().any(|dir| dir.join("bpf-linker").is_file()),
            "no bpf-linker found: cargo xtask setup installs it"
        );
        Ok(Tools { toolchain, path })
    }

    fn cargo_build(&self) -> Command {
        let mut cargo = match &self.toolchain {
            Toolchain::Native(dir) => {
                let mut cargo = clean(dir.join("cargo"));
                cargo.env("RUSTC", dir.join("rustc")).arg("build");
                cargo
            }
            Toolchain::Nightly => {
                let mut cargo = clean("cargo");
                cargo.args(["+nightly", "build", "-Zbuild-std=core"]);
                cargo
            }
        };
        cargo.env("PATH", &self.path);
        cargo
    }

    /// What decides about the objects' bytes: the compiler, the linker and the LLVM in it.
    fn buildinfo(&self) -> Result<String> {
        let mut rustc = match &self.toolchain {
            Toolchain::Native(dir) => clean(dir.join("rustc")),
            Toolchain::Nightly => clean("rustc"),
        };
        if matches!(self.toolchain, Toolchain::Nightly) {
            rustc.arg("+nightly");
        }
        let mut linker = clean("bpf-linker");
        linker.env("PATH", &self.path);
        let rustc = output(rustc.arg("--version"))?;
        let linker = output(linker.arg("--version"))?;
        let llvm = ["llvm-config-22", "llvm-config"]
            .into_iter()
            .find_map(|config| output(clean(config).arg("--version")).ok())
            .unwrap_or_else(|| "unknown".into());
        Ok(format!(
            "{}\n{}\nLLVM {}\n",
            rustc.trim(),
            linker.trim(),
            llvm.trim()
        ))
    }
}

/// A command without what the cargo that runs this has set for itself.
pub(crate) fn clean(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    for variable in [
        "CARGO",
        "RUSTC",
        "RUSTDOC",
        "RUSTUP_TOOLCHAIN",
        "RUSTFLAGS",
        "CARGO_ENCODED_RUSTFLAGS",
        "CARGO_TARGET_DIR",
        "CARGO_BUILD_TARGET",
    ] {
        command.env_remove(variable);
    }
    command
}

fn has_bpf_core(dir: &Path) -> bool {
    let rustc = dir.join("rustc");
    if !rustc.is_file() || !dir.join("cargo").is_file() {
        return false;
    }
    TARGETS.iter().all(|(target, _)| {
        let libdir = output(clean(&rustc).args(["--print", "target-libdir", "--target", target]));
        libdir.is_ok_and(|dir| {
            fs::read_dir(dir.trim()).is_ok_and(|entries| {
                entries
                    .flatten()
                    .any(|entry| entry.file_name().to_string_lossy().starts_with("libcore-"))
            })
        })
    })
}

fn nightly_has_source() -> bool {
    output(clean("rustc").args(["+nightly", "--print", "sysroot"])).is_ok_and(|sysroot| {
        Path::new(sysroot.trim())
            .join("lib/rustlib/src/rust/library/core")
            .is_dir()
    })
}

pub(crate) fn registries() -> Result<Vec<PathBuf>> {
    let sources = cargo_home()?.join("registry/src");
    let mut found: Vec<PathBuf> = fs::read_dir(&sources)
        .with_context(|| format!("{}", sources.display()))?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    found.sort();
    Ok(found)
}

fn cargo_home() -> Result<PathBuf> {
    match env::var_os("CARGO_HOME") {
        Some(home) => Ok(home.into()),
        None => Ok(PathBuf::from(env::var_os("HOME").context("HOME is not set")?).join(".cargo")),
    }
}

fn succeed(command: &mut Command) -> Result<()> {
    let status = command
        .status()
        .with_context(|| format!("{:?}", command.get_program()))?;
    ensure!(status.success(), "{:?}: {status}", command.get_program());
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .output()
        .with_context(|| format!("{:?}", command.get_program()))?;
    ensure!(
        output.status.success(),
        "{:?}: {}",
        command.get_program(),
        output.status
    );
    Ok(String::from_utf8(output.stdout)?)
}
