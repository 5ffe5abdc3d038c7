//! What the tests of bridges share: the broker with bridges, and real servers to bridge to, all on
//! loopback and each on a port of its own.

use std::collections::HashMap;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use mqttguard::broker::{
    self, Bounds, BridgeStatus, BrokerEvent, BrokerEventKind, BrokerHandle, Startup, TlsByListener,
    password,
};
use mqttguard::config::{self, Listener, ListenerKind, Profile, TlsOptions};
use mqttguard::registry::{Account, Directory};
use mqttguard_broker::Limits;
use mqttguard_common::Mac;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);
const USER: &str = "hub";
const PASSWORD: &str = "s3cret";

/// Waits until it is so.
pub fn wait(what: &str, mut is_so: impl FnMut() -> bool) {
    let end = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < end, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn free_port() -> u16 {
    let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.local_addr().unwrap().port()
}

/// A process that ends with the test.
pub struct Running(Child);

impl Running {
    fn start(command: &mut Command) -> Running {
        let child = command.stdin(Stdio::null()).spawn();
        Running(child.unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Certificates of a server, good and bad, in a directory of their own.
pub struct Certificates(TempDir);

impl Certificates {
    /// A CA, another CA, and certificates by the first: for localhost, for another name, and one
    /// that has expired; and one for a client.
    pub fn new() -> Certificates {
        let dir = tempfile::tempdir().unwrap();
        // mosquitto gives up its rights before it reads them.
        open_to_all(dir.path());
        let certificates = Certificates(dir);
        let issuer = certificates.authority("ca");
        certificates.authority("other-ca");
        certificates.leaf(&issuer, "server", "localhost", (2020, 2040));
        certificates.leaf(&issuer, "misnamed", "elsewhere.example", (2020, 2040));
        certificates.leaf(&issuer, "expired", "localhost", (2020, 2021));
        certificates.leaf(&issuer, "client", "router", (2020, 2040));
        certificates
    }

    fn authority(&self, name: &str) -> CertifiedIssuer<'static, KeyPair> {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, format!("test {name}"));
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        fs::write(self.path(&format!("{name}.crt")), issuer.pem()).unwrap();
        issuer
    }

    fn leaf(
        &self,
        issuer: &CertifiedIssuer<'static, KeyPair>,
        name: &str,
        subject: &str,
        years: (i32, i32),
    ) {
        let mut params = CertificateParams::new(vec![subject.to_owned()]).unwrap();
        params
            .distinguished_name
            .push(rcgen::DnType::CommonName, subject);
        params.not_before = date_time_ymd(years.0, 1, 1);
        params.not_after = date_time_ymd(years.1, 1, 1);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, issuer).unwrap();
        fs::write(self.path(&format!("{name}.crt")), certificate.pem()).unwrap();
        let path = self.path(&format!("{name}.key"));
        fs::write(&path, key.serialize_pem()).unwrap();
        match name {
            "client" => mode(&path, 0o600),
            _ => mode(&path, 0o644),
        }
    }

    /// A file among them.
    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }
}

impl Default for Certificates {
    fn default() -> Self {
        Self::new()
    }
}

fn mode(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

fn open_to_all(path: &Path) {
    mode(path, 0o777);
}

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

    /// Kills it; it keeps what it wrote.
    pub fn kill(&mut self) {
        self.process = None;
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

fn system(name: &str) -> PathBuf {
    mqttguard_lab::tools::find_system(name).unwrap_or_else(|| panic!("there is no {name}"))
}

fn wait_port(port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait("a server", || TcpStream::connect(address).is_ok());
}

/// A wire to a server on loopback that can be cut, at any byte.
pub struct Wire {
    /// Where to connect to have it in between.
    pub port: u16,
    left: Arc<AtomicI64>,
}

impl Wire {
    /// To a port.
    pub fn to(port: u16) -> Wire {
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let wire = Wire {
            port: socket.local_addr().unwrap().port(),
            left: Arc::new(AtomicI64::new(i64::MAX)),
        };
        let left = Arc::clone(&wire.left);
        std::thread::spawn(move || {
            for near in socket.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)) else {
                    continue;
                };
                for (mut from, mut to) in [
                    (near.try_clone().unwrap(), far.try_clone().unwrap()),
                    (far, near),
                ] {
                    let left = Arc::clone(&left);
                    std::thread::spawn(move || pass(&mut from, &mut to, &left));
                }
            }
        });
        wire
    }

    /// Cuts it after so many more bytes, in both directions together.
    pub fn cut_after(&self, bytes: i64) {
        self.left.store(bytes, Ordering::SeqCst);
    }

    /// Whether it was cut since.
    pub fn is_cut(&self) -> bool {
        self.left.load(Ordering::SeqCst) <= 0
    }
}

