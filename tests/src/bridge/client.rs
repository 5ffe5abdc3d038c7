//! mosquitto's clients, of either side of a bridge.

use std::fs;
use std::io::{Read as _, Write as _};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use super::{Running, system, wait};

/// mosquitto's clients of one server.
pub struct Client {
    port: u16,
    pub(super) host: String,
    pub(super) more: Vec<String>,
}

impl Client {
    pub(super) fn new(port: u16) -> Client {
        Client {
            port,
            host: "127.0.0.1".into(),
            more: Vec::new(),
        }
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(system(program));
        command
            .args(["-h", &self.host, "-p", &self.port.to_string()])
            .args(&self.more);
        command
    }

    /// The same with a client identifier of its own, and a session that outlives its connections.
    #[must_use]
    pub fn lasting(mut self, client_id: &str) -> Client {
        let more = ["-c", "-i", client_id].map(str::to_owned);
        self.more.extend(more);
        self
    }

    /// Publishes lines as messages, one after another.
    pub fn publish(&self, topic: &str, qos: u8, lines: impl IntoIterator<Item = String>) {
        let mut child = self
            .command("mosquitto_pub")
            .args(["-l", "-t", topic, "-q", &qos.to_string()])
            .stdin(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        for line in lines {
            writeln!(input, "{line}").unwrap();
        }
        drop(input);
        let ended = child.wait().unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Publishes one message that is retained.
    pub fn retain(&self, topic: &str, payload: &str) {
        let ended = self
            .command("mosquitto_pub")
            .args(["-r", "-q", "1", "-t", topic, "-m", payload])
            .status()
            .unwrap();
        assert!(ended.success(), "{ended}");
    }

    /// Whether a client of this identifier is let in.
    pub fn try_as(&self, client_id: &str) -> bool {
        let ended = self
            .command("mosquitto_pub")
            .args(["-i", client_id, "-t", "x", "-m", "x", "-q", "1"])
            .stderr(Stdio::null())
            .status()
            .unwrap();
        ended.success()
    }

    /// Subscribes, and reads until it is told to stop.
    pub fn subscribe(&self, filter: &str, qos: u8) -> Subscription {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("messages");
        // It buffers what it writes to a file.
        let mut command = Command::new(system("stdbuf"));
        let client = self.command("mosquitto_sub");
        command
            .arg("-oL")
            .arg(client.get_program())
            .args(client.get_args())
            .args(["-t", filter, "-q", &qos.to_string(), "-F", "%r %t %p"])
            // Says when it is subscribed.
            .arg("-d")
            .stdout(fs::File::create(&path).unwrap())
            .stderr(Stdio::null());
        let process = Running::start(&mut command);
        let subscription = Subscription {
            _dir: dir,
            path,
            _process: process,
        };
        wait("a SUBACK", || {
            subscription.text().contains("received SUBACK")
        });
        subscription
    }
}

/// A client that has subscribed.
pub struct Subscription {
    _dir: TempDir,
    path: PathBuf,
    _process: Running,
}

impl Subscription {
    fn text(&self) -> String {
        let mut text = String::new();
        let mut file = fs::File::open(&self.path).unwrap();
        file.read_to_string(&mut text).unwrap();
        text
    }

    /// What has come: the RETAIN flag, topic and payload of each.
    pub fn messages(&self) -> Vec<String> {
        let text = self.text();
        let lines = text
            .lines()
            .filter(|line| line.starts_with("0 ") || line.starts_with("1 "));
        lines.map(str::to_owned).collect()
    }

    /// Payloads that are numbers, in their order.
    pub fn numbers(&self) -> Vec<u32> {
        let last = |line: String| line.rsplit(' ').next().and_then(|n| n.parse().ok());
        self.messages().into_iter().filter_map(last).collect()
    }

    /// Waits for so many messages, and a little longer for more.
    pub fn expect(&self, count: usize) -> Vec<String> {
        wait(&format!("{count} messages"), || {
            self.messages().len() >= count
        });
        std::thread::sleep(Duration::from_millis(300));
        let messages = self.messages();
        assert_eq!(messages.len(), count, "{messages:?}");
        messages
    }
}
