//! Servers to bridge to.

use std::fs;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use super::certificates::open_to_all;
use super::{Certificates, Client, Running, free_port, system, wait_port};

/// A mosquitto to bridge to: TLS on one port, in the clear on another for the test itself.
pub struct Mosquitto {
    dir: TempDir,
    process: Option<Running>,
    /// The port with TLS.
    pub tls: u16,
    /// The port in the clear.
    pub plain: u16,
}

impl Mosquitto {
    /// With a certificate of this name; `more` goes into the TLS listener's part of its
    /// configuration.
    pub fn start(certificates: &Certificates, certificate: &str, more: &str) -> Mosquitto {
        let dir = tempfile::tempdir().unwrap();
        open_to_all(dir.path());
        let (tls, plain) = (free_port(), free_port());
        let file = |name: &str| certificates.path(name).display().to_string();
        let text = format!(
            "per_listener_settings true\n\
             persistence true\npersistence_location {}/\nautosave_interval 1\n\
             autosave_on_changes true\nmax_queued_messages 0\nmax_inflight_messages 20\n\
             listener {plain} 127.0.0.1\nallow_anonymous true\n\
             listener {tls} 127.0.0.1\ncertfile {}\nkeyfile {}\n{more}\n",
            dir.path().display(),
            file(&format!("{certificate}.crt")),
            file(&format!("{certificate}.key")),
        );
        fs::write(dir.path().join("mosquitto.conf"), text).unwrap();
        let mut server = Mosquitto {
            dir,
            process: None,
            tls,
            plain,
        };
        server.resume();
        server
    }

    /// With a good certificate and nobody refused.
    pub fn open(certificates: &Certificates) -> Mosquitto {
        Mosquitto::start(certificates, "server", "allow_anonymous true")
    }

    /// Ends it in order, so that it writes what it has.
    pub fn stop(&mut self) {
        if let Some(running) = &mut self.process {
            let id = rustix::process::Pid::from_child(&running.0);
            rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
            running.0.wait().unwrap();
        }
        self.process = None;
    }

    /// Starts it, or starts it again.
    pub fn resume(&mut self) {
        let mut command = Command::new(system("mosquitto"));
        command
            .arg("-c")
            .arg(self.dir.path().join("mosquitto.conf"))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.process = Some(Running::start(&mut command));
        wait_port(self.plain);
    }

    /// Clients of it.
    pub fn client(&self) -> Client {
        Client::new(self.plain)
    }
}

/// A NATS server with its MQTT side and JetStream, which MQTT needs, over TLS.
pub struct Nats {
    _dir: TempDir,
    _process: Running,
    /// The port with TLS.
    pub tls: u16,
}

impl Nats {
    /// Starts it.
    pub fn start(certificates: &Certificates) -> Nats {
        let dir = tempfile::tempdir().unwrap();
        let (tls, own) = (free_port(), free_port());
        let file = |name: &str| certificates.path(name).display().to_string();
        let text = format!(
            "server_name: test\nlisten: 127.0.0.1:{own}\n\
             jetstream {{ store_dir: \"{}\" }}\n\
             mqtt {{ listen: \"127.0.0.1:{tls}\"\n\
             tls {{ cert_file: \"{}\", key_file: \"{}\" }} }}\n",
            dir.path().join("store").display(),
            file("server.crt"),
            file("server.key"),
        );
        let conf = dir.path().join("nats.conf");
        fs::write(&conf, text).unwrap();
        let mut command = Command::new(system("nats-server"));
        command
            .arg("-c")
            .arg(conf)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = Running::start(&mut command);
        wait_port(tls);
        Nats {
            _dir: dir,
            _process: process,
            tls,
        }
    }

    /// Clients of it, which trust its CA.
    pub fn client(&self, certificates: &Certificates) -> Client {
        let ca = certificates.path("ca.crt").display().to_string();
        let mut client = Client::new(self.tls);
        client.host = "localhost".into();
        client.more = vec!["--cafile".into(), ca];
        client
    }
}
