use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use super::links::Link;

const ETH_P_ALL: u16 = 3;

/// Counts the frames that the kernel takes in from an interface: a witness that needs no trust
/// in the driver's counters, which may have frames that never left the network chip.
///
/// It stands behind XDP and before TC, so that an XDP program has seen all that it counts.
pub(super) struct Tap {
    socket: OwnedFd,
}

impl Tap {
    pub(super) fn open(link: &Link) -> io::Result<Tap> {
        let socket = packet_socket()?;
        // Nobody reads the frames: the smallest buffer, and the kernel only counts.
        set(&socket, libc::SOL_SOCKET, libc::SO_RCVBUF, 1)?;
        // What the router itself sends is no witness.
        set(&socket, libc::SOL_PACKET, libc::PACKET_IGNORE_OUTGOING, 1)?;
        let to = address(link, ETH_P_ALL);
        // SAFETY: the address lives until the call returns, and its length is given.
        let bound = unsafe {
            libc::bind(
                socket.as_raw_fd(),
                (&raw const to).cast(),
                size_of::<libc::sockaddr_ll>() as libc::socklen_t,
            )
        };
        if bound < 0 {
            return Err(io::Error::last_os_error());
        }
        Ok(Tap { socket })
    }

    /// Frames since the last call.
    pub(super) fn frames(&self) -> io::Result<u64> {
        // struct tpacket_stats: frames, those dropped included; and those dropped.
        let mut counts = [0u32; 2];
        let mut length = size_of_val(&counts) as libc::socklen_t;
        // SAFETY: the counts and their length live until the call returns.
        let result = unsafe {
            libc::getsockopt(
                self.socket.as_raw_fd(),
                libc::SOL_PACKET,
                libc::PACKET_STATISTICS,
                counts.as_mut_ptr().cast(),
                &raw mut length,
            )
        };
        if result < 0 {
            return Err(io::Error::last_os_error());
        }
        let [frames, _] = counts;
        Ok(frames.into())
    }
}

/// A raw packet(7) socket that receives nothing until it is bound.
pub(super) fn packet_socket() -> io::Result<OwnedFd> {
    // SAFETY: no pointers.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: just opened, owned by nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// An interface, to a packet socket.
pub(super) fn address(link: &Link, protocol: u16) -> libc::sockaddr_ll {
    // SAFETY: all zero is a valid sockaddr_ll.
    let mut address: libc::sockaddr_ll = unsafe { std::mem::zeroed() };
    address.sll_family = libc::AF_PACKET as u16;
    address.sll_protocol = protocol.to_be();
    address.sll_ifindex = link.index as i32;
    address
}

fn set(socket: &OwnedFd, level: i32, option: i32, value: i32) -> io::Result<()> {
    // SAFETY: the value lives until the call returns, and its length is given.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
            size_of::<i32>() as libc::socklen_t,
        )
    };
    if result < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(())
}
