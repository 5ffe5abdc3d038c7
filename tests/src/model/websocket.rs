use super::mqtt::{is_beginning, names_mqtt};

/// What MQTT calls itself over a WebSocket.
const PROTOCOLS: [&str; 7] = [
    "mqtt",
    "mqttv3.1",
    "mqttv3.1.1",
    "mqtt-v3",
    "mqtt-v3.1",
    "mqtt-v3.1.1",
    "mqtt-v5",
];

/// What the beginning of a stream, or of one segment, shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sign {
    /// A request for a WebSocket with MQTT, or a CONNECT in one.
    Mqtt,
    /// Neither, and what follows can be understood without it.
    Nothing,
    /// It ends within a request or a message.
    Open,
}

/// Whether a segment that begins so is read.
pub(super) fn is_opening(first: u8) -> bool {
    b"Gg\r\n".contains(&first) || (first & 0x70 == 0 && first & 0x0f <= 2)
}

/// Reads requests (RFC 9112, 3), of which one may ask for a WebSocket with MQTT (RFC 6455, 4.1;
/// MQTT 5.0, 6), and frames that follow them.
pub(super) fn sign(mut text: &[u8]) -> Sign {
    loop {
        // RFC 9112, 2.2.
        while let [b'\r' | b'\n', rest @ ..] = text {
            text = rest;
        }
        match text {
            [] => return Sign::Nothing,
            [b'G' | b'g', ..] => match request(text) {
                Ok(behind) => text = behind,
                Err(sign) => return sign,
            },
            _ => return frames(text),
        }
    }
}

/// What is behind a GET request, or what the request shows.
fn request(text: &[u8]) -> Result<&[u8], Sign> {
    let method = &text[..text.len().min(3)];
    if !method.eq_ignore_ascii_case(&b"GET"[..method.len()]) {
        return Err(Sign::Nothing);
    }
    if text.get(3).is_some_and(|byte| !is_blank(byte)) {
        return Err(Sign::Nothing);
    }
    let mut read = 0;
    // Whether the line before lists protocols: a line that starts with a blank goes on with it
    // (RFC 9112, 5.2).
    let mut lists = false;
    for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
        read += line.len();
        if number > 0 && (line == b"\n" || line == b"\r\n") {
            return Ok(&text[read..]);
        }
        let list = match line {
            _ if number == 0 => None,
            [b' ' | b'\t', rest @ ..] if lists => Some(rest),
            _ => protocols(line),
        };
        if list.is_some_and(lists_mqtt) {
            return Err(Sign::Mqtt);
        }
        lists = list.is_some();
    }
    Err(Sign::Open)
}

pub(super) fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The value of a header of protocols.
pub(super) fn protocols(line: &[u8]) -> Option<&[u8]> {
    const NAME: &[u8] = b"Sec-WebSocket-Protocol";
    let (name, rest) = line.split_at_checked(NAME.len())?;
    let blanks = rest.iter().take_while(|byte| is_blank(byte)).count();
    let list = rest[blanks..].strip_prefix(b":")?;
    name.eq_ignore_ascii_case(NAME).then_some(list)
}

/// Whether a list, as far as it goes, names a protocol of MQTT's to its end.
pub(super) fn lists_mqtt(list: &[u8]) -> bool {
    let mut elements = list.split(|&byte| byte == b',').peekable();
    while let Some(element) = elements.next() {
        let blanks = element.iter().take_while(|byte| is_blank(byte)).count();
        let element = &element[blanks..];
        let end = element
            .iter()
            .position(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n'));
        let is_whole = end.is_some() || elements.peek().is_some();
        let name = &element[..end.unwrap_or(element.len())];
        if is_whole
            && PROTOCOLS
                .iter()
                .any(|known| name.eq_ignore_ascii_case(known.as_bytes()))
        {
            return true;
        }
    }
    false
}

/// Reads frames of a WebSocket (RFC 6455, 5.2), of which the first messages may be a CONNECT.
fn frames(mut bytes: &[u8]) -> Sign {
    let mut message = Vec::new();
    loop {
        let &[first, ref rest @ ..] = bytes else {
            return match message.is_empty() {
                true => Sign::Nothing,
                false => Sign::Open,
            };
        };
        let is_control = match (first & 0x70, first & 0x0f) {
            (0, 0..=2) => false,
            (0, 8..=10) => true,
            _ => return Sign::Nothing,
        };
        let &[second, ref rest @ ..] = rest else {
            return Sign::Open;
        };
        let more = match second & 0x7f {
            // 5.5: control frames are short.
            126.. if is_control => return Sign::Nothing,
            126 => 2,
            127 => 8,
            _ => 0,
        };
        let Some((long, rest)) = rest.split_at_checked(more) else {
            return Sign::Open;
        };
        let length = match more {
            0 => u64::from(second & 0x7f),
            _ => long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let (mask, rest) = match second & 0x80 {
            0 => ([0; 4], rest),
            _ => match rest.split_first_chunk() {
                Some((mask, rest)) => (*mask, rest),
                None => return Sign::Open,
            },
        };
        let (payload, rest) = rest.split_at(length.min(rest.len()));
        if !is_control {
            for (byte, mask) in payload.iter().zip(mask.iter().cycle()) {
                message.push(byte ^ mask);
                if names_mqtt(&message) {
                    return Sign::Mqtt;
                }
                if !is_beginning(&message) {
                    return Sign::Nothing;
                }
            }
        }
        if payload.len() < length {
            return Sign::Open;
        }
        bytes = rest;
    }
}
