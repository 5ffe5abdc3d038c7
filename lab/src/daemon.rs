use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Output};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::home::Home;
use crate::process::Process;
use crate::ubus_client::Bus;
use crate::{Netns, PATIENCE, Router, tools, wait_for};

/// How long the daemon may take until it protects.
const START: Duration = Duration::from_secs(60);

/// Where a daemon keeps its things, and what it is told.
#[derive(Clone, Debug)]
pub struct GuardFiles {
    /// The UCI file.
    pub config: PathBuf,
    /// `data_dir`: certificates and the registry.
    pub data: PathBuf,
    /// `run_dir`: the broker's journal.
    pub run: PathBuf,
    /// `bpf_dir`: pins.
    pub bpf: PathBuf,
    /// Its log.
    pub log: PathBuf,
    /// Which name servers a daemon with [`Means::OwnNames`] asks, as in resolv.conf(5).
    pub resolv_conf: PathBuf,
    leases: PathBuf,
}

impl GuardFiles {
    fn new(home: &Home, leases: &Path) -> Result<Self> {
        let dir = home.dir().join("mqttguard");
        let files = Self {
            config: dir.join("config/mqttguard"),
            data: dir.join("data"),
            run: dir.join("run"),
            bpf: home.bpf_dir(),
            log: home.dir().join("mqttguard.log"),
            resolv_conf: dir.join("resolv.conf"),
            leases: leases.to_owned(),
        };
        fs::create_dir_all(dir.join("config"))?;
        fs::write(&files.resolv_conf, "nameserver 127.0.0.1\n")?;
        Ok(files)
    }

    /// A whole UCI file: the house's places, `main` as further lines of the `main` section, and
    /// `sections`.
    pub fn uci(&self, main: &str, sections: &str) -> String {
        format!(
            "config mqttguard 'main'\n\
             \tlist device 'br-lan'\n\
             \toption data_dir '{}'\n\
             \toption run_dir '{}'\n\
             \toption bpf_dir '{}'\n\
             \toption lease_file '{}'\n\
             {main}\n\
             {sections}\n",
            self.data.display(),
            self.run.display(),
            self.bpf.display(),
            self.leases.display()
        )
    }
}

/// What of the router a daemon may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// Everything.
    All,
    /// All but BPF, as on a kernel without it: each attempt is refused.
    NoBpf,
    /// Neither BPF nor `nft`, as if that were not installed.
    NoBpfNoNft,
    /// Everything, with the name servers of [`GuardFiles::resolv_conf`] in place of the machine's.
    OwnNames,
    /// No BPF, and an `nft` that takes half a second for each thing.
    NoBpfSlowNft,
}

/// The mqttguard daemon in the router's namespace.
///
/// Dropping it stops the daemon as the service manager would (SIGTERM), which detaches.
#[derive(Debug)]
pub struct Guard {
    process: Process,
    files: GuardFiles,
    netns: Netns,
    bus: Bus,
    means: Means,
}

impl Guard {
    /// Writes the configuration and starts the daemon.
    pub(crate) fn start(
        router: &Router,
        home: &Home,
        main: &str,
        sections: &str,
        means: Means,
    ) -> Result<Self> {
        let files = GuardFiles::new(home, router.leases())?;
        fs::write(&files.config, files.uci(main, sections))?;
        let bus = router.bus().clone();
        Ok(Self {
            process: launch(router.netns(), &bus, &files, means)?,
            files,
            netns: router.netns().clone(),
            bus,
            means,
        })
    }

    /// Starts the daemon again, with the configuration and data that are there.
    pub fn start_again(&mut self) -> Result<()> {
        self.process = launch(&self.netns, &self.bus, &self.files, self.means)?;
        Ok(())
    }

    /// What the daemon may use from its next start on.
    pub fn give(&mut self, means: Means) {
        self.means = means;
    }

