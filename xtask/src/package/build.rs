//! The daemon as a static program for a router, without OpenWrt's toolchain: Debian's Rust
//! compiles the standard library along (no prebuilt one exists for MIPS any more), and zig is C
//! compiler and linker and brings musl.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use mqttguard_lab::tools;

use super::arch::Arch;
use crate::command::{must, workspace};
use crate::ebpf::{clean, registries};
use crate::setup::zig;

/// The cargo profile of packages.
const PROFILE: &str = "router";

/// Where Debian has its compiler. rustup's cannot compile the standard library without nightly.
const BIN: &str = "/usr/bin";

/// Builds the daemon; gives its program, stripped.
pub(super) fn build(arch: Arch) -> Result<PathBuf> {
    let target = arch.target();
    let wrappers = Wrappers::write(arch)?;
    let mut cargo = clean(Path::new(BIN).join("cargo"));
    cargo
        .current_dir(workspace())
        .env("RUSTC", Path::new(BIN).join("rustc"))
        // -Zbuild-std in a compiler that calls itself stable.
        .env("RUSTC_BOOTSTRAP", "1")
        .env(
            "PATH",
            std::env::join_paths([BIN, "/bin", "/usr/sbin", "/sbin"])?,
        );
    let name = target.replace('-', "_");
    cargo
        .env(format!("CC_{name}"), &wrappers.cc)
        .env(format!("AR_{name}"), &wrappers.ar)
        .env("ZIG_GLOBAL_CACHE_DIR", &wrappers.cache)
        .env("ZIG_LOCAL_CACHE_DIR", &wrappers.cache);
    let upper = name.to_uppercase();
    cargo
        .env(format!("CARGO_TARGET_{upper}_LINKER"), &wrappers.cc)
        .env(format!("CARGO_TARGET_{upper}_RUSTFLAGS"), flags(arch)?);
    let directory = tools::target_dir()?.join("package");
    cargo
        .args(["build", "--locked", "--package", "mqttguard"])
        .args(["--bin", "mqttguard", "--profile", PROFILE])
        .args(["--target", target, "-Zbuild-std=std,panic_abort"])
        .arg("-Zbuild-std-features=optimize_for_size")
        .arg("--target-dir")
        .arg(&directory);
    must(&mut cargo).with_context(|| format!("the daemon does not build for {target}"))?;
    let built = directory.join(target).join(PROFILE).join("mqttguard");
    strip(&built)
}

fn flags(arch: Arch) -> Result<String> {
    let mut flags = vec![
        // MIPS is linked dynamically unless told not to.
        "-Ctarget-feature=+crt-static".to_owned(),
        // musl's start files are zig's, not rustc's.
        "-Clink-self-contained=no".to_owned(),
        // Nothing unwinds: panics abort.
        "-Cforce-unwind-tables=no".to_owned(),
    ];
    // Position-independent code is for programs that are loaded anywhere. Of rustc's static programs
    // for musl only those for x86_64 are; the others have their place in their header, whatever
    // their code is like, so that they would pay for nothing, MIPS by a tenth of its code.
    if arch != Arch::X8664 {
        flags.push("-Crelocation-model=static".to_owned());
    }
    // The same program from every directory.
    let source = clean(Path::new(BIN).join("rustc"))
        .args(["--print", "sysroot"])
        .output()
        .context("cannot start Debian's rustc")?;
    let sysroot = String::from_utf8(source.stdout)?;
    let library = Path::new(sysroot.trim()).join("lib/rustlib/src/rust");
    let mut remap = vec![
        (workspace(), "mqttguard"),
        (fs::canonicalize(&library).unwrap_or(library), "rust"),
    ];
    for registry in registries()? {
        remap.push((registry, "registry"));
    }
    for (from, to) in remap {
        let from = from.display().to_string();
        ensure!(
            !from.contains(char::is_whitespace),
            "{from}: cargo takes no flags with spaces from its environment; build elsewhere"
        );
        flags.push(format!("--remap-path-prefix={from}={to}"));
    }
    Ok(flags.join(" "))
}

/// Takes off what rustc leaves: for MIPS a table of procedures for debuggers, and notes of the
/// compilers.
fn strip(built: &Path) -> Result<PathBuf> {
    let stripped = built.with_extension("stripped");
    let mut strip = Command::new("llvm-objcopy-22");
    strip.arg("--strip-all");
    for section in [".pdr", ".mdebug.abi32", ".comment"] {
        strip.arg(format!("--remove-section={section}"));
    }
    must(strip.arg(built).arg(&stripped))?;
    Ok(stripped)
}

/// Programs that call zig as cargo calls compilers.
struct Wrappers {
    cc: PathBuf,
    ar: PathBuf,
    cache: PathBuf,
}

impl Wrappers {
    fn write(arch: Arch) -> Result<Self> {
        let zig = zig::directory()?;
        let python = zig.join("bin/python");
        let python = python.display();
        let directory = zig.join("wrappers");
        fs::create_dir_all(&directory)?;
        let (target, processor) = arch.zig();
        let cc = directory.join(format!("cc-{}", arch.target()));
        let ar = directory.join("ar");
        let dlsym = directory.join(format!("dlsym-{}.o", arch.target()));
        let with_dlsym = match arch {
            Arch::Mipsel | Arch::Mips => format!(
                "case \" $* \" in *' -c '*|*' -E '*) ;; *) set -- '{}' \"$@\" ;; esac\n",
                dlsym.display()
            ),
            _ => String::new(),
        };
        // cc-rs names the target in rustc's words, which zig does not know; nor does it know rustc's
        // word for a static program that is loaded anywhere, and would make one with a fixed place.
        write_program(
            &cc,
            &format!(
                "for word; do shift; case \"$word\" in --target=*) ;; \
                 -static-pie) set -- \"$@\" -static -pie ;; *) set -- \"$@\" \"$word\" ;; esac; done\n{with_dlsym}\
                 exec '{python}' -m ziglang cc -target {target} -mcpu={processor} \"$@\""
            ),
        )?;
        write_program(&ar, &format!("exec '{python}' -m ziglang ar \"$@\""))?;
        let cache = zig.join("cache");
        if !with_dlsym.is_empty() {
            let source = directory.join("dlsym.c");
            fs::write(&source, DLSYM)?;
            must(
                Command::new(&cc)
                    .env("ZIG_GLOBAL_CACHE_DIR", &cache)
                    .env("ZIG_LOCAL_CACHE_DIR", &cache)
                    .args(["-Os", "-fno-pic", "-g0", "-c"])
                    .arg(&source)
                    .arg("-o")
                    .arg(&dlsym),
            )?;
        }
        Ok(Wrappers { cc, ar, cache })
    }
}

/// In place of musl's `dlsym`, which for MIPS is assembly that only position-independent code may
/// call: it finds its data by what such a caller leaves in `$t9`, and jumps anywhere if there is
/// something else. Rust's standard library looks for functions with it that a static program has
/// none of.
const DLSYM: &str = "void *dlsym(void *handle, const char *name) { return 0; }\n";

fn write_program(file: &Path, text: &str) -> Result<()> {
    let text = format!("#!/bin/sh\n{text}\n");
    // Left alone if it is so already: what depends on it is not built anew.
    if fs::read_to_string(file).is_ok_and(|known| known == text) {
        return Ok(());
    }
    fs::write(file, text)?;
    Ok(fs::set_permissions(
        file,
        fs::Permissions::from_mode(0o755),
    )?)
}
