//! Listening sockets: opened as configured, tried again when they cannot be, and told about.

use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use mqttguard_broker::Time;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

use super::event::Events;
use super::{ListenerTls, TlsByListener};
use crate::config::{Listener, ListenerKind};
use crate::pki::ClientVerifier;

/// Tokens from here on are listening sockets'; below are connections' slots.
pub(super) const FIRST_TOKEN: usize = 1 << 28;
/// Tokens in use at the same time are far fewer; the range goes round.
const TOKENS: usize = 1 << 20;

/// How long until an address is tried again that could not be listened on.
const RETRY: Duration = Duration::from_secs(5);
/// How long accepting rests when it fails, most likely for want of file descriptors.
const REST: Duration = Duration::from_millis(250);
/// Connections accepted from one socket before others have their turn.
const AT_ONCE: usize = 16;
/// Connections that wait in the kernel; it caps this itself (net.core.somaxconn).
const BACKLOG: i32 = 1024;

/// What a client that went away without a word costs: probes after a minute, gone after two.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;
/// Bytes the kernel holds for a client that does not read (it doubles the number).
const SEND_BUFFER: usize = 208 * 1024;

/// One listener as configured, and its sockets.
pub(super) struct Entry {
    pub(super) name: Arc<str>,
    pub(super) config: Listener,
    pub(super) connections: u32,
    /// Of [`Listener::origins`].
    pub(super) origins: Arc<[String]>,
    tls: Option<Result<ListenerTls, String>>,
    sockets: Vec<Socket>,
}

struct Socket {
    address: SocketAddr,
    state: State,
}

enum State {
    Open {
        socket: TcpListener,
        token: Token,
        /// Connections may wait: the poll tells that only once.
        ready: bool,
    },
    Failed(String),
}

/// A connection that was accepted.
pub(super) struct Accepted {
    pub(super) stream: TcpStream,
    pub(super) peer: IpAddr,
    pub(super) listener: Arc<str>,
}

/// How a listener does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenerStatus {
    /// The section's name.
    pub name: Arc<str>,
    /// What is spoken on it.
    pub kind: ListenerKind,
    /// Where it listens.
    pub addresses: Vec<SocketAddr>,
    /// One line for each address that it cannot listen on, and for what is wrong with its TLS.
    pub errors: Vec<String>,
    /// Connections now.
    pub connections: u32,
}

/// All listeners.
pub(super) struct Listeners {
    entries: Vec<Entry>,
    registry: Registry,
    next_token: usize,
    retry_at: Option<Time>,
    rest_until: Option<Time>,
}

impl Listeners {
    pub(super) fn new(registry: Registry) -> Listeners {
        Listeners {
            entries: Vec::new(),
            registry,
            next_token: 0,
            retry_at: None,
            rest_until: None,
        }
    }

    /// Listens as `configs` say. Sockets of addresses that stay are kept.
    pub(super) fn set(
        &mut self,
        now: Time,
        configs: Vec<Listener>,
        mut tls: TlsByListener,
        events: &mut Events,
    ) {
        let mut open: HashMap<SocketAddr, State> = HashMap::new();
        let mut connections: HashMap<Arc<str>, u32> = HashMap::new();
        let mut names: HashMap<SocketAddr, Arc<str>> = HashMap::new();
        for entry in self.entries.drain(..) {
            connections.insert(Arc::clone(&entry.name), entry.connections);
            for socket in entry.sockets {
                if matches!(socket.state, State::Open { .. }) {
                    names.insert(socket.address, Arc::clone(&entry.name));
                    open.insert(socket.address, socket.state);
                }
            }
        }
        for config in configs {
            let name: Arc<str> = config.name.as_str().into();
            let mut sockets = Vec::new();
            let tls = config.kind.is_encrypted().then(|| {
                let missing = || Err("it has no certificate".to_owned());
                tls.remove(&config.name).unwrap_or_else(missing)
            });
            for address in addresses(&config) {
                // Without TLS it stays unclaimed, and is closed.
                let usable = !matches!(tls, Some(Err(_)));
                let state = usable.then(|| open.remove(&address)).flatten();
                let state = state.unwrap_or_else(|| State::Failed(String::new()));
                if matches!(state, State::Open { .. }) && names.get(&address) != Some(&name) {
                    events.listening(&name, true, address.to_string());
                }
                sockets.push(Socket { address, state });
            }
            self.entries.push(Entry {
                connections: connections.get(&name).copied().unwrap_or_default(),
                name,
                origins: config.origins.clone().into(),
                config,
                tls,
                sockets,
            });
        }
        // What nobody claims closes before anything is opened: a port may change hands.
        for (address, state) in open {
            if let State::Open { mut socket, .. } = state {
                let _ = self.registry.deregister(&mut socket);
            }
            if let Some(name) = names.get(&address) {
                events.listening(name, false, format!("{address}: no longer configured"));
            }
        }
        self.open(now, events);
    }

