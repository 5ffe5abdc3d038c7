//! A broker that is killed and started again, on the same port and journal.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use mqttguard_lab::{PATIENCE, tools};

pub(super) struct Broker {
    port: u16,
    disk: bool,
    child: Child,
    directory: tempfile::TempDir,
}

impl Broker {
    pub(super) fn start(disk: bool) -> Broker {
        let directory = tempfile::tempdir().unwrap();
        // Free now; nobody else on this machine is likely to take it between two starts.
        let any = TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = any.local_addr().unwrap().port();
        drop(any);
        let child = launch(directory.path(), port, disk);
        Broker {
            port,
            disk,
            child,
            directory,
        }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn address(&self) -> SocketAddr {
        ([127, 0, 0, 1], self.port).into()
    }

    /// SIGKILL.
    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(super) fn start_again(&mut self) {
        self.child = launch(self.directory.path(), self.port, self.disk);
    }

    /// Until the journal has a text in it, such as the filter that somebody subscribes to.
    pub(super) fn wait_for(&self, text: &str) {
        let end = Instant::now() + PATIENCE;
        while !self.has_in_journal(text.as_bytes()) {
            assert!(
                Instant::now() < end,
                "{text} does not come into the journal"
            );
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn has_in_journal(&self, text: &[u8]) -> bool {
        let mut files = std::fs::read_dir(journal(self.directory.path())).unwrap();
        files.any(|file| {
            let bytes = std::fs::read(file.unwrap().path()).unwrap_or_default();
            bytes.windows(text.len()).any(|found| found == text)
        })
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn journal(directory: &Path) -> PathBuf {
    directory.join("journal")
}

fn launch(directory: &Path, port: u16, disk: bool) -> Child {
    let log = directory.join("log");
    let mut command = Command::new(tools::open_broker().unwrap());
    command
        .args(["--port", &port.to_string(), "--pki"])
        .arg(directory);
    command.arg("--journal").arg(journal(directory));
    if disk {
        command.arg("--disk");
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(File::options().create(true).append(true).open(log).unwrap())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let line = lines.next().expect("the broker does not start").unwrap();
    assert!(line.starts_with("plain"), "{line}");
    // It would not survive a write to nobody.
    let last = lines.next().expect("the broker does not start").unwrap();
    assert!(last.starts_with("OPEN"), "{last}");
    child
}
