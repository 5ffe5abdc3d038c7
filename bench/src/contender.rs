//! The brokers that are compared: how each is started, and what it costs.

use std::fs::{self, File};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// How long a broker may take to listen.
const START: Duration = Duration::from_secs(5);

/// Which broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    Mosquitto,
    Rumqttd,
    Mqttguard,
}

impl Kind {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Kind::Mosquitto => "mosquitto",
            Kind::Rumqttd => "rumqttd",
            Kind::Mqttguard => "mqttguard",
        }
    }
}

/// A broker, running or not.
pub(crate) struct Contender {
    pub(crate) kind: Kind,
    program: PathBuf,
    directory: PathBuf,
    core: usize,
    running: Option<Running>,
}

/// A broker at work.
struct Running {
    child: Child,
    plain: SocketAddr,
    tls: SocketAddr,
}

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended itself; then there is nothing to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Contender {
    /// A broker that will run on CPU `core`, with its files in `directory`. The certificate that
    /// all brokers serve with is made by mqttguard there.
    pub(crate) fn new(kind: Kind, program: PathBuf, directory: &Path, core: usize) -> Contender {
        Contender {
            kind,
            program,
            directory: directory.to_owned(),
            core,
            running: None,
        }
    }

    /// The address of the listener in the clear.
    pub(crate) fn plain(&self) -> Result<SocketAddr> {
        Ok(self.running()?.plain)
    }

    /// The address of the listener with TLS.
    pub(crate) fn tls(&self) -> Result<SocketAddr> {
        Ok(self.running()?.tls)
    }

    /// Ends the broker, if it runs, and starts it with empty memory.
    pub(crate) fn restart(&mut self) -> Result<()> {
        self.running = None;
        let (plain, tls) = (free_port()?, free_port()?);
        let mut command = Command::new("taskset");
        command.args(["-c", &self.core.to_string()]);
        command.arg(&self.program);
        match self.kind {
            Kind::Mosquitto => {
                let file = self.write("mosquitto.conf", &self.mosquitto(plain, tls))?;
                command.arg("-c").arg(file);
            }
            Kind::Rumqttd => {
                let file = self.write("rumqttd.toml", &self.rumqttd(plain, tls))?;
                command.arg("-c").arg(file);
            }
            Kind::Mqttguard => {
                let (plain, tls) = (plain.to_string(), tls.to_string());
                command.args(["--port", &plain, "--tls-port", &tls, "--pki"]);
                command.arg(&self.directory);
            }
        }
        let log = self.directory.join(format!("{}.log", self.kind.name()));
        let child = command
            .stdin(Stdio::piped())
            .stdout(File::create(&log)?)
            .stderr(File::options().append(true).open(&log)?)
            .spawn()
            .context("cannot start taskset")?;
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut running = Running {
            child,
            plain: local(plain),
            tls: local(tls),
        };
        let end = Instant::now() + START;
        for address in [running.plain, running.tls] {
            while TcpStream::connect(address).is_err() {
                if running.child.try_wait()?.is_some() || Instant::now() > end {
                    let said = fs::read_to_string(&log).unwrap_or_default();
                    bail!("{} does not start:\n{said}", self.kind.name());
                }
                sleep(Duration::from_millis(20));
            }
        }
        self.running = Some(running);
        Ok(())
    }

    /// As Debian's package comes, but for who may in and where it keeps things.
    fn mosquitto(&self, plain: u16, tls: u16) -> String {
        let directory = self.directory.display();
        format!(
            "user root\nallow_anonymous true\npersistence false\nlog_dest none\n\
             listener {plain} 127.0.0.1\n\
             listener {tls} 127.0.0.1\n\
             certfile {directory}/server.crt\nkeyfile {directory}/server.key\n"
        )
    }

    /// The numbers of rumqttd's own example.
    fn rumqttd(&self, plain: u16, tls: u16) -> String {
        let directory = self.directory.display();
        let server = |name: &str, port: u16, tls: &str| {
            format!(
                "[v4.{name}]\nname = \"{name}\"\nlisten = \"127.0.0.1:{port}\"\n\
                 next_connection_delay_ms = 1\n{tls}\
                 [v4.{name}.connections]\nconnection_timeout_ms = 60000\n\
                 max_payload_size = 20480\nmax_inflight_count = 100\ndynamic_filters = true\n"
            )
        };
        let certificate = format!(
            "[v4.tls.tls]\ncertpath = \"{directory}/server.crt\"\n\
             keypath = \"{directory}/server.key\"\n"
        );
        format!(
            "id = 0\n[router]\nid = 0\nmax_connections = 10010\n\
             max_outgoing_packet_count = 200\nmax_segment_size = 104857600\n\
             max_segment_count = 10\n{}{}",
            server("plain", plain, ""),
            server("tls", tls, &certificate)
        )
    }

    fn write(&self, name: &str, text: &str) -> Result<PathBuf> {
        let path = self.directory.join(name);
        fs::write(&path, text)?;
        Ok(path)
    }

    fn running(&self) -> Result<&Running> {
        self.running.as_ref().context("the broker does not run")
    }

    /// CPU time used so far, by all its threads.
    pub(crate) fn cpu(&self) -> Result<Duration> {
        let mut sum = 0;
        for thread in fs::read_dir(self.proc("task")?)? {
            // A thread may end meanwhile.
            let text = fs::read_to_string(thread?.path().join("schedstat")).unwrap_or_default();
            let nanos = text.split(' ').next().and_then(|first| first.parse().ok());
            sum += nanos.unwrap_or(0);
        }
        Ok(Duration::from_nanos(sum))
    }

    /// Resident memory now, in bytes.
    pub(crate) fn memory(&self) -> Result<f64> {
        // The sum in `status` is late by some pages for each CPU.
        self.field("smaps_rollup", "Rss:")
    }

    /// The most resident memory since the start, in bytes.
    pub(crate) fn peak_memory(&self) -> Result<f64> {
        self.field("status", "VmHWM:")
    }

    /// A number of kB out of one of the kernel's files.
    fn field(&self, file: &str, field: &str) -> Result<f64> {
        let text = fs::read_to_string(self.proc(file)?)?;
        let line = text.lines().find_map(|line| line.strip_prefix(field));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse::<f64>().ok());
        Ok(number.with_context(|| format!("no {field} in the broker's {file}"))? * 1024.0)
    }

    fn proc(&self, file: &str) -> Result<PathBuf> {
        Ok(PathBuf::from(format!("/proc/{}", self.running()?.child.id())).join(file))
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}
