//! `cargo xtask setup`: what a bare Debian 12 with rustup's stable cargo lacks.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use mqttguard_lab::tools;

use crate::clients::{self, Client};
use crate::kernels;
use crate::root::as_root;
use crate::zig;

#[derive(clap::Args)]
pub(crate) struct Args {
    /// Only say what is missing, and fail if anything is
    #[arg(long)]
    no_install: bool,
}

/// What a chore cannot do without.
pub(crate) enum Need {
    /// A program of a Debian package.
    Program {
        /// The program; found in PATH or an sbin directory.
        name: &'static str,
        /// Its package.
        package: &'static str,
    },
    /// A Debian package without a program of its own.
    Package(&'static str),
    /// A component of the Rust toolchain.
    Component {
        /// The cargo subcommand.
        subcommand: &'static str,
        /// rustup's name of the component.
        component: &'static str,
    },
    /// A program from the crate registry.
    Crate(Tool),
    /// A client that the broker is tested with.
    Client(Client),
    /// zig, from the Python registry.
    Zig,
}

/// A program from the crate registry, installed below the target directory.
pub(crate) struct Tool {
    /// The crate and its program.
    pub(crate) name: &'static str,
    /// The version; no other is known to work.
    pub(crate) version: &'static str,
    /// Whether it is built with the versions of its own lock file.
    pub(crate) locked: bool,
    /// More arguments of `cargo install`.
    pub(crate) arguments: &'static [&'static str],
    /// A variable that its build needs.
    pub(crate) variable: Option<(&'static str, &'static str)>,
}

impl Tool {
    /// A crate that builds as it is.
    const fn plain(name: &'static str, version: &'static str) -> Self {
        Self {
            name,
            version,
            locked: true,
            arguments: &[],
            variable: None,
        }
    }

    /// Whether cargo notes that very version as installed, and its program is there.
    fn is_installed(&self) -> Result<bool> {
        let noted = tools::tools_dir()?.join(".crates.toml");
        let noted = fs::read_to_string(noted).unwrap_or_default();
        let line = format!("\"{} {} (", self.name, self.version);
        Ok(noted.contains(&line) && tools::tool(self.name).is_ok())
    }

    fn install(&self) -> Result<()> {
        let root = tools::tools_dir()?;
        let mut install = cargo();
        install
            .args(["install", "--root"])
            .arg(&root)
            .arg("--target-dir")
            .arg(root.join("build"))
            .args(self.locked.then_some("--locked"))
            .args(self.arguments)
            .arg(format!("{}@{}", self.name, self.version));
        if let Some((variable, value)) = self.variable {
            install.env(variable, value);
        }
        must(&mut install)
    }
}

/// What the house of the demo and the tests runs.
pub(crate) const HOUSE: &[Need] = &[
    Need::Program {
        name: "cc",
        package: "gcc",
    },
    Need::Program {
        name: "ip",
        package: "iproute2",
    },
    Need::Program {
        name: "mount",
        package: "mount",
    },
    Need::Program {
        name: "nft",
        package: "nftables",
    },
    Need::Program {
        name: "setpriv",
        package: "util-linux",
    },
    Need::Program {
        name: "dnsmasq",
        package: "dnsmasq-base",
    },
    Need::Program {
        name: "udhcpc",
        package: "udhcpc",
    },
    Need::Program {
        name: "mosquitto",
        package: "mosquitto",
    },
    Need::Program {
        name: "mosquitto_pub",
        package: "mosquitto-clients",
    },
    Need::Program {
        name: "nats-server",
        package: "nats-server",
    },
    Need::Program {
        name: "busybox",
        package: "busybox",
    },
    Need::Program {
        name: "openssl",
        package: "openssl",
    },
    Need::Crate(Tool::plain("ubusd", "0.5.0")),
    Need::Crate(Tool::plain("ubus-client", "0.5.0")),
];

/// The clients that the broker is tested with, beside mosquitto's, and what they run on.
pub(crate) const CLIENTS: &[Need] = &[
    Need::Package("python3-venv"),
    Need::Program {
        name: "node",
        package: "nodejs",
    },
    Need::Program {
        name: "npm",
        package: "npm",
    },
    Need::Client(clients::PYTHON),
    Need::Client(clients::MQTT_JS),
    Need::Client(clients::RUMQTTC),
];

