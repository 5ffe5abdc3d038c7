use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::process::Process;
use crate::{Netns, address, tools};

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
        let router = address::ROUTER;
        fs::write(
            &config,
            format!(
                "# DHCP only: the house has no names to serve.\n\
                 port=0\nuser=root\ninterface=br-lan\nbind-dynamic\nno-ping\ndhcp-authoritative\n\
                 dhcp-range=192.168.77.100,192.168.77.199,255.255.255.0,12h\n\
                 dhcp-option=option:router,{router}\n\
                 dhcp-leasefile={}\npid-file={}\n",
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
        process.wait_ready(Duration::from_secs(5), || {
            fs::metadata(&pid_file).context("no process id file")
        })?;
        Ok(Self { _process: process })
    }
}

/// Gets an address for `eth0` of `netns` by DHCP, under the host name `hostname`.
pub(crate) fn request(netns: &Netns, dir: &Path, hostname: &str) -> Result<Ipv4Addr> {
    let script = write_script(dir)?;
    let lease = dir.join("address");
    let output = netns.output(
        Command::new(tools::system("udhcpc")?)
            .args(["-f", "-q", "-n", "-t", "10", "-T", "1", "-i", "eth0", "-x"])
            .arg(format!("hostname:{hostname}"))
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

/// What udhcpc runs when it has an address: sets it, and tells it.
fn write_script(dir: &Path) -> Result<PathBuf> {
    let path = dir.join("udhcpc.script");
    fs::write(
        &path,
        "#!/bin/sh\n\
         set -e\n\
         case \"$1\" in bound | renew) ;; *) exit 0 ;; esac\n\
         ip address replace \"$ip/$mask\" dev \"$interface\"\n\
         ip route replace default via \"$router\" dev \"$interface\"\n\
         echo \"$ip\" > \"$LAB_LEASE\"\n",
    )?;
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755))?;
    Ok(path)
}
