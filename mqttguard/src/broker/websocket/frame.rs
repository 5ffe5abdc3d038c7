//! Frames: RFC 6455 section 5. Those of clients are taken apart as they come in; of a data frame
//! only the header is ever waited for.

use zeroize::Zeroizing;

/// Opcodes: section 5.2.
const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
pub(super) const BINARY: u8 = 0x2;
pub(super) const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
pub(super) const PONG: u8 = 0xa;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
/// Control frames have this bit in their opcodes.
const CONTROL: u8 = 0x08;
const MASKED: u8 = 0x80;
/// Lengths up to here stand in the second byte itself; the next value says that 2 bytes follow,
/// the one after that 8. Control frames are no longer than this (section 5.5).
const SHORT: u8 = 125;
const TWO_MORE: u8 = 126;

/// Close codes: section 7.4.1.
pub(super) const NORMAL: u16 = 1000;
pub(super) const PROTOCOL_ERROR: u16 = 1002;
pub(super) const UNSUPPORTED_DATA: u16 = 1003;
pub(super) const INVALID_PAYLOAD: u16 = 1007;

/// The longest header: two bytes, eight of length, four of the mask.
const HEADER: usize = 14;

/// What a client has sent.
pub(super) enum Event<'a> {
    /// A part of a binary message.
    Data(&'a [u8]),
    Ping(&'a [u8]),
    Pong,
    /// With its code, if it has one.
    Close(Option<u16>),
}

/// How a client has broken the rules, and the close code that says so.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Violation {
    pub(super) code: u16,
    pub(super) what: &'static str,
}

const fn violation(what: &'static str) -> Violation {
    Violation {
        code: PROTOCOL_ERROR,
        what,
    }
}

/// Takes the client's frames apart.
#[derive(Default)]
pub(super) struct Decoder {
    /// A header that is not whole yet.
    header: [u8; HEADER],
    have: u8,
    /// The frame under way: its opcode, its mask (turned to the next byte's) and what is to come.
    opcode: u8,
    mask: [u8; 4],
    left: u64,
    in_frame: bool,
    /// Whether a message's last frame is yet to come.
    in_message: bool,
    is_over: bool,
    /// What has come of a control frame.
    control: Vec<u8>,
}

