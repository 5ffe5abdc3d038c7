//! The file system of a guest: the tests, what they run, and what all that is linked with.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use flate2::Compression;
use flate2::write::GzEncoder;
use mqttguard_lab::tools;
use serde_json::Value;

use super::{MODULES, TESTS};
use crate::command::cargo;

const INIT: &str = include_str!("init.sh");
/// What init and the tests run, from here.
const PROGRAMS: [&str; 3] = ["ip", "tc", "nsenter"];
/// What busybox stands in for.
const APPLETS: [&str; 14] = [
    "sh", "mount", "umount", "echo", "cat", "ls", "uname", "sleep", "insmod", "rm", "rmdir",
    "mkdir", "reboot", "dmesg",
];

/// Builds the tests. Gives their names and programs.
pub(super) fn build_tests() -> Result<Vec<(String, PathBuf)>> {
    let mut build = cargo();
    build.args(["test", "--package", "mqttguard-tests", "--no-run"]);
    build.arg("--message-format=json-render-diagnostics");
    for test in TESTS {
        build.args(["--test", test]);
    }
    let output = build.stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "the tests cannot be built");
    let mut programs = Vec::new();
    for line in String::from_utf8(output.stdout)?.lines() {
        let message: Value = serde_json::from_str(line)?;
        let text = |pointer| message.pointer(pointer).and_then(Value::as_str);
        if let (Some(name), Some(program)) = (text("/target/name"), text("/executable"))
            && TESTS.contains(&name)
        {
            programs.push((name.to_owned(), program.into()));
        }
    }
    ensure!(
        programs.len() == TESTS.len(),
        "cargo built {} of {} tests",
        programs.len(),
        TESTS.len()
    );
    Ok(programs)
}

/// Lays out all but the modules in `root`, which is made anew.
pub(super) fn lay_out(root: &Path, tests: &[(String, PathBuf)]) -> Result<()> {
    if root.exists() {
        fs::remove_dir_all(root)?;
    }
    for directory in [
        "bin", "dev", "modules", "proc", "run", "sys", "tests", "tmp",
    ] {
        fs::create_dir_all(root.join(directory))?;
    }
    for program in PROGRAMS.iter().chain(&["busybox"]) {
        let found = tools::system(program)?;
        fs::copy(&found, root.join("bin").join(program))?;
        add_libraries(root, &found)?;
    }
    for applet in APPLETS {
        symlink("busybox", root.join("bin").join(applet))?;
    }
    for (test, program) in tests {
        // The symbols would make it ten times as large.
        let stripped = root.join("tests").join(test);
        let mut strip = Command::new("strip");
        let status = strip.arg("-o").arg(&stripped).arg(program).status()?;
        ensure!(status.success(), "strip {}: {status}", program.display());
        add_libraries(root, program)?;
    }
    fs::write(root.join("modules/order"), MODULES.join("\n") + "\n")?;
    let init = root.join("init");
    fs::write(&init, INIT)?;
    fs::set_permissions(&init, fs::Permissions::from_mode(0o755))?;
    Ok(())
}

/// Copies what a program is linked with to where it looks for it.
fn add_libraries(root: &Path, program: &Path) -> Result<()> {
    let output = Command::new("ldd").arg(program).output()?;
    let listed = String::from_utf8(output.stdout)?;
    // Absolute paths, of the libraries and of the loader.
    for word in listed
        .split_whitespace()
        .filter(|word| word.starts_with('/'))
    {
        let target = root.join(word.trim_start_matches('/'));
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent)?;
        }
        fs::copy(word, target).with_context(|| format!("cannot copy {word}"))?;
    }
    Ok(())
}

/// Packs `root` with a kernel's modules.
pub(super) fn pack(root: &Path, modules: &Path, archive: &Path) -> Result<()> {
    for module in MODULES {
        let name = format!("{module}.ko");
        let (from, to) = (modules.join(&name), root.join("modules").join(&name));
        if to.exists() {
            fs::remove_file(&to)?;
        }
        if from.is_file() {
            fs::copy(from, to)?;
        }
    }
    let mut list = Command::new("find")
        .arg(".")
        .current_dir(root)
        .stdout(Stdio::piped())
        .spawn()?;
    let names = list.stdout.take().context("find's output")?;
    let mut cpio = Command::new(tools::system("busybox")?)
        .args(["cpio", "-o", "-H", "newc", "-R", "0:0"])
        .current_dir(root)
        .stdin(names)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let mut packed = cpio.stdout.take().context("cpio's output")?;
    let mut gzip = GzEncoder::new(File::create(archive)?, Compression::fast());
    std::io::copy(&mut packed, &mut gzip)?;
    gzip.finish()?;
    if !(list.wait()?.success() && cpio.wait()?.success()) {
        bail!("cannot pack {}", root.display());
    }
    Ok(())
}
