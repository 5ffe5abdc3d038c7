//! A router that runs OpenWrt's own programs: a root file system that its procd boots, in namespaces.
//!
//! The kernel is this machine's. The network is one LAN, `lan1`, with one device.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use mqttguard_lab::home::Home;
use mqttguard_lab::{Netns, tools, until};

/// Names a directory that holds the root file system of an OpenWrt with opkg, for this machine's
/// architecture, as in its `rootfs.tar.gz`.
pub const OPENWRT_VARIABLE: &str = "MQTTGUARD_OPENWRT";

/// The router's address on its LAN.
pub const ROUTER: &str = "192.168.7.1";
/// The MAC address of the device.
pub const DEVICE: &str = "02:00:00:00:07:10";

/// How long it may take to boot.
const BOOT: Duration = Duration::from_secs(60);
/// Services of OpenWrt that set the machine's clock, lights or kernel.
const MACHINES: [&str; 6] = [
    "sysctl",
    "sysfixtime",
    "sysntpd",
    "led",
    "gpio_switch",
    "packet_steering",
];

/// The router, off or on. Off and gone when dropped.
#[derive(Debug)]
pub struct Router {
    home: Home,
    netns: Netns,
    device: Netns,
    /// The `unshare` whose child is process 1.
    init: Option<Child>,
}

impl Router {
    /// A router with a copy of the root file system at `root`, in which `feed` is `/feed`.
    pub fn new(root: &Path, feed: &Path) -> Result<Self> {
        let home = Home::new()?;
        let netns = Netns::create(home.netns_name("router"))?;
        let device = Netns::create(home.netns_name("device"))?;
        let eth0 = format!(
            "link add lan1 type veth peer name eth0 netns {}\n",
            device.name()
        );
        netns.ip_batch(&eth0)?;
        device.ip_batch(&format!(
            "link set eth0 address {DEVICE}\naddress add 192.168.7.10/24 dev eth0\nlink set eth0 up\n"
        ))?;
        let router = Self {
            home,
            netns,
            device,
            init: None,
        };
        let copy = router.root();
        run(Command::new("cp").arg("-a").arg(root).arg(&copy))?;
        run(Command::new("cp")
            .arg("-a")
            .arg(feed)
            .arg(copy.join("feed")))?;
        router.configure()?;
        Ok(router)
    }

    /// Its root file system, as this machine sees it.
    pub fn root(&self) -> PathBuf {
        self.home.dir().join("root")
    }

    /// The device's end of the LAN.
    pub fn device(&self) -> &Netns {
        &self.device
    }

    /// A LAN that is no bridge, and the feed in place of OpenWrt's, which cannot be reached.
    fn configure(&self) -> Result<()> {
        let etc = self.root().join("etc");
        let network = format!(
            "config interface 'loopback'\n\toption device 'lo'\n\toption proto 'static'\n\
             \toption ipaddr '127.0.0.1'\n\toption netmask '255.0.0.0'\n\
             config interface 'lan'\n\toption device 'lan1'\n\toption proto 'static'\n\
             \toption ipaddr '{ROUTER}'\n\toption netmask '255.255.255.0'\n"
        );
        fs::write(etc.join("config/network"), network)?;
        let _ = fs::remove_file(etc.join("opkg/distfeeds.conf"));
        fs::create_dir_all(etc.join("opkg/keys"))?;
        for entry in fs::read_dir(self.root().join("feed"))? {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                fs::copy(entry.path(), etc.join("opkg/keys").join(entry.file_name()))?;
            }
        }
        let feed = format!("src/gz mqttguard file:///feed/{}\n", std::env::consts::ARCH);
        fs::write(etc.join("opkg/customfeeds.conf"), feed)?;
        for entry in fs::read_dir(etc.join("rc.d"))? {
            let entry = entry?;
            let name = entry.file_name();
            if MACHINES
                .iter()
                .any(|it| name.to_string_lossy().get(3..) == Some(*it))
            {
                fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Boots it, and waits until its LAN is up.
    pub fn boot(&mut self) -> Result<()> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/openwrt/boot.sh");
        let mut unshare = Command::new(tools::system("setpriv")?);
        unshare
            .args(["--bounding-set", "-sys_time,-sys_module,-sys_rawio"])
            .args(["unshare", "--pid", "--fork", "--kill-child", "--mount"])
            .args(["--uts", "--ipc", "--cgroup", "sh", script])
            .arg(self.root())
            .stdin(Stdio::null());
        self.init = Some(self.netns.start(&mut unshare)?);
        let mut last = Ok(());
        let up = until(BOOT, || {
            let asked = self.run("ubus call network.interface.lan status | grep '\"up\": true'");
            last = asked.map(drop);
            last.is_ok()
        });
        ensure!(up, "not up within {BOOT:?}: {last:?}");
        Ok(())
    }

    /// Ends all that runs on it, at once.
    pub fn cut_power(&mut self) {
        if let Some(mut init) = self.init.take() {
            let _ = init.kill();
            let _ = init.wait();
        }
    }

    /// Runs a script on it in its own shell, and gives what it says; an error shows stderr.
    pub fn run(&self, script: &str) -> Result<String> {
        let (told, complained) = self.told(script)?;
        ensure!(complained.is_empty(), "{script}: {complained}\n{told}");
        Ok(told)
    }

    /// Runs a script on it, and gives stdout and stderr.
    pub fn told(&self, script: &str) -> Result<(String, String)> {
        let init = self.init.as_ref().context("the power is off")?.id();
        let children = fs::read_to_string(format!("/proc/{init}/task/{init}/children"))?;
        let output = Command::new("nsenter")
            .args(["--target", children.trim(), "--all", "--root", "--wd"])
            .args([
                "env",
                "-i",
                "PATH=/usr/sbin:/usr/bin:/sbin:/bin",
                "HOME=/root",
            ])
            .args(["/bin/ash", "-c", script])
            .stdin(Stdio::null())
            .output()?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let (told, complained) = (text(&output.stdout), text(&output.stderr));
        ensure!(
            output.status.success(),
            "{script}: {}\n{told}{complained}",
            output.status
        );
        Ok((told, complained))
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn run(command: &mut Command) -> Result<()> {
    let output = command.output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {error}");
    Ok(())
}
