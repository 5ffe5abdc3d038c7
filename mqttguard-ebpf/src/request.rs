//! HTTP requests byte by byte, for the WebSocket protocols that they ask for.
//!
//! A machine of a few dozen states, as a table: one step a byte and nothing to branch on, so that
//! the verifier has one path to follow.
//!
//! What it knows is a GET request (RFC 9112, 3) with a `Sec-WebSocket-Protocol` (RFC 6455, 4.1)
//! that lists one of [`PROTOCOLS`], in any case, whatever else it lists and however many such
//! headers there are. Behind a request it expects another, as on a connection that is kept.

/// What MQTT calls itself over a WebSocket: the name of MQTT 3.1.1 and 5.0 (MQTT 5.0, 6), that of
/// 3.1, and what clients and brokers use beside them.
const PROTOCOLS: [&[u8]; 7] = [
    b"mqtt",
    b"mqttv3.1",
    b"mqttv3.1.1",
    b"mqtt-v3",
    b"mqtt-v3.1",
    b"mqtt-v3.1.1",
    b"mqtt-v5",
];

/// The header that lists them.
const NAME: &[u8] = b"sec-websocket-protocol";

/// Before the first byte of a request.
pub(crate) const START: u8 = 0;
/// `G`, `GE` and `GET` were read.
const METHOD: u8 = 1;
/// Within a line that does not matter, up to its end.
const LINE: u8 = 4;
/// At the beginning of a header's line, and within the name that is looked for.
const HEADER: u8 = 5;
/// All of that name was read.
const NAMED: u8 = HEADER + NAME.len() as u8;
/// A line that started with a carriage return, and so ends the request.
const BLANK: u8 = NAMED + 1;
/// As `HEADER`, behind a line of protocols, which may go on here (RFC 9112, 5.2).
const FOLD: u8 = BLANK + 1;
/// Before the first byte of a protocol.
const LIST: u8 = FOLD + 1;
/// Within a protocol that is none of MQTT's.
const OTHER: u8 = LIST + 1;
/// The first of the states within a protocol that may be one.
const PROTOCOL: u8 = OTHER + 1;
/// Where a request could have begun, something else did.
pub(crate) const ELSE: u8 = 61;
/// It is no request that is looked at, whatever follows.
pub(crate) const NONE: u8 = 62;
/// It asks for MQTT, whatever follows.
pub(crate) const MQTT: u8 = 63;

/// States are less than this.
const STATES: usize = 64;

// Classes of bytes. Upper and lower case are one.
/// Letters and digits that names are made of.
const SPELLING: &[u8] = b"secwboktprlgmqv-.315";
/// The class of the first of them.
const SPELLED: u8 = 6;
const REST: u8 = 0;
const COLON: u8 = 1;
const BLANKS: u8 = 2;
const COMMA: u8 = 3;
const RETURN: u8 = 4;
const NEWLINE: u8 = 5;

/// Classes are less than this.
const CLASSES: usize = 32;

/// The class of each byte.
static CLASS: [u8; 256] = {
    let mut classes = [REST; 256];
    let mut byte = 0;
    while byte < 256 {
        classes[byte] = class(byte as u8);
        byte += 1;
    }
    classes
};

/// The state behind each byte, by the state before it and the byte's class.
static STEP: [u8; STATES * CLASSES] = steps();

const fn class(byte: u8) -> u8 {
    match byte {
        b':' => COLON,
        b' ' | b'\t' => BLANKS,
        b',' => COMMA,
        b'\r' => RETURN,
        b'\n' => NEWLINE,
        _ => {
            let mut index = 0;
            while index < SPELLING.len() {
                if byte.to_ascii_lowercase() == SPELLING[index] {
                    return SPELLED + index as u8;
                }
                index += 1;
            }
            REST
        }
    }
}

const fn at(state: u8, class: u8) -> usize {
    state as usize * CLASSES + class as usize
}

