//! Messages and attributes, byte by byte (linux/netlink.h). Numbers are in the byte order of the
//! machine, and everything starts at a multiple of four bytes.

use std::net::IpAddr;

use mqttguard_common::Mac;

/// struct nlmsghdr.
pub(super) const HEADER: usize = 16;
/// struct nlattr.
const ATTRIBUTE: usize = 4;
/// The bits of an attribute's type that say what it is; the others say how it is encoded.
const NLA_TYPE_MASK: u16 = 0x3fff;

/// One message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Message<'a> {
    pub(crate) kind: u16,
    pub(super) flags: u16,
    pub(super) sequence: u32,
    /// What comes after the header.
    pub(crate) body: &'a [u8],
}

impl Message<'_> {
    /// The message's bytes.
    pub(super) fn encode(&self) -> Vec<u8> {
        let length = HEADER.saturating_add(self.body.len());
        let mut bytes = Vec::with_capacity(length);
        bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_ne_bytes());
        bytes.extend(self.kind.to_ne_bytes());
        bytes.extend(self.flags.to_ne_bytes());
        bytes.extend(self.sequence.to_ne_bytes());
        // The sender's port, which the kernel knows.
        bytes.extend([0; 4]);
        bytes.extend(self.body);
        bytes
    }
}

/// The messages of a datagram, up to one that is cut short.
#[derive(Clone, Debug)]
pub(crate) struct Messages<'a>(pub(super) &'a [u8]);

impl<'a> Iterator for Messages<'a> {
    type Item = Message<'a>;

    fn next(&mut self) -> Option<Message<'a>> {
        let length = usize::try_from(word(self.0, 0)?).ok()?;
        let bytes = self.0.get(..length)?;
        let message = Message {
            kind: half_word(bytes, 4)?,
            flags: half_word(bytes, 6)?,
            sequence: word(bytes, 8)?,
            body: bytes.get(HEADER..)?,
        };
        self.0 = after(self.0, length);
        Some(message)
    }
}

/// The attributes in a message's body or in another attribute: type without flags, and value.
/// What follows one that is cut short is left out.
pub(crate) fn attributes(bytes: &[u8]) -> Attributes<'_> {
    Attributes(bytes)
}

/// See [`attributes`].
#[derive(Clone, Debug)]
pub(crate) struct Attributes<'a>(&'a [u8]);

impl<'a> Iterator for Attributes<'a> {
    type Item = (u16, &'a [u8]);

    fn next(&mut self) -> Option<(u16, &'a [u8])> {
        let length = usize::from(half_word(self.0, 0)?);
        let kind = half_word(self.0, 2)? & NLA_TYPE_MASK;
        let value = self.0.get(ATTRIBUTE..length)?;
        self.0 = after(self.0, length);
        Some((kind, value))
    }
}

/// What comes after the first `length` bytes and the padding behind them.
fn after(bytes: &[u8], length: usize) -> &[u8] {
    let next = length.checked_next_multiple_of(4);
    next.and_then(|next| bytes.get(next..)).unwrap_or_default()
}

/// Adds an attribute; None if it is too long for one.
pub(crate) fn push(message: &mut Vec<u8>, kind: u16, value: &[u8]) -> Option<()> {
    let length = u16::try_from(value.len().checked_add(ATTRIBUTE)?).ok()?;
    message.extend(length.to_ne_bytes());
    message.extend(kind.to_ne_bytes());
    message.extend(value);
    message.resize(message.len().next_multiple_of(4), 0);
    Some(())
}

/// The 32-bit number at this place.
pub(crate) fn word(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The 16-bit number at this place.
pub(super) fn half_word(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(*bytes.get(at..)?.first_chunk()?))
}

/// The text up to the byte that ends it.
pub(crate) fn text(value: &[u8]) -> String {
    let end = value.iter().position(|byte| *byte == 0);
    String::from_utf8_lossy(value.get(..end.unwrap_or(value.len())).unwrap_or_default()).into()
}

/// The link-layer address, if it is one of Ethernet.
pub(super) fn mac(value: &[u8]) -> Option<Mac> {
    <[u8; 6]>::try_from(value).ok().map(Mac)
}

/// The address of this family (`AF_INET`, `AF_INET6`).
pub(super) fn address(family: u8, value: &[u8]) -> Option<IpAddr> {
    match i32::from(family) {
        libc::AF_INET => <[u8; 4]>::try_from(value).ok().map(IpAddr::from),
        libc::AF_INET6 => <[u8; 16]>::try_from(value).ok().map(IpAddr::from),
        _ => None,
    }
}

/// The family of an address, and its bytes.
pub(super) fn octets(address: IpAddr) -> (u8, Vec<u8>) {
    match address {
        IpAddr::V4(v4) => (libc::AF_INET as u8, v4.octets().to_vec()),
        IpAddr::V6(v6) => (libc::AF_INET6 as u8, v6.octets().to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_read_as_they_were_written() {
        let written = [
            Message {
                kind: 16,
                flags: 2,
                sequence: 7,
                body: b"odd",
            },
            Message {
                kind: 3,
                flags: 0,
                sequence: 8,
                body: &[],
            },
        ];
        let mut bytes = written[0].encode();
        bytes.push(0);
        bytes.extend(written[1].encode());
        assert_eq!(Messages(&bytes).collect::<Vec<_>>(), written);
        // The second is cut short, by its length or by its end.
        assert_eq!(Messages(&bytes[..bytes.len() - 1]).count(), 1);
        bytes[20] = 15;
        assert_eq!(Messages(&bytes).count(), 1);
    }

    #[test]
    fn attributes_are_read_as_they_were_written() {
        let mut bytes = Vec::new();
        push(&mut bytes, 0x8001, b"nested").unwrap();
        push(&mut bytes, 2, b"").unwrap();
        push(&mut bytes, 3, &[1, 0, 0, 0]).unwrap();
        let read: Vec<_> = attributes(&bytes).collect();
        assert_eq!(
            read,
            [(1, &b"nested"[..]), (2, &[][..]), (3, &[1, 0, 0, 0][..])]
        );
        // The last is cut short, or claims to be.
        assert_eq!(attributes(&bytes[..bytes.len() - 1]).count(), 2);
        // One without the padding behind it is whole.
        assert_eq!(attributes(&bytes[..10]).count(), 1);
        assert!(push(&mut bytes, 4, &[0; 65532]).is_none());
    }

    #[test]
    fn numbers_and_texts_end_where_their_bytes_do() {
        assert_eq!(word(&[0, 1, 1, 1, 1], 1), Some(0x0101_0101));
        assert_eq!(word(&[0, 1, 0, 0], 1), None);
        assert_eq!(word(&[0], usize::MAX), None);
        assert_eq!(half_word(&[0], 0), None);
        assert_eq!(text(b"lan1\0\0"), "lan1");
        assert_eq!(text(b"lan1"), "lan1");
        assert_eq!(text(b""), "");
        assert_eq!(mac(&[2, 0, 0, 0, 0, 1, 0]), None);
        assert_eq!(address(10, &[192, 0, 2, 1]), None);
        assert_eq!(address(2, &[192, 0, 2, 1]), Some([192, 0, 2, 1].into()));
    }
}
