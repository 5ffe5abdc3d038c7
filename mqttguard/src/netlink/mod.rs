//! What the kernel's netlink families are asked, and what they announce (netlink(7), rtnetlink(7)).
//!
//! [`Socket`] sends requests and receives; the other modules each know one kind of entry. Of a
//! message only what somebody here reads is looked at, and a message that is cut short or says
//! something else than its kind allows is passed over.

mod address;
mod link;
mod message;
mod neighbour;
mod route;
mod socket;

pub use address::local_addresses;
pub use link::{Link, links};
pub use neighbour::neighbour_mac;
pub use route::link_of;

pub(crate) use link::{RTM_DELLINK, RTM_NEWLINK, link_table};
pub(crate) use message::{attributes, push, text, word};
pub(crate) use neighbour::{Neighbour, NeighbourState, announced, neighbours};
pub(crate) use socket::{Family, Socket, is_loss};

/// Groups of rtnetlink's announcements (linux/rtnetlink.h): links, neighbours, queueing
/// disciplines and their filters.
pub(crate) const RTNLGRP_LINK: u32 = 1;
/// See [`RTNLGRP_LINK`].
pub(crate) const RTNLGRP_NEIGH: u32 = 3;
/// See [`RTNLGRP_LINK`].
pub(crate) const RTNLGRP_TC: u32 = 4;
/// The group of changes to netfilter's rulesets (linux/netfilter/nfnetlink.h).
pub(crate) const NFNLGRP_NFTABLES: u32 = 7;

#[cfg(test)]
mod tests {
    /// Hands a parser a message that was cut short at every place, one with each of its bytes
    /// changed, and bytes that are a message of nobody's.
    pub(super) fn garble(whole: &[u8], mut parse: impl FnMut(&[u8])) {
        for end in 0..whole.len() {
            parse(&whole[..end]);
            for byte in [0, 1, 3, 4, 0x7f, 0x80, 0xff] {
                let mut changed = whole.to_vec();
                changed[end] = byte;
                parse(&changed);
            }
        }
        // xorshift64: the same bytes in every run.
        let mut state = 0x9e37_79b9_7f4a_7c15u64;
        let mut random = move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        };
        for _ in 0..20_000 {
            let length = random() % 256;
            // Small numbers are more likely to be lengths and types.
            let bytes: Vec<u8> = (0..length)
                .map(|_| match random() % 2 {
                    0 => (random() % 48) as u8,
                    _ => random() as u8,
                })
                .collect();
            parse(&bytes);
            let mut mixed = whole.to_vec();
            let place = random() as usize % mixed.len();
            mixed.truncate(place);
            mixed.extend(&bytes);
            parse(&mixed);
        }
    }
}
