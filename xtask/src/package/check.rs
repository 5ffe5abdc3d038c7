//! Runs a router's program here, under qemu's emulation of its processor: it makes its certificate
//! authority, serves TLS that openssl verifies, and answers `status` over a real ubusd.
//!
//! qemu's user mode knows no BPF: that no kernel program can be loaded is part of what the program
//! has to live with here.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use mqttguard_lab::tools;
use serde_json::Value;

use super::arch::Arch;

/// How long an emulated processor may take to make an RSA key, and everything else.
const START: Duration = Duration::from_secs(300);
/// How long a handshake or a question may take.
const ANSWER: Duration = Duration::from_secs(60);
/// How long the daemon may take to end after SIGTERM, with nothing else to do.
const END: Duration = Duration::from_secs(5);

/// Checks the program.
pub(super) fn run(arch: Arch, program: &Path) -> Result<()> {
    let directory = tools::target_dir()?.join("package/check").join(arch.name());
    if directory.exists() {
        fs::remove_dir_all(&directory)?;
    }
    fs::create_dir_all(&directory)?;
    let start = Instant::now();
    let house = House {
        arch,
        program: program.to_owned(),
        directory,
    };
    house
        .check()
        .with_context(|| format!("{}: {}", arch.name(), house.directory.display()))?;
    println!(
        "{}: runs under {}, in {} s",
        arch.name(),
        arch.qemu(),
        start.elapsed().as_secs()
    );
    Ok(())
}

struct House {
    arch: Arch,
    program: PathBuf,
    directory: PathBuf,
}

impl House {
    fn check(&self) -> Result<()> {
        let version = self.ask(self.emulated().arg("--version"))?;
        let expected = format!("mqttguard {}", env!("CARGO_PKG_VERSION"));
        ensure!(
            version.trim() == expected,
            "--version: found '{version}', expected {expected}"
        );

        let socket = self.directory.join("ubus.sock");
        let mut ubusd = Command::new(tools::tool("ubusd")?);
        let _ubusd = self.start(ubusd.arg("--socket").arg(&socket), "ubusd.log")?;
        let port = free_port()?;
        let config = self.configure(port)?;
        let mut daemon = self.emulated();
        daemon.arg("--socket").arg(&socket).arg("daemon");
        let mut daemon = self.start(daemon.arg("--config").arg(&config), "daemon.log")?;

        let mut status = self.emulated();
        status.arg("--socket").arg(&socket);
        status.args(["--json", "status"]);
        let begun = Instant::now();
        let answer = loop {
            if let Some(ended) = daemon.0.try_wait()? {
                bail!("the daemon ended: {ended}");
            }
            match self.ask(&mut status) {
                Ok(answer) => break answer,
                Err(error) if begun.elapsed() > START => return Err(error),
                Err(_) => sleep(Duration::from_millis(500)),
            }
        };
        let answer: Value = serde_json::from_str(&answer).context("status: not JSON")?;
        ensure!(
            answer.get("version").and_then(Value::as_str) == Some(env!("CARGO_PKG_VERSION")),
            "status: found {answer}"
        );
        // One after the other: with which key and in which version the two agree is openssl's say.
        for how in [
            &["-tls1_3"][..],
            &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256"],
            &["-tls1_2", "-cipher", "ECDHE-RSA-CHACHA20-POLY1305"],
        ] {
            self.handshake(port, how)?;
        }
        ensure!(
            Command::new("kill")
                .arg(daemon.0.id().to_string())
                .status()?
                .success(),
            "cannot send SIGTERM"
        );
        let ended = daemon.wait(END).context("the daemon, after SIGTERM")?;
        ensure!(ended.status.success(), "after SIGTERM: {}", ended.status);
        Ok(())
    }

    /// A handshake that openssl is content with: the chain to the CA that the daemon made, and the
    /// router's name.
    fn handshake(&self, port: u16, how: &[&str]) -> Result<()> {
        let mut openssl = Command::new("openssl");
        openssl
            .args([
                "s_client",
                "-connect",
                &format!("127.0.0.1:{port}"),
                "-CAfile",
            ])
            .arg(self.directory.join("data/ca.crt"))
            .args(["-verify_return_error", "-verify_hostname", "openwrt.lan"])
            .args(how);
        let begun = Instant::now();
        loop {
            match self.ask(&mut openssl) {
                Ok(told) if told.contains("Verify return code: 0 (ok)") => return Ok(()),
                Ok(told) => bail!("{how:?}: {told}"),
                // The listener opens when there are certificates.
                Err(error) if begun.elapsed() > START => return Err(error),
                Err(_) => sleep(Duration::from_millis(500)),
            }
        }
    }

    /// The program, emulated.
    fn emulated(&self) -> Command {
        let mut command = Command::new(self.arch.qemu());
        command.arg(&self.program);
        command
    }

    fn configure(&self, port: u16) -> Result<PathBuf> {
        let at = |name: &str| self.directory.join(name);
        let text = format!(
            "config mqttguard 'main'\n\
             \toption data_dir '{}'\n\toption run_dir '{}'\n\
             \toption bpf_dir '{}'\n\toption lease_file '{}'\n\
             config listener 'tls'\n\tlist address '127.0.0.1'\n\toption port '{port}'\n",
            at("data").display(),
            at("run").display(),
            at("bpf").display(),
            at("leases").display(),
        );
        let file = at("config");
        fs::write(&file, text)?;
        Ok(file)
    }

    /// Runs a command to its end and gives what it says, if all is well.
    fn ask(&self, command: &mut Command) -> Result<String> {
        let what = format!("{command:?}");
        command.stdin(Stdio::null());
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let child = Running(
            command
                .spawn()
                .with_context(|| format!("cannot start {what}"))?,
        );
        let output = child.wait(ANSWER).with_context(|| what.clone())?;
        let told = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() {
            let error = String::from_utf8_lossy(&output.stderr);
            bail!("{what}: {}\n{told}{error}", output.status);
        }
        Ok(told)
    }

    fn start(&self, command: &mut Command, log: &str) -> Result<Running> {
        let what = format!("{command:?}");
        let log = File::create(self.directory.join(log))?;
        command.stdin(Stdio::null());
        command.stdout(log.try_clone()?).stderr(log);
        Ok(Running(
            command
                .spawn()
                .with_context(|| format!("cannot start {what}"))?,
        ))
    }
}

/// A process that does not outlive its handle.
struct Running(Child);

impl Running {
    /// Its end and what it said, which has to be short.
    fn wait(mut self, limit: Duration) -> Result<Output> {
        let begun = Instant::now();
        while self.0.try_wait()?.is_none() {
            ensure!(begun.elapsed() < limit, "not done after {limit:?}");
            sleep(Duration::from_millis(20));
        }
        let read = |from: Option<&mut dyn std::io::Read>| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            if let Some(from) = from {
                from.read_to_end(&mut bytes)?;
            }
            Ok(bytes)
        };
        let stdout = read(self.0.stdout.as_mut().map(|pipe| pipe as _))?;
        let stderr = read(self.0.stderr.as_mut().map(|pipe| pipe as _))?;
        let status = self.0.wait()?;
        Ok(Output {
            status,
            stdout,
            stderr,
        })
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A port of loopback that nobody uses now.
fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
