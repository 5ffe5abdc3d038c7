//! A socket to one family: requests and their answers, and announcements.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::net::netlink::{self, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, Protocol, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recvfrom, sendto,
    socket_with,
};

use super::message::{Message, Messages, word};

/// A family of netlink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Links, addresses, neighbours, routes, traffic control.
    Route,
    /// nftables and connection tracking.
    Netfilter,
}

impl Family {
    fn protocol(self) -> Option<Protocol> {
        match self {
            // NETLINK_ROUTE is 0.
            Family::Route => None,
            Family::Netfilter => Some(netlink::NETFILTER),
        }
    }
}

/// The kernel makes no datagram larger than this for a reader that offers so much
/// (`netlink_recvmsg` in net/netlink/af_netlink.c).
const DATAGRAM: usize = 32 * 1024;
/// A table that changed while it was read is asked for again, this often in all.
const ATTEMPTS: usize = 5;
/// How long to wait in between.
const PAUSE: Duration = Duration::from_millis(5);

// linux/netlink.h
const NLM_F_REQUEST: u16 = 1;
const NLM_F_ACK: u16 = 4;
const NLM_F_DUMP_INTR: u16 = 0x10;
const NLM_F_DUMP: u16 = 0x300;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;

/// Takes the kind and the body of each message that answers a request.
type Each<'a> = &'a mut dyn FnMut(u16, &[u8]) -> io::Result<()>;

/// A socket to one family, in the network namespace it was made in; for one request at a time, or
/// for announcements.
#[derive(Debug)]
pub(crate) struct Socket {
    fd: OwnedFd,
    datagram: Vec<u8>,
    sequence: u32,
}

impl Socket {
    /// A socket for requests.
    pub(crate) fn open(family: Family) -> io::Result<Self> {
        Self::new(family, SocketFlags::CLOEXEC, 0)
    }

    /// A socket that announcements of these groups come in on, and that does not block. Groups
    /// above 32 there are none.
    pub(crate) fn subscribe(family: Family, groups: &[u32]) -> io::Result<Self> {
        let bit = |group: &u32| 1u32.checked_shl(group.wrapping_sub(1)).unwrap_or_default();
        let groups = groups.iter().map(bit).fold(0, |all, bit| all | bit);
        Self::new(family, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK, groups)
    }

    fn new(family: Family, flags: SocketFlags, groups: u32) -> io::Result<Self> {
        let protocol = family.protocol();
        let fd = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
        // The kernel gives it a port.
        bind(&fd, &SocketAddrNetlink::new(0, groups))?;
        Ok(Socket {
            fd,
            datagram: vec![0; DATAGRAM],
            sequence: 0,
        })
    }

