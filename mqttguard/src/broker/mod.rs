//! Sockets and TLS around the sans-I/O core of `mqttguard-broker`; authentication and
//! authorization against the registry's [`Directory`].
//!
//! One thread owns the core and every socket, and moves every message: it reads in bulk, lets
//! the core decode and route, and writes once for each client and turn. It never blocks, on a
//! client, a password or the daemon. Its buffers are shared by all connections; a client has
//! memory of its own only for an unfinished TLS record and for what its socket did not take.
//! A second thread checks passwords.

mod admission;
mod bridge;
mod certificate;
mod change;
mod closing;
mod command;
mod conn;
mod conns;
mod door;
mod event;
mod expiry;
mod journal;
mod listen;
mod live;
pub mod login;
#[cfg(feature = "open")]
pub mod open;
mod peers;
mod reactor;
mod report;
mod stats;
mod sys;
#[cfg(test)]
mod tests;
mod tls;
mod websocket;

use std::collections::HashMap;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use mio::Waker;
use mqttguard_broker::{Config, Grants, Version};
use mqttguard_common::Mac;
use rustls::ServerConfig;
use zeroize::Zeroizing;

pub use bridge::BridgeStatus;
pub use event::{BrokerEvent, BrokerEventKind};
pub use journal::{JournalStatus, Place};
pub use listen::ListenerStatus;
pub use live::{Live, LiveAnswer, LiveQuery, LiveTopic};
pub use login::http_auth::HttpLogin;
pub use login::verdict::LoginStats;
pub use stats::{BrokerStats, ClientStatus};

use crate::config::{self, Bridge, Listener};
use crate::outlet::Outlet;
use crate::pki::ClientVerifier;
use crate::registry::{Account, Directory};
use command::Command;
use reactor::Reactor;

/// Looks up a LAN address's MAC address, as the kernel knows it now. Called with IPv4 addresses
/// in their IPv4 form, on the login thread and, for each new connection, on the broker's.
pub type Resolve = dyn Fn(IpAddr) -> Option<Mac> + Send + Sync;

/// Commands that may wait for the broker's thread.
const COMMANDS: usize = 16;
/// How long [`BrokerHandle::stats`] waits for a busy broker.
const PATIENCE: Duration = Duration::from_secs(2);

/// What holds for all clients together, and before anybody is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// The core's.
    pub core: Config,
    /// Connections at the same time from one device, or from one address where the device is not
    /// known. Leaves room for one that is many (Home Assistant and its add-ons).
    pub connections_per_device: u32,
    /// New connections a second from one device, or from one address likewise, in the long run.
    pub connects_per_s: u32,
    /// New connections at once, after a quiet time.
    pub connects_burst: u32,
}

/// What a router of 128 MB can afford and a house of a hundred devices does not reach.
impl Default for Bounds {
    fn default() -> Bounds {
        Bounds {
            core: Config {
                connections: 1000,
                // A device that needs longer than this for TLS and CONNECT has lost its network.
                connect_timeout_ms: 10_000,
                // Client id, user name and password are short; a will (of at most 64 KiB) is
                // seldom more than a word.
                connect_size: 64 * 1024,
                sessions: 1000,
                // Home Assistant with 500 devices; twice that in other things.
                retained_messages_total: 20_000,
                retained_bytes_total: 8 * 1024 * 1024,
                memory: 16 * 1024 * 1024,
            },
            connections_per_device: 64,
            // A handshake takes a small router a hundredth of a second, so that a reconnect loop
            // costs it a fiftieth of its time. All that is behind one repeater comes back at once
            // after an outage.
            connects_per_s: 2,
            connects_burst: 100,
        }
    }
}

/// How clients prove who they are, beside the passwords of the [`Directory`].
#[derive(Default)]
pub struct Logins {
    /// What the salts of users that do not exist are made of, so that they stay the same.
    pub secret: Zeroizing<[u8; 32]>,
    /// Tokens as passwords.
    pub jwt: Option<config::Jwt>,
    /// The external check of users that the directory does not have.
    pub http: Option<Arc<HttpLogin>>,
}

/// What a listener's TLS is made with.
#[derive(Clone, Debug)]
pub struct ListenerTls {
    /// As [`crate::pki::Pki::tls_config`] makes it.
    pub config: Arc<ServerConfig>,
    /// Who verifies the certificates of clients, in `config` too; None: they are not asked for
    /// any.
    pub clients: Option<Arc<ClientVerifier>>,
    /// What is not as it should be, though it works; told in [`ListenerStatus::errors`].
    pub problem: Option<String>,
}

/// The TLS of listeners, by their names. One that needs it and has none, or has an error for it,
/// is not opened.
pub type TlsByListener = HashMap<String, Result<ListenerTls, String>>;