impl Decoder {
    /// Takes bytes and tells what is in them. Behind a close frame nothing counts any more.
    pub(super) fn decode(
        &mut self,
        mut input: &[u8],
        mut tell: impl FnMut(Event<'_>),
    ) -> Result<(), Violation> {
        // There may be a password in it.
        let mut clear = Zeroizing::new(Vec::with_capacity(input.len()));
        while !self.is_over {
            if !self.in_frame {
                let Some(rest) = self.take_header(input)? else {
                    return Ok(());
                };
                input = rest;
            }
            let here = usize::try_from(self.left).map_or(input.len(), |left| left.min(input.len()));
            let (payload, rest) = input.split_at_checked(here).unwrap_or((input, &[]));
            input = rest;
            self.left = self.left.saturating_sub(payload.len() as u64);
            clear.clear();
            clear.extend_from_slice(payload);
            self.unmask(&mut clear);
            if self.opcode & CONTROL != 0 {
                self.control.extend_from_slice(&clear);
            } else if !clear.is_empty() {
                tell(Event::Data(&clear));
            }
            if self.left > 0 {
                return Ok(());
            }
            self.in_frame = false;
            if self.opcode & CONTROL != 0 {
                self.end_control(&mut tell)?;
            }
        }
        Ok(())
    }

    /// Takes what is missing of a header. Some: it is whole, and this is behind it.
    fn take_header<'a>(&mut self, mut input: &'a [u8]) -> Result<Option<&'a [u8]>, Violation> {
        loop {
            let have = usize::from(self.have);
            if have >= 2 {
                let length = self.check_header()?;
                if have == length {
                    self.have = 0;
                    self.begin_frame(length)?;
                    return Ok(Some(input));
                }
            }
            let Some((byte, rest)) = input.split_first() else {
                return Ok(None);
            };
            if let Some(place) = self.header.get_mut(have) {
                *place = *byte;
            }
            self.have = self.have.saturating_add(1);
            input = rest;
        }
    }

    /// Checks the first two bytes, of which the header's length follows.
    fn check_header(&self) -> Result<usize, Violation> {
        let [first, second, ..] = self.header;
        let (opcode, length) = (first & OPCODE, second & !MASKED);
        if first & RESERVED != 0 {
            return Err(violation("reserved bits, and no extension was agreed on"));
        }
        if second & MASKED == 0 {
            return Err(violation("a frame that is not masked"));
        }
        match opcode {
            CONTINUATION if !self.in_message => {
                return Err(violation("a continuation of no message"));
            }
            CONTINUATION => {}
            TEXT => {
                // MQTT-6.0.0-1
                return Err(Violation {
                    code: UNSUPPORTED_DATA,
                    what: "a text frame, expected binary ones",
                });
            }
            BINARY if self.in_message => {
                return Err(violation("a new message within another"));
            }
            BINARY => {}
            CLOSE | PING | PONG if first & FIN == 0 => {
                return Err(violation("a control frame in fragments"));
            }
            CLOSE | PING | PONG if length > SHORT => {
                return Err(violation("a control frame of more than 125 bytes"));
            }
            CLOSE | PING | PONG => {}
            _ => return Err(violation("a reserved opcode")),
        }
        Ok(match length {
            0..=SHORT => 6,
            TWO_MORE => 8,
            _ => HEADER,
        })
    }

    fn begin_frame(&mut self, header: usize) -> Result<(), Violation> {
        let [
            first,
            second,
            l0,
            l1,
            l2,
            l3,
            l4,
            l5,
            l6,
            l7,
            m0,
            m1,
            m2,
            m3,
        ] = self.header;
        let short = u64::from(second & !MASKED);
        let two = u64::from(u16::from_be_bytes([l0, l1]));
        let eight = u64::from_be_bytes([l0, l1, l2, l3, l4, l5, l6, l7]);
        let (length, mask, least) = match header {
            6 => (short, [l0, l1, l2, l3], 0),
            8 => (two, [l2, l3, l4, l5], u64::from(TWO_MORE)),
            _ => (eight, [m0, m1, m2, m3], 1 << 16),
        };
        if length < least {
            return Err(violation("a length in more bytes than it needs"));
        }
        if length >> 63 != 0 {
            return Err(violation("a length beyond 63 bits"));
        }
        self.opcode = first & OPCODE;
        if self.opcode & CONTROL == 0 {
            self.in_message = first & FIN == 0;
        }
        (self.left, self.mask, self.in_frame) = (length, mask, true);
        Ok(())
    }

    /// Section 5.3.
    fn unmask(&mut self, bytes: &mut [u8]) {
        let turn = bytes.len() % self.mask.len();
        let [a, b, c, d] = self.mask;
        let mask = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
        let (words, rest) = bytes.as_chunks_mut::<8>();
        for word in words {
            *word = (u64::from_ne_bytes(*word) ^ mask).to_ne_bytes();
        }
        for (byte, mask) in rest.iter_mut().zip(mask.to_ne_bytes()) {
            *byte ^= mask;
        }
        self.mask.rotate_left(turn);
    }

    fn end_control(&mut self, tell: &mut impl FnMut(Event<'_>)) -> Result<(), Violation> {
        let payload = std::mem::take(&mut self.control);
        match self.opcode {
            PING => tell(Event::Ping(&payload)),
            CLOSE => {
                let code = close_code(&payload)?;
                self.is_over = true;
                tell(Event::Close(code));
            }
            _ => tell(Event::Pong),
        }
        Ok(())
    }
}

/// Section 5.5.1, and 7.4 for which codes a client may send.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    let Some((code, reason)) = payload.split_first_chunk() else {
        return match payload {
            [] => Ok(None),
            _ => Err(violation("a close code of one byte")),
        };
    };
    let code = u16::from_be_bytes(*code);
    if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
        return Err(violation("a close code that nobody sends"));
    }
    match std::str::from_utf8(reason) {
        Ok(_) => Ok(Some(code)),
        Err(_) => Err(Violation {
            code: INVALID_PAYLOAD,
            what: "a close reason that is not UTF-8",
        }),
    }
}

/// Appends a frame of the server's: whole and not masked.
pub(super) fn write(opcode: u8, payload: &[u8], wire: &mut Vec<u8>) {
    wire.push(FIN | opcode);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length), _) if length <= SHORT => wire.push(length),
        (_, Ok(length)) => {
            wire.push(TWO_MORE);
            wire.extend(length.to_be_bytes());
        }
        _ => {
            wire.push(TWO_MORE + 1);
            wire.extend((payload.len() as u64).to_be_bytes());
        }
    }
    wire.extend_from_slice(payload);
}
