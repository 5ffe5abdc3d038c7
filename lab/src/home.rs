//! Names, files and clean-up of a house.
//!
//! Everything of one house carries its name, `mg<process id>-<count>`: namespaces, the directory
//! below [`ROOT`], the pin directory below [`BPF_ROOT`]. So what a killed process left behind can
//! be told from what is in use, and be swept.

use std::fs::{self, File};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use crate::netns::ip;
use crate::{PATIENCE, tools, until};

/// Where houses keep their files.
pub const ROOT: &str = "/run/mqttguard-lab";
/// Where the BPF file system is mounted.
pub const BPF_ROOT: &str = "/sys/fs/bpf";
/// How long to wait for another process's house: rates and times are measured, so there is one
/// house at a time on a machine.
const TURN: Duration = Duration::from_secs(600);

/// A house's name and place. Dropping it sweeps all that carries the name, unless
/// [`keep`](Self::keep) was called.
#[derive(Debug)]
pub struct Home {
    name: String,
    dir: PathBuf,
    kept: bool,
    _turn: File,
}

impl Home {
    /// Waits for its turn, sweeps what dead processes left, and makes the place.
    pub fn new() -> Result<Self> {
        if !rustix::process::geteuid().is_root() {
            bail!("network namespaces need root: run this as root");
        }
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let turn = take_turn()?;
        sweep_stale();
        mount_bpf()?;
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("mg{}-{count}", std::process::id());
        let dir = Path::new(ROOT).join(&name);
        // 0700: the credentials of the house's devices lie in it.
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)
            .with_context(|| format!("cannot make {}", dir.display()))?;
        Ok(Self {
            name,
            dir,
            kept: false,
            _turn: turn,
        })
    }

    /// The name of the house's namespace for `role`.
    pub fn netns_name(&self, role: &str) -> String {
        format!("{}-{role}", self.name)
    }

    /// The directory of the house's files.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Where the daemon of this house pins its maps and links.
    pub fn bpf_dir(&self) -> PathBuf {
        Path::new(BPF_ROOT).join(bpf_name(&self.name))
    }

    /// Leaves the house standing when this process ends, until [`sweep_kept`].
    pub fn keep(&mut self) -> Result<()> {
        fs::write(self.dir.join(KEEP), "")?;
        self.kept = true;
        Ok(())
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        if !self.kept {
            sweep(&self.name);
        }
    }
}

const KEEP: &str = "keep";

fn bpf_name(name: &str) -> String {
    format!("mqttguard-lab-{name}")
}

/// Takes down all houses of this process. For signal handlers that then end it.
pub fn sweep_own() {
    for (name, pid) in houses() {
        if pid == std::process::id() && !is_kept(&name) {
            sweep(&name);
        }
    }
}

/// Takes down the houses whose process is dead, but for those it wanted kept.
pub fn sweep_stale() {
    for (name, pid) in houses() {
        if !Path::new(&format!("/proc/{pid}")).exists() && !is_kept(&name) {
            sweep(&name);
        }
    }
}

/// Takes down the houses that were kept, and gives their names.
pub fn sweep_kept() -> Vec<String> {
    let kept: Vec<String> = houses()
        .into_iter()
        .map(|(name, _)| name)
        .filter(|name| is_kept(name))
        .collect();
    for name in &kept {
        sweep(name);
    }
    kept
}

/// Ends the processes in the namespaces of the house `name`, and removes namespaces, pins and
/// files. Goes on when something fails: as much as possible is to be gone.
pub fn sweep(name: &str) {
    // A signal may come while the house is being taken down anyway.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let netns: Vec<PathBuf> = entries(Path::new("/run/netns"))
        .into_iter()
        .filter(|path| file_name(path).is_some_and(|role| role.starts_with(&format!("{name}-"))))
        .collect();
    let inodes: Vec<u64> = netns
        .iter()
        .filter_map(|path| fs::metadata(path).ok())
        .map(|meta| meta.ino())
        .collect();
    let ended = until(PATIENCE, || {
        let inside = processes_in(&inodes);
        for pid in &inside {
            let _ = kill_process(*pid, Signal::KILL);
        }
        inside.is_empty()
    });
    if !ended {
        eprintln!("some processes in the namespaces of {name} do not end");
    }
    for path in &netns {
        if let Some(netns) = file_name(path)
            && let Err(error) = ip(&["netns", "del", netns])
        {
            eprintln!("{error:#}");
        }
    }
    for dir in [
        Path::new(BPF_ROOT).join(bpf_name(name)),
        Path::new(ROOT).join(name),
    ] {
        match fs::remove_dir_all(&dir) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                eprintln!("cannot remove {}: {error}", dir.display());
            }
            _ => {}
        }
    }
}

/// The processes, but for this one, whose network namespace is one of `inodes`. One that has
/// ended and waits for its parent has none.
fn processes_in(inodes: &[u64]) -> Vec<Pid> {
    entries(Path::new("/proc"))
        .into_iter()
        .filter_map(|path| {
            let pid: i32 = file_name(&path)?.parse().ok()?;
            let inside = fs::metadata(path.join("ns/net")).ok()?.ino();
            (inodes.contains(&inside) && pid.unsigned_abs() != std::process::id())
                .then(|| Pid::from_raw(pid))
                .flatten()
        })
        .collect()
}

/// All houses that have files here, and the process that each belongs to.
fn houses() -> Vec<(String, u32)> {
    entries(Path::new(ROOT))
        .into_iter()
        .filter_map(|path| {
            let name = file_name(&path)?;
            let (pid, _) = name.strip_prefix("mg")?.split_once('-')?;
            Some((name.to_owned(), pid.parse().ok()?))
        })
        .collect()
}

fn is_kept(name: &str) -> bool {
    Path::new(ROOT).join(name).join(KEEP).exists()
}

fn entries(dir: &Path) -> Vec<PathBuf> {
    fs::read_dir(dir)
        .map(|entries| entries.flatten().map(|entry| entry.path()).collect())
        .unwrap_or_default()
}

fn file_name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

fn take_turn() -> Result<File> {
    fs::create_dir_all(ROOT).with_context(|| format!("cannot make {ROOT}"))?;
    let path = Path::new(ROOT).join("turn");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let got = until(TURN, || {
        flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok()
    });
    if !got {
        bail!(
            "another house is in use for more than {TURN:?}: see the lock {}",
            path.display()
        );
    }
    Ok(file)
}

/// Mounts the BPF file system where the machine has none. It stays mounted, as systemd and
/// OpenWrt have it from the start.
fn mount_bpf() -> Result<()> {
    let mounts =
        fs::read_to_string("/proc/self/mounts").context("cannot read /proc/self/mounts")?;
    let mounted = mounts
        .lines()
        .any(|line| line.split(' ').nth(1) == Some(BPF_ROOT));
    if mounted {
        return Ok(());
    }
    let output = Command::new(tools::system("mount")?)
        .args(["-t", "bpf", "bpf", BPF_ROOT])
        .output()?;
    if !output.status.success() {
        bail!(
            "cannot mount the BPF file system: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    Ok(())
}
