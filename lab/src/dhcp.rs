use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::process::Process;
use crate::{Netns, PATIENCE, address, tools};

/// dnsmasq on the router's LAN: hands out addresses, writes the lease file.
#[derive(Debug)]
pub(crate) struct DhcpServer {
    _process: Process,
}

impl DhcpServer {
    /// Starts it on `br-lan` of `netns`, with its lease file at `leases`.
    pub(crate) fn start(netns: &Netns, dir: &Path, leases: &Path) -> Result<Self> {
        let pid_file = dir.join("dnsmasq.pid");
        let config = dir.join("dnsmasq.conf");
        let script = write_hotplug(dir)?;
        let router = address::ROUTER;
        fs::write(
            &config,
            format!(
                "# DHCP only: the house has no names to serve.\n\
                 port=0\nuser=root\ninterface=br-lan\nbind-dynamic\nno-ping\ndhcp-authoritative\n\
                 dhcp-range=192.168.77.100,192.168.77.199,255.255.255.0,12h\n\
                 dhcp-option=option:router,{router}\n\
                 dhcp-script={}\ndhcp-leasefile={}\npid-file={}\n",
                script.display(),
                leases.display(),
                pid_file.display()
            ),
        )?;
        let mut process = Process::start(
            netns,
            Command::new(tools::system("dnsmasq")?)
                .arg("--keep-in-foreground")
                .arg("--log-facility=-")
                .arg(format!("--conf-file={}", config.display())),
            &dir.join("dnsmasq.log"),
        )?;
        process.wait_ready(PATIENCE, || {
            fs::metadata(&pid_file).context("no process id file")
        })?;
        Ok(Self { _process: process })
    }
}

/// Gets an address for `eth0` of `netns` by DHCP, under the host name `hostname`.
/// `more` are further arguments of udhcpc.
pub(crate) fn request(
    netns: &Netns,
    dir: &Path,
    hostname: &str,
    more: &[String],
) -> Result<Ipv4Addr> {
    let script = write_script(dir)?;
    let lease = dir.join("address");
    let output = netns.output(
        Command::new(tools::system("udhcpc")?)
            .args(["-f", "-q", "-n", "-t", "10", "-T", "1", "-i", "eth0", "-x"])
            .arg(format!("hostname:{hostname}"))
            .args(more)
            .arg("-s")
            .arg(&script)
            .env("LAB_LEASE", &lease),
    )?;
    if !output.status.success() {
        bail!(
            "{hostname} gets no address by DHCP: {}",
            String::from_utf8_lossy(&output.stderr).trim()
        );
    }
    let text = fs::read_to_string(&lease).context("udhcpc bound no address")?;
    text.trim()
        .parse()
        .with_context(|| format!("{text:?} from udhcpc is no address"))
}

/// Where the router's hotplug scripts for leases are, below the directory of the house.
pub(crate) const HOTPLUG: &str = "hotplug.d/dhcp";

/// What dnsmasq runs for each lease: as OpenWrt's dhcp-script.sh and hotplug-call do, it gives the
/// event and dnsmasq's own variables to each hotplug script, sourced by BusyBox's shell.
fn write_hotplug(dir: &Path) -> Result<PathBuf> {
    let scripts = dir.join(HOTPLUG);
    fs::create_dir_all(&scripts)?;
    let (busybox, scripts) = (tools::system("busybox")?, scripts.display());
    let script = format!(
        "#!{} ash\n\
         case \"$1\" in\n\
         add) ACTION=add ;;\n\
         del) ACTION=remove ;;\n\
         old) ACTION=update ;;\n\
         *) exit 0 ;;\n\
         esac\n\
         export ACTION MACADDR=\"$2\" IPADDR=\"$3\" HOSTNAME=\"$4\"\n\
         for script in $(ls {scripts}/* 2>&-); do\n\
         \t( [ -f $script ] && . $script )\n\
         done\n",
        busybox.display()
    );
    write_program(dir.join("dhcp-script.sh"), &script)
}

fn write_program(path: PathBuf, script: &str) -> Result<PathBuf> {
    fs::write(&path, script)?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}

/// What udhcpc runs when it has an address: sets it, and tells it.
fn write_script(dir: &Path) -> Result<PathBuf> {
    write_program(
        dir.join("udhcpc.script"),
        "#!/bin/sh\n\
         set -e\n\
         case \"$1\" in bound | renew) ;; *) exit 0 ;; esac\n\
         ip address replace \"$ip/$mask\" dev \"$interface\"\n\
         ip route replace default via \"$router\" dev \"$interface\"\n\
         echo \"$ip\" > \"$LAB_LEASE\"\n",
    )
}
