//! Hears of changes that anybody makes to the kernel's rulesets.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

use netlink_sys::protocols::NETLINK_NETFILTER;
use netlink_sys::{Socket, SocketAddr};

/// Multicast group of changes to rulesets (linux/netfilter/nfnetlink.h, NFNLGRP_NFTABLES).
const NFNLGRP_NFTABLES: u32 = 7;
/// linux/netfilter/nfnetlink.h
const NFNL_SUBSYS_NFTABLES: u16 = 10;
/// linux/netfilter/nf_tables.h
const NFT_MSG_NEWSETELEM: u16 = 12;
const NFT_MSG_DELSETELEM: u16 = 14;
const NFT_MSG_NEWGEN: u16 = 15;
/// Changes that leave every rule in its place: elements of sets, which a DNS server may add for
/// every name it is asked, and the end of each transaction.
const HARMLESS: [u16; 3] = [
    NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM,
    NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSETELEM,
    NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWGEN,
];
/// Bytes of a message's header (linux/netlink.h, struct nlmsghdr).
const HEADER: usize = 16;

/// A message is at most a page, or as large as the reader's buffer was when asked.
const PIECE: usize = 64 * 1024;

/// Changes to the rulesets of the network namespace it was made in.
pub(super) struct Watch {
    socket: Socket,
    buffer: Vec<u8>,
}

impl Watch {
    pub(super) fn open() -> io::Result<Self> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind(&SocketAddr::new(0, 0))?;
        socket.add_membership(NFNLGRP_NFTABLES)?;
        socket.set_non_blocking(true)?;
        Ok(Watch {
            socket,
            buffer: vec![0; PIECE],
        })
    }

    /// Becomes readable when a ruleset changes.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        let fd = self.socket.as_raw_fd();
        // SAFETY: the socket lives as long as the borrow.
        unsafe { BorrowedFd::borrow_raw(fd) }
    }

    /// Whether rules, chains or tables changed since the last call, or may have: messages get
    /// lost when they come too fast.
    pub(super) fn changed(&mut self) -> bool {
        let mut changed = false;
        loop {
            match self.socket.recv(&mut &mut self.buffer[..], 0) {
                Ok(length) => {
                    let message = self.buffer.get(..length).unwrap_or_default();
                    changed |= moves_rules(message);
                }
                Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => changed = true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => return changed,
            }
        }
    }
}

/// Whether one of these messages is about more than elements of sets.
fn moves_rules(mut messages: &[u8]) -> bool {
    while let [l0, l1, l2, l3, t0, t1, ..] = *messages {
        if !HARMLESS.contains(&u16::from_ne_bytes([t0, t1])) {
            return true;
        }
        let length = u32::from_ne_bytes([l0, l1, l2, l3]) as usize;
        let next = length.max(HEADER).checked_next_multiple_of(4);
        messages = next
            .and_then(|next| messages.get(next..))
            .unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, length: usize) -> Vec<u8> {
        let mut bytes = (length as u32).to_ne_bytes().to_vec();
        bytes.extend((NFNL_SUBSYS_NFTABLES << 8 | kind).to_ne_bytes());
        bytes.resize(length.next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn elements_are_passed_over_and_tables_are_not() {
        const NFT_MSG_DELTABLE: u16 = 2;
        let harmless = [message(NFT_MSG_NEWSETELEM, 39), message(NFT_MSG_NEWGEN, 20)].concat();
        assert!(!moves_rules(&harmless));
        let harmful = [harmless, message(NFT_MSG_DELTABLE, 40)].concat();
        assert!(moves_rules(&harmful));
        // Lengths that cannot be.
        let mut broken = message(NFT_MSG_NEWGEN, 20);
        broken[..4].copy_from_slice(&u32::MAX.to_ne_bytes());
        assert!(!moves_rules(&broken));
        broken[..4].copy_from_slice(&0u32.to_ne_bytes());
        assert!(!moves_rules(&broken));
    }
}
