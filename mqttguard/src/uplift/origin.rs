//! Where a connection comes from, and where its device believes it goes.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use rustix::net::sockopt;

/// The ends of a connection as its device sees them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Origin {
    /// The device's address.
    pub(super) device: IpAddr,
    /// The address and port that the device chose.
    pub(super) destination: SocketAddr,
}

/// None for a connection that nobody redirected: it was made to the router itself.
///
/// # Errors
///
/// When the connection is gone already.
pub(super) fn origin(stream: &TcpStream) -> io::Result<Option<Origin>> {
    let (peer, own) = (stream.peer_addr()?, stream.local_addr()?);
    let destination = match own {
        SocketAddr::V4(_) => sockopt::ip_original_dst(stream).map(SocketAddr::from),
        SocketAddr::V6(_) => sockopt::ipv6_original_dst(stream).map(SocketAddr::from),
    };
    // Without connection tracking there is no answer, and no redirection either.
    let destination = destination
        .ok()
        .filter(|destination| (destination.ip(), destination.port()) != (own.ip(), own.port()));
    Ok(destination.map(|destination| Origin {
        device: peer.ip().to_canonical(),
        destination,
    }))
}