/// The browser in which the LuCI views are tested, and what drives it.
pub(crate) const BROWSER: &[Need] = &[
    Need::Program {
        name: "chromium",
        package: "chromium",
    },
    Need::Program {
        name: "node",
        package: "nodejs",
    },
    Need::Program {
        name: "npm",
        package: "npm",
    },
    Need::Client(clients::BROWSER),
];

/// What collects texts for translators.
pub(crate) const TRANSLATIONS: &[Need] = &[Need::Program {
    name: "xgettext",
    package: "gettext",
}];

/// What the checks of the source need beside that.
pub(crate) const CHECKS: &[Need] = &[
    Need::Program {
        name: "shellcheck",
        package: "shellcheck",
    },
    Need::Program {
        name: "dash",
        package: "dash",
    },
    Need::Program {
        name: "make",
        package: "make",
    },
    Need::Component {
        subcommand: "fmt",
        component: "rustfmt",
    },
    Need::Component {
        subcommand: "clippy",
        component: "clippy",
    },
];

/// What libFuzzer is built with.
pub(crate) const FUZZ: &[Need] = &[Need::Program {
    name: "c++",
    package: "g++",
}];

/// What the broker is measured with.
pub(crate) const BENCH: &[Need] = &[
    Need::Program {
        name: "mosquitto",
        package: "mosquitto",
    },
    Need::Program {
        name: "taskset",
        package: "util-linux",
    },
];

/// What the kernel program is measured with.
pub(crate) const BENCH_KERNEL: &[Need] = &[
    Need::Program {
        name: "xdp-filter",
        package: "xdp-tools",
    },
    Need::Program {
        name: "nft",
        package: "nftables",
    },
    Need::Program {
        name: "ip",
        package: "iproute2",
    },
    Need::Program {
        name: "ethtool",
        package: "ethtool",
    },
];

/// A broker to measure against.
pub(crate) const RUMQTTD: &[Need] = &[Need::Crate(Tool {
    name: "rumqttd",
    version: "0.20.0",
    // What its lock file names does not compile any more.
    locked: false,
    arguments: &["--no-default-features", "--features", "use-rustls"],
    variable: None,
})];

/// What the kernel program's objects are built with: Debian's compiler, which brings the core
/// library for BPF, and its LLVM. A nightly toolchain with the `rust-src` component can stand in
/// for the compiler.
pub(crate) const EBPF: &[Need] = &[
    Need::Package("rustc-web"),
    Need::Package("cargo-web"),
    Need::Package("libstd-rust-web-dev-bpf"),
    Need::Package("llvm-22-dev"),
    Need::Package("libpolly-22-dev"),
    Need::Package("clang-22"),
    Need::Crate(Tool {
        name: "bpf-linker",
        version: "0.13.0",
        locked: true,
        arguments: &["--no-default-features", "--features", "llvm-22"],
        // Without it the linker is built against no LLVM.
        variable: Some(("LLVM_PREFIX", "/usr/lib/llvm-22")),
    }),
];

/// What feeds are signed with, beside a crate.
pub(crate) const SIGNING: &[Need] = &[Need::Program {
    name: "openssl",
    package: "openssl",
}];

/// What programs for routers are built with: Debian's compiler with the source of the standard
/// library, zig as C compiler and linker.
pub(crate) const PACKAGE: &[Need] = &[
    Need::Package("rustc-web"),
    Need::Package("cargo-web"),
    Need::Package("rust-web-src"),
    Need::Package("llvm-22"),
    Need::Package("python3-venv"),
    Need::Zig,
];

/// What they are run with here.
pub(crate) const PACKAGE_CHECK: &[Need] = &[
    Need::Package("qemu-user-static"),
    Need::Crate(Tool::plain("ubusd", "0.5.0")),
];

pub(crate) fn run(args: &Args) -> Result<()> {
    let installed = ensure(
        &[
            HOUSE,
            CLIENTS,
            BROWSER,
            TRANSLATIONS,
            CHECKS,
            EBPF,
            FUZZ,
            BENCH,
            BENCH_KERNEL,
            PACKAGE,
            PACKAGE_CHECK,
            kernels::NEEDS,
        ],
        args.no_install,
    )?;
    if !installed {
        println!("Nothing is missing.");
    }
    Ok(())
}