    /// Waits until `status` is as `wanted` says.
    pub fn wait_status(&self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<Value> {
        wait_for(what, START, || {
            let status = self.ubus("status", &json!({}))?;
            match wanted(&status) {
                true => Ok(Some(status)),
                false => bail!("not yet: {status}"),
            }
        })
    }

    /// Waits until the daemon answers on the bus and says that it protects; `nudge` is called
    /// between looks.
    pub fn wait_protected(&mut self, mut nudge: impl FnMut()) -> Result<()> {
        let bus = &self.bus;
        self.process.wait_ready(START, || {
            nudge();
            let status = bus.call("mqttguard", "status", &json!({}))?;
            if !protects(&status) {
                bail!("it does not protect yet: {status}");
            }
            Ok(())
        })
    }

    /// Where it keeps its things.
    pub fn files(&self) -> &GuardFiles {
        &self.files
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it has logged so far, over all its starts.
    pub fn log(&self) -> String {
        self.process.log()
    }

    /// Calls a method of its ubus object.
    pub fn ubus(&self, method: &str, arguments: &Value) -> Result<Value> {
        self.bus.call("mqttguard", method, arguments)
    }

    /// Runs the command line against the daemon, on the router.
    pub fn run(&self, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(tools::daemon()?);
        command.arg("--socket").arg(self.bus.socket());
        self.netns.output(command.args(arguments))
    }

    /// One device as the daemon knows it, by MAC, name or address.
    pub fn device(&self, device: &str) -> Result<Value> {
        self.ubus("device", &json!({ "device": device }))
    }

    /// Frames of `device` that were dropped for `reason`, so far.
    pub fn dropped(&self, device: &str, reason: &str) -> Result<u64> {
        Ok(self
            .device(device)?
            .pointer(&format!("/dropped/{reason}"))
            .and_then(Value::as_u64)
            .unwrap_or(0))
    }

    /// The state of `device`.
    pub fn state(&self, device: &str) -> Result<String> {
        let device = self.device(device)?;
        device
            .get("state")
            .and_then(Value::as_str)
            .map(str::to_owned)
            .with_context(|| format!("no state in {device}"))
    }

    /// Waits until an event `code` about the device with `mac` (any, if None) is there, and
    /// gives it.
    pub fn wait_event(&self, code: &str, mac: Option<&str>) -> Result<Value> {
        wait_for(&format!("event {code}"), PATIENCE, || {
            Ok(self.events()?.into_iter().find(|event| {
                event.get("event").and_then(Value::as_str) == Some(code)
                    && mac.is_none_or(|mac| event.get("mac").and_then(Value::as_str) == Some(mac))
            }))
        })
    }

    /// The events that the daemon remembers.
    pub fn events(&self) -> Result<Vec<Value>> {
        let answer = self.ubus("events", &json!({ "limit": 1000 }))?;
        answer
            .get("events")
            .and_then(Value::as_array)
            .cloned()
            .with_context(|| format!("no events in {answer}"))
    }

    /// Replaces the configuration file. The daemon reads it when it is told to.
    pub fn write_config(&self, text: &str) -> Result<()> {
        Ok(fs::write(&self.files.config, text)?)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) -> Result<()> {
        self.process.signal(signal)
    }

    /// Kills the daemon (SIGKILL): what it enforces stays.
    pub fn kill(&mut self) -> Result<ExitStatus> {
        self.process.kill()
    }

    /// Stops the daemon (SIGTERM): it detaches.
    pub fn stop(&mut self) -> Result<ExitStatus> {
        self.process.stop()
    }

    /// Leaves the daemon running when this process ends.
    pub fn keep(self) {
        std::mem::forget(self);
    }
}

/// Whether the daemon says that it protects; in monitor mode, which it does not call protection,
/// whether its kernel program has seen frames wherever it sits. And nftables, which stands in its place
/// at first, is out of its way.
fn protects(status: &Value) -> bool {
    let nftables = status.get("nftables");
    let interfaces = nftables.and_then(|nftables| nftables.get("interfaces")?.as_array());
    if interfaces.is_none_or(|interfaces| !interfaces.is_empty())
        || nftables.and_then(|nftables| nftables.get("state")?.as_str()) == Some("pending")
    {
        return false;
    }
    if status.get("mode").and_then(Value::as_str) != Some("monitor") {
        return status.get("protected") == Some(&Value::Bool(true));
    }
    let attachments = status
        .pointer("/kernel/attachments")
        .and_then(Value::as_array);
    attachments.is_some_and(|attachments| {
        !attachments.is_empty()
            && attachments
                .iter()
                .all(|a| a.get("proof").and_then(Value::as_str) == Some("seen"))
    })
}

/// Makes a directory with an `nft` that takes its time, and nothing else.
fn slow_nft(data: &Path) -> Result<PathBuf> {
    let dir = data.join("slow");
    fs::create_dir_all(&dir)?;
    let nft = tools::system("nft")?;
    let sleep = tools::system("sleep")?;
    let script = format!(
        "#!/bin/sh\n{} 0.5\nexec {} \"$@\"\n",
        sleep.display(),
        nft.display()
    );
    let program = dir.join("nft");
    fs::write(&program, script)?;
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755))?;
    Ok(dir)
}

fn launch(netns: &Netns, bus: &Bus, files: &GuardFiles, means: Means) -> Result<Process> {
    let daemon = tools::daemon()?;
    let mut command = match means {
        Means::All => Command::new(daemon),
        Means::OwnNames => {
            let mut command = Command::new(tools::system("unshare")?);
            command
                .args(["--mount", "--propagation", "private", "sh", "-c"])
                .arg("mount --bind \"$0\" /etc/resolv.conf && exec \"$@\"")
                .arg(&files.resolv_conf)
                .arg(daemon);
            command
        }
        Means::NoBpf | Means::NoBpfNoNft | Means::NoBpfSlowNft => {
            let mut command = Command::new(tools::system("setpriv")?);
            command.arg("--bounding-set=-bpf,-sys_admin").arg(daemon);
            command
        }
    };
    if means == Means::NoBpfNoNft {
        command.env("PATH", files.data.join("nothing-here"));
    }
    if means == Means::NoBpfSlowNft {
        command.env("PATH", slow_nft(&files.data)?);
    }
    command
        .arg("daemon")
        .arg("--config")
        .arg(&files.config)
        .arg("--socket")
        .arg(bus.socket());
    Process::start(netns, &mut command, &files.log)
}
