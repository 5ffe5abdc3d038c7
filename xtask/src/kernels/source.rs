//! Where the kernels come from: packages of Debian and Ubuntu, fetched by apt with lists and a cache
//! of its own, so that the machine's sources stay as they are.
//!
//! Everything is signed. The keys are Debian's, which is installed, and Ubuntu's, which Debian
//! packages.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail, ensure};
use mqttguard_lab::tools;

use super::MODULES;
use crate::command::must;

/// Debian's suites with kernels; the last has the newest, and Ubuntu's keys.
const DEBIAN: [&str; 2] = ["bookworm", "sid"];
const DEBIAN_SECURITY: [&str; 2] = ["bullseye-security", "bookworm-security"];
const UBUNTU: [&str; 2] = ["jammy-updates", "noble-updates"];
/// Names a mirror of Ubuntu's archive. Packages are checked by Ubuntu's keys, wherever they are from.
const UBUNTU_VARIABLE: &str = "MQTTGUARD_UBUNTU";
const DEBIAN_KEYS: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// Beyond `tinyconfig`.
const TINY: &str = include_str!("tiny.config");

/// Where a kernel comes from.
pub(super) enum Source {
    /// Made by others.
    Package {
        /// What the name of the package with the kernel begins with, before the version.
        image: &'static str,
        /// What the version begins with.
        version: &'static str,
        /// What the name ends with.
        flavour: &'static str,
        /// The same as `image` of the package with its modules, if that is another.
        modules: Option<&'static str>,
    },
    /// Made here, as small as will do and without BTF, from the source in this package.
    Built(&'static str),
}

/// A kernel that can be booted.
pub(super) struct Kernel {
    /// The compressed kernel.
    pub(super) image: PathBuf,
    /// The directory with its modules, as far as it has them and not built in.
    pub(super) modules: PathBuf,
}

/// The kernel called `name`, from its source if it is not there from before.
pub(super) fn obtain(name: &str, source: &Source) -> Result<Kernel> {
    let home = tools::tools_dir()?.join("kernels");
    let directory = home.join(name);
    let kernel = Kernel {
        image: directory.join("vmlinuz"),
        modules: directory.join("modules"),
    };
    if kernel.image.is_file() {
        return Ok(kernel);
    }
    fs::create_dir_all(&kernel.modules)?;
    let apt = Apt::new(&home.join("apt"))?;
    let tree = directory.join("tree");
    remove(&tree)?;
    let image = match source {
        Source::Package {
            image,
            version,
            flavour,
            modules,
        } => {
            let package = apt.newest(image, version, flavour)?;
            apt.unpack(&package, &tree)?;
            if let Some(modules) = modules {
                apt.unpack(&package.replacen(image, modules, 1), &tree)?;
            }
            for module in MODULES {
                copy_module(&tree, module, &kernel.modules)?;
            }
            find(&tree, &|name| name.starts_with("vmlinuz"))?
                .with_context(|| format!("{package}: no kernel in it"))?
        }
        Source::Built(package) => {
            apt.unpack(package, &tree)?;
            build(&tree)?
        }
    };
    // In one step, because it is the mark of a whole one.
    let whole = directory.join("vmlinuz.new");
    fs::copy(image, &whole)?;
    fs::rename(whole, &kernel.image)?;
    remove(&tree)?;
    Ok(kernel)
}

/// apt with sources of its own.
struct Apt {
    home: PathBuf,
}

impl Apt {
    /// With fresh lists, once a process.
    fn new(home: &Path) -> Result<Self> {
        let apt = Self {
            home: home.to_owned(),
        };
        let fresh = home.join(format!("fresh-{}", std::process::id()));
        if fresh.is_file() {
            return Ok(apt);
        }
        remove(home)?;
        for directory in ["sources", "lists/partial", "cache/archives/partial"] {
            fs::create_dir_all(home.join(directory))?;
        }
        let mut debian = String::new();
        for (suites, is_security) in [(DEBIAN, false), (DEBIAN_SECURITY, true)] {
            let mirror = mirror(is_security)?;
            for suite in suites {
                debian += &format!("deb [signed-by={DEBIAN_KEYS}] {mirror} {suite} main\n");
            }
        }
        fs::write(home.join("sources/debian.list"), debian)?;
        must(apt.command("apt-get").args(["--quiet", "update"]))?;

        let keys = home.join("keys");
        apt.unpack("ubuntu-keyring", &keys)?;
        let keys = keys.join("usr/share/keyrings/ubuntu-archive-keyring.gpg");
        let mirror = std::env::var(UBUNTU_VARIABLE).with_context(|| {
            format!("{UBUNTU_VARIABLE}: expected the address of a mirror of Ubuntu's archive")
        })?;
        let mut ubuntu = String::new();
        for suite in UBUNTU {
            let keys = keys.display();
            ubuntu += &format!("deb [signed-by={keys}] {mirror} {suite} main\n");
        }
        fs::write(home.join("sources/ubuntu.list"), ubuntu)?;
        must(apt.command("apt-get").args(["--quiet", "update"]))?;
        File::create(fresh)?;
        Ok(apt)
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        for (option, value) in [
            ("Dir::Etc::sourceparts", "sources"),
            ("Dir::State::lists", "lists"),
            ("Dir::Cache", "cache"),
        ] {
            let path = self.home.join(value);
            command.arg(format!("-o{option}={}", path.display()));
        }
        command.args([
            "-oDir::Etc::sourcelist=-",
            "-oAPT::Architecture=amd64",
            "-oAPT::Sandbox::User=root",
            "-oAcquire::Languages=none",
        ]);
        command
    }

