//! Frames of a WebSocket byte by byte, for a CONNECT in the first messages (RFC 6455, 5.2).
//!
//! MQTT's packets need not stand in one frame each (MQTT 5.0, 6), so that one may be in several,
//! with control frames in between. Clients have to mask what they send (RFC 6455, 5.3); some servers
//! take it unmasked as well. What is compressed is not looked into.

use mqttguard_common::Reading;

use crate::connect;
use crate::request::{MQTT, NONE};

/// What is to come next of a frame, in [`Reading::state`]: from here on, states are no longer those
/// of a request.
pub(crate) const FIRST: u8 = 64;
const SECOND: u8 = FIRST + 1;
const LENGTH: u8 = FIRST + 2;
const MASK: u8 = FIRST + 3;
const PAYLOAD: u8 = FIRST + 4;
/// The state without what is known of the frame, a bit each.
const STATE: u8 = FIRST | 7;
/// It is a control frame.
const CONTROL: u8 = 8;
/// It is masked.
const MASKED: u8 = 16;

/// Bits of the first byte: reserved ones and those of the opcode, of which data frames have up to
/// this, and control frames these.
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const BINARY: u8 = 2;
const CLOSE: u8 = 8;
const PONG: u8 = 10;
/// Set in the second byte when the payload is masked.
const IS_MASKED: u8 = 0x80;
/// Lengths from here on stand for the number of bytes that the length takes behind them.
const TWO_MORE: u8 = 126;

/// Whether a data frame may begin with this byte.
#[inline(always)]
pub(crate) fn begins_frame(first: u8) -> bool {
    first & RESERVED == 0 && first & OPCODE <= BINARY
}

/// Reads one byte. All that is known is in memory in between, where the verifier does not follow it.
#[inline(always)]
pub(crate) fn step(reading: *mut Reading, byte: u8) {
    let reading = Cells(reading);
    let state = reading.state();
    match state & STATE {
        FIRST => reading.set_state(match byte & OPCODE {
            _ if byte & RESERVED != 0 => NONE,
            ..=BINARY => SECOND,
            CLOSE..=PONG => SECOND | CONTROL,
            _ => NONE,
        }),
        SECOND => {
            let masked = if byte & IS_MASKED != 0 { MASKED } else { 0 };
            let left = byte & !IS_MASKED;
            if left < TWO_MORE {
                reading.set_left(left);
                reading.end_length(state | masked, left);
            } else if state & CONTROL != 0 {
                reading.set_state(NONE);
            } else {
                reading.set_left(0);
                reading.set_count(if left == TWO_MORE { 2 } else { 8 });
                reading.set_state(state & !STATE | masked | LENGTH);
            }
        }
        LENGTH => {
            let left = if reading.left() != 0 { u8::MAX } else { byte };
            let count = reading.count();
            reading.set_left(left);
            reading.set_count(count.wrapping_sub(1));
            if count == 1 {
                reading.end_length(state, left);
            }
        }
        MASK => {
            reading.set_mask(reading.mask() << 8 | u32::from(byte));
            let count = reading.count();
            reading.set_count(count.wrapping_sub(1));
            if count == 1 {
                reading.begin_payload(state, reading.left());
            }
        }
        _ => {
            let left = reading.left();
            if left != u8::MAX {
                reading.set_left(left.wrapping_sub(1));
            }
            if left == 1 {
                reading.set_state(FIRST);
            }
            if state & CONTROL == 0 {
                let mask = reading.mask();
                reading.set_mask(mask << 8 | mask >> 24);
                // The verifiers of 5.10 and 5.15 know no limit of an exclusive or; of a byte they do.
                reading.set_byte(byte ^ (mask >> 24) as u8);
                let name = connect::step(reading.name(), reading.byte());
                reading.set_name(name);
                match name {
                    connect::YES => reading.set_state(MQTT),
                    connect::NO => reading.set_state(NONE),
                    _ => {}
                }
            }
        }
    }
}

#[derive(Clone, Copy)]
struct Cells(*mut Reading);

macro_rules! cell {
    ($get:ident, $set:ident, $field:ident, $type:ty) => {
        #[inline(always)]
        fn $get(self) -> $type {
            // SAFETY: this processor's own, and aligned.
            unsafe { (&raw const (*self.0).$field).read_volatile() }
        }

        #[inline(always)]
        fn $set(self, value: $type) {
            // SAFETY: likewise.
            unsafe { (&raw mut (*self.0).$field).write_volatile(value) }
        }
    };
}

impl Cells {
    cell!(state, set_state, state, u8);
    cell!(name, set_name, name, u8);
    cell!(left, set_left, left, u8);
    cell!(count, set_count, count, u8);
    cell!(byte, set_byte, byte, u8);
    cell!(mask, set_mask, mask, u32);

    /// Behind the length comes the mask, if there is one.
    #[inline(always)]
    fn end_length(self, state: u8, left: u8) {
        self.set_mask(0);
        if state & MASKED != 0 {
            self.set_count(4);
            self.set_state(state & !STATE | MASK);
        } else {
            self.begin_payload(state, left);
        }
    }

    /// Then the payload, or if that is empty the next frame.
    #[inline(always)]
    fn begin_payload(self, state: u8, left: u8) {
        self.set_state(if left != 0 {
            state & !STATE | PAYLOAD
        } else {
            FIRST
        });
    }
}
