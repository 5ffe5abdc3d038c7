//! Frames: a length that shows its own damage, a checksum, a body.

const MARK: u32 = 0x314A_514D;
/// Bytes before the body.
pub(crate) const HEADER: usize = 12;
/// No body is longer: one packet of 16 MiB, or one session with all that memory holds.
const LONGEST: usize = 256 * 1024 * 1024;

/// Leaves room for the header of a frame that begins here.
pub(crate) fn open(out: &mut Vec<u8>) {
    out.extend_from_slice(&[0; HEADER]);
}

/// Closes the frame that was begun at `start`; one without a body is none.
pub(crate) fn close(out: &mut [u8], start: usize) {
    let Some((header, body)) = out
        .get_mut(start..)
        .and_then(|frame| frame.split_first_chunk_mut::<HEADER>())
    else {
        return;
    };
    let len = u32::try_from(body.len()).unwrap_or(u32::MAX);
    let crc = crc32fast::hash(body);
    let words = [len, len ^ MARK, crc];
    for (to, from) in header.chunks_exact_mut(4).zip(words) {
        to.copy_from_slice(&from.to_le_bytes());
    }
}

/// What stands at the beginning of some bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A frame: its body, and its whole length in bytes.
    Frame(&'a [u8], usize),
    /// The beginning of one, of so many bytes in all, as far as can be told.
    Part(usize),
    /// Something else. `len` bytes belong to it.
    Damage { len: usize },
}

pub(crate) fn find(bytes: &[u8]) -> Found<'_> {
    let Some((header, rest)) = bytes.split_first_chunk::<HEADER>() else {
        return Found::Part(HEADER);
    };
    let word = |at: usize| {
        let word = header.get(at..at + 4).and_then(|word| word.try_into().ok());
        u32::from_le_bytes(word.unwrap_or_default())
    };
    let len = word(0) as usize;
    if word(0) ^ word(4) != MARK || len == 0 || len > LONGEST {
        return Found::Damage { len: HEADER };
    }
    match rest.get(..len) {
        None => Found::Part(HEADER + len),
        Some(body) if crc32fast::hash(body) == word(8) => Found::Frame(body, HEADER + len),
        Some(_) => Found::Damage { len: HEADER + len },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(body: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        open(&mut out);
        out.extend_from_slice(body);
        close(&mut out, 0);
        out
    }

    #[test]
    fn every_flipped_bit_is_found() {
        let whole = frame(b"what was acknowledged");
        assert_eq!(
            find(&whole),
            Found::Frame(b"what was acknowledged", whole.len())
        );
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(matches!(find(&bytes), Found::Damage { .. }), "bit {bit}");
        }
    }

    #[test]
    fn a_part_says_how_long_it_is() {
        let whole = frame(b"abc");
        for len in 0..whole.len() {
            let all = if len < HEADER { HEADER } else { whole.len() };
            assert_eq!(find(&whole[..len]), Found::Part(all));
        }
        // Blocks that a file system had reserved and not yet written.
        assert_eq!(find(&[0; 100]), Found::Damage { len: HEADER });
    }
}