    /// The package of that kind with the highest version.
    fn newest(&self, image: &str, version: &str, flavour: &str) -> Result<String> {
        let names = output(self.command("apt-cache").args(["pkgnames", image]))?;
        newest(names.lines(), image, version, flavour)
            .map(str::to_owned)
            .with_context(|| format!("there is no package {image}{version}*{flavour}"))
    }

    /// Unpacks a package, which is not installed.
    fn unpack(&self, package: &str, into: &Path) -> Result<()> {
        let archives = self.home.join("archives");
        remove(&archives)?;
        fs::create_dir_all(&archives)?;
        fs::create_dir_all(into)?;
        let mut download = self.command("apt-get");
        download.args(["--quiet", "download", package]);
        must(download.current_dir(&archives))?;
        let archive = find(&archives, &|name| name.ends_with(".deb"))?
            .with_context(|| format!("apt-get has not downloaded {package}"))?;
        must(Command::new("dpkg-deb").arg("-x").arg(archive).arg(into))
    }
}

/// Where this machine's apt gets Debian from.
fn mirror(is_security: bool) -> Result<String> {
    let format = "$(CODENAME) $(REPO_URI)";
    let targets = output(Command::new("apt-get").args([
        "indextargets",
        "--format",
        format,
        "Origin: Debian",
    ]))?;
    targets
        .lines()
        .filter_map(|line| line.split_once(' '))
        .find(|(suite, _)| suite.ends_with("-security") == is_security)
        .map(|(_, mirror)| mirror.to_owned())
        .context("apt has no lists of Debian's here; run apt-get update on a Debian machine")
}

fn newest<'a>(
    names: impl Iterator<Item = &'a str>,
    image: &str,
    version: &str,
    flavour: &str,
) -> Option<&'a str> {
    let numbers = |name: &str| -> Option<Vec<u64>> {
        let found = name.strip_prefix(image)?.strip_suffix(flavour)?;
        if !found.starts_with(version) || !found.starts_with(|first: char| first.is_ascii_digit()) {
            return None;
        }
        let parts = found.split(|c: char| !c.is_ascii_digit());
        Some(parts.filter_map(|part| part.parse().ok()).collect())
    };
    names
        .filter_map(|name| Some((numbers(name)?, name)))
        .max()
        .map(|(_, name)| name)
}

