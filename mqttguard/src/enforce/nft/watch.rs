//! Hears of changes that anybody makes to the kernel's rulesets.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use crate::netlink::{Family, NFNLGRP_NFTABLES, Socket};

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

/// Changes to the rulesets of the network namespace it was made in.
pub(super) struct Watch {
    socket: Socket,
}

impl Watch {
    pub(super) fn open() -> io::Result<Self> {
        let socket = Socket::subscribe(Family::Netfilter, &[NFNLGRP_NFTABLES])?;
        Ok(Watch { socket })
    }

    /// Becomes readable when a ruleset changes.
    pub(super) fn changes(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether rules, chains or tables changed since the last call, or may have: messages get
    /// lost when they come too fast.
    pub(super) fn changed(&mut self) -> bool {
        self.socket
            .heard(|message| !HARMLESS.contains(&message.kind))
    }
}
