//! Distinguished Encoding Rules (ITU-T X.690), as much as is read here.

pub(super) const INTEGER: u8 = 0x02;
pub(super) const BIT_STRING: u8 = 0x03;
pub(super) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(super) const SEQUENCE: u8 = 0x30;
pub(super) const SET: u8 = 0x31;
/// `[0]`, constructed.
pub(super) const CONTEXT_0: u8 = 0xa0;

/// The content of the DER element with this tag that `input` begins with, and what is behind it.
pub(super) fn expect(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    element(input).and_then(|(found, content, rest)| (found == tag).then_some((content, rest)))
}

/// Tag and content of the first DER element, and what is behind it.
pub(super) fn element(input: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = input.split_first()?;
    let (&first, rest) = rest.split_first()?;
    let (length, rest) = match first {
        0..=0x7f => (usize::from(first), rest),
        0x81 => rest
            .split_first()
            .map(|(length, rest)| (usize::from(*length), rest))?,
        0x82 => rest
            .split_first_chunk()
            .map(|(length, rest)| (usize::from(u16::from_be_bytes(*length)), rest))?,
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

/// The whole element with this tag that `input` begins with, header and all, its content, and what
/// is behind it.
pub(super) fn whole(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let (content, rest) = expect(tag, input)?;
    let length = input.len().checked_sub(rest.len())?;
    Some((input.get(..length)?, content, rest))
}

/// The bytes of a BIT STRING whose bits fill them.
pub(super) fn bits(input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = expect(BIT_STRING, input)?;
    match content.split_first()? {
        (0, bytes) => Some((bytes, rest)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_and_overlong_elements_are_none() {
        for bytes in [
            &[][..],
            &[0x30],
            &[0x30, 1],
            &[0x30, 0x80],
            &[0x30, 0x81],
            &[0x30, 0x82, 1],
            &[0x30, 0x82, 0xff, 0xff, 0],
            &[0x30, 0x84, 0xff, 0xff, 0xff, 0xff],
        ] {
            assert_eq!(element(bytes), None, "{bytes:x?}");
        }
    }
}
