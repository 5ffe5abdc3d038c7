/// The largest value of a variable byte integer (MQTT 5 section 1.5.5).
pub(crate) const VARINT_MAX: usize = 268_435_455;

/// Bytes that a variable byte integer takes.
pub(crate) fn varint_len(value: usize) -> usize {
    match value {
        0..=127 => 1,
        128..=16_383 => 2,
        16_384..=2_097_151 => 3,
        _ => 4,
    }
}

/// Appends a variable byte integer; `value` is at most [`VARINT_MAX`].
pub(crate) fn varint(out: &mut Vec<u8>, value: usize) {
    let mut left = value;
    loop {
        let low = (left & 0x7F) as u8;
        left >>= 7;
        if left == 0 {
            out.push(low);
            return;
        }
        out.push(low | 0x80);
    }
}

/// Appends a UTF-8 string or binary data with its length. What exceeds 65,535 bytes is never
/// handed in: it came from a field of that size.
pub(crate) fn binary(out: &mut Vec<u8>, bytes: &[u8]) {
    let len = u16::try_from(bytes.len()).unwrap_or(u16::MAX);
    out.extend_from_slice(&len.to_be_bytes());
    out.extend_from_slice(bytes.get(..usize::from(len)).unwrap_or_default());
}
