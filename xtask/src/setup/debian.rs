//! Debian's packages.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Result, bail};
use mqttguard_lab::tools;

use crate::command::must;
use crate::root::as_root;

/// Whether dpkg has the package installed.
pub(super) fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

/// Installs Debian packages, with fresh package lists only if the old ones do not do.
pub(super) fn install(packages: &[&'static str]) -> Result<()> {
    if tools::find_system("apt-get").is_none() {
        bail!("there is no apt-get here: install what these Debian packages hold by other means");
    }
    let _quiet = NoServices::begin(packages)?;
    let install = || -> Result<Command> {
        let mut command = as_root("env", "Installing packages")?;
        command
            .args([
                "DEBIAN_FRONTEND=noninteractive",
                "apt-get",
                "--quiet",
                "--yes",
            ])
            .args(["--no-install-recommends", "install"])
            .args(packages);
        Ok(command)
    };
    if must(&mut install()?).is_ok() {
        return Ok(());
    }
    must(as_root("apt-get", "Reading package lists")?.args(["--quiet", "update"]))?;
    must(&mut install()?)
}

/// Packages that are services, of the same name.
const SERVICES: [&str; 2] = ["mosquitto", "nats-server"];

/// Debian starts services as it installs them. The tests run their own; nobody asked for one on
/// this machine.
struct NoServices {
    policy: Option<PathBuf>,
    services: Vec<&'static str>,
}

impl NoServices {
    fn begin(packages: &[&'static str]) -> Result<Self> {
        let is_service = |package: &&&str| SERVICES.contains(*package);
        let services: Vec<_> = packages.iter().filter(is_service).copied().collect();
        // invoke-rc.d asks this program, if it is there, whether a service may be started.
        let policy = PathBuf::from("/usr/sbin/policy-rc.d");
        if services.is_empty() || policy.exists() {
            return Ok(Self {
                policy: None,
                services,
            });
        }
        let mut write = as_root("sh", "Keeping services from being started")?;
        must(write.arg("-c").arg(format!(
            "printf '#!/bin/sh\\nexit 101\\n' > {0} && chmod 755 {0}",
            policy.display()
        )))?;
        Ok(Self {
            policy: Some(policy),
            services,
        })
    }
}

impl Drop for NoServices {
    fn drop(&mut self) {
        if let Some(policy) = &self.policy
            && let Err(error) =
                as_root("rm", "Cleaning up").and_then(|mut rm| must(rm.arg("-f").arg(policy)))
        {
            eprintln!("{error:#}");
        }
        // Nor at the next boot.
        if !self.services.is_empty() && Path::new("/run/systemd/system").exists() {
            let disable = ["disable", "--now"].iter().chain(&self.services);
            let disabled = as_root("systemctl", "Keeping services from being started")
                .and_then(|mut systemctl| must(systemctl.args(disable)));
            if let Err(error) = disabled {
                eprintln!("{error:#}");
            }
        }
    }
}
