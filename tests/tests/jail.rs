//! The daemon in procd's jail: ujail, which is its parent, and of which it knows by its environment. The
//! jail is a shell here; with the real one: `openwrt.rs`.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use mqttguard_lab::{tools, until};
use mqttguard_tests::house::{IN_VAIN, PATIENCE};
use rustix::process::{Pid, Signal, kill_process};

/// Starts the daemon as the child of a shell, kills the shell, and tells whether the daemon ended too,
/// within this time.
fn ends_with_its_parent(variables: &[(&str, &str)], limit: Duration) -> bool {
    let home = tempfile::tempdir().unwrap();
    let config = home.path().join("config");
    fs::write(&config, "config mqttguard 'main'\n\toption enabled '0'\n").unwrap();
    let mut parent = Command::new("sh")
        .args([
            "-c",
            "\"$1\" --socket \"$2\" daemon --config \"$3\" & echo $!; wait",
            "sh",
        ])
        .arg(tools::daemon().unwrap())
        .arg(home.path().join("ubus.sock"))
        .arg(&config)
        .env_remove("container")
        .envs(variables.iter().copied())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(parent.stdout.take().unwrap()).lines();
    let daemon = lines.next().unwrap().unwrap();
    let started = lines.any(|line| line.unwrap().contains("is in force"));
    assert!(started);
    parent.kill().unwrap();
    parent.wait().unwrap();
    let process = PathBuf::from("/proc").join(&daemon).join("exe");
    let ended = until(limit, || fs::read_link(&process).is_err());
    if !ended {
        kill_process(
            Pid::from_raw(daemon.parse().unwrap()).unwrap(),
            Signal::KILL,
        )
        .unwrap();
    }
    ended
}

#[test]
fn the_daemon_does_not_outlive_its_jail() {
    assert!(ends_with_its_parent(&[("container", "ujail")], PATIENCE));
    // A shell is no jail, and a container no jail of the daemon's.
    assert!(!ends_with_its_parent(&[], IN_VAIN));
    assert!(!ends_with_its_parent(&[("container", "lxc")], IN_VAIN));
}
