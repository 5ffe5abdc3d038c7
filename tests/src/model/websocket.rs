use super::mqtt::is_connect;

/// As many bytes of a segment are read for an HTTP request.
const REQUEST: usize = 1472;

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

/// Whether a payload shows a WebSocket with MQTT in it.
pub(super) fn is_websocket(payload: &[u8]) -> bool {
    asks_for_mqtt(payload) || is_connect(&unwrap_frame(payload))
}

/// Whether a payload starts with GET requests (RFC 9112, 3), of which one asks for a WebSocket
/// with MQTT (RFC 6455, 4.1; MQTT 5.0, 6).
pub(super) fn asks_for_mqtt(payload: &[u8]) -> bool {
    let mut text = &payload[..payload.len().min(REQUEST)];
    if text.first() != Some(&b'G') {
        return false;
    }
    'request: loop {
        let Some((method, _)) = text.split_first_chunk::<4>() else {
            return false;
        };
        if !method[..3].eq_ignore_ascii_case(b"GET") || !is_blank(&method[3]) {
            return false;
        }
        let mut read = 0;
        // Whether the line before lists protocols: a line that starts with a blank goes on with
        // it (RFC 9112, 5.2).
        let mut lists = false;
        for (number, line) in text.split_inclusive(|&byte| byte == b'\n').enumerate() {
            read += line.len();
            if number > 0 && (line == b"\n" || line == b"\r\n") {
                text = &text[read..];
                continue 'request;
            }
            let list = match line {
                _ if number == 0 => None,
                [b' ' | b'\t', rest @ ..] if lists => Some(rest),
                _ => protocols(line),
            };
            if list.is_some_and(lists_mqtt) {
                return true;
            }
            lists = list.is_some();
        }
        return false;
    }
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

/// What the WebSocket data frame carries that a payload starts with (RFC 6455, 5.2), as far as it
/// is there; nothing if there is none.
pub(super) fn unwrap_frame(payload: &[u8]) -> Vec<u8> {
    let &[first, second, ref rest @ ..] = payload else {
        return Vec::new();
    };
    if first & 0x70 != 0 || first & 0x0f > 2 {
        return Vec::new();
    }
    let bytes = match second & 0x7f {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    let Some((long, rest)) = rest.split_at_checked(bytes) else {
        return Vec::new();
    };
    let length = match bytes {
        0 => u64::from(second & 0x7f),
        _ => long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
    };
    let (mask, rest) = match second & 0x80 {
        0 => ([0; 4], rest),
        _ => match rest.split_first_chunk() {
            Some((mask, rest)) => (*mask, rest),
            None => return Vec::new(),
        },
    };
    let length = usize::try_from(length).unwrap_or(usize::MAX);
    let masked = &rest[..length.min(rest.len())];
    masked
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, mask)| byte ^ mask)
        .collect()
}