const fn steps() -> [u8; STATES * CLASSES] {
    let mut steps = [NONE; STATES * CLASSES];
    all(&mut steps, START, ELSE, START);
    // Empty lines before a request mean nothing (RFC 9112, 2.2).
    steps[at(START, RETURN)] = START;
    let mut index = 0;
    while index < 3 {
        steps[at(METHOD - 1 + index, class(b"get"[index as usize]))] = METHOD + index;
        index += 1;
    }
    steps[at(METHOD + 2, BLANKS)] = LINE;
    let mut state = LINE;
    while state < PROTOCOL {
        let (rest, newline) = match state {
            LIST | OTHER => (OTHER, FOLD),
            BLANK => (LINE, START),
            HEADER | FOLD => (LINE, START),
            _ => (LINE, HEADER),
        };
        all(&mut steps, state, rest, newline);
        state += 1;
    }
    let mut index = 0;
    while index < NAME.len() {
        let next = HEADER + 1 + index as u8;
        steps[at(HEADER + index as u8, class(NAME[index]))] = next;
        if index == 0 {
            steps[at(FOLD, class(NAME[index]))] = next;
        }
        index += 1;
    }
    steps[at(HEADER, RETURN)] = BLANK;
    steps[at(FOLD, RETURN)] = BLANK;
    steps[at(FOLD, BLANKS)] = LIST;
    steps[at(NAMED, BLANKS)] = NAMED;
    steps[at(NAMED, COLON)] = LIST;
    steps[at(LIST, BLANKS)] = LIST;
    steps[at(LIST, COMMA)] = LIST;
    steps[at(OTHER, COMMA)] = LIST;
    spell(&mut steps);
    let mut class = 0;
    while class < CLASSES as u8 {
        steps[at(MQTT, class)] = MQTT;
        steps[at(ELSE, class)] = ELSE;
        class += 1;
    }
    steps
}

/// Makes every byte lead from a state to `rest`, but for the end of the line.
const fn all(steps: &mut [u8; STATES * CLASSES], state: u8, rest: u8, newline: u8) {
    let mut class = 0;
    while class < CLASSES as u8 {
        steps[at(state, class)] = rest;
        class += 1;
    }
    steps[at(state, NEWLINE)] = newline;
}

/// Adds the states within protocols: those with the same beginning share them.
const fn spell(steps: &mut [u8; STATES * CLASSES]) {
    let mut free = PROTOCOL;
    let mut index = 0;
    while index < PROTOCOLS.len() {
        let name = PROTOCOLS[index];
        let mut state = LIST;
        let mut letter = 0;
        while letter < name.len() {
            let place = at(state, class(name[letter]));
            if steps[place] == OTHER {
                all(steps, free, OTHER, FOLD);
                steps[at(free, COMMA)] = LIST;
                steps[place] = free;
                free += 1;
            }
            state = steps[place];
            letter += 1;
        }
        steps[at(state, BLANKS)] = MQTT;
        steps[at(state, COMMA)] = MQTT;
        steps[at(state, RETURN)] = MQTT;
        steps[at(state, NEWLINE)] = MQTT;
        index += 1;
    }
    assert!(free <= ELSE);
}

/// Whether a request may begin with this byte; an empty line may stand before one.
#[inline(always)]
pub(crate) fn begins_request(first: u8) -> bool {
    matches!(first, b'G' | b'g' | b'\r' | b'\n')
}

/// The state behind this byte.
///
/// The compiler knows what is in the tables, and would leave out what shows the verifier, which
/// does not, that no index is beyond them; and it would take all steps of a block at once, for
/// which there are no registers. Hence the volatile reads.
#[inline(always)]
pub(crate) fn step(state: u8, byte: &u8) -> u8 {
    // SAFETY: a reference; and each index is below the length of its table.
    unsafe {
        let byte = core::ptr::from_ref(byte).read_volatile();
        let class = (&raw const CLASS)
            .cast::<u8>()
            .add(byte as usize)
            .read_volatile();
        let index = at(state & (STATES as u8 - 1), class & (CLASSES as u8 - 1));
        (&raw const STEP).cast::<u8>().add(index).read_volatile()
    }
}

const _: () = assert!(STATES == MQTT as usize + 1 && SPELLED as usize + SPELLING.len() <= CLASSES);
