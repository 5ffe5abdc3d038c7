//! The broker alone, as a process: open to everybody on loopback.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use mqttguard_lab::tools;

use super::client::Client;
use super::packet::{Connect, Version};

/// A broker process. It ends with this value, and at the latest with this program.
pub struct Broker {
    /// Where it listens in the clear.
    pub plain: SocketAddr,
    /// Where it listens with TLS.
    pub tls: SocketAddr,
    child: Child,
    /// Held open: the broker says more than where it listens.
    _says: BufReader<ChildStdout>,
    directory: tempfile::TempDir,
}

/// The broker that all tests of this program share, started by the first of them.
pub fn open_broker() -> &'static Broker {
    static BROKER: OnceLock<Broker> = OnceLock::new();
    BROKER.get_or_init(Broker::start)
}

impl Broker {
    /// Starts one on ports that are free.
    pub fn start() -> Self {
        Self::start_with(&[])
    }

    /// Starts one with more arguments.
    pub fn start_with(arguments: &[&str]) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut child = Command::new(tools::open_broker().unwrap())
            .args(["--port", "0", "--tls-port", "0", "--pki"])
            .arg(directory.path())
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut says = BufReader::new(child.stdout.take().unwrap());
        let mut address = |name: &str| -> SocketAddr {
            let mut line = String::new();
            says.read_line(&mut line).unwrap();
            let found = line.strip_prefix(name).expect("the broker does not start");
            found.trim().parse().unwrap()
        };
        let (plain, tls) = (address("plain"), address("tls"));
        Self {
            plain,
            tls,
            child,
            _says: says,
            directory,
        }
    }

    /// The certificate of the CA that its TLS is to be verified with.
    pub fn ca_file(&self) -> PathBuf {
        self.directory.path().join("ca.crt")
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The memory that its process holds, in kB.
    pub fn resident_kb(&self) -> u64 {
        resident_kb(self.child.id())
    }

    /// Connects in the clear, and is let in.
    pub fn connect(&self, connect: &Connect) -> Client {
        Client::connect(self.plain, connect)
    }

    /// Connects with nothing asked for.
    pub fn client(&self, version: Version, client_id: &str) -> Client {
        self.connect(&Connect::new(version, client_id))
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The resident memory of a process in kB.
pub fn resident_kb(process: u32) -> u64 {
    let path = Path::new("/proc").join(process.to_string()).join("status");
    let status = fs::read_to_string(path).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let words = line.unwrap().split_whitespace().next();
    words.unwrap().parse().unwrap()
}