    /// When [`Listeners::open`] or [`Listeners::accept`] have something to do without an event.
    pub(super) fn deadline(&self) -> Option<Time> {
        [self.retry_at, self.rest_until].into_iter().flatten().min()
    }

    /// Tries to open what is not open, if it is time.
    pub(super) fn retry(&mut self, now: Time, events: &mut Events) {
        if self.retry_at.is_some_and(|at| at <= now) {
            self.open(now, events);
        }
        if self.rest_until.is_some_and(|until| until <= now) {
            self.rest_until = None;
        }
    }

    fn open(&mut self, now: Time, events: &mut Events) {
        self.retry_at = None;
        for entry in &mut self.entries {
            let any_address = entry.config.addresses.is_empty();
            entry.sockets.retain_mut(|socket| {
                let State::Failed(told) = &socket.state else {
                    return true;
                };
                if let Some(Err(error)) = &entry.tls {
                    let error = format!("not listening on {}: {error}", socket.address);
                    if *told != error {
                        events.listening(&entry.name, false, error.clone());
                    }
                    socket.state = State::Failed(error);
                    return true;
                }
                let token = Token(FIRST_TOKEN.saturating_add(self.next_token));
                self.next_token = self.next_token.wrapping_add(1) % TOKENS;
                match listen(socket.address, &self.registry, token) {
                    Ok(listener) => {
                        let address = listener.local_addr().unwrap_or(socket.address);
                        events.listening(&entry.name, true, address.to_string());
                        socket.state = State::Open {
                            socket: listener,
                            token,
                            ready: true,
                        };
                    }
                    // A kernel without IPv6, and nobody asked for it by name.
                    Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL)
                        if any_address && socket.address.is_ipv6() =>
                    {
                        return false;
                    }
                    Err(error) => {
                        let error = cannot_listen(socket.address, error);
                        if *told != error {
                            events.listening(&entry.name, false, error.clone());
                        }
                        socket.state = State::Failed(error);
                        self.retry_at = Some(now + RETRY);
                    }
                }
                true
            });
        }
    }

    /// The poll says that connections wait.
    pub(super) fn ready(&mut self, event: Token) {
        for entry in &mut self.entries {
            for socket in &mut entry.sockets {
                if let State::Open { token, ready, .. } = &mut socket.state
                    && *token == event
                {
                    *ready = true;
                }
            }
        }
    }

    /// Whether a call of [`Listeners::accept`] may find a connection.
    pub(super) fn is_ready(&self) -> bool {
        self.rest_until.is_none()
            && self.entries.iter().any(|entry| {
                entry
                    .sockets
                    .iter()
                    .any(|socket| matches!(socket.state, State::Open { ready: true, .. }))
            })
    }

    /// Accepts what waits, a few from each socket so that none starves the others. An error
    /// means that files or memory have run out; accepting rests for a moment then.
    pub(super) fn accept(&mut self, now: Time, accepted: &mut Vec<Accepted>) -> io::Result<()> {
        if self.rest_until.is_some() {
            return Ok(());
        }
        for entry in &mut self.entries {
            for socket in &mut entry.sockets {
                let State::Open { socket, ready, .. } = &mut socket.state else {
                    continue;
                };
                for _ in 0..AT_ONCE {
                    if !*ready {
                        break;
                    }
                    match socket.accept() {
                        Ok((stream, peer)) => accepted.push(Accepted {
                            stream,
                            peer: peer.ip().to_canonical(),
                            listener: Arc::clone(&entry.name),
                        }),
                        Err(error) => match error.kind() {
                            io::ErrorKind::WouldBlock => *ready = false,
                            // This connection is gone already; others may wait.
                            io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                            _ => {
                                self.rest_until = Some(now + REST);
                                return Err(error);
                            }
                        },
                    }
                }
            }
        }
        Ok(())
    }

    pub(super) fn get_mut(&mut self, name: &str) -> Option<&mut Entry> {
        self.entries.iter_mut().find(|entry| *entry.name == *name)
    }

    pub(super) fn get(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| *entry.name == *name)
    }

    /// Who verifies certificates on which listener.
    pub(super) fn verifiers(&self) -> HashMap<Arc<str>, Arc<ClientVerifier>> {
        let verifier = |entry: &Entry| Some(Arc::clone(entry.tls()?.clients.as_ref()?));
        let entries = self.entries.iter();
        entries
            .filter_map(|entry| Some((Arc::clone(&entry.name), verifier(entry)?)))
            .collect()
    }

    pub(super) fn status(&self) -> Vec<ListenerStatus> {
        self.entries.iter().map(Entry::status).collect()
    }
}

