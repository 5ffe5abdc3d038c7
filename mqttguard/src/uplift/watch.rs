//! Hears from the kernel when our nftables table is taken away: what was redirected would leave in
//! the clear from then on, if nobody told the kernel program.

use std::io;
use std::os::fd::{AsFd as _, AsRawFd as _, RawFd};

use crate::netlink::{Family, NFNLGRP_NFTABLES, Socket, attributes};

/// Our table in nftables.
const OURS: &str = "mqttguard";
/// `NFNL_SUBSYS_NFTABLES`, in the upper byte of a message's type.
const NFTABLES: u16 = 10 << 8;
/// Of `enum nf_tables_msg_types`.
const NEW_RULE: u16 = NFTABLES | 6;
const NEW_GENERATION: u16 = NFTABLES | 15;
const DELETED: [u16; 3] = [NFTABLES | 2, NFTABLES | 5, NFTABLES | 8];
/// `NFTA_TABLE_NAME`, `NFTA_CHAIN_TABLE`, `NFTA_RULE_TABLE`: the name of the table.
const TABLE: u16 = 1;
/// `struct nfgenmsg`.
const GENERIC: usize = 4;
/// Datagrams that are read in one turn.
const AT_ONCE: usize = 64;

/// Listens to changes of the ruleset, in the caller's network namespace.
pub(super) struct Watch {
    socket: Socket,
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
        Ok(Watch {
            socket: Socket::subscribe(Family::Netfilter, &[NFNLGRP_NFTABLES])?,
            changes: Changes::default(),
        })
    }

    pub(super) fn fd(&self) -> RawFd {
        self.socket.as_fd().as_raw_fd()
    }

    /// Reads what there is. Whether our table, or a part of it, was taken away for good; and
    /// whether there may be more to read.
    pub(super) fn read(&mut self) -> (bool, bool) {
        let mut lost = false;
        for _ in 0..AT_ONCE {
            match self.socket.receive() {
                Ok(messages) => {
                    for message in messages {
                        lost |= self.changes.note(message.kind, message.body);
                    }
                }
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
    /// Takes note of a message. Whether a transaction ended that left our table without something
    /// it had.
    fn note(&mut self, kind: u16, body: &[u8]) -> bool {
        match kind {
            NEW_GENERATION => return std::mem::take(&mut self.deleted),
            NEW_RULE if is_ours(body) => self.deleted = false,
            kind if DELETED.contains(&kind) && is_ours(body) => self.deleted = true,
            _ => {}
        }
        false
    }
}

/// Whether a message is about a table of our name, of whatever family.
fn is_ours(body: &[u8]) -> bool {
    attributes(body.get(GENERIC..).unwrap_or_default())
        .find(|(kind, _)| *kind == TABLE)
        .is_some_and(|(_, name)| name.strip_suffix(b"\0") == Some(OURS.as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::netlink::push;

    fn body(table: &str) -> Vec<u8> {
        let mut body = vec![0; GENERIC];
        push(&mut body, TABLE, format!("{table}\0").as_bytes()).unwrap();
        body
    }

    fn lost(messages: &[(u16, &str)]) -> bool {
        let mut changes = Changes::default();
        let note = |lost, (kind, table): &(u16, &str)| lost | changes.note(*kind, &body(table));
        messages.iter().fold(false, note)
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
        let whole = body(OURS);
        for end in 0..whole.len() {
            let _ = is_ours(&whole[..end]);
            for value in [0, 1, 0x7f, 0xff] {
                let mut bytes = whole.clone();
                bytes[end] = value;
                let _ = is_ours(&bytes);
            }
        }
    }
}
