//! The sockets that redirected connections arrive on: one port of the kernel's choice, on IPv4 and
//! IPv6. It stays the same as long as the daemon runs.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketFlags, SocketType, sockopt};

/// Ports of IPv4 that are tried until one is free on IPv6 too.
const ATTEMPTS: usize = 16;
/// Connections that wait in the kernel.
const BACKLOG: i32 = 128;
/// What a device that went away without a word costs: probes after a minute, gone after two.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);
const KEEPALIVE_PROBES: u32 = 4;

/// Sockets there can be.
pub(super) const SOCKETS: usize = 2;

/// A listening socket for each family that the kernel has.
pub(super) struct Sockets {
    sockets: Vec<TcpListener>,
    port: u16,
}

impl Sockets {
    /// Listens on a free port.
    pub(super) fn open() -> io::Result<Sockets> {
        let mut last = Errno::ADDRINUSE;
        for _ in 0..ATTEMPTS {
            let v4 = listen((Ipv4Addr::UNSPECIFIED, 0).into())?;
            let port = v4.local_addr()?.port();
            match listen((Ipv6Addr::UNSPECIFIED, port).into()) {
                Ok(v6) => {
                    let sockets = vec![v4, v6];
                    return Ok(Sockets { sockets, port });
                }
                // A kernel without IPv6.
                Err(Errno::AFNOSUPPORT | Errno::ADDRNOTAVAIL) => {
                    let sockets = vec![v4];
                    return Ok(Sockets { sockets, port });
                }
                Err(error) => last = error,
            }
        }
        Err(last.into())
    }

    /// The port of all of them.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Has a poll tell of connections, by tokens from `first` on.
    pub(super) fn register(&mut self, registry: &Registry, first: Token) -> io::Result<()> {
        for (socket, token) in self.sockets.iter_mut().zip(first.0..) {
            registry.register(socket, Token(token), Interest::READABLE)?;
        }
        Ok(())
    }

    /// The next connection that waits on the socket of this place; None if there is none.
    ///
    /// # Errors
    ///
    /// When files or memory have run out.
    pub(super) fn accept(&self, place: usize) -> io::Result<Option<TcpStream>> {
        let Some(socket) = self.sockets.get(place) else {
            return Ok(None);
        };
        loop {
            match socket.accept() {
                Ok((stream, _)) => return Ok(Some(stream)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return Ok(None),
                    // This connection is gone already; others may wait.
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        }
    }
}

/// A listening socket. Its options pass on to the connections it accepts.
fn listen(address: SocketAddr) -> Result<TcpListener, Errno> {
    let family = match address {
        SocketAddr::V4(_) => AddressFamily::INET,
        SocketAddr::V6(_) => AddressFamily::INET6,
    };
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(family, SocketType::STREAM, flags, None)?;
    if address.is_ipv6() {
        // IPv4 has a socket of its own, whatever net.ipv6.bindv6only says.
        sockopt::set_ipv6_v6only(&socket, true)?;
    }
    sockopt::set_tcp_nodelay(&socket, true)?;
    sockopt::set_socket_keepalive(&socket, true)?;
    sockopt::set_tcp_keepidle(&socket, KEEPALIVE_IDLE)?;
    sockopt::set_tcp_keepintvl(&socket, KEEPALIVE_INTERVAL)?;
    sockopt::set_tcp_keepcnt(&socket, KEEPALIVE_PROBES)?;
    rustix::net::bind(&socket, &address)?;
    rustix::net::listen(&socket, BACKLOG)?;
    Ok(TcpListener::from_std(socket.into()))
}
