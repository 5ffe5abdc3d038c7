/// The bytes of a CONNECT that have to be seen to know it: those of the shortest one there is.
pub(super) const CONNECT_HEAD: usize = 14;

/// Whether a payload starts with a CONNECT of MQTT 3.1, 3.1.1 or 5.0 (3.1 of each), with or
/// without the bit that bridges set in the protocol level.
pub(super) fn is_connect(payload: &[u8]) -> bool {
    payload.len() >= CONNECT_HEAD && names_mqtt(payload)
}

/// The same, as soon as its protocol level is there.
pub(super) fn names_mqtt(payload: &[u8]) -> bool {
    let Some((0x10, length)) = payload.split_first() else {
        return false;
    };
    // A variable byte integer (MQTT 5.0, 1.5.5): at most four bytes, the last without its
    // highest bit.
    let Some(last) = length.iter().take(4).position(|byte| byte & 0x80 == 0) else {
        return false;
    };
    let remaining = payload[1..=1 + last]
        .iter()
        .rev()
        .fold(0u32, |sum, byte| sum * 128 + u32::from(byte & 0x7f));
    let body = &payload[2 + last..];
    let named = [
        (&b"\0\x04MQTT"[..], &[4, 5][..]),
        (&b"\0\x06MQIsdp"[..], &[3][..]),
    ]
    .iter()
    .any(|(name, levels)| {
        body.strip_prefix(*name)
            .and_then(|rest| rest.first())
            .is_some_and(|level| levels.contains(&(level & 0x7f)))
    });
    // Name, level, flags, keep-alive and an empty client identifier take 12 bytes.
    named && remaining >= 12
}

/// Whether a payload is too short to know a CONNECT, and as far as it goes the same as one.
pub(super) fn is_beginning(payload: &[u8]) -> bool {
    if payload.len() >= CONNECT_HEAD || payload.first() != Some(&0x10) {
        return false;
    }
    let mut remaining = 0;
    for digit in 1..=4 {
        let Some(&byte) = payload.get(digit) else {
            return true;
        };
        remaining += u32::from(byte & 0x7f) << (7 * (digit - 1));
        if byte & 0x80 == 0 {
            let body = &payload[digit + 1..];
            return remaining >= 12
                && [(&b"\0\x04MQTT"[..], &[4, 5][..]), (b"\0\x06MQIsdp", &[3])]
                    .iter()
                    .any(|(name, levels)| {
                        let common = body.len().min(name.len());
                        body[..common] == name[..common]
                            && body
                                .get(name.len())
                                .is_none_or(|level| levels.contains(&(level & 0x7f)))
                    });
        }
    }
    false
}
