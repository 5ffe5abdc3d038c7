use std::fs;
use std::io::{self, Read, Write};
use std::net::{Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::home::Home;
use crate::process::Process;
use crate::{Netns, PATIENCE, Witness, address, tools};

/// Where the cloud's mosquitto listens in the clear, as everybody expects.
pub const PLAIN_MQTT_PORT: u16 = 1883;
/// Where it listens in the clear too, and no port filter expects it.
pub const ODD_MQTT_PORT: u16 = 18830;

/// How often a server looks whether it is to stop.
const TICK: Duration = Duration::from_millis(10);
/// The most a [`Sink`] remembers.
const MEMORY: usize = 1 << 20;

/// The cloud: mosquitto in the clear on two ports, a web server on 80, a name server on 53, and
/// on 443 and 8883 servers that record what they are told and say it back.
#[derive(Debug)]
pub struct Cloud {
    netns: Netns,
    witness: Witness,
    https: Sink,
    mqtts: Sink,
    _web: Server,
    _names: Server,
    _mosquitto: Process,
}

impl Cloud {
    pub(crate) fn start(netns: Netns, home: &Home) -> Result<Self> {
        netns.ip_batch(&format!(
            "link set eth0 up\n\
             address add {}/24 dev eth0\n\
             address add {}/64 dev eth0\n\
             route add default via {}\n\
             route add default via {}\n",
            address::CLOUD,
            address::CLOUD6,
            address::WAN,
            address::WAN6
        ))?;
        Ok(Self {
            witness: Witness::start(&netns, "eth0")?,
            https: Sink::start(&netns, 443)?,
            mqtts: Sink::start(&netns, 8883)?,
            _web: Server::tcp(&netns, 80, answer_web)?,
            _names: Server::names(&netns)?,
            _mosquitto: start_mosquitto(&netns, home)?,
            netns,
        })
    }

    /// Its namespace.
    pub fn netns(&self) -> &Netns {
        &self.netns
    }

    /// What really arrives here.
    pub fn witness(&self) -> &Witness {
        &self.witness
    }

    /// The server on port 443.
    pub fn https(&self) -> &Sink {
        &self.https
    }

    /// The server on port 8883.
    pub fn mqtts(&self) -> &Sink {
        &self.mqtts
    }

    /// The server on port 8883, to close.
    pub fn mqtts_mut(&mut self) -> &mut Sink {
        &mut self.mqtts
    }

    /// Starts one more server on `port` that records what it is told and says it back.
    pub fn sink(&self, port: u16) -> Result<Sink> {
        Sink::start(&self.netns, port)
    }
}

fn start_mosquitto(netns: &Netns, home: &Home) -> Result<Process> {
    let config = home.dir().join("mosquitto.conf");
    fs::write(
        &config,
        format!(
            "# The insecure broker that devices are born with.\n\
             user root\nallow_anonymous true\npersistence false\nlog_dest stdout\n\
             listener {PLAIN_MQTT_PORT}\nlistener {ODD_MQTT_PORT}\n"
        ),
    )?;
    let mut mosquitto = Process::start(
        netns,
        Command::new(tools::system("mosquitto")?)
            .arg("-c")
            .arg(&config),
        &home.dir().join("mosquitto.log"),
    )?;
    mosquitto.wait_ready(PATIENCE, || {
        let to = SocketAddr::from((address::CLOUD, ODD_MQTT_PORT));
        netns.run(|| Ok(TcpStream::connect_timeout(&to, Duration::from_secs(1))?))
    })?;
    Ok(mosquitto)
}

/// A TCP server that records what it is told and says it back.
#[derive(Debug)]
pub struct Sink {
    told: Arc<Mutex<Vec<u8>>>,
    server: Option<Server>,
}

impl Sink {
    fn start(netns: &Netns, port: u16) -> Result<Self> {
        let told = Arc::new(Mutex::new(Vec::new()));
        let server = Server::tcp(netns, port, {
            let told = told.clone();
            move |stream, stop| record(stream, &told, stop)
        })?;
        Ok(Self {
            told,
            server: Some(server),
        })
    }

    /// Closes its port; what it was told stays.
    pub fn close(&mut self) {
        self.server = None;
    }

    /// The first bytes it was told so far, over all connections.
    pub fn told(&self) -> Vec<u8> {
        self.told
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn record(stream: &mut TcpStream, told: &Mutex<Vec<u8>>, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    let mut buffer = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut buffer) {
            Ok(0) => break,
            Ok(length) => {
                let bytes = buffer.get(..length).unwrap_or_default();
                let mut told = told.lock().unwrap_or_else(PoisonError::into_inner);
                if told.len() < MEMORY {
                    told.extend(bytes);
                }
                drop(told);
                stream.write_all(bytes)?;
            }
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn answer_web(stream: &mut TcpStream, stop: &AtomicBool) -> io::Result<()> {
    stream.set_read_timeout(Some(TICK))?;
    let mut request = [0; 4096];
    while !stop.load(Ordering::Relaxed) {
        match stream.read(&mut request) {
            Ok(0) => break,
            Ok(_) => {
                return stream.write_all(
                    b"HTTP/1.1 200 OK\r\nContent-Length: 21\r\nConnection: close\r\n\r\nhello from the cloud\n",
                );
            }
            Err(error) if is_timeout(&error) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// A server on a thread of its own. Ends when dropped: a thread that stays in a namespace keeps
/// it alive.
#[derive(Debug)]
struct Server {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<Result<()>>>,
}

impl Server {
    /// Serves each TCP connection to `port` by `serve`, on a thread of its own.
    fn tcp<F>(netns: &Netns, port: u16, serve: F) -> Result<Self>
    where
        F: Fn(&mut TcpStream, &AtomicBool) -> io::Result<()> + Send + Sync + 'static,
    {
        let listener = netns.run(|| {
            TcpListener::bind((Ipv6Addr::UNSPECIFIED, port))
                .with_context(|| format!("cannot listen on port {port}"))
        })?;
        listener.set_nonblocking(true)?;
        Ok(Self::start(netns, move |stop| {
            thread::scope(|scope| {
                while !stop.load(Ordering::Relaxed) {
                    let Ok((mut stream, _)) = listener.accept() else {
                        sleep(TICK);
                        continue;
                    };
                    let serve = &serve;
                    scope.spawn(move || {
                        // What a peer does to its connection is seen at the peer.
                        let _ = stream.set_nonblocking(false);
                        let _ = serve(&mut stream, stop);
                    });
                }
            });
        }))
    }

    /// Says back each datagram to port 53.
    fn names(netns: &Netns) -> Result<Self> {
        let socket = netns.run(|| {
            UdpSocket::bind((Ipv6Addr::UNSPECIFIED, 53)).context("cannot listen on UDP port 53")
        })?;
        socket.set_read_timeout(Some(TICK))?;
        Ok(Self::start(netns, move |stop| {
            let mut buffer = [0; 512];
            while !stop.load(Ordering::Relaxed) {
                if let Ok((length, from)) = socket.recv_from(&mut buffer) {
                    let _ = socket.send_to(buffer.get(..length).unwrap_or_default(), from);
                }
            }
        }))
    }

    fn start(netns: &Netns, serve: impl FnOnce(&AtomicBool) + Send + 'static) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let thread = netns.spawn({
            let stop = stop.clone();
            move || {
                serve(&stop);
                Ok(())
            }
        });
        Self {
            stop,
            thread: Some(thread),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted
    )
}