    /// The messages of the next datagram; none if it is not the kernel's.
    ///
    /// # Errors
    ///
    /// `WouldBlock` if there is none; one of which [`is_loss`] is true if announcements were lost.
    pub(crate) fn receive(&mut self) -> io::Result<Messages<'_>> {
        // Its whole length, even if there is not that much room.
        let (_, length, from) = recvfrom(&self.fd, &mut *self.datagram, RecvFlags::TRUNC)?;
        let from = from.and_then(|from| SocketAddrNetlink::try_from(from).ok());
        if from.is_none_or(|from| from.pid() != 0) {
            return Ok(Messages(&[]));
        }
        let datagram = self.datagram.get(..length).ok_or_else(|| {
            let what = format!("a datagram of {length} bytes, expected at most {DATAGRAM}");
            io::Error::new(io::ErrorKind::InvalidData, what)
        })?;
        Ok(Messages(datagram))
    }

    /// Reads the announcements that are there. Whether there is news in one of them, or may have
    /// been: some get lost when they come too fast.
    pub(crate) fn heard(&mut self, mut is_news: impl FnMut(&Message<'_>) -> bool) -> bool {
        let mut heard = false;
        loop {
            match self.receive() {
                Ok(mut messages) => heard |= messages.any(|message| is_news(&message)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_loss(&error) => heard = true,
                Err(_) => return heard,
            }
        }
    }

    /// Asks for a whole table; `each` gets every entry, as they come.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or `each` does; `Interrupted` if the table changed while it was read,
    /// so that entries may be missing.
    pub(crate) fn dump(
        &mut self,
        kind: u16,
        body: &[u8],
        mut each: impl FnMut(u16, &[u8]) -> io::Result<()>,
    ) -> io::Result<()> {
        self.request(kind, NLM_F_DUMP, body, &mut each)
    }

    /// Asks for a whole table again until it stands still for once. Returns what `take` makes of
    /// its entries, and whether it did: if not, entries may be missing.
    pub(super) fn table<T>(
        &mut self,
        kind: u16,
        body: &[u8],
        mut take: impl FnMut(u16, &[u8]) -> Option<T>,
    ) -> io::Result<(Vec<T>, bool)> {
        let mut table = Vec::new();
        for attempt in 1..=ATTEMPTS {
            table.clear();
            let read = self.dump(kind, body, |kind, body| {
                table.extend(take(kind, body));
                Ok(())
            });
            match read {
                Ok(()) => return Ok((table, true)),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                Err(_) if attempt < ATTEMPTS => thread::sleep(PAUSE),
                Err(_) => {}
            }
        }
        Ok((table, false))
    }

    /// Asks for one entry, or for something to be done, and waits for the answer; `each` gets the
    /// entry.
    ///
    /// # Errors
    ///
    /// The kernel refuses, or has no such entry.
    pub(crate) fn ask(
        &mut self,
        kind: u16,
        body: &[u8],
        mut each: impl FnMut(u16, &[u8]),
    ) -> io::Result<()> {
        self.request(kind, NLM_F_ACK, body, &mut |kind, body| {
            each(kind, body);
            Ok(())
        })
    }

    fn request(&mut self, kind: u16, flags: u16, body: &[u8], each: Each<'_>) -> io::Result<()> {
        self.sequence = self.sequence.wrapping_add(1);
        let message = Message {
            kind,
            flags: NLM_F_REQUEST | flags,
            sequence: self.sequence,
            body,
        };
        let kernel = SocketAddrNetlink::new(0, 0);
        sendto(&self.fd, &message.encode(), SendFlags::empty(), &kernel)?;
        let mut answers = Answers {
            sequence: self.sequence,
            interrupted: false,
        };
        loop {
            match self.receive() {
                Ok(messages) => {
                    if answers.read(messages, each)? {
                        return Ok(());
                    }
                }
                // By a signal.
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Whether announcements were lost: there were more than the socket could hold (`ENOBUFS`), or one
/// was too long.
pub(crate) fn is_loss(error: &io::Error) -> bool {
    error.raw_os_error() == Some(libc::ENOBUFS) || error.kind() == io::ErrorKind::InvalidData
}

/// What comes in answer to a request.
struct Answers {
    /// The request's. What answers an earlier one, which was given up, is passed over.
    sequence: u32,
    interrupted: bool,
}

impl Answers {
    /// Whether these are the last.
    fn read(&mut self, messages: Messages<'_>, each: Each<'_>) -> io::Result<bool> {
        for message in messages.filter(|message| message.sequence == self.sequence) {
            self.interrupted |= message.flags & NLM_F_DUMP_INTR != 0;
            match message.kind {
                NLMSG_DONE if self.interrupted => return Err(io::ErrorKind::Interrupted.into()),
                NLMSG_DONE => return Ok(true),
                NLMSG_ERROR => return status(message.body).map(|()| true),
                kind => each(kind, message.body)?,
            }
        }
        Ok(false)
    }
}

/// What an error message says; an error of zero is an acknowledgement.
fn status(body: &[u8]) -> io::Result<()> {
    match word(body, 0).map(u32::cast_signed) {
        Some(0) => Ok(()),
        Some(code) => Err(io::Error::from_raw_os_error(code.saturating_neg())),
        None => Err(io::ErrorKind::InvalidData.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
        let message = Message {
            kind,
            flags: 2,
            sequence,
            body,
        };
        message.encode()
    }

    /// What a request comes to that is answered so, and the bodies it gave.
    fn read(datagrams: &[Vec<u8>]) -> (io::Result<bool>, Vec<Vec<u8>>) {
        let mut answers = Answers {
            sequence: 1,
            interrupted: false,
        };
        let mut bodies = Vec::new();
        let mut result = Ok(false);
        for datagram in datagrams {
            assert!(matches!(result, Ok(false)));
            result = answers.read(Messages(datagram), &mut |_, body| {
                bodies.push(body.to_vec());
                Ok(())
            });
        }
        (result, bodies)
    }

    #[test]
    fn a_table_that_changed_while_it_was_read_is_known_as_such() {
        let whole = [
            [message(8, 1, b"one."), message(8, 9, b"old.")].concat(),
            message(8, 1, b"two."),
            message(NLMSG_DONE, 1, &[0; 4]),
        ];
        let (result, bodies) = read(&whole);
        assert!(result.unwrap());
        assert_eq!(bodies, [b"one.", b"two."]);
        for place in [1, 2] {
            let mut changed = whole.clone();
            let flags = (2 | NLM_F_DUMP_INTR).to_ne_bytes();
            changed[place][6..8].copy_from_slice(&flags);
            let error = read(&changed).0.unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::Interrupted);
        }
    }

    #[test]
    fn an_error_of_zero_is_none() {
        let done = message(NLMSG_ERROR, 1, &[0; 20]);
        assert!(read(&[done]).0.unwrap());
        let refused = message(NLMSG_ERROR, 1, &(-libc::EPERM).to_ne_bytes());
        let error = read(&[refused]).0.unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::EPERM));
        let cut = message(NLMSG_ERROR, 1, &[0; 3]);
        assert!(read(&[cut]).0.is_err());
    }

    #[test]
    fn the_kernel_answers_and_refuses() {
        const RTM_GETLINK: u16 = 18;
        let mut socket = Socket::open(Family::Route).unwrap();
        let mut ifinfomsg = [0; 16];
        ifinfomsg[4..8].copy_from_slice(&1i32.to_ne_bytes());
        let mut answers = 0;
        let ask = |_: u16, _: &[u8]| answers += 1;
        socket.ask(RTM_GETLINK, &ifinfomsg, ask).unwrap();
        assert_eq!(answers, 1);
        ifinfomsg[4..8].copy_from_slice(&i32::MAX.to_ne_bytes());
        let error = socket.ask(RTM_GETLINK, &ifinfomsg, |_, _| ()).unwrap_err();
        assert_eq!(error.raw_os_error(), Some(libc::ENODEV));
        let mut silent = Socket::subscribe(Family::Route, &[super::super::RTNLGRP_LINK]).unwrap();
        let error = silent.receive().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::WouldBlock);
    }
}
