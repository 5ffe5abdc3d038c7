use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use crate::{Device, PATIENCE, tools, until};

/// What `enrol` gives a device.
#[derive(Clone)]
pub struct Credential {
    /// The user name.
    pub username: String,
    /// The password.
    pub password: String,
    /// The certificate of the router's CA.
    pub ca_file: PathBuf,
    /// The router's address.
    pub address: String,
    /// The port of its TLS listener.
    pub port: u16,
}

impl Credential {
    /// Reads the answer of the `enrol` method.
    pub fn from_enrolment(answer: &Value) -> Result<Self> {
        let text = |field: &str| {
            answer
                .get(field)
                .and_then(Value::as_str)
                .map(str::to_owned)
                .with_context(|| format!("the answer of enrol has no {field}"))
        };
        let port = answer.get("port").and_then(Value::as_u64);
        Ok(Self {
            username: text("username")?,
            password: text("password")?,
            ca_file: PathBuf::from(text("ca_file")?),
            address: text("address")?,
            port: u16::try_from(port.context("the answer of enrol has no port")?)?,
        })
    }

    /// The same, with another password.
    pub fn with_password(&self, password: &str) -> Self {
        Self {
            password: password.to_owned(),
            ..self.clone()
        }
    }
}

/// A real MQTT client on a device: Debian's mosquitto_pub and mosquitto_sub.
pub struct Client<'a> {
    device: &'a Device,
    host: String,
    port: u16,
    ca_file: Option<PathBuf>,
    login: Option<(String, String)>,
    identity: Option<(PathBuf, PathBuf)>,
    version: &'static str,
    session: Option<String>,
    limit: Duration,
}

impl Device {
    /// A client that speaks MQTT in the clear.
    pub fn plain_client(&self, host: impl ToString, port: u16) -> Client<'_> {
        Client {
            device: self,
            host: host.to_string(),
            port,
            ca_file: None,
            login: None,
            identity: None,
            version: "311",
            session: None,
            limit: PATIENCE,
        }
    }

    /// A client that speaks MQTT over TLS with the router and logs in with `credential`.
    pub fn client(&self, credential: &Credential) -> Client<'_> {
        Client {
            ca_file: Some(credential.ca_file.clone()),
            login: Some((credential.username.clone(), credential.password.clone())),
            ..self.plain_client(&credential.address, credential.port)
        }
    }
}

/// How a client ended.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Its exit code; None when it was not done in time and was killed. After a refused login it
    /// is the CONNACK's return code (MQTT 3.1.1) or reason code (MQTT 5).
    pub code: Option<i32>,
    /// What it printed.
    pub printed: String,
    /// What it complained of.
    pub complaint: String,
}

impl Outcome {
    /// Whether it did what it was asked for.
    pub fn succeeded(&self) -> bool {
        self.code == Some(0)
    }

    /// The first line of its complaint.
    pub fn first_complaint(&self) -> String {
        self.complaint.lines().next().unwrap_or_default().to_owned()
    }

    /// Whether the broker refused the login, by CONNACK.
    pub fn login_refused(&self) -> bool {
        !self.succeeded() && self.complaint.contains("Connection error:")
    }

    /// Whether the connection was never answered: the client was still trying at its end.
    pub fn unanswered(&self) -> bool {
        self.code.is_none()
    }

    fn of(output: &Output, in_time: bool) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
        Self {
            code: output.status.code().filter(|_| in_time),
            printed: text(&output.stdout),
            complaint: text(&output.stderr),
        }
    }
}

