//! Requests to the kernel's netlink families, and their answers, byte by byte where no crate
//! knows the message.

use std::io;

use netlink_packet_core::{
    NLM_F_ACK, NLM_F_DUMP, NLM_F_DUMP_INTR, NLM_F_REQUEST, NetlinkBuffer, NlasIterator,
};
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
    ///
    /// # Errors
    ///
    /// The kernel refuses, or `each` does; `Interrupted` if the table changed while it was read,
    /// so that entries may be missing.
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
        let mut interrupted = false;
        loop {
            let length = self.socket.recv(&mut &mut self.buffer[..], 0)?;
            let mut rest = self.buffer.get(..length).unwrap_or_default();
            while let Ok(message) = NetlinkBuffer::new_checked(rest) {
                if message.sequence_number() == self.sequence {
                    interrupted |= message.flags() & NLM_F_DUMP_INTR != 0;
                    match message.message_type() {
                        NLMSG_DONE if interrupted => return Err(io::ErrorKind::Interrupted.into()),
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

#[cfg(test)]
mod tests {
    use std::os::fd::{FromRawFd, IntoRawFd};
    use std::os::unix::net::UnixDatagram;

    use super::*;

    fn message(kind: u16, flags: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(HEADER + body.len()).unwrap();
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend(flags.to_ne_bytes());
        bytes.extend(sequence.to_ne_bytes());
        bytes.extend([0; 4]);
        bytes.extend(body);
        bytes
    }

    /// What a dump comes to that is answered so, and the bodies it gave.
    fn dump(answers: &[Vec<u8>]) -> (io::Result<()>, Vec<Vec<u8>>) {
        let (ours, kernel) = UnixDatagram::pair().unwrap();
        for answer in answers {
            kernel.send(answer).unwrap();
        }
        let mut channel = Channel {
            // SAFETY: just opened, owned by nobody else.
            socket: unsafe { Socket::from_raw_fd(ours.into_raw_fd()) },
            buffer: vec![0; PIECE],
            sequence: 0,
        };
        let mut bodies = Vec::new();
        let result = channel.dump(7, &[0; 4], |_, body| {
            bodies.push(body.to_vec());
            Ok(())
        });
        (result, bodies)
    }

    #[test]
    fn a_table_that_changed_while_it_was_read_is_known_as_such() {
        let whole = [
            [message(8, 2, 1, b"one."), message(8, 2, 9, b"old.")].concat(),
            message(8, 2, 1, b"two."),
            message(NLMSG_DONE, 2, 1, &[0; 4]),
        ];
        let (result, bodies) = dump(&whole);
        result.unwrap();
        assert_eq!(bodies, [b"one.", b"two."]);
        for place in [1, 2] {
            let mut changed = whole.clone();
            changed[place][6] |= u8::try_from(NLM_F_DUMP_INTR).unwrap();
            let error = dump(&changed).0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        }
    }
}