impl Entry {
    /// What its connections do TLS with; None if they do none.
    pub(super) fn tls(&self) -> Option<&ListenerTls> {
        self.tls.as_ref()?.as_ref().ok()
    }

    fn status(&self) -> ListenerStatus {
        let mut status = ListenerStatus {
            name: Arc::clone(&self.name),
            kind: self.config.kind,
            addresses: Vec::new(),
            errors: Vec::new(),
            connections: self.connections,
        };
        status
            .errors
            .extend(self.tls().and_then(|tls| tls.problem.clone()));
        for socket in &self.sockets {
            match &socket.state {
                State::Open { socket: open, .. } => status
                    .addresses
                    .push(open.local_addr().unwrap_or(socket.address)),
                State::Failed(error) => status.errors.push(error.clone()),
            }
        }
        status
    }
}

fn addresses(config: &Listener) -> Vec<SocketAddr> {
    let all = [Ipv6Addr::UNSPECIFIED.into(), Ipv4Addr::UNSPECIFIED.into()];
    let ips: &[IpAddr] = match config.addresses.as_slice() {
        [] => &all,
        some => some,
    };
    let mut addresses: Vec<SocketAddr> = ips
        .iter()
        .map(|ip| SocketAddr::new(*ip, config.port))
        .collect();
    addresses.dedup();
    addresses
}

/// Why not. What a port is taken by cannot be seen without more power than the daemon has.
fn cannot_listen(address: SocketAddr, error: Errno) -> String {
    let why = match error {
        Errno::ADDRINUSE => "another program has the port; 'netstat -ltnp' names it".to_owned(),
        other => other.to_string(),
    };
    format!("cannot listen on {address}: {why}")
}

/// A listening socket. Its options pass on to the connections it accepts.
fn listen(address: SocketAddr, registry: &Registry, token: Token) -> Result<TcpListener, Errno> {
    let socket = rustix::net::socket_with(
        if address.is_ipv6() {
            AddressFamily::INET6
        } else {
            AddressFamily::INET
        },
        SocketType::STREAM,
        SocketFlags::CLOEXEC | SocketFlags::NONBLOCK,
        None,
    )?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, whatever net.ipv6.bindv6only says.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    sockopt::set_socket_reuseaddr(&socket, true)?;
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
    sockopt::set_socket_send_buffer_size(&socket, SEND_BUFFER)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    let mut listener = TcpListener::from_std(socket.into());
    registry
        .register(&mut listener, token, Interest::READABLE)
        .map_err(|error| Errno::from_io_error(&error).unwrap_or(Errno::INVAL))?;
    Ok(listener)
}
