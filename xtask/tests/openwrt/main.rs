//! What goes onto a router beside the program, in the shells that run it: the init script, the
//! package's scripts, the defaults, and the Makefile, each with stubs for what OpenWrt brings.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod defaults;
mod hotplug;
mod init;
mod makefile;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The shells: OpenWrt's, and one that knows POSIX alone.
const SHELLS: [&[&str]; 2] = [&["busybox", "ash"], &["dash"]];

fn openwrt() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap().join("openwrt")
}

/// Runs a script in a directory of its own, in which stubs note what they are called with.
struct Stage {
    directory: tempfile::TempDir,
}

impl Stage {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir(directory.path().join("bin")).unwrap();
        Stage { directory }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// A program that stands for one of the router's.
    fn program(&self, name: &str, script: &str) {
        use std::os::unix::fs::PermissionsExt;
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// Runs `script` in `shell` with these variables.
    fn run(&self, shell: &[&str], script: &str, variables: &[(&str, &str)]) -> Output {
        let path = format!("{}:/usr/bin:/bin", self.path("bin").display());
        Command::new(shell[0])
            .args(&shell[1..])
            .args(["-c", script])
            .current_dir(self.directory.path())
            .env_clear()
            .env("PATH", path)
            .env("STAGE", self.directory.path())
            .envs(variables.iter().copied())
            .output()
            .unwrap()
    }

    /// What the stubs noted, a line a call; forgets it.
    fn calls(&self) -> Vec<String> {
        let file = self.path("calls");
        let calls = fs::read_to_string(&file).unwrap_or_default();
        let _ = fs::remove_file(file);
        calls.lines().map(str::to_owned).collect()
    }
}

fn good(output: &Output) -> String {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {error}", output.status);
    assert_eq!(error, "");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// All scripts, by their first line.
fn scripts(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            scripts(&path, found);
        } else if fs::read(&path).unwrap().starts_with(b"#!/bin/sh") {
            found.push(path);
        }
    }
}

#[test]
fn shellcheck_finds_nothing_in_the_scripts() {
    let mut found = Vec::new();
    scripts(&openwrt(), &mut found);
    assert!(found.len() >= 2, "{found:?}");
    let output = Command::new("shellcheck").args(&found).output().unwrap();
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{told}");
}

#[test]
fn json_files_are_json() {
    let files = openwrt().join("mqttguard/files");
    let text = fs::read_to_string(files.join("mqttguard.capabilities")).unwrap();
    let capabilities: serde_json::Value = serde_json::from_str(&text).unwrap();
    // ujail leaves a set alone that is not named, and gives up on a name it does not know.
    let known = [
        "CAP_BPF",
        "CAP_NET_ADMIN",
        "CAP_NET_BIND_SERVICE",
        "CAP_NET_RAW",
        "CAP_PERFMON",
    ];
    for set in [
        "bounding",
        "effective",
        "ambient",
        "permitted",
        "inheritable",
    ] {
        assert_eq!(capabilities[set], serde_json::json!(known), "{set}");
    }
}