/// Installs what is missing of `needs`, after saying what; with `no_install` fails instead.
/// Gives whether anything was missing.
pub(crate) fn ensure(needs: &[&[Need]], no_install: bool) -> Result<bool> {
    let missing = Missing::find(needs)?;
    if missing.is_empty() {
        return Ok(false);
    }
    if no_install {
        bail!(
            "missing, and --no-install forbids to install it:\n{}",
            missing.list()
        );
    }
    eprintln!("To be installed first:\n{}", missing.list());
    missing.install()?;
    let left = Missing::find(needs)?;
    if !left.is_empty() {
        bail!("installed, but still missing:\n{}", left.list());
    }
    Ok(true)
}

/// The cargo that runs this chore.
pub(crate) fn cargo() -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo.current_dir(workspace());
    cargo
}

/// The root of the workspace.
pub(crate) fn workspace() -> PathBuf {
    let xtask = Path::new(env!("CARGO_MANIFEST_DIR"));
    xtask.parent().unwrap_or(xtask).to_owned()
}

#[derive(Default)]
struct Missing<'a> {
    packages: Vec<&'static str>,
    components: Vec<&'static str>,
    crates: Vec<&'a Tool>,
    clients: Vec<&'a Client>,
    zig: bool,
}

impl<'a> Missing<'a> {
    fn find(needs: &[&'a [Need]]) -> Result<Self> {
        let mut missing = Self::default();
        for need in needs.iter().copied().flatten() {
            match need {
                Need::Program { name, package } if tools::find_system(name).is_none() => {
                    missing.packages.push(package);
                }
                Need::Package(package) if !is_installed(package) => missing.packages.push(package),
                Need::Component {
                    subcommand,
                    component,
                } if !has_subcommand(subcommand) => missing.components.push(component),
                Need::Crate(tool) if !tool.is_installed()? => missing.crates.push(tool),
                Need::Client(client) if !client.is_installed()? => missing.clients.push(client),
                Need::Zig => missing.zig = !zig::is_installed()?,
                _ => {}
            }
        }
        missing.packages.dedup();
        Ok(missing)
    }

    fn is_empty(&self) -> bool {
        self.packages.is_empty()
            && self.components.is_empty()
            && self.crates.is_empty()
            && self.clients.is_empty()
            && !self.zig
    }

    fn list(&self) -> String {
        let mut lines = Vec::new();
        if !self.packages.is_empty() {
            lines.push(format!(
                "  Debian packages (apt-get install): {}",
                self.packages.join(" ")
            ));
        }
        if !self.components.is_empty() {
            let list = self.components.join(" ");
            lines.push(format!("  parts of Rust (rustup component add): {list}"));
        }
        if !self.crates.is_empty() {
            let names: Vec<&str> = self.crates.iter().map(|tool| tool.name).collect();
            let list = names.join(" ");
            lines.push(format!(
                "  programs below target/tools (cargo install): {list}"
            ));
        }
        if !self.clients.is_empty() {
            let names: Vec<&str> = self.clients.iter().map(|client| client.name).collect();
            let list = names.join(" ");
            lines.push(format!(
                "  clients below target/tools (pip, npm, cargo): {list}"
            ));
        }
        if self.zig {
            lines.push(format!("  zig {} below target/tools (pip)", zig::VERSION));
        }
        lines.join("\n")
    }

    fn install(&self) -> Result<()> {
        if !self.packages.is_empty() {
            install_packages(&self.packages)?;
        }
        if !self.components.is_empty() {
            let mut rustup = Command::new("rustup");
            rustup.args(["component", "add"]).args(&self.components);
            must(&mut rustup)?;
        }
        for tool in &self.crates {
            tool.install()?;
        }
        for client in &self.clients {
            client.install()?;
        }
        if self.zig {
            zig::install()?;
        }
        Ok(())
    }
}

/// Whether dpkg has the package installed.
fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["--show", "--showformat=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn has_subcommand(subcommand: &str) -> bool {
    cargo()
        .args([subcommand, "--version"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Installs Debian packages, with fresh package lists only if the old ones do not do.
fn install_packages(packages: &[&'static str]) -> Result<()> {
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

/// Runs a command to its end, with its output shown on stderr, and fails if it does.
pub(crate) fn must(command: &mut Command) -> Result<()> {
    let words: Vec<OsString> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsString::from)
        .collect();
    let line = words.join(" ".as_ref()).to_string_lossy().into_owned();
    eprintln!("$ {line}");
    let status = command
        .stdin(Stdio::inherit())
        .stdout(std::io::stderr())
        .status()
        .with_context(|| format!("cannot start {line}"))?;
    if !status.success() {
        bail!("{line}: {status}");
    }
    Ok(())
}
