//! Raw packet sockets, by packet(7), and what they see.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use mqttguard_common::Mac;

/// Every protocol, for [`packet_socket`].
pub const ETH_P_ALL: u16 = 3;

/// A raw packet socket on an interface of this thread's network namespace. It does not block, and
/// receives nothing if `protocol` is 0.
///
/// # Panics
///
/// Without root.
pub fn packet_socket(index: u32, protocol: u16) -> OwnedFd {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_NONBLOCK, 0) };
    assert!(fd >= 0, "{}", io::Error::last_os_error());
    // SAFETY: just opened, owned by nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: all zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = index as i32;
    // SAFETY: the address lives until the call returns, and its length is given.
    let bound = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            size_of_val(&address) as libc::socklen_t,
        )
    };
    assert!(bound == 0, "{}", io::Error::last_os_error());
    socket
}

/// Counts the frames of some devices.
pub struct Sniffer {
    socket: OwnedFd,
    devices: [Mac; 2],
}

impl Sniffer {
    /// Of what this socket receives.
    pub fn new(socket: OwnedFd, devices: [Mac; 2]) -> Self {
        Sniffer { socket, devices }
    }

    /// Frames since the last call, no more than fit in the socket's buffer.
    ///
    /// # Panics
    ///
    /// If the socket fails.
    pub fn frames(&self) -> usize {
        let mut frame = [0; 2048];
        let mut count = 0;
        loop {
            match rustix::io::read(&self.socket, &mut frame) {
                Ok(_) => {
                    let source = Mac(frame[6..12].try_into().unwrap());
                    count += usize::from(self.devices.contains(&source));
                }
                Err(rustix::io::Errno::AGAIN) => return count,
                Err(error) => panic!("{error}"),
            }
        }
    }
}
