//! Requests to the kernel's netlink families, and their answers, byte by byte where no crate
//! knows the message.

use std::io;

use netlink_packet_core::{NLM_F_ACK, NLM_F_DUMP, NLM_F_REQUEST, NetlinkBuffer, NlasIterator};
use netlink_sys::{Socket, SocketAddr};

/// The kernel sends dumps in pieces of at most this many bytes.
const PIECE: usize = 64 * 1024;
const HEADER: usize = 16;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// A socket to one netlink family, for one request at a time.
pub(super) struct Channel {
    socket: Socket,
    buffer: Vec<u8>,
    sequence: u32,
}

impl Channel {
    pub(super) fn open(protocol: isize) -> io::Result<Self> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        socket.connect(&SocketAddr::new(0, 0))?;
        Ok(Channel {
            socket,
            buffer: vec![0; PIECE],
            sequence: 0,
        })
    }

    /// Asks for a whole table; `each` gets the type and the body of every entry, as they come.
    pub(super) fn dump(
        &mut self,
        kind: u16,
        body: &[u8],
        mut each: impl FnMut(u16, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.send(kind, NLM_F_DUMP, body)?;
        self.answers(&mut each)
    }

    /// Asks for something to be done, and waits until it is.
    pub(super) fn order(&mut self, kind: u16, body: &[u8]) -> io::Result<()> {
        self.send(kind, NLM_F_ACK, body)?;
        self.answers(&mut |_, _| Ok(()))
    }

    fn send(&mut self, kind: u16, flags: u16, body: &[u8]) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let length = u32::try_from(HEADER.saturating_add(body.len())).unwrap_or(u32::MAX);
        let mut message = Vec::with_capacity(HEADER + body.len());
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend((NLM_F_REQUEST | flags).to_ne_bytes());
        message.extend(self.sequence.to_ne_bytes());
        message.extend([0; 4]);
        message.extend(body);
        self.socket.send(&message, 0)?;
        Ok(())
    }

    /// Reads until the kernel says that it is done. What answers an earlier request, one that
    /// was given up, is passed over.
    fn answers(&mut self, each: &mut dyn FnMut(u16, &[u8]) -> io::Result<()>) -> io::Result<()> {
        loop {
            let length = self.socket.recv(&mut &mut self.buffer[..], 0)?;
            let mut rest = self.buffer.get(..length).unwrap_or_default();
            while let Ok(message) = NetlinkBuffer::new_checked(rest) {
                if message.sequence_number() == self.sequence {
                    match message.message_type() {
                        NLMSG_DONE => return Ok(()),
                        NLMSG_ERROR => return status(message.payload()),
                        kind => each(kind, message.payload())?,
                    }
                }
                let used = usize::try_from(message.length()).unwrap_or(usize::MAX);
                rest = rest
                    .get(used.next_multiple_of(4).max(HEADER)..)
                    .unwrap_or_default();
            }
        }
    }
}

/// What an error message says; an error of zero is an acknowledgement.
fn status(payload: &[u8]) -> io::Result<()> {
    match payload.first_chunk().copied().map(i32::from_ne_bytes) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

/// The attributes in a message's body or in another attribute: type without flags, and value.
/// What follows one that is cut short is left out.
pub(super) fn attributes(bytes: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    NlasIterator::new(bytes).map_while(|attribute| {
        let attribute = attribute.ok()?;
        let (kind, length) = (attribute.kind(), usize::from(attribute.length()));
        Some((kind, attribute.into_inner().get(4..length)?))
    })
}