fn pass(from: &mut TcpStream, to: &mut TcpStream, left: &AtomicI64) {
    let mut bytes = [0; 1024];
    while let Ok(found @ 1..) = from.read(&mut bytes) {
        let length = i64::try_from(found).unwrap();
        let before = left.fetch_sub(length, Ordering::SeqCst);
        let passes = usize::try_from(before.clamp(0, length)).unwrap();
        if to.write_all(&bytes[..passes]).is_err() || passes < found {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
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

/// mosquitto's clients of one server.
pub struct Client {
    port: u16,
    host: String,
    more: Vec<String>,
}

impl Client {
    fn new(port: u16) -> Client {
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

/// The broker of a house with bridges.
pub struct House {
    /// The running broker.
    pub handle: BrokerHandle,
    events: Receiver<BrokerEvent>,
    port: u16,
}

/// The bridges of a configuration.
pub fn bridges(sections: &str) -> Vec<config::Bridge> {
    let settings = config::parse("test", sections);
    settings.unwrap_or_else(|error| panic!("{error}")).bridges
}

impl House {
    /// With these `bridge` sections.
    pub fn new(sections: &str) -> House {
        let (sender, events) = sync_channel(4096);
        let handle = broker::start(Startup {
            listeners: vec![Listener {
                name: "plain".into(),
                kind: ListenerKind::Plain,
                addresses: vec![Ipv4Addr::LOCALHOST.into()],
                port: 0,
                connections: 100,
                tls: TlsOptions::default(),
                origins: Vec::new(),
            }],
            bridges: bridges(sections),
            bounds: Bounds::default(),
            tls: TlsByListener::new(),
            sys_interval: Duration::from_secs(60),
            directory: Arc::new(directory()),
            logins: Arc::default(),
            journal: None,
            resolve: Box::new(|_| Some(MAC)),
            events: sender.into(),
        })
        .unwrap();
        let port = handle.stats().unwrap().listeners[0].addresses[0].port();
        House {
            handle,
            events,
            port,
        }
    }

    /// Clients of it.
    pub fn client(&self) -> Client {
        let mut client = Client::new(self.port);
        client.more = ["-u", USER, "-P", PASSWORD].map(str::to_owned).to_vec();
        client
    }

    /// How its first bridge does.
    pub fn bridge(&self) -> BridgeStatus {
        self.handle.stats().unwrap().bridges.remove(0)
    }

    /// Waits until messages pass.
    pub fn wait_up(&self) -> BridgeStatus {
        wait("a bridge", || self.bridge().up.is_some());
        self.bridge()
    }

    /// Waits until a bridge fails for a reason with these words.
    pub fn wait_down(&self, words: &str) {
        let end = Instant::now() + PATIENCE;
        let mut told = Vec::new();
        while let Some(left) = end.checked_duration_since(Instant::now()) {
            let Ok(event) = self.events.recv_timeout(left) else {
                break;
            };
            if let BrokerEventKind::BridgeLink {
                up: false, detail, ..
            } = event.kind
            {
                if detail.contains(words) {
                    assert!(self.bridge().up.is_none());
                    return;
                }
                told.push(detail);
            }
        }
        panic!("not told of '{words}', but: {told:?}");
    }
}

const MAC: Mac = Mac([2, 0, 0, 0, 0, 1]);

fn directory() -> Directory {
    let few = NonZeroU32::new(101).unwrap();
    let hash = password::Hash::new(PASSWORD.as_bytes(), few).unwrap();
    let account = Account {
        username: USER.into(),
        mac: MAC,
        device: USER.into(),
        hash: hash.to_string(),
        scram: Vec::new(),
        roaming: true,
        plaintext: true,
        profile_name: "hub".into(),
        profile: Arc::new(Profile {
            publish: vec!["#".into()],
            subscribe: vec!["#".into(), "$SYS/#".into()],
            deny: Vec::new(),
            limits: "default".into(),
        }),
        limits: Arc::new(Limits {
            packet_size: 256 * 1024,
            messages_per_s: 100_000,
            bytes_per_s: 100_000_000,
            over_rate: mqttguard_broker::OverRate::Pace,
            burst_ms: 1000,
            connections: 16,
            subscriptions: 16,
            topic_length: 65_535,
            topic_levels: 16,
            user_properties: 100,
            will_size: 256 * 1024,
            in_flight: 20,
            queue_messages: 10_000,
            queue_bytes: 4 << 20,
            retained_messages: 100,
            retained_bytes: 64 * 1024,
            session_expiry_s: 3600,
        }),
    };
    Directory {
        accounts: HashMap::from([(USER.to_owned(), Arc::new(account))]),
        ..Directory::default()
    }
}
