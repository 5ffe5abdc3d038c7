//! The stream of frames beneath a connection.
//!
//! `ubus-zero` has the protocol; its own Unix transport hides the descriptor and wakes up every
//! 50 ms while it waits, which a router should not.

use std::io::{self, Read, Write};
use std::os::fd::AsFd;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags};
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use ubus::wire::{Codec, Frame, HEADER_SIZE, MAX_MSG_LEN};
use ubus::{Transport, UbusError};

use super::wake::{poll_for, wait};

/// How long ubusd itself may take to answer or to read. It does so at once, or it hangs.
pub(crate) const BUS_TIMEOUT: Duration = Duration::from_secs(5);

/// A non-blocking stream of frames.
pub(super) struct Socket {
    pub(super) stream: Arc<UnixStream>,
    /// What was read and not yet decoded: part of a frame, or several.
    received: Vec<u8>,
    /// When to give up on an answer.
    pub(super) deadline: Option<Instant>,
    /// Half a frame was sent: no other can follow it.
    broken: bool,
}

impl Socket {
    /// Most bytes held undecoded: a frame, and the chunk that completed it.
    const RECEIVED_MAX: usize = 2 * MAX_MSG_LEN;
    /// What the buffer shrinks back to after a large frame.
    const RECEIVED_KEPT: usize = 4096;

    pub(super) fn connect(path: &Path) -> io::Result<Self> {
        // Not `UnixStream::connect`: that blocks as long as a hung ubusd's backlog is full.
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let fd = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        rustix::net::connect(&fd, &SocketAddrUnix::new(path)?)?;
        Ok(Socket {
            stream: Arc::new(UnixStream::from(fd)),
            received: Vec::new(),
            deadline: None,
            broken: false,
        })
    }

    /// Whether [`Self::decode`] has something to say: a frame, or an error.
    fn has_frame(&self) -> bool {
        // A frame on a socket always has the four bytes of its outer attribute.
        self.received.len() >= HEADER_SIZE + 4
            && !matches!(
                Codec::read_frame_borrowed(&self.received),
                Err(UbusError::Short { .. })
            )
    }

    fn decode(&mut self) -> Result<Option<Frame>, UbusError> {
        if !self.has_frame() {
            return Ok(None);
        }
        let (frame, length) = Codec::read_frame(&self.received)?;
        self.received.drain(..length);
        if self.received.is_empty() {
            self.received.shrink_to(Self::RECEIVED_KEPT);
        }
        Ok(Some(frame))
    }

    /// Reads what is there, at most a chunk; false if there is nothing.
    fn fill(&mut self) -> Result<bool, UbusError> {
        if self.received.len() > Self::RECEIVED_MAX {
            return Err(UbusError::Malformed("a frame larger than the bus allows"));
        }
        let mut chunk = [0; 4096];
        match (&*self.stream).read(&mut chunk) {
            Ok(0) => Err(UbusError::Closed),
            Ok(count) => {
                self.received.extend(chunk.iter().take(count));
                Ok(true)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(_) => Err(UbusError::Closed),
        }
    }

    fn write(&self, mut bytes: &[u8]) -> Result<(), (usize, UbusError)> {
        let until = Instant::now() + BUS_TIMEOUT;
        let mut sent = 0;
        while !bytes.is_empty() {
            match (&*self.stream).write(bytes) {
                Ok(0) => return Err((sent, UbusError::Closed)),
                Ok(count) => {
                    sent += count;
                    bytes = bytes.get(count..).unwrap_or_default();
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err((sent, UbusError::Timeout("send")));
                    }
                    let _ = poll_for(&mut [PollFd::new(&self.stream, PollFlags::OUT)], Some(left));
                }
                Err(_) => return Err((sent, UbusError::Closed)),
            }
        }
        Ok(())
    }
}

impl Transport for Socket {
    fn send(&mut self, frame: &Frame) -> Result<(), UbusError> {
        if self.broken {
            return Err(UbusError::Closed);
        }
        self.write(&Codec::write_frame(frame))
            .map_err(|(sent, error)| {
                self.broken = sent > 0;
                error
            })
    }

    fn recv(&mut self) -> Result<Option<Frame>, UbusError> {
        loop {
            if let Some(frame) = self.decode()? {
                return Ok(Some(frame));
            }
            if !self.fill()? {
                return match self.deadline {
                    Some(deadline) if Instant::now() >= deadline => {
                        Err(UbusError::Timeout("receive"))
                    }
                    _ => Ok(None),
                };
            }
        }
    }

    /// Waits for a whole frame or the deadline: the client counts these waits and gives up after
    /// 200 of them, which a large reply in small pieces would reach.
    fn wait_recv(&mut self) {
        while !self.has_frame() {
            let left = self
                .deadline
                .map(|until| until.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero())
                || wait(&[self.stream.as_fd()], left).is_err()
                || self.fill().is_err()
            {
                // What is wrong shows in the next `recv`.
                return;
            }
        }
    }
}
