use crate::cell::{Cell, forget};
use crate::frame::Frame;

/// The type and flags byte of a CONNECT (MQTT 5.0, 3.1.1).
pub(crate) const CONNECT: u8 = 0x10;

/// The shortest that may follow the fixed header of a CONNECT: protocol name, level, flags,
/// keep-alive and an empty client identifier.
pub(crate) const SHORTEST: u32 = 12;

/// Bridges of mosquitto set this bit in the protocol level.
pub(crate) const BRIDGE: u8 = 0x80;

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
    offset + HEAD <= end && begins_connect(head)
}

/// Whether these are the first bytes of a CONNECT.
#[inline(always)]
pub(crate) fn begins_connect(head: &[u8; HEAD]) -> bool {
    // The remaining length is a variable byte integer (MQTT 5.0, 1.5.5). One case for each
    // length of it, so that what follows lies at a place known beforehand.
    let [CONNECT, a, b, c, d, ..] = *head else {
        return false;
    };
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

/// `MQTT` with its length, as the first bytes of a word.
const NAME: u64 = 0x0004_4d51_5454_0000;
/// The bytes of that name.
const NAME_MASK: u64 = 0xffff_ffff_ffff_0000;
/// `MQIsdp` with its length.
const OLD_NAME: u64 = 0x0006_4d51_4973_6470;

/// Whether what is between `offset` and `end` is fewer bytes than it takes to know a CONNECT,
/// and all of them as in one.
#[inline(always)]
pub(crate) fn is_beginning(frame: &Frame, offset: usize, end: usize, cell: *mut Cell) -> bool {
    // An offset of its own, or the compiler would leave out a check that was made with another
    // address of the same value, which the verifier does not know to be the same.
    let offset = forget(cell, offset as u64, 0x7fff) as usize;
    let (mut high, mut low, mut count) = (0u64, 0u64, 0u32);
    for index in 0..HEAD {
        if offset + index >= end {
            break;
        }
        let Some(byte) = frame.byte(offset + index) else {
            break;
        };
        if index < 8 {
            high |= u64::from(byte) << (56 - 8 * index);
        } else {
            low |= u64::from(byte) << (120 - 8 * index);
        }
        count += 1;
    }
    let high = forget(cell, high, u64::MAX);
    let low = forget(cell, low, u64::MAX);
    let count = forget(cell, u64::from(count), 15) as u32;
    if count == 0 || count >= HEAD as u32 || (high >> 56) as u8 != CONNECT {
        return false;
    }
    let digit = |index: u32| (high >> (56 - 8 * index)) as u8;
    let (a, b, c, d) = (digit(1), digit(2), digit(3), digit(4));
    let (digits, length) = if a & 0x80 == 0 {
        (1, length(a, 0, 0, 0))
    } else if b & 0x80 == 0 {
        (2, length(a, b, 0, 0))
    } else if c & 0x80 == 0 {
        (3, length(a, b, c, 0))
    } else {
        (4, length(a, b, c, d))
    };
    if count <= digits {
        // The length is not whole yet; what is missing of it reads as zero.
        return true;
    }
    if digits == 4 && d & 0x80 != 0 || length < SHORTEST {
        return false;
    }
    let count = count - 1 - digits;
    let shift = 8 * (1 + digits) & 63;
    let (high, low) = (high << shift | low >> (64 - shift & 63), low << shift);
    let mask = if count >= 8 {
        u64::MAX
    } else {
        !(u64::MAX >> (8 * count & 63))
    };
    let (level, old_level) = ((high >> 8) as u8 & !BRIDGE, (low >> 56) as u8 & !BRIDGE);
    let named = (high ^ NAME) & NAME_MASK & mask == 0 && (count < 7 || matches!(level, 4 | 5));
    let old_named = (high ^ OLD_NAME) & mask == 0 && (count < 9 || old_level == 3);
    named || old_named
}
