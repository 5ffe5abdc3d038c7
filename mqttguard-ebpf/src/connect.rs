//! A CONNECT byte by byte, where it comes in pieces that stand apart: a table as that of requests,
//! see [`request`](crate::request). What it knows is what
//! [`begins_connect`](crate::mqtt::begins_connect) knows.

use crate::mqtt::{BRIDGE, CONNECT, SHORTEST};

/// Before the first byte.
pub(crate) const START: u8 = 0;
/// Within the remaining length (MQTT 5.0, 1.5.5), by how many bytes of it were read: what was read
/// of it may be less than the shortest CONNECT has, or not, which is the state behind it.
const LENGTH: u8 = 1;
/// Before the name, which stands behind two bytes for its length.
const NAME: u8 = 9;
/// `MQTT` and its level.
const NEW: &[u8] = b"MQTT";
const NEW_NAME: u8 = NAME + 2;
/// `MQIsdp` and its level.
const OLD: &[u8] = b"MQIsdp";
const OLD_NAME: u8 = NEW_NAME + NEW.len() as u8 + 1;
/// It is none.
pub(crate) const NO: u8 = 30;
/// It is one.
pub(crate) const YES: u8 = 31;

/// States are less than this.
const STATES: usize = 32;
/// Classes of bytes are less than this.
const CLASSES: usize = 32;

/// One byte of each class. The last four stand for all others, by whether they are low, and whether
/// another byte of the length follows.
const CLASSED: [u8; 21] = [
    0x00, 0x03, 0x04, 0x05, 0x06, CONNECT, b'M', b'Q', b'T', b'I', b's', b'd', b'p', 0x80, 0x83,
    0x84, 0x85, 0x01, 0x0c, 0x81, 0x8c,
];
const OTHERS: usize = CLASSED.len() - 4;

/// The class of each byte.
static CLASS: [u8; 256] = {
    let mut classes = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
};

/// The state behind each byte, by the state before it and the byte's class.
static STEP: [u8; STATES * CLASSES] = {
    let mut steps = [NO; STATES * CLASSES];
    let mut state = 0;
    while state < STATES {
        let mut class = 0;
        while class < CLASSED.len() {
            steps[state * CLASSES + class] = behind(state as u8, CLASSED[class]);
            class += 1;
        }
        state += 1;
    }
    steps
};

const fn class(byte: u8) -> u8 {
    let mut class = 0;
    while class < OTHERS {
        if CLASSED[class] == byte {
            return class as u8;
        }
        class += 1;
    }
    let high = (byte & 0x80 != 0) as usize * 2;
    let long = (byte & 0x7f >= SHORTEST as u8) as usize;
    (OTHERS + high + long) as u8
}

const fn behind(state: u8, byte: u8) -> u8 {
    const LEVEL: u8 = NEW_NAME + NEW.len() as u8;
    const OLD_LEVEL: u8 = OLD_NAME + OLD.len() as u8;
    let level = byte & !BRIDGE;
    match state {
        START if byte == CONNECT => LENGTH,
        LENGTH..NAME => {
            let digits = (state - LENGTH) / 2;
            let digit = byte & 0x7f;
            let long = (state - LENGTH) % 2 == 1
                || if digits == 0 {
                    digit >= SHORTEST as u8
                } else {
                    digit > 0
                };
            match (byte & 0x80 != 0, long) {
                (true, _) if digits == 3 => NO,
                (true, _) => LENGTH + 2 * (digits + 1) + long as u8,
                (false, true) => NAME,
                (false, false) => NO,
            }
        }
        NAME if byte == 0 => NAME + 1,
        _ if state == NAME + 1 && byte as usize == NEW.len() => NEW_NAME,
        _ if state == NAME + 1 && byte as usize == OLD.len() => OLD_NAME,
        NEW_NAME..LEVEL if byte == NEW[(state - NEW_NAME) as usize] => state + 1,
        LEVEL if level == 4 || level == 5 => YES,
        OLD_NAME..OLD_LEVEL if byte == OLD[(state - OLD_NAME) as usize] => state + 1,
        OLD_LEVEL if level == 3 => YES,
        _ => NO,
    }
}

/// The state behind this byte; volatile as that of [`request::step`](crate::request::step).
#[inline(always)]
pub(crate) fn step(state: u8, byte: u8) -> u8 {
    // SAFETY: each index is below the length of its table.
    unsafe {
        let class = (&raw const CLASS)
            .cast::<u8>()
            .add(byte as usize)
            .read_volatile();
        let state = (state & (STATES as u8 - 1)) as usize;
        let index = state * CLASSES + (class & (CLASSES as u8 - 1)) as usize;
        (&raw const STEP).cast::<u8>().add(index).read_volatile()
    }
}

const _: () = assert!(OLD_NAME as usize + OLD.len() < NO as usize && YES as usize + 1 == STATES);
