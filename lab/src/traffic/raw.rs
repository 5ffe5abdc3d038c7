use std::ffi::CString;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use anyhow::{Context, Result, bail};

/// Sends frames as they are.
#[derive(Debug)]
pub struct RawSender {
    socket: OwnedFd,
}

impl RawSender {
    /// Opens the sender on `interface` of the calling thread's network namespace.
    pub(crate) fn open(interface: &str) -> Result<Self> {
        Ok(Self {
            socket: packet_socket(interface, false)?,
        })
    }

    /// Sends one frame, Ethernet header first.
    pub fn send(&self, frame: &[u8]) -> Result<()> {
        let sent = rustix::net::send(&self.socket, frame, rustix::net::SendFlags::empty())
            .context("cannot send a frame")?;
        if sent != frame.len() {
            bail!("only {sent} of {} bytes of a frame were sent", frame.len());
        }
        Ok(())
    }
}

/// A packet socket bound to `interface`; it receives all frames if `receive`, else none.
pub(crate) fn packet_socket(interface: &str, receive: bool) -> Result<OwnedFd> {
    let name = CString::new(interface)?;
    // SAFETY: `name` is NUL-terminated and lives over the call.
    let index = unsafe { libc::if_nametoindex(name.as_ptr()) };
    if index == 0 {
        bail!(
            "no interface {interface}: {}",
            std::io::Error::last_os_error()
        );
    }
    let protocol = if receive { libc::ETH_P_ALL } else { 0 };
    let protocol = u16::try_from(protocol)?.to_be();
    // Protocol 0 first: a socket that receives would do so from all interfaces until it is bound.
    // SAFETY: no pointers are passed.
    let fd = unsafe { libc::socket(libc::AF_PACKET, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(std::io::Error::last_os_error()).context("cannot open a packet socket");
    }
    // SAFETY: `fd` was just made and belongs to nobody else.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    let address = libc::sockaddr_ll {
        sll_family: u16::try_from(libc::AF_PACKET)?,
        sll_protocol: protocol,
        sll_ifindex: i32::try_from(index)?,
        sll_hatype: 0,
        sll_pkttype: 0,
        sll_halen: 0,
        sll_addr: [0; 8],
    };
    // SAFETY: the pointer is to a live local of the length that is given.
    let result = unsafe {
        libc::bind(
            socket.as_raw_fd(),
            (&raw const address).cast(),
            libc::socklen_t::try_from(size_of_val(&address))?,
        )
    };
    if result < 0 {
        return Err(std::io::Error::last_os_error())
            .with_context(|| format!("cannot bind a packet socket to {interface}"));
    }
    Ok(socket)
}
