use crate::frame::Frame;

/// The type and flags byte of a CONNECT (MQTT 5.0, 3.1.1).
const CONNECT: u8 = 0x10;

/// The shortest that may follow the fixed header of a CONNECT: protocol name, level, flags,
/// keep-alive and an empty client identifier.
const SHORTEST: u32 = 12;

/// Bridges of mosquitto set this bit in the protocol level.
const BRIDGE: u8 = 0x80;

/// As many bytes of a CONNECT as have to be seen to know it, which is also how long the
/// shortest one is: one byte of type, up to four of length, and `MQIsdp` with its length and
/// level.
pub(crate) const HEAD: usize = 14;

/// Whether an MQTT CONNECT starts at `offset` of the frame, its head whole before `end`, where
/// the IP packet ends. MQTT 3.1 calls itself `MQIsdp` level 3, 3.1.1 and 5.0 `MQTT` level 4
/// and 5.
#[inline(always)]
pub(crate) fn is_connect(frame: &Frame, offset: usize, end: usize) -> bool {
    let Some(head) = frame.at::<[u8; HEAD]>(offset) else {
        return false;
    };
    // The remaining length is a variable byte integer (MQTT 5.0, 1.5.5). One case for each
    // length of it, so that what follows lies at a place known beforehand.
    let [CONNECT, a, b, c, d, ..] = *head else {
        return false;
    };
    if offset + HEAD > end {
        return false;
    }
    if a & 0x80 == 0 {
        length(a, 0, 0, 0) >= SHORTEST && names_mqtt::<2>(head)
    } else if b & 0x80 == 0 {
        length(a, b, 0, 0) >= SHORTEST && names_mqtt::<3>(head)
    } else if c & 0x80 == 0 {
        length(a, b, c, 0) >= SHORTEST && names_mqtt::<4>(head)
    } else if d & 0x80 == 0 {
        length(a, b, c, d) >= SHORTEST && names_mqtt::<5>(head)
    } else {
        false
    }
}

#[inline(always)]
fn length(a: u8, b: u8, c: u8, d: u8) -> u32 {
    let digit = |byte: u8, place: u32| ((byte & 0x7f) as u32) << (7 * place);
    digit(a, 0) | digit(b, 1) | digit(c, 2) | digit(d, 3)
}

/// Whether protocol name and level stand at `AT`.
#[inline(always)]
fn names_mqtt<const AT: usize>(head: &[u8; HEAD]) -> bool {
    let Some((_, rest)) = head.split_first_chunk::<AT>() else {
        return false;
    };
    match *rest {
        [0, 4, b'M', b'Q', b'T', b'T', level, ..] => matches!(level & !BRIDGE, 4 | 5),
        [0, 6, b'M', b'Q', b'I', b's', b'd', b'p', level, ..] => level & !BRIDGE == 3,
        _ => false,
    }
}