impl Client<'_> {
    /// The same client without user name and password.
    pub fn anonymous(mut self) -> Self {
        self.login = None;
        self
    }

    /// The same client with this user name and password, whatever it speaks over.
    pub fn login(mut self, username: &str, password: &str) -> Self {
        self.login = Some((username.to_owned(), password.to_owned()));
        self
    }

    /// The same client without user name and password, but with this certificate and its key.
    pub fn certificate(mut self, certificate: &Path, key: &Path) -> Self {
        self.login = None;
        self.identity = Some((certificate.to_owned(), key.to_owned()));
        self
    }

    /// The same client, speaking MQTT 5.
    pub fn v5(mut self) -> Self {
        self.version = "5";
        self
    }

    /// The same client, given at most this time in place of [`PATIENCE`].
    pub fn limit(mut self, limit: Duration) -> Self {
        self.limit = limit;
        self
    }

    /// The same with a client identifier of its own, and a session that outlives its connections.
    #[must_use]
    pub fn lasting(mut self, client_id: &str) -> Self {
        self.session = Some(client_id.to_owned());
        self
    }

    /// Publishes one message.
    pub fn publish(&self, topic: &str, payload: &str, qos: u8) -> Result<Outcome> {
        let mut command = self.command("mosquitto_pub")?;
        command
            .args(["-t", topic, "-m", payload])
            .args(["-q", &qos.to_string()]);
        self.finish(self.start(command)?)
    }

    /// Publishes one message and asks the broker to retain it.
    pub fn publish_retained(&self, topic: &str, payload: &str) -> Result<Outcome> {
        let mut command = self.command("mosquitto_pub")?;
        command.args(["-t", topic, "-m", payload, "-q", "1", "-r"]);
        self.finish(self.start(command)?)
    }

    /// Publishes each of `payloads` with QoS 1 on one connection.
    pub fn publish_all(&self, topic: &str, payloads: &[String]) -> Result<Outcome> {
        let mut command = self.command("mosquitto_pub")?;
        command
            .args(["-t", topic, "-q", "1", "-l"])
            .stdin(Stdio::piped());
        let mut child = self.start(command)?;
        if let Some(mut stdin) = child.stdin.take() {
            // A client that was refused has closed its end: its outcome tells.
            let _ = stdin.write_all((payloads.join("\n") + "\n").as_bytes());
        }
        self.finish(child)
    }

    /// Subscribes to `filter` with QoS 1, waits for the broker's answer, and then in the
    /// background for `count` messages.
    pub fn subscribe(&self, filter: &str, count: u32) -> Result<Subscription> {
        // A client that writes to a pipe keeps its lines to itself until it ends.
        let client = self.command("mosquitto_sub")?;
        let mut command = Command::new(tools::system("stdbuf")?);
        command.arg("-oL").arg(client.get_program());
        command.args(client.get_args()).stdin(Stdio::null());
        for (name, value) in client.get_envs() {
            command.env(name, value.unwrap_or_default());
        }
        command
            .args(["-t", filter, "-q", "1", "-v", "-d"])
            .args(["-C", &count.to_string()]);
        Subscription::follow(self.start(command)?, self.limit)
    }

    fn command(&self, program: &str) -> Result<Command> {
        let mut command = Command::new(tools::system(program)?);
        command
            .args(["-h", &self.host, "-p", &self.port.to_string()])
            .args(["-V", self.version])
            .stdin(Stdio::null());
        if let Some(client_id) = &self.session {
            command.args(["-c", "-i", client_id]);
        }
        if let Some(ca_file) = &self.ca_file {
            command.arg("--cafile").arg(ca_file);
        }
        if let Some((certificate, key)) = &self.identity {
            command.arg("--cert").arg(certificate);
            command.arg("--key").arg(key);
        }
        command.env("XDG_CONFIG_HOME", self.write_login(program)?);
        Ok(command)
    }

    /// User name and password go into the client's own options file: a command line is for
    /// everybody to read.
    fn write_login(&self, program: &str) -> Result<PathBuf> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let dir = self.device.dir().join(format!("client{count}"));
        fs::create_dir(&dir)?;
        if let Some((username, password)) = &self.login {
            write_private(
                &dir.join(program),
                &format!("-u {username}\n-P {password}\n"),
            )?;
        }
        Ok(dir)
    }

    fn start(&self, mut command: Command) -> Result<Child> {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        self.device.netns().start(&mut command)
    }

    fn finish(&self, child: Child) -> Result<Outcome> {
        finish(child, self.limit)
    }
}

/// A subscriber that runs. Killed when dropped.
pub struct Subscription {
    child: Child,
    lines: Arc<Mutex<Vec<String>>>,
    reader: Option<JoinHandle<()>>,
    limit: Duration,
}

impl Subscription {
    /// Follows what the client prints, and returns when it has an answer to its SUBSCRIBE or has
    /// ended.
    fn follow(mut child: Child, limit: Duration) -> Result<Self> {
        let stdout = child.stdout.take().context("client has no output")?;
        let lines = Arc::new(Mutex::new(Vec::new()));
        let reader = thread::spawn({
            let lines = lines.clone();
            move || {
                for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                    lines
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .push(line);
                }
            }
        });
        let mut subscription = Self {
            child,
            lines,
            reader: Some(reader),
            limit,
        };
        until(limit, || {
            subscription.granted().is_some() || !matches!(subscription.child.try_wait(), Ok(None))
        });
        // What it said at its end may not be read yet.
        if let Ok(Some(_)) = subscription.child.try_wait()
            && let Some(reader) = subscription.reader.take()
        {
            let _ = reader.join();
        }
        Ok(subscription)
    }

    /// The broker's answer in the SUBACK: the granted QoS, or 128 and above for a refusal. None
    /// if the client did not get that far.
    pub fn granted(&self) -> Option<u8> {
        self.lines()
            .iter()
            .find(|line| line.starts_with("Subscribed (mid"))
            .and_then(|line| line.rsplit(' ').next()?.parse().ok())
    }

    /// The messages so far, each as topic, space, payload.
    pub fn messages(&self) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| !line.starts_with("Client ") && !line.starts_with("Subscribed ("));
        lines
    }

    /// Waits for the messages it was to wait for, at most the client's limit, and gives those
    /// that came.
    pub fn finish(mut self) -> Result<Vec<String>> {
        if !until(self.limit, || !matches!(self.child.try_wait(), Ok(None))) {
            self.child.kill()?;
        }
        self.child.wait()?;
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        Ok(self.messages())
    }

    fn lines(&self) -> Vec<String> {
        self.lines
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn finish(mut child: Child, limit: Duration) -> Result<Outcome> {
    let in_time = until(limit, || !matches!(child.try_wait(), Ok(None)));
    if !in_time {
        child.kill()?;
    }
    Ok(Outcome::of(&child.wait_with_output()?, in_time))
}

fn write_private(path: &Path, text: &str) -> Result<()> {
    let mut file = fs::File::options()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(path)?;
    Ok(file.write_all(text.as_bytes())?)
}
