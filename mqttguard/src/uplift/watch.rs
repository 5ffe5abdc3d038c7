//! Hears from the kernel when our nftables table is taken away: what was redirected would leave in
//! the clear from then on, if nobody told the kernel program.

use std::io;
use std::os::fd::{AsRawFd as _, RawFd};

use netlink_packet_core::NetlinkBuffer;
use netlink_sys::Socket;
use netlink_sys::protocols::NETLINK_NETFILTER;

/// Our table in nftables.
const OURS: &str = "mqttguard";
/// `NFNLGRP_NFTABLES` of `linux/netfilter/nfnetlink.h`.
const GROUP: u32 = 7;
/// `NFNL_SUBSYS_NFTABLES`, in the upper byte of a message's type.
const NFTABLES: u16 = 10 << 8;
/// Of `enum nf_tables_msg_types`.
const NEW_RULE: u16 = NFTABLES | 6;
const NEW_GENERATION: u16 = NFTABLES | 15;
const DELETED: [u16; 3] = [NFTABLES | 2, NFTABLES | 5, NFTABLES | 8];
/// `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`: the name of the table.
const TABLE: u16 = 1;
/// `struct nlmsghdr`, `struct nfgenmsg`, `struct nlattr`.
const HEADER: usize = 16;
const GENERIC: usize = 4;
const ATTRIBUTE: usize = 4;
/// The kernel makes no datagram larger than this.
const DATAGRAM: usize = 32 * 1024;
/// Datagrams that are read in one turn.
const AT_ONCE: usize = 64;

/// Listens to changes of the ruleset, in the caller's network namespace.
pub(super) struct Watch {
    socket: Socket,
    datagram: Vec<u8>,
    changes: Changes,
}

/// What became of our table in the transaction that is being told of.
#[derive(Debug, Default)]
struct Changes {
    /// A part of it was deleted, and no rule was made after that.
    deleted: bool,
}

impl Watch {
    pub(super) fn open() -> io::Result<Watch> {
        let mut socket = Socket::new(NETLINK_NETFILTER)?;
        socket.bind_auto()?;
        socket.set_non_blocking(true)?;
        socket.add_membership(GROUP)?;
        Ok(Watch {
            socket,
            datagram: Vec::with_capacity(DATAGRAM),
            changes: Changes::default(),
        })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Reads what there is. Whether our table, or a part of it, was taken away for good; and
    /// whether there may be more to read.
    pub(super) fn read(&mut self) -> (bool, bool) {
        let mut lost = false;
        for _ in 0..AT_ONCE {
            self.datagram.clear();
            match self.socket.recv_from(&mut self.datagram, 0) {
                Ok((_, from)) if from.port_number() == 0 => {
                    lost |= self.changes.read(&self.datagram);
                }
                // Not the kernel.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return (lost, false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // More was said than there was room for: it could have been this.
                Err(_) => lost = true,
            }
        }
        (lost, true)
    }
}

impl Changes {
    /// Takes note of a datagram's messages. Whether a transaction ended that left our table
    /// without something it had.
    fn read(&mut self, datagram: &[u8]) -> bool {
        let mut lost = false;
        let mut rest = datagram;
        while let Ok(message) = NetlinkBuffer::new_checked(rest) {
            let length = usize::try_from(message.length()).unwrap_or(usize::MAX);
            let Some(bytes) = rest.get(..length).filter(|bytes| bytes.len() >= HEADER) else {
                break;
            };
            match message.message_type() {
                NEW_GENERATION => lost |= std::mem::take(&mut self.deleted),
                NEW_RULE if is_ours(bytes) => self.deleted = false,
                kind if DELETED.contains(&kind) && is_ours(bytes) => self.deleted = true,
                _ => {}
            }
            rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
        }
        lost
    }
}

/// Whether a message is about a table of our name, of whatever family.
fn is_ours(message: &[u8]) -> bool {
    let mut rest = message
        .get(HEADER.saturating_add(GENERIC)..)
        .unwrap_or_default();
    while let Some(&[a, b, c, d]) = rest.first_chunk::<ATTRIBUTE>() {
        let length = usize::from(u16::from_ne_bytes([a, b]));
        let Some(value) = rest.get(ATTRIBUTE..length) else {
            return false;
        };
        if u16::from_ne_bytes([c, d]) == TABLE {
            return value.strip_suffix(b"\0") == Some(OURS.as_bytes());
        }
        rest = rest.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, table: &str) -> Vec<u8> {
        let mut name = table.as_bytes().to_vec();
        name.push(0);
        let length = ATTRIBUTE + name.len();
        name.resize(name.len().next_multiple_of(4), 0);
        let total = HEADER + GENERIC + ATTRIBUTE + name.len();
        let mut bytes = u32::try_from(total).unwrap().to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10 + GENERIC]);
        bytes.extend(u16::try_from(length).unwrap().to_ne_bytes());
        bytes.extend(TABLE.to_ne_bytes());
        bytes.extend(name);
        bytes
    }

    fn lost(messages: &[(u16, &str)]) -> bool {
        let all: Vec<u8> = messages
            .iter()
            .flat_map(|(kind, table)| message(*kind, table))
            .collect();
        Changes::default().read(&all)
    }

    #[test]
    fn what_is_taken_away_is_told_and_what_is_replaced_or_others_is_not() {
        const DEL_TABLE: u16 = NFTABLES | 2;
        const DEL_RULE: u16 = NFTABLES | 8;
        assert!(lost(&[(DEL_TABLE, OURS), (NEW_GENERATION, "")]));
        assert!(lost(&[
            (DEL_RULE, "fw4"),
            (DEL_RULE, OURS),
            (NEW_GENERATION, "")
        ]));
        assert!(!lost(&[
            (DEL_TABLE, OURS),
            (NEW_RULE, OURS),
            (NEW_GENERATION, "")
        ]));
        assert!(!lost(&[(DEL_TABLE, "fw4"), (NEW_GENERATION, "")]));
        assert!(!lost(&[(DEL_TABLE, "mqttguardian"), (NEW_GENERATION, "")]));
        // Not before the end of the transaction.
        assert!(!lost(&[(DEL_TABLE, OURS)]));
    }

    #[test]
    fn no_bytes_upset_it() {
        let whole = [
            message(NFTABLES | 2, "mqttguard"),
            message(NEW_GENERATION, ""),
        ]
        .concat();
        for end in 0..whole.len() {
            Changes::default().read(&whole[..end]);
        }
        for place in 0..whole.len() {
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[place] = value;
                Changes::default().read(&bytes);
            }
        }
    }
}
