//! What the tests of bridges share: the broker with bridges, and real servers to bridge to, all on
//! loopback and each on a port of its own.

mod certificates;
mod client;
mod house;
mod server;
mod wire;

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

pub use certificates::{CLOUD_HOST, Certificates};
pub use client::{Client, Subscription};
pub use house::{House, bridges};
pub use server::{Mosquitto, Nats};
pub use wire::Wire;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

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

fn system(name: &str) -> PathBuf {
    mqttguard_lab::tools::find_system(name).unwrap_or_else(|| panic!("there is no {name}"))
}

fn wait_port(port: u16) {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    wait("a server", || TcpStream::connect(address).is_ok());
}