/// What a broker starts with.
pub struct Startup {
    /// Where to listen.
    pub listeners: Vec<Listener>,
    /// What those that do TLS serve with.
    pub tls: TlsByListener,
    /// Other servers to bridge to.
    pub bridges: Vec<Bridge>,
    /// What all clients together may use.
    pub bounds: Bounds,
    /// How often the topics below `$SYS/broker/` are brought up to date; zero for never.
    pub sys_interval: Duration,
    /// Who may in.
    pub directory: Arc<Directory>,
    /// How they prove who they are, beside the passwords in it.
    pub logins: Arc<Logins>,
    /// Where what is acknowledged is kept for the case of a crash; None: nowhere.
    pub journal: Option<Place>,
    /// How to find a peer's MAC address.
    pub resolve: Box<Resolve>,
    /// Where to tell what happens. When it is full, events are counted as lost.
    pub events: Outlet<BrokerEvent>,
}

/// The running broker. Dropping the handle stops it.
pub struct BrokerHandle {
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
    thread: Option<JoinHandle<()>>,
}

/// Starts the broker. A listener that cannot be opened is no error: it is told by a
/// [`BrokerEventKind::Listening`], tried again every few seconds, and the others work.
pub fn start(startup: Startup) -> io::Result<BrokerHandle> {
    let (commands, todo) = sync_channel(COMMANDS);
    let directory = Arc::clone(&startup.directory);
    let (logins, bridges) = (Arc::clone(&startup.logins), startup.bridges.clone());
    let (reactor, waker) = Reactor::new(startup, todo, |identity, client_id| {
        bridge::rights_of(&bridges, identity, client_id)
            .or_else(|| login::auth::rights_of(&directory, &logins, identity, client_id))
    })?;
    launch(reactor, commands, waker)
}

fn launch(
    mut reactor: Reactor,
    commands: SyncSender<Command>,
    waker: Arc<Waker>,
) -> io::Result<BrokerHandle> {
    let thread = thread::Builder::new()
        .name("broker".into())
        .spawn(move || reactor.run())?;
    Ok(BrokerHandle {
        commands,
        waker,
        thread: Some(thread),
    })
}

impl BrokerHandle {
    /// Replaces who may in. Clients whose credential is gone or changed, or whose device is in
    /// quarantine or blocked, are cut off; changed rights and limits hold at once.
    pub fn set_directory(&self, directory: Arc<Directory>) {
        self.command(Command::Directory(directory));
    }

    /// Has later logins checked in another way.
    pub fn set_logins(&self, logins: Arc<Logins>) {
        self.command(Command::Logins(logins));
    }

    /// Listens elsewhere, and serves new connections with other TLS. Sockets of addresses that
    /// stay are kept, and so are the clients of listeners that keep their name and kind; but for
    /// those whose certificates would not be taken any more.
    pub fn set_listeners(&self, listeners: Vec<Listener>, tls: TlsByListener) {
        self.command(Command::Listeners(listeners, tls));
    }

    /// Brings the topics below `$SYS/broker/` up to date this often; zero takes them away.
    pub fn set_sys_interval(&self, interval: Duration) {
        self.command(Command::SysInterval(interval));
    }

    /// Bridges to other servers. Those that stay as they are go on undisturbed.
    pub fn set_bridges(&self, bridges: Vec<Bridge>) {
        self.command(Command::Bridges(bridges));
    }

    /// Counters, listeners and clients; None if the broker has stopped or does not answer.
    pub fn stats(&self) -> Option<BrokerStats> {
        self.ask_stats()?.recv_timeout(PATIENCE).ok()
    }

    /// The same, for a caller that must not wait: the answer comes by and by. None if the broker
    /// has stopped or is behind.
    pub fn ask_stats(&self) -> Option<Receiver<BrokerStats>> {
        let (reply, answer) = sync_channel(1);
        self.commands.try_send(Command::Stats(reply)).ok()?;
        let _ = self.waker.wake();
        Some(answer)
    }

    /// Watches what is asked for, and has `answer` called with what there is to see. Dropped without
    /// a call if the broker has stopped or is behind.
    pub fn ask_live(&self, query: LiveQuery, answer: LiveAnswer) {
        if self.commands.try_send(Command::Live(query, answer)).is_ok() {
            let _ = self.waker.wake();
        }
    }

    /// Watches nothing any more, and forgets what was seen.
    pub fn end_live(&self) {
        self.command(Command::EndLive);
    }

    /// Tells the clients that the broker stops, and stops it. Takes a second at most.
    pub fn stop(mut self) {
        self.join();
    }

    fn command(&self, command: Command) {
        // A broker that is gone does nothing more: that is what there is to know.
        if self.commands.send(command).is_ok() {
            let _ = self.waker.wake();
        }
    }

    fn join(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.command(Command::Stop);
            if thread.join().is_err() {
                log::error!("the broker's thread has panicked");
            }
        }
    }
}

impl Drop for BrokerHandle {
    fn drop(&mut self) {
        self.join();
    }
}

/// What a client of an account may do.
pub(crate) fn grants_of(account: &Account, client_id: &str) -> Grants {
    login::auth::grants_of(account, client_id)
}

/// The protocol's name as people write it.
pub(crate) const fn protocol(version: Version) -> &'static str {
    match version {
        Version::V31 => "3.1",
        Version::V311 => "3.1.1",
        Version::V5 => "5.0",
    }
}
