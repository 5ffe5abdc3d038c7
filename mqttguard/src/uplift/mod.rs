//! Takes over the plaintext MQTT connections of devices that cannot be re-configured, and carries
//! them on over TLS.
//!
//! nftables redirects the devices' connections to one port of the router; here each is looked at
//! (whose it is, where it was going, whether it begins with a CONNECT), connected to the address
//! that the device chose, on the port for TLS, and, once the server there has proved to be who it
//! should be, passed on as it is. Nothing of what a device says is kept or logged.
//!
//! - `listen`, `origin`: redirected connections, and where they were going.
//! - `terms`: which device's are carried on, and to whom.
//! - `device`: what one device may use and has used.
//! - `opening`, `connection`: one connection from its first byte to its last.
//! - `reactor`: all of them, on one thread that never blocks.
//! - `watch`: whether nftables still redirects.

mod connection;
mod device;
mod listen;
mod opening;
mod origin;
mod reactor;
mod terms;
mod watch;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::Waker;
use mqttguard_common::Mac;

pub use device::DeviceStats;

use crate::config::Uplift;
use crate::outlet::Outlet;
use reactor::Reactor;

/// Commands that may wait for the thread.
const COMMANDS: usize = 16;
/// How long [`UpliftHandle::stats`] waits for a busy thread.
const PATIENCE: Duration = Duration::from_secs(2);

/// Looks up a LAN address's MAC address, as the kernel knows it now.
pub type Resolve = dyn Fn(IpAddr) -> Option<Mac> + Send;

/// What there is to tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UpliftEvent {
    /// A device's connection is carried on, or was refused.
    Connection {
        /// The device.
        mac: Mac,
        /// The section's name.
        section: Arc<str>,
        /// Where the device believes it goes.
        destination: SocketAddr,
        /// The name that the server had to prove, and its port, as `host:port`.
        server: String,
        /// Why not, in words; None: it is carried on.
        refused: Option<String>,
    },
    /// Our rules in nftables, or some of them, were taken away.
    RulesLost,
}

/// What all devices have used since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UpliftStats {
    /// Those that are in a section.
    pub devices: BTreeMap<Mac, DeviceStats>,
    /// Connections to the port that were nobody's to make: not redirected, or of no device that is
    /// in a section.
    pub strangers: u64,
    /// Events that found their channel full.
    pub events_lost: u64,
}

/// The running thread. Dropping the handle cuts all connections and stops it.
#[derive(Debug)]
pub struct UpliftHandle {
    port: u16,
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

enum Command {
    Sections(Vec<Uplift>, BTreeSet<Mac>),
    Stats(SyncSender<UpliftStats>),
    Stop,
}

/// Starts listening, for no device yet.
///
/// # Errors
///
/// When the system gives no port, no descriptor or no thread.
pub fn start(resolve: Box<Resolve>, events: Outlet<UpliftEvent>) -> io::Result<UpliftHandle> {
    let (commands, todo) = sync_channel(COMMANDS);
    let (mut reactor, waker) = Reactor::new(resolve, events, todo)?;
    let port = reactor.port();
    let thread = thread::Builder::new().name("uplift".to_owned());
    let thread = thread.spawn(move || reactor.run())?;
    Ok(UpliftHandle {
        port,
        commands,
        waker,
        thread: Some(thread),
    })
}

impl UpliftHandle {
    /// The port that connections are to be redirected to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether the thread is gone.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Takes connections over as these sections say, but for those of `barred` devices.
    /// Connections that would not be carried on in the same way any more are cut, the others go
    /// on undisturbed.
    pub fn set_sections(&self, sections: Vec<Uplift>, barred: BTreeSet<Mac>) {
        self.command(Command::Sections(sections, barred));
    }

    /// Counters; None if the thread does not answer.
    pub fn stats(&self) -> Option<UpliftStats> {
        let (reply, answer) = sync_channel(1);
        self.commands.try_send(Command::Stats(reply)).ok()?;
        let _ = self.waker.wake();
        answer.recv_timeout(PATIENCE).ok()
    }

    fn command(&self, command: Command) {
        // A thread that is gone does nothing more: that is what there is to know.
        if self.commands.send(command).is_ok() {
            let _ = self.waker.wake();
        }
    }
}

impl Drop for UpliftHandle {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.command(Command::Stop);
            if thread.join().is_err() {
                log::error!("uplift: its thread has panicked");
            }
        }
    }
}