/// Builds the smallest kernel that will do from the source below `tree`.
fn build(tree: &Path) -> Result<PathBuf> {
    let archive = find(tree, &|name| {
        name.starts_with("linux-source") && name.contains(".tar.")
    })?
    .context("no source in the package")?;
    let source = tree.join("source");
    fs::create_dir_all(&source)?;
    let mut unpack = Command::new("tar");
    unpack.args(["--strip-components=1", "-xf"]).arg(archive);
    must(unpack.arg("-C").arg(&source))?;
    let make = |target: &str| {
        let mut make = Command::new("make");
        make.current_dir(&source).args(["--silent", target]);
        make
    };
    must(&mut make("tinyconfig"))?;
    let mut config = File::options().append(true).open(source.join(".config"))?;
    config.write_all(TINY.as_bytes())?;
    must(make("olddefconfig").stderr(Stdio::null()))?;
    let found = fs::read_to_string(source.join(".config"))?;
    for line in TINY.lines().filter(|line| line.starts_with("CONFIG_")) {
        ensure!(
            found.lines().any(|it| it == line),
            "this source does not take {line}"
        );
    }
    let jobs = std::thread::available_parallelism()?;
    must(make("bzImage").arg(format!("--jobs={jobs}")))?;
    Ok(source.join("arch/x86/boot/bzImage"))
}

/// Copies a module, decompressed, if there is one; the kernel may have it built in.
fn copy_module(tree: &Path, module: &str, into: &Path) -> Result<()> {
    let plain = format!("{module}.ko");
    let Some(found) = find(tree, &|name| {
        name.strip_prefix(&plain)
            .is_some_and(|rest| matches!(rest, "" | ".xz" | ".zst"))
    })?
    else {
        return Ok(());
    };
    let target = File::create(into.join(&plain))?;
    let mut decompress = match found.extension().and_then(|end| end.to_str()) {
        Some("xz") => Command::new("xz"),
        Some("zst") => Command::new("zstd"),
        _ => {
            fs::copy(&found, into.join(plain))?;
            return Ok(());
        }
    };
    let status = decompress.arg("-dc").arg(&found).stdout(target).status()?;
    ensure!(status.success(), "{}: {status}", found.display());
    Ok(())
}

/// A file below a directory, by its name.
fn find(directory: &Path, is_it: &dyn Fn(&str) -> bool) -> Result<Option<PathBuf>> {
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_file() && is_it(&entry.file_name().to_string_lossy()) {
            return Ok(Some(entry.path()));
        }
        if kind.is_dir()
            && let Some(found) = find(&entry.path(), is_it)?
        {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn remove(directory: &Path) -> Result<()> {
    if directory.exists() {
        fs::remove_dir_all(directory)
            .with_context(|| format!("cannot remove {}", directory.display()))?;
    }
    Ok(())
}

fn output(command: &mut Command) -> Result<String> {
    let output = command
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start {:?}", command.get_program()))?;
    if !output.status.success() {
        bail!("{:?}: {}", command.get_program(), output.status);
    }
    Ok(String::from_utf8(output.stdout)?)
}

#[cfg(test)]
mod tests {
    use super::newest;

    #[test]
    fn the_highest_version_is_by_numbers_and_of_the_flavour() {
        let names = [
            "linux-image-6.1.0-9-cloud-amd64",
            "linux-image-6.1.0-56-cloud-amd64",
            "linux-image-6.1.0-57-cloud-amd64-dbg",
            "linux-image-6.12.1-cloud-amd64",
            "linux-image-unsigned-6.1.0-99-cloud-amd64",
        ];
        let of = |version| newest(names.into_iter(), "linux-image-", version, "-cloud-amd64");
        assert_eq!(of("6.1."), Some(names[1]));
        assert_eq!(of(""), Some(names[3]));
        assert_eq!(of("5.10."), None);
    }
}
